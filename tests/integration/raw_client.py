"""A client that speaks the protobuf stream by itself, checks every message against the promises, and can misbehave.

It joins, keeps its roster, answers heartbeats and deliveries, and remembers what it heard and said (`witness`). A broken promise is
raised by the next wait, and at the latest when its `Company` ends. `beats`, `acks` and `pause` make it a bad client.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress

import grpc

from adsum.contract.identity import Identity, proof_transcript
from adsum.v1.member_pb2 import STATUS_AVAILABLE, Profile, Status
from adsum.v1.presence_pb2 import (
    SEND_OUTCOME_DELIVERED,
    Ack,
    Challenge,
    ClientHeartbeat,
    Hello,
    Leave,
    PresenceRequest,
    PresenceResponse,
    Proof,
    Resume,
    Resync,
    Select,
    SelectionUpdate,
    Send,
    UpdateProfile,
    Welcome,
)
from tests.integration.ear import Ear
from tests.integration.promises import BrokenPromiseError, promised
from tests.integration.raw_stream import WAIT_SECONDS, RawStream, open_channel
from tests.integration.refusal import Ending
from tests.integration.witness import Heard


class RawClient(Ear):
    """Be one session of one member. `Company.client` makes it."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        target: str,
        name: str,
        *,
        identity: Identity | None = None,
        lobby: str = "lobby",
        audience: str = "127.0.0.1",
        observer: bool = False,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        self.identity = identity or Identity.generate()
        super().__init__(name, self.identity.public_key, observer=observer)
        self.target = target
        self.lobby = lobby
        self.audience = audience
        self.observer = observer
        self.profile = Profile(name=name, status=STATUS_AVAILABLE)
        self.credentials = credentials
        self.options = options
        self.beats = True
        self.acks = True
        self.welcome = Welcome()
        self.resume_refusal = 0
        self.proved_at = 0.0
        self._tasks = tasks
        self._channel: grpc.aio.Channel | None = None
        self._stream: RawStream | None = None
        self._listener: asyncio.Task[None] | None = None
        self._reading = asyncio.Event()
        self._reading.set()
        self._last_request = 0

    # Coming and going

    @property
    def stream(self) -> RawStream:
        """The present stream."""
        if self._stream is None:
            raise AssertionError(f"{self.name} has no stream")
        return self._stream

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None if it hasn't."""
        return self._stream.ending if self._stream is not None else None

    async def dial(self) -> RawStream:
        """Open a connection and a stream on it, and say nothing."""
        await self.hang_up()
        self._channel = open_channel(self.target, self.credentials, self.options)
        self._stream = RawStream(self._channel)
        return self._stream

    def hello(self, resume: Resume | None = None) -> Hello:
        """Make an honest Hello."""
        return Hello(
            lobby=self.lobby,
            public_key=self.key,
            client_nonce=secrets.token_bytes(32),
            audience=self.audience,
            profile=self.profile,
            resume=resume,
            observer=self.observer,
        )

    def proof(self, hello: Hello, challenge: Challenge) -> Proof:
        """Sign a challenge."""
        transcript = proof_transcript(
            audience=hello.audience,
            server_nonce=challenge.server_nonce,
            client_nonce=hello.client_nonce,
            public_key=hello.public_key,
            lobby=hello.lobby,
            expires_at_unix_millis=challenge.expires_at_unix_millis,
        )
        return Proof(signature=self.identity.sign(transcript))

    async def join(self, resume: Resume | None = None) -> "RawClient":
        """Connect, prove the key or resume, and wait for the whole list."""
        await self.enter(resume)
        await self.until("P1", "the whole lobby", lambda: self.roster.is_complete)
        return self

    async def enter(self, resume: Resume | None = None) -> None:
        """Connect, prove the key or resume, and begin to listen.

        Raises:
            RefusedError: the server refused.
        """
        stream = await self.dial()
        hello = self.hello(resume)
        async with asyncio.timeout(WAIT_SECONDS):
            answer = await self._ask_in_handshake(stream, PresenceRequest(hello=hello))
            if answer.HasField("challenge"):
                self.resume_refusal = answer.challenge.resume_refusal
                proof = self.proof(hello, answer.challenge)
                self.proved_at = time.perf_counter()
                answer = await self._ask_in_handshake(stream, PresenceRequest(proof=proof))
        promised("contract", answer.HasField("welcome"), f"no Welcome but {answer}")
        self._be_welcomed(answer.welcome, resume)
        self._listener = self._tasks.create_task(self._listen(stream))

    def resumption(self) -> Resume:
        """Name the session and the list still held."""
        return Resume(
            session_id=self.welcome.session_id,
            token=self.welcome.resume_token,
            epoch=self.roster.epoch,
            revision=self.roster.revision,
            digest=self.roster.digest,
        )

    async def resume(self) -> "RawClient":
        """Come back over a new connection."""
        return await self.join(self.resumption())

    async def take_over(self, other: "RawClient", claim: Resume | None = None) -> "RawClient":
        """Carry on the session of another client, which needn't know."""
        self.witness.roster = other.roster.copy()
        return await self.join(claim or other.resumption())

    async def cut(self) -> None:
        """Lose the connection."""
        await self.hang_up()

    async def leave(self) -> Ending:
        """Say Leave, and wait for the end."""
        await self.say(leave=Leave())
        return await self.end()

    async def hang_up(self) -> None:
        """Drop stream and connection, whatever they are doing."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait((self._listener,))
            self._listener = None
        if self._stream is not None:
            self._stream.cut()
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    # Saying

    async def say(
        self,
        *,
        hello: Hello | None = None,
        proof: Proof | None = None,
        update_profile: UpdateProfile | None = None,
        select: Select | None = None,
        send: Send | None = None,
        ack: Ack | None = None,
        heartbeat: ClientHeartbeat | None = None,
        resync: Resync | None = None,
        leave: Leave | None = None,
    ) -> None:
        """Write one request."""
        request = PresenceRequest(
            hello=hello,
            proof=proof,
            update_profile=update_profile,
            select=select,
            send=send,
            ack=ack,
            heartbeat=heartbeat,
            resync=resync,
            leave=leave,
        )
        self.witness.note(request)
        await self.stream.say(request)

    async def beat(self, echo: int = 0) -> None:
        """Say what is held."""
        await self.say(
            heartbeat=ClientHeartbeat(
                epoch=self.roster.epoch,
                revision=self.roster.revision,
                digest=self.roster.digest,
                echo=echo,
            )
        )

    async def update(
        self, *, name: str = "", status: Status.ValueType = STATUS_AVAILABLE, status_text: str = ""
    ) -> int:
        """Say something new about oneself; the answer is the delta. Returns the request id."""
        self.profile = Profile(name=name or self.name, status=status, status_text=status_text)
        request_id = self.next_id()
        await self.say(update_profile=UpdateProfile(request_id=request_id, profile=self.profile))
        return request_id

    async def select(self, public_key: bytes) -> SelectionUpdate:
        """Select a member (or nobody, with an empty key), and wait for the answer."""
        request_id = self.next_id()
        await self.say(select=Select(request_id=request_id, public_key=public_key))
        return await self.selection_update(lambda update: update.request_id == request_id)

    async def send(self, recipient: bytes, payload: bytes = b"hi", incarnation: int = 0) -> int:
        """Send a message; returns its request id."""
        request_id = self.next_id()
        await self.say(
            send=Send(request_id=request_id, recipient=recipient, payload=payload, incarnation=incarnation)
        )
        return request_id

    def next_id(self) -> int:
        """Draw a request id."""
        self._last_request += 1
        return self._last_request

    def pause(self) -> None:
        """Stop to read: what comes then waits in gRPC, and nothing is answered."""
        self._reading.clear()

    def go_on(self) -> None:
        """Read again."""
        self._reading.set()

    async def delivery_of(self, recipient: "RawClient", payload: bytes) -> None:
        """Send a message and wait until it is delivered."""
        result = await self.result(await self.send(recipient.key, payload))
        promised("P8", result.outcome == SEND_OUTCOME_DELIVERED, f"the outcome is {result.outcome}")

    async def end(self) -> Ending:
        """Wait for the end of the stream; tell how it ended."""
        if self._listener is None:
            return await self.stream.hear_end()
        await asyncio.wait((self._listener,), timeout=WAIT_SECONDS)
        self._check()
        promised(
            "P9", self._listener.done(), f"{self.name}'s stream doesn't end; last heard {self.heard[-3:]}"
        )
        if self.ending is None:
            raise AssertionError(f"{self.name} was hung up")
        return self.ending

    async def fence(self) -> None:
        """Wait until everything that the server had to say before now has been heard.

        An answer to a refused request comes in its place among the stream's messages.
        """
        request_id = self.next_id()
        await self.say(select=Select(request_id=request_id, public_key=b"no key"))
        await self.request_error(request_id)

    # Listening

    @staticmethod
    async def _ask_in_handshake(stream: RawStream, request: PresenceRequest) -> PresenceResponse:
        # A server that refuses everybody doesn't read the request: then writing it fails, and the ending tells why.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await stream.say(request)
        answer = await stream.hear()
        if answer is None:
            raise RefusedError(stream.ending or await stream.hear_end())
        return answer

    def _be_welcomed(self, welcome: Welcome, resume: Resume | None) -> None:
        self.welcome = welcome
        holds_list = resume is not None and resume.revision > 0
        self.witness.start_stream(resumed=welcome.resumed, holds_list=holds_list)

    async def _listen(self, stream: RawStream) -> None:
        try:
            if self.roster.is_complete and self.beats:
                await self.beat()
            while True:
                await self._reading.wait()
                message = await stream.hear()
                if message is None:
                    return
                # A read that was under way when reading was paused has not been read by the application.
                await self._reading.wait()
                self._news.set()
                await self._answer(self.witness.take(message))
        except BrokenPromiseError as error:
            self.violation = self.violation or error
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The answer could not be written any more: how the stream ended is read below.
            await stream.hear_end()
        finally:
            self._news.set()

    async def _answer(self, heard: Heard) -> None:
        if heard.kind == "heartbeat" and self.beats:
            await self.beat(heard.message.heartbeat.nonce)
        elif heard.kind == "delivery" and self.acks:
            await self.say(ack=Ack(delivery_id=heard.message.delivery.delivery_id))
        elif heard.kind == "snapshot" and heard.message.snapshot.last and self.beats:
            await self.beat()


class RefusedError(Exception):
    """Report that the server ended the handshake."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending))
        self.ending = ending
