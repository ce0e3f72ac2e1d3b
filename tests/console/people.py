"""Members to test with."""

from datetime import UTC, datetime

from adsum.client import Identity, Liveness, Member, Profile, Status

JOINED_AT = datetime(2026, 5, 9, 12, 0, 0, tzinfo=UTC)
NASTY_NAMES = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]52;c;c3RvbGVu\x07",
    "\x9b2J",
    "back\x08\x08\x08\x08",
    "two\nlines\r",
    "\u202egnirts\u202c",
    "zero\u200bwidth",
    "[red]markup[/red]",
    "[link=https://example.org]click[/link]",
    "Zal" + "\u0301" * 20 + "go",
    "\ud800",
    "\x7f\x00",
    ":smile:",
)
"""What a hostile member might call themselves, had the server let them."""


def member(
    name: str = "Ada",
    *,
    key: int = 1,
    status: Status = Status.AVAILABLE,
    status_text: str = "",
    attributes: dict[str, str] | None = None,
    liveness: Liveness = Liveness.ONLINE,
    session_count: int = 1,
    revision: int = 7,
    incarnation: int = 5,
) -> Member:
    """Make a member; `key` numbers the identities."""
    return Member(
        public_key=public_key(key),
        incarnation=incarnation,
        revision=revision,
        liveness=liveness,
        profile=Profile(name, status, status_text, attributes or {}),
        joined_at=JOINED_AT,
        session_count=session_count,
    )


def public_key(key: int) -> bytes:
    """Tell the public key of a numbered identity."""
    return Identity.from_seed(key.to_bytes(32, "big")).public_key
