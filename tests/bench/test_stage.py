"""The whole tool once, small: real servers, a crowd and a few probes. What it measures here means nothing."""

from pathlib import Path

import pytest

from tests.bench.machine import cores, cpu_seconds, resident_bytes
from tests.bench.stage import LOBBY, Setting, Stage, staged


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    server_core, load_core = cores()
    return Setting(server_core, load_core, tmp_path, seconds=0.5, repeats=1, uvloop=True)


def test_a_crowd_sees_everything_that_happens_and_agrees_with_the_server(setting: Setting) -> None:
    with staged(setting, "adsumd", 12, spare=6, probes=3) as stage:
        connected = stage.connect(seconds=20.0)
        assert connected["faults"] == []
        assert connected["has_all"]
        run = stage.churn(LOBBY, 12, 60.0, 0)
        # A machine under load may wake the load late: only what was seen is judged here.
        assert [fault for fault in run.faults if "load was" not in fault and "only" not in fault] == []
        assert run.figures["deliveries"] > 60 * 0.5 * 0.8 * 12
        assert 0 < run.figures["p50_ms"] <= run.figures["p99_ms"]
        assert run.figures["probe_p99_ms"] > 0
        _cut_and_resume(stage)
        left = stage.crowd.ask("leave", seconds=20.0)
        assert left == {"have_left": True, "faults": []}


def _cut_and_resume(stage: Stage) -> None:
    stage.crowd.ask("cut")
    stage.crowd.ask("rest", seconds=0.2)
    resumed = stage.connect(resume=True, seconds=20.0)
    assert resumed["faults"] == []
    assert resumed["has_all"]
    assert resumed["resumed"] == resumed["members"]
    assert stage.check() == []


def test_the_baseline_tells_every_event_to_everybody(setting: Setting) -> None:
    with staged(setting, "bare", 12, spare=6) as stage:
        connected = stage.connect(seconds=20.0)
        assert connected["has_all"]
        run = stage.churn("light", 12, 60.0, 0)
        assert [fault for fault in run.faults if "load was" not in fault and "only" not in fault] == []
        assert run.figures["messages_per_event"] == pytest.approx(12, abs=2)
        assert cpu_seconds(stage.server.pid) > 0
        assert resident_bytes(stage.server.pid) > 1 << 20


def test_a_quiet_crowd_of_the_baseline_comes_in_without_a_storm(setting: Setting) -> None:
    with staged(setting, "bare", 12, spare=6) as stage:
        connected = stage.connect(quiet=True, seconds=20.0)
        assert connected["has_all"]
        # Each gets its list, which is empty, and nothing else.
        assert connected["tally"]["messages"] == 12
        run = stage.churn("light", 12, 60.0, 0)
        assert [fault for fault in run.faults if "load was" not in fault and "only" not in fault] == []
