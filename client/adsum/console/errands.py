"""What the full screen wants done: values that the reducer returns and the shell carries out."""

from dataclasses import dataclass

from adsum.client import Member, Status


@dataclass(frozen=True, slots=True)
class Select:
    """Ask the server to confirm somebody, or to forget the selection. A `SelectEnded` follows for somebody."""

    public_key: bytes | None


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text to this very presence of a member. A `SendEnded` follows."""

    message_id: int
    member: Member
    text: str


@dataclass(frozen=True, slots=True)
class Update:
    """Say how one is."""

    status: Status
    text: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the lobby properly, and end."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Do what a SIGINT does: the terminal in raw mode makes none of Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """Give the terminal back, and stop until the person continues the program."""


@dataclass(frozen=True, slots=True)
class Repaint:
    """Clear the terminal and draw everything again."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring the terminal's bell, once."""


Errand = Select | Send | Update | Leave | Interrupt | Suspend | Repaint | Ring
