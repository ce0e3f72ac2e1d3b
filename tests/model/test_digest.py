import json
from pathlib import Path

from tests.model.digest import digest_of
from tests.model.lobby import Record

VECTORS = Path(__file__).parents[2] / "protos" / "vectors" / "digest.json"


def test_the_models_digest_is_that_of_the_vectors() -> None:
    members = json.loads(VECTORS.read_text())["members"]
    for one in members:
        record = Record(int(one["incarnation"]), int(one["revision"]), True, 1, ("", 1, "", ()))
        assert digest_of({bytes.fromhex(one["public_key"]): record}) == int(one["digest"])


def test_nobody_has_the_digest_0() -> None:
    assert digest_of({}) == 0
