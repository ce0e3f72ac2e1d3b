"""Cases of the roster rules: the first list, and deltas that fit.

A case is a function that tells a story with a `Case`: the lobby changes, and `receive` hands the client a
message that a state of the lobby makes. What the client holds stays as it was unless the story says something
else.
"""

from vectors.roster_lobby import ME, Lobby, State
from vectors.roster_script import Case, back, joined, left, suspect, updated

LOST = "DEPARTURE_REASON_LOST"
LEFT = "DEPARTURE_REASON_LEFT"
REMOVED = "DEPARTURE_REASON_REMOVED"


def snapshot_in_one_chunk(case: Case) -> None:
    """The first list is reported once, as a whole; oneself is in it; the client says what it holds."""
    case.enter(Lobby(ME, "bob", "cleo").state)


def snapshot_in_many_chunks(case: Case) -> None:
    """Nothing is held before the last chunk has come."""
    case.enter(Lobby("bob", "cleo", "dan", "eve", ME).state, chunk_members=2)


def snapshot_of_an_empty_lobby(case: Case) -> None:
    """An observer of an empty lobby gets one empty chunk; the digest is 0."""
    case.observer = True
    case.enter(Lobby().state)


def snapshot_of_a_lobby_that_emptied(case: Case) -> None:
    """An empty lobby has a history: its revision isn't 0, its digest is."""
    case.observer = True
    lobby = Lobby("bob")
    lobby.leave("bob")
    case.enter(lobby.state)


def snapshot_started_again(case: Case) -> None:
    """Chunk 0 starts afresh: what the chunks before it said is forgotten."""
    lobby = Lobby(ME, "bob", "cleo", "dan")
    abandoned = lobby.state.snapshot(1)
    lobby.leave("bob")
    case.connect()
    case.challenge()
    case.welcome()
    case.receive(abandoned[0])
    case.receive(abandoned[1])
    case.fill(lobby.state, 2, events=[{"kind": "snapshot"}])


def numbers_up_to_64_bits(case: Case) -> None:
    """Epoch, revision and incarnation are unsigned 64-bit numbers, and so is the digest."""
    lobby = Lobby(epoch=2**64 - 1)
    lobby.state = State(2**64 - 1, 2**63, ())
    before = [lobby.join(name) for name in (ME, "bob", "cleo")][-1]
    case.enter(before)
    case.receive(lobby.join("dan").delta(before), holds=lobby.state.held(), events=[joined("dan")])


def revision_that_passes_63_bits(case: Case) -> None:
    """Revisions compare as unsigned numbers: the one after 2^63 - 1 is newer."""
    lobby = Lobby()
    lobby.state = State(lobby.state.epoch, 2**63 - 4, ())
    before = [lobby.join(name) for name in (ME, "bob", "cleo")][-1]
    case.enter(before)
    case.receive(lobby.join("dan").delta(before), holds=lobby.state.held(), events=[joined("dan")])


def join_update_leave(case: Case) -> None:
    """Each change arrives by itself."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    before = lobby.state
    case.receive(lobby.join("bob").delta(before), holds=lobby.state.held(), events=[joined("bob")])
    before = lobby.state
    case.receive(lobby.rename("bob", "Bob").delta(before), holds=lobby.state.held(), events=[updated("bob")])
    before = lobby.state
    case.receive(
        lobby.change("bob", status="STATUS_BUSY").delta(before),
        holds=lobby.state.held(),
        events=[updated("bob")],
    )
    before = lobby.state
    case.receive(lobby.leave("bob").delta(before), holds=lobby.state.held(), events=[left("bob", LEFT)])


def reasons_of_departures(case: Case) -> None:
    """Why somebody has gone is reported."""
    lobby = Lobby(ME, "bob", "cleo", "dan")
    case.enter(lobby.state)
    before = lobby.state
    lobby.leave("bob", LEFT)
    lobby.leave("cleo", LOST)
    lobby.leave("dan", REMOVED)
    events = [left("bob", LEFT), left("cleo", LOST), left("dan", REMOVED)]
    case.receive(lobby.state.delta(before), holds=lobby.state.held(), events=events)


def many_changes_in_one_delta(case: Case) -> None:
    """A merged delta says what is so now, not what happened in between."""
    lobby = Lobby(ME, "bob", "cleo")
    case.enter(lobby.state)
    before = lobby.state
    lobby.join("dan")
    lobby.rename("bob", "Bob")
    lobby.rename("dan", "Dan")
    lobby.rename("bob", "Robert")
    lobby.leave("cleo", LOST)
    events = [joined("dan"), updated("bob"), left("cleo", LOST)]
    case.receive(lobby.state.delta(before), holds=lobby.state.held(), events=events)


def came_and_went_in_between(case: Case) -> None:
    """The departure of a member that isn't held is ignored."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    before = lobby.state
    lobby.join("bob")
    lobby.leave("bob")
    case.receive(lobby.state.delta(before), holds=lobby.state.held())


def left_and_came_back_in_between(case: Case) -> None:
    """Another incarnation of a key that is held: it left, then it joined."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    lobby.leave("bob")
    lobby.join("bob")
    case.receive(lobby.state.delta(before), holds=lobby.state.held(), events=[left("bob"), joined("bob")])


def suspect_and_back(case: Case) -> None:
    """A lost connection that comes back is neither a departure nor a join."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    case.receive(lobby.lose("bob").delta(before), holds=lobby.state.held(), events=[suspect("bob")])
    before = lobby.state
    case.receive(lobby.resume("bob").delta(before), holds=lobby.state.held(), events=[back("bob")])


def suspect_and_gone(case: Case) -> None:
    """A lost connection that doesn't come back."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    case.receive(lobby.lose("bob").delta(before), holds=lobby.state.held(), events=[suspect("bob")])
    before = lobby.state
    case.receive(lobby.leave("bob", LOST).delta(before), holds=lobby.state.held(), events=[left("bob", LOST)])


def suspect_and_back_in_between(case: Case) -> None:
    """What was over before the delta came isn't reported; the revision of the record is taken."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    lobby.lose("bob")
    lobby.resume("bob")
    case.receive(lobby.state.delta(before), holds=lobby.state.held())


def suspect_with_another_name(case: Case) -> None:
    """One record in which liveness and profile have changed: first the one, then the other."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    lobby.rename("bob", "Bob")
    lobby.lose("bob")
    case.receive(lobby.state.delta(before), holds=lobby.state.held(), events=[suspect("bob"), updated("bob")])


def joined_as_suspect(case: Case) -> None:
    """Somebody who is suspect at first sight has joined; there is nothing else to report."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    before = lobby.state
    lobby.join("bob")
    lobby.lose("bob")
    case.receive(lobby.state.delta(before), holds=lobby.state.held(), events=[joined("bob")])


def only_the_revision_changed(case: Case) -> None:
    """A record that looks as before is held with its new revision, and not reported."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    case.receive(lobby.change("bob").delta(before), holds=lobby.state.held())


def nothing_but_the_revision(case: Case) -> None:
    """A delta without records moves the revision, so that the next one fits."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    before = lobby.state
    moved = State(before.epoch, before.revision + 3, before.people)
    case.receive(moved.delta(before), holds=moved.held())
    lobby.state = moved
    case.receive(lobby.join("bob").delta(moved), holds=lobby.state.held(), events=[joined("bob")])


def second_device(case: Case) -> None:
    """Another session of a member is no join."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    case.receive(
        lobby.change("bob", session_count=2).delta(before), holds=lobby.state.held(), events=[updated("bob")]
    )


def update_of_an_unknown_member(case: Case) -> None:
    """Records are whole: one that isn't held is taken, whatever list it stands in."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    before = lobby.state
    record = lobby.join("bob").people[-1].record
    case.receive(
        lobby.state.delta(before, joined=[], updated=[record]),
        holds=lobby.state.held(),
        events=[joined("bob")],
    )


def join_of_a_held_member(case: Case) -> None:
    """The same incarnation in `joined` is an update."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    before = lobby.state
    record = lobby.rename("bob", "Bob").people[-1].record
    case.receive(
        lobby.state.delta(before, joined=[record], updated=[]),
        holds=lobby.state.held(),
        events=[updated("bob")],
    )


def duplicate_delta(case: Case) -> None:
    """A delta up to a revision that is held already is ignored, whatever its base."""
    lobby = Lobby(ME)
    first = lobby.state
    case.enter(first)
    second = lobby.join("bob")
    case.receive(second.delta(first), holds=second.held(), events=[joined("bob")])
    case.receive(second.delta(first))
    third = lobby.leave("bob")
    case.receive(third.delta(second), holds=third.held(), events=[left("bob", LEFT)])
    case.receive(second.delta(first))
    case.receive(third.delta(second))
    case.receive(third.delta(first))


def message_of_a_later_server(case: Case) -> None:
    """A response that the client doesn't know is ignored."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    case.receive({})
    before = lobby.state
    case.receive(lobby.join("bob").delta(before), holds=lobby.state.held(), events=[joined("bob")])


STORIES = [
    snapshot_in_one_chunk,
    snapshot_in_many_chunks,
    snapshot_of_an_empty_lobby,
    snapshot_of_a_lobby_that_emptied,
    snapshot_started_again,
    numbers_up_to_64_bits,
    revision_that_passes_63_bits,
    join_update_leave,
    reasons_of_departures,
    many_changes_in_one_delta,
    came_and_went_in_between,
    left_and_came_back_in_between,
    suspect_and_back,
    suspect_and_gone,
    suspect_and_back_in_between,
    suspect_with_another_name,
    joined_as_suspect,
    only_the_revision_changed,
    nothing_but_the_revision,
    second_device,
    update_of_an_unknown_member,
    join_of_a_held_member,
    duplicate_delta,
    message_of_a_later_server,
]
