from random import Random

from tests.simulation.loop import START_SECONDS, Kernel, Process
from tests.simulation.network import Link, Network, Path, Reset, ServerEnd, Status


class Ear:
    """An end of a connection that notes what arrives and when."""

    def __init__(self, kernel: Kernel) -> None:
        self.process = Process.begin(kernel, "ear", 0.0)
        self.heard: list[tuple[float, object]] = []
        self.link: Link | None = None
        self.rooms = 0
        self._kernel = kernel

    def connected(self, link: Link) -> None:
        self.link = link

    def arrived(self, item: object) -> None:
        content = type(item).__name__ if isinstance(item, Status | Reset) else item
        self.heard.append((round(self._kernel.now - START_SECONDS, 3), content))

    def made_room(self) -> None:
        self.rooms += 1


class Company:
    """Two ends and a path between them, with a delay of 0.1 s and without jitter unless told otherwise."""

    def __init__(self, jitter_seconds: float = 0.0, window: int = 100) -> None:
        self.kernel = Kernel()
        self.network = Network(self.kernel, Random(1), window, lambda *_: None, lambda _: None)
        self.path = Path("198.51.100.1", 0.1, jitter_seconds)
        self.server, self.client = Ear(self.kernel), Ear(self.kernel)
        self.process, self.is_listening = self.server.process, True
        self.network.listener = self
        self.network.dial(self.path, self.client)
        self.kernel.run(START_SECONDS + 1)

    def accept(self, _: Link) -> ServerEnd:
        return self.server

    @property
    def link(self) -> Link:
        assert self.client.link is not None
        return self.client.link

    def pass_until(self, seconds: float) -> None:
        self.kernel.run(START_SECONDS + seconds)


def test_a_pipe_keeps_the_order_whatever_the_delays() -> None:
    company = Company(jitter_seconds=1.0)
    for number in range(50):
        company.link.up.send(b"%d" % number, company.kernel.now)
    company.pass_until(10)
    assert [content for _, content in company.server.heard] == [b"%d" % number for number in range(50)]


def test_what_is_stalled_arrives_late_in_one_direction_only() -> None:
    company = Company()
    company.path.is_up_stalled = True
    company.link.up.send(b"up", company.kernel.now)
    company.link.down.send(b"down", company.kernel.now)
    company.pass_until(5)
    assert (company.server.heard, company.client.heard) == ([], [(1.1, b"down")])
    company.network.heal(company.path)
    company.pass_until(6)
    assert company.server.heard == [(5.1, b"up")]


def test_a_narrow_line_that_heals_delivers_what_it_made_wait() -> None:
    company = Company()
    company.path.narrow_seconds = 2.0
    for content in (b"1", b"2", b"3"):
        company.link.down.send(content, company.kernel.now)
    company.pass_until(4)
    assert company.client.heard == [(3.0, b"1")]
    company.path.narrow_seconds = 0.0
    company.link.down.widen()
    company.pass_until(9)
    assert company.client.heard[1:] == [(4.1, b"2"), (4.1, b"3")]


def test_a_cut_loses_what_is_on_the_way_and_each_end_learns_of_it_at_its_own_time() -> None:
    company = Company()
    company.link.up.send(b"lost", company.kernel.now)
    company.link.cut(0.0, 3.0)
    assert company.network.unnoticed == 2
    company.pass_until(10)
    assert (company.client.heard, company.server.heard) == ([(1.0, "Status")], [(4.0, "Reset")])
    assert company.network.unnoticed == 0


def test_a_writer_waits_until_there_is_room() -> None:
    company = Company(window=2)
    for _ in range(2):
        company.link.down.send(b"x", company.kernel.now)
    assert not company.link.down.has_room
    company.pass_until(2)
    assert not company.link.down.has_room
    company.link.down.consumed()
    assert company.link.down.has_room
    assert company.server.rooms == 1


def test_nobody_answers_where_nobody_listens() -> None:
    company = Company()
    company.network.listener = None
    other = Ear(company.kernel)
    company.network.dial(company.path, other)
    company.pass_until(2)
    assert (other.link, other.heard) == (None, [(1.2, "Status")])
