"""What a line that was typed means.

Pure. A line that doesn't start with a slash is said to the selected person; `//` at the start says a text
that starts with a slash. A name with spaces is quoted in `/send "Ada Lovelace" hello`.
"""

from dataclasses import dataclass

from adsum.client import Status
from adsum.console.wording import STATUS_WORDS

HELP = """\
TEXT                                  write to the selected person
/select NAME                          select someone, by name, fingerprint or key
/clear                                select nobody
/who                                  show who is here
/send NAME TEXT                       write to someone else; quote a name with spaces
/status available|away|busy [TEXT]    say how you are
/name NEW                             be called otherwise
/help                                 show this
/quit                                 leave; others see it at once\
"""
"""What `/help` shows."""
STATUSES = {word: status for status, word in STATUS_WORDS.items()}
"""The statuses by the word that is typed."""


@dataclass(frozen=True, slots=True)
class Say:
    """Write to the selected person."""

    text: str


@dataclass(frozen=True, slots=True)
class SendTo:
    """Write to somebody."""

    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class Select:
    """Select somebody."""

    recipient: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Select nobody."""


@dataclass(frozen=True, slots=True)
class Who:
    """Show who is here."""


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Say how one is. Without a text the old one is taken away."""

    status: Status
    text: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Be called otherwise."""

    name: str


@dataclass(frozen=True, slots=True)
class Help:
    """Show what can be typed."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line that means nothing, and what would have."""

    hint: str


Request = Say | SendTo | Select | Clear | Who | SetStatus | Rename | Help | Quit | Nothing | Mistake


def read_request(typed: str) -> Request:
    """Tell what a typed line means."""
    typed = typed.strip()
    if not typed:
        return Nothing()
    if typed.startswith("//"):
        return Say(typed[1:])
    if not typed.startswith("/"):
        return Say(typed)
    command, _, rest = typed.partition(" ")
    rest = rest.strip()
    match command:
        case "/select":
            return Select(_unquoted(rest)) if rest else Mistake("whom? /select NAME")
        case "/send":
            recipient, text = _split_recipient(rest)
            return SendTo(recipient, text) if recipient and text else Mistake("what to whom? /send NAME TEXT")
        case "/status":
            word, _, text = rest.partition(" ")
            status = STATUSES.get(word.lower())
            return (
                SetStatus(status, text.strip()) if status else Mistake("/status available|away|busy [TEXT]")
            )
        case "/name":
            return Rename(rest) if rest else Mistake("which? /name NEW")
        case "/clear":
            return Clear()
        case "/who":
            return Who()
        case "/help" | "/?":
            return Help()
        case "/quit" | "/exit":
            return Quit()
        case _:
            return Mistake(f"there is no {command}: /help shows what there is")


def _split_recipient(text: str) -> tuple[str, str]:
    """Take the recipient from the front: a quoted name, or the first word."""
    if text.startswith('"'):
        recipient, closed, rest = text[1:].partition('"')
        return (recipient, rest.strip()) if closed else ("", "")
    recipient, _, rest = text.partition(" ")
    return recipient, rest.strip()


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text.startswith('"') and text.endswith('"') else text
