"""What a scene plays on: a server on its core, and on the other the crowd and, with Adsum, the probes."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.child import Child
from tests.bench.runs import Run, churn_run
from tests.bench.servers import Server

LOBBY = "bench-0"
PROBES = 20
PROBES_RATE = 0.05
"""What part of the updates is made by probes,"""
PROBES_HIGHEST_RATE = 20.0
"""and at most so many a second: one a second each."""
CONNECT_SECONDS = 60.0
REST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How to measure."""

    server_core: int
    load_core: int
    directory: Path
    seconds: float
    repeats: int
    uvloop: bool


class Stage:
    """A server with its load. `staged` makes it."""

    def __init__(
        self, server: Server, crowd: Child, setting: Setting, probes: Child | None, probe_count: int
    ) -> None:
        self.server = server
        self.crowd = crowd
        self.setting = setting
        self.idle_share = 0.0
        self._probes = probes
        self._probe_count = probe_count

    def connect(
        self, *, seconds: float = CONNECT_SECONDS, quiet: bool = False, resume: bool = False
    ) -> dict[str, Any]:
        """Let everybody in at once."""
        return self.crowd.ask("connect", seconds=seconds, quiet=quiet, resume=resume)

    def let_in(self, *, quiet: bool = False) -> None:
        """Let everybody in, for what is to be measured afterwards.

        Raises:
            RuntimeError: not everybody came in; nothing that follows would mean anything.
        """
        answer = self.connect(quiet=quiet)
        if not answer["has_all"]:
            raise RuntimeError(
                f"the crowd could not be let in within {answer['seconds']:.0f} s: {answer['faults']}"
            )

    def rest(self, seconds: float = REST_SECONDS) -> dict[str, Any]:
        """Measure what the server uses when nothing happens but heartbeats."""
        answer = self.crowd.ask("rest", seconds=seconds)
        self.idle_share = answer["server_share"]
        return answer

    def churn(
        self, scene: str, members: int, rate: float, repeat: int, *, seconds: float | None = None
    ) -> Run:
        """Let people come, go and change, and check afterwards what the probes hold."""
        seconds = seconds or self.setting.seconds
        if self._probes is not None:
            self._probes.ask("start", rate=min(PROBES_HIGHEST_RATE, PROBES_RATE * rate), seconds=seconds)
        answer = self.crowd.ask("churn", rate=rate, seconds=seconds, seed=repeat)
        others = self._probes.ask("stop")["acted"] if self._probes is not None else []
        answer |= self.crowd.ask("result", others=others)
        told = None
        if self._probes is not None:
            told = self._probes.ask("latencies", sent_at=answer["sent_at"])
            # The server has served them, too. Their library doesn't tell how many messages that took: as many as anybody's.
            answer["deliveries"] += told["latency"]["count"]
            answer["messages"] *= 1 + self._probe_count / members
        run = churn_run(scene, self.server.kind, members, rate, repeat, answer, self.idle_share)
        if told is not None:
            run.figures["probe_p50_ms"] = told["latency"]["p50_ms"]
            run.figures["probe_p99_ms"] = told["latency"]["p99_ms"]
            if told["missing"]:
                run.faults.append(f"{told['missing']} events never reached a probe's roster")
        run.faults += self.check()
        return run

    def check(self) -> list[str]:
        """Compare the probes' lists with the server's, and look into its log. Nothing may be going on."""
        faults = self.server.complaints()[:1]
        if self._probes is not None:
            told = self._probes.ask("check", admin=self.server.admin_address, lobby=LOBBY)
            faults += told["faults"]
        return faults

    def replace_server(self, server: Server) -> None:
        """Go on with another server at the same address."""
        self.server = server
        self.crowd.ask("follow", server=server.pid, address=server.address)


@contextmanager
def staged(
    setting: Setting,
    kind: str,
    members: int,
    *,
    lobbies: int = 1,
    spare: int = 0,
    probes: int = PROBES,
    options: tuple[str, ...] = (),
    handover_file: Path | None = None,
    listen: str = "127.0.0.1:0",
) -> Iterator[Stage]:
    """Start a server, the probes, which join, and a crowd, of which nobody has connected yet."""
    with ExitStack() as stack:
        if kind == "bare":
            server = Server.bare(setting.server_core, setting.directory, uvloop=setting.uvloop)
        else:
            server = Server.adsumd(
                setting.server_core,
                setting.directory,
                *options,
                uvloop=setting.uvloop,
                handover_file=handover_file,
                listen=listen,
            )
        stack.enter_context(server)
        processes = [str(server.pid)]
        real = None
        if kind != "bare" and probes:
            real = stack.enter_context(Child(setting.load_core, "tests.bench.probes", []))
            real.ask("connect", address=server.address, lobby=LOBBY, probes=probes)
            processes.append(str(real.pid))
        cores = [str(setting.server_core), str(setting.load_core)]
        crowd = Child(
            setting.load_core, "tests.bench.crowd", [kind, "--processes", *processes, "--cores", *cores]
        )
        stack.enter_context(crowd)
        crowd.ask(
            "prepare",
            address=server.address,
            lobbies=lobbies,
            members=members,
            spare=spare,
            others=probes if real is not None else 0,
        )
        yield Stage(server, crowd, setting, real, probes)


def free_address() -> str:
    """Ask the kernel for an address that is free now, for a server and its successor."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
