"""Puts one input to a stream, and finds out which answer belongs to it."""

from google.protobuf.message import DecodeError

from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse, Select
from tests.abuse.oracle import SILENCE, Scene, Standing, allowed, word_of, word_of_ending
from tests.abuse.wire import Stream
from tests.integration.raw_stream import WAIT_SECONDS

_FENCES = 1 << 62
"""Request ids from here on are of fences; no input is likely to have one."""


async def hear_answer(stream: Stream, scene: Scene, content: bytes) -> tuple[str, frozenset[str]]:
    """Say some bytes, and give the answer, and those that are allowed. The scene is brought up to date.

    On a live stream a fence follows: a request that is always answered. What comes before that answer, or not at all, belongs to the input.
    """
    words = allowed(scene, content)
    start = len(stream.contents)
    stream.say(content)
    if scene.standing in (Standing.FRESH, Standing.CHALLENGED):
        await stream.heard(start + 1)
        heard = stream.responses[start:]
        return (word_of(heard[0]) if heard else _word_of_end(stream)), words
    fence = _FENCES + len(stream.contents) * 1_000 + 1
    observes = scene.standing is Standing.OBSERVING
    stream.say(_fence(fence).SerializeToString())

    def is_fenced() -> bool:
        return any(_is_answer_to(fence, response) for response in stream.responses[start:])

    if not await stream.until(is_fenced) and stream.ending is not None:
        answer = _answer(stream.responses[start:], scene, words) or _word_of_end(stream)
    else:
        before = [response for response in stream.responses[start:] if not _is_answer_to(fence, response)]
        answer = _answer(before, scene, words) or SILENCE
    scene.errors += answer.startswith("error:") + observes
    _note_send(scene, content)
    return answer, words


async def hear_end(stream: Stream, seconds: float = WAIT_SECONDS) -> str:
    """Wait for the end of a stream, and name it; `no end` if there is none in time."""
    try:
        return word_of_ending(await stream.ended(seconds))
    except TimeoutError:
        return "no end"


def _fence(number: int) -> PresenceRequest:
    # To select nobody: it changes nothing, counts as no error, and is answered in its place.
    return PresenceRequest(select=Select(request_id=number))


def _is_answer_to(fence: int, response: PresenceResponse) -> bool:
    return fence in (response.selection_update.request_id, response.request_error.request_id)


def _word_of_end(stream: Stream) -> str:
    assert stream.ending is not None
    return word_of_ending(stream.ending)


def _answer(heard: list[PresenceResponse], scene: Scene, words: frozenset[str]) -> str:
    """Choose, of what has come meanwhile, what was meant: a stream hears of others, too."""
    mine = []
    for response in heard:
        word = word_of(response)
        if word in ("delta", "heartbeat", "delivery"):
            continue
        # A list that was asked for earlier, and a selection that follows its member, come when they come.
        if word in ("snapshot", "selection_update") and word not in words:
            continue
        # So does the result of a message that had to be delivered first.
        is_old = response.send_result.request_id <= scene.newest_request_id
        if word.startswith("send_result:") and word not in words and is_old:
            continue
        mine.append(word)
    return next((word for word in mine if word not in words), mine[0] if mine else "")


def _note_send(scene: Scene, content: bytes) -> None:
    try:
        request = PresenceRequest.FromString(content)
    except DecodeError:
        return
    if request.HasField("send") and len(request.send.recipient) == 32:
        scene.newest_request_id = max(scene.newest_request_id, request.send.request_id)
