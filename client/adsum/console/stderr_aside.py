"""What other code writes to stderr while the screen is full: kept aside, and shown when there is room.

Libraries below Python write to the file descriptor without asking, and would tear the picture.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

KEPT_BYTES = 64 * 1024
"""How much of the end is shown afterwards."""


@contextmanager
def stderr_aside() -> Iterator[None]:
    """Keep stderr off the terminal as long as the context lasts; if it goes elsewhere anyway, leave it alone."""
    if not sys.stderr.isatty():
        yield
        return
    descriptor = sys.stderr.fileno()
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        terminal = os.dup(descriptor)
        os.dup2(aside.fileno(), descriptor)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, descriptor)
            os.close(terminal)
            size = aside.seek(0, os.SEEK_END)
            aside.seek(max(0, size - KEPT_BYTES))
            sys.stderr.buffer.write(aside.read())
            sys.stderr.flush()
