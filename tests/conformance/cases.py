"""The cases of the live and hostile groups: functions that play one scene on a `Stage`, registered by a decorator.

A case's function name states the behaviour that it proves, and the decorator names the promises of the README that it shows.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module

from tests.conformance.stage import Stage

MODULES = (
    "live_lists",
    "live_losses",
    "live_people",
    "live_messages",
    "live_restarts",
    "hostile_lists",
    "hostile_sessions",
    "hostile_messages",
    "hostile_endings",
    "hostile_values",
)
"""Where the cases are, in the order of the table."""
Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    group: str
    name: str
    promises: tuple[str, ...]
    play: Play


_cases: list[Case] = []


def live(*promises: str) -> Callable[[Play], Play]:
    """Register a case that runs against a real server."""
    return lambda play: _register("live", promises, play)


def hostile(*promises: str) -> Callable[[Play], Play]:
    """Register a case that runs against a server that follows the case's script."""
    return lambda play: _register("hostile", promises, play)


def all_cases() -> list[Case]:
    """List the cases of all modules, in their order."""
    for module in MODULES:
        import_module(f"tests.conformance.{module}")
    return list(_cases)


def _register(group: str, promises: tuple[str, ...], play: Play) -> Play:
    _cases.append(Case(group, play.__name__.replace("_", "-"), promises, play))
    return play
