"""Live: coming and going on purpose, being refused, and choosing whom to write to."""

import random

from tests.conformance.cases import live
from tests.conformance.client import Client
from tests.conformance.stage import QUICK, Stage, expect, sees_present
from tests.integration.raw_client import RawClient

CROWD = 16
ACTIONS = 90
BLIP_EVERY = 15


@live("P5")
async def leave_is_seen_at_once_and_ends_with_0(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    ann.say("leave")
    left = await pia.sees("left", who=ann.key)
    expect(left["reason"] == "left", f"she left because of {left['reason']}")
    pia.never("suspect")
    code = await ann.ended()
    expect(code == 0, f"the exit code is {code}")


@live("P5")
async def the_end_of_the_commands_is_a_leave(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    ann.close_stdin()
    left = await pia.sees("left", who=ann.key)
    expect(left["reason"] == "left", f"she left because of {left['reason']}")
    code = await ann.ended()
    expect(code == 0, f"the exit code is {code}")


@live()
async def who_is_refused_for_good_is_closed_and_ends_with_1(stage: Stage) -> None:
    server = await stage.serving()
    ann = await stage.start("Ann")
    ann.connect(server.address, name="Ann\x1b[31m")
    closed = await ann.phase("closed", within=30)
    expect("BAD_NAME" in closed["cause"].upper(), f"the cause is {closed['cause']!r}")
    code = await ann.ended()
    expect(code == 1, f"the exit code is {code}")
    ann.never("snapshot")


@live()
async def who_finds_the_lobby_full_comes_in_when_there_is_room(stage: Stage) -> None:
    server = await stage.serving(*QUICK, "--members-per-lobby", "1")
    company = await stage.company(server.address)
    bob = await company.join("Bob")
    ann = await stage.start("Ann")
    ann.connect(server.address)
    # Who is refused is told by the server's log and perhaps by a `state`, neither of which is promised. Bob sees nobody come.
    heard = bob.count("heartbeat")
    await bob.until("P9", "some time to pass", lambda: bob.count("heartbeat") >= heard + 4)
    ann.never("state", phase="closed")
    ann.never("snapshot")
    await bob.leave()
    await ann.enters()
    await stage.agrees(await stage.admin(server), ann)


@live("P7")
async def a_selection_is_available_suspect_back_and_cleared(stage: Stage) -> None:
    server = await stage.patient()
    company = await stage.company(server.address)
    bob: RawClient = await company.join("Bob")
    ann = await stage.client("Ann", server.address)
    key = bob.key.hex()
    ann.say("select", key=key)
    first = await ann.sees("selection", key=key, state="available")
    expect(first["was"] is None, f"nobody was selected, but `was` is {first['was']}")
    mark = ann.mark()
    await bob.cut()
    doubted = await ann.sees("selection", mark, key=key, state="unavailable")
    expect((doubted["reason"], doubted["was"]) == ("suspect", "available"), f"the doubt is {doubted}")
    # Never before the event that causes it.
    expect(ann.mirror.members[key]["liveness"] == "suspect", "Bob isn't suspect in Ann's list yet")
    mark = ann.mark()
    await bob.resume()
    again = await ann.sees("selection", mark, key=key, state="available")
    expect(again["was"] == "unavailable", f"again available: {again}")
    mark = ann.mark()
    await bob.leave()
    cleared = await ann.sees("selection", mark, key=key, state="cleared")
    expect((cleared["reason"], cleared["was"]) == ("left", "available"), f"cleared: {cleared}")
    expect(key not in ann.mirror.members, "Bob is in Ann's list when the selection is cleared")
    # Who comes back isn't selected again.
    mark = ann.mark()
    await bob.join()
    await ann.sees("joined", mark, who=key)
    await ann.roster()
    ann.never("selection", since=mark)


@live("P7")
async def a_selection_is_cleared_by_hand_and_refused_for_who_is_not_there(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    nobody = stage.identity("nobody").public_key.hex()
    ann.say("select", key=nobody)
    answer = await ann.sees("selection", key=nobody)
    shown = (answer["state"], answer["reason"], answer["was"])
    expect(shown == ("unavailable", "not_present", None), f"the answer is {shown}")
    ann.say("select", key=pia.key)
    await ann.sees("selection", key=pia.key, state="available")
    ann.say("select", key="")
    cleared = await ann.sees("selection", state="cleared")
    shown = (cleared["key"], cleared["reason"], cleared["was"])
    expect(shown == (pia.key, "by_client", "available"), f"cleared as {shown}")


@live("P7", "P6")
async def a_selection_outlives_a_blip_and_is_cleared_if_who_was_selected_is_gone(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    company = await stage.company(server.address)
    bob: RawClient = await company.join("Bob")
    ann = await stage.client("Ann", relay.address)
    key = bob.key.hex()
    ann.say("select", key=key)
    await ann.sees("selection", key=key, state="available")
    mark = ann.mark()
    relay.reset()
    await ann.phase("live", mark)
    # The server has kept it: a change is told without another `select`.
    await bob.cut()
    await ann.until("to doubt Bob", lambda: _last_selection(ann) == "unavailable")
    await bob.resume()
    await ann.until("to believe Bob", lambda: _last_selection(ann) == "available")
    mark = ann.mark()
    relay.freeze()
    relay.reset()
    await ann.phase("reconnecting", mark)
    await bob.leave()
    relay.thaw()
    await ann.phase("live", mark)
    await ann.until("to have nobody selected", lambda: _last_selection(ann) == "cleared")
    expect(key not in ann.mirror.members, "Bob is still in her list")


@live("P3", "P5", "P6")
async def after_a_long_coming_and_going_every_list_is_the_servers(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    company = await stage.company(server.address)
    ann, bob, pia = await stage.clients_in(server.address, "Ann", "Bob", peers=("Pia",))
    cleo = await stage.client("Cleo", relay.address)
    crowd = [company.client(f"member {number:02}") for number in range(CROWD)]
    chance = random.Random(stage.lobby)
    inside: set[str] = set()
    for number in range(ACTIONS):
        await _act(chance, chance.choice(crowd), inside)
        if number % BLIP_EVERY == BLIP_EVERY - 1:
            mark = cleo.mark()
            relay.reset()
            await cleo.phase("live", mark)
            ann.update("Ann", "away", f"at action {number}")
    lists: list[Client] = [ann, bob, pia, cleo]
    for client in lists:
        for other in lists:
            await sees_present(client, other.key)
        client.never("repaired")
        expect(client.mirror.phase == "live", f"{client.label} is {client.mirror.phase}")
    last = f"at action {ACTIONS - 1}"
    for client in lists:
        await client.until(
            "the last change",
            lambda one=client: one.mirror.members[ann.key]["status_text"] == last,  # type: ignore[misc]
        )
    await stage.agrees(await stage.admin(server), *lists)


def _last_selection(client: Client) -> str:
    state: str = client.all("selection")[-1]["state"]
    return state


async def _act(chance: random.Random, one: RawClient, inside: set[str]) -> None:
    """Let one of the crowd come, go, blip or change."""
    if one.name not in inside:
        await one.join()
        inside.add(one.name)
        return
    match chance.randrange(4):
        case 0:
            await one.leave()
            inside.discard(one.name)
        case 1:
            await one.cut()
            await one.resume()
        case _:
            await one.update(status_text=f"change {chance.randrange(1000)}")
