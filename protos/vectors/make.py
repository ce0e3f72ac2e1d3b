"""Makes the test vectors beside it: `python protos/vectors/make.py`, or `--check` to fail if they drifted.

The vectors are a second statement of the contract. They are computed or written by hand in this folder, with
the standard library and PyNaCl alone, and never by the code that is tested with them. The same files come out
each time.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
if not __package__:
    # Run as a script it has to say where the modules beside it are.
    sys.path.insert(0, str(FOLDER.parent))

from vectors import audience, digest, roster, signing, text  # noqa: E402

MAKERS: dict[str, Callable[[], dict[str, object]]] = {
    "audience.json": audience.vectors,
    "digest.json": digest.vectors,
    "roster.json": roster.vectors,
    "signing.json": signing.vectors,
    "text.json": text.vectors,
}
"""What makes each file."""


def contents(name: str) -> str:
    """Make one file: ASCII only, so that no bidirectional or invisible character hides in a diff."""
    return json.dumps(MAKERS[name](), indent=1, ensure_ascii=True) + "\n"


def drifted(folder: Path) -> list[str]:
    """Name the files in a folder that differ from what would be made, missing and surplus ones included."""
    present = {path.name for path in folder.glob("*.json")}
    differing = {
        name
        for name in MAKERS
        if name not in present or (folder / name).read_text(encoding="ascii") != contents(name)
    }
    return sorted(differing | (present - MAKERS.keys()))


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` say which of them would change: 1 if any would."""
    parser = argparse.ArgumentParser(description="Make the test vectors of Adsum's contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    if parser.parse_args(arguments).check:
        names = drifted(FOLDER)
        for name in names:
            print(f"{FOLDER / name} differs: run python protos/vectors/make.py", file=sys.stderr)
        return 1 if names else 0
    for name in MAKERS:
        (FOLDER / name).write_text(contents(name), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
