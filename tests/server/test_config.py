import dataclasses
from pathlib import Path

import platformdirs
import pytest

from adsum.contract.limits import Limits
from adsum.server import options
from adsum.server.config import Config, load
from adsum.server.logs import LogFormat, LogLevel
from adsum.server.loop import EventLoop
from adsum.server.options import Address, Auth

HUGE = "0x" + "f" * 5_000
"""A number that Python reads and doesn't write."""
TLS = ("--tls-cert", "cert.pem", "--tls-key", "key.pem")


class Refusal:
    """Collects what `load` writes when it refuses."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str, **environ: str) -> list[str]:
        with pytest.raises(SystemExit) as caught:
            load(argv, environ)
        written = self._capsys.readouterr()
        assert caught.value.code == 2
        assert written.out == ""
        *faults, last = written.err.splitlines()
        assert "--help" in last
        assert all(fault.startswith("adsumd: ") for fault in faults)
        return [fault.removeprefix("adsumd: ") for fault in faults]


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    return Refusal(capsys)


def given(*argv: str, **environ: str) -> Config:
    return load(argv, environ)


def toml(folder: Path, content: str) -> str:
    path = folder / "adsumd.toml"
    path.write_text(content, encoding="utf-8")
    return str(path)


def test_defaults_serve_this_machine_only() -> None:
    assert given() == Config(
        listen=(Address("localhost", 7557),),
        admin_listen=Address("127.0.0.1", 7558),
        port_file=None,
        tls_certificate=None,
        tls_key=None,
        insecure=False,
        auth=Auth.KEY,
        audiences=(),
        limits=Limits(),
        drain_seconds=2.0,
        handover_file=platformdirs.user_state_path("adsum", appauthor=False) / "handover-7557.json",
        until_stdin_closes=False,
        event_loop=EventLoop.AUTO,
        log_format=LogFormat.AUTO,
        log_level=LogLevel.INFO,
    )


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    path = toml(
        tmp_path, 'log_level = "error"\nlog_format = "json"\ndrain_seconds = 7\n[limits]\nlobbies = 3'
    )
    found = given(
        "--config", path, "--log-level", "debug", ADSUM_LOG_LEVEL="warning", ADSUM_LOG_FORMAT="text"
    )
    assert found.log_level is LogLevel.DEBUG
    assert found.log_format is LogFormat.TEXT
    assert found.drain_seconds == 7
    assert found.limits == Limits(lobbies=3)
    assert found.config_file == Path(path)


def test_file_can_be_named_by_a_variable_and_turned_off_by_a_flag(tmp_path: Path) -> None:
    path = toml(tmp_path, "drain_seconds = 7")
    assert given(ADSUM_CONFIG=path).drain_seconds == 7
    assert given("--config", "none", ADSUM_CONFIG=path).drain_seconds == 2


def test_empty_variable_counts_as_not_set() -> None:
    assert given(ADSUM_LISTEN="", ADSUM_CONFIG="", ADSUM_INSECURE="") == given()


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_switch_can_be_set_by_a_variable_and_taken_back_by_a_flag(word: str) -> None:
    assert given(ADSUM_INSECURE=word).insecure
    assert not given("--no-insecure", ADSUM_INSECURE=word).insecure
    assert given("--insecure", ADSUM_INSECURE="off").insecure


def test_none_takes_back_what_a_file_sets(tmp_path: Path) -> None:
    path = toml(tmp_path, 'admin_listen = "localhost:9"\naudience = ["a.example"]\nport_file = "ports"')
    found = given("--config", path, "--admin-listen", "none", "--audience", "none", ADSUM_PORT_FILE="none")
    assert (found.admin_listen, found.audiences, found.port_file) == (None, (), None)


@pytest.mark.parametrize("option", [option for group in options.GROUPS.values() for option in group])
def test_every_option_takes_its_own_default_from_flag_and_variable(option: options.Option[object]) -> None:
    if option.switch:
        return
    expected = load([option.flag, option.default], {})
    assert expected == given()
    assert load([], {option.variable: option.default}) == expected


def test_every_limit_is_an_option_everywhere(tmp_path: Path) -> None:
    for field in dataclasses.fields(Limits):
        # Larger by itself is sound for all but the heartbeat, which the lease must exceed, and the payload.
        value = getattr(Limits(), field.name) - (
            1 if field.name in ("heartbeat_seconds", "payload_bytes") else -1
        )
        text = f"{value:g}" if isinstance(value, float) else str(value)
        expected = dataclasses.replace(Limits(), **{field.name: value})
        flag = "--" + field.name.replace("_", "-")
        assert given(flag, text).limits == expected
        assert load([], {"ADSUM_" + field.name.upper(): text}).limits == expected
        assert given("--config", toml(tmp_path, f"[limits]\n{field.name} = {text}")).limits == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:7557", Address("localhost", 7557)),
        ("localhost", Address("localhost", 1)),
        ("LocalHost.:0", Address("localhost", 0)),
        ("127.0.0.1:65535", Address("127.0.0.1", 65535)),
        ("[::1]:80", Address("::1", 80)),
        ("[::1]", Address("::1", 1)),
        ("::1", Address("::1", 1)),
        ("[2001:0DB8::A]:80", Address("2001:db8::a", 80)),
        (" lobby.example.org:443 ", Address("lobby.example.org", 443)),
    ],
)
def test_address_reads_host_and_port(text: str, expected: Address) -> None:
    assert Address.parse(text, 1) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (":7557", "no host"),
        ("7557", "write localhost:7557"),
        ("localhost:", "not a port"),
        ("localhost:http", "not a port"),
        ("localhost:65536", "not a port"),
        ("localhost:-1", "not a port"),
        ("a:b:c", "IPv6"),
        ("http://localhost:7557", "HOST:PORT"),
        ("unix:/run/adsum.sock", "HOST:PORT"),
    ],
)
def test_address_says_what_is_wrong(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Address.parse(text, 1)


def test_address_is_written_as_grpc_reads_it() -> None:
    assert [str(Address("::1", 1)), str(Address("localhost", 0))] == ["[::1]:1", "localhost:0"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert Address.parse(host, 1).is_loopback
    given("--listen", host, "--auth", "none", "--admin-listen", Address(host, 9).__str__())


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "[::]", "10.0.0.1", "lobby.example.org", "localhost.example.org", "127.1", "::ffff:10.0.0.1"],
)
def test_beyond_loopback_needs_tls_or_insecure(host: str, refusal: Refusal) -> None:
    (fault,) = refusal("--listen", "localhost:1", "--listen", host)
    assert fault.startswith("--listen: ")
    assert all(word in fault for word in (str(Address.parse(host, 7557)), "--tls-cert", "--insecure"))
    assert given("--listen", host, "--insecure").insecure
    assert given("--listen", host, *TLS).tls_key == Path("key.pem")


@pytest.mark.parametrize("more", [(), ("--insecure",), TLS, (*TLS, "--insecure")])
def test_without_authentication_nothing_listens_beyond_loopback(
    more: tuple[str, ...], refusal: Refusal
) -> None:
    faults = refusal("--auth", "none", "--listen", "localhost:1,10.0.0.1:7", *more)
    assert any(fault.startswith("--auth: ") and "10.0.0.1:7 (--listen)" in fault for fault in faults)


def test_certificate_and_key_come_together(refusal: Refusal) -> None:
    assert refusal("--tls-cert", "c.pem") == ["--tls-cert: needs --tls-key as well"]
    assert refusal(ADSUM_TLS_KEY="k.pem") == ["ADSUM_TLS_KEY: needs --tls-cert as well"]
    # Who has given half of it wants TLS: not to be told of --insecure.
    assert refusal("--tls-cert", "c.pem", "--listen", "0.0.0.0") == ["--tls-cert: needs --tls-key as well"]


def test_admin_beyond_loopback_needs_insecure_even_with_tls(refusal: Refusal) -> None:
    (fault,) = refusal("--admin-listen", "0.0.0.0", *TLS)
    assert fault.startswith("--admin-listen: ")
    assert "0.0.0.0:7558" in fault
    assert "no authentication" in fault
    assert given("--admin-listen", "0.0.0.0", "--insecure").admin_listen == Address("0.0.0.0", 7558)


@pytest.mark.parametrize(
    ("listen", "admin"),
    [
        ("localhost:5", "localhost:5"),
        ("localhost:5", "127.0.0.1:5"),
        ("[::1]:5", "localhost:5"),
        ("0.0.0.0:5", "127.0.0.1:5"),
        ("[::]:5", "[::1]:5"),
    ],
)
def test_two_listeners_do_not_share_a_port(listen: str, admin: str, refusal: Refusal) -> None:
    (fault,) = refusal("--insecure", "--listen", listen, "--admin-listen", admin)
    assert fault == f"--admin-listen: {admin} is taken by --listen, {listen}"
    (fault,) = refusal("--insecure", "--listen", listen, "--listen", admin) if listen != admin else ("twice",)
    assert fault.endswith("twice")


def test_listeners_may_share_port_zero_and_differ_in_the_rest() -> None:
    found = given(
        "--listen", "localhost:0", "--listen", "127.0.0.1:0,[::1]:5", "--admin-listen", "127.0.0.1:5"
    )
    assert found.listen == (Address("localhost", 0), Address("127.0.0.1", 0), Address("::1", 5))


def test_all_faults_are_told_at_once_each_with_its_origin(tmp_path: Path, refusal: Refusal) -> None:
    path = toml(tmp_path, 'tls_cert = "c.pem"\nauth = true\n[limits]\nlobbies = 2.5\nmembers_per_lobby = 0')
    assert refusal(
        "--config", path, "--listen", "localhost:99999", "--lease-seconds", "soon", ADSUM_DRAIN_SECONDS="-1"
    ) == [
        "--listen: 'localhost:99999' is not HOST:PORT: '99999' is not a port",
        f"{path}: auth: must be key or none, not True",
        "--lease-seconds: must be a number, not 'soon'",
        f"{path}: limits.lobbies: must be a whole number, not 2.5",
        f"{path}: limits.members_per_lobby: members_per_lobby must be a number greater than 0, not 0",
        "ADSUM_DRAIN_SECONDS: must be 0 or more seconds, not -1",
        f"{path}: tls_cert: needs --tls-key as well",
    ]


def test_limits_must_fit_each_other(refusal: Refusal) -> None:
    (fault,) = refusal("--heartbeat-seconds", "10", ADSUM_LEASE_SECONDS="20")
    assert fault == (
        "ADSUM_LEASE_SECONDS, --heartbeat-seconds: "
        "lease_seconds (20) must be at least 2.4 x heartbeat_seconds (10)"
    )
    # The other half of the rule may be the default.
    (fault,) = refusal("--heartbeat-seconds", "10")
    assert fault.startswith("--heartbeat-seconds: lease_seconds (12)")
    # What can't be read breaks no rule.
    assert len(refusal("--heartbeat-seconds", "10", "--lease-seconds", "x")) == 1


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "", "5s"])
def test_number_must_be_a_finite_number(text: str, refusal: Refusal) -> None:
    (fault,) = refusal(f"--grace-seconds={text}")
    assert fault.startswith("--grace-seconds: must be a ")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('lisen = "localhost:1"', "lisen: no such key; did you mean listen?"),
        ("heartbeat_seconds = 4", "heartbeat_seconds: belongs in the table [limits]"),
        (
            "[limits]\nheartbeet_seconds = 4",
            "limits.heartbeet_seconds: no such key; did you mean heartbeat_seconds?",
        ),
        ("[limit]\nlobbies = 4", "limit: no such key; did you mean limits?"),
        ("[limits]\nlisten = 4", "limits.listen: no such key"),
        ("zebra = 4", "zebra: no such key"),
        ('config = "other.toml"', "config: no such key"),
        ("until_stdin_closes = true", "until_stdin_closes: no such key"),
        ("limits = 4", "limits must be a table, [limits], not 4"),
        ("listen = 7557", "listen: must be a text, not 7557"),
        ('listen = ["localhost:1", 5]', "listen: must be a text, not 5"),
        ("listen = []", "listen: must name at least one address"),
        ('insecure = "perhaps"', "insecure: must be true or false, not 'perhaps'"),
        ("insecure = 1", "insecure: must be true or false, not 1"),
        ("drain_seconds = true", "drain_seconds: must be a number, not True"),
        ("[limits]\nlobbies = true", "limits.lobbies: must be a whole number, not True"),
        ("port_file = 4", "port_file: must be a text, not 4"),
        ('port_file = "~no-such-user/x"', "port_file: '~no-such-user/x': there is no such home directory"),
        ('port_file = "a\\u0000b"', "port_file: 'a\\x00b': no path holds a NUL"),
        ("drain_seconds = 1e9", "drain_seconds: must be at most 4294967 seconds, not 1e+09"),
        (
            "[limits]\nmessage_bytes = 0xffffffffffffffff",
            "limits.message_bytes: must be a whole number of at most 9223372036854775807",
        ),
        (
            "[limits]\nsends_per_second = 1e10",
            "limits.sends_per_second: sends_per_second must be at most 4294967295, not 10000000000.0",
        ),
        (
            "[limits]\ngrace_seconds = 5000000",
            "limits.grace_seconds: grace_seconds must be at most 4294967, not 5000000.0",
        ),
        (f"auth = {HUGE}", "auth: must be key or none, not what is too large to show"),
        (f"limits = {HUGE}", "limits must be a table, [limits], not what is too large to show"),
        (f"drain_seconds = {HUGE}", "drain_seconds: must be a number, not what is too large to show"),
        (
            f"limits.lobbies = {HUGE}",
            "limits.lobbies: must be a whole number of at most 9223372036854775807",
        ),
        ('log_level = "loud"', "log_level: must be debug or info or warning or error, not 'loud'"),
    ],
)
def test_file_is_checked(content: str, fault: str, tmp_path: Path, refusal: Refusal) -> None:
    path = toml(tmp_path, content)
    assert refusal("--config", path) == [f"{path}: {fault}"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("port_file = " + "9" * 5_000, "is not TOML: "),
        ("port_file = " + "[" * 5_000, "is nested too deeply"),
        ("port_file" + ".a" * 5_000 + " = 1", ""),
    ],
    ids=["digits", "brackets", "dots"],
)
def test_file_without_measure_is_a_fault(content: str, fault: str, tmp_path: Path, refusal: Refusal) -> None:
    (said,) = refusal("--config", toml(tmp_path, content))
    assert fault in said
    assert len(said) < 500


def test_file_that_can_not_be_read_is_a_fault(tmp_path: Path, refusal: Refusal) -> None:
    missing = str(tmp_path / "missing.toml")
    assert refusal("--config", missing) == [f"--config: can't read {missing}: No such file or directory"]
    assert refusal(ADSUM_CONFIG=missing)[0].startswith("ADSUM_CONFIG: can't read")
    (fault,) = refusal("--config", toml(tmp_path, "listen = "))
    assert "is not TOML: " in fault
    Path(missing).write_bytes(b"\xff\xfe")
    assert "is not TOML: " in refusal("--config", missing)[0]


def test_file_holds_lists_and_numbers_of_its_own_kind(tmp_path: Path) -> None:
    found = given(
        "--config",
        toml(
            tmp_path,
            'listen = ["localhost:1", "[::1]:2"]\naudience = ["A.example.", "*.B.example"]\ninsecure = true\n'
            "drain_seconds = 0\n[limits]\ngrace_seconds = 0\nlease_seconds = 12.5",
        ),
    )
    assert found.listen == (Address("localhost", 1), Address("::1", 2))
    assert found.audiences == ("a.example", "*.b.example")
    assert (found.insecure, found.drain_seconds) == (True, 0)
    assert found.limits == Limits(grace_seconds=0, lease_seconds=12.5)


def test_path_starts_where_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    path = toml(tmp_path, 'tls_cert = "cert.pem"\ntls_key = "/etc/key.pem"\nport_file = "~/ports"')
    found = given("--config", path, "--handover-file", "left.json")
    assert found.tls_certificate == tmp_path / "cert.pem"
    assert found.tls_key == Path("/etc/key.pem")
    assert found.port_file == Path("/home/ada/ports")
    assert found.handover_file == Path("left.json")


def test_handover_file_follows_the_port() -> None:
    folder = platformdirs.user_state_path("adsum", appauthor=False)
    assert given("--listen", "localhost:1,localhost:2").handover_file == folder / "handover-1.json"
    assert given("--listen", "localhost:0").handover_file is None
    assert given("--handover-file", "none").handover_file is None
    assert given("--listen", "localhost:0", "--handover-file", "x").handover_file == Path("x")


@pytest.mark.parametrize("name", ["a b", "*", "*.", "a.*.example", "f*.example", "http://a"])
def test_audience_must_be_a_name(name: str, refusal: Refusal) -> None:
    (fault,) = refusal("--audience", name)
    assert fault.startswith("--audience: ")


def test_audience_may_be_repeated_and_listed() -> None:
    assert given("--audience", "a.example,b.example", "--audience", "A.example").audiences == (
        "a.example",
        "b.example",
    )


def test_unknown_words_are_faults_with_a_suggestion(refusal: Refusal) -> None:
    assert refusal("--lisen", "localhost:1", "serve") == [
        "--lisen: no such option; did you mean --listen?",
        "serve: options start with --, and nothing else is expected",
    ]
    assert refusal("--zebra") == ["--zebra: no such option"]
    # No abbreviations: a new option would change what they mean.
    assert refusal("--list=localhost:1") == ["--list=localhost:1: no such option; did you mean --listen?"]


def test_unknown_variable_is_a_warning_unless_it_is_the_clients() -> None:
    found = given(
        ADSUM_LISTN="x", ADSUM_UNTIL_STDIN_CLOSES="1", ADSUM_SERVER="a", ADSUM_KEY="k", ADSUMX="", PATH=""
    )
    assert found.warnings == (
        "ADSUM_LISTN is set, but there is no such option; did you mean ADSUM_LISTEN?",
        "ADSUM_UNTIL_STDIN_CLOSES is set, but there is no such option",
    )
    assert not found.until_stdin_closes


def test_until_stdin_closes_is_a_flag() -> None:
    assert given("--until-stdin-closes").until_stdin_closes


def test_option_without_its_value_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load(["--listen"], {})
    assert caught.value.code == 2
    assert "--listen" in capsys.readouterr().err


def test_help_tells_all_that_a_newcomer_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        load(["--help"], {})
    assert caught.value.code == 0
    text = capsys.readouterr().out
    words = " ".join(text.split())
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        *("options:", "listening:", "security:", "stopping:", "running:", "logging:", "configuration:"),
        "limits:",
        *("examples:", "path starts at the file:"),
    ]
    for option in (option for group in options.GROUPS.values() for option in group):
        shown = f"(default: {option.default}; {option.variable})" in words and option.flag in words
        assert shown is not option.hidden, option.flag
    assert "until" + "-stdin" not in text
    assert words.startswith("usage: adsumd [options] adsumd keeps the lobbies")
    assert "adsumd --listen 0.0.0.0:7557 --tls-cert fullchain.pem --tls-key privkey.pem" in words
    assert "A flag comes before its variable, that before the file" in words
    assert "Exit codes: 0 stopped as asked, 1 could not run, 2 the options are wrong." in words


def test_example_file_in_the_help_works(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        load(["--help"], {})
    example = capsys.readouterr().out.partition("path starts at the file:\n")[2].partition("Ctrl-C")[0]
    found = given("--config", toml(tmp_path, example))
    assert found.listen == (Address("0.0.0.0", 7557),)
    assert found.tls_key == tmp_path / "privkey.pem"
    assert found.limits.grace_seconds == 10


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load(["--version"], {})
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("adsumd ")
