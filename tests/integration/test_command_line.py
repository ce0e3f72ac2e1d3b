"""The command line against a real server, each command in a process of its own."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from adsum.client import Identity, Profile, connect
from adsum.contract.limits import Limits
from tests.integration.adsum_program import Home, no_process_with, process_with_argument, signal_code
from tests.integration.adsumd import running_adsumd
from tests.integration.local_server import LocalServer, local_server
from tests.integration.terminal import in_terminal

LIMITS = Limits(grace_seconds=1.0)
PATIENT = Limits(grace_seconds=60.0)
"""A grace that doesn't end during a test."""
IS_LINUX = sys.platform == "linux"
on_linux = pytest.mark.skipif(not IS_LINUX, reason="needs /proc to look for processes that were left")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[LocalServer]:
    """Run a server with a short grace."""
    async with local_server(LIMITS) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: LocalServer) -> Home:
    """Give the files of people who use that server."""
    return Home(tmp_path, server.address)


# watch and who


async def test_watch_tells_a_join_a_change_and_a_leave_as_json_and_is_never_seen(home: Home) -> None:
    async with home.running("watch", "team", "--json") as watch:
        snapshot = await watch.record("snapshot")
        assert (snapshot["schema"], snapshot["members"]) == (1, [])
        async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
            joined = await watch.record("joined")
            assert joined["member"]["name"] == "Ada"
            await ada.line("1 person in team")
            ada.type("/status busy in a meeting")
            updated = await watch.record("updated")
            assert (updated["member"]["status"], updated["member"]["status_text"]) == ("busy", "in a meeting")
            ada.type("/name Ada L.")
            assert (await watch.record("updated"))["member"]["name"] == "Ada L."
            ada.type("/who")
            await ada.line("1 person in team")
            ada.type("/quit")
            assert await ada.ended() == (0, "")
        left = await watch.record("left")
        assert (left["reason"], left["member"]["name"]) == ("left", "Ada L.")
        watch.signal(signal.SIGINT)
        assert await watch.ended() == (signal_code(signal.SIGINT), "")


async def test_killed_client_is_suspect_at_once_and_gone_after_the_grace(home: Home) -> None:
    async with home.running("watch", "team", "--json") as watch:
        await watch.record("snapshot")
        async with home.running("join", "team", key="ada") as ada:
            await watch.record("joined")
            ada.signal(signal.SIGKILL)
            await ada.ended()
        assert (await watch.record("suspect"))["member"]["liveness"] == "suspect"
        assert (await watch.record("left"))["reason"] == "lost"


async def test_watch_ends_by_itself_after_a_time_or_a_number_of_events(home: Home) -> None:
    code, stdout, stderr = await home.run("watch", "team", "--json", "--for", "0.3")
    assert (code, stderr) == (0, "")
    assert json.loads(stdout.splitlines()[0])["event"] == "snapshot"
    code, stdout, _ = await home.run("watch", "team", "--count-events", "1")
    assert code == 0
    assert stdout.endswith("# 0 people are here\n")
    assert stdout.count("\n") == 1


async def test_watch_ends_quietly_when_its_reader_has_enough(home: Home) -> None:
    async with home.running("watch", "team", "--json") as watch:
        await watch.record("snapshot")
        watch.close_stdout()
        async with home.running("join", "team", key="ada"):
            assert await watch.ended() == (0, "")


async def test_who_shows_a_list_or_json(home: Home) -> None:
    code, stdout, _ = await home.run("who", "team")
    assert (code, stdout) == (0, "nobody is in team\n")
    async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
        await ada.line("1 person in team")
        code, stdout, _ = await home.run("who", "team", key="ada")
        heading, row, count = stdout.splitlines()
        assert code == 0
        assert heading.startswith("NAME")
        assert row.startswith("Ada (you)")
        assert count == "1 person in team"
        code, stdout, _ = await home.run("who", "team", "--json")
        record = json.loads(stdout)
        assert [member["name"] for member in record["members"]] == ["Ada"]
        assert record["is_proved"]


# send


async def test_send_is_delivered_and_says_to_whom_and_how_fast(home: Home) -> None:
    async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
        await ada.line("1 person in team")
        code, stdout, stderr = await home.run("send", "team", "Ada", "hello", "there", key="bob")
        assert (code, stderr) == (0, "")
        assert re.fullmatch(r"< delivered to Ada \(\w{4}-\w{4}\) in [\d.]+ m?s\n", stdout)
        await ada.line("> ", ": hello there")
        code, stdout, _ = await home.run("send", "team", "Ada", "-", key="bob", stdin=b"from a pipe\n")
        assert code == 0
        await ada.line("> ", ": from a pipe")


@asynccontextmanager
async def two_named_ada(server: LocalServer) -> AsyncIterator[tuple[Identity, Identity]]:
    """Be two people with one name."""
    first, second = Identity.generate(), Identity.generate()
    async with (
        connect(server.address, lobby="team", identity=first, name="Ada"),
        connect(server.address, lobby="team", identity=second, name="Ada"),
    ):
        yield first, second


async def test_send_to_one_of_two_with_that_name_needs_the_fingerprint(
    home: Home, server: LocalServer
) -> None:
    async with two_named_ada(server) as (first, second):
        code, _, stderr = await home.run("send", "team", "Ada", "hi")
        assert code == 2
        assert f"Ada ({first.fingerprint})" in stderr
        assert f"Ada ({second.fingerprint})" in stderr
        code, stdout, _ = await home.run("send", "team", second.fingerprint, "hi")
        assert code == 0
        assert second.fingerprint in stdout
        assert (await home.run("send", "team", first.public_key.hex(), "hi"))[0] == 0


async def test_send_to_somebody_who_is_not_there_tells_so_and_nobody_sees_the_sender(home: Home) -> None:
    async with home.running("watch", "team", "--json") as watch:
        await watch.record("snapshot")
        code, stdout, stderr = await home.run("send", "team", "Eve", "hi", key="bob")
        assert (code, stdout) == (5, "")
        assert stderr == "adsum: recipient is offline: Eve is not in team\n"
        async with home.running("join", "team", key="ada"):
            assert (await watch.record("joined"))["revision"] == 1, "the sender had not been there"


async def test_send_to_somebody_who_is_suspect_is_not_delivered(tmp_path: Path) -> None:
    async with local_server(PATIENT) as server:
        home = Home(tmp_path, server.address)
        async with home.running("watch", "team", "--json") as watch:
            await watch.record("snapshot")
            async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
                await watch.record("joined")
                ada.signal(signal.SIGKILL)
                await watch.record("suspect")
            code, _, stderr = await home.run("send", "team", "Ada", "hi", key="bob")
        assert code == 5
        assert stderr == "adsum: recipient's connection is lost\n"


async def test_send_from_another_terminal_of_a_member_changes_nothing_that_others_see(home: Home) -> None:
    async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
        await ada.line("1 person in team")
        ada.type("/status away at lunch")
        await ada.line("is now away: at lunch")
        async with home.running("join", "team", "--name", "Bob", key="bob") as bob:
            await bob.line("2 people in team")
            async with home.running("watch", "team", "--json") as watch:
                await watch.record("snapshot")
                code, _, _ = await home.run("send", "team", "Bob", "from my other terminal", key="ada")
                assert code == 0
                await bob.line("> Ada", ": from my other terminal")
                bob.type("/quit")
                await watch.record("left")
    records = [json.loads(line) for line in watch.lines]
    assert {record["event"] for record in records} <= {"snapshot", "state", "updated", "left"}
    for record in records:
        if record["event"] == "updated":
            member, before = record["member"], record["before"]
            assert {field for field in member if member[field] != before[field]} <= {"devices", "revision"}


async def test_too_large_a_message_is_refused(home: Home) -> None:
    async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
        await ada.line("1 person in team")
        code, _, stderr = await home.run("send", "team", "Ada", "-", key="bob", stdin=b"x" * 5000)
    assert code == 3
    assert stderr == "adsum: the message is too large\n"


# join


async def test_two_people_talk_and_select_each_other(home: Home) -> None:
    async with (
        home.running("join", "team", "--name", "Ada", key="ada") as ada,
        home.running("join", "team", "--name", "Bob", key="bob") as bob,
    ):
        await ada.line("Bob")
        await bob.line("connected")
        bob.type("nobody hears this")
        await bob.line("not sent: nobody is selected")
        bob.type("/select Ada")
        await bob.line("@ Ada", "is selected and confirmed online")
        bob.type("hello Ada")
        await ada.line("> Bob", ": hello Ada")
        await bob.line("< delivered to Ada")
        ada.type("/quit")
        await bob.line("@ Ada", "is no longer selected: they left")
        bob.type("are you still there?")
        await bob.line("< not sent: Ada", "went offline")
        bob.type("/send Ada hello?")
        await bob.line("Ada is not in team")


async def test_selected_person_who_is_killed_is_unavailable_and_then_cleared(home: Home) -> None:
    async with home.running("join", "team", "--name", "Bob", key="bob") as bob:
        async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
            await ada.line("connected")
            bob.type("/select Ada")
            await bob.line("is selected and confirmed online")
            ada.signal(signal.SIGKILL)
        await bob.line("@ Ada", "is not available: their connection is lost")
        await bob.line("@ Ada", "is no longer selected: their connection was lost for good")


async def test_join_stays_when_stdin_has_ended_and_leaves_properly_on_a_signal(home: Home) -> None:
    async with home.running("watch", "team", "--json") as watch:
        await watch.record("snapshot")
        async with home.running("join", "team", key="ada") as ada:
            ada.close_stdin()
            await watch.record("joined")
            await ada.line("connected")
            ada.signal(signal.SIGINT)
            assert await ada.ended() == (signal_code(signal.SIGINT), "")
        assert (await watch.record("left"))["reason"] == "left"


async def test_quit_waits_for_what_was_sent(home: Home) -> None:
    async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
        await ada.line("connected")
        code, stdout, _ = await home.run(
            "join", "team", key="bob", stdin=b"/send Ada one\n/send Ada two\n/quit\n"
        )
        assert code == 0
        assert stdout.count("delivered to Ada") == 2
        await ada.line(": one")
        await ada.line(": two")


async def test_nasty_texts_of_a_neighbour_reach_no_terminal(home: Home, server: LocalServer) -> None:
    async with home.running("join", "team", "--name", "Ada", key="ada") as ada:
        await ada.line("connected")
        neighbour = connect(
            server.address, lobby="team", identity=Identity.generate(), profile=Profile("Bob")
        )
        async with neighbour as lobby:
            (target,) = [member for member in lobby.roster.values() if member.name == "Ada"]
            await lobby.send(target, b"\x1b]52;c;c3RvbGVu\x07\x1b[2J\nfaked line\xff\x9b31m")
            shown = await ada.line("> Bob")
    assert shown.endswith(": \ufffd]52;c;c3RvbGVu\ufffd\ufffd[2J faked line\ufffd\ufffd31m")


# Errors


async def test_server_that_is_down_is_told_in_one_line(tmp_path: Path) -> None:
    async with local_server() as server:
        home = Home(tmp_path, server.address)
    commands = (
        ("who", "team"),
        ("watch", "team"),
        ("join", "team"),
        ("send", "team", "Ada", "hi"),
        ("bots", "team", "--count", "3"),
    )
    async with asyncio.TaskGroup() as group:
        # Each tries for a while.
        runs = [group.create_task(home.run(*words)) for words in commands]
    for run in runs:
        code, stdout, stderr = run.result()
        assert (code, stdout) == (4, ""), stderr
        assert stderr.startswith("adsum: ")
        assert stderr.count("\n") == 1


async def test_plaintext_to_a_server_elsewhere_is_a_mistake_in_the_command(home: Home) -> None:
    code, _, stderr = await home.run("who", "team", "--server", "presence.example.org")
    assert code == 2
    assert "--" not in stderr or "--tls" in stderr
    assert stderr.count("\n") == 1


async def test_tls_is_verified_by_the_given_authority(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    paths = {name: tmp_path / f"{name}.pem" for name in ("cert", "key", "ca", "other")}
    certificate.cert_chain_pems[0].write_to_path(paths["cert"])
    certificate.private_key_pem.write_to_path(paths["key"])
    authority.cert_pem.write_to_path(paths["ca"])
    other.cert_pem.write_to_path(paths["other"])
    options = ("--tls-cert", str(paths["cert"]), "--tls-key", str(paths["key"]))
    async with running_adsumd(tmp_path, *options) as server:
        home = Home(tmp_path, "localhost:" + server.address.rpartition(":")[2])
        code, stdout, stderr = await home.run("who", "team", "--ca", str(paths["ca"]))
        assert (code, stdout, stderr) == (0, "nobody is in team\n", "")
        code, _, stderr = await home.run("who", "team", "--ca", str(paths["other"]))
        assert code == 4
        code, _, stderr = await home.run("who", "team", "--ca", str(tmp_path / "missing.pem"))
        assert code == 1
        assert "missing.pem" in stderr


# bots


async def test_bots_come_answer_and_leave_when_stdin_closes(home: Home) -> None:
    async with home.running("watch", "team", "--json") as watch:
        await watch.record("snapshot")
        async with home.running(
            *("bots", "team", "--count", "5", "--seed", "7", "--pace", "0.1", "--until-stdin-closes")
        ) as bots:
            joined = [await watch.record("joined") for _ in range(3)]
            assert joined[0]["member"]["name"] == "Ada"
            assert all(record["member"]["attributes"] == {"kind": "bot"} for record in joined)
            async with home.running("join", "team", "--name", "Bob", key="bob") as bob:
                await bob.line("connected")
                bob.type("/send Ada how are you?")
                await bob.line("> Ada", "how are you?")
            await watch.record("suspect")
            bots.close_stdin()
            code, stderr = await bots.ended()
            assert code == 0
            assert stderr.startswith("5 bots in team")
            assert stderr.count("\n") == 1
        code, stdout, _ = await home.run("who", "team")
        assert "nobody is in team" in stdout or "reconnecting" in stdout


# demo


@on_linux
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, signal_code(signal.SIGTERM))]
)
async def test_demo_without_a_terminal_shows_events_and_ends_without_a_trace(
    tmp_path: Path, number: int, code: int
) -> None:
    home = Home(tmp_path)
    async with home.running("demo", "--count", "4", "--pace", "0.1", key="demo") as program:
        assert "kill" in await program.line("Stop it all")
        await program.line("  ", "adsum", "send lobby Ada")
        await program.line("+ Ada")
        program.signal(number)
        assert await program.ended() == (code, "")
    await no_process_with(str(tmp_path))
    assert not [name for name in os.listdir(tmp_path) if name.startswith("adsum-demo-")]


@on_linux
async def test_demo_tells_commands_that_work(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.running("demo", "--count", "2", key="demo") as program:
        words = (await program.line("send lobby Ada")).split()
        address = words[words.index("--server") + 1]
        await program.line("+ Ada")
        code, stdout, _ = await home.run("send", "lobby", "Ada", "hello", "--server", address, key="visitor")
        assert code == 0
        assert "delivered to Ada" in stdout
        program.type("/quit")
        assert await program.ended() == (0, "")
    await no_process_with(str(tmp_path))


@on_linux
async def test_demo_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    async with Home(tmp_path).running("demo", "--count", "3", key="demo") as program:
        await program.line("+ Ada")
        program.signal(signal.SIGKILL)
        await program.ended()
    await no_process_with(str(tmp_path))


@on_linux
async def test_demo_whose_server_dies_says_why_and_ends(tmp_path: Path) -> None:
    async with Home(tmp_path).running("demo", "--count", "3", key="demo") as program:
        log = Path((await program.line("The server's log: ")).partition(": ")[2])
        await program.line("+ Ada")
        os.kill(process_with_argument(str(log.parent / "ports.json")), signal.SIGKILL)
        code, stderr = await program.ended()
    assert code == 1
    assert "adsum: the server has ended (killed by SIGKILL)" in stderr
    await no_process_with(str(tmp_path))


@on_linux
async def test_demo_on_a_terminal_ends_with_ctrl_c_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    words = adsum_words("demo", "--count", "3", "--name", "Eve")
    async with in_terminal(words, Home(tmp_path).environment("demo")) as terminal:
        await terminal.shows("Stop it all", "connected", "Ada")
        terminal.type("\x03")
        assert await terminal.ended() == 0
        assert terminal.mode == terminal.mode_before
    await no_process_with(str(tmp_path))


# On a terminal


def adsum_words(*words: str) -> list[str]:
    return [sys.executable, "-m", "adsum.console", *words]


async def test_plain_terminal_gets_no_escape_sequence(home: Home) -> None:
    words = adsum_words("join", "team", "--name", "Ada", "--plain")
    async with in_terminal(words, home.environment("ada")) as terminal:
        await terminal.shows("connected")
        terminal.type("/who\r")
        await terminal.shows("1 person in team")
        terminal.type("\x04")
        assert await terminal.ended() == 0
    assert b"\x1b" not in terminal.written
