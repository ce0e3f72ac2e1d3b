"""What happens in a world, from its seed: some phases of trouble, a quiet one after each, and the end of everything.

Each seed has its own taste: the weights of the actions are drawn first, so one world is mostly chat, another mostly cut cables.
"""

from collections.abc import Callable
from typing import TypeAlias

from adsum.client import Status
from adsum.client.lobby import Lobby
from tests.simulation.checks import (
    check_empty,
    check_quiet,
    is_empty,
    is_quiet,
    picture,
    what_is_left,
    why_not_quiet,
)
from tests.simulation.client import Device, Program
from tests.simulation.visitors import Visitors
from tests.simulation.world import NOTICES, World

PATIENCE_SECONDS = 90.0
"""How long until everybody must be back: lease, grace, leniency, backoff and handshakes together are less."""

Action: TypeAlias = Callable[[World], None]


def live(world: World) -> None:
    """Let everything happen."""
    random = world.random
    world.start_server()
    visitors = Visitors(world)
    weights = [weight * random.choice((0, 1, 1, 4)) for _, weight in ACTIONS]
    gap = random.choice((0.05, 0.3, 1.0))
    for device in world.devices:
        if random.random() < 0.8:
            world.kernel.at(world.kernel.now + random.random() * 0.5, _join_device, world, device)
    for _ in range(random.choice((1, 2))):
        visitors.come()
        for _ in range(random.choice((8, 15, 25))):
            world.run(random.expovariate(1 / gap))
            if any(weights):
                random.choices(ACTIONS, weights)[0][0](world)
        if not _become_quiet(world, visitors):
            return
    visitors.end()
    _end(world)


def _become_quiet(world: World, visitors: Visitors) -> bool:
    world.note("quiet")
    visitors.turn_out()
    for device in world.devices:
        world.heal(device)
        if device.program is not None:
            world.thaw(device.program)
            device.program.pause_seconds = 0.0
    if world.server is not None:
        world.thaw_server(world.server)
    # What was begun just now is not quiet yet.
    world.run(0.5)
    checks, deadline = world.checks, world.kernel.now + PATIENCE_SECONDS
    while (
        world.kernel.now < deadline
        and not world.kernel.is_stopped
        and not (is_quiet(world) and visitors.are_settled)
    ):
        world.run(0.5)
    if world.kernel.is_stopped:
        return False
    for program in world.running:
        name, waits = program.process.name, program.outstanding
        checks.that("P8", not waits, "{} waits for {} answers in vain", name, waits)
    if checks.broken or not checks.that("P3", is_quiet(world), "no convergence: {}", why_not_quiet(world)):
        return False
    check_quiet(world)
    visitors.check_quiet()
    # Now nobody may be suspect or gone, however long it lasts.
    before = picture(world)
    world.run(1.1 * world.limits.lease_seconds)
    if not checks.broken:
        checks.that("P5", picture(world) == before, "somebody changed in quiet")
    if not checks.broken and is_quiet(world):
        check_quiet(world)
    return not checks.broken


def _end(world: World) -> None:
    world.note("everybody goes")
    for program in world.running:
        if world.random.random() < 0.7:
            program.leave()
        else:
            world.kill(program.device, world.random.choice(NOTICES))
    deadline = world.kernel.now + PATIENCE_SECONDS
    while world.kernel.now < deadline and not world.kernel.is_stopped and not is_empty(world):
        world.run(2.0)
    if world.kernel.is_stopped:
        return
    world.checks.that("P9", is_empty(world), "left over: {}", what_is_left(world))
    for model in world.observatory.lobbies.values():
        check_empty(world, model)
    for program in world.programs:
        world.checks.that("P9", not program.process.tasks, "{} still runs tasks", program.process.name)
    world.observatory.ledger.settled()


# What can happen.


def _somebody(world: World) -> Program | None:
    running = world.running
    return world.random.choice(running) if running else None


def _join_device(world: World, device: Device) -> None:
    if device in world.idle():
        world.start(device)


def _join(world: World) -> None:
    if idle := world.idle():
        world.start(world.random.choice(idle))


def _leave_one(world: World) -> None:
    if program := _somebody(world):
        world.note(f"{program.process.name} leaves")
        program.leave()


def _kill(world: World) -> None:
    if program := _somebody(world):
        world.kill(program.device, world.random.choice(NOTICES))


def _restart(world: World) -> None:
    if program := _somebody(world):
        world.kill(program.device, world.random.choice(NOTICES))
        world.start(program.device)


def _update(world: World) -> None:
    if (program := _somebody(world)) and not program.device.observes:
        text = f"text {world.random.randrange(3)}"
        status = world.random.choice(tuple(Status))

        async def update(lobby: Lobby) -> None:
            await lobby.update(status=status, status_text=text)

        for _ in range(world.random.choice((1, 1, 3))):
            program.do(update)


def _other(world: World) -> bytes:
    return world.random.choice(world.devices).identity.public_key


def _select(world: World) -> None:
    if (program := _somebody(world)) and not program.device.observes:
        program.select(_other(world))


def _clear(world: World) -> None:
    if (program := _somebody(world)) and not program.device.observes:
        program.select(None)


def _send(world: World) -> None:
    random = world.random
    if (program := _somebody(world)) and not program.device.observes:
        for _ in range(random.choice((1, 1, 2, 5))):
            size = world.limits.payload_bytes + 1 if random.random() < 0.05 else 40
            program.send(_other(world), random.random() < 0.5, size)


def _turn_away(world: World) -> None:
    """Let somebody select and write to another, and lose one of the two in that very moment."""
    random = world.random
    program = _somebody(world)
    if program is None or program.device.observes:
        return
    others = [one for one in world.running if one.device.lobby == program.device.lobby and one is not program]
    if not others:
        return
    other = random.choice(others)
    key = other.device.identity.public_key
    program.select(key)
    world.run(random.choice((0.0, 0.3)))
    loses_acks = random.random() < 0.3
    if loses_acks:
        world.stall(other.device, 1.0, up=True, down=False)
    for _ in range(random.choice((1, 2, 4))):
        program.send(key, random.random() < 0.5, 40)
    if loses_acks:
        # It gets the messages, its acknowledgements are lost with the connection, and it comes back.
        world.run(0.4)
        world.cut(other.device, 0.0, 0.0)
        return
    world.run(random.choice((0.0, 0.0, 0.003, 0.03, 0.1)))
    device = random.choice((program, other, other)).device
    match random.randrange(5):
        case 0:
            world.kill(device, random.choice(NOTICES))
        case 1:
            world.freeze(device, random.choice((2.0, 6.0, 20.0)))
        case 2:
            if device.program is not None:
                world.note(f"{device.name} leaves")
                device.program.leave()
        case _:
            world.cut(device, random.choice((0.0, 0.02, 0.3)), random.choice((0.0, 0.02, 0.3, 2.0)))


def _resync(world: World) -> None:
    if program := _somebody(world):

        async def resync(lobby: Lobby) -> None:
            await lobby.resync()

        program.do(resync)


def _cut(world: World) -> None:
    if program := _somebody(world):
        world.cut(program.device, world.random.choice(NOTICES), world.random.choice(NOTICES))


def _stall(world: World) -> None:
    if program := _somebody(world):
        up, down = world.random.choice(((True, True), (True, False), (False, True)))
        world.stall(program.device, world.random.choice((0.5, 3.0, 8.0, 20.0)), up=up, down=down)


def _miss(world: World) -> None:
    """Let somebody be away while others leave: who comes back in time must hear of it."""
    running = list(world.running)
    world.random.shuffle(running)
    for program in running[:1]:
        world.stall(program.device, world.random.choice((2.5, 4.5, 6.0)), up=True, down=True)
        world.cut(program.device, 0.0, 0.0)
    for program in running[1:4]:
        program.leave()
    world.run(world.random.choice((0.5, 6.5)))


def _narrow(world: World) -> None:
    if program := _somebody(world):
        world.note(f"{program.process.name} reads slowly")
        world.observatory.count("slow readers")
        program.device.path.narrow_seconds = world.random.choice((0.1, 0.5, 2.0))
        world.kernel.at(world.kernel.now + world.random.choice((2.0, 10.0)), world.heal, program.device)


def _freeze(world: World) -> None:
    if program := _somebody(world):
        world.freeze(program.device, world.random.choice((0.2, 2.0, 6.0, 20.0)))


def _duplicate(world: World) -> None:
    program = _somebody(world)
    if program is None or program.credentials is None or program.device.observes:
        return
    # A backup that is started while the original runs: the same session, twice.
    if (device := world.spare(program.device)) is None:
        return
    if program.stale_credentials is not None:
        # A token that has been replaced is worth nothing: this one is just another device.
        world.observatory.count("stale tokens")
        world.start(device, program.stale_credentials)
    else:
        world.observatory.count("duplicates")
        program.was_duplicated = True
        world.start(device, program.credentials).was_duplicated = True


def _drain(world: World) -> None:
    for program in world.running:
        if world.random.random() < 0.5 and not program.device.observes:
            program.select(_other(world))
    world.run(world.random.choice((0.0, 0.3)))
    world.drain_server(world.random.choice((0.2, 2.0, 5.0)), world.random.choice((0.0, 0.3, 2.0)))


def _crash(world: World) -> None:
    world.crash_server(world.random.choice((0.0, 0.01, 3.0)))
    if world.server is None:
        downtime = world.random.choice((0.0, 0.2, 3.0))
        world.kernel.at(world.kernel.now + downtime, world.start_server)


def _stall_server(world: World) -> None:
    world.freeze_server(world.random.choice((0.3, 1.5, 5.0, 15.0)))


def _jump(world: World) -> None:
    seconds = world.random.choice((-3600.0, -2.0, 2.0, 86400.0))
    world.note(f"the wall clock jumps by {seconds}")
    world.observatory.count("clock jumps")
    world.wall_offset += seconds


def _cut_all(world: World) -> None:
    world.note("everybody is cut")
    server_after = world.random.choice(NOTICES)
    for program in world.running:
        world.cut(program.device, world.random.choice((0.0, 0.1)), server_after)


def _stop_all(world: World) -> None:
    world.note("everybody stands still")
    seconds = world.random.choice((2.0, 6.0, 20.0))
    for program in world.running:
        world.freeze(program.device, seconds)


ACTIONS: tuple[tuple[Action, float], ...] = (
    (_join, 6),
    (_leave_one, 3),
    (_kill, 2),
    (_restart, 2),
    (_update, 4),
    (_select, 8),
    (_clear, 1),
    (_send, 6),
    (_turn_away, 10),
    (_resync, 1),
    (_cut, 6),
    (_stall, 4),
    (_miss, 2),
    (_narrow, 2),
    (_freeze, 3),
    (_duplicate, 3),
    (_drain, 2),
    (_crash, 1),
    (_stall_server, 2),
    (_jump, 1),
    (_cut_all, 1),
    (_stop_all, 0.5),
)
"""What can happen, and how often beside the others before a world's own taste."""
