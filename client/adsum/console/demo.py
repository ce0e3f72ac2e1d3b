"""`adsum demo`: a server, some bots and a person, in one command and gone with it.

Server and bots are programs of their own, so what is seen is what anybody would see over the network. They
end when their stdin closes; the person's client is this process.
"""

import asyncio
import importlib.util
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from adsum.client import Identity, load_identity
from adsum.console.access import system_name
from adsum.console.children import child, last_lines
from adsum.console.commands import Access, DemoCommand
from adsum.console.crowd import HOST_NAME
from adsum.console.exits import CommandError, Exit
from adsum.console.join import converse
from adsum.console.output import Output
from adsum.console.text import Tone
from adsum.console.wording import count_words
from adsum.contract.text import fault_in_name

START_SECONDS = 20.0
"""How long the server may take to start."""
POLL_SECONDS = 0.02
"""How often it is looked whether the server has started."""
LOG_LINES = 8
"""How much of a log is shown when its program has failed."""


async def demo(command: DemoCommand, output: Output) -> int:
    """Run it all until the person leaves.

    Raises:
        CommandError: the server isn't installed, doesn't start, or ends before the person does.
    """
    if importlib.util.find_spec("adsum.server") is None:
        raise CommandError(Exit.ERROR, "the demo needs the server: pip install 'adsum[server]'")
    identity = Identity.generate() if command.key is None else load_identity(command.key)
    with tempfile.TemporaryDirectory(prefix="adsum-demo-") as name:
        folder = Path(name)
        log, port_file, bots_log = folder / "adsumd.log", folder / "ports.json", folder / "bots.log"
        environment = own_environment(os.environ)
        server_words = server_command(sys.executable, port_file)
        async with child(server_words, log=log, environment=environment) as server:
            with output.waiting("starting the server"):
                address = await _address(server, port_file, log)
            bots_words = bots_command(sys.executable, command, address)
            async with child(bots_words, log=bots_log, environment=environment) as bots:
                output.say(
                    introduction(command, address, adsum=adsum_words(), process_id=os.getpid(), log=log)
                )
                async with asyncio.TaskGroup() as group:
                    watchers = (
                        group.create_task(_fail_with(server, log)),
                        group.create_task(_tell_end(bots, bots_log, output)),
                    )
                    code = await converse(
                        Access(address, demonstrator_name(command)), command.lobby, identity, output
                    )
                    for watcher in watchers:
                        watcher.cancel()
    return code


def server_command(python: str, port_file: Path) -> list[str]:
    """Put together how the server is started: on free ports of this machine, which it writes to a file when it is ready."""
    return [
        python, "-m", "adsum.server", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
        "--port-file", str(port_file), "--log-format", "text", "--until-stdin-closes",
    ]  # fmt: skip


def own_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is set for the user's own server and client: it isn't meant for those of the demo."""
    return {name: value for name, value in environment.items() if not name.startswith("ADSUM_")}


def bots_command(python: str, command: DemoCommand, address: str) -> list[str]:
    """Put together how the bots are started."""
    words = [
        python, "-m", "adsum.console", "bots", command.lobby, "--server", address, "--count", str(command.count),
        "--pace", str(command.pace_seconds), "--until-stdin-closes",
    ]  # fmt: skip
    return words if command.seed is None else [*words, "--seed", str(command.seed)]


def introduction(command: DemoCommand, address: str, *, adsum: str, process_id: int, log: Path) -> str:
    """Tell a newcomer what runs, how it is stopped, and what can be typed in other terminals."""
    where = f"{command.lobby} --server {address}"
    return "\n".join(
        (
            f"A server on {address}, {count_words(command.count, 'bot', 'bots')}, and you.",
            f"Stop it all with Ctrl-C, or from elsewhere with: kill {process_id}",
            "In other terminals try:",
            f"  {adsum} join {where}",
            f"  {adsum} who {where}",
            f'  {adsum} send {command.lobby} {HOST_NAME} "hello" --server {address}',
            f"  {adsum} watch {where} --json",
            f"The server's log: {log}",
            "",
        )
    )


def adsum_words(*, python: str = sys.executable, path: str | None = None, folder: Path | None = None) -> str:
    """Tell how `adsum` is called from here: by its name if that finds this very program, else by its path."""
    script = Path(python).parent / "adsum"
    found = shutil.which("adsum", path=path)
    if found is not None and Path(found).absolute() == script.absolute():
        return "adsum"
    if not script.exists():
        return f"{shlex.quote(python)} -m adsum.console"
    here = folder or Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


def demonstrator_name(command: DemoCommand) -> str:
    """Name the person so that they can be told apart from the same user in another terminal."""
    if command.name is not None:
        return command.name
    usual = command.usual_name or system_name()
    marked = f"{usual} (demo)"
    return usual if fault_in_name(marked) else marked


async def _address(server: asyncio.subprocess.Process, port_file: Path, log: Path) -> str:
    try:
        async with asyncio.timeout(START_SECONDS):
            while (address := _listening(port_file)) is None:
                if server.returncode is not None:
                    raise CommandError(Exit.ERROR, _failure("the server did not start", server, log))
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise CommandError(Exit.ERROR, f"the server did not start within {START_SECONDS:g} s") from None
    return address


def _listening(port_file: Path) -> str | None:
    try:
        return str(json.loads(port_file.read_text())["listen"])
    except FileNotFoundError:
        return None


async def _fail_with(server: asyncio.subprocess.Process, log: Path) -> None:
    await server.wait()
    raise CommandError(Exit.ERROR, _failure("the server has ended", server, log))


async def _tell_end(bots: asyncio.subprocess.Process, log: Path, output: Output) -> None:
    await bots.wait()
    output.note(_failure("the bots have ended", bots, log), Tone.WARNING)


def _failure(what: str, process: asyncio.subprocess.Process, log: Path) -> str:
    code = process.returncode or 0
    how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
    return "\n".join((f"{what} ({how}); the end of its log:", *last_lines(log, LOG_LINES)))
