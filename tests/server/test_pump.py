"""The writer of one stream, on a real event loop and a stream whose writes the test completes."""

import asyncio

import pytest
from grpc.aio import UsageError

from adsum.server.pump import Pump


class Paper:
    """What is written on: each write waits until the test completes or fails it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.has_headers = False
        self._waiting: asyncio.Future[None] | None = None

    async def send_initial_metadata(self, initial_metadata: tuple[()]) -> None:
        await self._wait()
        self.has_headers = True

    async def write(self, message: bytes) -> None:
        assert self.has_headers
        self.written.append(message)
        await self._wait()

    @property
    def is_busy(self) -> bool:
        return self._waiting is not None

    async def complete(self) -> None:
        assert self._waiting is not None
        self._waiting.set_result(None)
        await asyncio.sleep(0)

    async def fail(self, error: Exception) -> None:
        assert self._waiting is not None
        self._waiting.set_exception(error)
        await asyncio.sleep(0)

    async def _wait(self) -> None:
        assert self._waiting is None, "gRPC allows one write at a time"
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None


class Desk:
    """A pump, and what is owed to its stream."""

    def __init__(self) -> None:
        self.paper = Paper()
        self.owed: list[bytes] = []
        self.notes: list[bool] = []
        self.ends = 0
        self.pump = Pump(self.paper, self)

    def take(self) -> list[bytes]:
        taken, self.owed = self.owed, []
        return taken

    def writing(self, busy: bool) -> None:
        self.notes.append(busy)

    def end(self) -> None:
        self.ends += 1


@pytest.fixture
async def opening() -> Desk:
    return Desk()


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.paper.complete()
    return desk


async def test_headers_come_first_and_alone(opening: Desk) -> None:
    opening.pump.push(b"challenge")
    assert opening.paper.written == []
    await opening.paper.complete()
    assert opening.paper.written == [b"challenge"]
    assert opening.notes == [False, True]


async def test_what_is_owed_is_written_in_order_one_at_a_time(desk: Desk) -> None:
    desk.owed = [b"1", b"2"]
    desk.pump.wake()
    assert desk.paper.written == [b"1"]
    desk.owed = [b"3"]
    desk.pump.wake()
    await desk.paper.complete()
    await desk.paper.complete()
    assert desk.paper.written == [b"1", b"2", b"3"]
    await desk.paper.complete()
    assert not desk.paper.is_busy
    assert desk.notes == [False, *([True, False] * 3)]


async def test_pushed_goes_before_what_is_taken_later(desk: Desk) -> None:
    desk.owed = [b"later"]
    desk.pump.push(b"challenge")
    await desk.paper.complete()
    assert desk.paper.written == [b"challenge", b"later"]


async def test_lost_client_ends_the_stream_once(desk: Desk) -> None:
    desk.owed = [b"1", b"2"]
    desk.pump.wake()
    await desk.paper.fail(UsageError("RPC already finished."))
    assert desk.ends == 1
    desk.pump.wake()
    assert desk.paper.written == [b"1"]


async def test_client_lost_before_the_headers_ends_the_stream(opening: Desk) -> None:
    await opening.paper.fail(UsageError("RPC already finished."))
    assert opening.ends == 1
    await opening.pump.opened()


async def test_our_own_mistake_ends_the_stream_and_nothing_else(desk: Desk) -> None:
    desk.owed = [b"1"]
    desk.pump.wake()
    await desk.paper.fail(ZeroDivisionError())
    assert desk.ends == 1


async def test_closed_pump_gives_up_what_it_writes(desk: Desk) -> None:
    desk.owed = [b"1", b"2"]
    desk.pump.wake()
    desk.pump.close()
    assert not desk.paper.is_busy
    desk.pump.wake()
    assert desk.paper.written == [b"1"]
    assert desk.ends == 0


async def test_completion_on_its_way_means_nothing_to_a_closed_pump(desk: Desk) -> None:
    desk.owed = [b"1", b"2"]
    desk.pump.wake()
    waiting = desk.paper._waiting
    assert waiting is not None
    waiting.set_result(None)
    desk.pump.close()
    await asyncio.sleep(0)
    assert desk.paper.written == [b"1"]


async def test_headers_are_finished_even_if_the_pump_is_closed(opening: Desk) -> None:
    opening.pump.push(b"challenge")
    opening.pump.close()
    await opening.paper.complete()
    await opening.pump.opened()
    assert opening.paper.has_headers
    assert opening.paper.written == []


async def test_what_a_wave_hands_over_is_written_and_nothing_else_is_looked_for(desk: Desk) -> None:
    desk.owed = [b"not asked for"]
    desk.notes.clear()
    assert desk.pump.is_idle
    desk.pump.write([b"1", b"2"])
    assert not desk.pump.is_idle
    await desk.paper.complete()
    await desk.paper.complete()
    assert desk.paper.written == [b"1", b"2"]
    assert desk.pump.is_idle
    # The first is noted by the wave.
    assert desk.notes == [False, True, False]


async def test_what_is_owed_while_a_wave_is_written_follows_it(desk: Desk) -> None:
    desk.pump.write([b"1"])
    desk.owed = [b"2"]
    desk.pump.wake()
    await desk.paper.complete()
    assert desk.paper.written == [b"1", b"2"]


async def test_closed_or_lost_stream_is_never_idle(desk: Desk, opening: Desk) -> None:
    assert not opening.pump.is_idle
    desk.pump.close()
    assert not desk.pump.is_idle
    await opening.paper.fail(UsageError("RPC already finished."))
    assert not opening.pump.is_idle
