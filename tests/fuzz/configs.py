"""Whatever stands in the config file, the environment and the command line, `adsumd` starts or says what is wrong (exit code 2).

An input is a list of texts, with NUL between them: the file, and then words for the command line, or variables where there is a `=`.
A config that is accepted must be of use: its limits fit into a Welcome.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from adsum.server.config import load
from adsum.server.messages import Welcome
from adsum.server.options import GROUPS, LIMITS
from adsum.server.wire import encode_response

_FOLDER = tempfile.TemporaryDirectory(prefix="adsum-fuzz-")
_FILE = Path(_FOLDER.name) / "adsumd.toml"


def target(data: bytes) -> None:
    """Decide every option from the input."""
    content, *words = data.split(b"\0")
    _FILE.write_bytes(content)
    argv, environ = [f"--config={_FILE}"], {}
    for word in words[:20]:
        text = word.decode("utf-8", "surrogateescape")
        if text.startswith("ADSUM_"):
            name, _, value = text.partition("=")
            environ[name] = value
        elif text:
            argv.append(text)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            config = load(argv, environ)
    except SystemExit as end:
        _check_end(end, said.getvalue())
        return
    assert not config.limits.faults()
    assert encode_response(Welcome(b"s" * 16, b"t" * 32, 1, resumed=False), config.limits)
    assert config.listen
    assert all(str(address) for address in config.listen)


def _check_end(end: SystemExit, said: str) -> None:
    assert end.code in (0, 2), f"exit code {end.code}"
    assert said, "refused without a word"


def seeds() -> Iterator[bytes]:
    """Set each option in the file, and some on the command line and in the environment."""
    yield b'listen = ["0.0.0.0:7557"]\ninsecure = true\n[limits]\ngrace_seconds = 10\n'
    for option in (option for group in GROUPS.values() for option in group):
        table = "[limits]\n" if option in LIMITS.values() else ""
        yield f"{table}{option.key} = {option.default if option.default[0].isdigit() else repr(option.default)}\n".encode()
    yield b"\0--listen\0[::1]:0\0--admin-listen=none\0ADSUM_AUTH=none\0ADSUM_LOG_LEVEL=debug"
    yield b"\0--help"
    for value in (
        b"9" * 330,
        b"0x" + b"f" * 400,
        b"9" * 5_000,
        b"[" * 1_000,
        b"1979-05-27",
        b"'~no-such-user/x'",
        b"nan",
        b"{}",
    ):
        yield b"grace_seconds = " + value
        yield b"[limits]\ngrace_seconds = " + value
        yield b"[limits]\nmessage_bytes = " + value
        yield b"port_file = " + value
    yield b"\0--port-file=~no-such-user/x"
    yield b"[limits]\nlease_seconds = 1e300\nmessage_bytes = 0xffffffffffffffff\n\0--audience\0*.example.org"
