"""What a stream is owed, and in which order it gets it.

A stream holds the revision up to which it has been sent everything, and a small bounded mailbox for what is its own: results,
selection, deliveries, heartbeats. The order:

1. The welcome; then the list: a snapshot, or for a stream that resumes a delta from the revision it holds.
2. What became of the selection, right after the list or delta that shows it: it is looked at when that is taken, not later.
3. Mail, in the order it was posted. Mail that speaks of a revision goes after the delta up to it: the delta then doesn't wait for a wave.
   A Select is answered when its turn comes and the stream stands at the lobby's revision, so no older answer can overtake a newer one.
4. A delta, when a wave has come.
5. A heartbeat is written when the stream stands at the lobby's revision, so after a delta if one is owed; it describes exactly
   what the client then holds.

The mailbox never waits for anybody: when it is full, `post` says so, and the desk decides what that means.
"""

from dataclasses import dataclass
from typing import TypeAlias

from adsum.server.lobby import Lobby
from adsum.server.messages import Response, Select, SelectionUpdate
from adsum.server.selection import Selection, follow, select

MAILBOX_CAPACITY = 512
"""The most messages that wait for one stream. A client within its rates is owed far fewer, unless it doesn't read."""


@dataclass(frozen=True, slots=True)
class SnapshotOwed:
    """Write the whole lobby as it stands."""


@dataclass(frozen=True, slots=True)
class DeltaOwed:
    """Write everything since a revision."""

    base: int


@dataclass(frozen=True, slots=True)
class HeartbeatOwed:
    """Write a heartbeat that describes the lobby as it stands; the stream has been sent everything."""


ALWAYS_BEHIND = 1 << 64
"""A revision that no stream reaches: mail that waits for it waits for the lobby's own."""

Owed: TypeAlias = Response | SnapshotOwed | DeltaOwed | HeartbeatOwed


class Outbox:
    """Keep what one stream of a lobby is owed."""

    __slots__ = ("_beat", "_follow", "_mail", "_next", "_wave", "selection", "sent")

    def __init__(self) -> None:
        self.sent: int | None = None
        """The revision up to which the stream has been sent everything; None if it has no list."""
        self.selection: Selection | None = None
        self._next: Response | None = None
        # A list: almost always it is empty, and an empty deque has 600 bytes.
        self._mail: list[tuple[Response | Select, int]] = []
        self._wave = False
        self._beat = False
        self._follow = False

    def __len__(self) -> int:
        """Count the messages in the mailbox."""
        return len(self._mail)

    def welcome(self, welcome: Response, holds: int | None) -> None:
        """Owe the welcome and the list to a client that holds a revision, or None if it must have the whole."""
        self._next = welcome
        self.sent = holds
        self._wave = True
        # What the client was told last may have been lost with the stream before.
        self._follow = True

    def post(self, response: Response, revision: int = 0) -> bool:
        """Put a message in the mailbox; it goes after the delta up to `revision`. Returns False if the mailbox is full."""
        if len(self._mail) >= MAILBOX_CAPACITY:
            return False
        self._mail.append((response, revision))
        return True

    def post_select(self, request: Select) -> bool:
        """Owe the answer to a Select. Returns False if the mailbox is full."""
        if len(self._mail) >= MAILBOX_CAPACITY:
            return False
        # Its answer describes the lobby as it stands then, so any delta owed goes first.
        self._mail.append((request, ALWAYS_BEHIND))
        return True

    def post_heartbeat(self) -> None:
        """Owe a heartbeat. Two that wait are one."""
        self._beat = True

    def start_wave(self) -> None:
        """Allow a delta."""
        self._wave = True

    def take_delta(self, floor: int, revision: int) -> int | None:
        """Take a wave's delta if that is all that is owed: returns the revision that it starts from. None if `take` must tell.

        Most streams in most waves are owed just this, so it is looked at first. `floor` and `revision` are the lobby's.
        """
        sent = self.sent
        if (
            sent is None
            or not floor <= sent < revision
            or self.selection is not None
            or self._mail
            or self._beat
            # A welcome that waits, too; and what else may be next tells of a selection.
            or self._follow
        ):
            return None
        self.sent = revision
        self._wave = False
        return sent

    def owe_snapshot(self) -> None:
        """Owe the whole lobby, whatever the stream has been sent."""
        self.sent = None

    def take(self, lobby: Lobby) -> Owed | None:
        """Take out what is to be written next, or None. What is taken counts as sent, so encode it before the lobby changes."""
        if self._next is not None:
            first, self._next = self._next, None
            return first
        if self.sent is None or not lobby.floor <= self.sent <= lobby.revision:
            return self._advance(lobby, SnapshotOwed())
        if self.sent < lobby.revision and (
            self._wave or self._beat or (self._mail and self._mail[0][1] > self.sent)
        ):
            return self._advance(lobby, DeltaOwed(self.sent))
        if (
            self._follow
            and self.sent == lobby.revision
            and (update := self._look_at_selection(lobby)) is not None
        ):
            return update
        if self._mail:
            mail, _ = self._mail.pop(0)
            return self._answer(mail, lobby) if isinstance(mail, Select) else mail
        if self._beat:
            self._beat = False
            return HeartbeatOwed()
        self._wave = False
        return None

    def _advance(self, lobby: Lobby, owed: SnapshotOwed | DeltaOwed) -> Owed:
        self.sent = lobby.revision
        self._wave = False
        self._next = self._look_at_selection(lobby)
        return owed

    def _look_at_selection(self, lobby: Lobby) -> SelectionUpdate | None:
        self._follow = False
        if self.selection is None:
            return None
        self.selection, update = follow(self.selection, lobby)
        return update

    def _answer(self, request: Select, lobby: Lobby) -> SelectionUpdate:
        self.selection, update = select(lobby, request.public_key, request.request_id)
        return update
