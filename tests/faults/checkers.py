"""What must be true of a history, each rule with the promise that it guards. Pure: values in, findings out.

P1  first_lists      the first list holds oneself
P2  streams          no event contradicts those before; revisions grow; nobody misses anything
P3  check_list       in quiet a list is the server's, and its digest is computed again
P5  suspicions       nobody is suspect or gone without a reason; deadlines: a lost one is, in time
P6  blips            a blip is no leave: same incarnation, and gone not before the grace has ended
P7  selections       what is said of the selected member agrees with the list
P10 suspicions       the same while the server is stopped and started
"""

from collections.abc import Mapping

from adsum.v1.admin_pb2 import Lobby
from adsum.v1.member_pb2 import LIVENESS_ONLINE, Member
from tests.conformance.mirror import Json
from tests.faults.history import CHANGES, Diary, Findings, History, Injection
from tests.integration.raw_roster import member_hash

SLACK_SECONDS = 1.0
"""Deadlines are looked at every 0.1 s, and a change takes its way; the machine may be busy with others."""
GRACE_SECONDS = 5.0
EARLY_SECONDS = 0.3
"""How much sooner than the grace a departure may be seen: the suspicion before it came late."""
SETTLES_SECONDS = 0.5
"""How long after its reason has ended a change may still be seen."""
LEAVE_SECONDS = 10.0
"""How long after somebody's word we may have read that they have left: in a crowd we are late ourselves."""
ANSWER_SECONDS = 0.5
"""How long after a change of the list the word about the selection may be read; on the wire it is the next message."""


def check_all(history: History, findings: Findings) -> None:
    """Run every check of a history but that of messages and of latencies."""
    for diary in history.diaries:
        first_lists(diary, findings)
        streams(history, diary, findings)
        selections(diary, findings)
    for diary in history.observers:
        suspicions(history, diary, findings)
        incarnations(history, diary, findings)
    for diary in history.neighbours:
        for injection in history.injections:
            deadlines(history, diary, injection, findings)
            graces(history, diary, injection, findings)


def first_lists(diary: Diary, findings: Findings) -> None:
    """P1: check that each first list holds whoever reads it."""
    for one in diary.seen:
        if one.event == "snapshot":
            findings.that("P1", one.is_online, one.at, f"{diary.name}'s first list is without themselves")


def streams(history: History, diary: Diary, findings: Findings) -> None:
    """P2: check that the events of one person fit each other, and that the list never had to be mended without a reason."""
    for at, fault in diary.faults:
        kind = "duplicate" if "already" in fault or "second" in fault else "gap"
        findings.that("P2", False, at, f"{diary.name}: {fault}", kind)
    held = 0
    told: dict[str, int] = {}
    mended = _mended(diary)
    for one in diary.seen:
        if one.event in ("dials", "repaired"):
            held, told = 0, {}
        if one.event == "repaired":
            # After an absence, or from a successor that knows only what is, a list comes instead of the changes.
            excused = one.word == "gap" and _may(history, diary.key, one.at, "start afresh")
            excused = excused or (one.word == "epoch" and _may(history, "", one.at, "go"))
            findings.that("P2", excused, one.at, f"{diary.name}'s list was mended: {one.word}", "gap")
        if one.event not in CHANGES or _is_mended(mended, one.at):
            continue
        findings.that(
            "P2", one.held >= held, one.at, f"{diary.name}'s list goes back to {one.held}", "duplicate"
        )
        # One record may be told by two events (back and updated), a departure has a revision of its own.
        is_news = one.revision >= told.get(one.key, 0)
        findings.that(
            "P2", is_news, one.at, f"{diary.name} is told revision {one.revision} again", "duplicate"
        )
        held, told[one.key] = one.held, one.revision


def check_list(
    diary: Diary, roster: Json, truth: Lobby, members: Mapping[bytes, Member]
) -> list[tuple[str, str, str]]:
    """P3: compare a list with the server's; return what differs as promise, kind and text."""
    broken: list[tuple[str, str, str]] = []
    digest = 0
    for key, (incarnation, revision, *_) in roster["members"].items():
        digest += member_hash(bytes.fromhex(key), incarnation, revision)
    stands = (roster["epoch"], roster["held"], roster["digest"], digest % 2**64)
    if stands != (truth.epoch, truth.revision, truth.digest, truth.digest):
        broken.append(
            ("P3", "list", f"{diary.name} stands at {stands}, the server at {truth}".replace("\n", " "))
        )
    told = {
        key.hex(): [
            *(one.incarnation, one.revision),
            *("online" if one.liveness == LIVENESS_ONLINE else "suspect", one.profile.status_text),
        ]
        for key, one in members.items()
    }
    held = roster["members"]
    broken += [("P5", "ghost", f"{diary.name} shows a ghost: {key}") for key in held.keys() - told.keys()]
    broken += [("P5", "ghost", f"{diary.name} misses {key}") for key in told.keys() - held.keys()]
    broken += [
        ("P3", "list", f"{diary.name} shows {held[key]}, the server {told[key]}")
        for key in told.keys() & held.keys()
        if told[key] != held[key]
    ]
    if roster["selection"] is not None and roster["selection"][2] != "cleared":
        key, incarnation, state = roster["selection"]
        is_there = key in told and told[key][0] == incarnation
        expected = "cleared" if not is_there else "available" if told[key][2] == "online" else "unavailable"
        if state != expected:
            broken.append(
                ("P7", "other", f"{diary.name}'s selection is {state}, the server's list says {expected}")
            )
    return broken


def suspicions(history: History, diary: Diary, findings: Findings) -> None:
    """P5 and P10: check that nobody is shown as suspect or gone who has neither left nor been the victim of a fault that allows it."""
    people = {one.key: one for one in history.diaries}
    for one in diary.seen:
        if one.event not in ("suspect", "left") or one.key not in people or not _is_within(history, one.at):
            continue
        allowed = _may(history, one.key, one.at, "suspect" if one.event == "suspect" else "go")
        has_left = _has_left(people[one.key], one.at)
        promise = next((injection.promise for injection in _during(history, one.key, one.at)), "P5")
        what = f"{diary.name} is told that {people[one.key].name} is {one.event}, and there was no reason"
        findings.that(promise, allowed or has_left, one.at, what, "ghost")


def incarnations(history: History, diary: Diary, findings: Findings) -> None:
    """P6: check that whoever wasn't gone has the incarnation they had."""
    known: dict[str, int] = {}
    mended = _mended(diary)
    for one in diary.seen:
        if one.event == "dials" or (one.event == "repaired" and one.word == "epoch"):
            # Incarnations of two histories don't compare.
            known.clear()
        if one.event not in CHANGES:
            continue
        if one.event == "left":
            known.pop(one.key, None)
            continue
        before = known.get(one.key, one.incarnation)
        known[one.key] = one.incarnation
        if one.event != "joined" and not _is_mended(mended, one.at):
            what = f"{diary.name} is told {one.event} of another incarnation of {history.name_of(one.key)}"
            findings.that("P6", before == one.incarnation, one.at, what, "ghost")


def deadlines(history: History, diary: Diary, injection: Injection, findings: Findings) -> None:
    """P5: check that a lost member is shown as suspect, and as gone, in time."""
    for event, within in (("suspect", injection.suspect_within), ("left", injection.gone_within)):
        if within is None:
            continue
        for key in injection.victims:
            at = first_at(diary, key, injection.began, event, "left")
            took = f"after {at - injection.began:.2f} s" if at is not None else "never"
            in_time = at is not None and at - injection.began <= within + SLACK_SECONDS
            name = history.name_of(key)
            what = f"{injection.fault}: {diary.name} is told that {name} is {event} {took}, not within {within:g} s"
            findings.that("P5", in_time, at or injection.began + within, what, "deadline")


def graces(history: History, diary: Diary, injection: Injection, findings: Findings) -> None:
    """P6: check that who is lost for good is kept for the whole grace."""
    if injection.gone_within is None:
        return
    for key in injection.victims:
        lost_at = first_at(diary, key, injection.began, "suspect")
        gone_at = first_at(diary, key, injection.began, "left")
        if lost_at is None or gone_at is None or gone_at > injection.settled + SETTLES_SECONDS:
            continue
        kept = gone_at - lost_at
        what = f"{injection.fault}: {diary.name} is told that {history.name_of(key)} has gone {kept:.2f} s after the loss"
        findings.that("P6", kept >= GRACE_SECONDS - EARLY_SECONDS, gone_at, what, "deadline")


def selections(diary: Diary, findings: Findings) -> None:
    """P7: check that whatever changes about the selected member is told with it, and that nobody is selected by themselves."""
    shown: dict[str, bool] = {}
    selected, state, wrong_since = "", "", None
    asked: set[str] = set()
    is_live = False
    for one in diary.seen:
        if wrong_since is not None and is_live and one.at > wrong_since + ANSWER_SECONDS:
            name = f"{diary.name} has selected {selected[:8]} as {state}"
            findings.that("P7", False, one.at, f"{name}, and the list has said otherwise for long")
            wrong_since = None
        match one.event:
            case "dials":
                shown, selected, state, wrong_since, is_live = {}, "", "", None, False
                asked.clear()
            case "state":
                is_live = one.text in ("live", "degraded")
                wrong_since = None
            case "leaves":
                is_live, wrong_since = False, None
            case "selects":
                asked.add(one.key)
            case "selection":
                if one.word == "available" and one.key != selected:
                    findings.that(
                        "P7", one.key in asked, one.at, f"{diary.name} has not selected {one.key[:8]}"
                    )
                selected, state = ("", "") if one.word == "cleared" else (one.key, one.word)
                wrong_since = None
            case "left":
                shown.pop(one.key, None)
            case "joined" | "updated" | "suspect" | "back":
                shown[one.key] = one.is_online
        if selected and one.event in (*CHANGES, "selection") and selected == one.key:
            is_right = selected not in shown or shown[selected] == (state == "available")
            gone = one.event == "left"
            wrong_since = None if is_right and not gone else one.at
            findings.counts["P7"] += 1


def first_at(diary: Diary, key: str, since: float, *events: str) -> float | None:
    """Tell when somebody was first told one of these events of a member; None for never."""
    return next(
        (one.at for one in diary.seen if one.at >= since and one.key == key and one.event in events), None
    )


def _during(history: History, key: str, at: float) -> list[Injection]:
    return [
        injection
        for injection in history.injections
        if (key in injection.victims or not key)
        and injection.began <= at <= injection.settled + SETTLES_SECONDS
    ]


def _may(history: History, key: str, at: float, what: str) -> bool:
    during = _during(history, key, at)
    match what:
        case "suspect":
            return any(one.may_suspect or one.may_go for one in during)
        case "go":
            return any(one.may_go for one in during)
        case _:
            return any(one.may_go or not one.spares_neighbours for one in during)


def _is_within(history: History, at: float) -> bool:
    return history.opened <= at <= history.closed


def _has_left(diary: Diary, at: float) -> bool:
    """Whether they have said Leave and not come back; if nobody could hear it, they are lost like anybody."""
    words = [one for one in diary.seen if one.event in ("leaves", "snapshot") and one.at <= at]
    is_away = bool(words) and words[-1].event == "leaves"
    return is_away or any(one.event == "leaves" and at - one.at <= LEAVE_SECONDS for one in words)


def _mended(diary: Diary) -> list[float]:
    return [one.at for one in diary.seen if one.event == "repaired"]


def _is_mended(mended: list[float], at: float) -> bool:
    """Whether the list was replaced right then: the events just before tell the difference between two histories."""
    return any(0 <= moment - at < SETTLES_SECONDS for moment in mended)
