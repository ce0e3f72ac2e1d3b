"""A server that lies: real gRPC, honest now and then, and every word of it from a seed.

On each stream it chooses how far it behaves: it lets the client in honestly or not, tells a true list or a false one, goes on with
responses that are right, bent, mutated or out of order, and ends in one of many ways, or not at all.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from types import TracebackType

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status as RpcStatus

from adsum.client.member import DepartureReason, Liveness, Member, Profile
from adsum.client.messages import (
    Challenge,
    Delivery,
    Draining,
    RequestError,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    SendOutcome,
    SendResult,
    Welcome,
)
from adsum.contract.reasons import ERROR_DOMAIN, Reason
from adsum.v1.presence_pb2 import Hello, PresenceRequest, PresenceResponse
from tests.abuse.bending import bend
from tests.abuse.mutations import mutate
from tests.abuse.nasty_texts import TEXTS
from tests.client.encoding import encode_response
from tests.client.model_lobby import ModelLobby

MOST_MEMBERS = 400
LARGEST_MESSAGE = 3 << 20
_Context = grpc.aio.ServicerContext[bytes, bytes]


class HostileServer:
    """Listen on a port of this machine. Use as `async with`."""

    def __init__(self, random: Random, *, gentle: bool = False) -> None:
        """Prepare it. A gentle one lets everybody in and tells a true list first, so that there is something to be shown."""
        self.said: Counter[str] = Counter()
        self.port = 0
        self._random = random
        self._gentle = gentle

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> "HostileServer":
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._presence)
        service = grpc.method_handlers_generic_handler("adsum.v1.LobbyService", {"Presence": handler})
        self._server.add_generic_rpc_handlers((service,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    async def _presence(self, _requests: object, context: _Context) -> None:
        act = _Act(Random(self._random.getrandbits(64)), context, self.said, gentle=self._gentle)
        with suppress(grpc.aio.UsageError, grpc.aio.InternalError):
            await act.play()


class _Act:
    """What happens on one stream."""

    def __init__(self, random: Random, context: _Context, said: Counter[str], *, gentle: bool) -> None:
        self._random = random
        self._context = context
        self._said = said
        self._gentle = gentle
        self._lobby = ModelLobby(epoch=random.getrandbits(64))
        self._hello = Hello()
        self._last_request = 0

    async def play(self) -> None:
        """Be a server, until the end."""
        random = self._random
        async with asyncio.TaskGroup() as tasks:
            if not await self._read() or not await self._open():
                return
            reader = tasks.create_task(self._listen())
            for _ in range(random.choice((0, 5, 50, 300))):
                await self._say(self._next())
                if random.random() < 0.05:
                    # Sometimes the client gets to say something.
                    await asyncio.sleep(random.choice((0.001, 0.02, 0.1)))
            reader.cancel()
        await self._end()

    async def _open(self) -> bool:
        """Let the client in, more or less; False if it has gone."""
        random = self._random
        way = (
            "honest"
            if self._gentle
            else random.choice(("honest",) * 6 + ("bent", "no challenge", "rubbish", "silent"))
        )
        self._said[f"opened: {way}"] += 1
        self._populate()
        welcome = Welcome(
            random.randbytes(16), random.randbytes(32), 1, random.random() < 0.1, *self._times()
        )
        challenge = Challenge(random.randbytes(32), random.getrandbits(63), Reason.UNSPECIFIED)
        match way:
            case "silent":
                await asyncio.sleep(random.choice((0.1, 1.0, 3.0)))
                return False
            case "rubbish":
                await self._write(random.randbytes(random.randrange(200)))
            case "no challenge":
                await self._write(encode_response(welcome))
            case _:
                first, second = encode_response(challenge), encode_response(welcome)
                await self._write(first if way == "honest" else self._spoil(first))
                if not await self._read():
                    return False
                await self._write(second if way == "honest" else self._spoil(second))
        is_true = self._gentle or random.random() < 0.6
        for chunk in self._lobby.snapshot(random.choice((1, 50, 500)) if not self._gentle else 100):
            await self._write(encode_response(chunk) if is_true else self._spoil(encode_response(chunk)))
        return True

    def _times(self) -> tuple[int, int, int]:
        if self._gentle:
            return 500, 3_000, 5_000
        random = self._random
        return tuple(random.choice((0, 1, 50, 5_000, 2**32 - 1)) for _ in range(3))  # type: ignore[return-value]

    def _populate(self) -> None:
        random, lobby = self._random, self._lobby
        lobby.join(self._hello.public_key, self._hello.profile.name or "you")
        for _ in range(random.choice((0, 3, 20, MOST_MEMBERS)) if not self._gentle else 60):
            self._join()

    def _join(self) -> None:
        random, lobby = self._random, self._lobby
        lobby.revision += 1
        key = random.randbytes(32)
        profile = Profile(
            random.choice(TEXTS)[:200],
            status_text=random.choice(TEXTS)[:200],
            attributes={random.choice(TEXTS)[:50]: "x"},
        )
        joined_at = datetime.fromtimestamp(random.randrange(2**32), UTC)
        member = Member(key, lobby.revision, lobby.revision, Liveness.ONLINE, profile, joined_at, 1)
        lobby.members[key] = member

    def _next(self) -> bytes:
        """Choose the next response: a right one, or one that is spoilt."""
        content = self._right()
        # A gentle one keeps its list right, so that the client stays and shows it.
        honest = 0.9 if self._gentle else 0.5
        return content if self._random.random() < honest else self._spoil(content)

    def _right(self) -> bytes:
        random, lobby = self._random, self._lobby
        base = lobby.revision
        kind = random.choice(
            ("delta",) * 4 + ("selection", "delivery", "result", "error", "heartbeat", "snapshot", "draining")
        )
        self._said[kind] += 1
        member = random.choice(list(lobby.members)) if lobby.members else random.randbytes(32)
        text = random.choice(TEXTS)[:2_000]
        match kind:
            case "delta":
                self._change(member)
                return encode_response(lobby.since(base))
            case "selection":
                state = random.choice(list(SelectionState))
                reason = random.choice(list(SelectionReason))
                update = SelectionUpdate(
                    self._request_id(), member, random.getrandbits(8), state, reason, base
                )
                return encode_response(update)
            case "delivery":
                sent_at = datetime.fromtimestamp(random.randrange(2**32), UTC)
                return encode_response(Delivery(random.randrange(1, 500), member, 1, text.encode(), sent_at))
            case "result":
                outcome = random.choice(list(SendOutcome))
                return encode_response(SendResult(self._request_id(), outcome, base))
            case "error":
                return encode_response(RequestError(self._request_id(), random.choice(list(Reason)), text, 0))
            case "heartbeat":
                return encode_response(
                    lobby.heartbeat(random.getrandbits(32) + 1, degraded=random.random() < 0.1)
                )
            case "snapshot":
                return encode_response(random.choice(lobby.snapshot()))
            case _:
                return encode_response(
                    Draining(random.choice((0, 100, 2**32 - 1)), random.choice((0, 50, 2**32 - 1)))
                )

    def _change(self, member: bytes) -> None:
        random, lobby = self._random, self._lobby
        match random.randrange(4):
            case 0:
                self._join()
            case 1 if member in lobby.members and member != self._hello.public_key:
                lobby.leave(member, random.choice(list(DepartureReason)))
            case 2 if member in lobby.members:
                lobby.become(member, random.choice(list(Liveness)))
            case _ if member in lobby.members:
                lobby.rename(member, random.choice(TEXTS)[:200])
            case _:
                self._join()

    def _request_id(self) -> int:
        """Name a request of the client's, or any."""
        return self._random.choice(
            (0, self._last_request, self._random.randrange(20), self._random.getrandbits(64))
        )

    def _spoil(self, content: bytes) -> bytes:
        """Make a response that is bent, or not to be read, or far too large."""
        random = self._random
        way = random.choice(
            ("bent", "bent", "mutated", "other", "huge" if random.random() < 0.05 else "bent")
        )
        self._said[way] += 1
        match way:
            case "bent":
                return bend(
                    random, PresenceResponse.FromString(content), random.choice((1, 3))
                ).SerializeToString()
            case "mutated":
                return mutate(random, content)
            case "huge":
                return content + b"\x7a" + b"\xff\xff\xff\x00" + bytes(random.randrange(LARGEST_MESSAGE))
            case _:
                return bytes(random.randbytes(random.randrange(300)))

    async def _end(self) -> None:
        random = self._random
        way = random.choice(("ok", "status", "reason", "made-up reason", "bad details", "silence"))
        self._said[f"ended: {way}"] += 1
        code = random.choice([code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
        text = random.choice(TEXTS)[:1_000]
        status = RpcStatus(code=code.value[0], message="")
        match way:
            case "ok":
                return
            case "silence":
                await asyncio.sleep(random.choice((0.1, 1.0)))
                return
            case "reason":
                status.details.add().Pack(
                    ErrorInfo(reason=random.choice(list(Reason)).name, domain=ERROR_DOMAIN)
                )
            case "made-up reason":
                status.details.add().Pack(ErrorInfo(reason=text[:50], domain=ERROR_DOMAIN))
        details = random.randbytes(60) if way == "bad details" else status.SerializeToString()
        # gRPC's status message may hold no NUL, and its headers have a limit.
        await self._context.abort(code, text.replace("\0", ""), (("grpc-status-details-bin", details),))

    async def _say(self, content: bytes) -> None:
        await self._write(content)

    async def _write(self, content: bytes) -> None:
        self._said["responses"] += 1
        await self._context.write(content)

    async def _listen(self) -> None:
        while await self._read():
            pass

    async def _read(self) -> bool:
        """Take a request in; False at the end."""
        content: object = await self._context.read()
        if not isinstance(content, bytes):
            return False
        with suppress(DecodeError):
            request = PresenceRequest.FromString(content)
            if request.HasField("hello"):
                self._hello = request.hello
            self._last_request = request.send.request_id or request.select.request_id or self._last_request
        return True
