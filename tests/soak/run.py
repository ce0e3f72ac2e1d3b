"""One soak: three servers, the crowd, the guests; churn, samples, roll calls, restarts; and in the end nobody.

`steady` runs all the time, so that a leak over hours shows; `restarted` is another adsumd under a quarter of the load, which is stopped and
started again; `bare` is gRPC without Adsum, which loses as many streams as `steady`.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import machine
from tests.bench.child import Child
from tests.bench.machine import cpu_seconds, resident_bytes
from tests.integration.admin_client import admin_of
from tests.integration.relay import relaying
from tests.soak.guests import Party
from tests.soak.plan import Plan
from tests.soak.record import Recorder
from tests.soak.roll_call import incarnations, lists_agree, lobbies_left
from tests.soak.servers import WatchedServer

CALM_SECONDS = 20.0
"""How long before a roll call nobody falls silent any more."""
GATHER_SECONDS = 45.0
RETURN_SECONDS = 30.0
DISMISS_SECONDS = 20.0
EMPTY_SECONDS = 30.0
"""How long it may take until a server holds nobody after all have left."""


class Soak:
    """Everything of one run. `soaking` makes it."""

    def __init__(self, plan: Plan, recorder: Recorder, directory: Path, crowd: Child) -> None:
        self._plan = plan
        self._recorder = recorder
        self._directory = directory
        self._crowd = crowd
        self._asking = asyncio.Lock()
        self._server_core, _ = machine.cores()
        self._servers: dict[str, WatchedServer] = {}
        self._parties: dict[str, Party] = {}
        self._started_at = time.monotonic()
        self._cpu_before = 0.0
        self._cpu_of_lives = 0.0
        self._lives = 1
        self._life_began_at = 0.0
        self._handover = directory / "handover.json"

    @property
    def _now(self) -> float:
        return time.monotonic() - self._started_at

    async def run(self, stack: AsyncExitStack) -> None:
        """Do everything."""
        await self._start(stack)
        await self._sample("before")
        await self._let_in(stack)
        self._started_at = time.monotonic()
        self._life_began_at = 0.0
        self._cpu_before = self._cpu()
        await self._ask("churn")
        self._go_on()
        await self._churn()
        cpu = (self._cpu() - self._cpu_before) / self._now
        await self._roll_call()
        for party in self._parties.values():
            await party.__aexit__(None, None, None)
        left = await self._ask("dismiss", seconds=DISMISS_SECONDS)
        if not left["have_left"]:
            self.violate("crowd", "P9", "not everybody could leave")
        await self._wait_until_empty()
        await self._sample("empty")
        await self._stop(cpu)

    def violate(self, where: str, promise: str, what: str) -> None:
        """Note a broken promise."""
        self._recorder.write("violation", self._now, where=where, promise=promise, what=what)
        print(f"{self._now:8.1f} s  {where}: {promise}: {what}", file=sys.stderr, flush=True)

    def _violating(self, where: str) -> Callable[[str, str], None]:
        return partial(self.violate, where)

    # The beginning and the end

    async def _start(self, stack: AsyncExitStack) -> None:
        options = self._plan.options
        self._servers["steady"] = await self._serve(*options, plant=self._plan.plant)
        self._servers["restarted"] = await self._serve(*options, handover_file=self._handover)
        self._servers["bare"] = await asyncio.to_thread(
            WatchedServer.of_bare, self._server_core, self._directory
        )
        stack.callback(self._kill_servers)
        for field in (self._plan.steady, self._plan.restarted, self._plan.bare):
            server = self._servers[field.name]
            # The same seed for Adsum and the baseline: what chance does is alike.
            await self._ask(
                "prepare", plan=field.to_json(), address=server.address, seed=f"soak {self._plan.seed}"
            )

    async def _let_in(self, stack: AsyncExitStack) -> None:
        for field in (self._plan.steady, self._plan.restarted):
            target = self._servers[field.name].address
            relay = await stack.enter_async_context(relaying(target))
            lobbies = dict.fromkeys(field.lobbies, field.guests)
            party = Party(field.name, target, relay, lobbies, f"guests {self._plan.seed}", self.violate)
            self._parties[field.name] = await party.__aenter__()
        # Everything so far is for good; what the load collects later needn't look through it.
        gc.collect()
        gc.freeze()

    async def _stop(self, cpu: float) -> None:
        codes = {}
        for name, server in self._servers.items():
            if name != "bare":
                codes[name] = await server.stop()
                if codes[name]:
                    self.violate(name, "P10", f"the server ended with {codes[name]}")
                self._look_at_log(name)
        stalls = {name: server.stalls() for name, server in self._servers.items()}
        self._recorder.write(
            "end", self._now, codes=codes, stalls=stalls, cpu_share=round(cpu, 3), lives=self._lives
        )

    def _look_at_log(self, name: str) -> None:
        for line in self._servers[name].complaints()[:5]:
            self.violate(name, "P9", f"in its log: {line}")

    async def _wait_until_empty(self) -> None:
        for field in (self._plan.steady, self._plan.restarted):
            if left := await lobbies_left(self._servers[field.name].admin_address, EMPTY_SECONDS):
                self.violate(field.name, "P5", f"lobbies are open without anybody: {left}")

    async def _serve(
        self,
        *options: str,
        listen: str = "127.0.0.1:0",
        handover_file: Path | None = None,
        plant: tuple[str, ...] = (),
    ) -> WatchedServer:
        start = partial(WatchedServer.of_adsumd, self._server_core, self._directory, *options)
        return await asyncio.to_thread(start, listen=listen, handover_file=handover_file, plant=plant)

    def _kill_servers(self) -> None:
        for server in self._servers.values():
            server.__exit__(None, None, None)

    # The middle

    async def _churn(self) -> None:
        plan = self._plan
        sample_at, roll_at, calmed = plan.sample_seconds, plan.roll_call_seconds, False
        while self._now < plan.seconds:
            until = min(sample_at, plan.seconds, roll_at if calmed else roll_at - CALM_SECONDS)
            await asyncio.sleep(max(0.0, until - self._now))
            now = self._now
            if now >= sample_at:
                await self._sample("churn")
                sample_at = max(sample_at + plan.sample_seconds, self._now)
            if not calmed and now >= roll_at - CALM_SECONDS:
                calmed = True
                await self._ask("calm")
            # The last roll call is after the churn.
            if now >= roll_at and now + plan.roll_call_seconds / 2 < plan.seconds:
                await self._roll_call()
                if self._now - self._life_began_at >= plan.life_seconds:
                    await self._restart()
                await self._ask("churn")
                self._go_on()
                roll_at, calmed = self._now + plan.roll_call_seconds, False
                # Right after it the figures are those of the roll call.
                sample_at = self._now + plan.sample_seconds
            elif now >= roll_at:
                roll_at = plan.seconds + 2 * CALM_SECONDS
                calmed = False
        await self._ask("calm")

    def _go_on(self) -> None:
        for party in self._parties.values():
            party.go_on()

    async def _roll_call(self) -> None:
        began_at = self._now
        for party in self._parties.values():
            await party.hold()
        answer = await self._ask("gather", seconds=GATHER_SECONDS)
        if not answer["full"]:
            self.violate("crowd", "P3", f"not everybody has the whole list: {answer['states']}")
        lists = guests = 0
        for field in (self._plan.steady, self._plan.restarted):
            async with admin_of(self._servers[field.name].admin_address) as admin:
                lists += await lists_agree(admin, answer["lists"][field.name], self._violating(field.name))
                guests += await self._parties[field.name].agrees(admin)
        await self._sample("roll call")
        self._recorder.write(
            "roll call",
            self._now,
            seconds=round(self._now - began_at, 1),
            full=answer["full"],
            lists=lists,
            guests=guests,
        )

    async def _restart(self) -> None:
        """Stop the second server and start it again: nobody may be seen to leave and come (P10)."""
        field, old = self._plan.restarted, self._servers["restarted"]
        began_at = self._now
        before = await incarnations(old.admin_address, field.lobbies)
        await self._ask("expect_restart", field=field.name, expected=True)
        # Kept: a server's last figures are of its life.
        last = await old.sample()
        self._cpu_of_lives += cpu_seconds(old.pid)
        code = await old.stop()
        if code:
            self.violate(field.name, "P10", f"the server ended with {code}")
        self._look_at_log(field.name)
        down_at = self._now
        self._servers["restarted"] = new = await self._serve(
            *self._plan.options, listen=old.address, handover_file=self._handover
        )
        up_at = self._now
        answer = await self._ask("gather", seconds=RETURN_SECONDS)
        await self._parties[field.name].are_live(RETURN_SECONDS)
        after = await incarnations(new.admin_address, field.lobbies)
        if not answer["full"] or before != after:
            gone = len(before.items() - after.items())
            self.violate(
                field.name, "P10", f"a planned restart was seen: {gone} members are not who they were"
            )
        await self._ask("expect_restart", field=field.name, expected=False)
        self._lives += 1
        self._life_began_at = self._now
        self._recorder.write(
            "restart",
            self._now,
            seconds=round(self._now - began_at, 2),
            down=round(up_at - down_at, 2),
            members=len(after),
            last={name: value for name, value in last.items() if name != "types"},
        )

    # Looking

    async def _sample(self, phase: str) -> None:
        figures = {name: await server.sample() for name, server in self._servers.items()}
        counts = await self._ask("counts")
        for where, promise, what in counts["violations"]:
            self.violate(where, promise, what)
        self._recorder.write(
            "sample",
            self._now if phase != "before" else 0.0,
            phase=phase,
            life=self._lives,
            servers=figures,
            deeds=counts["deeds"],
            guests={name: dict(party.deeds) for name, party in self._parties.items()},
            states=counts["states"],
            messages_read=counts["messages_read"],
            late_seconds=round(counts["late_seconds"], 3),
            violation_count=counts["violation_count"],
            load={
                "crowd_rss_bytes": resident_bytes(self._crowd.pid),
                "guests_rss_bytes": resident_bytes(os.getpid()),
                "cpu_seconds": round(self._cpu() - self._cpu_before, 1),
                "by_process": self._cpu_by_process(),
            },
        )

    def _cpu(self) -> float:
        return sum(self._cpu_by_process().values()) + self._cpu_of_lives

    def _cpu_by_process(self) -> dict[str, float]:
        pids = {name: server.pid for name, server in self._servers.items() if server.is_running}
        pids |= {"crowd": self._crowd.pid, "guests": os.getpid()}
        return {name: round(cpu_seconds(pid), 1) for name, pid in pids.items()}

    async def _ask(self, do: str, **options: object) -> dict[str, Any]:
        async with self._asking:
            return await asyncio.to_thread(lambda: self._crowd.ask(do, **options))


@asynccontextmanager
async def soaking(plan: Plan, recorder: Recorder, directory: Path) -> AsyncIterator[Callable[[], Any]]:
    """Prepare a soak; what is yielded runs it. Every process ends with the block."""
    async with AsyncExitStack() as stack:
        _, load_core = machine.cores()
        crowd = stack.enter_context(Child(load_core, "tests.soak.crowd", []))
        soak = Soak(plan, recorder, directory, crowd)
        yield lambda: soak.run(stack)
