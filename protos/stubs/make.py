"""Generate clients' stubs for other languages from the .proto files alone.

    python protos/stubs/make.py                 every language whose tools are on this machine
    python protos/stubs/make.py go java         these; a missing tool is then an error

Each folder beside this file is a language. Its `tools` says what is missing on this machine and how to get it, and installs the
language's own plugins, once, in the versions that it names; its `buf.gen.yaml` says how to call them. Generating itself needs no network.
The stubs of a language go to build/stubs/LANGUAGE, its plugins to build/tools/LANGUAGE.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build"
ALL = "all"
STAMP = ".installed"
"""Holds the text of `tools` that installed a language's plugins: when that changes, they are installed again."""


class StubError(Exception):
    """Stubs could not be made; the text is for the person at the terminal."""


def languages() -> list[str]:
    """List the languages that stubs can be made for."""
    return sorted(path.parent.name for path in HERE.glob("*/buf.gen.yaml"))


def missing(language: str) -> str:
    """Tell what this machine lacks to make the stubs of a language, and how to get it; empty if nothing."""
    check = subprocess.run(
        [HERE / language / "tools", "check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return (check.stdout + check.stderr).strip() or "its tools" if check.returncode else ""


def install(language: str) -> Path:
    """Install the plugins of a language unless they are there. Returns their folder."""
    tools = HERE / language / "tools"
    folder = BUILD / "tools" / language
    stamp = folder / STAMP
    wanted = f"{folder}\n{tools.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"{language}: installing its generator's plugins", flush=True)
    _run(language, [tools, "install", folder], {})
    stamp.write_text(wanted)
    return folder


def generate(language: str) -> int:
    """Generate the stubs of a language. Returns how many files differ from what was there before.

    A file that is the same keeps its time, so that a build which has seen it has nothing to do.
    """
    folder = install(language)
    target = BUILD / "stubs" / language
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{language}-") as fresh:
        template = HERE / language / "buf.gen.yaml"
        buf = shutil.which("buf", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if buf is None:
            raise StubError("there is no buf beside this Python: run `make stubs`")
        _run(
            language,
            [buf, "generate", "protos", "--template", template, "--output", fresh],
            {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        )
        return _replace(Path(fresh), target)


def _replace(fresh: Path, target: Path) -> int:
    new = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    old = {path.relative_to(target) for path in target.rglob("*") if path.is_file()}
    changed = 0
    for path in old - new:
        # What a language's build keeps beside its stubs isn't ours.
        if path.suffix in {(fresh / name).suffix for name in new}:
            (target / path).unlink()
            changed += 1
    for path in new:
        content = (fresh / path).read_bytes()
        if path not in old or (target / path).read_bytes() != content:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(content)
            changed += 1
    return changed


def _run(language: str, command: Sequence[str | Path], variables: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StubError(f"{language}: {Path(command[0]).name} failed\n{done.stdout}")


def main(arguments: Sequence[str]) -> int:
    """Make what is asked for. Returns the exit code."""
    known = languages()
    wanted = known if not arguments or ALL in arguments else list(arguments)
    if unknown := sorted(set(wanted) - set(known)):
        print(f"No stubs for {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = False
    for language in wanted:
        if lacking := missing(language):
            print(f"{language}: left out. {lacking}", flush=True)
            failed = failed or bool(arguments)
            continue
        try:
            changed = generate(language)
        except StubError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        print(f"{language}: build/stubs/{language} ({changed or 'no'} files changed)", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
