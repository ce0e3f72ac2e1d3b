"""What `--help` shows below the options."""

ENVIRONMENT = """\
environment:
  ADSUM_SERVER  the server, instead of --server
  ADSUM_NAME    your display name, instead of --name
  ADSUM_KEY     the file of your key, instead of --key
  NO_COLOR      no colours, whatever the terminal can do
"""
"""What else is listened to."""
EXAMPLES = {
    "": """\
examples:
  adsum demo                          see it work: a server, some bots, and you
  adsum join team                     be in the lobby "team", see who comes and goes, write to people
  adsum who team                      see who is there, without being seen
  adsum send team Ada "lunch?"        write to Ada, and be told whether it arrived
  adsum watch team --json | jq .      every change as one JSON object a line
""",
    "join": """\
examples:
  adsum join team
  adsum join team --name "Ada Lovelace" --server presence.example.org:7557 --tls
  adsum join team </dev/null          be present without typing: the end of input doesn't end it
  printf '/select Ada\\nhello\\n/quit\\n' | adsum join team

On a terminal this is a full screen: Enter selects somebody and you write to them, ? shows the keys, q
leaves, and others see it at once. Without a terminal, with TERM=dumb or with --plain each event is a line,
and what you type is sent to the person you have selected with /select NAME; /help shows the rest. When stdin
ends and is not a terminal, you stay until Ctrl-C or SIGTERM.
""",
    "watch": """\
examples:
  adsum watch team
  adsum watch team --json --for 60 > events.jsonl
  adsum watch team --json | jq -r 'select(.event == "joined") | .member.name'

You watch as an observer: nobody sees you. The JSON is described in docs/events.md.
""",
    "who": """\
examples:
  adsum who team
  adsum who team --json | jq '.members | length'

You look as an observer: nobody sees you.
""",
    "send": """\
examples:
  adsum send team Ada "lunch?"
  adsum send team k7q2-m4xd "lunch?"  two people are called Ada: use the fingerprint
  uptime | adsum send team Ada -
  adsum send team Ada "lunch?" || echo "exit code $?"

You are in the lobby for the moment that it takes. If you are there already with the same key, nobody
sees a difference.
""",
    "key": """\
examples:
  adsum key                           show your key; make it first if there is none
  adsum key --show                    show it, or fail if there is none
  adsum key --make --path work.key    make another one
""",
    "bots": """\
examples:
  adsum bots team --count 20
  adsum bots team --count 5 --seed 7 --pace 0.5

Bots are real members with keys of their own. They come, go, change their status, answer messages, and
now and then lose their connection (only with a server on this machine: it is cut in a small relay
between them). With --seed their keys are the same each time, and anybody can make them again.
""",
    "demo": """\
examples:
  adsum demo
  adsum demo --count 100 --pace 0.2

Starts a server on a free port of this machine and some bots, and joins you to them. Everything ends
with q or Ctrl-C, which is a fine end here: exit code 0.
""",
}
"""What a newcomer may want to type, by command; the empty name stands for `adsum` itself."""
