import pytest

from tests.conformance.mirror import Json, Mirror
from tests.conformance.sample import EVENTS, a_member, a_snapshot, a_state, an_event

LIVE = a_state("live", "connecting")


def _play(*records: Json) -> list[str]:
    mirror = Mirror()
    return [fault for record in records if (fault := mirror.take(record))]


def test_a_whole_life_has_no_contradiction() -> None:
    quiet = a_member(revision=9)
    assert not _play(
        a_snapshot(a_member()),
        LIVE,
        EVENTS["joined"],
        EVENTS["suspect"],
        an_event("back", revision=3, member=a_member(devices=2, revision=3)),
        an_event(
            "updated", revision=3, member=a_member(devices=2, revision=3), before=a_member(liveness="suspect")
        ),
        an_event("updated", revision=4, member=a_member(), before=a_member(devices=2)),
        {**EVENTS["roster"], "members": [quiet, a_member("Cleo")]},
        an_event("left", revision=10, member=quiet, reason="lost"),
        a_state("closed", "live"),
        EVENTS["sent"],
    )


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (a_snapshot(), "a second snapshot"),
        (an_event("joined", revision=2, member=a_member()), "is there already"),
        (an_event("updated", revision=2, member=a_member("Dan"), before=a_member("Dan")), "is not there"),
        (an_event("left", revision=2, member=a_member("Dan"), reason="left"), "is not there"),
        (an_event("left", revision=2, member=a_member(status_text="?"), reason="left"), "`member` is"),
        (an_event("suspect", revision=2, member=a_member()), "with liveness online"),
        (EVENTS["back"], "was told already"),
        (an_event("updated", revision=2, member=a_member(), before=a_member()), "nothing has changed"),
        (
            an_event("updated", revision=2, member=a_member(devices=2), before=a_member(devices=3)),
            "`before` is",
        ),
        ({**EVENTS["roster"], "members": []}, "the roster isn't what the events told"),
        ({**EVENTS["roster"], "members": [a_member(devices=2)]}, "the roster isn't what the events told"),
        (a_state("stale", "reconnecting"), "`before` is reconnecting"),
    ],
)
def test_what_contradicts_the_events_before_is_a_fault(record: Json, fault: str) -> None:
    (found,) = _play(a_snapshot(a_member()), LIVE, record)
    assert fault in found


@pytest.mark.parametrize("event", ["joined", "left", "selection", "repaired", "state"])
def test_before_the_first_list_nothing_is_told_of_it(event: str) -> None:
    assert "before the first list" in _play(EVENTS[event])[0]


def test_a_roster_before_the_first_list_is_empty() -> None:
    empty = {**EVENTS["roster"], "revision": 0, "is_stale": True, "members": []}
    assert not _play(empty)
    assert _play({**empty, "is_stale": False})


def test_nothing_but_results_comes_after_closed() -> None:
    life = (a_snapshot(a_member()), LIVE, a_state("closed", "live"))
    assert _play(*life, EVENTS["joined"]) == ["joined after closed"]
