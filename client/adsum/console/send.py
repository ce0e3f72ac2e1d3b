"""`adsum send`: one message to one person, and what became of it."""

import asyncio
import sys
from dataclasses import replace

from adsum.client import Identity, Lobby, Member, Profile
from adsum.console.access import enter, find_identity, find_name
from adsum.console.commands import SendCommand
from adsum.console.exits import CommandError, Exit
from adsum.console.output import Output
from adsum.console.recipients import Ambiguous, Found, Nobody, absence_words, ambiguity_words, find_recipient
from adsum.console.wording import receipt_line

SEND_SECONDS = 30.0
"""How long the outcome is waited for. The server tells it within 10 s; the rest is for a connection that is lost on the way."""


async def send(command: SendCommand, output: Output) -> int:
    """Look who is meant, enter, send, and leave.

    The look comes first and as an observer: for a recipient who isn't there nobody shall see the sender come
    and go, and a sender who is there already keeps the profile they have.

    Raises:
        CommandError: nobody, or more than one, is meant, or there is nothing to send.
        AdsumError: the message wasn't delivered, or the lobby can't be entered.
    """
    payload = _payload(command.text)
    identity = find_identity(command.access)
    async with enter(command.access, command.lobby, output, identity=identity, observer=True) as lobby:
        recipient = _recipient(lobby, command)
        profile = _profile(lobby, identity, command)
    async with enter(command.access, command.lobby, output, identity=identity, profile=profile) as lobby:
        try:
            with output.waiting(f"waiting for {recipient.name} to receive it"):
                async with asyncio.timeout(SEND_SECONDS):
                    receipt = await lobby.send(recipient, payload)
        except TimeoutError:
            message = f"no answer within {SEND_SECONDS:g} s: the message may not have been read"
            raise CommandError(Exit.UNAVAILABLE, message) from None
    output.show(receipt_line(recipient, receipt))
    return Exit.FINE


def _payload(text: str) -> bytes:
    """Take the message from the command line, or from stdin without its last line break."""
    # What the shell handed over that wasn't UTF-8 is sent as the bytes that it was.
    payload = (
        sys.stdin.buffer.read().removesuffix(b"\n")
        if text == "-"
        else text.encode("utf-8", "surrogateescape")
    )
    if not payload:
        raise CommandError(Exit.USAGE, "there is nothing to send: the text is empty")
    return payload


def _recipient(lobby: Lobby, command: SendCommand) -> Member:
    match find_recipient(lobby.roster.values(), command.recipient):
        case Found(member):
            return member
        case Ambiguous(candidates):
            raise CommandError(Exit.USAGE, ambiguity_words(command.recipient, candidates))
        case Nobody(similar):
            raise CommandError(
                Exit.RECIPIENT_OFFLINE,
                f"recipient is offline: {absence_words(command.recipient, similar, command.lobby)}",
            )


def _profile(lobby: Lobby, identity: Identity, command: SendCommand) -> Profile:
    """Say about oneself what one's other sessions say, so that a message changes nothing but what was asked for."""
    present = lobby.roster.get(identity.public_key)
    if present is None:
        return Profile(name=find_name(command.access))
    return replace(present.profile, name=command.access.name or present.name)
