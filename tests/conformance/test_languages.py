import json
import sys
from pathlib import Path

import pytest

from tests.conformance.languages import Language, chosen, command, find_languages, read_manifest

GO = Language("go", "Go", ("go",), (), ("bin/conformance",))
CPP = Language("cpp", "C++", (), (), ("bin/conformance",))
PYTHON = Language("python", "Python", (), (), ("python", "-m", "adapter"))
ALL = [PYTHON, CPP, GO]


def test_python_is_found_first_and_every_example_with_a_manifest(tmp_path: Path) -> None:
    for folder in ("tests/conformance/python", "client/examples/zig", "client/examples/ada"):
        (tmp_path / folder).mkdir(parents=True)
        manifest = {"language": folder[-3:], "needs": ["x"], "build": ["make"], "adapter": ["run"]}
        (tmp_path / folder / "conformance.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "client/examples/empty").mkdir()
    assert [language.key for language in find_languages(tmp_path)] == ["python", "ada", "zig"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"language": "X", "adapter": "run"}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "conformance.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="is no manifest"):
        read_manifest(file)


def test_missing_programs_are_named() -> None:
    language = Language("x", "X", ("sh", "no-such-program"), (), ("x",))
    assert language.missing() == ["no-such-program"]


def test_a_build_that_fails_tells_what_it_said() -> None:
    program = "import sys; print('it broke'); sys.exit(2)"
    assert Language("x", "X", (), ("python", "-c", program), ("x",)).built() == "it broke\n"
    assert Language("x", "X", (), ("python", "-c", ""), ("x",)).built() is None
    assert "no-such-program" in str(Language("x", "X", (), ("no-such-program",), ("x",)).built())


def test_python_is_the_interpreter_of_the_harness() -> None:
    assert command(PYTHON.adapter) == [sys.executable, "-m", "adapter"]
    assert command(GO.adapter) == ["bin/conformance"]


def test_languages_are_chosen_by_folder_or_title_and_python_comes_along() -> None:
    assert chosen(ALL, "") == chosen(ALL, "all") == ALL
    assert chosen(ALL, "go") == [PYTHON, GO]
    assert chosen(ALL, "C++ Go") == ALL
    with pytest.raises(ValueError, match="no client for cobol"):
        chosen(ALL, "go,cobol")
