"""One target under atheris, in a process of its own: libFuzzer ends the process it runs in.

Arguments: the target, the folder for findings, and then libFuzzer's own, of which the first folder is the corpus that grows.
"""

import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only make fuzz installs it

from tests.fuzz.findings import Findings

with atheris.instrument_imports(include=["adsum.server", "adsum.client", "adsum.contract"]):
    from tests.fuzz.targets import TARGETS

CHANCE_BYTES = 48
"""How many random bytes decide what a mutation does that knows the structure."""


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer has enough."""
    name, folder, *rest = arguments
    target = TARGETS[name]
    findings = Findings(Path(folder), target.run, target.cpu_seconds)

    def test(data: bytes) -> None:
        findings.try_input(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        assert target.mutate is not None
        # Also without the structure: what is no message is an input too.
        if seed % 3 == 0:
            return bytes(atheris.Mutate(data, max_size))
        chance = seed.to_bytes(8, "big") * (CHANCE_BYTES // 8)
        varied = target.mutate(data, bytes(atheris.Mutate(chance, CHANCE_BYTES)))
        return varied[:max_size] if varied else data

    options = {"custom_mutator": mutate} if target.mutate is not None else {}
    atheris.Setup([sys.argv[0], *rest], test, **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
