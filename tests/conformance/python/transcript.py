"""One transcript of roster.json, on the library's own core.

How the session is led and what is compared is taken from the default suite's test of the same file, so that one can't pass where
the other fails. What is given here may be another file than the repository's, so who the client is comes from that.
"""

from typing import Any

from tests.contract.roster_driver import Driver, by_member, comparable, held, in_any_order, reported


def run_transcript(content: dict[str, Any], case: dict[str, Any]) -> None:
    """Lead a session through a case.

    Raises:
        AssertionError: it doesn't hold, send or report what is expected.
    """
    driver = Driver(content, case)  # type: ignore[arg-type]  # what is given may be spoilt on purpose
    for number, step in enumerate(case["steps"]):
        driver.perform(step)
        for what, got, expected in (
            ("holds", held(driver.session, step["holds"]), step["holds"]),
            ("send", comparable(driver.sent, step), in_any_order(step["send"])),
            ("events", reported(driver.events, step["events"]), by_member(step["events"])),
        ):
            if got != expected:
                raise AssertionError(f"step {number}: {what}: expected {expected}, got {got}")
