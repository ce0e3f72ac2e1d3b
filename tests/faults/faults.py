"""Every fault by its name: what is done, which promises it tries, and where: the place says what else there is.

clients   three crews of victims, each behind a proxy; each fault hits several at the same time, then all rest
silence   what takes long: victims who hang, are cut off, or are behind a link of their own, all at once
server    nobody is a victim but the server, so everybody is
crowd     two hundred clients in four processes
files     a server that runs out of file descriptors
disk      a server whose log and handover are on small disks
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.faults import crowds, limits, links, processes, servers, wired
from tests.faults.disks import Disk
from tests.faults.town import Town, Victims
from tests.faults.wires import Wire

AtVictims = Callable[[Town, Victims], Awaitable[None]]
AtWire = Callable[[Town, Victims, Wire], Awaitable[None]]
AtTown = Callable[[Town], Awaitable[None]]
AtDisk = Callable[[Town, Disk], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Hold one kind of fault."""

    name: str
    what: str
    promises: str
    inject: AtVictims | AtWire | AtTown | AtDisk
    place: str


FAULTS: Sequence[Fault] = (
    Fault(
        "kill-9", "SIGKILL to a client process, later started again", "P5 P6 P8", processes.kill, "clients"
    ),
    Fault("stop-5s", "SIGSTOP to a client process for 5 s", "P6 P8", processes.short_hang, "clients"),
    Fault("reset", "RST on every connection of a process", "P5 P6 P8", links.reset, "clients"),
    Fault("cut", "FIN on every connection, and nobody gets in for a while", "P5 P6 P8", links.cut, "clients"),
    Fault(
        "half-open", "a connection dead for one side or unknown to be", "P5 P6 P8", links.half_open, "clients"
    ),
    Fault("slow-link", "4 KiB a second for 15 s", "P5 P9", links.slow, "clients"),
    Fault("delay", "20 to 220 ms, another for each piece, for 8 s", "P5 P9", links.late, "clients"),
    Fault("slices", "1 to 7 bytes at a time for 8 s", "P5 P9", links.sliced, "clients"),
    Fault("silent-cut", "nothing goes through for 19 s", "P5 P8", links.silence, "silence"),
    Fault("stop-90s", "SIGSTOP to a client process for 90 s", "P5 P8", processes.long_hang, "silence"),
    Fault("link-down", "a link in a network namespace, down for 19 s", "P5 P8", wired.link_down, "wire"),
    Fault("link-blip", "the same for 3 s", "P6 P8", wired.link_blip, "wire"),
    Fault(
        "server-restart",
        "SIGTERM to the server, and another one started",
        "P10 P8",
        servers.restart,
        "server",
    ),
    Fault("server-stop-5s", "SIGSTOP to the server for 5 s", "P5 P8", servers.hang, "server"),
    Fault(
        "server-kill-9", "SIGKILL to the server, and another one started", "P3 P8", servers.crash, "server"
    ),
    Fault("return-200", "200 clients reset in the same moment", "P5 P6 P9", crowds.all_return, "crowd"),
    Fault(
        "rejoin-200",
        "200 clients cut off until they are gone, and let in again",
        "P5 P9",
        crowds.all_rejoin,
        "crowd",
    ),
    Fault("no-files", "the server has no file descriptors left", "P9", limits.no_files, "files"),
    Fault("full-log", "no room on the disk under the log", "P9", limits.full_log, "disk"),
    Fault("full-handover", "a restart without room for the handover", "P3 P8", limits.full_handover, "disk"),
)
