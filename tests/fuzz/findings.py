"""What was found: each kind of failure once, with the smallest input that shows it."""

import hashlib
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


class TooSlow(Exception):
    """An input took far more of the processor than any should."""


@dataclass(slots=True)
class Findings:
    """Run inputs, and keep those that fail in a folder. `kinds` are the failures seen, by where and how."""

    folder: Path
    run: Callable[[bytes], None]
    cpu_seconds: float
    kinds: dict[str, int] = field(default_factory=dict)
    """How long the smallest input of each kind is."""

    def __post_init__(self) -> None:
        """Go on with what was found before."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def try_input(self, data: bytes) -> bool:
        """Run an input; False if it has failed. Nothing is raised, so that a long run finds more than one thing."""
        started = time.process_time()
        try:
            self.run(data)
            took = time.process_time() - started
            if took > self.cpu_seconds:
                raise TooSlow(f"{took:.1f} s of the processor for {len(data)} bytes")
        except (KeyboardInterrupt, MemoryError):
            raise
        # A SystemExit that a target doesn't expect is a failure too.
        except BaseException as error:  # noqa: BLE001
            self._keep(data, error)
            return False
        return True

    def _keep(self, data: bytes, error: BaseException) -> None:
        kind = kind_of(error)
        known = self.kinds.get(kind)
        if known is not None and known <= len(data):
            return
        self.kinds[kind] = len(data)
        name = f"crash-{hashlib.sha256(kind.encode()).hexdigest()[:10]}"
        (self.folder / name).write_bytes(data)
        told = "".join(traceback.format_exception(error))
        (self.folder / f"{name}.txt").write_text(f"{kind}\n\n{told}", encoding="utf-8", errors="replace")


def kind_of(error: BaseException) -> str:
    """Name a failure by its type, its words without numbers, and the last place in the code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "adsum" in frame.filename or "fuzz" in frame.filename] or list(
        frames
    )
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
    words = re.sub(r"[0-9]+|'[^']*'", "#", str(error))[:60]
    # Where a slow input ends says nothing about where it was slow.
    return f"{type(error).__name__} at {'any' if isinstance(error, TooSlow) else place}: {words}"


def count(folder: Path) -> int:
    """Count the kinds of failure in a folder."""
    return sum(1 for file in folder.glob("crash-*") if file.suffix != ".txt") if folder.is_dir() else 0
