"""Whatever a server says, in whatever order, while the application asks for this and that: the library keeps its promises (P1-P3, P7-P9).

An input is a program of steps: what an honest server would say now, the same with odd fields, raw bytes, what the application does,
and what happens to the stream. A server that breaks the rules is given up, as its driver does, and never an exception.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

from google.protobuf import json_format

from adsum.client.backlog import Backlog
from adsum.client.errors import ProtocolViolation
from adsum.client.member import Profile
from adsum.client.messages import (
    Challenge,
    Delta,
    Response,
    Send,
    ServerHeartbeat,
    Welcome,
)
from adsum.client.session import Purpose, Session, Stage
from adsum.client.settings import Settings
from adsum.client.wire import decode, encode
from adsum.v1 import presence_pb2 as pb
from tests.client.encoding import response_message
from tests.fuzz.false_server import KEYS, ME, FalseServer
from tests.fuzz.messages import vary, vary_bytes
from tests.fuzz.shadow import Shadow
from tests.fuzz.source import Source, blob
from tests.fuzz.vectors import CASES, ROSTERS

PURPOSE = Purpose(ROSTERS["lobby"], ME, ROSTERS["audience"])
SETTINGS = Settings(max_members=8)
MOST_STEPS = 200
SECONDS = (0.001, 0.5, 4.0, 6.5, 12.1, 30.1)


def target(data: bytes) -> None:
    """Let the program that the input is happen to a client."""
    source = Source(data)
    play = Play(source, observer=source.byte() >= 240)
    for _ in range(MOST_STEPS):
        if source.is_empty or play.session.stage is Stage.CLOSED:
            return
        play.step()


class Play:
    """Read steps and let them happen: to the session, to the lobby that the server tells of, and to the application."""

    def __init__(self, source: Source, *, observer: bool) -> None:
        self._source = source
        self.session = Session(replace(PURPOSE, observer=observer), Profile("ada"), SETTINGS)
        self._backlog = Backlog(20, 4)
        self._shadow = Shadow(self.session, self._backlog, SETTINGS.max_members)
        self._server = FalseServer(source, self.session)
        self._now = 0.0

    def step(self) -> None:
        """Let one step happen."""
        source = self._source
        match source.below(12):
            case 0:
                self._change_stream()
            case 1:
                self._come_in()
            case 2:
                self._server.change()
            case 3 | 4:
                self._pass_on(self._server.words()[0])
            case 5 | 6:
                words = self._server.words()
                for word in words:
                    self._pass_on(word)
            case 7:
                self._hear(source.blob())
            case 8 | 9:
                self._act()
            case 10:
                self._say(1 + source.below(20))
            case _:
                self._pass_time(source.choice(SECONDS))

    # The stream.

    def _change_stream(self) -> None:
        session = self.session
        kind = self._source.byte()
        if kind >= 250:
            self._shadow.take_in(session.close("left"))
        elif session.stage is Stage.OFFLINE:
            assert encode(session.dial(b"n" * 32, self._now))
            self._shadow.check()
        elif kind >= 128:
            self._lose("cut")

    def _lose(self, cause: str) -> None:
        self._shadow.take_in(self.session.lost(cause, self._now))
        self._shadow.take_in(self.session.will_retry(0.1, self._now))
        self._shadow.take_in(self.session.retries())

    def _come_in(self) -> None:
        """Go through an honest handshake up to the list."""
        session = self.session
        if session.stage is not Stage.OFFLINE:
            return
        hello = session.dial(b"n" * 32, self._now)
        resumes = hello.resume is not None and self._source.flag()
        if not resumes:
            self._receive(Challenge(b"s" * 32, 5))
        self._say(5)
        self._receive(self._server.welcome(hello, resumed=resumes))
        if resumes and hello.resume is not None and hello.resume.epoch == self._server.model.epoch:
            if hello.resume.revision < self._server.model.revision:
                self._receive(self._server.model.since(hello.resume.revision))
        else:
            for chunk in self._server.model.snapshot(3):
                self._receive(chunk)
        self._say(5)

    def _pass_time(self, seconds: float) -> None:
        session = self.session
        self._now += seconds
        if session.stage is Stage.OFFLINE:
            return
        assert session.deadline(self._now) > self._now - seconds - 1e-6
        output = session.tick(self._now)
        self._shadow.take_in(output)
        if output.end is not None:
            self._lose(output.end.cause)

    # What the server says.

    def _pass_on(self, word: Response) -> None:
        """Send what the server says through the wire, sometimes with an odd field, sometimes damaged."""
        source = self._source
        message = response_message(word)
        kind = source.byte()
        if kind >= 180:
            vary(message, source)
        content = message.SerializeToString()
        if kind >= 248:
            content = vary_bytes(content, pb.PresenceResponse, source)
        self._hear(content)

    def _hear(self, content: bytes) -> None:
        if self.session.stage is Stage.OFFLINE:
            return
        try:
            word = decode(content)
        except ProtocolViolation as violation:
            self._lose(str(violation))
            return
        if word is None:
            self.session.hear(self._now)
        else:
            self._receive(word)

    def _receive(self, word: Response) -> None:
        session, replica = self.session, self.session.replica
        if session.stage is Stage.OFFLINE:
            return
        if isinstance(word, Welcome) and not word.resumed:
            self._shadow.new_session()
        before = (replica.epoch, replica.revision, replica.is_awaiting)
        if isinstance(word, Delta):
            self._shadow.largest_list = max(SETTINGS.max_members, len(replica.roster)) + len(word.joined)
            self._shadow.largest_list += len(word.updated)
        output = session.receive(word, self._now, has_room=self._backlog.has_room_for_message)
        self._shadow.take_in(output)
        if output.end is not None:
            self._lose(output.end.cause)
        elif session.stage is Stage.WELCOMED and isinstance(word, Delta | ServerHeartbeat) and not before[2]:
            self._check_doubt(word, before[:2])

    def _check_doubt(self, word: Delta | ServerHeartbeat, before: tuple[int, int]) -> None:
        """See that whatever contradicts the list made it doubtful (P3)."""
        replica = self.session.replica
        is_stale = isinstance(word, Delta) and word.epoch == before[0] and word.revision <= before[1]
        agrees = (word.epoch, word.revision, word.digest, word.count) == (
            replica.epoch,
            replica.revision,
            replica.digest,
            len(replica.roster),
        )
        assert replica.is_awaiting is not (agrees or is_stale), (
            "P3: the list is believed, or doubted, without reason"
        )
        assert not replica.is_proved or agrees or is_stale
        if replica.is_awaiting:
            assert self.session.outbox._resync is not None, "P3: a list in doubt, and no Resync"

    # What the application does.

    def _act(self) -> None:
        source, session = self._source, self.session
        key = source.choice(KEYS)
        match source.below(10):
            case 0 | 1:
                self._shadow.asked.add(session.outbox.select(key if source.flag() else b""))
            case 2 | 3:
                held = session.replica.roster.get(key)
                incarnation = held.incarnation if held is not None else source.byte()
                self._shadow.asked.add(session.outbox.send(key, b"hello", incarnation))
            case 4:
                session.update(Profile(source.choice(("ada", "Ada", "eve"))))
            case 5:
                self._shadow.take_in(session.resync(self._now))
            case 6:
                session.outbox.answered(source.below(8))
            case 7 if source.byte() < 30:
                session.outbox.leave()
            case 8 if source.byte() < 100:
                session.forget()
            case _:
                for _ in range(source.below(30)):
                    self._shadow.read()
        self._shadow.check()

    def _say(self, most: int) -> None:
        for _ in range(most):
            if self.session.stage is Stage.OFFLINE or (request := self.session.take_request()) is None:
                return
            self._shadow.check_request(request)
            assert not isinstance(request, Send) or self.session.is_ready
            assert encode(request)


def seeds() -> Iterator[bytes]:
    """Take the contract's transcripts, the shortest of each hundred bytes; and programs made at random."""
    seen: set[int] = set()
    for case in sorted(CASES, key=lambda case: len(case["steps"])):
        program = b"\0"
        for step in case["steps"]:
            if "connect" in step:
                program += b"\x00\x00"
            elif "disconnect" in step:
                program += b"\x00\x80"
            elif "receive" in step:
                message = json_format.ParseDict(step["receive"], pb.PresenceResponse())
                program += b"\x07" + blob(message.SerializeToString()) + b"\x0a\x05"
        if len(program) < 2_000 and len(program) // 100 not in seen:
            seen.add(len(program) // 100)
            yield program
    chance = random.Random("client core")
    for number in range(30):
        yield b"\0\x01" + chance.randbytes(60 + number * 5)
