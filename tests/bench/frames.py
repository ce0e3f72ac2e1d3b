"""The frames that a full screen writes, read back as text with the time at which each was complete."""

import re
from dataclasses import dataclass

FRAME_ENDS = b"\x1b[?2026l"
_LINE_STARTS = re.compile(rb"\x1b\[(\d+);1H")
_CONTROL = re.compile(rb"\x1b\[[\d;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold one frame."""

    at: float
    text: str

    def line_with(self, part: str) -> str:
        """Give the first line that has a text; an empty one if none has."""
        return next((line for line in self.text.split("\n") if part in line), "")


class FrameReader:
    """Follow what a program draws: each frame changes some lines of the one before."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: dict[int, str] = {}
        self.frames: list[Frame] = []

    def feed(self, written: bytes, now: float) -> None:
        """Take in what was written."""
        *whole, self._rest = (self._rest + written).split(FRAME_ENDS)
        for frame in whole:
            _, *parts = _LINE_STARTS.split(frame)
            for row, line in zip(parts[::2], parts[1::2], strict=True):
                self._lines[int(row)] = _CONTROL.sub(b"", line).decode("utf-8", "replace").rstrip("\r\n")
            self.frames.append(Frame(now, "\n".join(self._lines[row] for row in sorted(self._lines))))
