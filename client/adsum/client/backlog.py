"""The events that wait for the application: bounded, whatever the server does and however slowly one reads. Pure.

Two bounds, because two things may not be lost alike. Messages are worth waiting for: there is room for a
number of them, and of bytes, and the session doesn't acknowledge what finds none. Everything else only tells
what can be read elsewhere (the roster, the selection, the state), so when it grows too long all of it is
dropped at once and an `Overflowed` stands in its place.
"""

from collections import deque

from adsum.client.events import Event, MessageReceived, Overflowed

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""How many bytes of messages may wait, however few messages they are."""


class Backlog:
    """Hold events in order until the application takes them."""

    def __init__(self, max_events: int, max_messages: int) -> None:
        """Hold at most so many messages, and so many of everything else."""
        self._max_events = max_events
        self._max_messages = max_messages
        self._waiting: deque[Event] = deque()
        self._messages = 0
        self._message_bytes = 0

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    @property
    def has_room_for_message(self) -> bool:
        """True if one more message has a place."""
        return self._messages < self._max_messages and self._message_bytes < MAX_MESSAGE_BYTES

    def put(self, event: Event) -> None:
        """Let an event wait. If that is one too many, all but messages are dropped."""
        self._waiting.append(event)
        if isinstance(event, MessageReceived):
            self._messages += 1
            self._message_bytes += len(event.payload)
        elif len(self._waiting) - self._messages > self._max_events:
            self._overflow()

    def take(self) -> Event | None:
        """Take the oldest event; None if nothing waits."""
        if not self._waiting:
            return None
        event = self._waiting.popleft()
        if isinstance(event, MessageReceived):
            self._messages -= 1
            self._message_bytes -= len(event.payload)
        return event

    def _overflow(self) -> None:
        messages = [event for event in self._waiting if isinstance(event, MessageReceived)]
        dropped = 0
        for event in self._waiting:
            match event:
                case MessageReceived():
                    pass
                case Overflowed():
                    dropped += event.dropped
                case _:
                    dropped += 1
        self._waiting = deque((*messages, Overflowed(dropped)))
