"""What an operator may set, where it may be set, and which settings go together.

Decides the value of every option (flag, then `ADSUM_*` variable, then TOML file, then default) and refuses
what is unsafe or contradicts itself. Doesn't open certificates (`credentials.py`), sockets or logs.

Invariants: each option is declared once, in `GROUPS`, and its default is written as an operator would write
it, so that defaults, flags, variables and the file are read by the same reader. All faults are told at once,
each with the place that it came from. Nothing but the TOML file is read.
"""

import argparse
import difflib
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import platformdirs

from adsum.contract.limits import Limits
from adsum.server.logs import LogFormat, LogLevel
from adsum.server.loop import EventLoop
from adsum.server.options import (
    ADMIN_LISTEN,
    AUDIENCE,
    AUTH,
    CLIENT_VARIABLES,
    CONFIG,
    DRAIN_SECONDS,
    EVENT_LOOP,
    GROUPS,
    HANDOVER_FILE,
    INSECURE,
    LIMITS,
    LIMITS_TABLE,
    LISTEN,
    LOG_FORMAT,
    LOG_LEVEL,
    PORT_FILE,
    TLS_CERT,
    TLS_KEY,
    UNTIL_STDIN_CLOSES,
    VARIABLE_PREFIX,
    Address,
    Auth,
    Auto,
    Given,
    Option,
    shown,
)


@dataclass(frozen=True, slots=True)
class Config:
    """Hold what the operator has decided, checked. `load` makes it.

    `handover_file` is resolved: None means that nothing is handed over. `warnings` are sentences for the log.
    """

    listen: tuple[Address, ...]
    admin_listen: Address | None
    port_file: Path | None
    tls_certificate: Path | None
    tls_key: Path | None
    insecure: bool
    auth: Auth
    audiences: tuple[str, ...]
    limits: Limits
    drain_seconds: float
    handover_file: Path | None
    until_stdin_closes: bool
    event_loop: EventLoop
    log_format: LogFormat
    log_level: LogLevel
    config_file: Path | None = None
    warnings: tuple[str, ...] = ()


_DESCRIPTION = """\
adsumd keeps the lobbies: it tells every client, within a tenth of a second, who is online, and carries
messages between them. Started without options it serves this machine only, and keeps everything in memory.
"""
_EPILOG = """\
examples:
  adsumd                                      serve this machine on localhost:7557
  adsumd --listen 0.0.0.0:7557 --tls-cert fullchain.pem --tls-key privkey.pem
                                              serve everybody, under the names in the certificate
  adsumd --listen 0.0.0.0:7557 --insecure     serve a network that you trust, without TLS
  adsumd --listen localhost:0 --admin-listen none --port-file port
                                              a free port, for tests
  adsumd --config adsumd.toml                 options from a file

A flag comes before its variable, that before the file, and that before the default. An empty variable counts
as not set. In the file a key is the flag with _ for -, limits stand in a table of their own, and a relative
path starts at the file:

  listen = ["0.0.0.0:7557"]
  tls_cert = "fullchain.pem"
  tls_key = "privkey.pem"

  [limits]
  grace_seconds = 10

Ctrl-C or SIGTERM stops: clients are told, and come back by themselves to the next server.
Exit codes: 0 stopped as asked, 1 could not run, 2 the options are wrong.
"""


T = TypeVar("T")


class _Values:
    """Find each option's value and collect what is wrong."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.given: dict[str, Given] = {}
        self._broken: set[str] = set()

    def take(self, option: Option[T]) -> T:
        """Read an option; its default if what was given is wrong, which is noted."""
        given = self.given.get(option.name)
        if given is not None:
            try:
                return option.read(given)
            except ValueError as error:
                self._broken.add(option.name)
                self.faults.append(f"{given.origin}: {error}")
        return option.read(Given(option.default, "default"))

    def are_read(self, *options: Option[Any]) -> bool:
        """Tell whether a rule between these can be judged: each of them was readable."""
        return not any(option.name in self._broken for option in options)

    def origin(self, option: Option[Any]) -> str:
        """Tell where the value came from."""
        given = self.given.get(option.name)
        return given.origin if given is not None else f"{option.flag} (default)"


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Config:
    """Decide every option from the words after the program's name, the environment and the TOML file.

    Raises:
        SystemExit: help or version was asked for and is written (code 0), or something is wrong and all of it
            is written to stderr (code 2).
    """
    values = _Values()
    flags, rest = _parser().parse_known_args(list(argv))
    known_flags = [option.flag for option in _options() if not option.hidden]
    for before, word in zip(["", *rest], rest, strict=False):
        if word.startswith("-"):
            values.faults.append(
                f"{word}: no such option{_suggestion(word.partition('=')[0], known_flags, '--')}"
            )
        elif not before.startswith("-"):
            # After an unknown option it is that option's value.
            values.faults.append(f"{word}: options start with --, and nothing else is expected")
    from_flags = {
        option.name: Given(value, option.flag)
        for option in _options()
        if (value := getattr(flags, option.key)) is not None
    }
    from_environment = {
        option.name: Given(environ[option.variable], option.variable)
        for option in _options()
        if not option.hidden and environ.get(option.variable)
    }
    # What comes later replaces what came before; the file comes last, since the others may name it.
    values.given = {**from_environment, **from_flags}
    config_file = values.take(CONFIG)
    if config_file is not None:
        values.given = {**_read_file(config_file, values), **values.given}
    config = _config(values, config_file, _unknown_variables(environ))
    if values.faults:
        _refuse(values.faults)
    return config


def _config(values: _Values, config_file: Path | None, warnings: tuple[str, ...]) -> Config:
    listen = values.take(LISTEN)
    handover = values.take(HANDOVER_FILE)
    config = Config(
        listen=listen,
        admin_listen=values.take(ADMIN_LISTEN),
        port_file=values.take(PORT_FILE),
        tls_certificate=values.take(TLS_CERT),
        tls_key=values.take(TLS_KEY),
        insecure=values.take(INSECURE),
        auth=values.take(AUTH),
        audiences=values.take(AUDIENCE),
        limits=_limits(values),
        drain_seconds=values.take(DRAIN_SECONDS),
        handover_file=_usual_handover_file(listen[0].port) if handover is Auto.AUTO else handover,
        until_stdin_closes=values.take(UNTIL_STDIN_CLOSES),
        event_loop=values.take(EVENT_LOOP),
        log_format=values.take(LOG_FORMAT),
        log_level=values.take(LOG_LEVEL),
        config_file=config_file,
        warnings=warnings,
    )
    _check_exposure(config, values)
    return config


def _check_exposure(config: Config, values: _Values) -> None:
    """Note what would be open to people it shouldn't be open to, and what contradicts itself."""
    exposed = [address for address in config.listen if not address.is_loopback]
    if values.are_read(TLS_CERT, TLS_KEY) and (config.tls_certificate is None) != (config.tls_key is None):
        present, missing = (TLS_CERT, TLS_KEY) if config.tls_key is None else (TLS_KEY, TLS_CERT)
        values.faults.append(f"{values.origin(present)}: needs {missing.flag} as well")
    has_tls = config.tls_certificate is not None or config.tls_key is not None
    if (
        exposed
        and not has_tls
        and not config.insecure
        and values.are_read(LISTEN, TLS_CERT, TLS_KEY, INSECURE)
    ):
        values.faults.append(
            f"{values.origin(LISTEN)}: other machines can reach {exposed[0]}, and without TLS everybody "
            "between could read and change everything; give --tls-cert and --tls-key, or --insecure if you "
            "accept that"
        )
    if exposed and config.auth is Auth.NONE and values.are_read(LISTEN, AUTH):
        values.faults.append(
            f"{values.origin(AUTH)}: without authentication anybody could be anybody, so it is for loopback "
            f"only; other machines can reach {exposed[0]} ({values.origin(LISTEN)}), and nothing allows that"
        )
    admin = config.admin_listen
    if admin is None or not values.are_read(ADMIN_LISTEN):
        return
    if not admin.is_loopback and not config.insecure and values.are_read(INSECURE):
        values.faults.append(
            f"{values.origin(ADMIN_LISTEN)}: other machines can reach {admin}, and the admin listener has no "
            "authentication: everybody could see who is in every lobby; use a loopback address, or "
            "--insecure if you accept that"
        )
    if values.are_read(LISTEN):
        values.faults.extend(
            f"{values.origin(ADMIN_LISTEN)}: {admin} is taken by {values.origin(LISTEN)}, {address}"
            for address in config.listen
            if admin.collides(address)
        )


def _limits(values: _Values) -> Limits:
    chosen: dict[str, Any] = {name: values.take(option) for name, option in LIMITS.items()}
    limits = Limits(**chosen)
    for fault in limits.faults():
        named = [LIMITS[word] for word in re.findall(r"\w+", fault) if word in LIMITS]
        if values.are_read(*named):
            origins = [values.origin(option) for option in named if option.name in values.given]
            values.faults.append(f"{', '.join(origins)}: {fault}")
    return limits


def _read_file(path: Path, values: _Values) -> dict[str, Given]:
    """Take what the TOML file sets, and note what it can't set."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        values.faults.append(f"{values.origin(CONFIG)}: can't read {path}: {error.strerror or error}")
        return {}
    except ValueError as error:
        # Neither UTF-8 nor TOML, or a number of so many digits that Python doesn't read it.
        values.faults.append(f"{values.origin(CONFIG)}: {path} is not TOML: {error}")
        return {}
    except RecursionError:
        values.faults.append(f"{values.origin(CONFIG)}: {path} is nested too deeply")
        return {}
    at_top = {option.key: option for option in _options() if option.in_file and not option.hidden}
    at_top = {key: option for key, option in at_top.items() if key not in LIMITS}
    found = _read_table(content, at_top, "", path, values)
    table = content.get(LIMITS_TABLE, {})
    if isinstance(table, dict):
        found |= _read_table(table, LIMITS, LIMITS_TABLE + ".", path, values)
    else:
        values.faults.append(f"{path}: {LIMITS_TABLE} must be a table, [limits], not {shown(table)}")
    return found


def _read_table(
    table: Mapping[str, object], known: Mapping[str, Option[Any]], prefix: str, path: Path, values: _Values
) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for key, value in table.items():
        if key in known:
            found[known[key].name] = Given(value, f"{path}: {prefix}{key}", path.parent)
        elif not prefix and key in LIMITS:
            values.faults.append(f"{path}: {key}: belongs in the table [{LIMITS_TABLE}]")
        elif prefix or key != LIMITS_TABLE:
            candidates = list(known) if prefix else [*known, LIMITS_TABLE]
            values.faults.append(f"{path}: {prefix}{key}: no such key{_suggestion(key, candidates)}")
    return found


def _unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = {option.variable for option in _options() if not option.hidden}
    return tuple(
        f"{name} is set, but there is no such option{_suggestion(name, sorted(known), VARIABLE_PREFIX)}"
        for name in sorted(environ)
        if name.startswith(VARIABLE_PREFIX) and name not in known | CLIENT_VARIABLES
    )


def _suggestion(word: str, candidates: Iterable[str], prefix: str = "") -> str:
    # What all have in common would make all of them alike.
    bare = [candidate.removeprefix(prefix) for candidate in candidates]
    close = difflib.get_close_matches(word.removeprefix(prefix), bare, n=1)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def _usual_handover_file(port: int) -> Path | None:
    # Who asks for a free port will get another one next time: there is no successor.
    return platformdirs.user_state_path("adsum", appauthor=False) / f"handover-{port}.json" if port else None


def _options() -> list[Option[Any]]:
    return [option for group in GROUPS.values() for option in group]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adsumd",
        usage="adsumd [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"adsumd {_version()}")
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            # A percent sign is argparse's own; no default here, since None must mean "not given".
            text = f"{option.help} (default: {option.default}; {option.variable})".replace("%", "%%")
            shown = argparse.SUPPRESS if option.hidden else text
            if option.switch:
                switch = argparse.BooleanOptionalAction if not option.hidden else "store_true"
                group.add_argument(option.flag, dest=option.key, action=switch, default=None, help=shown)
            else:
                action = "append" if option.repeatable else "store"
                group.add_argument(
                    option.flag,
                    dest=option.key,
                    action=action,
                    default=None,
                    metavar=option.metavar,
                    help=shown,
                )
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("adsum")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _refuse(faults: Sequence[str]) -> NoReturn:
    lines = [f"adsumd: {fault}" for fault in faults]
    print(*lines, "Nothing was started. 'adsumd --help' explains the options.", sep="\n", file=sys.stderr)
    raise SystemExit(2)
