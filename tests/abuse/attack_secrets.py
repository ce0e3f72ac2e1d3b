"""Tokens, nonces and signatures that are stolen, replayed, guessed, too old, or of somebody else. None lets anybody in as another."""

import asyncio
import hashlib
from random import Random

from adsum.contract.limits import CHALLENGE_SECONDS
from adsum.v1.member_pb2 import LIVENESS_ONLINE
from adsum.v1.presence_pb2 import Challenge, Hello, PresenceRequest, Proof, Resume, Welcome
from adsum.v1.presence_pb2 import Reason as WireReason
from tests.abuse.attack import Attack, Ground
from tests.abuse.judging import hear_end
from tests.abuse.oracle import faults_of, word_of, word_of_ending
from tests.abuse.people import LOBBY, Person, be_challenged, enter, keep_alive, transcript_of
from tests.abuse.small_order import SMALL_ORDER_KEYS, UNIVERSAL_SIGNATURES
from tests.abuse.wire import Stream

GUESSES = 400
FLIPS = 128
REPLAYS = 40
FORGERIES = 12
"""Rounds of every way to sign wrongly."""
_ORDER = 2**252 + 27742317777372353535851937790883648493
_BAD_SIGNATURE = frozenset({"end:BAD_SIGNATURE"})


async def _run(ground: Ground) -> None:
    victim = Person(Random(ground.random.getrandbits(64)))
    stream, welcome = await enter(await ground.dial(), victim)
    incarnation = (await ground.admin.members(LOBBY))[victim.key].incarnation
    async with asyncio.TaskGroup() as tasks:
        alive = tasks.create_task(keep_alive(stream))
        late = tasks.create_task(_sign_too_late(ground))
        await _steal(ground, victim, welcome)
        await _rotate(ground)
        await _fixate(ground)
        for _ in range(ground.amount(FORGERIES)):
            await _forge(ground)
        await _replay(ground)
        await late
        alive.cancel()
    tally = ground.tally
    tally.expect(stream.ending is None, f"P5: the victim's stream ended: {stream.ending}")
    present = (await ground.admin.members(LOBBY)).get(victim.key)
    is_same = (
        present is not None and present.incarnation == incarnation and present.liveness == LIVENESS_ONLINE
    )
    tally.expect(
        is_same and present is not None and present.session_count == 1, f"P5: the victim is {present}"
    )
    # The owner, of course, goes on: the right token and the right key, while all guesses were refused.
    answer = await _try_resume(
        ground, victim, Resume(session_id=welcome.session_id, token=welcome.resume_token)
    )
    tally.judge(answer, {"resumed"}, "the owner's own token")


async def _try_resume(ground: Ground, person: Person, resume: Resume) -> str:
    """Say hello with a claim; tell whether it is honoured, or why not."""
    wire = await ground.dial()
    stream = wire.open()
    stream.say(PresenceRequest(hello=person.hello(resume=resume)).SerializeToString())
    await stream.heard(1)
    if stream.ending is not None:
        return word_of_ending(stream.ending)
    response = stream.responses[0]
    if response.HasField("challenge"):
        wire.close()
        return f"refused:{WireReason.Name(response.challenge.resume_refusal).removeprefix('REASON_')}"
    if not response.HasField("welcome"):
        return word_of(response)
    stream.say(person.request("leave"))
    await stream.ended()
    return "resumed" if response.welcome.resumed else "a new session"


async def _steal(ground: Ground, victim: Person, welcome: Welcome) -> None:
    tally, random = ground.tally, ground.random
    session, token = welcome.session_id, welcome.resume_token
    lengths = (b"", b"\0", token[:-1], token + b"\0", token * 100)
    guesses = [random.randbytes(32) for _ in range(ground.amount(GUESSES))]
    flips = [_flipped(random, token) for _ in range(ground.amount(FLIPS))]
    hashes = (hashlib.sha256(token).digest(), hashlib.sha256(b"adsum/1 token" + token).digest(), session * 2)
    for guess in (*lengths, *guesses, *flips, *hashes):
        answer = await _try_resume(ground, victim, Resume(session_id=session, token=guess))
        tally.judge(answer, {"refused:BAD_TOKEN"}, "a guessed token", guess)
    stolen = Resume(session_id=session, token=token)
    thief = Person(random)
    tally.judge(
        await _try_resume(ground, thief, stolen), {"refused:SESSION_UNKNOWN"}, "a stolen token, own key"
    )
    elsewhere = Person(random, lobby="elsewhere")
    elsewhere.identity = victim.identity
    answer = await _try_resume(ground, elsewhere, stolen)
    tally.judge(answer, {"refused:SESSION_UNKNOWN"}, "a token for another lobby")
    other = Person(random)
    stream, others = await enter(await ground.dial(), other)
    mixed = Resume(session_id=session, token=others.resume_token)
    tally.judge(await _try_resume(ground, victim, mixed), {"refused:BAD_TOKEN"}, "another session's token")
    mixed = Resume(session_id=others.session_id, token=token)
    answer = await _try_resume(ground, victim, mixed)
    tally.judge(answer, {"refused:SESSION_UNKNOWN"}, "another member's session")
    stream.say(other.request("leave"))
    await stream.ended()
    gone = Resume(session_id=others.session_id, token=others.resume_token)
    tally.judge(
        await _try_resume(ground, other, gone), {"refused:SESSION_UNKNOWN"}, "the token of who has left"
    )


def _flipped(random: Random, content: bytes) -> bytes:
    mutated = bytearray(content)
    mutated[random.randrange(len(mutated))] ^= 1 << random.randrange(8)
    return bytes(mutated)


async def _rotate(ground: Ground) -> None:
    """Use tokens again that have served."""
    person = Person(ground.random)
    old, first = await enter(await ground.dial(), person)
    resume = Resume(session_id=first.session_id, token=first.resume_token)
    stream = (await ground.dial()).open()
    stream.say(PresenceRequest(hello=person.hello(resume=resume)).SerializeToString())
    await stream.heard(1)
    ground.tally.expect(stream.responses[0].welcome.resumed, "P6: a right token isn't honoured")
    ground.tally.judge(await hear_end(old), {"end:SESSION_REPLACED"}, "the stream before")
    # Once something is heard on the new stream, the old token is worth nothing.
    stream.say(person.request("heartbeat"))
    stream.say(person.request("select"))
    await stream.until(lambda: any(response.HasField("selection_update") for response in stream.responses))
    answer = await _try_resume(ground, person, resume)
    ground.tally.judge(answer, {"refused:BAD_TOKEN"}, "a token that has served")
    ground.tally.expect(stream.ending is None, "P6: a used token ended the stream of its owner")
    stream.say(person.request("leave"))
    await stream.ended()


async def _fixate(ground: Ground) -> None:
    """Choose a session's name for oneself, and hope that the server takes it."""
    for chosen in (b"", b"a" * 16, ground.random.randbytes(16), b"b" * 20_000):
        person = Person(ground.random)
        stream = (await ground.dial()).open()
        hello = person.hello(resume=Resume(session_id=chosen, token=chosen))
        challenge = await be_challenged(stream, hello)
        stream.say(PresenceRequest(proof=person.proof(hello, challenge)).SerializeToString())
        await stream.heard(2)
        welcome = stream.responses[1].welcome
        is_fresh = len(welcome.session_id) == 16 and welcome.session_id != chosen and not welcome.resumed
        ground.tally.expect(is_fresh, f"P5: a session that the client has named: {welcome}")
        stream.say(person.request("leave"))
        await stream.ended()


async def _forge(ground: Ground) -> None:
    """Sign what must not be signed, or not sign at all."""
    person, other = Person(ground.random), Person(ground.random)
    for name in (
        "another key",
        "audience",
        "lobby",
        "client nonce",
        "server nonce",
        "expiry",
        "domain",
        "bytes",
    ):
        stream, hello, challenge = await _challenged(ground, person)
        proof = _forgery(name, person, other, hello, challenge)
        await _prove(ground, stream, proof, f"a signature of {name}")
    for change in ("nothing", "zeros", "short", "long", "huge", "+ L", "flipped", "random"):
        stream, hello, challenge = await _challenged(ground, person)
        right = person.identity.sign(transcript_of(hello, challenge))
        await _prove(ground, stream, _spoilt(change, right, ground.random), f"a signature, {change}")
    for key in SMALL_ORDER_KEYS:
        for signature in UNIVERSAL_SIGNATURES:
            stream = (await ground.dial()).open()
            hello = person.hello()
            hello.public_key = key
            # The answer to the hello is the end already.
            for request in (PresenceRequest(hello=hello), PresenceRequest(proof=Proof(signature=signature))):
                stream.say(request.SerializeToString())
            ending = await hear_end(stream)
            ground.tally.judge(ending, {"end:BAD_KEY", "end:BAD_SIGNATURE"}, "a key of small order", key)
            _check(ground, stream)
    stream = (await ground.dial()).open()
    stream.say(PresenceRequest(hello=person.hello(audience="evil.example")).SerializeToString())
    ending = await hear_end(stream)
    ground.tally.judge(ending, {"end:WRONG_AUDIENCE"}, "a hello for another server")


def _forgery(name: str, person: Person, other: Person, hello: Hello, challenge: Challenge) -> bytes:
    signed, asked = Hello(), Challenge()
    signed.CopyFrom(hello)
    asked.CopyFrom(challenge)
    match name:
        case "another key":
            return other.identity.sign(transcript_of(hello, challenge))
        case "audience":
            signed.audience = "localhost"
        case "lobby":
            signed.lobby = "lobby2"
        case "client nonce":
            signed.client_nonce = bytes(32)
        case "server nonce":
            asked.server_nonce = bytes(32)
        case "expiry":
            asked.expires_at_unix_millis += 1
        case "domain":
            return person.identity.sign(transcript_of(hello, challenge)[len(b"adsum/1 proof\r\n") :])
        case _:
            return person.identity.sign(challenge.SerializeToString())
    return person.identity.sign(transcript_of(signed, asked))


def _spoilt(change: str, right: bytes, random: Random) -> bytes:
    greater = int.from_bytes(right[32:], "little") + _ORDER
    return {
        "nothing": b"",
        "zeros": bytes(64),
        "short": right[:63],
        "long": right + b"\0",
        "huge": right * 500,
        "+ L": right[:32] + greater.to_bytes(33, "little")[:32],
        "flipped": _flipped(random, right),
        "random": random.randbytes(64),
    }[change]


async def _replay(ground: Ground) -> None:
    """Say again, word for word, what has let somebody in; and exchange the proofs of two streams."""
    person = Person(ground.random)
    stream, hello, challenge = await _challenged(ground, person)
    proof = person.identity.sign(transcript_of(hello, challenge))
    stream.say(PresenceRequest(proof=Proof(signature=proof)).SerializeToString())
    await stream.heard(2)
    ground.tally.expect(stream.responses[1].HasField("welcome"), "contract: a right proof isn't accepted")
    stream.say(person.request("leave"))
    await stream.ended()
    for _ in range(ground.amount(REPLAYS)):
        again = (await ground.dial()).open()
        await be_challenged(again, hello)
        await _prove(ground, again, proof, "a proof said again")
    pairs = [await _challenged(ground, person) for _ in range(2)]
    proofs = [person.identity.sign(transcript_of(hello, challenge)) for _, hello, challenge in pairs]
    for (stream, _, _), proof in zip(pairs, reversed(proofs), strict=True):
        await _prove(ground, stream, proof, "the proof of another stream")


async def _sign_too_late(ground: Ground) -> None:
    person = Person(Random(ground.random.getrandbits(64)))
    stream, hello, challenge = await _challenged(ground, person)
    await asyncio.sleep(CHALLENGE_SECONDS + 0.3)
    proof = person.identity.sign(transcript_of(hello, challenge))
    stream.say(PresenceRequest(proof=Proof(signature=proof)).SerializeToString())
    ending = await hear_end(stream)
    ground.tally.judge(ending, {"end:CHALLENGE_EXPIRED"}, "a proof that comes too late")


async def _challenged(ground: Ground, person: Person) -> tuple[Stream, Hello, Challenge]:
    stream = (await ground.dial()).open()
    hello = person.hello()
    return stream, hello, await be_challenged(stream, hello)


async def _prove(ground: Ground, stream: Stream, signature: bytes, what: str) -> None:
    stream.say(PresenceRequest(proof=Proof(signature=signature)).SerializeToString())
    await stream.until(lambda: len(stream.contents) > 1)
    answer = word_of_ending(stream.ending) if stream.ending is not None else word_of(stream.responses[1])
    ground.tally.judge(answer, _BAD_SIGNATURE, what, signature)
    _check(ground, stream)
    stream.wire.close()


def _check(ground: Ground, stream: Stream) -> None:
    for fault in faults_of(stream, proved=False):
        ground.tally.blame(fault)


ATTACK = Attack(
    "secrets",
    "P5 P6",
    "tokens, nonces and signatures stolen, replayed, guessed, too old, or of somebody else",
    _run,
    minimum=GUESSES + FLIPS + REPLAYS + FORGERIES * (16 + 2 * len(SMALL_ORDER_KEYS)),
    # The handshake ends before a challenge expires, unless it is given more time.
    options=("--handshake-seconds", "12"),
)
