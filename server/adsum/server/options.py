"""Every option of `adsumd`, declared once: its names, its default, how it is read, and its help.

Decides nothing but what a single value means; `config.py` decides which value counts and which go together. A default is written as an
operator would write it, so that defaults, flags, variables and the file are read by the same reader.
"""

import ipaddress
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from adsum.contract.identity import audience_of
from adsum.contract.limits import LONGEST_SECONDS, Limits
from adsum.server.logs import LogFormat, LogLevel
from adsum.server.loop import EventLoop

DEFAULT_PORT = 7557
"""The port of a listener that is given without one."""
DEFAULT_ADMIN_PORT = 7558
"""The port of an admin listener that is given without one."""
CLIENT_VARIABLES = frozenset(
    {"ADSUM_SERVER", "ADSUM_NAME", "ADSUM_KEY", "ADSUM_CA", "ADSUM_TLS", "ADSUM_LOBBY"}
)
"""Variables of the same prefix that are meant for `adsum`, not for `adsumd`."""
VARIABLE_PREFIX = "ADSUM_"
"""What the environment variables of Adsum start with."""
LIMITS_TABLE = "limits"
"""The table of the TOML file that holds the limits; all other keys stand at the top."""

_LARGEST_NUMBER = 2**63 - 1
"""No whole number is larger than what TOML has: Python wouldn't even write one of thousands of digits into a sentence."""

T = TypeVar("T")


class Auth(StrEnum):
    """Whether a client must prove that it has the key it names."""

    KEY = "key"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Address:
    """A host, in lower case and without brackets, and a port; 0 lets the system choose one.

    `str` writes it as gRPC reads it.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> "Address":
        """Read `HOST`, `HOST:PORT`, `V6` or `[V6]:PORT`.

        Raises:
            ValueError: it is none of these; the message quotes it.
        """
        text = text.strip()
        host = audience_of(text)
        if host.isdigit():
            raise ValueError(f"{text!r} is a port without a host: write localhost:{text}")
        if ":" in host and _ip(host) is None:
            raise ValueError(f"{text!r} is not HOST:PORT: write an IPv6 address as [::1]:{default_port}")
        bare = host == text.lower().removesuffix(".") or text.endswith("]")
        ip = _ip(host)
        return cls(host if ip is None else str(ip), default_port if bare else int(text.rpartition(":")[2]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. A name but `localhost` may mean anything."""
        ip = _ip(self.host)
        return ip.is_loopback if ip is not None else self.host == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine."""
        ip = _ip(self.host)
        return ip is not None and ip.is_unspecified

    def collides(self, other: "Address") -> bool:
        """Tell whether two listeners can't have both."""
        if self.port == 0 or self.port != other.port:
            return False
        if self.is_loopback and other.is_loopback:
            # The name stands for both loopback addresses.
            return self.host == other.host or "localhost" in (self.host, other.host)
        return self.host == other.host or self.is_wildcard or other.is_wildcard


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given. `directory` is what a relative path starts from."""

    value: object
    origin: str
    directory: Path = Path()


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """One setting. `name` is the flag without its dashes; variable and key of the file follow from it.

    `read` turns what was given into a value or raises ValueError with what is wrong; `default` goes through
    it too. A switch takes no value as a flag, a repeatable option may be given several times, and a hidden
    one is only a flag.
    """

    name: str
    read: Callable[[Given], T]
    default: str
    metavar: str
    help: str
    switch: bool = False
    repeatable: bool = False
    hidden: bool = False
    in_file: bool = True

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return "--" + self.name

    @property
    def variable(self) -> str:
        """The environment variable for it."""
        return VARIABLE_PREFIX + self.key.upper()

    @property
    def key(self) -> str:
        """The key for it in the TOML file, within its table."""
        return self.name.replace("-", "_")


class Auto(Enum):
    """Stands for a value that is worked out from others."""

    AUTO = "auto"


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def shown(value: object) -> str:
    """Quote what was given in a sentence. A file may hold what no sentence can: numbers and tables without end."""
    try:
        return repr(value)
    except (ValueError, RecursionError):
        return "what is too large to show"


def _text(given: Given) -> str:
    if not isinstance(given.value, str) or not given.value.strip():
        raise ValueError(f"must be a text, not {shown(given.value)}")
    return given.value.strip()


def _texts(given: Given) -> list[str]:
    """Take a list, or a text with commas."""
    items = given.value if isinstance(given.value, list) else [given.value]
    texts = [_text(Given(item, given.origin)) for item in items]
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _addresses(given: Given) -> tuple[Address, ...]:
    addresses = tuple(dict.fromkeys(Address.parse(text, DEFAULT_PORT) for text in _texts(given)))
    if not addresses:
        raise ValueError("must name at least one address")
    for index, address in enumerate(addresses):
        for other in addresses[:index]:
            if address.collides(other):
                raise ValueError(f"{other} and {address} are the same port twice")
    return addresses


def _admin_address(given: Given) -> Address | None:
    text = _text(given)
    return None if text == "none" else Address.parse(text, DEFAULT_ADMIN_PORT)


def _audiences(given: Given) -> tuple[str, ...]:
    texts = _texts(given)
    names = () if texts == ["none"] else tuple(dict.fromkeys(audience_of(text) for text in texts))
    for name in names:
        if "*" in name.removeprefix("*.") or name == "*.":
            raise ValueError(f"{name!r}: a star can only stand for the whole first part, as in *.example.org")
    return names


def _path(given: Given) -> Path | None:
    text = _text(given)
    if text == "none":
        return None
    if "\0" in text:
        raise ValueError(f"{text!r}: no path holds a NUL")
    try:
        # The shell doesn't expand a tilde in a file or in --flag=~/x; joining leaves an absolute path as it is.
        return given.directory / Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r}: there is no such home directory") from None


def _path_or_auto(given: Given) -> Path | Auto | None:
    return Auto.AUTO if given.value == "auto" else _path(given)


def _switch(given: Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    word = given.value.strip().lower() if isinstance(given.value, str) else ""
    if word not in words:
        raise ValueError(f"must be true or false, not {shown(given.value)}")
    return words[word]


def _number(given: Given) -> float:
    value = given.value
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"must be a number, not {shown(value)}") from None
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number, not {shown(value)}")
    return number


def _whole_number(given: Given) -> int:
    value = given.value
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError
        number = int(value)
    except ValueError:
        raise ValueError(f"must be a whole number, not {shown(value)}") from None
    if abs(number) > _LARGEST_NUMBER:
        raise ValueError(f"must be a whole number of at most {_LARGEST_NUMBER}")
    return number


def _seconds(given: Given) -> float:
    number = _number(given)
    if number < 0:
        raise ValueError(f"must be 0 or more seconds, not {number:g}")
    # Clients are told how long they have.
    if number > LONGEST_SECONDS:
        raise ValueError(f"must be at most {LONGEST_SECONDS} seconds, not {number:g}")
    return number


Choice = TypeVar("Choice", bound=StrEnum)


def _one_of(choices: type[Choice]) -> Callable[[Given], Choice]:
    def read(given: Given) -> Choice:
        try:
            # Of another type it is none of the words.
            return choices(given.value.strip().lower() if isinstance(given.value, str) else "")
        except ValueError:
            raise ValueError(f"must be {' or '.join(choices)}, not {shown(given.value)}") from None

    return read


CONFIG = Option("config", _path, "none", "FILE", "a TOML file with options; see below", in_file=False)
LISTEN = Option(
    "listen",
    _addresses,
    f"localhost:{DEFAULT_PORT}",
    "HOST:PORT",
    "where clients connect; may be repeated or a list with commas. 0.0.0.0 or [::] is every address of this "
    "machine, port 0 a free port",
    repeatable=True,
)
ADMIN_LISTEN = Option(
    "admin-listen",
    _admin_address,
    f"127.0.0.1:{DEFAULT_ADMIN_PORT}",
    "HOST:PORT",
    "where to look inside (lobbies, members, health, reflection); has no authentication. 'none' turns it off",
)
PORT_FILE = Option(
    "port-file",
    _path,
    "none",
    "FILE",
    "write the addresses listened on there, as JSON, as soon as clients can connect; for port 0",
)
TLS_CERT = Option(
    "tls-cert",
    _path,
    "none",
    "FILE",
    "certificate of this server and those between it and the authority, PEM",
)
TLS_KEY = Option("tls-key", _path, "none", "FILE", "its private key, PEM, without a password")
INSECURE = Option(
    "insecure",
    _switch,
    "false",
    "",
    "serve other machines although there is no TLS, or the admin listener although it has no authentication",
    switch=True,
)
AUTH = Option(
    "auth",
    _one_of(Auth),
    "key",
    "key|none",
    "'key': clients prove their key. 'none': anybody can be anybody; for development, on loopback only",
)
AUDIENCE = Option(
    "audience",
    _audiences,
    "none",
    "NAME",
    "another name that clients may dial this server by; may be repeated, *.example.org is allowed. In any "
    "case it answers to the names in its certificate and the addresses it listens on, to localhost on "
    "loopback, and on 0.0.0.0 or [::] without TLS to localhost, this machine's name and its main address",
    repeatable=True,
)
DRAIN_SECONDS = Option(
    "drain-seconds",
    _seconds,
    "2",
    "SECONDS",
    "how long clients have to leave when the server stops; a second signal stops at once",
)
HANDOVER_FILE = Option(
    "handover-file",
    _path_or_auto,
    "auto",
    "FILE",
    "what a stopping server leaves for its successor, so that a restart shows nobody as gone. 'auto' is a "
    "file in your state directory named after the port (none for port 0), 'none' turns it off",
)
UNTIL_STDIN_CLOSES = Option("until-stdin-closes", _switch, "false", "", "", switch=True, hidden=True)
EVENT_LOOP = Option(
    "event-loop",
    _one_of(EventLoop),
    "auto",
    "auto|asyncio|uvloop",
    "what to run on; auto: uvloop if it is installed (pip install 'adsum[uvloop]'), which serves about a third more",
)
LOG_FORMAT = Option(
    "log-format",
    _one_of(LogFormat),
    "auto",
    "auto|text|json",
    "auto: text on a terminal, JSON lines elsewhere",
)
LOG_LEVEL = Option(
    "log-level", _one_of(LogLevel), "info", "debug|info|warning|error", "the least that is logged"
)


_LIMIT_HELP = {
    "handshake_seconds": "to finish the handshake",
    "heartbeat_seconds": "between two heartbeats, varied by a fifth",
    "lease_seconds": "of silence until a client is shown as suspect; at least 2.4 heartbeats",
    "grace_seconds": "that a lost client may come back in, unseen by others; 0 makes each loss a leave",
    "message_bytes": "in one request, whatever it holds",
    "payload_bytes": "in one message to another member",
    "members_per_lobby": "members in a lobby",
    "sessions_per_member": "devices of a member in a lobby",
    "lobbies": "lobbies on this server",
    "tombstones_per_lobby": "departures a lobby remembers, for clients that were away",
    "observers_per_lobby": "observers of a lobby",
    "updates_per_second": "changes of a profile a second; later ones wait, nobody is refused",
    "update_burst": "changes of a profile at once",
    "sends_per_second": "messages that a client may send a second",
    "send_burst": "messages that a client may send at once",
    "requests_per_second": "requests of any kind a second on a stream",
    "request_burst": "requests of any kind at once on a stream",
    "errors_per_stream": "refused requests until a stream is ended",
    "unproved_streams_per_address": "streams from one address that have not proved their key yet",
    "unproved_streams": "streams that have not proved their key yet",
    "pending_deliveries": "messages on their way to one client",
    "ack_seconds": "that a recipient's client has to acknowledge a message",
    "results_kept": "results of messages remembered for a client that asks again",
}


def _limit(name: str, default: float) -> Option[float]:
    whole = isinstance(default, int)
    return Option(
        name.replace("_", "-"),
        _whole_number if whole else _number,
        str(default) if whole else f"{default:g}",
        "N" if whole else "SECONDS" if name.endswith("_seconds") else "RATE",
        ("seconds " if name.endswith("_seconds") else "bytes " if name.endswith("_bytes") else "")
        + _LIMIT_HELP[name],
    )


LIMITS: dict[str, Option[float]] = {
    field.name: _limit(field.name, getattr(Limits(), field.name)) for field in fields(Limits)
}
"""An option for every limit of the contract."""
GROUPS: dict[str, Sequence[Option[Any]]] = {
    "listening": (LISTEN, ADMIN_LISTEN, PORT_FILE),
    "security": (TLS_CERT, TLS_KEY, INSECURE, AUTH, AUDIENCE),
    "stopping": (DRAIN_SECONDS, HANDOVER_FILE, UNTIL_STDIN_CLOSES),
    "running": (EVENT_LOOP,),
    "logging": (LOG_FORMAT, LOG_LEVEL),
    "configuration": (CONFIG,),
    "limits": tuple(LIMITS.values()),
}
"""Every option, in the order of the help."""
