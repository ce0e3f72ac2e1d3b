"""What must be true of a world: at every look, in quiet, and when everybody has gone."""

from collections import defaultdict
from typing import TYPE_CHECKING

from adsum.client import Phase, SelectionReason
from adsum.server.desk import Desk
from adsum.server.hub import Hub
from adsum.server.messages import SelectionState
from adsum.server.outbox import MAILBOX_CAPACITY
from tests.model.digest import digest_of
from tests.model.lobby import LobbyModel
from tests.simulation.client import Program
from tests.simulation.witness import record_of

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_STEPS = 2_000_000
"""More than any run needs: who takes more goes round in circles."""
TASKS_OF_CLIENT = 8
TASKS_OF_STREAM = 5
TASKS_OF_SERVER = 8
ENDINGS = {"left", "killed", "Unavailable"}
"""How a program may end that nobody has duplicated."""


def look(world: "World") -> None:
    """Check what must hold at any moment."""
    checks = world.checks
    checks.that("P9", world.kernel.steps < MOST_STEPS, "something goes round in circles")
    if world.is_server_up:
        world.observatory.look()
        assert world.server is not None
        hub = world.server.hub
        if hub is not None:
            _is_bounded(world, hub)
    for device in world.devices:
        if (program := device.program) is None:
            continue
        if program.ended is None:
            program.check()
            bound = TASKS_OF_CLIENT + program.doing
            checks.that("P9", len(program.process.tasks) <= bound, "{} runs too many tasks", device.name)
        elif program.ended not in ENDINGS and not program.was_duplicated:
            checks.that("P6", False, "{} ended with {}", program.process.name, program.ended)
        _is_sane(world, program.process.name, program.process.errors)
    if world.server is not None:
        _is_sane(world, world.server.process.name, world.server.process.errors)


def _is_sane(world: "World", name: str, errors: list[str]) -> None:
    world.checks.that("P9", not errors, "{} has failed: {}", name, errors)


def _is_bounded(world: "World", hub: Hub) -> None:
    checks, limits, server = world.checks, world.limits, world.server
    assert server is not None
    streams = len(server.contexts)
    checks.that("P9", len(hub._streams) <= streams, "{} streams, {} are known", streams, len(hub._streams))
    checks.that("P9", hub.door.waiting <= streams, "{} streams, {} at the door", streams, hub.door.waiting)
    most = TASKS_OF_SERVER + TASKS_OF_STREAM * streams
    checks.that("P9", len(server.process.tasks) <= most, "{} tasks", len(server.process.tasks))
    for place in hub.lobbies:
        desk = place.desk
        sessions = sum(1 for _ in desk.seats)
        checks.that("P9", desk.stream_count <= streams, "{} lines for {} streams", desk.stream_count, streams)
        held = len(desk._courier._parcels)
        checks.that("P9", held <= limits.pending_deliveries * max(1, sessions), "{} deliveries wait", held)
        # A message that is settled keeps its deadline until that comes.
        recent = sum(
            1
            for sent_at in world.observatory.sends[-500:]
            if sent_at > server.process.time() - limits.ack_seconds - 1
        )
        deadlines = 3 * streams + 2 * sessions + recent + 1
        checks.that("P9", len(desk._timers) <= deadlines, "{} deadlines", len(desk._timers))
        heap = len(desk._timers._heap)
        checks.that("P9", heap <= 64 + 4 * deadlines, "{} deadlines in the heap", heap)
        for line in desk.lines:
            checks.that("P9", len(line.outbox) <= MAILBOX_CAPACITY, "{} messages wait", len(line.outbox))


# In quiet.


def is_quiet(world: "World") -> bool:
    """Tell whether everybody who should be there is, everywhere."""
    if (
        not world.is_server_up
        or world.is_restarting
        or world.network.unnoticed
        or not all(map(_is_settled, world.running))
    ):
        return False
    for name, model in world.observatory.lobbies.items():
        expected = _expected(world, name)
        members = model.members
        if members.keys() != expected.keys():
            return False
        for key, programs in expected.items():
            record = members[key]
            wanted = {_said(program) for program in programs}
            if not record.is_online or record.sessions != len(programs) or record.profile not in wanted:
                return False
        for program in world.running:
            if program.device.lobby == name and program.lobby is not None:
                stands_at = (program.lobby.epoch, program.lobby.revision)
                if stands_at != (model.epoch, model.revision):
                    return False
    return True


def check_quiet(world: "World") -> None:
    """Check that everything agrees: model, server and clients."""
    checks = world.checks
    for program in world.running:
        program.check_quiet()
    world.observatory.ledger.settled()
    assert world.server is not None
    hub = world.server.hub
    assert hub is not None
    for name, model in world.observatory.lobbies.items():
        if (place := hub.find(name)) is None:
            continue
        _selections_agree(world, place.desk)
        lobby = place.desk.lobby
        fold = {member.public_key: record_of(member) for member in lobby}
        checks.that(
            "P3", (lobby.epoch, lobby.revision) == (model.epoch, model.revision), "the fold is behind"
        )
        checks.that("P3", fold == model.members, "the server's list of {} is not the model's", name)
        checks.that(
            "P3", lobby.digest == digest_of(model.members), "the server's digest of {} is another", name
        )
        # A stranger may claim to hold anything.
        if not world.observatory.counts.get("hostile words"):
            divergences = place.desk.divergences
            checks.that("P3", not divergences, "{} lists differed from the server's", divergences)


def _selections_agree(world: "World", desk: Desk) -> None:
    held: dict[bytes, tuple[bytes, int] | None] = {}
    for seat in desk.seats:
        selection = seat.line.outbox.selection if seat.line is not None else None
        # One that was cleared is kept, so that it can be told again.
        if selection is not None and selection.told is SelectionState.CLEARED:
            selection = None
        held[seat.session.id] = (selection.public_key, selection.incarnation) if selection else None
    for program in world.running:
        if program.lobby is None or (session_id := program.lobby._session._session_id) not in held:
            continue
        shown = program.lobby.selection
        mine = None if shown is None else (shown.public_key, shown.incarnation)
        world.checks.that(
            "P7",
            mine == held[session_id],
            "{} shows another selection than the server's",
            program.process.name,
        )


def picture(world: "World") -> dict[str, object]:
    """Tell what may not change as long as nothing happens."""
    return {
        name: {key: (one.incarnation, one.is_online, one.sessions) for key, one in model.members.items()}
        for name, model in world.observatory.lobbies.items()
    }


def why_not_quiet(world: "World") -> str:
    """Tell what keeps the world from being quiet."""
    unsettled = [f"{one.process.name} ({_state(one)})" for one in world.running if not _is_settled(one)]
    if unsettled:
        return f"not settled: {', '.join(unsettled)}"
    lists = []
    for name, model in world.observatory.lobbies.items():
        shown = {record.profile[0]: record[:4] for record in model.members.values()}
        wanted = [
            program.process.name for programs in _expected(world, name).values() for program in programs
        ]
        lists.append(f"{name} at {model.revision}: {shown}, expected {wanted}")
    return "; ".join(lists)


def _state(program: Program) -> str:
    lobby = program.lobby
    if lobby is None:
        return "not started"
    return f"{lobby.state}, {len(lobby._backlog)} events, {program.outstanding} requests, revision {lobby.revision}"


def _is_open(world: "World", name: str) -> bool:
    assert world.server is not None
    hub = world.server.hub
    return hub is not None and hub.find(name) is not None


def _is_settled(program: Program) -> bool:
    lobby = program.lobby
    selection = lobby.selection if lobby is not None else None
    return (
        lobby is not None
        and not program.is_leaving
        # After a resume it waits for the server's word.
        and (selection is None or selection.reason is not SelectionReason.NOT_CONNECTED)
        and program.knows_selection
        and lobby.state.phase is Phase.LIVE
        and lobby.is_proved
        and not program.doing
        and not len(lobby._backlog)
    )


def _expected(world: "World", lobby: str) -> dict[bytes, list[Program]]:
    there: defaultdict[bytes, list[Program]] = defaultdict(list)
    for program in world.running:
        if program.device.lobby == lobby and not program.device.observes:
            there[program.device.identity.public_key].append(program)
    return dict(there)


def _said(program: Program) -> tuple[str, int, str, tuple[tuple[str, str], ...]]:
    assert program.lobby is not None
    profile = program.lobby._session.profile
    return profile.name, int(profile.status), profile.status_text, tuple(sorted(profile.attributes.items()))


# At the end.


def check_empty(world: "World", model: LobbyModel) -> None:
    """Check that nothing is left of a lobby that everybody has left."""
    world.checks.that("P9", not model.members, "{} are left in {}", len(model.members), model.name)


def is_empty(world: "World") -> bool:
    """Tell whether the server holds nothing any more."""
    server = world.server
    if server is None or server.hub is None or server.store is None or not server.is_listening:
        return False
    hub, store = server.hub, server.store
    return (
        not (server.contexts or hub._streams or list(hub.lobbies) or hub.door.waiting or store._shelves)
        and len(server.process.tasks) <= 2
    )


def what_is_left(world: "World") -> str:
    """Tell what the server holds."""
    server = world.server
    if server is None or server.hub is None or server.store is None:
        return "there is no server"
    hub, store = server.hub, server.store
    return (
        f"{len(server.contexts)} streams, {len(hub._streams)} in the hub, {hub.door.waiting} at the door,"
        f" lobbies {[place.desk.lobby.name for place in hub.lobbies]}, stored {list(store._shelves)},"
        f" {len(server.process.tasks)} tasks"
    )
