"""Virtual time: a kernel that owns the clock, and processes that are asyncio event loops run by it.

Everything that happens waits in one heap, ordered by its moment and then by age, so a run depends on nothing but its seed. A `Process` is
one program with an event loop of its own: the shells that ship run in it unchanged. It can be frozen (SIGSTOP), thawed, and killed
(SIGKILL: nothing it still does reaches anybody). Code takes time: each callback moves the process's own clock on by `cost_seconds`, so
that waves have a length and things happen while others are under way.

Nothing here blocks, reads a clock, or knows what the processes are for.
"""

import asyncio
import heapq
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeAlias, TypeVar, TypeVarTuple, Unpack

START_SECONDS = 1000.0
"""Where the virtual clock starts. A monotonic clock starts anywhere but at 0."""
TURNS_TO_DIE = 200
"""In how many turns a killed process must have unwound. One that needs more waits for something that can't be cancelled."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
# What asyncio's own signatures say of a task's coroutine and of an error's context.
_Coroutine: TypeAlias = "Coroutine[Any, Any, T]"
_Report: TypeAlias = "dict[str, Any]"


class Kernel:
    """Own the virtual clock, and let things happen in order. `steps` counts them."""

    def __init__(self) -> None:
        self.now = START_SECONDS
        self.steps = 0
        self.is_stopped = False
        self._heap: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._serial = 0

    def at(self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Let something happen at a moment; at once if that has passed."""
        self._serial += 1
        heapq.heappush(self._heap, (when if when > self.now else self.now, self._serial, callback, args))

    def run(self, until: float) -> None:
        """Let happen what is to happen up to a moment, or until somebody sets `is_stopped`."""
        heap = self._heap
        while heap and not self.is_stopped and heap[0][0] <= until:
            when, _, callback, args = heapq.heappop(heap)
            self.now = when
            self.steps += 1
            callback(*args)
        if not self.is_stopped:
            self.now = max(self.now, until)


class _Task(asyncio.Task[T]):
    """A task whose place in a set doesn't depend on its address: asyncio goes through sets of tasks."""

    def __init__(
        self, coroutine: "Generator[Any, None, T] | Coroutine[Any, Any, T]", process: "Process", serial: int
    ) -> None:
        self._number = serial
        super().__init__(coroutine, loop=process)

    def __hash__(self) -> int:
        return self._number


class Process(asyncio.AbstractEventLoop):
    """One program: an event loop in virtual time. Only what the programs use is there."""

    def __init__(self, kernel: Kernel, name: str, cost_seconds: float) -> None:
        self.name = name
        self.is_frozen = False
        self.is_dead = False
        self.errors: list[str] = []
        """What nobody caught."""
        self._kernel = kernel
        self._cost = cost_seconds
        self._now = kernel.now
        self._ready: deque[asyncio.Handle] = deque()
        self._held: list[asyncio.TimerHandle] = []
        self._is_planned = False
        self._serial = 0
        self.tasks: dict[int, asyncio.Task[Any]] = {}

    @classmethod
    def begin(cls, kernel: Kernel, name: str, cost_seconds: float) -> "Process":
        """Begin a program in which nothing runs yet."""
        return cls(kernel, name, cost_seconds)

    # What the world does with it.

    def post(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Let something from outside happen in the process. It waits while the process is frozen, and never happens in a dead one."""
        if not self.is_dead:
            self._ready.append(asyncio.Handle(callback, args, self))
            self._plan()

    def spawn(self, coroutine: "_Coroutine[object]", name: str) -> asyncio.Task[object]:
        """Start a task that has no TaskGroup above it: what `asyncio.run` and gRPC do."""
        task: asyncio.Task[object] = self.create_task(coroutine, name=name)
        return task

    def freeze(self) -> None:
        """Stop, as SIGSTOP does."""
        self.is_frozen = True

    def thaw(self) -> None:
        """Go on. What came in the meantime is heard first, then the timers that are late."""
        if self.is_frozen:
            self.is_frozen = False
            for handle in sorted(self._held, key=lambda timer: timer.when()):
                self._ready.append(handle)
            self._held.clear()
            self._plan()

    def kill(self) -> None:
        """End, as SIGKILL does. The tasks are unwound, since Python would complain of them, but time stands still and nobody hears."""
        self.is_dead = True
        self.is_frozen = False
        self._held.clear()
        for _ in range(TURNS_TO_DIE):
            if not self.tasks:
                break
            for task in list(self.tasks.values()):
                task.cancel()
            self._turn()
            while self._ready:
                self._turn()
        else:
            raise AssertionError(f"{self.name} can't be killed: {list(self.tasks.values())}")
        self._ready.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now if self._now > self._kernel.now else self._kernel.now

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        self._plan()
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.is_dead and when < float("inf"):
            self._kernel.at(when, self._expire, handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: "Generator[Any, None, T] | Coroutine[Any, Any, T]",
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._serial += 1
        serial = self._serial
        task = _Task(coro, self, serial)
        if name is not None:
            task.set_name(name)
        self.tasks[serial] = task
        task.add_done_callback(self._forget)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: _Report) -> None:
        if not self.is_dead:
            self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Be told of a cancelled timer: it is skipped when its moment comes."""

    def _forget(self, task: asyncio.Task[Any]) -> None:
        del self.tasks[hash(task)]

    def _expire(self, handle: asyncio.TimerHandle) -> None:
        if self.is_dead or handle.cancelled():
            return
        if self.is_frozen:
            self._held.append(handle)
        else:
            self._ready.append(handle)
            self._plan()

    def _plan(self) -> None:
        if not (self._is_planned or self.is_frozen or self.is_dead):
            self._is_planned = True
            self._kernel.at(self._now, self._take_turn)

    def _take_turn(self) -> None:
        self._is_planned = False
        if self.is_frozen or self.is_dead:
            return
        if self._kernel.now > self._now:
            self._now = self._kernel.now
        self._turn()
        if self._ready:
            self._plan()

    def _turn(self) -> None:
        _set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
                    self._now += self._cost
        finally:
            _set_running_loop(None)
