"""The program `adsumd`, also as `python -m adsum.server`."""

import os
import sys

from adsum.server.loop import poll_directly

SERVER_PACKAGES = ("grpc_health", "grpc_reflection")
"""What the extra `server` installs, by the names of the modules."""


def main() -> int:
    """Run the server; return its exit code. Without the packages of the extra `server`, say how to get them."""
    poll_directly(os.environ)
    try:
        from adsum.server.app import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in SERVER_PACKAGES:
            raise
        print(f"adsumd needs {error.name}: pip install 'adsum[server]'", file=sys.stderr)
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
