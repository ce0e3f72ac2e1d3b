"""Make the committed corpus: of all inputs that pass, a few small ones that together take nearly every step that any of them takes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.coverage import Tracer, cover
from tests.fuzz.targets import CORPUS, Target, inputs

MOST_FILES = 18
"""For each target, beside what once found something."""
MOST_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Minimised:
    """What became of a target's inputs."""

    candidates: int
    files: int
    bytes: int
    arcs: int
    arcs_of_all: int


def minimise(target: Target, grown: Path) -> Minimised:
    """Choose from the committed inputs, the seeds and those in the folder `grown`, and write the choice to the committed corpus."""
    contents = {file.read_bytes() for file in [*inputs(target.name), *inputs(target.name, grown)]}
    contents |= set(target.seeds())
    tracer = Tracer()
    traced = [(data, tracer.arcs(target.run, data)) for data in sorted(contents)]
    chosen = cover(traced, MOST_FILES, MOST_BYTES)
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if not file.name.startswith("crash-"):
            file.unlink()
    for data in chosen:
        (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    all_arcs = frozenset[object]().union(*(arcs for _, arcs in traced))
    kept = frozenset[object]().union(*(arcs for data, arcs in traced if data in chosen))
    return Minimised(len(contents), len(chosen), sum(map(len, chosen)), len(kept), len(all_arcs))
