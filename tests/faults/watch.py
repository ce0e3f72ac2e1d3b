"""The server's own word on a lobby, written down: a watcher of AdminService, which comes back when the server was away.

The list is kept and proved by the rules of `tests.integration.raw_roster`, so a gap, a repetition or a wrong digest is found here, whatever
clients make of it. What it is told becomes a diary like everybody's.
"""

import asyncio
import time
from collections.abc import Callable

import grpc

from adsum.v1.admin_pb2 import WatchLobbyRequest
from adsum.v1.admin_pb2_grpc import AdminServiceStub
from adsum.v1.member_pb2 import LIVENESS_ONLINE, Delta, Member
from tests.faults.history import Diary, Seen
from tests.integration.promises import BrokenPromiseError
from tests.integration.raw_roster import RawRoster
from tests.integration.raw_stream import open_channel

AGAIN_SECONDS = 0.2


class Watch:
    """Write down what the server tells of a lobby. `run` until cancelled."""

    def __init__(
        self, lobby: str, diary: Diary, address: Callable[[], str], news: Callable[[], None]
    ) -> None:
        self.lobby = lobby
        self.diary = diary
        self.roster = RawRoster()
        self.deltas = 0
        self.violations: list[BrokenPromiseError] = []
        self._address = address
        self._news = news

    async def run(self) -> None:
        """Watch, and come back when the server does."""
        while True:
            channel = open_channel(self._address())
            try:
                await self._watch(AdminServiceStub(channel))
            except BrokenPromiseError as error:
                self.violations.append(error)
            except grpc.aio.AioRpcError:
                # The server is away: what was missed stands in the next snapshot.
                pass
            finally:
                await channel.close()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _watch(self, stub: AdminServiceStub) -> None:
        # Each watch begins with a snapshot; what differs from the list before is what was missed.
        before, roster = self.roster, RawRoster()
        async for answer in stub.WatchLobby(WatchLobbyRequest(lobby=self.lobby)):
            if answer.HasField("snapshot"):
                roster.take_snapshot(answer.snapshot)
                if roster.is_complete:
                    self.roster = roster
                    self._note_difference(before.members, roster.members)
                    self._note_epoch(before, roster)
            else:
                old = {key: roster.members.get(key) for key in _touched(answer.delta)}
                roster.take_delta(answer.delta)
                self.deltas += 1
                for key, member in old.items():
                    self._note_change(key, member, roster.members.get(key))
            self._news()

    def _note_difference(self, before: dict[bytes, Member], after: dict[bytes, Member]) -> None:
        for key in before.keys() | after.keys():
            self._note_change(key, before.get(key), after.get(key))

    def _note_epoch(self, before: RawRoster, after: RawRoster) -> None:
        if before.is_complete and before.epoch != after.epoch:
            self.diary.seen.append(Seen(time.monotonic(), "repaired", after.revision, word="epoch"))

    def _note_change(self, key: bytes, before: Member | None, after: Member | None) -> None:
        if before == after:
            return
        known = after or before
        assert known is not None
        events = []
        if before is not None and (after is None or after.incarnation != before.incarnation):
            events.append("left")
            before = None
        if after is not None:
            is_online = after.liveness == LIVENESS_ONLINE
            was_online = before is not None and before.liveness == LIVENESS_ONLINE
            if before is None:
                events.append("joined")
            elif is_online != was_online:
                events.append("back" if is_online else "suspect")
            else:
                events.append("updated")
        for event in events:
            self.diary.seen.append(
                Seen(
                    *(
                        time.monotonic(),
                        event,
                        self.roster.revision,
                        key.hex(),
                        known.incarnation,
                        known.revision,
                    ),
                    is_online=known.liveness == LIVENESS_ONLINE,
                    text=known.profile.status_text,
                )
            )


def _touched(delta: Delta) -> list[bytes]:
    members = [member.public_key for member in (*delta.joined, *delta.updated)]
    return members + [departure.public_key for departure in delta.left]
