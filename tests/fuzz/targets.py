"""Every target by its name: plain functions of bytes, which return if all is well and raise if a promise is broken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import (
    client_core,
    client_wire,
    configs,
    handovers,
    pages,
    server_core,
    server_wire,
    texts,
)

CORPUS = Path(__file__).parent / "corpus"
"""The committed inputs, a folder for each target."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to be fuzzed. `mutate` makes another input, knowing the structure, by some random bytes; `longest` is in bytes."""

    name: str
    promises: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Callable[[bytes, bytes], bytes] | None = None
    longest: int = 1024
    cpu_seconds: float = 1.0
    """One input that takes longer is a finding: this is far more than what any should."""
    weight: int = 1
    """Its part of the time, beside the others: state machines have more to be found in."""


TARGETS = {
    target.name: target
    for target in (
        Target("server_wire", "P9", server_wire.target, server_wire.seeds, server_wire.mutate, 65536),
        Target("client_wire", "P9", client_wire.target, client_wire.seeds, client_wire.mutate, 8192),
        Target(
            "server_core", "P1-P3 P5-P10", server_core.target, server_core.seeds, cpu_seconds=5.0, weight=5
        ),
        Target(
            "client_core",
            "P1-P3 P7-P9",
            client_core.target,
            client_core.seeds,
            longest=2048,
            cpu_seconds=2.0,
            weight=3,
        ),
        Target("texts", "P9", texts.target, texts.seeds, longest=256, cpu_seconds=0.3),
        Target("handovers", "P10", handovers.target, handovers.seeds, longest=4096),
        Target("configs", "P9", configs.target, configs.seeds, longest=6000),
        Target("pages", "P9", pages.target, pages.seeds, pages.mutate, 256),
    )
}


def inputs(name: str, corpus: Path = CORPUS) -> list[Path]:
    """List the files of a target's corpus in a fixed order, what once found something first."""
    folder = corpus / name
    return (
        sorted(folder.iterdir(), key=lambda file: (not file.name.startswith("crash-"), file.name))
        if folder.is_dir()
        else []
    )
