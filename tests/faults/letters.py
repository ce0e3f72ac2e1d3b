"""P8 over a whole history: each message has exactly one result, and what was delivered arrived exactly once. Pure.

    delivered                                the recipient's application has it, once
    unconfirmed, recipient_went_offline      it has it at most once
    anything else                            it has it never

A process that is killed can't tell what it had. So a message is *unknowable* if its recipient was killed around its result, and a result
isn't asked for from a sender who was killed. Both are counted.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.faults.history import Findings, History

DOUBTFUL = ("unconfirmed", "recipient_went_offline")
REFUSED = (
    *("recipient_offline", "recipient_suspect", "recipient_changed", "recipient_busy"),
    *("rate_limited", "too_large", "closed"),
)
KILL_SECONDS = 1.0
"""How long before its end a killed process may have confirmed what it could not write down any more."""


@dataclass(slots=True)
class Letter:
    """Hold one message. `results` are outcomes with the moment, `received` the moments in the recipient's application."""

    sender: str
    recipient: str
    sent_at: float
    results: list[tuple[float, str]] = field(default_factory=list)
    received: list[float] = field(default_factory=list)


def letters_of(history: History) -> dict[str, Letter]:
    """Collect all messages by their ids."""
    letters: dict[str, Letter] = {}
    for diary in history.diaries:
        for one in diary.seen:
            if one.event == "sends":
                letters[one.text] = Letter(diary.key, one.key, one.at)
    for diary in history.diaries:
        for one in diary.seen:
            if one.event == "sent":
                letters[one.text].results.append((one.at, one.word))
            elif one.event == "message" and one.text in letters:
                letters[one.text].received.append(one.at)
    return letters


def check_letters(history: History, findings: Findings) -> Counter[str]:
    """Check every message; return how many there were by outcome."""
    kills = {diary.key: diary.kills for diary in history.diaries}
    outcomes: Counter[str] = Counter()
    addressed = {diary.key: set[str]() for diary in history.diaries}
    for id, letter in letters_of(history).items():
        addressed.setdefault(letter.recipient, set()).add(id)
        was_killed = any(at >= letter.sent_at for at in kills[letter.sender])
        if not letter.results:
            findings.that("P8", was_killed, letter.sent_at, f"{id} has no result", "message")
            outcomes["sender killed"] += 1
            findings.that("P8", len(letter.received) <= 1, letter.sent_at, f"{id} came twice", "message")
            continue
        at, outcome = letter.results[0]
        outcomes[outcome] += 1
        findings.that("P8", len(letter.results) == 1, at, f"{id} has several results", "message")
        count = len(letter.received)
        if outcome == "delivered":
            died = any(
                letter.sent_at <= kill <= at + KILL_SECONDS for kill in kills.get(letter.recipient, ())
            )
            if died and not count:
                outcomes["unknowable"] += 1
                continue
            findings.that("P8", count == 1, at, f"{id} was delivered, and came {count} times", "message")
        elif outcome in DOUBTFUL:
            findings.that("P8", count <= 1, at, f"{id} is {outcome}, and came {count} times", "message")
        else:
            findings.that("P8", outcome in REFUSED, at, f"{id} ended with {outcome}", "message")
            findings.that("P8", not count, at, f"{id} is {outcome}, and came {count} times", "message")
    _agreements(history, findings)
    _arrivals(history, addressed, findings)
    return outcomes


def _agreements(history: History, findings: Findings) -> None:
    """Check that a list agrees with the outcome that its holder has got, where it stands at the outcome's revision."""
    for diary in history.diaries:
        for one in diary.seen:
            if one.event != "sent" or one.held != one.revision or not one.revision:
                continue
            if one.word in ("recipient_offline", "recipient_suspect", "recipient_went_offline"):
                what = f"{diary.name}'s list shows the recipient of {one.text} as online, the outcome is {one.word}"
                findings.that("P8", not one.is_online, one.at, what)


def _arrivals(history: History, addressed: dict[str, set[str]], findings: Findings) -> None:
    """Check that nobody gets what is for somebody else, or what nobody sent."""
    arrived: defaultdict[str, list[str]] = defaultdict(list)
    for diary in history.diaries:
        for one in diary.seen:
            if one.event == "message":
                arrived[diary.key].append(one.text)
                mine = one.text in addressed.get(diary.key, ())
                findings.that(
                    "P8", mine, one.at, f"{diary.name} got {one.text}, which isn't theirs", "message"
                )
