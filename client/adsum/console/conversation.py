"""A person in a lobby, in line mode: what happens is printed as it happens, and what is typed is done.

Two tasks share a `Conversation`: one tells events, one obeys what is typed. Each message is sent by a task of
its own, so that waiting for it to arrive holds up neither. Nobody is ever written to whom the person has not
named or selected, and a text that could not be sent is said to be so.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from datetime import datetime
from typing import assert_never

from adsum.client import AdsumError, Event, Lobby, Member, Phase, SelectionChanged, Snapshotted, Updated
from adsum.console import dialogue
from adsum.console.output import Output
from adsum.console.recipients import Ambiguous, Found, Nobody, absence_words, ambiguity_words, find_recipient
from adsum.console.text import Tone, line
from adsum.console.who import show_list
from adsum.console.wording import event_line, is_worth_a_line, member_spans, receipt_line, selection_line

UNANSWERED = 32
"""How many messages may wait for their outcome. The next one waits for its turn, and so does what is typed after it."""
LAST_WORDS_SECONDS = 15.0
"""How long leaving waits for what has been sent: the server tells the outcome within 10 s, and the way takes some time."""
MEMBERS_SHOWN = 100
"""How many members are listed on entering; more than this nobody reads."""


class Conversation:
    """Hold what line mode knows besides the lobby itself: who was selected last, who may have gone by now."""

    def __init__(self, lobby: Lobby, output: Output) -> None:
        self._lobby = lobby
        self._output = output
        self._addressed: Member | None = None
        self._sends: set[asyncio.Task[None]] = set()

    async def run(self, typed: AsyncGenerator[str, None], *, leave_at_end: bool) -> None:
        """Tell and obey until the person leaves or the session ends.

        `leave_at_end` says whether to leave when nothing more is typed.

        Raises:
            ExceptionGroup: of the AdsumError with which the session has ended for good.
        """
        async with asyncio.TaskGroup() as group:
            obeying = group.create_task(self._obey(typed, group, leave_at_end))
            await self._tell_events()
            obeying.cancel()

    async def _tell_events(self) -> None:
        async for event in self._lobby:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        match event:
            case Snapshotted():
                show_list(self._lobby, self._output, datetime.now().astimezone(), most=MEMBERS_SHOWN)
            case SelectionChanged() if self._lobby.state.phase is Phase.CLOSED:
                # Whom one had selected when one left is no news.
                pass
            case SelectionChanged(public_key=public_key):
                self._output.show(selection_line(event, self._known(public_key)), datetime.now().astimezone())
            case _:
                if isinstance(event, Updated) and self._known(event.member.public_key) is event.before:
                    self._addressed = event.member
                if is_worth_a_line(event):
                    self._output.show(event_line(event), datetime.now().astimezone())

    def _known(self, public_key: bytes) -> Member | None:
        """Tell what is known of the selected member, also after they have gone."""
        addressed = self._addressed
        return (
            addressed
            if addressed is not None and addressed.public_key == public_key
            else self._lobby.roster.get(public_key)
        )

    async def _obey(
        self, typed: AsyncGenerator[str, None], group: asyncio.TaskGroup, leave_at_end: bool
    ) -> None:
        async with aclosing(typed):
            async for text in typed:
                request = dialogue.read_request(text)
                if isinstance(request, dialogue.Quit):
                    break
                await self._do(request, group)
            else:
                if not leave_at_end:
                    return
        await self._finish_sends()
        await self._lobby.leave()

    async def _do(self, request: dialogue.Request, group: asyncio.TaskGroup) -> None:
        match request:
            case dialogue.Say(text):
                if (member := self._selected()) is not None:
                    await self._start_send(member, text, group)
            case dialogue.SendTo(recipient, text):
                if (member := self._find(recipient)) is not None:
                    await self._start_send(member, text, group)
            case dialogue.Select(recipient):
                if (member := self._find(recipient)) is not None:
                    await self._select(member)
            case dialogue.Clear():
                await self._select(None)
            case dialogue.Who():
                show_list(self._lobby, self._output, datetime.now().astimezone())
            case dialogue.SetStatus(status, text):
                await self._try(self._lobby.update(status=status, status_text=text))
            case dialogue.Rename(name):
                await self._try(self._lobby.update(name=name))
            case dialogue.Help():
                self._output.say(dialogue.HELP)
            case dialogue.Mistake(hint):
                self._complain(hint)
            case dialogue.Nothing() | dialogue.Quit():
                pass
            case _:
                assert_never(request)

    def _selected(self) -> Member | None:
        """Tell who is selected and here; if nobody is, say that nothing was sent."""
        selection = self._lobby.selection
        member = self._lobby.roster.get(selection.public_key) if selection else None
        if member is not None and selection is not None and member.incarnation == selection.incarnation:
            return member
        if self._addressed is not None:
            gone = line(
                "<",
                "not sent: ",
                *member_spans(self._addressed),
                " went offline; /select somebody",
                tone=Tone.BAD,
            )
            self._output.show(gone, datetime.now().astimezone())
        else:
            self._complain("not sent: nobody is selected; /select NAME first, or /help")
        return None

    def _find(self, text: str) -> Member | None:
        """Tell who is meant; if nobody is, or several are, say so."""
        match find_recipient(self._lobby.roster.values(), text):
            case Found(member):
                return member
            case Ambiguous(candidates):
                self._complain(ambiguity_words(text, candidates))
            case Nobody(similar):
                self._complain(absence_words(text, similar, self._lobby.name))
        return None

    async def _select(self, member: Member | None) -> None:
        before = self._lobby.selection
        self._addressed = member
        await self._try(self._lobby.select(member))
        selection = self._lobby.selection
        # What has changed is told as an event; that nothing has is worth a word to somebody who asked.
        if selection == before:
            unchanged = (
                selection_line(selection, member)
                if selection is not None
                else line("@", "nobody is selected")
            )
            self._output.show(unchanged, datetime.now().astimezone())

    async def _start_send(self, member: Member, text: str, group: asyncio.TaskGroup) -> None:
        while len(self._sends) >= UNANSWERED:
            await asyncio.wait(self._sends, return_when=asyncio.FIRST_COMPLETED)
        task = group.create_task(self._send(member, text))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _send(self, member: Member, text: str) -> None:
        try:
            # A terminal's reader hands on bytes that aren't UTF-8 as surrogates, which can't be sent.
            receipt = await self._lobby.send(member, text.encode("utf-8", "replace"))
        except AdsumError as error:
            failed = line("<", "not delivered to ", *member_spans(member), f": {error}", tone=Tone.BAD)
            self._output.show(failed, datetime.now().astimezone())
        else:
            self._output.show(receipt_line(member, receipt), datetime.now().astimezone())

    async def _finish_sends(self) -> None:
        if not self._sends:
            return
        self._output.say("waiting for messages to arrive; Ctrl-C leaves at once")
        _, late = await asyncio.wait(self._sends, timeout=LAST_WORDS_SECONDS)
        for task in late:
            task.cancel()
        if late:
            self._complain(f"{len(late)} messages were not confirmed")

    async def _try(self, request: Awaitable[object]) -> None:
        try:
            await request
        except AdsumError as error:
            self._complain(str(error))

    def _complain(self, text: str) -> None:
        self._output.show(line("", text, tone=Tone.WARNING), datetime.now().astimezone())
