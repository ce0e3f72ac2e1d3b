"""The transcripts of `protos/vectors/roster.json`, as inputs to start from."""

import json
from pathlib import Path

from tests.contract.roster_driver import Case, Rosters

_FILE = Path(__file__).parents[2] / "protos" / "vectors" / "roster.json"
ROSTERS: Rosters = json.loads(_FILE.read_text(encoding="utf-8"))
CASES: list[Case] = ROSTERS["cases"]
