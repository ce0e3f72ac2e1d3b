"""Whatever the clients of a lobby send, in whatever order, while streams come, end, stall and resume: the promises hold (P1-P3, P5-P10).

An input is a program of steps: honest steps of the protocol, requests with odd fields, raw bytes, time, losses, a restart. It
starts with the server's character. At its end whoever is still connected is served until all is quiet, and then everybody is lost, and
nothing may be left.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from unittest.mock import patch

from adsum.contract import identity
from adsum.contract.identity import Identity, proof_transcript
from adsum.server import session, wire
from adsum.v1 import presence_pb2 as pb
from tests.fuzz.messages import vary, vary_bytes
from tests.fuzz.server_checks import check
from tests.fuzz.server_stage import LIMITS, Stage, Stream
from tests.fuzz.source import Source
from tests.server.builders import LOBBY

PEOPLE = [Identity.from_seed(bytes([65 + number]) * 32) for number in range(6)]
KEYS = [person.public_key for person in PEOPLE]
MOST_STREAMS = 10
MOST_STEPS = 120
STEPS_OF_TIME = (0.05, 0.3, 1.0, 4.9, 5.1, 12.1, 30.0)
CHARACTERS = [
    replace(LIMITS, grace_seconds=grace, results_kept=kept)
    for grace in (5.0, 0.0, 1.0, 30.0)
    for kept in (4, 64)
]

sign = lru_cache(4096)(Identity.sign)
is_valid_key = lru_cache(4096)(identity.is_valid_key)
is_valid_signature = lru_cache(4096)(identity.is_valid_signature)


def target(data: bytes) -> None:
    """Let the program that the input is happen to a server."""
    source = Source(data)
    character = source.byte()
    limits = CHARACTERS[character % len(CHARACTERS)]
    # Small chunks and deltas; and what was computed once needn't be again, or most of the time would go into curves.
    with (
        patch.multiple(wire, SNAPSHOT_CHUNK_MEMBERS=2, DELTA_BYTES=700),
        patch.multiple(session, is_valid_key=is_valid_key, is_valid_signature=is_valid_signature),
    ):
        play = Play(Stage(limits, proves_keys=character < 240), source)
        for _ in range(MOST_STEPS):
            if source.is_empty:
                break
            play.step()
            check(play.stage)
        play.finish()


class Play:
    """Read steps and let them happen."""

    def __init__(self, stage: Stage, source: Source) -> None:
        self.stage = stage
        self._source = source
        self._serial = 0
        self._longest_stall = 0.0

    def step(self) -> None:
        """Let one step happen."""
        source, stage = self._source, self.stage
        match source.below(20):
            case 0 | 1:
                self._enter()
            case 2:
                self._say_hello()
            case 3:
                if stream := self._somebody():
                    self._prove(stream)
            case 4 | 5 | 6:
                self._ask(1)
            case 7:
                self._ask(2 + source.byte() % 120)
            case 8:
                if stream := self._somebody():
                    stage.hear(stream, source.blob())
            case 9:
                if stream := self._somebody():
                    stage.write(stream, 1 + source.below(8))
            case 10:
                if stream := self._somebody():
                    stage.write(stream)
            case 11 | 12:
                stage.wave()
            case 13:
                if stream := self._somebody():
                    stage.end(stream, None)
            case 14:
                self._pass_time(source.choice(STEPS_OF_TIME))
            case 15:
                self._live(1 + source.below(20))
            case 16:
                if (stream := self._somebody()) and stream.line is not None:
                    line = stream.line
                    line.writing_since = None if line.writing_since is not None else stage.room.now
            case 17:
                self._stall(1.0 + source.byte() / 4)
            case 18:
                stage.room.lobby.forget(stage.room.now - source.byte(), source.below(4))
            case _:
                self._stop()

    def _stop(self) -> None:
        if self._source.byte() < 64:
            self.stage.restart()
        elif self._source.byte() < 64:
            self.stage.perform(self.stage.room.desk.drain(2.0))
            self.stage.wave()
            self.stage.restart()

    def _somebody(self) -> Stream | None:
        streams = self.stage.streams
        return self._source.choice(streams) if streams else None

    # Honest steps.

    def _enter(self) -> None:
        """Go through the whole handshake, with a new session or an old one."""
        stream = self._say_hello()
        if stream is not None and not stream.is_over and stream.line is None:
            self._prove(stream)
        if stream is not None:
            self.stage.write(stream)

    def _say_hello(self) -> Stream | None:
        source, stage = self._source, self.stage
        if len(stage.streams) >= MOST_STREAMS:
            return None
        stream, kind = stage.open_stream(), source.byte()
        hello = pb.Hello(lobby=LOBBY, client_nonce=bytes(32), audience="localhost", observer=kind >= 240)
        hello.public_key = KEYS[kind % len(KEYS)]
        hello.profile.name = "person"
        if kind & 64 and stage.credentials:
            given = source.choice(stage.credentials)
            hello.public_key = given.public_key
            hello.resume.session_id, hello.resume.token = given.session_id, given.token
            lobby = stage.room.lobby
            hello.resume.epoch, hello.resume.digest = lobby.epoch, lobby.digest
            hello.resume.revision = max(0, lobby.revision - source.below(8))
        if kind & 32:
            vary(hello, source)
        stage.hear(stream, pb.PresenceRequest(hello=hello).SerializeToString())
        return stream

    def _prove(self, stream: Stream) -> None:
        introduction = stream.handshake._introduction
        if introduction is None or stream.is_over:
            return
        hello, challenge = introduction.hello, stream.listener.challenge
        person = next((one for one in PEOPLE if one.public_key == hello.public_key), PEOPLE[0])
        transcript = proof_transcript(
            audience=hello.audience,
            server_nonce=challenge.server_nonce,
            client_nonce=hello.client_nonce,
            public_key=hello.public_key,
            lobby=hello.lobby,
            expires_at_unix_millis=challenge.expires_at_unix_millis,
        )
        proof = pb.Proof(signature=sign(person, transcript))
        self.stage.hear(stream, pb.PresenceRequest(proof=proof).SerializeToString())

    # Requests, right and odd.

    def _ask(self, times: int) -> None:
        stream = self._somebody()
        if stream is None:
            return
        request = self._request(stream)
        if (kind := self._source.byte()) >= 160:
            vary(request, self._source)
        content = request.SerializeToString()
        if kind >= 248:
            content = vary_bytes(content, pb.PresenceRequest, self._source)
        for _ in range(times):
            self.stage.hear(stream, content)

    def _request(self, stream: Stream) -> pb.PresenceRequest:
        source, listener, request = self._source, stream.listener, pb.PresenceRequest()
        self._serial += 1
        key = source.choice(KEYS)
        match source.below(12):
            case 0 | 1 | 2:
                held = listener.members.get(key)
                number = self._serial if source.byte() < 200 else source.number()
                incarnation = held.incarnation if held is not None and source.flag() else 0
                send = pb.Send(
                    request_id=number, recipient=key, payload=b"m%d" % number, incarnation=incarnation
                )
                request.send.CopyFrom(send)
            case 3 | 4:
                request.select.request_id, request.select.public_key = self._serial, key
            case 5:
                request.select.request_id = self._serial
            case 6:
                if listener.deliveries:
                    request.ack.delivery_id = source.choice(listener.deliveries)
            case 7:
                request.update_profile.request_id = self._serial
                request.update_profile.profile.name = source.choice(("person", "somebody", ""))
                request.update_profile.profile.status_text = source.choice(("", "here", "there"))
            case 8 | 9:
                _beat(stream, request.heartbeat)
            case 10:
                request.resync.reason = pb.ResyncReason.ValueType(source.below(5))
            case _:
                if source.byte() < 160:
                    request.leave.SetInParent()
        return request

    # Time.

    def _pass_time(self, seconds: float) -> None:
        self.stage.room.wait(seconds)
        self.stage.perform([])

    def _live(self, seconds: int) -> None:
        """Let time pass while everybody reads, answers and acknowledges."""
        for _ in range(seconds):
            self._pass_time(1.0)
            for stream in self.stage.alive():
                self._serve(stream)
            check(self.stage)

    def _serve(self, stream: Stream) -> None:
        stage, listener = self.stage, stream.listener
        if stream.line is None:
            return
        stream.line.writing_since = None
        stream.line.outbox.start_wave()
        stage.write(stream)
        if listener.has_list and not stream.is_over:
            request = pb.PresenceRequest()
            _beat(stream, request.heartbeat)
            stage.hear(stream, request.SerializeToString())
        for delivery_id in listener.deliveries[-3:]:
            stage.hear(stream, pb.PresenceRequest(ack=pb.Ack(delivery_id=delivery_id)).SerializeToString())
        stage.write(stream)

    def _stall(self, seconds: float) -> None:
        room = self.stage.room
        self._longest_stall = max(self._longest_stall, seconds)
        room.health.tick(room.now, room.now + 0.1)
        room.now += seconds
        if late := room.health.tick(room.now, room.now + 0.1):
            room.desk.postpone(late, room.now)
        self.stage.perform(room.desk.tick(room.now))

    # The end.

    def finish(self) -> None:
        """Serve whoever is there until all is quiet and compare; then lose everybody, and see that nothing is left."""
        stage = self.stage
        self._live(int(stage.limits.ack_seconds) + 2)
        room = stage.room
        for stream in stage.alive():
            if stream.line is None:
                continue
            listener = stream.listener
            assert (listener.epoch, listener.revision) == (room.lobby.epoch, room.lobby.revision), (
                "P3: left behind"
            )
            assert listener.digest == room.lobby.digest, "P3: no convergence"
            assert not listener.asked, f"P8: no result for {sorted(listener.asked)}"
        for stream in stage.alive():
            stage.end(stream, None)
        # A grace is put off by as long as a stall was, and who was handed over has a lease.
        patience = max(stage.limits.grace_seconds, stage.limits.lease_seconds, self._longest_stall)
        self._pass_time(patience + 1)
        check(stage)
        assert room.desk.is_idle, "P9: seats or lines are left over"
        assert not len(room.lobby), "P5: a ghost"
        assert not room.desk._courier.pending, "P9: messages are left over"
        assert not room.store.dump(), "P9: sessions are left over"


def _beat(stream: Stream, beat: pb.ClientHeartbeat) -> None:
    listener = stream.listener
    beat.epoch, beat.revision = listener.epoch, listener.revision or 0
    beat.digest, beat.echo = listener.digest, listener.beat.nonce


def seeds() -> Iterator[bytes]:
    """Make programs at random; and some in which a few people come before anything else."""
    chance = random.Random("server core")
    for number in range(40):
        start = b"\0" + b"".join(bytes([0, person]) for person in range(number % 4))
        yield start + b"\x0b" + chance.randbytes(60 + number * 5)
