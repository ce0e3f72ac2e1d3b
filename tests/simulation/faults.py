"""Faults to plant in the implementation, one at a time, and within how many seeds each must be found.

Each replaces one method (or one table) while a run lasts, as a mistake in that place would. They exist here only: the implementation knows
nothing of them. `seeds` is at least twice what it took.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from unittest.mock import patch

from adsum.client import replica
from adsum.client.backlog import Backlog
from adsum.client.events import MessageReceived, Updated
from adsum.client.outbox import Outbox as ClientOutbox
from adsum.client.roster import Members
from adsum.client.selection import SelectionKeeper
from adsum.client.session import Session as ClientSession
from adsum.server import outbox, wire
from adsum.server.courier import Courier
from adsum.server.desk import Desk
from adsum.server.door import Door
from adsum.server.hub import Hub
from adsum.server.liveness import OwnHealth
from adsum.server.lobby import Lobby
from adsum.server.member import Liveness
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import SelectionState, SendOutcome
from adsum.server.outbox import HeartbeatOwed, Outbox
from adsum.server.pacing import Pacing
from adsum.server.seat import Seat
from adsum.server.selection import follow
from adsum.server.waves import Waves
from adsum.server.wire import PRESENCE_ENVELOPE

# A replacement takes whatever the original takes.
_Any: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: where it is made, by what, which promises it breaks, and within how many seeds it is found."""

    owner: object
    name: str
    replacement: object
    promises: frozenset[str]
    seeds: int


FAULTS: dict[str, Fault] = {}


def _fault(owner: object, name: str, promises: str, seeds: int) -> Callable[[_Any], _Any]:
    """Add what it decorates: it takes the original first, or it is a plain value."""

    def add(make: _Any) -> _Any:
        original = getattr(owner, name)

        def replacement(*args: _Any, **kwargs: _Any) -> _Any:
            return make(original, *args, **kwargs)

        key = make.__name__.strip("_").replace("_", "-")
        FAULTS[key] = Fault(owner, name, replacement, frozenset(promises.split()), seeds)
        return make

    return add


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a fault for the time of a `with`; None for none."""
    if name is None:
        yield
        return
    fault = FAULTS[name]
    with patch.object(fault.owner, fault.name, fault.replacement):
        yield


# The order of things: P1 to P4.


@_fault(Hub, "take", "P1", 20)
def _delta_inside_a_snapshot(take: _Any, hub: _Any, stream: _Any) -> _Any:
    contents = list(take(hub, stream))
    if len(contents) > 1:
        place = stream.place
        contents.insert(1, PRESENCE_ENVELOPE.delta(place.codec.delta(place.desk.lobby.revision)))
    return contents


@_fault(Lobby, "apply", "P2 P3", 20)
def _tombstone_dropped(apply: _Any, lobby: _Any, change: _Any, now: float) -> None:
    apply(lobby, change, now)
    if change.member is None:
        lobby._entries.pop(change.public_key, None)


@_fault(Lobby, "_count", "P3", 20)
def _digest_keeps_who_is_gone(count: _Any, lobby: _Any, member: _Any, sign: int) -> None:
    digest = lobby._digest
    count(lobby, member, sign)
    if sign < 0:
        lobby._digest = digest


@_fault(Outbox, "take", "P3", 40)
def _heartbeat_before_the_delta(take: _Any, box: _Any, lobby: _Any) -> _Any:
    if box._beat and box._next is None and box.sent is not None:
        box._beat = False
        return HeartbeatOwed()
    return take(box, lobby)


@_fault(Waves, "_wake_all", "P4", 20)
def _wake_up_lost(wake_all: _Any, waves: _Any, now: float) -> None:
    streams = waves._streams
    waves._streams = {number: stream for number, stream in streams.items() if number % 3}
    wake_all(waves, now)
    waves._streams = streams


@_fault(Pacing, "ended", "P4", 20)
def _wave_rests_too_long(ended: _Any, pacing: _Any, started_at: float, now: float, steps: int) -> None:
    pacing._rested_at = pacing._latest_at = pacing._latest_in_storm_at = now + 0.5


@_fault(Members, "drop", "P3", 20)
def _client_keeps_who_is_gone(drop: _Any, members: _Any, public_key: bytes) -> _Any:
    return members.by_key.get(public_key)


@_fault(replica, "_change", "P3", 20)
def _client_tells_no_updates(change: _Any, *args: _Any, **kwargs: _Any) -> _Any:
    return [event for event in change(*args, **kwargs) if not isinstance(event, Updated)]


# Who is there: P5, P6, P10.


@_fault(wire, "_member", "P3", 20)
def _suspect_counted_as_online(member_of: _Any, member: _Any) -> _Any:
    message = member_of(member)
    message.liveness = wire._LIVENESS[Liveness.ONLINE]
    return message


@_fault(Desk, "_check_lease", "P5 P9", 20)
def _lease_never_ends(check: _Any, desk: _Any, line: _Any, now: float) -> _Any:
    return []


@_fault(Desk, "_check_grace", "P5 P9", 20)
def _grace_never_ends(check: _Any, desk: _Any, seat: _Any, now: float) -> _Any:
    return []


@_fault(Desk, "_suspect", "P6", 20)
def _grace_too_short(suspect: _Any, desk: _Any, seat: _Any, now: float) -> _Any:
    return suspect(desk, seat, now - desk._limits.grace_seconds / 2)


@_fault(Desk, "lost", "P5 P6", 20)
def _late_loss_hurts_who_is_back(lost: _Any, desk: _Any, line: _Any, now: float) -> _Any:
    seat = line.seat
    if seat is not None and seat.line is not line and desk._seats.get(seat.session.id) is seat:
        return desk._suspect(seat, now)
    return lost(desk, line, now)


@_fault(OwnHealth, "tick", "P5 P6", 40)
def _deaf_to_its_own_stall(tick: _Any, health: _Any, now: float, next_tick: float) -> float:
    return 0.0


@_fault(MemoryStore, "_tell", "P6", 20)
def _another_incarnation_after_a_resume(tell: _Any, _: _Any, shelf: _Any, change: _Any) -> _Any:
    member = change.member
    if member is not None and member.sessions[-1].generation > 1:
        member = shelf.members[change.public_key] = replace(member, incarnation=change.revision)
        change = replace(change, member=member)
    return tell(shelf, change)


@_fault(Seat, "accepts", "P6", 20)
def _any_token_accepted(accepts: _Any, seat: _Any, token: bytes) -> bool:
    return True


@_fault(ClientOutbox, "beat", "P3 P5", 20)
def _client_never_beats(beat: _Any, box: _Any, echo: int) -> None:
    return None


@_fault(Desk, "drain", "P5 P10", 20)
def _drain_treats_losses_as_losses(drain: _Any, desk: _Any, deadline_seconds: float) -> _Any:
    effects = drain(desk, deadline_seconds)
    desk._draining = False
    return effects


@_fault(Desk, "bequeath", "P6 P10", 20)
def _tokens_not_handed_over(bequeath: _Any, desk: _Any) -> _Any:
    return [replace(one, token=bytes(32)) for one in bequeath(desk)]


# The selection: P7.


@_fault(outbox, "follow", "P7", 20)
def _selection_not_cleared(_: _Any, selection: _Any, lobby: _Any) -> _Any:
    after, update = follow(selection, lobby)
    return (selection, None) if after.told is SelectionState.CLEARED else (after, update)


@_fault(outbox, "follow", "P7", 60)
def _selected_again_by_itself(_: _Any, selection: _Any, lobby: _Any) -> _Any:
    member = lobby.member(selection.public_key)
    return follow(replace(selection, incarnation=member.incarnation) if member else selection, lobby)


@_fault(Outbox, "_advance", "P7", 20)
def _selection_told_late(advance: _Any, box: _Any, lobby: _Any, owed: _Any) -> _Any:
    owed = advance(box, lobby, owed)
    if box._next is not None and box._mail:
        box._mail.append((box._next, 0))
        box._next = None
    return owed


@_fault(Desk, "bequeath", "P7", 20)
def _selection_not_handed_over(bequeath: _Any, desk: _Any) -> _Any:
    return [replace(one, selected_key=b"", selected_incarnation=0) for one in bequeath(desk)]


@_fault(SelectionKeeper, "lost", "P7", 20)
def _client_trusts_a_lost_connection(lost: _Any, keeper: _Any, revision: int) -> _Any:
    return []


# Messages: P8.


@_fault(Outbox, "post", "P8", 20)
def _result_before_the_delta(post: _Any, box: _Any, response: _Any, revision: int = 0) -> _Any:
    return post(box, response, 0)


@_fault(Courier, "send", "P8", 20)
def _delivered_when_handed_over(send: _Any, courier: _Any, *args: _Any, **kwargs: _Any) -> _Any:
    errands = send(courier, *args, **kwargs)
    parcels = list(courier._parcels.values())
    for parcel in parcels:
        errands += courier._settle(parcel, SendOutcome.DELIVERED, kwargs["revision"])
    return errands


@_fault(Courier, "_conclude", "P8", 20)
def _result_told_twice(conclude: _Any, courier: _Any, *args: _Any) -> _Any:
    return conclude(courier, *args) * 2


@_fault(Courier, "_repeat", "P8", 60)
def _result_lost_with_the_stream(repeat: _Any, courier: _Any, *args: _Any) -> _Any:
    return []


@_fault(Courier, "resume", "P8", 60)
def _not_handed_over_again(resume: _Any, courier: _Any, holder: _Any) -> _Any:
    return []


@_fault(ClientSession, "_receive_delivery", "P8", 20)
def _client_shows_a_message_twice(receive: _Any, session: _Any, delivery: _Any, has_room: bool) -> None:
    session._deliveries.clear()
    receive(session, delivery, has_room)


@_fault(Backlog, "put", "P8", 20)
def _client_loses_what_it_confirmed(put: _Any, backlog: _Any, event: _Any) -> None:
    if not isinstance(event, MessageReceived):
        put(backlog, event)


# What is left over: P9.


@_fault(Desk, "_vacate", "P5 P9", 20)
def _seat_never_given_up(vacate: _Any, desk: _Any, seat: _Any, now: float) -> _Any:
    return []


@_fault(Door, "leave", "P9", 20)
def _door_never_left(leave: _Any, door: _Any, address: str) -> None:
    return None


@_fault(Desk, "_detach", "P5 P9", 20)
def _line_never_taken_away(detach: _Any, desk: _Any, line: _Any) -> None:
    if line.seat is not None and line.seat.line is line:
        line.seat.detach()
