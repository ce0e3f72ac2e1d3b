"""How latencies are found: by revision, whatever was merged."""

import pytest

from tests.bench.events import EventLog, Kind, Latencies, latencies_by_kind

PERSON, OTHER = b"p" * 32, b"o" * 32


def test_a_merged_delta_delivers_each_of_its_events_to_each_receiver() -> None:
    log = EventLog()
    log.update(PERSON, "u1", 10.0)
    log.join(OTHER, 10.02)
    log.show(PERSON, 1, 5, "u1")
    log.show(OTHER, 6, 6, "")
    found = latencies_by_kind(log.events, [(4, 6, [10.05, 10.06, 10.06])])
    assert found[Kind.UPDATE].total == 3
    assert found[Kind.UPDATE].milliseconds(1.0) == pytest.approx(60, abs=0.3)
    assert found[Kind.JOIN].milliseconds(0.0) == pytest.approx(30, abs=0.3)
    assert found[Kind.LEAVE].total == 0


def test_a_delta_delivers_only_what_lies_between_its_base_and_its_revision() -> None:
    log = EventLog()
    for number, revision in enumerate((5, 6, 7)):
        log.update(PERSON, f"u{number}", 1.0)
        log.show(PERSON, 1, revision, f"u{number}")
    arrivals = [(4, 5, [1.1]), (5, 7, [1.2]), (7, 9, [1.3])]
    assert latencies_by_kind(log.events, arrivals)[Kind.UPDATE].total == 3


def test_an_update_that_was_overtaken_arrives_with_the_next_of_the_same_member() -> None:
    log = EventLog()
    log.update(PERSON, "u1", 1.0)
    log.update(OTHER, "u2", 1.0)
    log.update(PERSON, "u3", 1.0)
    log.show(PERSON, 1, 9, "u3")
    log.settle()
    assert [event.revision for event in log.events] == [9, 0, 9]


def test_a_token_counts_only_for_whoever_said_it() -> None:
    log = EventLog()
    log.update(PERSON, "u1", 1.0)
    log.show(OTHER, 1, 9, "u1")
    assert log.events[0].revision == 0


def test_the_updates_of_others_are_found_after_the_fact() -> None:
    log = EventLog()
    log.show(OTHER, 1, 9, "p1")
    log.show(OTHER, 1, 12, "p1")
    log.adopt(OTHER, "p1", 1.0)
    log.adopt(OTHER, "p2", 1.0)
    assert [event.revision for event in log.events] == [9, 0]


def test_percentiles_are_those_of_all_that_was_counted() -> None:
    latencies = Latencies()
    for milliseconds in range(1, 101):
        latencies.add(milliseconds / 1000)
    more = Latencies()
    more.add(1.0, 100)
    assert latencies.milliseconds(0.5) == pytest.approx(50, abs=0.3)
    assert latencies.milliseconds(0.99) == pytest.approx(99, abs=0.3)
    latencies.merge(more)
    assert latencies.milliseconds(0.51) == pytest.approx(1000, abs=0.3)
    assert latencies.summary()["count"] == 200
    assert Latencies().milliseconds(0.99) == 0.0


def test_whoever_came_and_went_between_two_deltas_had_not_to_be_seen() -> None:
    log = EventLog()
    log.join(PERSON, 1.0)
    log.leave(PERSON, 1.1)
    log.leave(OTHER, 1.1)
    log.update(OTHER, "u1", 1.2)
    assert [event.kind for event in log.unseen()] == [Kind.LEAVE, Kind.UPDATE]
    assert [event.public_key for event in log.unseen()] == [OTHER, OTHER]
