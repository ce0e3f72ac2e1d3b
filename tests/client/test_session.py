"""The client's half of a session, message by message and second by second."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adsum.client import (
    ConnectionState,
    Event,
    Identity,
    Joined,
    MessageReceived,
    Phase,
    Profile,
    Repaired,
    RequestRefused,
    Selection,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    SendOutcome,
    Settings,
    Snapshotted,
    StateChanged,
)
from adsum.client.messages import (
    Ack,
    Challenge,
    ClientHeartbeat,
    Delivery,
    Draining,
    Hello,
    Leave,
    Limits,
    Proof,
    Request,
    RequestError,
    Response,
    Resume,
    Resync,
    ResyncReason,
    Select,
    SelectionUpdate,
    Send,
    SendResult,
    UpdateProfile,
    Welcome,
)
from adsum.client.session import ANSWERS_HELD, DELIVERIES_REMEMBERED, Output, Purpose, Session, Stage
from adsum.contract.identity import is_valid_signature, proof_transcript
from adsum.contract.reasons import Reason
from tests.client.model_lobby import ModelLobby, key_of
from tests.client.patient import patient

ANN = Identity.from_seed(b"a" * 32)
BOB = key_of("Bob")
NONCE, SERVER_NONCE = b"c" * 32, b"s" * 32
PURPOSE = Purpose("lounge", ANN, "localhost")
SENT_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Scene:
    """A session, a lobby that it is in, and a clock that only the test moves."""

    def __init__(self, purpose: Purpose = PURPOSE, given: Settings | None = None) -> None:
        self.model = ModelLobby("Bob")
        self.model.join(ANN.public_key, "Ann")
        self.session = Session(purpose, Profile("Ann"), given or Settings())
        self.now = 1000.0
        self.events: list[Event] = []
        self.generation = 0

    def note(self, output: Output) -> Output:
        self.events += output.events
        return output

    def dial(self) -> Hello:
        return self.session.dial(NONCE, self.now)

    def hear(self, *words: Response) -> Output:
        """Let the session hear these; returns what followed from the last."""
        output = Output()
        for word in words:
            output = self.note(self.session.receive(word, self.now))
            assert output.end is None, output.end
        return output

    def hear_odd(self, word: Response) -> str:
        """Let the session hear what no server may say; returns why it ends the stream."""
        output = self.note(self.session.receive(word, self.now))
        assert output.end is not None
        assert output.end.is_violation
        return output.end.cause

    def phase(self) -> Phase:
        return self.session.state.phase

    def is_worth_a_leave(self) -> bool:
        return self.session.may_be_present

    def said(self) -> list[Request]:
        requests = []
        while (request := self.session.take_request()) is not None:
            requests.append(request)
        return requests

    def told(self, kind: type[Event]) -> list[Event]:
        """Take what was told of this kind, and forget everything told so far."""
        told, self.events = [event for event in self.events if isinstance(event, kind)], []
        return told

    def welcome(
        self, *, resumed: bool = False, session: bytes = b"session-1", lease_millis: int = 12_000
    ) -> Welcome:
        self.generation += 1
        token = f"token-{self.generation}".encode()
        return Welcome(session, token, self.generation, resumed, 5_000, lease_millis, 5_000)

    def admit(self, session: bytes = b"session-1") -> None:
        """Go through the whole handshake with a new session, up to the list."""
        self.dial()
        self.hear(Challenge(SERVER_NONCE, 5), self.welcome(session=session), *self.model.snapshot())
        self.said()

    def lose(self) -> None:
        self.note(self.session.lost("cut", self.now))

    def resume(self, *words: Response) -> None:
        """Continue the session, and hear what changed, and then these."""
        hello = self.dial()
        assert hello.resume is not None
        self.hear(self.welcome(resumed=True))
        if hello.resume.revision < self.model.revision:
            self.hear(self.model.since(hello.resume.revision))
        self.hear(*words, self.model.heartbeat())
        self.said()


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def live() -> Scene:
    scene = Scene()
    scene.admit()
    return scene


# The handshake


def test_first_hello_resumes_nothing(scene: Scene) -> None:
    assert scene.dial() == Hello("lounge", ANN.public_key, NONCE, "localhost", Profile("Ann"))
    assert scene.said() == []


def test_challenge_is_signed_for_whom_the_user_dialled(scene: Scene) -> None:
    scene.dial()
    scene.hear(Challenge(SERVER_NONCE, 1234))
    (proof,) = scene.said()
    assert isinstance(proof, Proof)
    transcript = proof_transcript(
        audience="localhost",
        server_nonce=SERVER_NONCE,
        client_nonce=NONCE,
        public_key=ANN.public_key,
        lobby="lounge",
        expires_at_unix_millis=1234,
    )
    assert is_valid_signature(ANN.public_key, transcript, proof.signature)


def test_list_makes_it_live_and_is_confirmed(scene: Scene) -> None:
    scene.dial()
    scene.hear(Challenge(SERVER_NONCE, 5))
    scene.said()
    scene.hear(scene.welcome())
    assert scene.phase() is Phase.CONNECTING
    assert scene.said() == []
    scene.hear(*scene.model.snapshot())
    assert scene.session.state == ConnectionState(Phase.LIVE)
    assert [type(event) for event in scene.events] == [Snapshotted, StateChanged]
    model = scene.model
    assert scene.said() == [ClientHeartbeat(model.epoch, model.revision, model.digest, 0)]


def test_server_may_believe_without_a_proof(scene: Scene) -> None:
    scene.dial()
    scene.hear(scene.welcome(), *scene.model.snapshot())
    assert scene.session.state.is_live


@pytest.mark.parametrize("stage", ["greeting", "proving", "live"])
def test_words_out_of_turn_end_the_stream(scene: Scene, stage: str) -> None:
    scene.dial()
    if stage != "greeting":
        scene.hear(Challenge(SERVER_NONCE, 5))
        assert "out of turn" in scene.hear_odd(Challenge(SERVER_NONCE, 5))
    if stage == "live":
        scene.hear(scene.welcome())
        assert "out of turn" in scene.hear_odd(scene.welcome())
    else:
        words: list[Response] = [*scene.model.snapshot(), scene.model.since(0), scene.model.heartbeat()]
        words += [SendResult(1, SendOutcome.DELIVERED, 1), Delivery(1, BOB, 1, b"", SENT_AT)]
        for word in words:
            assert "before Welcome" in scene.hear_odd(word)


def test_resume_that_nobody_offered_is_not_taken(scene: Scene) -> None:
    scene.dial()
    assert "not offered" in scene.hear_odd(scene.welcome(resumed=True))


def test_resume_of_another_session_is_not_taken(live: Scene) -> None:
    live.lose()
    live.dial()
    assert "not offered" in live.hear_odd(live.welcome(resumed=True, session=b"session-2"))


# Resuming


def test_hello_offers_the_session_and_the_list(live: Scene) -> None:
    live.lose()
    model = live.model
    assert live.dial().resume == Resume(b"session-1", b"token-1", model.epoch, model.revision, model.digest)


def test_each_welcome_brings_the_next_token(live: Scene) -> None:
    for generation in (1, 2, 3):
        live.lose()
        resume = live.dial().resume
        assert resume is not None
        assert resume.token == f"token-{generation}".encode()
        live.hear(live.welcome(resumed=True))


def test_lost_welcome_keeps_the_token_before(live: Scene) -> None:
    for _ in range(3):
        live.lose()
        resume = live.dial().resume
        assert resume is not None
        assert resume.token == b"token-1"


def test_wrong_list_is_not_offered(live: Scene) -> None:
    live.hear(replace(live.model.heartbeat(), digest=1))
    live.lose()
    resume = live.dial().resume
    assert resume is not None
    assert (resume.epoch, resume.revision, resume.digest) == (0, 0, 0)
    live.hear(live.welcome(resumed=True))
    assert live.phase() is Phase.RECONNECTING
    live.hear(*live.model.snapshot())
    assert live.phase() is Phase.LIVE


def test_list_that_only_has_a_gap_is_offered(live: Scene) -> None:
    held = live.model.revision
    live.model.join(key_of("Dora"), "Dora")
    missed = live.model.revision
    live.model.join(key_of("Emil"), "Emil")
    live.hear(live.model.since(missed))
    assert live.said() == [Resync(ResyncReason.GAP)]
    live.lose()
    resume = live.dial().resume
    assert resume is not None
    assert resume.revision == held
    live.hear(live.welcome(resumed=True), live.model.since(held))
    assert live.session.state.is_live
    assert dict(live.session.replica.roster) == live.model.members


def test_resumed_stream_is_live_at_once(live: Scene) -> None:
    live.lose()
    assert live.phase() is Phase.RECONNECTING
    live.dial()
    live.hear(live.welcome(resumed=True))
    assert live.phase() is Phase.LIVE
    assert len(live.said()) == 1
    live.model.join(key_of("Dora"), "Dora")
    live.hear(live.model.since(live.model.revision - 1))
    assert live.told(Joined)


def test_observer_never_resumes() -> None:
    scene = Scene(replace(PURPOSE, observer=True))
    scene.admit(session=b"")
    scene.lose()
    hello = scene.dial()
    assert hello.observer
    assert hello.resume is None


def test_session_that_is_gone_is_not_offered(live: Scene) -> None:
    live.lose()
    live.session.forget()
    assert live.dial().resume is None


def test_new_session_tells_the_difference_and_repairs(live: Scene) -> None:
    live.lose()
    live.events.clear()
    live.model.join(key_of("Dora"), "Dora")
    live.admit(session=b"session-2")
    assert [type(event) for event in live.events] == [Joined, Repaired, StateChanged]


# Requests


def test_select_is_answered(live: Scene) -> None:
    request_id = live.session.outbox.select(BOB)
    assert live.said() == [Select(request_id, BOB)]
    update = SelectionUpdate(request_id, BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 2)
    assert live.hear(update).answers == (update,)
    # Its later changes answer nobody.
    assert live.hear(replace(update, request_id=0, state=SelectionState.UNAVAILABLE)).answers == ()


def test_result_answers_once(live: Scene) -> None:
    request_id = live.session.outbox.send(BOB, b"x", 0)
    live.said()
    result = SendResult(request_id, SendOutcome.DELIVERED, 2)
    assert live.hear(result).answers == (result,)
    assert live.hear(result).answers == ()
    assert live.hear(SendResult(99, SendOutcome.DELIVERED, 2)).answers == ()


def test_answer_of_another_kind_answers_nobody(live: Scene) -> None:
    request_id = live.session.outbox.send(BOB, b"x", 0)
    live.said()
    update = SelectionUpdate(request_id, BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 2)
    assert live.hear(update).answers == ()


def test_asking_waits_for_the_list(live: Scene) -> None:
    live.hear(replace(live.model.heartbeat(), digest=1))
    live.session.outbox.send(BOB, b"x", 0)
    assert [type(request) for request in live.said()] == [Resync, ClientHeartbeat]
    live.hear(*live.model.snapshot())
    assert [type(request) for request in live.said()] == [ClientHeartbeat, Send]


def test_answer_waits_for_the_list_that_agrees_with_it(live: Scene) -> None:
    send = live.session.outbox.send(BOB, b"x", 0)
    live.said()
    live.note(live.session.resync(live.now))
    # The delta to the result's revision is dropped, because a snapshot is on its way.
    live.model.leave(BOB)
    result = SendResult(send, SendOutcome.RECIPIENT_OFFLINE, live.model.revision)
    gone = SelectionUpdate(0, BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 2)
    assert live.hear(live.model.since(live.model.revision - 1), gone, result).answers == ()
    assert live.session.selection.current is None
    assert BOB in live.session.replica.roster
    assert live.hear(*live.model.snapshot()).answers == (result,)
    assert BOB not in live.session.replica.roster
    assert live.session.selection.current is not None


def test_answers_that_wait_are_dropped_with_the_stream(live: Scene) -> None:
    send = live.session.outbox.send(BOB, b"x", 0)
    live.said()
    live.note(live.session.resync(live.now))
    live.hear(SendResult(send, SendOutcome.DELIVERED, 2))
    live.lose()
    live.dial()
    live.hear(live.welcome(resumed=True))
    assert live.hear(*live.model.snapshot()).answers == ()
    assert Send(send, BOB, b"x") in live.said()


def test_answers_that_wait_are_bounded(live: Scene) -> None:
    live.note(live.session.resync(live.now))
    live.hear(*[SendResult(1, SendOutcome.DELIVERED, 2)] * ANSWERS_HELD)
    assert "too many answers" in live.hear_odd(SendResult(1, SendOutcome.DELIVERED, 2))


def test_taken_send_is_unconfirmed_in_a_new_session(live: Scene) -> None:
    taken = live.session.outbox.send(BOB, b"1", 0)
    live.said()
    live.lose()
    waiting = live.session.outbox.send(BOB, b"2", 0)
    live.dial()
    live.hear(Challenge(SERVER_NONCE, 5, Reason.SESSION_UNKNOWN))
    output = live.hear(live.welcome(session=b"session-2"))
    assert output.answers == (SendResult(taken, SendOutcome.UNCONFIRMED, 0),)
    live.hear(*live.model.snapshot())
    assert Send(waiting, BOB, b"2") in live.said()


def test_taken_send_is_taken_again_after_a_resume(live: Scene) -> None:
    request_id = live.session.outbox.send(BOB, b"1", 0)
    live.said()
    live.lose()
    live.dial()
    assert live.hear(live.welcome(resumed=True)).answers == ()
    assert Send(request_id, BOB, b"1") in live.said()


def test_refusal_answers_whom_it_concerns(live: Scene) -> None:
    request_id = live.session.outbox.send(BOB, b"x", 0)
    live.said()
    error = RequestError(request_id, Reason.BAD_RECIPIENT, "no")
    assert live.hear(error).answers == (error,)
    assert live.told(RequestRefused) == []
    assert live.hear(error).answers == ()
    assert live.told(RequestRefused) == [RequestRefused(request_id, Reason.BAD_RECIPIENT, "no")]


def test_update_goes_out_or_with_the_next_hello(live: Scene) -> None:
    live.session.update(Profile("Anna"))
    (update,) = live.said()
    assert isinstance(update, UpdateProfile)
    live.lose()
    live.session.update(Profile("Annabel"))
    assert live.dial().profile == Profile("Annabel")
    live.session.update(Profile("Annette"))
    live.hear(live.welcome(resumed=True))
    assert [request.profile.name for request in live.said() if isinstance(request, UpdateProfile)] == [
        "Annette"
    ]


def test_refused_update_is_not_said_again(live: Scene) -> None:
    live.session.update(Profile("Bad"))
    (update,) = live.said()
    assert isinstance(update, UpdateProfile)
    live.hear(RequestError(update.request_id, Reason.BAD_NAME, "no"))
    assert live.told(RequestRefused) == [RequestRefused(update.request_id, Reason.BAD_NAME, "no")]
    live.lose()
    assert live.dial().profile == Profile("Ann")


def test_hello_that_was_accepted_is_what_a_refusal_falls_back_to(live: Scene) -> None:
    live.lose()
    live.session.update(Profile("Good"))
    live.dial()
    live.hear(live.welcome(resumed=True))
    live.session.update(Profile("Bad"))
    update = next(request for request in live.said() if isinstance(request, UpdateProfile))
    live.hear(RequestError(update.request_id, Reason.BAD_NAME, "no"))
    live.lose()
    assert live.dial().profile == Profile("Good")


def test_update_that_was_seen_is_what_a_refusal_falls_back_to(live: Scene) -> None:
    live.session.update(Profile("Good"))
    live.said()
    base = live.model.revision
    live.model.rename(ANN.public_key, "Good")
    live.hear(live.model.since(base))
    live.session.update(Profile("Bad"))
    (update,) = live.said()
    assert isinstance(update, UpdateProfile)
    live.hear(RequestError(update.request_id, Reason.BAD_NAME, "no"))
    live.lose()
    assert live.dial().profile == Profile("Good")


def test_leave_is_worth_saying_only_where_the_server_may_know_us(scene: Scene) -> None:
    assert not scene.is_worth_a_leave()
    scene.dial()
    assert not scene.is_worth_a_leave()
    scene.hear(Challenge(SERVER_NONCE, 5))
    assert scene.is_worth_a_leave()
    scene.hear(scene.welcome(), *scene.model.snapshot())
    assert scene.is_worth_a_leave()
    scene.lose()
    assert not scene.is_worth_a_leave()
    scene.dial()
    assert scene.is_worth_a_leave()
    scene.session.outbox.leave()
    scene.hear(scene.welcome(resumed=True))
    assert scene.said()[-1] == Leave()


# Messages


def test_delivery_is_acknowledged_and_told_once(live: Scene) -> None:
    delivery = Delivery(5, BOB, 1, b"hi", SENT_AT)
    live.hear(delivery, delivery)
    assert live.said() == [Ack(5), Ack(5)]
    assert live.told(MessageReceived) == [MessageReceived(5, live.model.members[BOB], BOB, b"hi", SENT_AT)]
    live.lose()
    live.resume()
    live.hear(delivery)
    assert live.said() == [Ack(5)]
    assert live.told(MessageReceived) == []


def test_delivery_ids_are_the_sessions(live: Scene) -> None:
    live.hear(Delivery(5, BOB, 1, b"hi", SENT_AT))
    live.lose()
    live.admit(session=b"session-2")
    live.events.clear()
    live.hear(Delivery(5, BOB, 1, b"another", SENT_AT))
    assert len(live.told(MessageReceived)) == 1


def test_delivery_without_a_place_is_not_accepted(live: Scene) -> None:
    delivery = Delivery(5, BOB, 1, b"hi", SENT_AT)
    live.note(live.session.receive(delivery, live.now, has_room=False))
    assert live.said() == []
    assert live.told(MessageReceived) == []
    live.hear(delivery)
    # One that is known needs no place.
    live.note(live.session.receive(delivery, live.now, has_room=False))
    assert live.said() == [Ack(5), Ack(5)]
    assert len(live.told(MessageReceived)) == 1


def test_remembered_deliveries_are_bounded(live: Scene) -> None:
    for number in range(DELIVERIES_REMEMBERED + 1):
        live.hear(Delivery(number, BOB, 1, b"", SENT_AT))
        live.said()
    live.events.clear()
    live.hear(Delivery(DELIVERIES_REMEMBERED, BOB, 1, b"", SENT_AT))
    assert live.told(MessageReceived) == []
    live.hear(Delivery(0, BOB, 1, b"", SENT_AT))
    assert len(live.told(MessageReceived)) == 1


def test_message_of_somebody_unknown_has_no_sender(live: Scene) -> None:
    live.hear(Delivery(5, key_of("Nobody"), 1, b"hi", SENT_AT))
    (message,) = live.told(MessageReceived)
    assert isinstance(message, MessageReceived)
    assert message.sender is None
    assert message.sender_key == key_of("Nobody")


# States and clocks


def test_state_follows_the_stream(live: Scene) -> None:
    live.events.clear()
    live.hear(live.model.heartbeat(degraded=True))
    live.hear(live.model.heartbeat())
    live.hear(replace(live.model.heartbeat(), digest=1))
    live.hear(*live.model.snapshot())
    live.lose()
    live.note(live.session.will_retry(0.5, live.now))
    live.note(live.session.retries())
    live.resume()
    live.note(live.session.close("left"))
    phases = [event.state.phase.name for event in live.events if isinstance(event, StateChanged)]
    assert phases == [
        "DEGRADED",
        "LIVE",
        "STALE",
        "LIVE",
        "RECONNECTING",
        "RECONNECTING",
        "RECONNECTING",
        "LIVE",
        "CLOSED",
    ]


def test_planned_attempt_is_told(live: Scene) -> None:
    live.lose()
    live.events.clear()
    live.note(live.session.will_retry(0.5, live.now))
    (changed,) = live.told(StateChanged)
    assert isinstance(changed, StateChanged)
    assert changed.state == ConnectionState(Phase.RECONNECTING, "cut", live.now + 0.5, 0.5)
    live.note(live.session.retries())
    assert live.session.state == ConnectionState(Phase.RECONNECTING, "cut")


def test_silence_is_stale_until_a_word_comes(live: Scene) -> None:
    live.now += 9.0
    live.note(live.session.tick(live.now))
    assert live.phase() is Phase.STALE
    live.hear(live.model.heartbeat())
    assert live.phase() is Phase.LIVE
    live.now += 9.0
    live.note(live.session.tick(live.now))
    live.session.hear(live.now)
    live.note(live.session.tick(live.now))
    assert live.phase() is Phase.LIVE


def test_silence_for_the_lease_ends_the_stream(live: Scene) -> None:
    live.now += 12.0
    end = live.session.tick(live.now).end
    assert end is not None
    assert end.cause == "nothing heard for 12 s"


def test_lost_session_is_resumable_for_lease_and_grace(scene: Scene) -> None:
    scene.dial()
    odd = replace(scene.welcome(), lease_millis=3_000, grace_millis=7_000)
    scene.hear(odd, *scene.model.snapshot())
    scene.lose()
    assert scene.session.resumable_until == scene.now + 10.0


def test_attempts_in_vain_do_not_make_a_session_last(live: Scene) -> None:
    live.lose()
    # Attempts that fail don't extend it.
    live.now += 5
    live.dial()
    live.lose()
    assert live.session.resumable_until == live.now + 12.0


def test_draining_delay_is_obeyed_within_reason(live: Scene) -> None:
    assert live.session.drain_seconds(live.now) == 0
    live.hear(Draining(1_000, 2_500))
    assert live.session.drain_seconds(live.now) == 2.5
    assert live.session.drain_seconds(live.now + 99) == 0
    live.hear(Draining(0, 2**32 - 1))
    assert live.session.drain_seconds(live.now) == 60


@pytest.mark.parametrize(("millis", "seconds"), [(0, 12.0), (1, 0.01), (2**32 - 1, 3600.0), (500, 0.5)])
def test_absurd_lease_is_not_believed(scene: Scene, millis: int, seconds: float) -> None:
    scene.dial()
    scene.hear(Challenge(SERVER_NONCE, 5), scene.welcome(lease_millis=millis), *scene.model.snapshot())
    scene.now += seconds
    assert scene.session.tick(scene.now).end is not None


def test_list_that_never_comes_ends_the_stream(scene: Scene) -> None:
    scene.dial()
    scene.hear(Challenge(SERVER_NONCE, 5), scene.welcome())
    for _ in range(30):
        assert scene.session.tick(scene.now).end is None
        scene.now += 1
        scene.hear(scene.model.heartbeat())
    end = scene.session.tick(scene.now).end
    assert end is not None
    assert end.is_violation


def test_list_that_came_is_waited_for_no_more(live: Scene) -> None:
    for _ in range(40):
        live.now += 1
        live.hear(live.model.heartbeat())
        assert live.session.tick(live.now).end is None


def test_repair_that_never_comes_ends_the_stream(live: Scene) -> None:
    live.hear(replace(live.model.heartbeat(), digest=1))
    for _ in range(30):
        assert live.session.tick(live.now).end is None
        live.now += 1
        live.hear(live.model.heartbeat())
    assert live.session.tick(live.now).end is not None


def test_selection_follows_the_session(live: Scene) -> None:
    update = SelectionUpdate(0, BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 2)
    live.events.clear()
    live.hear(update)
    live.lose()
    live.resume(update)
    live.lose()
    live.admit(session=b"session-2")
    states = [event.state.name for event in live.events if isinstance(event, SelectionChanged)]
    assert states == ["AVAILABLE", "UNAVAILABLE", "AVAILABLE", "UNAVAILABLE", "CLEARED"]
    assert live.session.selection.current is None


def test_selection_that_a_lost_answer_ended_is_not_believed_after_the_resume(live: Scene) -> None:
    update = SelectionUpdate(0, BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 2)
    live.hear(update)
    # The server clears the selection, and the caller waits no longer for the word of it.
    request_id = live.session.outbox.select(b"")
    assert live.said() == [Select(request_id, b"")]
    live.session.outbox.answered(request_id)
    live.lose()
    live.events.clear()
    live.model.rename(BOB, "Bobby")
    live.resume()
    (told,) = live.told(SelectionChanged)
    assert isinstance(told, SelectionChanged)
    assert (told.public_key, told.state) == (BOB, SelectionState.CLEARED)
    assert live.session.selection.current is None


def test_selection_is_not_given_up_before_the_list_is_the_servers(live: Scene) -> None:
    update = SelectionUpdate(0, BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 2)
    live.hear(update)
    live.lose()
    live.dial()
    live.hear(live.welcome(resumed=True), replace(live.model.heartbeat(), digest=1))
    # What the server said of it, it said of a list that is still to come.
    live.hear(update, live.model.heartbeat())
    current = live.session.selection.current
    assert current is not None
    assert current.reason is SelectionReason.NOT_CONNECTED
    live.hear(*live.model.snapshot())
    assert live.session.selection.current == Selection(BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE)


def test_limits_are_those_of_the_last_welcome(scene: Scene) -> None:
    scene.dial()
    scene.hear(Challenge(SERVER_NONCE, 5), replace(scene.welcome(), limits=Limits(payload_bytes=7)))
    assert scene.session.limits.payload_bytes == 7


def test_closed_session_says_nothing(live: Scene) -> None:
    live.session.outbox.send(BOB, b"x", 0)
    live.note(live.session.close("left"))
    assert live.said() == []
    assert live.session.stage is Stage.CLOSED


class AnyServer(RuleBasedStateMachine):
    """Lead a session through streams on which a server says anything at any time."""

    @initialize()
    def start(self) -> None:
        self.scene = Scene()
        self.session = self.scene.session
        self.answered: list[int] = []
        self.asked: list[int] = []

    def _hear(self, word: Response) -> None:
        if self.session.stage in (Stage.OFFLINE, Stage.CLOSED):
            return
        output = self.scene.note(self.session.receive(word, self.scene.now))
        self._answers(output)
        if output.end is not None:
            self._lose()

    def _answers(self, output: Output) -> None:
        self.answered += [answer.request_id for answer in output.answers]

    def _lose(self) -> None:
        self._answers(self.scene.note(self.session.lost("cut", self.scene.now)))

    @precondition(lambda self: self.session.stage is Stage.OFFLINE)
    @rule()
    def dial(self) -> None:
        self.scene.dial()

    @rule(resumed=st.booleans(), session=st.sampled_from([b"session-1", b"session-2"]), proves=st.booleans())
    def welcome(self, resumed: bool, session: bytes, proves: bool) -> None:
        if proves:
            self._hear(Challenge(SERVER_NONCE, 5))
        self._hear(self.scene.welcome(resumed=resumed, session=session))

    @rule(chunk_members=st.integers(1, 3))
    def snapshot(self, chunk_members: int) -> None:
        for chunk in self.scene.model.snapshot(chunk_members):
            self._hear(chunk)

    @rule(base=st.integers(0, 6))
    def delta(self, base: int) -> None:
        self._hear(self.scene.model.since(min(base, self.scene.model.revision)))

    @rule(number=st.integers(0, 4))
    def come_or_go(self, number: int) -> None:
        key = key_of(str(number))
        if key in self.scene.model.members:
            self.scene.model.leave(key)
        else:
            self.scene.model.join(key, str(number))

    @rule(digest=st.sampled_from([None, 1]))
    def heartbeat(self, digest: int | None) -> None:
        beat = self.scene.model.heartbeat()
        self._hear(beat if digest is None else replace(beat, digest=digest))

    @rule(number=st.integers(0, 12), outcome=st.sampled_from(SendOutcome))
    def result(self, number: int, outcome: SendOutcome) -> None:
        self._hear(SendResult(number, outcome, 1))

    @rule(
        number=st.integers(0, 12),
        state=st.sampled_from(SelectionState),
        reason=st.sampled_from(SelectionReason),
        key=st.sampled_from([BOB, key_of("Nobody"), b""]),
    )
    def selection(self, number: int, state: SelectionState, reason: SelectionReason, key: bytes) -> None:
        self._hear(SelectionUpdate(number, key, 1, state, reason, 1))

    @rule(number=st.integers(0, 12))
    def error(self, number: int) -> None:
        self._hear(RequestError(number, Reason.BAD_RECIPIENT, ""))

    @rule(number=st.integers(0, 5))
    def deliver(self, number: int) -> None:
        self._hear(Delivery(number, BOB, 1, b"", SENT_AT))

    @rule()
    def drain(self) -> None:
        self._hear(Draining(0, 1000))

    @rule(is_select=st.booleans())
    def ask(self, is_select: bool) -> None:
        outbox = self.session.outbox
        self.asked.append(outbox.select(BOB) if is_select else outbox.send(BOB, b"", 1))

    @rule()
    def write(self) -> None:
        ids = [r.request_id for r in self.scene.said() if isinstance(r, Send | Select)]
        assert ids == sorted(ids)

    @precondition(lambda self: self.session.stage is not Stage.OFFLINE)
    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.scene.now += seconds
        output = self.scene.note(self.session.tick(self.scene.now))
        if output.end is not None:
            self._lose()

    @precondition(lambda self: self.session.stage is not Stage.OFFLINE)
    @rule()
    def lose(self) -> None:
        self._lose()

    @invariant()
    def every_request_is_answered_at_most_once(self) -> None:
        assert len(set(self.answered)) == len(self.answered)
        assert set(self.answered) <= set(self.asked)

    @invariant()
    def events_tell_the_state(self) -> None:
        told = [event.state for event in self.scene.events if isinstance(event, StateChanged)]
        assert (told[-1] if told else ConnectionState(Phase.CONNECTING)) == self.session.state

    @invariant()
    def doubt_is_never_hidden(self) -> None:
        session = self.session
        if session.stage is not Stage.WELCOMED:
            assert not session.state.is_live
            assert not session.replica.is_proved
            current = session.selection.current
            assert current is None or not current.is_available
        if session.state.is_live:
            assert not session.replica.is_awaiting
        if (current := session.selection.current) is not None and current.is_available:
            member = session.replica.roster.get(current.public_key)
            assert member is not None
            assert member.is_available
            assert member.incarnation == current.incarnation


AnyServer.TestCase.settings = settings(patient, max_examples=60, stateful_step_count=50)
TestAnyServer = AnyServer.TestCase
