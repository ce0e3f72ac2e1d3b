"""The private key is whole, its owner's alone, and the same for everybody who asks at once."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adsum.client import Identity, KeyFileError, default_key_path, load_identity

SEED = bytes(range(32))
LINE = b"adsum-ed25519-1 " + base64.b64encode(SEED) + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "identity.key"


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_key_is_made_on_first_use_and_kept(path: Path) -> None:
    made = load_identity(path)
    assert load_identity(path) == made
    assert load_identity(path, create=False).seed == made.seed
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_mode_does_not_depend_on_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        load_identity(path)
    finally:
        os.umask(before)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


@pytest.mark.parametrize("content", [LINE, LINE.rstrip(), LINE.replace(b"\n", b"\r\n")])
def test_file_is_one_line_of_text(path: Path, content: bytes) -> None:
    write(path, content)
    assert load_identity(path).seed == SEED


def test_made_file_has_the_documented_form(path: Path) -> None:
    made = load_identity(path)
    assert path.read_bytes() == b"adsum-ed25519-1 " + base64.b64encode(made.seed) + b"\n"


def test_missing_key_is_not_made_unasked(path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no key at"):
        load_identity(path, create=False)
    assert not path.parent.exists()


@pytest.mark.parametrize("others", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_key_that_others_can_reach_is_refused_with_the_remedy(path: Path, others: int) -> None:
    write(path, LINE, others)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_identity(path)
    assert mode(path) == others


def test_remedy_can_be_pasted(tmp_path: Path) -> None:
    path = tmp_path / "my key; rm -rf"
    write(path, LINE, 0o644)
    with pytest.raises(KeyFileError, match=r"chmod 600 '.*my key; rm -rf'"):
        load_identity(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"garbage",
        b"adsum-ed25519-1",
        b"adsum-ed25519-2" + LINE[15:],
        LINE[:-3] + b"\n",
        LINE + LINE,
        b" " + LINE,
        LINE.replace(b"=", b"!"),
        b"\xff\xfe" + LINE,
        b"x" * 1_000_000,
    ],
)
def test_garbage_is_refused_and_not_replaced(path: Path, content: bytes) -> None:
    write(path, content)
    with pytest.raises(KeyFileError, match="is not an Adsum key file"):
        load_identity(path)
    assert path.read_bytes() == content


def test_link_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "real", LINE)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("link", "dangling"):
        with pytest.raises(KeyFileError, match="symbolic link"):
            load_identity(tmp_path / name)
    assert not (tmp_path / "nothing").exists()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="is not a file"):
        load_identity(tmp_path)
    # A pipe must not hang it.
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="is not a file"):
        load_identity(tmp_path / "pipe")


def test_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    with pytest.raises(KeyFileError, match="can not be"):
        load_identity(tmp_path / "file" / "identity.key")


def test_all_who_come_at_once_get_the_same_key(path: Path) -> None:
    for number in range(20):
        key = path.with_name(f"{number}.key")
        with ThreadPoolExecutor(8) as pool:
            seeds = {identity.seed for identity in pool.map(load_identity, [key] * 8)}
        assert len(seeds) == 1
    assert {file.suffix for file in path.parent.iterdir()} == {".key"}


def test_file_system_without_links_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(_source: object, _target: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    made = load_identity(path)
    assert load_identity(path) == made
    assert mode(path) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_secret_stands_in_no_message(path: Path) -> None:
    secret = base64.b64encode(SEED).decode()
    write(path, LINE, 0o644)
    with pytest.raises(KeyFileError) as refused:
        load_identity(path)
    assert secret not in str(refused.value)
    write(path, LINE[:-2] + b"?\n")
    with pytest.raises(KeyFileError) as malformed:
        load_identity(path)
    assert secret[:20] not in repr(malformed.value)
    assert "seed" not in repr(Identity.from_seed(SEED))


def test_nothing_stays_open(path: Path) -> None:
    load_identity(path)
    before = os.open(path, os.O_RDONLY)
    os.close(before)
    load_identity(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError):
        load_identity(path)
    # The lowest free descriptor is the same as before.
    after = os.open(path, os.O_RDONLY)
    os.close(after)
    assert after == before


def test_default_is_in_the_users_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_key_path().is_relative_to(tmp_path)
    assert default_key_path().name == "identity.key"
    assert load_identity() == load_identity(default_key_path())
