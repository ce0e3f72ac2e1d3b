"""Each checker holds what is right and finds what is wrong, in histories made by hand."""

from adsum.v1.admin_pb2 import Lobby
from adsum.v1.member_pb2 import LIVENESS_ONLINE, Member, Profile
from tests.conformance.mirror import Json
from tests.faults import checkers
from tests.faults.figures import check_neighbours, recovery_seconds, suspect_seconds
from tests.faults.history import Diary, Findings, History, Injection, Seen
from tests.faults.letters import check_letters
from tests.integration.raw_roster import member_hash

ANN, BOB = "aa" * 32, "bb" * 32


def history_of(ann: list[Seen], bob: list[Seen] | None = None) -> History:
    """Ann is a neighbour, Bob the victim of what is injected."""
    diaries = [Diary("Ann", ANN, "neighbour", ann), Diary("Bob", BOB, "victim", bob or [])]
    return History("test", diaries, opened=0.0)


def found(history: History) -> list[tuple[str, str]]:
    findings = Findings()
    checkers.check_all(history, findings)
    return [(one.promise, one.kind) for one in findings.violations]


def lost(at: float = 10.0, **facts: object) -> Injection:
    injection = Injection(
        *("kill-9", "P5", (BOB,), at), may_suspect=True, may_go=True, suspect_within=0.1, gone_within=5.1
    )
    injection.ended = injection.settled = at + 9
    for name, value in facts.items():
        setattr(injection, name, value)
    return injection


def change(at: float, event: str, revision: int, incarnation: int = 1, key: str = BOB) -> Seen:
    return Seen(at, event, revision, key, incarnation, revision, is_online=event != "suspect")


LOSS = [
    change(1, "joined", 2),
    change(10.01, "suspect", 3),
    change(15.02, "left", 4),
    change(18, "joined", 5, 5),
]


def test_a_loss_that_keeps_every_promise_is_fine() -> None:
    history = history_of([Seen(0.5, "snapshot", 1, ANN, is_online=True), *LOSS])
    history.injections.append(lost())
    assert found(history) == []
    assert [round(seconds, 2) for seconds in suspect_seconds(history, history.injections[0])] == [0.01]
    assert recovery_seconds(history, lost(ended=17.9))[:1] == [18 - 17.9]


def test_p1_a_first_list_without_oneself() -> None:
    assert found(history_of([Seen(0.5, "snapshot", 1, ANN, is_online=False)])) == [("P1", "other")]


def test_p2_a_revision_that_is_told_again() -> None:
    assert ("P2", "duplicate") in found(history_of([change(1, "joined", 2), change(2, "updated", 1)]))


def test_p2_a_list_that_goes_back() -> None:
    seen = [change(1, "joined", 5), change(2, "joined", 3, key=ANN)]
    assert ("P2", "duplicate") in found(history_of(seen))


def test_p2_an_event_that_contradicts_those_before() -> None:
    history = history_of([])
    member = {"key": BOB, "name": "Bob", "liveness": "online", "incarnation": 1, "status_text": ""}
    record = {"at": 1.0, "held": 2, "event": "left", "revision": 2, "member": member, "reason": "left"}
    history.diaries[0].mirror.has_list = True
    history.diaries[0].take(record)
    assert ("P2", "gap") in found(history)


def test_p2_a_list_that_had_to_be_mended() -> None:
    assert found(history_of([Seen(1, "repaired", 3, word="digest")])) == [("P2", "gap")]


def test_who_has_left_is_away_until_they_dial_again() -> None:
    diary = Diary("Ann", ANN, "commuter")
    state: Json = {"at": 1.0, "event": "state", "phase": "live", "before": "connecting", "cause": ""}
    for record, phase in (
        ({"at": 0.5, "event": "dials"}, "connecting"),
        ({"at": 0.9, "event": "snapshot", "schema": 1, "revision": 1, "members": []}, "connecting"),
        (state, "live"),
        ({"at": 2.0, "event": "leaves"}, "away"),
        ({**state, "phase": "reconnecting", "before": "live"}, "away"),
        ({**state, "before": "reconnecting"}, "away"),
        ({"at": 3.0, "event": "dials"}, "connecting"),
    ):
        diary.take(record)
        assert diary.phase == phase
    assert not diary.faults


def test_p5_suspect_without_a_reason() -> None:
    assert found(history_of(LOSS[:2])) == [("P5", "ghost")]


def test_p5_gone_without_a_reason() -> None:
    history = history_of([change(1, "joined", 2), change(3, "left", 3)])
    assert found(history) == [("P5", "ghost")]
    history.diaries[1].seen += [Seen(2.9, "leaves")]
    assert found(history) == []


def test_p6_gone_in_a_blip() -> None:
    history = history_of(LOSS)
    history.injections.append(lost(promise="P6", may_go=False, gone_within=None))
    assert found(history) == [("P6", "ghost")]


def test_p10_gone_in_a_restart() -> None:
    history = history_of(LOSS)
    history.injections.append(lost(promise="P10", may_go=False, gone_within=None))
    assert found(history) == [("P10", "ghost")]


def test_p5_suspect_too_late_or_never() -> None:
    late = [LOSS[0], change(12, "suspect", 3), change(17, "left", 4)]
    history = history_of(late)
    history.injections.append(lost())
    assert ("P5", "deadline") in found(history)
    history = history_of(LOSS[:1])
    history.injections.append(lost())
    assert found(history) == [("P5", "deadline"), ("P5", "deadline")]


def test_p6_gone_before_the_grace_has_ended() -> None:
    history = history_of([LOSS[0], LOSS[1], change(12, "left", 4)])
    history.injections.append(lost())
    assert found(history) == [("P6", "deadline")]


def test_p6_another_incarnation_without_a_leave() -> None:
    history = history_of([change(1, "joined", 2), change(2, "updated", 3, incarnation=3)])
    assert found(history) == [("P6", "ghost")]


def test_p7_a_selection_that_is_not_taken_back() -> None:
    chosen = [
        Seen(1, "state", text="live"),
        change(1, "joined", 2),
        Seen(2, "selects", 2, BOB),
        Seen(2.1, "selection", 2, BOB, word="available"),
        change(10.01, "suspect", 3),
    ]
    told = Seen(10.02, "selection", 3, BOB, word="unavailable")
    later = change(12, "joined", 4, key=ANN)
    history = history_of([*chosen, told, later])
    history.injections.append(lost(gone_within=None))
    assert found(history) == []
    history.diaries[0] = Diary("Ann", ANN, "neighbour", [*chosen, later])
    assert found(history) == [("P7", "other")]


def test_p7_a_selection_that_nobody_asked_for() -> None:
    seen = [Seen(1, "state", text="live"), Seen(2, "selection", 2, BOB, word="available")]
    assert found(history_of(seen)) == [("P7", "other")]


def sent(outcome: str, *arrivals: float, kills: tuple[float, ...] = ()) -> list[str]:
    history = history_of(
        [
            Seen(1, "sends", 1, BOB, text="m"),
            *([Seen(2, "sent", 1, BOB, text="m", word=outcome)] if outcome else []),
        ],
        [Seen(at, "message", 1, ANN, text="m") for at in arrivals],
    )
    history.diaries[1].kills += kills
    findings = Findings()
    check_letters(history, findings)
    return [one.kind for one in findings.violations]


def test_p8_what_is_delivered_arrives_once() -> None:
    assert sent("delivered", 1.5) == []
    assert sent("delivered") == ["message"]
    assert sent("delivered", 1.5, 1.6) == ["message"]
    assert sent("delivered", kills=(1.9,)) == []


def test_p8_what_is_doubtful_arrives_at_most_once() -> None:
    assert sent("unconfirmed") == sent("recipient_went_offline", 1.5) == []
    assert sent("unconfirmed", 1.5, 1.6) == ["message"]


def test_p8_what_is_refused_never_arrives() -> None:
    assert sent("recipient_suspect") == []
    assert sent("recipient_suspect", 1.5) == ["message"]
    assert sent("unavailable") == ["message"]


def test_p8_each_message_has_one_result() -> None:
    assert sent("") == ["message"]
    history = history_of(
        [Seen(1, "sends", 1, BOB, text="m"), *[Seen(2, "sent", text="m", word="closed")] * 2]
    )
    findings = Findings()
    check_letters(history, findings)
    assert [one.kind for one in findings.violations] == ["message"]


def test_p8_a_list_that_contradicts_the_outcome() -> None:
    result = Seen(2, "sent", 7, BOB, revision=7, is_online=True, text="m", word="recipient_offline")
    findings = Findings()
    check_letters(history_of([Seen(1, "sends", 1, BOB, text="m"), result]), findings)
    assert [one.promise for one in findings.violations] == ["P8"]


def test_p9_news_that_are_late_among_neighbours() -> None:
    cid = "cc" * 32
    said = [Seen(10 + number / 100, "says", text=f"t{number}") for number in range(40)]
    for lateness, verdicts in ((0.02, []), (0.3, ["P9"])):
        heard = [
            Seen(one.at + lateness, "updated", number + 3, cid, 1, number + 3, is_online=True, text=one.text)
            for number, one in enumerate(said)
        ]
        history = history_of(heard)
        history.diaries.append(Diary("Cid", cid, "neighbour", list(said)))
        findings = Findings()
        history.injections.append(lost(watched=30.0))
        check_neighbours(history, "kill-9", findings)
        assert [one.promise for one in findings.violations] == verdicts


def test_p3_a_list_is_compared_with_the_servers() -> None:
    member = Member(
        public_key=bytes.fromhex(BOB),
        incarnation=1,
        revision=2,
        liveness=LIVENESS_ONLINE,
        profile=Profile(name="Bob"),
    )
    digest = member_hash(bytes.fromhex(BOB), 1, 2)
    truth = Lobby(name="test", epoch=9, revision=2, digest=digest)
    right: Json = {
        "epoch": 9,
        "held": 2,
        "digest": digest,
        "selection": None,
        "members": {BOB: [1, 2, "online", ""]},
    }

    def compare(**wrong: object) -> list[str]:
        diary = Diary("Ann", ANN, "neighbour")
        broken = checkers.check_list(diary, {**right, **wrong}, truth, {member.public_key: member})
        return [kind for _, kind, _ in broken]

    assert compare() == []
    assert compare(held=1) == ["list"]
    assert compare(digest=1) == ["list"]
    assert "ghost" in compare(members={})
    assert "ghost" in compare(members={**right["members"], ANN: [1, 1, "online", ""]})
    assert "list" in compare(members={BOB: [1, 2, "suspect", ""]})
    assert compare(selection=[BOB, 1, "unavailable"]) == ["other"]
    assert compare(selection=[BOB, 1, "available"]) == []
