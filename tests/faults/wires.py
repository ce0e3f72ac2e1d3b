"""Network namespaces with a link of their own, as root: a real interface that goes down, under real TCP.

A namespace holds one process of people; its link ends here, where the server listens on every address.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

OURS = "10.213.{number}.1"
THEIRS = "10.213.{number}.2"


class Wire:
    """A namespace and its link. `laid_wires` makes it."""

    def __init__(self, number: int) -> None:
        # The process id keeps two runs on one machine apart.
        self.namespace = f"adsum-{os.getpid()}-{number}"
        self.number = number % 250
        self.ours = OURS.format(number=self.number)
        self._here = f"ad{os.getpid() % 100000}h{number}"
        self._there = f"ad{os.getpid() % 100000}t{number}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command to run it inside."""
        return ("ip", "netns", "exec", self.namespace)

    def lay(self) -> None:
        """Make the namespace and the link."""
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.namespace)
        _ip("address", "add", f"{self.ours}/30", "dev", self._here)
        _ip("link", "set", self._here, "up")
        _ip(
            "-n",
            self.namespace,
            "address",
            "add",
            f"{THEIRS.format(number=self.number)}/30",
            "dev",
            self._there,
        )
        self.up()

    def up(self) -> None:
        """Let the link work."""
        _ip("-n", self.namespace, "link", "set", self._there, "up")

    def down(self) -> None:
        """Cut it: packets vanish, and nobody is told."""
        _ip("-n", self.namespace, "link", "set", self._there, "down")

    def remove(self) -> None:
        """Take everything away again."""
        subprocess.run(["ip", "link", "del", self._here], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.namespace], check=False, capture_output=True)


def why_not() -> str | None:
    """Say why there can be no namespaces here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no `ip` (Debian: apt install iproute2)"
    wire = Wire(250)
    try:
        wire.lay()
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made: {error.stderr.strip()}"
    finally:
        wire.remove()
    return None


@contextmanager
def laid_wires(count: int) -> Iterator[list[Wire]]:
    """Make so many namespaces for the time of the block."""
    wires = [Wire(number) for number in range(1, count + 1)]
    try:
        for wire in wires:
            wire.lay()
        yield wires
    finally:
        for wire in wires:
            wire.remove()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
