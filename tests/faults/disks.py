"""A small disk that can be filled, as root: a tmpfs of its own."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = "256k"
PIECE = b"\0" * 4096


class Disk:
    """A folder with little room. `small_disk` makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> int:
        """Take all the room that is left; tell how many bytes that were."""
        with self._ballast.open("ab", buffering=0) as file:
            size = len(PIECE)
            while size:
                try:
                    file.write(PIECE[:size])
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2
            return file.tell()

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


def why_not() -> str | None:
    """Say why there can be no small disk here; None if there can."""
    return None if os.geteuid() == 0 else "a small disk (tmpfs) needs root"


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a small disk for the time of the block."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", folder], check=True, capture_output=True
    )
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True, capture_output=True)
