"""`adsum key`: show one's key, or make one."""

from pathlib import Path

from adsum.client import default_key_path, load_identity
from adsum.console.commands import KeyCommand
from adsum.console.exits import CommandError, Exit
from adsum.console.output import Output


async def key(command: KeyCommand, output: Output) -> int:
    """Show where the key is, its fingerprint, and the public half.

    Raises:
        CommandError: `--make`, and there is a key; it is never written over. Or `--show`, and there is none.
        KeyFileError: the file can't be read, made or trusted.
    """
    path = command.path or default_key_path()
    if command.make and _exists(path):
        raise CommandError(Exit.ERROR, f"there is a key in {path} already; it is not written over")
    if command.show and not _exists(path):
        raise CommandError(Exit.ERROR, f"there is no key in {path}; adsum key --make makes one")
    identity = load_identity(path, create=not command.show)
    output.say(f"path         {path}")
    output.say(f"fingerprint  {identity.fingerprint}")
    output.say(f"public key   {identity.public_key.hex()}")
    return Exit.FINE


def _exists(path: Path) -> bool:
    # A dangling link or an unreadable folder is for the library to tell.
    return path.exists() or path.is_symlink()
