"""A world from a seed: one server address, lobbies, devices with their people, a network between them, and a wall clock.

It holds what exists and what can be done to it; `script` decides what is done, `checks` what must be true. All randomness comes from the
seed, through three generators: what happens (`random`), the network's delays, and what the programs draw themselves.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path as FilePath
from random import Random

from adsum.client.member import Profile
from adsum.client.settings import Settings
from adsum.contract.identity import Identity
from adsum.contract.limits import Limits
from tests.model.presence import Times
from tests.model.promises import Checks
from tests.simulation.client import Device, Program
from tests.simulation.loop import Kernel, Process
from tests.simulation.network import Network, Path
from tests.simulation.server import Server
from tests.simulation.witness import Observatory

LOOK_SECONDS = 1.0
"""How often it is looked at whether what is due has happened."""
NOTICES = (0.0, 0.0, 0.02, 0.3, 2.0, 16.0, 30.0)
"""After how long an end of a cut connection learns of it: a reset, a retransmission, a keepalive, or about never."""
IDENTITIES = [Identity.from_seed(hashlib.sha256(b"person %d" % number).digest()) for number in range(12)]
MOST_DEVICES = 14
UNIX_SECONDS = 1_800_000_000.0


class World:
    """Everything there is in one run."""

    def __init__(self, seed: int, log: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.random = random = Random(f"{seed}/what happens")
        self.secrets = Random(f"{seed}/what the programs draw")
        self.kernel = Kernel()
        self.checks = Checks()
        self.limits = _limits(random)
        self.programs: list[Program] = []
        self.server: Server | None = None
        self._ended: Server | None = None
        self.wall_offset = UNIX_SECONDS
        self.chunk_members = random.choice((1, 2, 3, 500))
        self.forget_seconds = random.choice((0.5, 5.0))
        self._log = log
        self._hash = hashlib.blake2b(digest_size=16)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server_cost = random.choice((0.0, 0.00002, 0.0001, 0.0005))
        self._client_cost = random.choice((0.0, 0.00002, 0.0002))
        self._runs = 0
        self._frozen_at = 0.0
        names = ["den", "attic"][: random.choice((1, 1, 2))]
        times = Times(self.limits.heartbeat_seconds, self.limits.lease_seconds, self.limits.grace_seconds)
        self.observatory = Observatory(self.checks, times, names, self._server_time, self.limits.ack_seconds)
        self.observatory.at = self._at_server
        window = random.choice((2, 4, 16, 256))
        self.network = Network(
            self.kernel, Random(f"{seed}/network"), window, self.trace, self.observatory.count
        )
        self.network.write_seconds = random.choice((None, None, 0.0, 0.0001))
        self.devices = self._make_devices(names)
        self.note(f"{len(self.devices)} devices, {names}, window {window}, {self.limits}")
        self.kernel.at(self.kernel.now, self._look)

    # What is.

    @property
    def trace_hash(self) -> str:
        """What happened, as a number: two runs with the same one did the same."""
        return self._hash.hexdigest()

    @property
    def running(self) -> list[Program]:
        """The programs that run."""
        return [device.program for device in self.devices if device.program and device.program.ended is None]

    def idle(self) -> list[Device]:
        """List the devices on which nothing runs."""
        return [
            device for device in self.devices if device.program is None or device.program.ended is not None
        ]

    def unix_seconds(self) -> float:
        """Tell the time by the wall clock, which may jump."""
        return self.wall_offset + self.kernel.now

    # The record of it.

    def trace(self, what: str, number: int, item: object) -> None:
        """Take something that happened on the network into the hash."""
        content = item if isinstance(item, bytes) else repr(type(item)).encode()
        self._hash.update(b"%.9f %s %d %d " % (self.kernel.now, what.encode(), number, len(content)))
        self._hash.update(content)
        if self._log is not None:
            from tests.simulation.report import describe

            self._log(f"{self.kernel.now - 1000:9.4f}   {what:>4} {number}: {describe(what, item)}")

    def note(self, what: str) -> None:
        """Take something that the world does into the hash."""
        self._hash.update(f"{self.kernel.now:.9f} {what}".encode())
        if self._log is not None:
            self._log(f"{self.kernel.now - 1000:9.4f} * {what}")

    def run(self, seconds: float) -> None:
        """Let time pass, as long as every promise is kept."""
        self.kernel.run(self.kernel.now + seconds)

    def close(self) -> None:
        """End everything."""
        for program in self.programs:
            if not program.process.is_dead:
                program.process.kill()
        if self.server is not None and not self.server.process.is_dead:
            self.server.process.kill()
        if self._folder is not None:
            self._folder.cleanup()

    # The server.

    def start_server(self) -> None:
        """Start a server, with whatever a predecessor has left, unless there is one."""
        if self.server is not None:
            return
        self._runs += 1
        self.note(f"server {self._runs} starts")
        process = Process.begin(self.kernel, f"server {self._runs}", self._server_cost)
        self.server = Server(
            process,
            self.observatory,
            self.limits,
            self.secrets,
            self._handover_file,
            self.unix_seconds,
            self._server_stopped,
            has_predecessor=self._runs > 1,
        )
        self.network.listener = self.server

    def crash_server(self, notice: float) -> None:
        """Kill the server, unless it has just ended by itself. Its clients learn of it after so many seconds."""
        if (server := self.server) is not None and server is not self._ended:
            self.note(f"server crashes, noticed after {notice}")
            self.observatory.count("crashes")
            self._end_server(server, is_planned=False)
            for device in self.devices:
                for link in list(device.path.links):
                    link.cut(notice, None)

    def drain_server(self, seconds: float, downtime: float) -> None:
        """Stop the server as planned, and start its successor some time after it has ended."""
        if self.server is not None and self.server.is_listening:
            self.note(f"server drains for {seconds}, is down for {downtime}")
            self.observatory.count("planned restarts")
            self._downtime = downtime
            self.server.stop(seconds)

    def freeze_server(self, seconds: float) -> None:
        """Stop the server for a while without its knowing."""
        server = self.server
        if server is not None and not server.process.is_frozen:
            self.note(f"server stands still for {seconds}")
            self.observatory.count("stalls")
            self._frozen_at = self.kernel.now
            server.process.freeze()
            self.kernel.at(self.kernel.now + seconds, self.thaw_server, server)

    def thaw_server(self, server: Server) -> None:
        """Let it go on."""
        if server.process.is_frozen and not server.process.is_dead:
            self.note("server goes on")
            self.observatory.stalled(self._frozen_at, self.kernel.now)
            server.process.thaw()

    @property
    def is_restarting(self) -> bool:
        """Whether a server is on its way out."""
        return self.server is not None and self.server.is_stopping

    @property
    def is_server_up(self) -> bool:
        """Whether somebody answers."""
        return self.server is not None and self.server.is_listening and not self.server.process.is_frozen

    # The programs.

    def spare(self, device: Device) -> Device | None:
        """Find or make another device of the same person in the same lobby; None if there are enough."""
        for other in self.idle():
            if other.identity is device.identity and other.lobby == device.lobby and not other.observes:
                return other
        if len(self.devices) >= MOST_DEVICES:
            return None
        name, path = f"{device.name}x{len(self.devices)}", self._make_path(len(self.devices))
        other = Device(name, device.identity, device.lobby, path, device.profile)
        self.devices.append(other)
        return other

    def start(self, device: Device, credentials: tuple[bytes, bytes] | None = None) -> Program:
        """Start the client on a device."""
        self.note(f"{device.name} starts")
        self._programs_started = len(self.programs) + 1
        process = Process.begin(self.kernel, f"{device.name}.{self._programs_started}", self._client_cost)
        slow = self.random.random() < 0.1
        settings = Settings(event_queue=5, inbox=2, outstanding=4) if slow else Settings()
        program = Program(
            device, process, self.network, self.observatory, settings, 0.3 if slow else 0.0, credentials
        )
        device.program = program
        self.programs.append(program)
        return program

    def kill(self, device: Device, notice: float) -> None:
        """Kill the client on a device. The server learns of it after so many seconds."""
        if device.program is not None and device.program.ended is None:
            self.note(f"{device.name} is killed, noticed after {notice}")
            self.observatory.count("kills")
            device.program.kill()
            self.cut(device, 0.0, notice)

    def cut(self, device: Device, client_after: float, server_after: float) -> None:
        """Break a device's connections."""
        self.note(f"{device.name} is cut, noticed after {client_after} and {server_after}")
        for link in list(device.path.links):
            link.cut(client_after, server_after)

    def stall(self, device: Device, seconds: float, *, up: bool, down: bool) -> None:
        """Let nothing through in one direction or both for a while."""
        self.note(f"{device.name} is stalled for {seconds}, up {up}, down {down}")
        self.observatory.count("stalled paths")
        path = device.path
        path.is_up_stalled, path.is_down_stalled = path.is_up_stalled or up, path.is_down_stalled or down
        self.kernel.at(self.kernel.now + seconds, self.heal, device)

    def heal(self, device: Device) -> None:
        """Let everything through again."""
        path = device.path
        if not path.is_whole:
            self.note(f"{device.name}'s path is whole again")
            was_narrow, path.narrow_seconds = path.narrow_seconds, 0.0
            if was_narrow:
                for link in path.links:
                    link.down.widen()
            self.network.heal(path)

    def freeze(self, device: Device, seconds: float) -> None:
        """Stop a client for a while without its knowing."""
        if (program := device.program) is not None and program.ended is None:
            self.note(f"{device.name} stands still for {seconds}")
            self.observatory.count("freezes")
            program.process.freeze()
            self.kernel.at(self.kernel.now + seconds, self.thaw, program)

    def thaw(self, program: Program) -> None:
        """Let a client go on."""
        if program.process.is_frozen and not program.process.is_dead:
            self.note(f"{program.process.name} goes on")
            program.process.thaw()

    # Inside.

    def _make_devices(self, lobbies: list[str]) -> list[Device]:
        random, devices = self.random, []
        count = random.choice((2, 3, 3, 4, 4, 5, 6, 7, 12))
        people = max(2, count - random.choice((0, 0, 1, 2)))
        for number in range(count):
            person = number % people
            device = Device(
                f"p{person}d{number}",
                IDENTITIES[person],
                random.choice(lobbies),
                self._make_path(number),
                Profile(f"person {person}"),
                observes=random.random() < 0.06,
            )
            devices.append(device)
        return devices

    def _make_path(self, number: int) -> Path:
        delay, jitter = self.random.choice((0.0, 0.001, 0.02, 0.1)), self.random.choice((0.0, 0.001, 0.05))
        return Path(f"198.51.100.{number + 1}", delay, jitter)

    def _handover_file(self) -> FilePath:
        # Its folder is made when it is needed: many worlds have no planned restart, and to make one takes as long as much of a run.
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="adsum-simulation-")
        return FilePath(self._folder.name) / "handover.json"

    def _server_time(self) -> float:
        return self.server.process.time() if self.server is not None else self.kernel.now

    def _at_server(self, when: float, callback: Callable[[str], None], name: str) -> None:
        self.kernel.at(when, self._call_at_server, self.server, callback, name)

    def _call_at_server(self, server: Server | None, callback: Callable[[str], None], name: str) -> None:
        # What was to be looked at on one run of the server would come too early for the next, and ask the wrong one.
        if server is not self.server:
            return
        if server is not None and server.process.is_frozen:
            self.kernel.at(self.kernel.now + LOOK_SECONDS, self._call_at_server, server, callback, name)
        else:
            callback(name)

    def _end_server(self, server: Server, *, is_planned: bool) -> None:
        server.is_listening = False
        server.process.kill()
        self.server = None
        self.network.listener = None
        self.observatory.ended(is_planned=is_planned)

    def _server_stopped(self) -> None:
        self.note("server has ended")
        server = self._ended = self.server
        assert server is not None
        self.kernel.at(server.process.time() + 0.001, self._bury_server, server)

    def _bury_server(self, server: Server) -> None:
        if server is self.server:
            self._end_server(server, is_planned=True)
            self.kernel.at(self.kernel.now + self._downtime, self.start_server)

    def _look(self) -> None:
        from tests.simulation.checks import look

        look(self)
        if self.checks.broken:
            self.kernel.is_stopped = True
        self.kernel.at(self.kernel.now + LOOK_SECONDS, self._look)


def _limits(random: Random) -> Limits:
    heartbeat = random.choice((1.0, 2.0, 5.0))
    limits = Limits(
        heartbeat_seconds=heartbeat,
        lease_seconds=heartbeat * random.choice((2.4, 3.0)),
        grace_seconds=random.choice((0.0, 1.0, 3.0, 5.0, 15.0)),
        tombstones_per_lobby=random.choice((1, 1, 10_000)),
        updates_per_second=random.choice((1.0, 5.0)),
        update_burst=random.choice((1, 10)),
        sends_per_second=random.choice((1.0, 10.0)),
        send_burst=random.choice((2, 20)),
        pending_deliveries=random.choice((1, 64)),
        ack_seconds=random.choice((2.0, 10.0)),
    )
    assert not limits.faults(), limits.faults()
    return limits
