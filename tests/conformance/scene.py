"""The usual scene of a hostile case: one client in the lobby of a server that says what the case says.

`comes_round` lets the server be honest again from some moment on, whatever the client has made of what it was told: it may have
asked for the list, or given the connection up and come back. In the end it must hold the server's list.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import grpc.aio

from adsum.client.messages import Challenge, Response
from adsum.v1.presence_pb2 import Hello, PresenceResponse
from tests.client.encoding import response_message
from tests.client.model_lobby import ModelLobby, key_of
from tests.client.scripted_server import EXPIRES, NONCE, ScriptedServer, ScriptedStream, a_welcome
from tests.conformance.client import START_SECONDS, WAIT_SECONDS, Client, ConformanceError
from tests.conformance.mirror import Json
from tests.conformance.stage import Stage, expect

BOB = key_of("Bob").hex()
FENCE = 78
"""The nonce of the heartbeat that tells whether a client has taken in what came before."""
MOST_FIRST_STREAMS = 3
GAP, EPOCH, DIGEST = 1, 2, 3
"""Reasons of a Resync, as on the wire."""


@dataclass(slots=True)
class Scene:
    """Hold who plays."""

    client: Client
    server: ScriptedServer
    lobby: ModelLobby
    stream: ScriptedStream
    is_heard: bool = False
    """Whether the client has answered on the stream of the moment since the server is honest again."""

    async def change(self, name: str) -> None:
        """Let somebody come, and tell it as it should be told."""
        base = self.lobby.revision
        self.lobby.join(key_of(name), name)
        await self.stream.say(self.lobby.since(base))

    async def resync(self, reason: int) -> None:
        """Wait until the client asks for the list, for this reason."""
        asked = (await self.stream.expect("resync")).resync
        expect(asked.reason == reason, f"the Resync says reason {asked.reason}, not {reason}")

    async def holds_the_list(self) -> Json:
        """Check that the client holds the server's list and says so."""
        held = await self.client.roster()
        _check_held(held, self.lobby)
        return held

    async def fence(self, nonce: int = FENCE) -> None:
        """Wait until the client has answered a heartbeat: it has taken in everything before."""
        await self.stream.say(self.lobby.heartbeat(nonce))
        while (beat := (await self.stream.expect("heartbeat")).heartbeat).echo != nonce:
            continue
        said = (beat.epoch, beat.revision, beat.digest)
        true = (self.lobby.epoch, self.lobby.revision, self.lobby.digest)
        expect(said == true, f"its heartbeat says {said} and should say {true} (epoch, revision, digest)")

    async def say_anyway(self, response: Response | bytes) -> None:
        """Say what may make the client end the stream while it is still being said."""
        with suppress(grpc.aio.BaseError, asyncio.InvalidStateError):
            await self.stream.say(response)

    async def comes_round(self) -> None:
        """Be honest from now on, and wait until the client holds the list."""
        async with asyncio.TaskGroup() as tasks:
            honest = tasks.create_task(_be_honest(self))
            try:
                async with asyncio.timeout(2 * WAIT_SECONDS):
                    while True:
                        held = await self.client.roster()
                        if self.is_heard and not _faults(held, self.lobby):
                            break
                        # It changes when the client has come back, of which there may be no event.
                        await asyncio.sleep(0.05)
            except TimeoutError:
                _check_held(held, self.lobby)
                raise ConformanceError(f"{self.client.label} answers no heartbeat any more") from None
            finally:
                honest.cancel()

    async def follows(self, name: str = "Last") -> None:
        """Check that the client, live and with the right list, is told of somebody who comes now."""
        await self.change(name)
        await self.client.sees("joined", who=key_of(name).hex())
        await self.holds_the_list()


async def set_up(stage: Stage, *names: str) -> Scene:
    """Start a server and a client that hasn't dialled yet; with these people in the lobby, and the client's own member."""
    server = await stage.scripted()
    client = await stage.start("Ann")
    lobby = ModelLobby(*names)
    lobby.join(bytes.fromhex(client.key), "Ann")
    # There is no stream yet: whoever plays on sets it.
    return Scene(client, server, lobby, None)  # type: ignore[arg-type]


async def enter(
    stage: Stage, *names: str, heartbeat_millis: int = 5_000, lease_millis: int = 12_000
) -> Scene:
    """Start a server and a client, and let the client in."""
    scene = await set_up(stage, *(names or ("Bob",)))
    scene.client.connect(scene.server.target)
    await greet(scene)
    welcome = a_welcome(heartbeat_millis=heartbeat_millis, lease_millis=lease_millis)
    await scene.stream.say(welcome, *scene.lobby.snapshot())
    await scene.stream.expect("heartbeat")
    await scene.client.enters()
    return scene


async def greet(scene: Scene) -> Hello:
    """Take the client's first stream up to the proof, which must be right for what was dialled."""
    hello = await _first_hello(scene)
    expect(hello.public_key.hex() == scene.client.key, "Hello carries another key")
    expect(hello.lobby == scene.client.lobby, f"Hello is for the lobby {hello.lobby}")
    expect(len(hello.client_nonce) == 32, f"the client's nonce has {len(hello.client_nonce)} bytes")
    return hello


async def dialled(scene: Scene) -> ScriptedStream:
    """Wait for the first stream of a client that has just been started; some languages take their time."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                return await scene.server.accept()
            except TimeoutError:
                expect(not scene.client.is_over, f"{scene.client.label} ended and has never dialled")


async def _first_hello(scene: Scene) -> Hello:
    while True:
        scene.stream = await dialled(scene)
        try:
            return await scene.stream.challenge()
        except AssertionError:
            # On a busy machine a program that is still warming up may have given its first attempt up, rightly.
            if not scene.stream.over.is_set() or scene.server.accepted > MOST_FIRST_STREAMS:
                raise


async def come_back(scene: Scene) -> tuple[Hello, float]:
    """Take the client back on a new stream, resumed; give its Hello and the seconds until then."""
    started = time.monotonic()
    scene.stream = await scene.server.accept()
    seconds = time.monotonic() - started
    return await scene.stream.resume(scene.lobby), seconds


def changed(response: Response) -> PresenceResponse:
    """Make the protobuf message of a response, to be changed in a way that no server would."""
    return response_message(response)


async def _be_honest(scene: Scene) -> None:
    scene.is_heard = False
    await scene.say_anyway(scene.lobby.heartbeat(FENCE))
    while True:
        try:
            request = await scene.stream.next()
        except TimeoutError:
            continue
        if request is None:
            scene.is_heard = False
            scene.stream = await scene.server.accept()
            await _admit(scene)
            await scene.say_anyway(scene.lobby.heartbeat(FENCE))
        elif request.heartbeat.echo == FENCE:
            scene.is_heard = True
        elif request.WhichOneof("request") == "resync":
            await scene.stream.say(*scene.lobby.snapshot())


async def _admit(scene: Scene) -> None:
    stream, lobby = scene.stream, scene.lobby
    request = await stream.next()
    if request is None or not request.HasField("hello"):
        return
    resume = request.hello.resume if request.hello.HasField("resume") else None
    if resume is None:
        await stream.say(Challenge(NONCE, EXPIRES))
        await stream.expect("proof")
        await stream.say(a_welcome(b"session-9"), *lobby.snapshot())
        return
    generation = int(resume.token.decode().rpartition("-")[2]) + 1
    await stream.say(a_welcome(resume.session_id, generation=generation, resumed=True))
    if resume.epoch == lobby.epoch and 0 < resume.revision < lobby.revision:
        await stream.say(lobby.since(resume.revision))
    elif resume.epoch != lobby.epoch or resume.revision != lobby.revision:
        await stream.say(*lobby.snapshot())
    await stream.say(lobby.heartbeat())


def _faults(held: Json, lobby: ModelLobby) -> list[str]:
    faults = []
    for what, got, true in (
        ("epoch", held["epoch"], f"{lobby.epoch:016x}"),
        ("revision", held["revision"], lobby.revision),
        ("digest", held["digest"], f"{lobby.digest:016x}"),
        ("keys", {m["key"] for m in held["members"]}, {key.hex() for key in lobby.members}),
        ("is_stale", held["is_stale"], False),
    ):
        if got != true:
            faults.append(f"{what} {got} instead of {true}")
    return faults


def _check_held(held: Json, lobby: ModelLobby) -> None:
    faults = _faults(held, lobby)
    expect(not faults, f"it holds {'; '.join(faults)}")
