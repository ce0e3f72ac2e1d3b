"""Which clients there are to test: the manifests, what they need, and how they are built and started."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The top of the repository, where every program is built and started."""
PYTHON = "python"
"""The folder of the language that always runs; and as the first word of a command, the interpreter of the harness."""
BUILD_SECONDS = 1200.0
"""How long a build may take: a first one compiles gRPC's dependents on a slow machine."""


@dataclass(frozen=True, slots=True)
class Language:
    """Hold what a `conformance.json` says. `key` is the name of its folder."""

    key: str
    title: str
    needs: tuple[str, ...]
    build: tuple[str, ...]
    adapter: tuple[str, ...]

    def missing(self) -> list[str]:
        """Name the programs that are needed and not on the PATH."""
        return [program for program in self.needs if shutil.which(program) is None]

    def built(self) -> str | None:
        """Build the adapter; return what the build said if it failed."""
        if not self.build:
            return None
        try:
            done = subprocess.run(
                command(self.build),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=BUILD_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        return done.stdout.decode("utf-8", "replace") if done.returncode else None


def command(words: Iterable[str]) -> list[str]:
    """Make the command of a manifest one that can be started."""
    first, *others = words
    return [sys.executable if first == PYTHON else first, *others]


def read_manifest(file: Path) -> Language:
    """Read a `conformance.json`.

    Raises:
        ValueError: it isn't one.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Language(
            file.parent.name,
            str(content["language"]),
            _words(content.get("needs", [])),
            _words(content.get("build", [])),
            _words(content["adapter"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{file} is no manifest: {error!r}") from error


def find_languages(root: Path = ROOT) -> list[Language]:
    """Find every client that can be tested, Python first."""
    own = root / "tests/conformance/python/conformance.json"
    return [read_manifest(file) for file in (own, *sorted(root.glob("client/examples/*/conformance.json")))]


def chosen(languages: list[Language], wanted: str) -> list[Language]:
    """Choose by names with commas between them: folders or titles. Nothing and `all` mean every one; Python always comes along.

    Raises:
        ValueError: there is no such language.
    """
    names = [name for name in wanted.lower().replace(",", " ").split() if name != "all"]
    known = {name for language in languages for name in (language.key, language.title.lower())}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"no client for {', '.join(unknown)}; there are {', '.join(each.key for each in languages)}"
        )
    if not names:
        return languages
    return [each for each in languages if each.key == PYTHON or {each.key, each.title.lower()} & set(names)]


def _words(words: object) -> tuple[str, ...]:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{words!r} is no list of words")
    return tuple(words)
