"""Vectors of the audience: what a user dials, and the host that is signed for it."""

TAKEN = [
    ("localhost", "localhost"),
    ("localhost:50051", "localhost"),
    ("Lobby.Example:443", "lobby.example"),
    ("lobby.example.", "lobby.example"),
    ("lobby.example.:443", "lobby.example"),
    ("  lobby.example:443\n", "lobby.example"),
    ("127.0.0.1:50051", "127.0.0.1"),
    ("127.0.0.1", "127.0.0.1"),
    ("::1", "::1"),
    ("[::1]", "::1"),
    ("[::1]:50051", "::1"),
    ("[2001:DB8::A]:443", "2001:db8::a"),
    ("2001:db8::a", "2001:db8::a"),
    ("b\u00dccher.example:443", "b\u00fccher.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("host:0", "host"),
    ("host:65535", "host"),
]
"""What is dialled, and the audience of it."""

REFUSED = [
    "",
    " ",
    ".",
    ":50051",
    "host:",
    "host:http",
    "host:65536",
    "host:-1",
    "host:+1",
    "host:\u0661\u0662",
    "[::1",
    "[::1]50051",
    "[::1]:",
    "[]:50051",
    "dns:///host:443",
    "unix:/run/adsum.sock",
    "http://host",
    "ho st:443",
]
"""What is no HOST, HOST:PORT, [V6]:PORT or V6."""


def vectors() -> dict[str, object]:
    """Make the content of `audience.json`."""
    return {
        "about": "What a user dials, and the audience that is signed for it; empty where it is refused.",
        "cases": [
            *({"dialled": dialled, "audience": audience} for dialled, audience in TAKEN),
            *({"dialled": dialled, "audience": ""} for dialled in REFUSED),
        ],
    }
