import asyncio

from tests.simulation.loop import START_SECONDS, Kernel, Process


def begin(kernel: Kernel, cost_seconds: float = 0.0) -> Process:
    return Process.begin(kernel, "program", cost_seconds)


async def note_after(process: Process, seconds: float, notes: list[float]) -> None:
    await asyncio.sleep(seconds)
    notes.append(process.time() - START_SECONDS)


def test_an_hour_passes_at_once() -> None:
    kernel, notes = Kernel(), list[float]()
    process = begin(kernel)
    process.post(lambda: process.spawn(note_after(process, 3600.0, notes), "sleeper"))
    kernel.run(START_SECONDS + 3599)
    assert notes == []
    kernel.run(START_SECONDS + 3601)
    assert notes == [3600.0]


def test_who_stands_still_hears_what_came_before_it_looks_at_its_timers() -> None:
    kernel, order = Kernel(), list[str]()
    process = begin(kernel)
    process.post(lambda: process.call_later(1.0, order.append, "timer"))
    kernel.run(START_SECONDS + 0.5)
    process.freeze()
    kernel.run(START_SECONDS + 2)
    process.post(order.append, "message")
    kernel.run(START_SECONDS + 10)
    assert order == []
    process.thaw()
    kernel.run(START_SECONDS + 10)
    assert order == ["message", "timer"]


def test_code_takes_time() -> None:
    kernel, times = Kernel(), list[float]()
    process = begin(kernel, cost_seconds=0.5)
    for _ in range(3):
        process.post(lambda: times.append(process.time() - START_SECONDS))
    kernel.run(START_SECONDS + 5)
    assert times == [0.0, 0.5, 1.0]


def test_who_is_killed_unwinds_and_is_heard_no_more() -> None:
    kernel, notes = Kernel(), list[float]()
    process = begin(kernel)
    process.post(lambda: process.spawn(note_after(process, 1.0, notes), "sleeper"))
    kernel.run(START_SECONDS + 0.5)
    assert len(process.tasks) == 1
    process.kill()
    assert not process.tasks
    process.post(notes.append, 0.0)
    kernel.run(START_SECONDS + 5)
    assert notes == []
