"""What an attack is, and what it has at hand."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.abuse.neighbourhood import Neighbourhood
from tests.abuse.tally import Tally
from tests.abuse.wire import Wire
from tests.integration.admin_client import Admin
from tests.integration.adsumd import Adsumd


@dataclass(frozen=True, slots=True)
class Ground:
    """Where one attack takes place: a server, its neighbours, and a source of chance that is the attack's own."""

    server: Adsumd
    neighbours: Neighbourhood
    admin: Admin
    random: Random
    scale: float
    tally: Tally
    directory: Path
    wires: list[Wire] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where clients connect."""
        return self.server.address

    async def dial(self, *, source: str = "", opening: bytes | None = None, address: str = "") -> Wire:
        """Connect; whatever becomes of the attack, the connection ends with it."""
        wire = await Wire.dial(address or self.address, source=source, opening=opening)
        # The lost ones are not worth keeping, and there may be thousands.
        if len(self.wires) % 256 == 255:
            self.wires[:] = [one for one in self.wires if not one.is_lost]
        self.wires.append(wire)
        return wire

    def hang_up(self) -> None:
        """End every connection."""
        for wire in self.wires:
            wire.close()
        self.wires.clear()

    def amount(self, number: int) -> int:
        """Scale a number of inputs."""
        return max(1, round(number * self.scale))


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of abuse.

    `minimum` inputs must have been tried at scale 1, or the attack has not taken place. `peak_mib` is what the server may hold more than
    before while it lasts.
    """

    name: str
    promises: str
    what: str
    run: Callable[[Ground], Awaitable[None]]
    minimum: int
    peak_mib: float = 64.0
    is_aimed_at_server: bool = True
    """Else the neighbours only share the machine with it, and how long their updates take is noted, not judged."""
    options: tuple[str, ...] = ()
    """Options of the server that it needs; with some, it gets a server of its own."""
