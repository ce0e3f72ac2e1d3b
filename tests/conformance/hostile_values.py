"""Hostile: values that are odd, huge, missing or meant to deceive."""

from dataclasses import replace

from adsum.client.member import Profile, Status
from adsum.client.messages import Challenge
from adsum.v1.member_pb2 import LIVENESS_UNSPECIFIED
from tests.client.model_lobby import a_member, key_of
from tests.client.scripted_server import EXPIRES, a_welcome
from tests.conformance.cases import hostile
from tests.conformance.scene import BOB, changed, dialled, enter, greet, set_up
from tests.conformance.stage import Stage, expect

BEYOND_SIGNED = 2**63 + 11
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\x00\x7f\u200f\n\r"
UNKNOWN_FIELD = bytes((0xFA, 0x06, 0x02, 0x08, 0x01))
"""Field 111, two bytes long: a kind of response that a later server may have."""


@hostile("P9")
async def a_kind_of_response_that_is_not_known_is_ignored(stage: Stage) -> None:
    scene = await enter(stage)
    await scene.stream.say(UNKNOWN_FIELD, b"")
    await scene.fence()
    scene.client.never("state", phase="reconnecting")
    await scene.follows()


@hostile("P9")
async def a_member_without_a_profile_is_shown_without_a_name(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    cleo = key_of("Cleo")
    scene.lobby.join(cleo, "")
    message = changed(scene.lobby.since(base))
    message.delta.joined[0].ClearField("profile")
    await scene.stream.say(message.SerializeToString())
    member = (await scene.client.sees("joined", who=cleo.hex()))["member"]
    expect((member["name"], member["attributes"]) == ("", {}), f"shown as {member}")
    await scene.follows()


@hostile("P5")
async def a_liveness_that_says_nothing_is_doubt(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    cleo = key_of("Cleo")
    scene.lobby.join(cleo, "Cleo")
    message = changed(scene.lobby.since(base))
    message.delta.joined[0].liveness = LIVENESS_UNSPECIFIED
    await scene.stream.say(message.SerializeToString())
    member = (await scene.client.sees("joined", who=cleo.hex()))["member"]
    expect(member["liveness"] == "suspect", f"Cleo is shown as {member['liveness']}")


@hostile("P9")
async def a_key_of_5_bytes_does_no_harm(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    message = changed(replace(scene.lobby.since(base), revision=base + 1))
    odd = changed(replace(scene.lobby.since(base), joined=(a_member("odd"),))).delta.joined[0]
    odd.public_key = b"short"
    message.delta.joined.append(odd)
    scene.lobby.join(key_of("Cleo"), "Cleo")
    await scene.say_anyway(message.SerializeToString())
    await scene.comes_round()
    await scene.follows()


@hostile("P3")
async def numbers_beyond_the_signed_ones_are_exact(stage: Stage) -> None:
    scene = await set_up(stage)
    scene.lobby.epoch = scene.lobby.revision = BEYOND_SIGNED
    scene.lobby.join(key_of("Bob"), "Bob")
    scene.client.connect(scene.server.target)
    await greet(scene)
    await scene.stream.say(a_welcome(), *scene.lobby.snapshot())
    await scene.client.enters()
    bob = {member["key"]: member for member in scene.client.all("snapshot")[0]["members"]}[BOB]
    numbers = (bob["revision"], bob["incarnation"])
    expect(numbers == (BEYOND_SIGNED + 1,) * 2, f"told as {numbers}, and are {BEYOND_SIGNED + 1}")
    await scene.holds_the_list()
    nonce = 2**64 - 1
    await scene.fence(nonce)
    await scene.follows()


@hostile()
async def a_nonce_of_0_bytes_does_no_harm(stage: Stage) -> None:
    scene = await set_up(stage, "Bob")
    scene.client.connect(scene.server.target)
    scene.stream = await dialled(scene)
    await scene.stream.expect("hello")
    await scene.stream.say(Challenge(b"", EXPIRES))
    # It may refuse to sign that and come back, or sign it, since its own nonce is in it too.
    request = await scene.stream.next()
    if request is not None and request.WhichOneof("request") == "proof":
        await scene.stream.say(a_welcome(), *scene.lobby.snapshot())
    else:
        scene.stream = await scene.server.admit(scene.lobby)
    await scene.client.enters()
    await scene.follows()


@hostile()
async def what_is_signed_names_the_host_that_was_dialled(stage: Stage) -> None:
    scene = await set_up(stage, "Bob")
    dialled = scene.server.target.replace("127.0.0.1", "localhost")
    scene.client.connect(dialled)
    hello = await greet(scene)
    expect(hello.audience == "localhost", f"for {dialled} the audience is {hello.audience!r}")
    await scene.stream.say(a_welcome(), *scene.lobby.snapshot())
    await scene.client.enters()


@hostile()
async def names_full_of_escape_sequences_come_out_escaped(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    bob = scene.lobby.members[key_of("Bob")]
    profile = Profile(f"Bob{ESCAPES}", Status.BUSY, ESCAPES, {ESCAPES: ESCAPES})
    scene.lobby.revision += 1
    scene.lobby.members[bob.public_key] = replace(bob, revision=scene.lobby.revision, profile=profile)
    await scene.stream.say(scene.lobby.since(base))
    # That a line is printable ASCII is checked of every line. Parsed, the text is what was sent.
    member = (await scene.client.sees("updated", who=BOB))["member"]
    shown = (member["name"], member["status_text"], member["attributes"])
    expect(shown == (f"Bob{ESCAPES}", ESCAPES, {ESCAPES: ESCAPES}), f"told as {shown!a}")
    await scene.follows()


@hostile()
async def names_that_differ_by_case_or_not_at_all_are_different_people(stage: Stage) -> None:
    scene = await enter(stage, "bob", "Bob", "BOB")
    base = scene.lobby.revision
    scene.lobby.join(key_of("another"), "Bob")
    scene.lobby.leave(key_of("bob"))
    await scene.stream.say(scene.lobby.since(base))
    await scene.client.sees("joined", who=key_of("another").hex())
    await scene.client.sees("left", who=key_of("bob").hex())
    held = await scene.holds_the_list()
    names = sorted(member["name"] for member in held["members"])
    expect(names == ["Ann", "BOB", "Bob", "Bob"], f"the names are {names}")
