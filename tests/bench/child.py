"""A process of the load: told what to do by lines of JSON, pinned to the load's core."""

import json
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from tests.bench.machine import pinned


class Child:
    """A process that answers each line by one. Use in a `with`; it is killed at the end."""

    def __init__(self, core: int, module: str, arguments: Sequence[str]) -> None:
        with pinned(core):
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def tell(self, do: str, **options: object) -> None:
        """Ask for something, and don't wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for the answer to the oldest `tell` that has none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the load has ended; what it wrote is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **options: object) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        self.tell(do, **options)
        return self.hear()

    def __enter__(self) -> "Child":
        """Be used in a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
