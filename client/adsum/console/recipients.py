"""Whom a person means by a name, a fingerprint or a key.

Pure. It never guesses: a name must be exact and held by one member, and what looks like a fingerprint or a
key is never read as a name, so nobody can catch a message by calling themselves another's fingerprint.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from adsum.client import Member
from adsum.contract.text import normalise

FINGERPRINT_PATTERN = re.compile(r"[a-z2-7]{4}-[a-z2-7]{4}")
"""What looks like a fingerprint."""
KEY_PATTERN = re.compile(r"[0-9a-f]{64}")
"""What looks like a public key in hex."""


@dataclass(frozen=True, slots=True)
class Found:
    """Exactly one member is meant."""

    member: Member


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several members have that name."""

    candidates: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Nobody:
    """No member is meant; `similar` are those whom the person may have had in mind."""

    similar: tuple[Member, ...]


def find_recipient(members: Iterable[Member], text: str) -> Found | Ambiguous | Nobody:
    """Find whom a text means: the key in hex, the fingerprint, or the exact name.

    Two keys with one fingerprint are as ambiguous as two with one name.
    """
    wanted = normalise(text)
    lowered = wanted.lower()
    everyone = tuple(members)
    if KEY_PATTERN.fullmatch(lowered):
        matches = tuple(member for member in everyone if member.public_key.hex() == lowered)
    elif FINGERPRINT_PATTERN.fullmatch(lowered):
        matches = tuple(member for member in everyone if member.fingerprint == lowered)
    else:
        matches = tuple(member for member in everyone if member.name == wanted)
    match matches:
        case (member,):
            return Found(member)
        case ():
            return Nobody(tuple(member for member in everyone if member.name.casefold() == wanted.casefold()))
        case _:
            return Ambiguous(matches)


def ambiguity_words(text: str, candidates: tuple[Member, ...]) -> str:
    """Say who all are meant, and how to tell them apart."""
    return f"{len(candidates)} people are meant by {text}: {_list(candidates)}. Use the fingerprint."


def absence_words(text: str, similar: tuple[Member, ...], lobby: str) -> str:
    """Say that nobody is meant, and who may have been."""
    absence = f"{text} is not in {lobby}"
    return (
        f"{absence}. Perhaps you mean {_list(similar)}? Use the exact name or the fingerprint."
        if similar
        else absence
    )


def _list(members: tuple[Member, ...]) -> str:
    return ", ".join(f"{member.name} ({member.fingerprint})" for member in members)
