"""The crowd's event loop: epoll and nothing else. Whatever the crowd does costs the core that the latencies are measured on."""

import select
import time
from collections.abc import Callable
from typing import TypeAlias

Handler: TypeAlias = Callable[[int], None]

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
_MOST_AT_ONCE = 256


class Loop:
    """Call handlers when their file descriptors are ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}

    def register(self, descriptor: int, handler: Handler, events: int) -> None:
        """Call the handler, with the events that have come, whenever the descriptor is ready."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, events)

    def expect(self, descriptor: int, events: int) -> None:
        """Change what is waited for."""
        self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Call nobody any more for a descriptor, which must still be open."""
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def turn(self, longest_seconds: float) -> None:
        """Wait for something, but not longer than told, and handle what there is."""
        handlers = self._handlers
        for descriptor, events in self._epoll.poll(max(0.0, longest_seconds), _MOST_AT_ONCE):
            handler = handlers.get(descriptor)
            if handler is not None:
                handler(events)

    def run(
        self, seconds: float, is_over: Callable[[], bool] | None = None, *, look_every: float = 0.005
    ) -> bool:
        """Turn until it is over, or for so many seconds if nothing says when. Returns whether it was over."""
        ends_at = time.monotonic() + seconds
        while True:
            if is_over is not None and is_over():
                return True
            # Looking may cost a pass over all members, so not at each turn.
            look_at = min(ends_at, time.monotonic() + look_every) if is_over is not None else ends_at
            while (now := time.monotonic()) < look_at:
                self.turn(look_at - now)
            if now >= ends_at:
                return is_over is not None and is_over()
