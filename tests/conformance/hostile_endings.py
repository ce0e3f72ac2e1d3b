"""Hostile: streams that end, for a while or for good, and how soon a client is back."""

import asyncio
import time

import grpc

from adsum.client.messages import Delivery
from adsum.contract.reasons import Reason
from tests.client.model_lobby import JOINED_AT, key_of
from tests.conformance.cases import hostile
from tests.conformance.client import Client
from tests.conformance.scene import come_back, enter, greet, set_up
from tests.conformance.stage import Stage, expect

WINDOW_SECONDS = 4.0
FEWEST, MOST = 3, 20
"""Attempts in the window. With delays of 0 to 0.2, 0.4, 0.8 ... seconds some seven are to be expected; without growth forty."""
MIB = 1024 * 1024


@hostile("P9")
async def a_server_that_asks_for_a_second_is_given_a_second(stage: Stage) -> None:
    scene = await enter(stage)
    mark = scene.client.mark()
    scene.stream.end(reason=Reason.STORE_UNAVAILABLE, retry_seconds=1.0)
    _, seconds = await come_back(scene)
    expect(seconds >= 0.95, f"it was back after {seconds:.2f} s, although asked to wait 1")
    await scene.client.phase("live", mark)
    await scene.follows()


@hostile("P9")
async def attempts_that_fail_become_rarer(stage: Stage) -> None:
    scene = await enter(stage)
    mark = scene.client.mark()
    scene.stream.end()
    attempts, started = 0, time.monotonic()
    while (left := started + WINDOW_SECONDS - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                stream = await scene.server.accept()
        except TimeoutError:
            break
        attempts += 1
        stream.end()
    expect(FEWEST <= attempts <= MOST, f"{attempts} attempts in {WINDOW_SECONDS:g} s")
    await come_back(scene)
    await scene.client.phase("live", mark)
    await scene.follows()


@hostile("P6")
async def the_first_attempt_after_a_connection_that_lived_is_at_once(stage: Stage) -> None:
    scene = await enter(stage)
    # Lived means more than was greeted: some libraries ask for two seconds.
    await asyncio.sleep(2.2)
    await scene.follows("Cleo")
    scene.stream.end()
    _, seconds = await come_back(scene)
    expect(seconds < 1, f"it was back after {seconds:.2f} s")


@hostile("P6")
async def an_end_without_an_error_is_a_lost_connection(stage: Stage) -> None:
    scene = await enter(stage)
    mark = scene.client.mark()
    scene.stream.close()
    await come_back(scene)
    await scene.client.phase("live", mark)
    scene.client.never("left", "joined", "snapshot", since=mark)
    await scene.follows()


@hostile("P6")
async def an_end_by_something_in_between_is_a_lost_connection(stage: Stage) -> None:
    scene = await enter(stage)
    for code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED):
        mark = scene.client.mark()
        scene.stream.end(code, details="upstream connect error")
        await come_back(scene)
        await scene.client.phase("live", mark)
    scene.client.never("left", "joined")
    await scene.follows()


@hostile()
async def a_reason_that_is_not_known_is_for_good_unless_a_retry_helps(stage: Stage) -> None:
    scene = await enter(stage)
    mark = scene.client.mark()
    scene.stream.end(grpc.StatusCode.ABORTED, "OF_A_LATER_SERVER", retry_seconds=0.4)
    _, seconds = await come_back(scene)
    expect(seconds >= 0.35, f"it was back after {seconds:.2f} s, although asked to wait 0.4")
    await scene.client.phase("live", mark)
    scene.stream.end(grpc.StatusCode.ABORTED, "OF_A_LATER_SERVER")
    await _gives_up(scene.client, "")


@hostile()
async def who_is_refused_for_good_gives_up_and_ends_with_1(stage: Stage) -> None:
    scene = await set_up(stage)
    scene.client.connect(scene.server.target)
    await greet(scene)
    accepted = scene.server.accepted
    scene.stream.end(grpc.StatusCode.INVALID_ARGUMENT, Reason.BAD_NAME, details="the name\x1b[2J is bad")
    await _gives_up(scene.client, "BAD_NAME")
    expect(scene.server.accepted == accepted, "it dialled again")


@hostile()
async def who_is_replaced_gives_up_and_ends_with_1(stage: Stage) -> None:
    scene = await enter(stage)
    accepted = scene.server.accepted
    scene.stream.end(grpc.StatusCode.ABORTED, Reason.SESSION_REPLACED)
    await _gives_up(scene.client, "SESSION_REPLACED")
    expect(scene.server.accepted == accepted, "it dialled again")


@hostile("P9")
async def bytes_that_are_no_message_end_the_stream_and_nothing_else(stage: Stage) -> None:
    scene = await enter(stage)
    mark = scene.client.mark()
    await scene.say_anyway(b"\xff\xff\xff\xff\xff garbage")
    await come_back(scene)
    await scene.client.phase("live", mark)
    scene.client.never("left", "joined", "snapshot", since=mark)
    await scene.follows()


@hostile("P9")
async def a_message_of_3_mib_does_no_harm(stage: Stage) -> None:
    scene = await enter(stage)
    await scene.say_anyway(Delivery(1, key_of("Bob"), 1, b"x" * (3 * MIB), JOINED_AT))
    # It may be shown, or be too much for this client, which then comes back.
    await scene.comes_round()
    scene.client.never("left", "joined")
    await scene.follows()


async def _gives_up(client: Client, reason: str) -> None:
    closed = await client.phase("closed")
    expect(reason in closed["cause"].upper(), f"the cause is {closed['cause']!r}")
    code = await client.ended()
    expect(code == 1, f"the exit code is {code}")
