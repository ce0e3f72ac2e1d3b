"""Where a person's private key lives: one line of text in a file that nobody else can read.

    adsum-ed25519-1 <the 32 secret bytes in base64>

The file appears at once and whole: it is written beside its place and linked into it, so two processes that
start at the same time get the same key, and a crash leaves no half of one. A file that others can read is
refused and not repaired: whoever read it has the key. The secret never stands in a message or a log.
"""

import base64
import errno
import os
import re
import secrets
import shlex
import stat
from pathlib import Path

from platformdirs import user_data_dir

from adsum.client.errors import KeyFileError
from adsum.contract.identity import Identity

_LABEL = "adsum-ed25519-1"
_LINE = re.compile(rf"{_LABEL} ([A-Za-z0-9+/]{{43}}=)\r?\n?", re.ASCII)
_LONGEST_FILE = 256
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_IS_POSIX = os.name == "posix"
# A link isn't followed, and a pipe in place of the file doesn't hang the program. Windows has neither flag.
_READ_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
# What file systems without hard links say.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def default_key_path() -> Path:
    """Tell where the key is kept if nobody says otherwise: in the user's data directory."""
    return Path(user_data_dir("adsum", appauthor=False)) / "identity.key"


def load_identity(path: Path | None = None, *, create: bool = True) -> Identity:
    """Read the key file, and make it first if there is none.

    Made with mode 0600, its directory with 0700 if that has to be made too. Of several processes that make it
    at once one wins, and all return its key.

    Raises:
        KeyFileError: there is none and `create` is False, others can read it, or it is no key file.
    """
    path = default_key_path() if path is None else Path(path)
    identity = _read(path)
    if identity is not None:
        return identity
    if not create:
        raise KeyFileError(f"there is no key at {path}")
    return _make(path)


def _read(path: Path) -> Identity | None:
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise KeyFileError(f"{path} is a symbolic link; a key file must be a file of its own") from exc
        raise KeyFileError(f"the key at {path} can not be read: {exc.strerror}") from exc
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"{path} is not a file")
        if _IS_POSIX and status.st_mode & _OTHERS:
            remedy = f"chmod 600 {shlex.quote(str(path))}"
            raise KeyFileError(f"others can read the key at {path}; if nobody has, run: {remedy}")
        content = os.read(descriptor, _LONGEST_FILE + 1)
    finally:
        os.close(descriptor)
    matched = _LINE.fullmatch(content.decode("latin-1"))
    if matched is None:
        raise KeyFileError(f"{path} is not an Adsum key file")
    return Identity.from_seed(base64.b64decode(matched[1]))


def _make(path: Path) -> Identity:
    identity = Identity.generate()
    line = f"{_LABEL} {base64.b64encode(identity.seed).decode('ascii')}\n".encode()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(draft, line)
        try:
            try:
                os.link(draft, path)
            except OSError as exc:
                if exc.errno not in _NO_LINKS:
                    raise
                _write(path, line)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as exc:
        winner = _read(path)
        if winner is None:
            raise KeyFileError(f"the key at {path} comes and goes") from exc
        return winner
    except OSError as exc:
        raise KeyFileError(f"a key can not be made at {path}: {exc.strerror}") from exc
    return identity


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, _WRITE_FLAGS, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
