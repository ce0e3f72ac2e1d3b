"""Who comes into some worlds beside the devices: strangers that mean harm, and operators who watch.

They have a generator of their own, so that the worlds without them are the same as ever.
"""

from collections.abc import Iterable
from random import Random

from tests.model.lobby import LobbyModel
from tests.simulation.loop import Process
from tests.simulation.stranger import Stranger
from tests.simulation.watcher import Watcher
from tests.simulation.world import World

PART_WITH_STRANGERS = 0.3
PART_WITH_WATCHERS = 0.3
COMING_SECONDS = 8.0
"""Within how long after the start of a phase they come, if it lasts so long."""


class Visitors:
    """All visitors of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = random = Random(f"{world.seed}/visitors")
        self._strangers: list[Stranger] = []
        self._watchers: list[Watcher] = []
        self._may_come = False
        self._has_strangers = random.random() < PART_WITH_STRANGERS
        self._has_watchers = random.random() < PART_WITH_WATCHERS

    def come(self) -> None:
        """Let some come in the phase of trouble that begins."""
        self._may_come = True
        random, kernel = self._random, self._world.kernel
        for _ in range(random.choice((1, 2, 6)) if self._has_strangers else 0):
            kernel.at(kernel.now + random.random() * COMING_SECONDS, self._let_stranger_come)
        for _ in range(random.choice((1, 2, 3)) if self._has_watchers else 0):
            kernel.at(kernel.now + random.random() * COMING_SECONDS, self._let_watcher_come)

    def turn_out(self) -> None:
        """Let the strangers be gone, since nobody may be there in quiet whom the devices don't account for; and the watchers be quick."""
        self._may_come = False
        for watcher in self._watchers:
            watcher.pause_seconds = 0.0
        for stranger in self._strangers:
            stranger.end()
        self._strangers.clear()

    def end(self) -> None:
        """Let everybody be gone for good."""
        self.turn_out()
        for watcher in self._watchers:
            watcher.end()

    @property
    def are_settled(self) -> bool:
        """True if whoever watches has read all there is: some take their time between two lists."""
        return all(map(self._is_there, self._watching()))

    def check_quiet(self) -> None:
        """See that whoever watches has the list as it is (P3)."""
        for watcher in self._watching():
            model = self._model(watcher)
            stands_at = (watcher.model.epoch, watcher.model.revision)
            self._world.checks.that(
                "P3", self._is_there(watcher), "a watcher stands at {}, not {}", stands_at, model.revision
            )
            self._world.observatory.count("watchers in quiet")

    def _watching(self) -> Iterable[Watcher]:
        return (watcher for watcher in self._watchers if watcher.is_watching)

    def _model(self, watcher: Watcher) -> LobbyModel:
        model: LobbyModel = self._world.observatory.lobbies[watcher.lobby]
        return model

    def _is_there(self, watcher: Watcher) -> bool:
        model = self._model(watcher)
        return (watcher.model.epoch, watcher.model.revision) == (model.epoch, model.revision)

    def _let_stranger_come(self) -> None:
        world, random = self._world, self._random
        if not self._may_come:
            return
        number = len(self._strangers)
        process = Process.begin(world.kernel, f"stranger {number}", 0.0)
        lobby = random.choice(sorted(world.observatory.lobbies))
        identity = world.seed * 100 + random.randrange(100)
        self._strangers.append(Stranger(identity, process, world.network, world.observatory, random, lobby))

    def _let_watcher_come(self) -> None:
        world, random = self._world, self._random
        server = world.server
        if not self._may_come or server is None or server.hub is None or not server.is_listening:
            return
        lobby, pause = random.choice(sorted(world.observatory.lobbies)), random.choice((0.0, 0.0, 0.2))
        self._watchers.append(Watcher(server.process, server.hub, lobby, world.observatory, pause))
