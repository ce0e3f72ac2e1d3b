"""Live: lost connections, as the one who has lost it and as the others see it."""

from tests.conformance.cases import live
from tests.conformance.client import Client
from tests.conformance.stage import Stage, expect, sees_present

LEASE_SECONDS = 1.5
"""That of the quick and the patient server."""
SLACK_SECONDS = 3
"""What a busy machine may add."""
IDLE_HEARTBEATS = 9
"""At one every half a second these are three leases."""


@live("P5")
async def a_killed_client_is_suspect_and_then_lost(stage: Stage) -> None:
    server = await stage.quick()
    ann, bob, pia = await stage.clients_in(server.address, "Ann", "Bob", peers=("Pia",))
    bob.kill()
    for client in (ann, pia):
        suspect = await client.sees("suspect", who=bob.key)
        left = await client.sees("left", who=bob.key)
        expect(left["reason"] == "lost", f"{client.label} is told that he {left['reason']}")
        expect(left["revision"] > suspect["revision"], "he was gone before he was suspect")
    await stage.agrees(await stage.admin(server), ann, pia)


@live("P6")
async def a_blip_is_neither_a_leave_nor_a_join(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    ann = await stage.client("Ann", relay.address)
    bob, pia = await stage.clients_in(server.address, "Bob", peers=("Pia",))
    await ann.sees("joined", who=pia.key)
    for _ in range(2):
        marks = [client.mark() for client in (ann, bob, pia)]
        relay.reset()
        await ann.phase("reconnecting", marks[0])
        await ann.phase("live", marks[0])
        for client, mark in zip((bob, pia), marks[1:], strict=True):
            await sees_blip(client, ann, mark)
    for client in (ann, bob, pia):
        client.never("left")
        client.never("joined", who=ann.key)
        # Not a second session either, which would be another device for a while.
        client.never("updated", who=ann.key)
        client.never("repaired")
    expect(len(ann.all("snapshot")) == 1, "the list was told as a whole more than once")
    await stage.agrees(await stage.admin(server), ann, bob, pia)


@live("P6", "P2")
async def what_was_missed_in_a_blip_is_told(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    company = await stage.company(server.address)
    cleo, dan = await company.join_all(["Cleo", "Dan"])
    ann = await stage.client("Ann", relay.address)
    pia = await stage.client("Pia", server.address, peer=True)
    await ann.sees("joined", who=pia.key)
    mark = ann.mark()
    relay.freeze()
    relay.reset()
    await pia.sees("suspect", who=ann.key)
    await ann.phase("reconnecting", mark)
    await cleo.leave()
    await dan.update(name="Dan", status_text="while you were away")
    eve = await company.join("Eve")
    pia.update("Pia", "busy", "me too")
    await pia.sees("updated", who=pia.key)
    relay.thaw()
    left = await ann.sees("left", mark, who=cleo.key.hex())
    expect(left["reason"] == "left", f"Cleo {left['reason']}")
    await ann.sees("joined", mark, who=eve.key.hex())
    for key, text in ((dan.key.hex(), "while you were away"), (pia.key, "me too")):
        updated = await ann.sees("updated", mark, who=key)
        expect(updated["member"]["status_text"] == text, f"shown as {updated['member']}")
    await ann.phase("live", mark)
    await pia.sees("back", who=ann.key)
    pia.never("left", "joined", since=0, who=ann.key)
    ann.never("left", "joined", since=mark, who=pia.key)
    ann.never("repaired")
    await stage.agrees(await stage.admin(server), ann, pia)


@live("P5", "P6")
async def a_cable_that_is_cut_in_silence_is_found_within_the_lease(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    ann = await stage.client("Ann", relay.address)
    pia = await stage.client("Pia", server.address, peer=True)
    await ann.sees("joined", who=pia.key)
    mark = ann.mark()
    # No end of the connection is seen by anybody: nothing comes through any more.
    relay.freeze()
    await ann.phase("reconnecting", mark, within=LEASE_SECONDS + SLACK_SECONDS)
    await pia.sees("suspect", who=ann.key, within=LEASE_SECONDS + SLACK_SECONDS)
    relay.thaw()
    await ann.phase("live", mark)
    await pia.sees("back", who=ann.key)
    pia.never("left", who=ann.key)
    await stage.agrees(await stage.admin(server), ann, pia)


@live("P5")
async def who_only_listens_for_three_leases_stays_online(stage: Stage) -> None:
    server = await stage.quick()
    company = await stage.company(server.address)
    bob = await company.join("Bob")
    ann = await stage.client("Ann", server.address)
    await ann.sees("snapshot")
    await bob.until("P1", "Ann to come", lambda: bob.roster.is_online(bytes.fromhex(ann.key)))
    heard = bob.count("heartbeat")
    await bob.until("P5", "three leases", lambda: bob.count("heartbeat") >= heard + IDLE_HEARTBEATS)
    ann.never("suspect", "left", "back", "repaired")
    ann.never("state", phase="reconnecting")
    expect(bob.roster.is_online(bytes.fromhex(ann.key)), "she isn't online any more")
    await stage.agrees(await stage.admin(server), ann)


async def sees_blip(client: Client, other: Client, mark: int) -> None:
    """Wait until a client has been told that another was lost and is back."""
    # Both changes may be merged into one by the time they are sent. Then there is nothing to tell.
    if client.all("suspect", mark, who=other.key):
        await client.sees("back", mark, who=other.key)
    await sees_present(client, other.key)
