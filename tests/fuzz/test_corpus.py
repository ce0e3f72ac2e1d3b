"""Every committed input still passes: what once found something, and what together reaches nearly everything that fuzzing reached."""

import sys
import time
from types import FrameType

import pytest

from tests.fuzz.coverage import Tracer, cover
from tests.fuzz.findings import Findings
from tests.fuzz.source import Source, blob
from tests.fuzz.targets import CORPUS, TARGETS, inputs

MOST_FILES = 150
MOST_BYTES = 300 * 1024
LEAST_FILES = 3
"""For each target: with fewer it was not fuzzed."""

REACHED = {
    "server_wire": "decode_request check_profile receive_hello encode_status decode_watch_lobby",
    "client_wire": "_welcome _snapshot _delta _delivery decode_refusal _judge_refusal",
    "server_core": "resume observe adopt bequeath drain postpone _suspect _revive _give_up _leave _resync _update _select _send"
    " acknowledge expire dismiss _repeat eject since forget follow select _encode_snapshot _encode_delta restore",
    "client_core": "_receive_challenge _receive_welcome _adopt _difference _receive_delta _receive_heartbeat lost resumed"
    " session_lost _receive_delivery _receive_request_error will_retry judge _overflow current_incarnation",
    "texts": "check_profile fault_in_attributes clean _joins_emoji audience_of address_of parse of",
    "handovers": "take_handover _put_aside restore adopt",
    "configs": "load _check_exposure _refuse _read_table _suggestion faults",
    "pages": "list_lobbies list_members encode_members refuse",
}
"""Functions that the inputs of each target must call: without that their passing proves little."""


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_passes(name: str) -> None:
    target, files = TARGETS[name], inputs(name)
    assert len(files) >= LEAST_FILES
    called: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(frame.f_code.co_name)

    for file in files:
        data, started = file.read_bytes(), time.process_time()
        sys.setprofile(note)
        try:
            target.run(data)
        finally:
            sys.setprofile(None)
        assert time.process_time() - started < 2 * target.cpu_seconds, file.name
    assert not set(REACHED[name].split()) - called


def test_corpus_is_small_and_of_known_targets() -> None:
    files = [file for folder in CORPUS.iterdir() for file in folder.iterdir()]
    assert {file.parent.name for file in files} == TARGETS.keys()
    assert len(files) <= MOST_FILES
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_any_bytes_are_a_program() -> None:
    source = Source(b"\x05\xff")
    assert (source.below(3), source.number(), source.text(), source.blob(), source.rest()) == (
        2,
        0,
        "",
        b"",
        b"",
    )
    assert Source(blob(b"abc") + b"d").blob() == b"abc"


def test_steps_of_an_input_are_those_of_its_branches() -> None:
    target = TARGETS["server_wire"]
    leave, broken = b"J\x00", b"\xff"
    tracer = Tracer()
    steps = {data: tracer.arcs(target.run, data) for data in (leave, broken)}
    assert steps[leave] - steps[broken]
    assert steps[broken] - steps[leave]
    assert tracer.arcs(target.run, leave) == steps[leave]


def test_few_inputs_cover_what_all_do() -> None:
    a, b, c = ("file", 1, 2), ("file", 2, 3), ("file", 3, 4)
    candidates = [
        (b"all but one", frozenset({a, b})),
        (b"one", frozenset({a})),
        (b"the other", frozenset({c})),
        (b"the other, longer", frozenset({c})),
        (b"nothing", frozenset[tuple[str, int, int]]()),
    ]
    assert cover(candidates, 10, 100) == [b"all but one", b"the other"]
    assert cover(candidates, 1, 100) == [b"all but one"]
    assert cover(candidates, 10, 9) == [b"one"]


def test_each_kind_of_failure_is_kept_once_and_at_its_smallest(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def run(data: bytes) -> None:
        if data.startswith(b"bad"):
            raise ValueError(f"bad {len(data)}")
        if data == b"end":
            raise SystemExit(3)

    findings = Findings(tmp_path_factory.mktemp("findings"), run, cpu_seconds=5.0)
    tried = [findings.try_input(data) for data in (b"good", b"bad one", b"bad", b"bad, longer", b"end")]
    assert tried == [True, False, False, False, False]
    kept = {file.read_bytes() for file in findings.folder.iterdir() if file.suffix != ".txt"}
    assert kept == {b"bad", b"end"}
