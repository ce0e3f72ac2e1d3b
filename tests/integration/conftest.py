"""What all integration tests share: the promise that a test guards, and the latencies that tests record.

`@pytest.mark.promise("P6", "0.6")` names what a test guards. When the test fails, its report and its line in the summary
begin with that.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.latency import VARIABLE, LatencyRecorder
from tests.integration.promises import PROMISES

_LATENCY = pytest.StashKey[LatencyRecorder]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(name, ...): what the test guards; see promises.py")
    config.stash[_LATENCY] = LatencyRecorder()


@pytest.fixture
def latency(request: pytest.FixtureRequest) -> LatencyRecorder:
    """Collect latencies for the summary."""
    return request.config.stash[_LATENCY]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("promise")
    if report.failed and marker is not None:
        broken = "; ".join(f"{name} {PROMISES[name]}" for name in marker.args)
        report.sections.append(("Promise broken", broken))
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None:
            crash.message = f"[{', '.join(marker.args)}] {crash.message}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    recorder = config.stash[_LATENCY]
    lines = recorder.lines()
    if not lines:
        return
    terminalreporter.section(f"latency, recorded on {os.cpu_count()} CPUs")
    for line in lines:
        terminalreporter.write_line(line)
    if path := os.environ.get(VARIABLE):
        recorder.write(Path(path))
        terminalreporter.write_line(f"written to {path}")
