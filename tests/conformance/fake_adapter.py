"""A client that connects to nobody: it says what its script says, line by line. For the tests of the harness itself.

python fake_adapter.py live      the lines are in FAKE_LINES, JSON of a list; one with "after" waits for that command first
python fake_adapter.py vectors   the same lines, without waiting
"""

import json
import os
import sys


def main() -> None:
    """Play the script."""
    connect = {}
    for line in json.loads(os.environ["FAKE_LINES"]):
        after = line.pop("after", None)
        while after is not None:
            command = json.loads(sys.stdin.readline() or '{"command": "leave"}')
            if command["command"] == "connect":
                connect = command
            if command["command"] == after:
                if "id" in command:
                    line["id"] = command["id"]
                break
        if "lobby" in line:
            line["lobby"] = connect.get("lobby", "")
        print(line.get("raw") or json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
