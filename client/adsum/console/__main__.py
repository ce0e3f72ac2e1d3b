"""Where `adsum` and `python -m adsum.console` start. All that is decided here is whether the command line is installed."""

import importlib.util
import os
import sys

NEEDED = ("rich", "prompt_toolkit")
"""What the bare package, which is only the library, comes without."""


def main() -> int:
    """Run `adsum` with the words of the command line and return its exit code."""
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        print("adsum: the command line needs: pip install 'adsum[console]'", file=sys.stderr)
        return 1
    # gRPC's C core writes notes to stderr, in the middle of what a person sees. Who looks for a fault in it can turn them on.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from adsum.console.program import run_program

    return run_program(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
