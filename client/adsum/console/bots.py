"""`adsum bots`: real members that come, go, change, answer, and lose their connection now and then.

The plan is `crowd`'s; here it is carried out. A bot is a client like any other, with a key of its own that is
never written down. To lose its connection as people do, it goes through a relay on this machine that is cut.
Bots answer people and never each other.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from typing import assert_never

from adsum.client import AdsumError, Identity, Lobby, MessageReceived, Profile
from adsum.console.access import enter
from adsum.console.commands import Access, BotsCommand
from adsum.console.crowd import Action, Change, Come, Crowd, Go, Lose, answer, key_seed
from adsum.console.exits import Exit
from adsum.console.output import Output
from adsum.console.relay import Relay, relay_to
from adsum.console.stdin_lines import wait_for_end
from adsum.console.text import words
from adsum.console.wording import count_words
from adsum.contract.identity import audience_of

BOT_ATTRIBUTES = {"kind": "bot"}
"""How bots say what they are, to people and to each other."""
THINKING_SECONDS = 0.4
"""How long a bot seems to think before it answers."""


async def bots(command: BotsCommand, output: Output) -> int:
    """Keep bots in a lobby until interrupted, or until stdin closes if that was asked for.

    Raises:
        ExceptionGroup: of the AdsumError for which the first bot can't be in the lobby. What befalls the
        others is noted on stderr.
    """
    async with asyncio.TaskGroup() as group:
        living = group.create_task(_live(command, output))
        if command.until_stdin_closes:
            await wait_for_end(0)
            living.cancel()
    return Exit.FINE


async def _live(command: BotsCommand, output: Output) -> None:
    access = command.access
    # TLS names the server that the user dialled, which a relay is not, and a relay for a server elsewhere
    # would be none of its names.
    can_lose = not access.tls and is_loopback(access.server)
    crowd = Crowd(command.count, seed=command.seed, pace_seconds=command.pace_seconds, can_lose=can_lose)
    async with asyncio.TaskGroup() as group:
        members = [
            Bot(number, name, command, output, group, can_lose=can_lose)
            for number, name in enumerate(crowd.names)
        ]
        host = members[0]
        while True:
            step = crowd.next_step()
            await asyncio.sleep(step.delay_seconds)
            members[step.bot].do(step.action)
            if not host.has_entered.is_set():
                # If the host can't enter, nobody can, and it says why.
                await host.has_entered.wait()
                output.note(
                    f"{count_words(command.count, 'bot', 'bots')} in {command.lobby} at {access.server}; Ctrl-C ends them"
                )


class Bot:
    """Be one member, as often as it comes."""

    def __init__(
        self,
        number: int,
        name: str,
        command: BotsCommand,
        output: Output,
        group: asyncio.TaskGroup,
        *,
        can_lose: bool,
    ) -> None:
        self._number = number
        self._profile = Profile(name=name, attributes=BOT_ATTRIBUTES)
        self._command = command
        self._output = output
        self._group = group
        self._can_lose = can_lose
        self._identity = (
            Identity.generate()
            if command.seed is None
            else Identity.from_seed(key_seed(command.seed, number))
        )
        self._visit: asyncio.Task[None] | None = None
        self._lobby: Lobby | None = None
        self._relay: Relay | None = None
        self.has_entered = asyncio.Event()
        """Set once the bot has been in the lobby."""

    def do(self, action: Action) -> None:
        """Start what the plan says. What doesn't fit (changing while away) is ignored."""
        match action:
            case Come():
                if self._visit is None or self._visit.done():
                    self._visit = self._group.create_task(self._be_there())
            case Go():
                if self._lobby is not None:
                    self._group.create_task(self._try(self._lobby.leave()))
            case Change(status, text):
                self._profile = replace(self._profile, status=status, status_text=text)
                if self._lobby is not None:
                    self._group.create_task(self._try(self._lobby.update(status=status, status_text=text)))
            case Lose(seconds):
                if self._relay is not None:
                    self._group.create_task(_lose(self._relay, seconds))
            case _:
                assert_never(action)

    async def _be_there(self) -> None:
        try:
            async with self._way() as access, self._enter(access) as lobby:
                self._lobby = lobby
                self.has_entered.set()
                async for event in lobby:
                    if isinstance(event, MessageReceived):
                        await self._answer(lobby, event)
        except AdsumError as error:
            if self._number == 0:
                raise
            self._output.note(f"{self._profile.name}: {error}")
        finally:
            self._lobby = None

    def _enter(self, access: Access) -> AbstractAsyncContextManager[Lobby]:
        return enter(access, self._command.lobby, None, identity=self._identity, profile=self._profile)

    @asynccontextmanager
    async def _way(self) -> AsyncIterator[Access]:
        access = self._command.access
        if not self._can_lose:
            yield access
            return
        host, _, port = access.server.rpartition(":")
        async with relay_to(host.strip("[]"), int(port)) as relay:
            self._relay = relay
            try:
                yield replace(access, server=relay.address)
            finally:
                self._relay = None

    async def _answer(self, lobby: Lobby, message: MessageReceived) -> None:
        sender = message.sender
        if sender is None or sender.profile.attributes.get("kind") == BOT_ATTRIBUTES["kind"]:
            return
        await asyncio.sleep(THINKING_SECONDS)
        text = answer(sender.name, words(message.payload), seed=self._command.seed, bot=self._number)
        await self._try(lobby.send(sender, text))

    async def _try(self, request: Awaitable[object]) -> None:
        # Between an order and its end the lobby may be left or the other may go: the plan doesn't care.
        with suppress(AdsumError):
            await request


def is_loopback(server: str) -> bool:
    """Tell whether `HOST:PORT` is surely on this machine."""
    host = audience_of(server)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _lose(relay: Relay, seconds: float) -> None:
    relay.cut()
    try:
        await asyncio.sleep(seconds)
    finally:
        relay.mend()
