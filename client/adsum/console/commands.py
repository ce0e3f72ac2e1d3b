"""What can be asked of `adsum`: one value for each command, with everything it needs to know."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server, and who to be there. None stands for what the user's system says.

    `name` is what was asked for just now; `usual_name` is what the user's environment says in general.
    """

    server: str
    name: str | None = None
    usual_name: str | None = None
    key: Path | None = None
    tls: bool = False
    ca: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class JoinCommand:
    """`adsum join`."""

    access: Access
    lobby: str
    plain: bool


@dataclass(frozen=True, slots=True)
class WatchCommand:
    """`adsum watch`. It ends after a time or a number of events, whichever comes first, or never."""

    access: Access
    lobby: str
    plain: bool
    json: bool
    for_seconds: float | None
    event_count: int | None


@dataclass(frozen=True, slots=True)
class WhoCommand:
    """`adsum who`."""

    access: Access
    lobby: str
    plain: bool
    json: bool


@dataclass(frozen=True, slots=True)
class SendCommand:
    """`adsum send`. The text `-` stands for what comes on stdin."""

    access: Access
    lobby: str
    plain: bool
    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class KeyCommand:
    """`adsum key`. Without `make` or `show` a key is made only if there is none."""

    path: Path | None
    plain: bool
    make: bool
    show: bool


@dataclass(frozen=True, slots=True)
class BotsCommand:
    """`adsum bots`."""

    access: Access
    lobby: str
    plain: bool
    count: int
    seed: int | None
    pace_seconds: float
    until_stdin_closes: bool


@dataclass(frozen=True, slots=True)
class DemoCommand:
    """`adsum demo`."""

    name: str | None
    usual_name: str | None
    key: Path | None
    lobby: str
    plain: bool
    count: int
    seed: int | None
    pace_seconds: float


Command = JoinCommand | WatchCommand | WhoCommand | SendCommand | KeyCommand | BotsCommand | DemoCommand
