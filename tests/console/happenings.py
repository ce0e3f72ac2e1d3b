"""Anything that can happen to the full screen, for properties: events of a hostile server too, in any order."""

from dataclasses import replace

from hypothesis import strategies as st

from adsum.client import (
    Back,
    ConnectionState,
    DepartureReason,
    Event,
    Joined,
    Left,
    Liveness,
    Member,
    MessageReceived,
    Overflowed,
    Phase,
    RepairCause,
    Repaired,
    Selection,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    SnapshotProgress,
    Snapshotted,
    Status,
    Suspect,
    Updated,
)
from adsum.client.events import StateChanged
from adsum.console.inputs import (
    Facts,
    Input,
    Outcome,
    Pasted,
    Relisted,
    Resized,
    SelectEnded,
    SendEnded,
    Size,
    Stroke,
    TimePassed,
    Typed,
    UpdateFailed,
)
from tests.console.people import NASTY_NAMES, member, public_key
from tests.console.performance import ME, STARTED_AT

NUMBERS = (*range(1, 7), ME)
KEYS = st.sampled_from([public_key(number) for number in NUMBERS])
NAMES = st.one_of(
    st.sampled_from(["Ada", "ada", "Bob", "漢字", "👩\u200d👩\u200d👧"]), st.sampled_from(NASTY_NAMES)
)
MEMBERS: st.SearchStrategy[Member] = st.builds(
    member,
    NAMES,
    key=st.sampled_from(NUMBERS),
    status=st.sampled_from(Status),
    status_text=st.sampled_from(["", "at lunch", "\x1b[31m", "漢" * 60]),
    liveness=st.sampled_from(Liveness),
    session_count=st.integers(1, 9),
    incarnation=st.integers(1, 2),
)
SIZES = st.builds(Size, st.integers(1, 260), st.integers(1, 90))
PHASES = st.builds(
    ConnectionState,
    st.sampled_from(Phase),
    st.sampled_from(["", "reset\x1b[2J"]),
    st.one_of(st.none(), st.floats(90, 120)),
)
LISTS = st.lists(MEMBERS, max_size=5, unique_by=lambda one: one.public_key).map(tuple)
STATES = st.sampled_from(SelectionState)
REASONS = st.sampled_from(SelectionReason)
CHANGES: st.SearchStrategy[Event] = st.one_of(
    MEMBERS.map(Joined),
    MEMBERS.map(lambda one: Suspect(replace(one, liveness=Liveness.SUSPECT))),
    MEMBERS.map(lambda one: Back(replace(one, liveness=Liveness.ONLINE))),
    st.builds(Updated, MEMBERS, MEMBERS),
    st.builds(Left, MEMBERS, st.sampled_from(DepartureReason)),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    CHANGES,
    LISTS.map(Snapshotted),
    st.builds(
        SelectionChanged, KEYS, st.one_of(st.none(), MEMBERS), STATES, REASONS, st.none(), st.integers(0, 99)
    ),
    st.builds(
        MessageReceived,
        st.integers(1, 9),
        st.one_of(st.none(), MEMBERS),
        KEYS,
        st.sampled_from([b"hello", b"\x1b[2J\xff", "漢字 ".encode() * 30]),
        st.just(STARTED_AT),
    ),
    st.builds(StateChanged, PHASES, PHASES),
    st.builds(Repaired, st.sampled_from(RepairCause), st.just(1), st.just(2), st.just(3)),
    st.builds(Overflowed, st.integers(1, 9)),
)
PROGRESS = st.builds(
    SnapshotProgress, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)
)
OTHERS: st.SearchStrategy[Input] = st.one_of(
    SIZES.map(Resized),
    st.builds(
        Facts,
        PHASES,
        st.integers(0, 10**12),
        st.booleans(),
        st.one_of(st.none(), st.floats(0, 9)),
        st.none() | PROGRESS,
    ),
    st.builds(Relisted, LISTS, st.one_of(st.none(), st.builds(Selection, KEYS, st.just(1), STATES, REASONS))),
    st.builds(
        SelectEnded,
        KEYS,
        st.one_of(st.none(), st.builds(Selection, KEYS, st.just(1), STATES, REASONS)),
        st.sampled_from(["", "no answer"]),
    ),
    st.builds(
        SendEnded,
        KEYS,
        st.integers(1, 9),
        st.sampled_from(Outcome),
        st.sampled_from(["", "recipient went offline"]),
    ),
    st.just(UpdateFailed("too long")),
    st.just(TimePassed()),
)
PRESSES = st.one_of(
    st.sampled_from(Stroke),
    st.sampled_from("jkgGnN/s?qxr abé漢").map(Typed),
    st.sampled_from(NASTY_NAMES).map(Pasted),
)
# Enter and the selection's events are what the promises turn on.
HAPPENINGS: st.SearchStrategy[Event | Input] = st.one_of(
    EVENTS, OTHERS, PRESSES, PRESSES, st.sampled_from([Stroke.ENTER, Stroke.DOWN]), MEMBERS.map(Joined)
)
STEPS = st.lists(st.tuples(HAPPENINGS, st.sampled_from([0.0, 0.0, 0.3, 5.0])), max_size=25)
