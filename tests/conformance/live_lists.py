"""Live: what a client shows of people who come, change and go."""

from adsum.v1.member_pb2 import STATUS_BUSY
from tests.client.scripted_server import a_welcome
from tests.conformance.cases import live
from tests.conformance.scene import greet, set_up
from tests.conformance.stage import Stage, expect
from tests.integration.raw_client import RawClient

BIG = 1200
CHUNK = 500


@live("P1")
async def the_first_list_includes_oneself(stage: Stage) -> None:
    server = await stage.serving()
    ann = await stage.client("Ann", server.address)
    snapshot = ann.all("snapshot")[0]
    keys = [member["key"] for member in snapshot["members"]]
    expect(keys == [ann.key], f"the first list is {keys}, and Ann's key {ann.key}")
    expect(snapshot["members"][0]["name"] == "Ann", f"Ann is shown as {snapshot['members'][0]}")
    events = [record["event"] for record in ann.records if record["event"] != "state"]
    expect(events == ["snapshot"], f"alone in the lobby, Ann is told {events}")
    await stage.agrees(await stage.admin(server), ann)


@live("P1", "P3")
async def a_latecomer_gets_everybody_as_they_are(stage: Stage) -> None:
    server = await stage.patient()
    company = await stage.company(server.address)
    bob, cleo = await company.join_all(["Bob", "Cleo"])
    await bob.update(name="Bob", status=STATUS_BUSY, status_text="in a meeting")
    await cleo.sees_text("in a meeting", bob)
    await cleo.cut()
    await bob.sees_suspect(cleo)
    ann = await stage.client("Ann", server.address)
    first = {member["name"]: member for member in ann.all("snapshot")[0]["members"]}
    expect(set(first) == {"Ann", "Bob", "Cleo"}, f"the first list has {sorted(first)}")
    shown = (first["Bob"]["status"], first["Bob"]["status_text"], first["Bob"]["liveness"])
    expect(shown == ("busy", "in a meeting", "online"), f"Bob is shown as {shown}")
    expect(first["Cleo"]["liveness"] == "suspect", "Cleo, whose connection is lost, isn't shown as suspect")
    await stage.agrees(await stage.admin(server), ann)


@live("P2")
async def whoever_comes_changes_and_leaves_is_told(stage: Stage) -> None:
    server = await stage.serving()
    ann = await stage.client("Ann", server.address)
    pia = await stage.client("Pia", server.address, peer=True)
    joined = await ann.sees("joined", who=pia.key)
    member = joined["member"]
    expect(member["name"] == "Pia" and member["liveness"] == "online", f"Pia came as {member}")
    expect(member["devices"] == 1, f"Pia came with {member['devices']} devices")
    expect(joined["revision"] == member["revision"] == member["incarnation"], f"numbers of a join: {joined}")
    pia.update("Pia Z.", "away", "out for lunch")
    updated = await ann.sees("updated", who=pia.key)
    changed = {name: updated["member"][name] for name in ("name", "status", "status_text")}
    expect(
        changed == {"name": "Pia Z.", "status": "away", "status_text": "out for lunch"}, f"Pia is {changed}"
    )
    expect(updated["before"]["name"] == "Pia", f"before she was {updated['before']}")
    expect(updated["revision"] > joined["revision"], "the revision didn't grow")
    expect(updated["member"]["incarnation"] == member["incarnation"], "a change is no new incarnation")
    pia.say("leave")
    left = await ann.sees("left", who=pia.key)
    expect(left["reason"] == "left", f"she left because of {left['reason']}")
    expect(left["member"]["name"] == "Pia Z.", f"who left is called {left['member']['name']}")
    expect(left["revision"] > updated["revision"], "the revision didn't grow")
    await stage.agrees(await stage.admin(server), ann)


@live("P2")
async def what_one_says_of_oneself_is_seen_by_others_and_oneself(stage: Stage) -> None:
    server = await stage.serving()
    pia = await stage.client("Pia", server.address, peer=True)
    ann = await stage.client("Ann", server.address)
    await pia.sees("joined", who=ann.key)
    ann.update("Ann B.", "busy", "deep in thought")
    for client in (pia, ann):
        member = (await client.sees("updated", who=ann.key))["member"]
        shown = (member["name"], member["status"], member["status_text"])
        expect(shown == ("Ann B.", "busy", "deep in thought"), f"{client.label} shows her as {shown}")
    mark = pia.mark()
    ann.update("Ann B.", "available")
    member = (await pia.sees("updated", mark, who=ann.key))["member"]
    expect((member["status"], member["status_text"]) == ("available", ""), f"after that as {member}")


@live("P2")
async def texts_of_any_script_come_through_unharmed(stage: Stage) -> None:
    server = await stage.serving()
    pia = await stage.client("Pia", server.address, peer=True)
    ann = await stage.client("Ann", server.address)
    name, text = "Zoë 猫 Ωmega", 'naïve "café" \\ \u05d0\u05d1 \U0001f600'
    ann.update(name, "away", text)
    for client in (pia, ann):
        member = (await client.sees("updated", who=ann.key))["member"]
        expect((member["name"], member["status_text"]) == (name, text), f"{client.label} shows {member!a}")
    company = await stage.company(server.address)
    bob = company.client("Bob")
    attributes = {"stadt": "Zürich", "emoji": "\U0001f9e9", "quote": '"</script>\\'}
    bob.profile.attributes.update(attributes)
    bob.profile.status_text = "línea única"
    await bob.join()
    member = (await ann.sees("joined", who=bob.key.hex()))["member"]
    expect(member["attributes"] == attributes, f"the attributes are {member['attributes']!a}")
    expect(member["status_text"] == "línea única", f"the status text is {member['status_text']!a}")


@live("P1")
async def an_observer_sees_everybody_and_is_in_nobodys_list(stage: Stage) -> None:
    server = await stage.serving()
    pia = await stage.client("Pia", server.address, peer=True)
    owl = await stage.client("Owl", server.address, observer=True)
    keys = {member["key"] for member in owl.all("snapshot")[0]["members"]}
    expect(keys == {pia.key}, f"the observer's first list is {keys}")
    ann = await stage.client("Ann", server.address)
    await owl.sees("joined", who=ann.key)
    pia.update("Pia", "away", "still here")
    await owl.sees("updated", who=pia.key)
    for client in (ann, pia):
        expect(owl.key not in client.mirror.members, f"{client.label} sees the observer")
    await stage.agrees(await stage.admin(server), owl, ann, pia)


@live("P2", "P5")
async def many_devices_of_one_key_are_one_member(stage: Stage) -> None:
    server = await stage.quick()
    company = await stage.company(server.address)
    pia: RawClient = await company.join("Pia")
    phone = await stage.client("Ann", server.address)
    laptop = await stage.client("Ann 2", server.address, identity=phone.identity)
    watch = await stage.client("Bob", server.address)
    updated = await phone.sees("updated", who=phone.key)
    expect(updated["member"]["devices"] == 2, f"with two devices it says {updated['member']['devices']}")
    laptop.kill()
    # A lost device is no lost member: nobody sees her suspect, and when the grace is over she has one device.
    gone = await watch.sees("updated", who=phone.key)
    expect(gone["member"]["devices"] == 1, f"with one device lost it says {gone['member']['devices']}")
    for client in (phone, watch):
        client.never("suspect", "left", "joined", who=phone.key)
    expect(pia.roster.is_online(bytes.fromhex(phone.key)), "to others she isn't online")
    await stage.agrees(await stage.admin(server), phone, watch)


@live("P1", "P3")
async def a_list_of_1200_members_in_chunks_comes_whole(stage: Stage) -> None:
    scene = await set_up(stage, *(f"member {number:04}" for number in range(BIG)))
    ann, lobby = scene.client, scene.lobby
    ann.connect(scene.server.target)
    hello = await greet(scene)
    stream = scene.stream
    expect(hello.profile.name == "Ann", f"Ann calls herself {hello.profile.name}")
    chunks = lobby.snapshot(CHUNK)
    await stream.say(a_welcome(), *chunks[:-1])
    expect(not ann.all("snapshot"), "a list was told before its last chunk")
    await stream.say(chunks[-1])
    beat = (await stream.expect("heartbeat")).heartbeat
    expect((beat.revision, beat.digest) == (lobby.revision, lobby.digest), f"it says that it holds {beat}")
    await ann.enters()
    members = ann.all("snapshot")[0]["members"]
    expect(len(members) == BIG + 1, f"the first list has {len(members)} members, not {BIG + 1}")
    lobby.leave(next(iter(lobby.members)))
    await stream.say(lobby.since(beat.revision), lobby.heartbeat(nonce=2))
    await ann.sees("left")
    held = await ann.roster()
    expect(held["digest"] == f"{lobby.digest:016x}", f"it holds the digest {held['digest']}")
