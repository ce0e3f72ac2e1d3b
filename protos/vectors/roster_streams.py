"""Cases of the roster rules: lost streams and the next ones, and what belongs to one session."""

from vectors.roster_lobby import ME, Json, Lobby, State, message, public_key
from vectors.roster_script import (
    SESSION_ID,
    Case,
    back,
    delivered,
    epoch_lobby,
    joined,
    left,
    resync,
    selection,
    suspect,
)

LOST = "DEPARTURE_REASON_LOST"


def resumed_with_a_delta(case: Case) -> None:
    """The session goes on where it was, with what was missed alone."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    resume = case.resume(before)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True, send=[before.beat()])
    lobby.leave("bob", LOST)
    case.receive(
        lobby.join("cleo").delta(before), holds=lobby.state.held(), events=[left("bob", LOST), joined("cleo")]
    )


def resumed_with_nothing_missed(case: Case) -> None:
    """No delta comes: the client says at once what it holds. The next resume takes the new token."""
    state = Lobby(ME, "bob").state
    case.enter(state)
    for _ in range(2):
        resume = case.resume(state)
        case.disconnect()
        case.connect(resume)
        case.welcome(resumed=True, send=[state.beat()])


def resumed_with_a_snapshot(case: Case) -> None:
    """The session goes on, but what is held is too old for a delta: the difference is reported."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    resume = case.resume(before)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True, send=[before.beat()])
    lobby.leave("bob")
    lobby.join("cleo")
    case.fill(lobby.state, 1, events=[left("bob"), joined("cleo")], beats=False)


def not_resumed_in_the_same_epoch(case: Case) -> None:
    """The grace was over: a new session, and the difference, oneself included."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    resume = case.resume(before)
    case.disconnect()
    case.connect(resume)
    case.challenge("REASON_SESSION_UNKNOWN")
    case.welcome()
    lobby.leave(ME, LOST)
    lobby.join("cleo")
    lobby.join(ME)
    case.fill(lobby.state, 1, events=[left(ME), joined(ME), joined("cleo")])


def not_resumed_in_another_epoch(case: Case) -> None:
    """The server was started again: whoever is there under the same key has neither left nor joined."""
    lobby = Lobby("cleo", ME, "bob")
    before = lobby.state
    case.enter(before)
    resume = case.resume(before)
    case.disconnect()
    case.connect(resume)
    case.challenge("REASON_SESSION_UNKNOWN")
    case.welcome()
    fresh = epoch_lobby("bob", "eve", ME)
    case.fill(fresh.state, 2, events=[left("cleo"), joined("eve")])


def lost_during_the_first_snapshot(case: Case) -> None:
    """Half a list is no list: the resume names none, and the next snapshot is the first."""
    lobby = Lobby(ME, "bob", "cleo")
    case.connect()
    case.challenge()
    case.welcome()
    case.receive(lobby.state.snapshot(2)[0])
    resume = message(sessionId=SESSION_ID, token=case.token)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True)
    lobby.leave("bob")
    case.fill(lobby.state, 1, events=[{"kind": "snapshot"}])


def lost_during_a_resync_after_a_gap(case: Case) -> None:
    """What is held is old but right: the next stream continues it, and the resync is over."""
    lobby = Lobby(ME)
    before = lobby.state
    case.enter(before)
    missed = lobby.join("bob")
    case.receive(lobby.join("cleo").delta(missed), holds=before.held(is_stale=True), send=[resync("GAP")])
    resume = case.resume(before)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True, send=[before.beat()])
    case.receive(lobby.state.delta(before), holds=lobby.state.held(), events=[joined("bob"), joined("cleo")])


def lost_during_a_resync_after_a_wrong_digest(case: Case) -> None:
    """A list known to be wrong can't be continued: the resume names none, and a snapshot comes."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    true = State(before.epoch, before.revision, before.people[:1])
    case.receive(true.heartbeat(7), holds=before.held(is_stale=True), send=[before.beat(7), resync("DIGEST")])
    resume = message(sessionId=SESSION_ID, token=case.token)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True)
    case.fill(true, events=[left("bob")])


def draining(case: Case) -> None:
    """A server that stops changes nothing in the list, and isn't a leave: the session is resumed."""
    lobby = Lobby(ME, "bob")
    before = lobby.state
    case.enter(before)
    case.receive({"draining": {"deadlineMillis": 10000, "reconnectDelayMillis": 1500}})
    case.receive(lobby.lose("bob").delta(before), holds=lobby.state.held(), events=[suspect("bob")])
    resume = case.resume(lobby.state)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True, send=[lobby.state.beat()])


def selection_passed_through(case: Case) -> None:
    """What the server says of the selected member is reported, after the delta that causes it."""
    lobby = Lobby(ME, "bob")
    case.enter(lobby.state)
    incarnation = lobby.person("bob").incarnation
    case.select("bob")

    def update(state: str, reason: str = "", request_id: int = 0) -> Json:
        fields = message(
            requestId=str(request_id),
            publicKey=public_key("bob"),
            incarnation=str(incarnation),
            state=f"SELECTION_STATE_{state}",
            reason=f"SELECTION_REASON_{reason}" if reason else "",
            revision=str(lobby.state.revision),
        )
        return {"selectionUpdate": fields}

    case.receive(update("AVAILABLE", request_id=1), events=[selection("bob", "AVAILABLE")])
    before = lobby.state
    case.receive(lobby.lose("bob").delta(before), holds=lobby.state.held(), events=[suspect("bob")])
    case.receive(update("UNAVAILABLE", "SUSPECT"), events=[selection("bob", "UNAVAILABLE", "SUSPECT")])
    before = lobby.state
    case.receive(lobby.resume("bob").delta(before), holds=lobby.state.held(), events=[back("bob")])
    case.receive(update("AVAILABLE"), events=[selection("bob", "AVAILABLE")])
    before = lobby.state
    case.receive(lobby.leave("bob", LOST).delta(before), holds=lobby.state.held(), events=[left("bob", LOST)])
    case.receive(update("CLEARED", "LOST"), events=[selection("bob", "CLEARED", "LOST")])


def duplicate_deliveries(case: Case) -> None:
    """A delivery that comes again is acknowledged again and shown once, across the streams of a session."""
    state = Lobby(ME, "bob").state
    case.enter(state)
    case.receive(_delivery(1), send=[_ack(1)], events=[delivered(1, "bob")])
    case.receive(_delivery(1), send=[_ack(1)])
    case.receive(_delivery(2), send=[_ack(2)], events=[delivered(2, "bob")])
    resume = case.resume(state)
    case.disconnect()
    case.connect(resume)
    case.welcome(resumed=True, send=[state.beat()])
    case.receive(_delivery(2), send=[_ack(2)])
    case.receive(_delivery(3), send=[_ack(3)], events=[delivered(3, "bob")])


def deliveries_of_another_session(case: Case) -> None:
    """A delivery id is unique within its session only."""
    state = Lobby(ME, "bob").state
    case.enter(state)
    case.receive(_delivery(1), send=[_ack(1)], events=[delivered(1, "bob")])
    resume = case.resume(state)
    case.disconnect()
    case.connect(resume)
    case.challenge("REASON_SESSION_UNKNOWN")
    case.welcome()
    case.fill(state, events=[])
    case.receive(_delivery(1), send=[_ack(1)], events=[delivered(1, "bob")])


def delivery_of_nothing(case: Case) -> None:
    """A message may be empty, and its sender may have gone."""
    case.enter(Lobby(ME).state)
    case.receive(_delivery(1, payload=""), send=[_ack(1)], events=[delivered(1, "bob")])


def refused_request(case: Case) -> None:
    """A refused request changes nothing in the list; the stream goes on."""
    lobby = Lobby(ME)
    case.enter(lobby.state)
    case.receive(
        {"requestError": {"requestId": "99", "reason": "REASON_BAD_NAME", "message": "the name is empty"}}
    )
    before = lobby.state
    case.receive(lobby.join("bob").delta(before), holds=lobby.state.held(), events=[joined("bob")])


def _delivery(delivery_id: int, payload: str = "aGVsbG8=") -> Json:
    fields = message(
        deliveryId=str(delivery_id),
        sender=public_key("bob"),
        senderIncarnation="2",
        payload=payload,
        sentAtUnixMillis="1767225600000",
    )
    return {"delivery": fields}


def _ack(delivery_id: int) -> Json:
    return {"ack": {"deliveryId": str(delivery_id)}}


STORIES = [
    resumed_with_a_delta,
    resumed_with_nothing_missed,
    resumed_with_a_snapshot,
    not_resumed_in_the_same_epoch,
    not_resumed_in_another_epoch,
    lost_during_the_first_snapshot,
    lost_during_a_resync_after_a_gap,
    lost_during_a_resync_after_a_wrong_digest,
    draining,
    selection_passed_through,
    duplicate_deliveries,
    deliveries_of_another_session,
    delivery_of_nothing,
    refused_request,
]
