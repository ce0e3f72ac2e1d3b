"""What an application shows that believes the client library's events, and what must be true of the library whatever a server says.

P2, P3: the events add up to the roster, the first list is told once and first, and the digest is that of the list. A list that was not
proved is said to be stale. P7: nobody is AVAILABLE without a connection, or without being online in the list. P8: a message is shown
once, a request is answered once. P9: what is kept is bounded.
"""

from typing import TypeAlias

from adsum.client.backlog import Backlog
from adsum.client.events import (
    Back,
    Event,
    Joined,
    Left,
    MessageReceived,
    Overflowed,
    Phase,
    Snapshotted,
    StateChanged,
    Suspect,
    Updated,
)
from adsum.client.member import Liveness, Member, Profile
from adsum.client.messages import Send
from adsum.client.outbox import MAX_ACKS
from adsum.client.session import ANSWERS_HELD, DELIVERIES_REMEMBERED, Output, Session, Stage
from tests.model.digest import digest_of
from tests.model.lobby import Record

Shown: TypeAlias = tuple[Liveness, Profile, int]


class Shadow:
    """The application's side of one session."""

    def __init__(self, session: Session, backlog: Backlog, max_members: int) -> None:
        self._session = session
        self._backlog = backlog
        self._max_members = max_members
        self._shown: dict[bytes, Shown] = {}
        self._has_list = False
        self._messages: dict[int, bytes] = {}
        self._state = session.state
        self._answered: set[int] = set()
        self.asked: set[int] = set()
        """The ids of sends and selects that the application waits for."""
        self.largest_list = max_members
        """How many members a single delta may have brought beyond the bound, before the stream was given up."""

    def take_in(self, output: Output) -> None:
        """Apply what the session tells, and look at everything."""
        for event in output.events:
            self._backlog.put(event)
            self._apply(event)
        for answer in output.answers:
            assert answer.request_id in self.asked, "P8: an answer that nobody waits for"
            assert answer.request_id not in self._answered, "P8: answered twice"
            self._answered.add(answer.request_id)
        # A stream that must be given up is given up before anybody can look.
        if output.end is None:
            self.check()

    def _apply(self, event: Event) -> None:
        match event:
            case Snapshotted():
                assert not self._has_list, "P1: the first list is told twice"
                self._has_list = True
                self._shown = {member.public_key: _shown(member) for member in event.members}
            case Joined(member):
                assert self._has_list, "P1: a change before the list"
                assert member.public_key not in self._shown, "P2: somebody joins who is there"
                self._shown[member.public_key] = _shown(member)
            case Updated(member) | Suspect(member) | Back(member):
                assert member.public_key in self._shown, "P2: somebody changes who isn't there"
                self._shown[member.public_key] = _shown(member)
            case Left(member):
                assert self._shown.pop(member.public_key, None) is not None, (
                    "P2: somebody leaves who isn't there"
                )
            case StateChanged(state, before):
                assert before == self._state, "a state was left out"
                assert state != before, "no change of state"
                self._state = state
            case MessageReceived():
                known = self._messages.pop(event.delivery_id, None)
                assert known is None, "P8: a message is shown twice"
                self._messages[event.delivery_id] = event.payload
                if len(self._messages) > DELIVERIES_REMEMBERED:
                    del self._messages[next(iter(self._messages))]
            case _:
                pass

    def new_session(self) -> None:
        """Note that a new session has begun: its delivery ids have nothing to do with those before."""
        self._messages.clear()

    def read(self) -> None:
        """Let the application take one event."""
        event = self._backlog.take()
        assert not isinstance(event, Overflowed) or event.dropped > 0

    def check(self) -> None:
        """Look at everything that must hold between two inputs."""
        session, replica = self._session, self._session.replica
        roster = replica.roster
        members = {key: _record(member) for key, member in roster.items()}
        assert {key: _shown(member) for key, member in roster.items()} == self._shown, (
            "P3: events don't add up"
        )
        assert self._has_list is replica.is_complete
        assert replica.digest == digest_of(members), "P3: the digest is not that of the list"
        places = [(member.name.casefold(), key) for key, member in roster.items()]
        assert places == sorted(places), "the roster is out of order"
        for member in roster.values():
            assert member in roster.by_name(member.name), "somebody is not found by name"
        self._check_state()
        outbox = session.outbox
        assert len(outbox._acks) <= MAX_ACKS
        assert len(outbox._unanswered) <= len(self.asked), "P9: requests are kept that nobody waits for"
        assert len(session._held) <= ANSWERS_HELD + 1
        assert len(session._deliveries) <= DELIVERIES_REMEMBERED
        assert len(members) <= self.largest_list, "P9: the list has outgrown its bound"
        assert replica._earlier_incarnations.keys() <= members.keys()
        assert all(len(known) <= 4 for known in replica._earlier_incarnations.values())
        if replica._assembly is not None:
            assert len(replica._assembly.members) <= self._max_members
        assert len(self._backlog) - self._backlog._messages <= 1 + self._backlog._max_events
        assert self._backlog._messages <= self._backlog._max_messages

    def _check_state(self) -> None:
        session = self._session
        assert session.state == self._state, "a change of state was not told"
        is_connected = session.stage is Stage.WELCOMED
        if session.state.is_live:
            assert is_connected
            assert not session.replica.is_awaiting, "P3: LIVE, but the list is being fetched"
        selection = session.selection.current
        if selection is not None and selection.is_available:
            assert is_connected, "P7: AVAILABLE without a connection"
            member = session.replica.roster.get(selection.public_key)
            assert member is not None, "P7: AVAILABLE, but not in the list"
            assert member.is_available, "P7: AVAILABLE, but suspect in the list"
            assert member.incarnation == selection.incarnation, (
                "P7: AVAILABLE, but the list shows another incarnation"
            )
        if session.state.phase is Phase.CLOSED:
            assert session.stage is Stage.CLOSED

    def check_request(self, request: object) -> None:
        """Look at a request that is about to be said."""
        assert not isinstance(request, Send) or request.request_id in self.asked, (
            "a send that nobody asked for"
        )


def _shown(member: Member) -> Shown:
    return member.liveness, member.profile, member.session_count


def _record(member: Member) -> Record:
    is_online = member.liveness is Liveness.ONLINE
    said = (member.profile.name, int(member.profile.status), member.profile.status_text, ())
    return Record(member.incarnation, member.revision, is_online, member.session_count, said)
