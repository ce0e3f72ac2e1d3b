"""`adsum` itself: one command from its words to its exit code."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import assert_never

from adsum.client import AdsumError
from adsum.console.arguments import read_command
from adsum.console.commands import (
    BotsCommand,
    Command,
    DemoCommand,
    JoinCommand,
    KeyCommand,
    SendCommand,
    WatchCommand,
    WhoCommand,
)
from adsum.console.exits import CommandError, Exit, cause_of, explain
from adsum.console.interrupts import run
from adsum.console.output import Output
from adsum.console.text import Tone


def run_program(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run what the command line says and return the exit code. Every expected error becomes one line on stderr."""
    command = read_command(words, environment)
    output = Output(plain=command.plain)
    try:
        code = run(lambda: _execute(command, output))
        sys.stdout.flush()
    except KeyboardInterrupt:
        # The second Ctrl-C: the person doesn't want to wait for a proper end.
        return Exit.INTERRUPTED
    except (AdsumError, CommandError, OSError, ExceptionGroup) as error:
        if isinstance(cause_of(error), BrokenPipeError):
            return _end_quietly()
        code, message = explain(error)
        for part in message.split("\n"):
            output.note(f"adsum: {part}", Tone.BAD)
        return code
    # Ctrl-C is how a demonstration is meant to end.
    return Exit.FINE if isinstance(command, DemoCommand) and code == Exit.INTERRUPTED else code


async def _execute(command: Command, output: Output) -> int:
    # Each command is imported when it is used: `adsum key` needs no relay, and starts faster without.
    match command:
        case JoinCommand():
            from adsum.console.join import join

            return await join(command, output)
        case WatchCommand():
            from adsum.console.watch import watch

            return await watch(command, output)
        case WhoCommand():
            from adsum.console.who import who

            return await who(command, output)
        case SendCommand():
            from adsum.console.send import send

            return await send(command, output)
        case KeyCommand():
            from adsum.console.key import key

            return await key(command, output)
        case BotsCommand():
            from adsum.console.bots import bots

            return await bots(command, output)
        case DemoCommand():
            from adsum.console.demo import demo

            return await demo(command, output)
        case _:
            assert_never(command)


def _end_quietly() -> int:
    """End after the reader of stdout has gone, as in `adsum watch lobby | head`: it has what it wanted."""
    # Python flushes stdout once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.FINE
