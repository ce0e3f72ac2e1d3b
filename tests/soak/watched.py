"""A server whose inside can be looked at: on SIGUSR1 it writes its figures to a file.

    python -m tests.soak.watched FIGURES PORTS adsumd [--plant LEAK …] -- OPTIONS OF ADSUMD
    python -m tests.soak.watched FIGURES PORTS bare

`adsumd` is the real program, started by its own `main`; only the hub is one that remembers itself, so that it can be found. `bare` is the
baseline of the benchmark: gRPC without Adsum. `--plant` makes adsumd leak on purpose, to see that the soak finds it.
"""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adsum.server import app
from adsum.server.hub import Hub, Stream
from tests.bench import bare
from tests.soak.inside import hub_figures, process_figures

_PR_SET_PDEATHSIG = 1
PLANTED_BYTES = 4096
PLANTED_TIMER_SECONDS = 7200.0
PLANTED_DESCRIPTOR_EVERY = 20
"""A descriptor for each stream would end the server before it is judged."""


class Figures:
    """Write figures to a file at each signal, as a whole or not at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._sequence = 0
        self.hub: Hub | None = None

    def listen(self) -> None:
        """Wait for signals, in the loop that runs."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._write)

    def _write(self) -> None:
        self._sequence += 1
        content: dict[str, Any] = {"sequence": self._sequence, **process_figures()}
        if self.hub is not None:
            content |= hub_figures(self.hub)
        temporary = self._file.with_suffix(".part")
        temporary.write_text(json.dumps(content), encoding="ascii")
        temporary.replace(self._file)


class _Leaks:
    """What a planted leak does for each stream that ends."""

    def __init__(self) -> None:
        self._kept: list[object] = []
        self._ended = 0
        self.by_name: dict[str, Callable[[Stream], None]] = {
            "streams": self._kept.append,
            "bytes": lambda _: self._kept.append(bytearray(PLANTED_BYTES)),
            "timers": lambda _: self._start_timer(),
            "descriptors": lambda _: self._open_descriptor(),
            "tasks": lambda _: self._start_task(),
        }

    @staticmethod
    def _start_timer() -> None:
        asyncio.get_running_loop().call_later(PLANTED_TIMER_SECONDS, int)

    def _open_descriptor(self) -> None:
        self._ended += 1
        if self._ended % PLANTED_DESCRIPTOR_EVERY == 0:
            os.dup(1)

    def _start_task(self) -> None:
        waiting = asyncio.Event().wait()
        self._kept.append(asyncio.get_running_loop().create_task(waiting))


LEAKS = ("streams", "bytes", "timers", "descriptors", "tasks")
"""What can be planted."""


def _run_adsumd(figures: Figures, planted: list[str], options: list[str]) -> int:
    leaks = _Leaks()

    class WatchedHub(Hub):
        async def __aenter__(self) -> Hub:
            figures.hub = self
            figures.listen()
            return await super().__aenter__()

        def close_stream(self, stream: Stream) -> None:
            super().close_stream(stream)
            for name in planted:
                leaks.by_name[name](stream)

    vars(app)["Hub"] = WatchedHub
    return app.main(options)


async def _serve_bare(figures: Figures, ports: Path) -> None:
    figures.listen()
    await bare.serve(ports)


def main() -> int:
    """Be the server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("ports", type=Path)
    parser.add_argument("kind", choices=("adsumd", "bare"))
    parser.add_argument("--plant", choices=LEAKS, nargs="+", default=[])
    ours, _, theirs = _split(sys.argv[1:])
    arguments = parser.parse_args(ours)
    # A soak that is killed must not leave servers behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    figures = Figures(arguments.figures)
    if arguments.kind == "bare":
        bare.run(_serve_bare(figures, arguments.ports), uvloop=True)
        return 0
    return _run_adsumd(figures, arguments.plant, ["--port-file", str(arguments.ports), *theirs])


def _split(words: list[str]) -> tuple[list[str], str, list[str]]:
    if "--" not in words:
        return words, "", []
    place = words.index("--")
    return words[:place], "--", words[place + 1 :]


if __name__ == "__main__":
    sys.exit(main())
