"""A client under test: a process that speaks JSON lines, read at once, checked line by line, waited for with a bound."""

import asyncio
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from adsum.contract.identity import Identity
from tests.conformance.languages import ROOT, command
from tests.conformance.mirror import Json, Mirror
from tests.conformance.schema import fault_in_line

WAIT_SECONDS = 10.0
"""How long anything is waited for. What takes longer is broken."""
START_SECONDS = 60.0
"""How long a program may take until it is in the lobby: some languages start slowly, on a machine that is busy."""
LONGEST_LINE = 1 << 25
LINES_SHOWN = 12
_T = TypeVar("_T")


class ConformanceError(AssertionError):
    """Report that a client didn't do what it should."""


class Client:
    """One running adapter. `Stage.start` makes it."""

    def __init__(
        self, label: str, name: str, lobby: str, identity: Identity, process: asyncio.subprocess.Process
    ):
        self.label = label
        """Who it is in a report: the name and the language."""
        self.name = name
        self.lobby = lobby
        self.identity = identity
        self.key = identity.public_key.hex()
        self.records: list[Json] = []
        self.lines: deque[str] = deque(maxlen=400)
        self.stderr: deque[str] = deque(maxlen=LINES_SHOWN)
        self.mirror = Mirror()
        self.faults: list[str] = []
        self._process = process
        self._news = asyncio.Event()
        self._asked = 0
        self._is_over = False

    # Saying

    def say(self, command: str, **fields: object) -> None:
        """Give a command."""
        self._write(json.dumps({"command": command, **fields}, ensure_ascii=True))

    def connect(self, target: str, *, observer: bool = False, name: str | None = None) -> None:
        """Tell it to enter the lobby."""
        self.say(
            "connect",
            target=target,
            lobby=self.lobby,
            seed=self.identity.seed.hex(),
            name=self.name if name is None else name,
            observer=observer,
        )

    def update(self, name: str, status: str = "available", status_text: str = "") -> None:
        """Tell it to replace its profile."""
        self.say("update", name=name, status=status, status_text=status_text)

    def send(self, key: str, text: str) -> str:
        """Tell it to send a message; returns the id."""
        sent_id = self._new_id()
        self.say("send", id=sent_id, key=key, text=text)
        return sent_id

    def close_stdin(self) -> None:
        """Say that no more commands come."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """End it as a crash does: SIGKILL."""
        if self._process.returncode is None:
            # Not the process's own method: it looks whether the child has ended, and takes its exit code away from asyncio.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    # Hearing

    @property
    def is_over(self) -> bool:
        """True if it will say nothing more: its output has ended."""
        return self._is_over

    def mark(self) -> int:
        """Remember this moment, for `since`."""
        return len(self.records)

    def all(self, event: str, since: int = 0, **facts: object) -> list[Json]:
        """List the events of a kind with these facts that have come. `who` stands for the member's key."""
        return [
            record for record in self.records[since:] if record["event"] == event and _fits(record, facts)
        ]

    async def sees(self, event: str, since: int = 0, within: float = WAIT_SECONDS, **facts: object) -> Json:
        """Wait for an event of a kind with these facts."""
        what = f"{event} with {facts}" if facts else event
        return (await self.until(what, lambda: self.all(event, since, **facts), within))[0]

    async def enters(self) -> "Client":
        """Wait until it has the list."""
        await self.sees("state", phase="live", within=START_SECONDS)
        return self

    async def phase(self, phase: str, since: int = 0, within: float = WAIT_SECONDS) -> Json:
        """Wait for a change of its connection to this phase."""
        return await self.sees("state", since, within, phase=phase)

    async def roster(self) -> Json:
        """Ask for what it holds."""
        roster_id = self._new_id()
        self.say("roster", id=roster_id)
        return await self.sees("roster", id=roster_id)

    async def outcome(self, sent_id: str) -> str:
        """Wait for what became of a message."""
        outcome: str = (await self.sees("sent", id=sent_id))["outcome"]
        return outcome

    async def until(self, what: str, test: Callable[[], _T], within: float = WAIT_SECONDS) -> _T:
        """Wait until a test of what it has said gives something true, and return that."""
        try:
            async with asyncio.timeout(within):
                while not (found := test()):
                    self.check()
                    if self._is_over:
                        raise ConformanceError(f"{self.label} said its last word without: {what}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise ConformanceError(f"{self.label} did not come to this within {within:g} s: {what}") from None
        self.check()
        return found

    def never(self, *events: str, since: int = 0, **facts: object) -> None:
        """Check that no such event has come so far."""
        for event in events:
            if told := self.all(event, since, **facts):
                raise ConformanceError(f"{self.label} should not have told this: {json.dumps(told[0])[:600]}")

    def check(self) -> None:
        """Raise what was wrong with its lines so far."""
        if self.faults:
            raise ConformanceError(f"{self.label}: {self.faults[0]}")

    async def ended(self, within: float = WAIT_SECONDS) -> int:
        """Wait for its end; return the exit code."""
        try:
            async with asyncio.timeout(within):
                code = await self._process.wait()
                while not self._is_over:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise ConformanceError(f"{self.label} did not end within {within:g} s") from None
        self.check()
        return code

    def told(self) -> list[str]:
        """Give the last lines, for a report."""
        told = [f"{self.label} | {_short(line)}" for line in list(self.lines)[-LINES_SHOWN:]]
        if not self.lines:
            told.append(f"{self.label} said nothing")
        told += [f"{self.label} stderr | {line}" for line in self.stderr]
        if (code := self._process.returncode) not in (None, 0, -signal.SIGKILL):
            told.append(f"{self.label} ended with {code}")
        return told

    # The stage's side

    async def listen(self) -> None:
        """Read stdout to its end."""
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                self._take(line.decode("utf-8", "replace").rstrip("\n"))
        except ValueError:
            self.faults.append(f"a line of more than {LONGEST_LINE} bytes")
        finally:
            self._is_over = True
            self._news.set()

    async def listen_aside(self) -> None:
        """Read stderr to its end, and keep the last of it."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(1 << 16):
            self.stderr.extend(_short(line) for line in chunk.decode("utf-8", "replace").splitlines())

    async def reap(self) -> None:
        """Make sure that the process is gone."""
        self.kill()
        await self._process.wait()

    def _take(self, line: str) -> None:
        self.lines.append(line)
        fault = fault_in_line(line)
        if fault is None:
            record: Json = json.loads(line)
            if "lobby" in record and record["lobby"] != self.lobby:
                fault = f"`lobby` is {record['lobby']!r}"
            fault = fault or self.mirror.take(record)
            if record["event"] == "sent" and self.all("sent", id=record["id"]):
                fault = "a second result of the same message"
            self.records.append(record)
        if fault is not None:
            self.faults.append(f"{fault}, in the line: {_short(line)}")
        self._news.set()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode("ascii"))

    def _new_id(self) -> str:
        self._asked += 1
        return f"{self.name}-{self._asked}"


async def start(adapter: Sequence[str], language: str, name: str, lobby: str, identity: Identity) -> Client:
    """Start an adapter. Who does reads its output by `listen` and `listen_aside`, and ends it by `reap`."""
    process = await asyncio.create_subprocess_exec(
        *command(adapter),
        "live",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("ADSUM_")},
        limit=LONGEST_LINE,
        # An adapter may be a program around another, which would outlive it and keep its output open: they are ended together.
        start_new_session=True,
    )
    return Client(f"{name} ({language})", name, lobby, identity, process)


def _fits(record: Json, facts: dict[str, Any]) -> bool:
    return all(
        (record["member"]["key"] if name == "who" else record.get(name)) == value
        for name, value in facts.items()
    )


def _short(line: str) -> str:
    return line if len(line) <= 700 else f"{line[:500]} ... {line[-150:]}"
