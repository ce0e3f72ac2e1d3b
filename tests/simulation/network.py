"""A network in virtual time: connections that delay, stall, lose one direction, are cut, and whose ends don't agree on that.

Each client host has a `Path` to the server, and each connection on it (`Link`) is two `Pipe`s. A pipe delivers in order, since it stands
for TCP; two connections overtake each other freely. What is on a stalled pipe waits and arrives late, as TCP repeats what was lost. A cut
connection loses what is on the way, and each end learns of it at its own time, or never: then it is half open. A pipe holds so many
unread messages; then its writer waits.

Nothing here knows what the messages mean.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, TypeAlias

from tests.simulation.loop import Kernel, Process


@dataclass(frozen=True, slots=True)
class Status:
    """The end of a stream as its server puts it: what a trailer carries."""

    code: str
    details: str = ""
    metadata: tuple[tuple[str, bytes], ...] = ()


class Reset:
    """The end of a stream as its client puts it."""


Item: TypeAlias = bytes | Status | Reset


class ClientEnd(Protocol):
    """What the network tells a client of its connection."""

    process: Process

    def connected(self, link: "Link") -> None:
        """Be connected."""

    def arrived(self, item: bytes | Status) -> None:
        """Be sent something."""

    def made_room(self) -> None:
        """Be able to write again."""


class ServerEnd(Protocol):
    """What the network tells a server of a connection."""

    process: Process

    def arrived(self, item: bytes | Reset) -> None:
        """Be sent something."""

    def made_room(self) -> None:
        """Be able to write again."""


class Listener(Protocol):
    """Whoever takes in connections."""

    process: Process

    @property
    def is_listening(self) -> bool:
        """Whether there is somebody at the port."""

    def accept(self, link: "Link") -> ServerEnd:
        """Take a connection in."""


@dataclass(slots=True, eq=False)
class Path:
    """The way between one client host and the server, which all its connections share."""

    host: str
    delay_seconds: float
    jitter_seconds: float
    is_up_stalled: bool = False
    is_down_stalled: bool = False
    narrow_seconds: float = 0.0
    """How long each message towards the client takes on a narrow line."""
    links: list["Link"] = field(default_factory=list)
    dialling: list[ClientEnd] = field(default_factory=list)
    troubled_at: float = float("-inf")
    """When something was last wrong with it."""

    @property
    def is_whole(self) -> bool:
        """Whether everything gets through now."""
        return not (self.is_up_stalled or self.is_down_stalled or self.narrow_seconds)


class Pipe:
    """One direction of a connection."""

    __slots__ = (
        "_deliver",
        "_is_up",
        "_kernel",
        "_late",
        "_path",
        "_plans",
        "_random",
        "_way",
        "_window",
        "arrives_at",
        "is_broken",
        "made_room",
        "outstanding",
    )

    def __init__(self, network: "Network", path: Path, *, is_up: bool, window: int) -> None:
        self._kernel = network.kernel
        self._random = network.random
        self._path = path
        self._is_up = is_up
        self._window = window
        self._way: deque[Item] = deque()
        self._late = 0
        self._plans = 0
        self._deliver: Callable[[Item], None] | None = None
        self.made_room: Callable[[], None] | None = None
        self.arrives_at = 0.0
        self.outstanding = 0
        self.is_broken = False

    def leads_to(self, deliver: Callable[[Item], None], made_room: Callable[[], None]) -> None:
        """Say who is at the other end, and who is told that there is room."""
        self._deliver = deliver
        self.made_room = made_room

    @property
    def has_room(self) -> bool:
        """Whether a writer may go on."""
        return self.outstanding < self._window

    def send(self, item: Item, now: float) -> None:
        """Send something, whether there is room or not."""
        if not self.is_broken:
            self.outstanding += 1
            self._way.append(item)
            self._plan(now)

    def consumed(self) -> None:
        """Note that what arrived has been read."""
        had_room, self.outstanding = self.has_room, self.outstanding - 1
        if not had_room and self.has_room and self.made_room is not None:
            self.made_room()

    def heal(self) -> None:
        """Let arrive what the stall has held up."""
        late, self._late = self._late, 0
        for _ in range(late):
            self._plan(self._kernel.now)

    def widen(self) -> None:
        """Let arrive in its usual time what a narrow line would have made wait."""
        self._plans += 1
        self._late, self.arrives_at = 0, self._kernel.now
        for _ in self._way:
            self._plan(self._kernel.now)

    def break_off(self) -> None:
        """Lose what is on the way, and everything after it."""
        self.is_broken = True
        self._way.clear()

    def _plan(self, now: float) -> None:
        path = self._path
        delay = path.delay_seconds + self._random.random() * path.jitter_seconds
        if path.narrow_seconds and not self._is_up:
            self.arrives_at = max(self.arrives_at, now) + path.narrow_seconds
        self.arrives_at = max(self.arrives_at, now + delay)
        self._kernel.at(self.arrives_at, self._arrive, self._plans)

    def _arrive(self, plans: int) -> None:
        if self.is_broken or not self._way or plans != self._plans:
            return
        path = self._path
        if path.is_up_stalled if self._is_up else path.is_down_stalled:
            self._late += 1
            return
        assert self._deliver is not None
        self._deliver(self._way.popleft())


class Link:
    """One connection, carrying one stream."""

    def __init__(self, network: "Network", path: Path, client: ClientEnd, number: int, window: int) -> None:
        self.network = network
        self.path = path
        self.client = client
        self.number = number
        self.server: ServerEnd | None = None
        self.up = Pipe(network, path, is_up=True, window=window)
        self.down = Pipe(network, path, is_up=False, window=window)

    @property
    def peer(self) -> str:
        """Who the server believes is there."""
        return f"ipv4:{self.path.host}:{10_000 + self.number % 50_000}"

    def attach(self, server: ServerEnd) -> None:
        """Connect both ends."""
        self.server = server
        self.up.leads_to(self._arrived_up, self.client.made_room)
        self.down.leads_to(self._arrived_down, server.made_room)

    def cut(self, client_after: float | None, server_after: float | None) -> None:
        """Break the connection. Each end learns of it after so many seconds, or never."""
        kernel = self.network.kernel
        self.up.break_off()
        self.down.break_off()
        self.network.count("cuts")
        if client_after is not None:
            self.network.unnoticed += 1
            reset = Status("UNAVAILABLE", "Connection reset")
            kernel.at(kernel.now + client_after, self._noticed, reset)
        if server_after is not None:
            self.network.unnoticed += 1
            kernel.at(kernel.now + server_after, self._noticed, Reset())

    def _noticed(self, end: Status | Reset) -> None:
        self.network.unnoticed -= 1
        if isinstance(end, Reset):
            self._arrived_up(end)
        else:
            self._arrived_down(end)

    def end(self) -> None:
        """Note that the server knows that the stream is over: there is nothing more to cut."""
        if self in self.path.links:
            self.path.links.remove(self)

    def _arrived_up(self, item: Item) -> None:
        if self.server is not None and not isinstance(item, Status):
            self.network.trace("up", self.number, item)
            self.server.arrived(item)

    def _arrived_down(self, item: Item) -> None:
        if not isinstance(item, Reset):
            self.network.trace("down", self.number, item)
            self.client.arrived(item)


class Network:
    """All the paths to one server address."""

    def __init__(
        self,
        kernel: Kernel,
        random: Random,
        window: int,
        trace: Callable[[str, int, object], None],
        count: Callable[[str], None],
    ) -> None:
        self.kernel = kernel
        self.random = random
        self.trace = trace
        self.count = count
        self.listener: Listener | None = None
        self.write_seconds: float | None = None
        """How long a server's write takes at least; None if it is done before anybody can look."""
        self.unnoticed = 0
        """How many ends of cut connections have not learned of it yet."""
        self._window = window
        self._numbers = 0

    def dial(self, path: Path, client: ClientEnd) -> None:
        """Connect a client to the server. It is told when it is connected or refused; on a stalled path it waits for that."""
        self.kernel.at(self.kernel.now + 2 * path.delay_seconds, self._connect, path, client)

    def heal(self, path: Path, *, up: bool = True, down: bool = True) -> None:
        """Let through again what a stall has held up."""
        path.is_up_stalled = path.is_up_stalled and not up
        path.is_down_stalled = path.is_down_stalled and not down
        for link in list(path.links):
            if not path.is_up_stalled:
                link.up.heal()
            if not path.is_down_stalled:
                link.down.heal()
        if not (path.is_up_stalled or path.is_down_stalled):
            dialling, path.dialling = path.dialling, []
            for client in dialling:
                self.dial(path, client)

    def _connect(self, path: Path, client: ClientEnd) -> None:
        if path.is_up_stalled or path.is_down_stalled:
            path.dialling.append(client)
            return
        listener = self.listener
        if listener is None or not listener.is_listening:
            client.arrived(Status("UNAVAILABLE", "Connection refused"))
            return
        self._numbers += 1
        link = Link(self, path, client, self._numbers, self._window)
        path.links.append(link)
        link.attach(listener.accept(link))
        client.connected(link)
