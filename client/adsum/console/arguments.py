"""What the command line may say, and what it means.

Pure: words and an environment in, one command's value out. A mistake ends with a message that names it and
exit code 2, as argparse does. Options come before environment variables, and these before defaults.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from adsum.console.commands import (
    Access,
    BotsCommand,
    Command,
    DemoCommand,
    JoinCommand,
    KeyCommand,
    SendCommand,
    WatchCommand,
    WhoCommand,
)
from adsum.console.exits import EXPLANATION
from adsum.console.guidance import ENVIRONMENT, EXAMPLES
from adsum.contract.identity import audience_of
from adsum.contract.limits import LOBBY_PATTERN
from adsum.contract.text import fault_in_name, normalise

DEFAULT_SERVER = "localhost:7557"
"""Where `adsumd` listens when nobody says otherwise."""
DEFAULT_PORT = 7557
"""The port of a server given without one."""
DEMO_LOBBY = "lobby"
"""The lobby of `adsum demo`."""
DEMO_BOTS = 12
"""How many bots `adsum demo` starts: they fill half a screen."""
DEFAULT_PACE_SECONDS = 2.0
"""How often, on average, something happens among bots: often enough to see, slow enough to read."""

USUAL_KEY = "ADSUM_KEY, else in your data directory"
"""Which key is taken when none is named."""


def read_command(words: Sequence[str], environment: Mapping[str, str]) -> Command:
    """Tell what a command line means.

    Raises:
        SystemExit: argparse has said what is wrong (code 2), or has shown help (code 0).
    """
    parser = _parser(environment)
    given = parser.parse_args(words)
    usual_name = environment.get("ADSUM_NAME") or None
    if usual_name is not None:
        try:
            usual_name = _name(usual_name)
        except argparse.ArgumentTypeError as error:
            parser.error(f"ADSUM_NAME: {error}")
    access = Access(
        server=getattr(given, "server", DEFAULT_SERVER),
        name=getattr(given, "name", None),
        usual_name=usual_name,
        key=getattr(given, "key", None),
        tls=getattr(given, "tls", False) or getattr(given, "ca", None) is not None,
        ca=getattr(given, "ca", None),
        insecure=getattr(given, "insecure", False),
    )
    match given.command:
        case "join":
            return JoinCommand(access, given.lobby, given.plain)
        case "watch":
            return WatchCommand(
                access, given.lobby, given.plain, given.json, given.for_seconds, given.event_count
            )
        case "who":
            return WhoCommand(access, given.lobby, given.plain, given.json)
        case "send":
            return SendCommand(access, given.lobby, given.plain, given.recipient, " ".join(given.text))
        case "key":
            return KeyCommand(given.key, given.plain, given.make, given.show)
        case "bots":
            return BotsCommand(
                access,
                given.lobby,
                given.plain,
                given.count,
                given.seed,
                given.pace,
                given.until_stdin_closes,
            )
        case "demo":
            return DemoCommand(
                given.name,
                usual_name,
                given.key,
                given.lobby,
                given.plain,
                given.count,
                given.seed,
                given.pace,
            )
        case _:
            raise AssertionError(given.command)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adsum",
        description="See who is in a lobby right now, and write to people who are surely there.",
        epilog="\n".join((EXAMPLES[""], ENVIRONMENT, EXPLANATION)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    screen = _screen_options()
    access = _access_options(environment)
    own_key = _key_options(environment)
    person = _person_options(environment)
    # The demo's person must not be the same as the user who joins from another terminal: only a key named
    # here is taken.
    demonstrator = _person_options({}, "a new one, for the demo only")
    crowd = _crowd_options()

    join = _add(
        commands, "join", "be in a lobby, see who comes and goes, write to people", [access, person, screen]
    )
    _add_lobby(join)

    watch = _add(
        commands, "watch", "see every change of a lobby without being seen", [access, own_key, screen]
    )
    _add_lobby(watch)
    watch.add_argument("--json", action="store_true", help="one JSON object for each event")
    watch.add_argument(
        "--for", dest="for_seconds", type=_positive_seconds, metavar="SECONDS", help="stop after this time"
    )
    watch.add_argument(
        "--count-events",
        dest="event_count",
        type=_positive_count,
        metavar="N",
        help="stop after N events; the first is the list",
    )

    who = _add(commands, "who", "show who is in a lobby, without being seen", [access, own_key, screen])
    _add_lobby(who)
    who.add_argument("--json", action="store_true", help="one JSON object instead of a table")

    send = _add(
        commands, "send", "write to one person, and be told whether it arrived", [access, person, screen]
    )
    _add_lobby(send)
    send.add_argument("recipient", metavar="RECIPIENT", help="exact name, fingerprint, or public key in hex")
    send.add_argument("text", metavar="TEXT", nargs="+", help="what to write; - reads it from stdin")

    key = _add(
        commands, "key", "show or make your key", [_key_options(environment, "--key", "--path"), screen]
    )
    what = key.add_mutually_exclusive_group()
    what.add_argument("--make", action="store_true", help="make a key; fail if there is one")
    what.add_argument("--show", action="store_true", help="show the key; fail if there is none")

    bots = _add(commands, "bots", "fill a lobby with lively bots", [access, crowd, screen])
    _add_lobby(bots)
    bots.add_argument("--count", type=_positive_count, metavar="N", required=True, help="how many")
    # Whoever started the bots holds the other end of their stdin: when it dies, however it dies, they end
    # too.
    bots.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)

    demo = _add(
        commands,
        "demo",
        "start a server and some bots on this machine, and join them",
        [demonstrator, crowd, screen],
    )
    demo.add_argument(
        "lobby", metavar="LOBBY", nargs="?", type=_lobby, default=DEMO_LOBBY, help=f"default: {DEMO_LOBBY}"
    )
    demo.add_argument(
        "--count",
        type=_positive_count,
        metavar="N",
        default=DEMO_BOTS,
        help=f"how many bots (default: {DEMO_BOTS})",
    )
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    parents: list[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join((EXAMPLES[name], EXPLANATION)),
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_lobby(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lobby", metavar="LOBBY", type=_lobby, help="the lobby, such as team or room-42")


def _access_options(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--server",
        type=_server,
        metavar="HOST:PORT",
        default=environment.get("ADSUM_SERVER") or DEFAULT_SERVER,
        help=f"the server (default: ADSUM_SERVER, else {DEFAULT_SERVER})",
    )
    options.add_argument("--tls", action="store_true", help="encrypt, and verify the server's certificate")
    options.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="trust this authority (PEM) instead of the system's; implies --tls",
    )
    options.add_argument(
        "--insecure",
        action="store_true",
        help="allow a server elsewhere without TLS: anyone on the way can read and change everything",
    )
    return options


def _person_options(environment: Mapping[str, str], usual_key: str = USUAL_KEY) -> argparse.ArgumentParser:
    key = _key_options(environment, usual_key=usual_key)
    options = argparse.ArgumentParser(add_help=False, parents=[key])
    options.add_argument(
        "--name", type=_name, help="your display name (default: ADSUM_NAME, else your user name)"
    )
    return options


def _key_options(
    environment: Mapping[str, str], *flags: str, usual_key: str = USUAL_KEY
) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    default = environment.get("ADSUM_KEY")
    options.add_argument(
        *(flags or ("--key",)),
        type=Path,
        metavar="FILE",
        default=Path(default) if default else None,
        help=f"the file of your key (default: {usual_key})",
    )
    return options


def _crowd_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--seed", type=int, metavar="N", help="the same bots, doing the same things, each time"
    )
    options.add_argument(
        "--pace",
        type=_positive_seconds,
        metavar="SECONDS",
        default=DEFAULT_PACE_SECONDS,
        help=f"average time between two things that happen (default: {DEFAULT_PACE_SECONDS:g})",
    )
    return options


def _screen_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--plain", action="store_true", help="plain lines, without colours or tables")
    return options


def _lobby(text: str) -> str:
    if not LOBBY_PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!a} is not a lobby's name: 1 to 64 of a-z 0-9 . _ -, starting with a letter or digit"
        )
    return text


def _name(text: str) -> str:
    name = normalise(text)
    if fault := fault_in_name(name):
        raise argparse.ArgumentTypeError(fault)
    return name


def _server(text: str) -> str:
    try:
        audience_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    text = text.strip()
    if text.startswith("["):
        return text if "]:" in text else f"{text}:{DEFAULT_PORT}"
    if text.count(":") > 1:
        return f"[{text}]:{DEFAULT_PORT}"
    return text if ":" in text else f"{text}:{DEFAULT_PORT}"


def _positive_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    # False for NaN as well.
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of seconds greater than 0")
    return seconds


def _positive_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!a} is not a number greater than 0")
    return int(text)
