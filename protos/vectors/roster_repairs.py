"""Cases of the roster rules: what doesn't fit, and how the list is repaired; heartbeats."""

from vectors.roster_lobby import ME, Lobby, State
from vectors.roster_script import Case, back, epoch_lobby, joined, left, resync, suspect, updated

LEFT = "DEPARTURE_REASON_LEFT"


def gap(case: Case) -> None:
    """A delta that doesn't fit is dropped; what the snapshot changes is reported as ordinary events."""
    lobby = Lobby(ME, "bob", "cleo", "dan")
    before = lobby.state
    case.enter(before)
    lobby.leave("bob")
    lobby.leave("dan")
    lobby.join("dan")
    lobby.rename("cleo", "Cleopatra")
    missed = lobby.lose("cleo")
    case.receive(lobby.join("eve").delta(missed), holds=before.held(is_stale=True), send=[resync("GAP")])
    events = [left("bob"), left("dan"), joined("dan"), suspect("cleo"), updated("cleo"), joined("eve")]
    case.fill(lobby.state, 2, events=events, beats=False)
    before = lobby.state
    case.receive(lobby.resume("cleo").delta(before), holds=lobby.state.held(), events=[back("cleo")])


def base_behind_what_is_held(case: Case) -> None:
    """A delta from an older base is a gap too, if it goes further than what is held."""
    lobby = Lobby(ME)
    first = lobby.state
    second = lobby.join("bob")
    case.enter(second)
    case.receive(lobby.join("cleo").delta(first), holds=second.held(is_stale=True), send=[resync("GAP")])
    case.fill(lobby.state, events=[joined("cleo")], beats=False)


def deltas_during_a_resync(case: Case) -> None:
    """Until the last chunk has come every delta is dropped, and nothing is asked for twice."""
    lobby = Lobby(ME)
    before = lobby.state
    case.enter(before)
    missed = lobby.join("bob")
    case.receive(lobby.join("cleo").delta(missed), holds=before.held(is_stale=True), send=[resync("GAP")])
    case.receive(missed.delta(before))
    case.receive(lobby.join("dan").delta(missed))
    case.receive(epoch_lobby(ME, "bob").state.delta(1))
    case.fill(lobby.state, 3, events=[joined("bob"), joined("cleo"), joined("dan")], beats=False)
    before = lobby.state
    case.receive(lobby.leave("bob").delta(before), holds=lobby.state.held(), events=[left("bob", LEFT)])


def snapshot_started_again_during_a_resync(case: Case) -> None:
    """Chunk 0 starts afresh here too; the old list is held until the last chunk."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    missed = lobby.join("cleo")
    case.receive(lobby.join("dan").delta(missed), holds=before.held(is_stale=True), send=[resync("GAP")])
    case.receive(lobby.state.snapshot(1)[0])
    case.receive(lobby.state.snapshot(1)[1])
    lobby.leave("dan")
    case.fill(lobby.state, 1, events=[joined("cleo")], beats=False)


def wrong_digest(case: Case) -> None:
    """A delta that fits but whose digest doesn't is applied, and the list is stale until the snapshot."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    # The server has lost bob's departure somewhere: cleo's join is all that it tells.
    lobby.leave("bob")
    after = lobby.join("cleo")
    wrong = State(after.epoch, after.revision, (*before.people, after.people[-1]))
    case.receive(
        after.delta(before, left=[], count=3),
        holds=wrong.held(is_stale=True),
        send=[resync("DIGEST")],
        events=[joined("cleo")],
    )
    case.fill(after, events=[left("bob")], beats=False)


def wrong_count(case: Case) -> None:
    """The count is compared too."""
    lobby = Lobby(ME)
    before = lobby.state
    case.enter(before)
    after = lobby.join("bob")
    case.receive(
        after.delta(before, count=3),
        holds=after.held(is_stale=True),
        send=[resync("DIGEST")],
        events=[joined("bob")],
    )
    case.fill(after, events=[], beats=False)


def another_epoch(case: Case) -> None:
    """Revisions and incarnations of two histories can't be compared, so the same key is the same member."""
    lobby = Lobby("dan", ME, "bob")
    lobby.rename(ME, "Ada")
    case.enter(lobby.state)
    fresh = epoch_lobby("bob", ME)
    before = fresh.rename(ME, "Ada")
    case.receive(
        fresh.join("eve").delta(before), holds=lobby.state.held(is_stale=True), send=[resync("EPOCH")]
    )
    case.fill(fresh.state, events=[left("dan"), joined("eve")], beats=False)


def snapshot_that_nobody_asked_for(case: Case) -> None:
    """The server may send a snapshot instead of a delta, to a client that is too far behind."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    lobby.leave("bob")
    lobby.join("cleo")
    case.fill(lobby.state, 1, events=[left("bob"), joined("cleo")], beats=False)


def heartbeat_that_agrees(case: Case) -> None:
    """It is answered with its nonce and with what is held."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    case.receive(lobby.state.heartbeat(7), send=[lobby.state.beat(7)])
    before = lobby.state
    case.receive(lobby.join("cleo").delta(before), holds=lobby.state.held(), events=[joined("cleo")])
    case.receive(lobby.state.heartbeat(2**64 - 1), send=[lobby.state.beat(2**64 - 1)])


def heartbeat_with_another_digest(case: Case) -> None:
    """It is answered all the same, with what is held, and the list is repaired."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    true = State(before.epoch, before.revision, before.people[:1])
    case.receive(
        before.heartbeat(7, digest=str(true.digest)),
        holds=before.held(is_stale=True),
        send=[before.beat(7), resync("DIGEST")],
    )
    case.fill(true, events=[left("bob")], beats=False)


def heartbeat_with_another_count(case: Case) -> None:
    """The count is compared too."""
    state = Lobby(ME, "bob").state
    case.enter(state)
    case.receive(
        state.heartbeat(7, count=3), holds=state.held(is_stale=True), send=[state.beat(7), resync("DIGEST")]
    )
    case.fill(state, events=[], beats=False)


def heartbeat_of_another_revision(case: Case) -> None:
    """A heartbeat follows the delta up to its revision: another one is a gap, even if the digests agree."""
    lobby = Lobby(ME)
    before = lobby.state
    case.enter(before)
    lobby.join("bob")
    after = lobby.leave("bob")
    case.receive(after.heartbeat(7), holds=before.held(is_stale=True), send=[before.beat(7), resync("GAP")])
    case.fill(after, events=[], beats=False)


def heartbeat_of_another_epoch(case: Case) -> None:
    """The lobby's history has started afresh."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    fresh = epoch_lobby(ME).state
    case.receive(
        fresh.heartbeat(7),
        holds=lobby.state.held(is_stale=True),
        send=[lobby.state.beat(7), resync("EPOCH")],
    )
    case.fill(fresh, events=[], beats=False)


def heartbeat_during_a_resync(case: Case) -> None:
    """It is answered, and nothing is asked for twice."""
    lobby = Lobby(ME)
    before = lobby.state
    case.enter(before)
    missed = lobby.join("bob")
    after = lobby.join("cleo")
    case.receive(after.delta(missed), holds=before.held(is_stale=True), send=[resync("GAP")])
    case.receive(after.heartbeat(7), send=[before.beat(7)])
    case.fill(after, events=[joined("bob"), joined("cleo")], beats=False)
    case.receive(after.heartbeat(8), send=[after.beat(8)])


STORIES = [
    gap,
    base_behind_what_is_held,
    deltas_during_a_resync,
    snapshot_started_again_during_a_resync,
    wrong_digest,
    wrong_count,
    another_epoch,
    snapshot_that_nobody_asked_for,
    heartbeat_that_agrees,
    heartbeat_with_another_digest,
    heartbeat_with_another_count,
    heartbeat_of_another_revision,
    heartbeat_of_another_epoch,
    heartbeat_during_a_resync,
]
