"""One target for some minutes: start the worker, and read what it did from what libFuzzer says."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.findings import count
from tests.fuzz.targets import CORPUS, Target

TIMEOUT_SECONDS = 30
"""After how long libFuzzer ends an input that doesn't end."""
MEMORY_MEGABYTES = 2048
LEAST_EXECUTIONS = 50
"""A run that did less has proved nothing."""

_STATUS = re.compile(rb"#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/")


@dataclass(slots=True)
class Figures:
    """What a run did."""

    target: str
    promises: str
    seed: int
    seconds: float
    executions: int = 0
    edges_at_start: int = 0
    edges: int = 0
    corpus: int = 0
    findings: int = 0
    exit_code: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """How many inputs a second."""
        return self.executions / self.seconds if self.seconds else 0.0


def fuzz(target: Target, seconds: float, seed: int, grown: Path, findings: Path, log: Path) -> Figures:
    """Fuzz a target. New inputs go to the folder `grown`, what fails to `findings`, libFuzzer's own words to `log`."""
    corpus, failed, seeds = grown / target.name, findings / target.name, grown / f"{target.name}.seeds"
    for folder in (corpus, failed, seeds, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for data in target.seeds():
        (seeds / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    committed = CORPUS / target.name
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.worker",
        target.name,
        str(failed),
        str(corpus),
        str(seeds),
        *([str(committed)] if committed.is_dir() else []),
        f"-seed={seed}",
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={target.longest}",
        f"-timeout={TIMEOUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MEGABYTES}",
        f"-artifact_prefix={failed}/",
        "-print_final_stats=1",
        # Edges that differ by how often they were taken would fill the corpus with almost the same programs.
        "-reduce_inputs=1",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with log.open("wb") as file:
        ended = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
    figures = _read(log.read_bytes(), Figures(target.name, target.promises, seed, seconds))
    figures.corpus = sum(1 for _ in corpus.iterdir())
    figures.findings = (
        count(failed) + sum(1 for _ in failed.glob("timeout-*")) + sum(1 for _ in failed.glob("oom-*"))
    )
    figures.exit_code = ended.returncode
    if figures.findings:
        figures.faults.append(f"{figures.findings} kinds of failure in {failed}")
    if ended.returncode:
        figures.faults.append(f"the worker ended with {ended.returncode}: see {log}")
    if figures.executions < LEAST_EXECUTIONS:
        figures.faults.append(f"only {figures.executions} executions: nothing is proved")
    return figures


def _read(said: bytes, figures: Figures) -> Figures:
    lines = _STATUS.findall(said)
    for _, kind, edges, _, _ in lines:
        if kind == b"INITED":
            figures.edges_at_start = int(edges)
        figures.edges = int(edges)
    for name, value in re.findall(rb"stat::(\w+):\s+(\d+)", said):
        if name == b"number_of_executed_units":
            figures.executions = int(value)
    return figures
