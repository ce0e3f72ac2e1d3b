"""Hostile: a server that contradicts itself, and a client that must notice, doubt its list, and ask once."""

from dataclasses import replace

from adsum.contract.digest import add, member_digest
from tests.client.model_lobby import key_of
from tests.client.scripted_server import a_welcome
from tests.conformance.cases import hostile
from tests.conformance.scene import BOB, DIGEST, EPOCH, GAP, Scene, enter, greet, set_up
from tests.conformance.stage import Stage, expect


@hostile("P3")
async def a_delta_with_a_wrong_digest_makes_the_list_stale_until_it_is_repaired(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    scene.lobby.join(key_of("Cleo"), "Cleo")
    delta = scene.lobby.since(base)
    await scene.stream.say(replace(delta, digest=delta.digest ^ 1))
    await _is_repaired(scene, DIGEST, "digest")


@hostile("P3")
async def a_delta_with_a_wrong_count_makes_the_list_stale_until_it_is_repaired(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    scene.lobby.join(key_of("Cleo"), "Cleo")
    delta = scene.lobby.since(base)
    await scene.stream.say(replace(delta, count=delta.count + 1))
    await _is_repaired(scene, DIGEST, "digest")


@hostile("P3", "P1")
async def a_first_list_with_a_wrong_digest_is_never_shown(stage: Stage) -> None:
    scene = await set_up(stage, "Bob")
    scene.client.connect(scene.server.target)
    await greet(scene)
    (chunk,) = scene.lobby.snapshot()
    await scene.stream.say(a_welcome(), replace(chunk, digest=chunk.digest ^ 1))
    await scene.resync(DIGEST)
    held = await scene.client.roster()
    expect(held["is_stale"] and not held["members"], f"it holds {held}")
    scene.client.never("snapshot", "state")
    await scene.stream.say(*scene.lobby.snapshot())
    await scene.client.enters()
    await scene.follows()


@hostile("P2")
async def a_gap_between_two_deltas_is_noticed(stage: Stage) -> None:
    scene = await enter(stage)
    scene.lobby.join(key_of("Cleo"), "Cleo")
    base = scene.lobby.revision
    scene.lobby.join(key_of("Dan"), "Dan")
    await scene.stream.say(scene.lobby.since(base))
    await _is_repaired(scene, GAP, "gap")
    repaired = scene.client.all("repaired")[0]
    counts = tuple(repaired[name] for name in ("joined", "updated", "left"))
    expect(counts == (2, 0, 0), f"(joined, updated, left) is told as {counts}")
    for name in ("Cleo", "Dan"):
        await scene.client.sees("joined", who=key_of(name).hex())


@hostile("P2")
async def a_delta_of_another_epoch_is_not_applied(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    scene.lobby.epoch += 1
    scene.lobby.join(key_of("Cleo"), "Cleo")
    await scene.stream.say(scene.lobby.since(base))
    await _is_repaired(scene, EPOCH, "epoch")
    # Whoever is in both lists has neither gone nor come.
    scene.client.never("left")
    scene.client.never("joined", who=BOB)


@hostile("P3")
async def a_heartbeat_with_another_digest_makes_the_list_stale(stage: Stage) -> None:
    scene = await enter(stage)
    beat = scene.lobby.heartbeat(5)
    await scene.stream.say(replace(beat, digest=beat.digest ^ 1))
    await _is_repaired(scene, DIGEST, "digest")


@hostile("P3")
async def a_heartbeat_of_another_revision_is_a_gap(stage: Stage) -> None:
    scene = await enter(stage)
    scene.lobby.touch(bytes.fromhex(BOB))
    await scene.stream.say(scene.lobby.heartbeat(5))
    await _is_repaired(scene, GAP, "gap")


@hostile("P2")
async def a_revision_that_goes_back_is_a_gap_and_the_servers_list_counts(stage: Stage) -> None:
    scene = await enter(stage, "Bob", "Cleo")
    ann = bytes.fromhex(scene.client.key)
    # The same history, as if what came last had never happened.
    member = scene.lobby.members.pop(ann)
    scene.lobby.revision -= 1
    scene.lobby.members[ann] = replace(member, incarnation=1, revision=1)
    await scene.stream.say(scene.lobby.heartbeat(5))
    await _is_repaired(scene, GAP, "gap")


@hostile("P3")
async def a_server_that_says_it_is_in_trouble_is_shown_as_degraded(stage: Stage) -> None:
    scene = await enter(stage)
    mark = scene.client.mark()
    await scene.stream.say(scene.lobby.heartbeat(5, degraded=True))
    await scene.client.phase("degraded", mark)
    # The list is still the server's, and what it says is still taken in.
    await scene.change("Cleo")
    await scene.client.sees("joined", who=key_of("Cleo").hex())
    await scene.fence()
    await scene.client.phase("live", mark)
    scene.client.never("repaired")
    await scene.follows()


@hostile("P2")
async def duplicate_and_old_deltas_change_nothing(stage: Stage) -> None:
    scene = await enter(stage)
    base = scene.lobby.revision
    await scene.change("Cleo")
    cleo = scene.lobby.since(base)
    await scene.change("Dan")
    await scene.client.sees("joined", who=key_of("Dan").hex())
    mark = scene.client.mark()
    await scene.stream.say(cleo, scene.lobby.since(base), cleo)
    await scene.fence()
    await scene.holds_the_list()
    told = [record["event"] for record in scene.client.records[mark:]]
    expect(told == ["roster"], f"of what was known already it tells {told}")


@hostile("P1", "P2")
async def a_delta_before_the_last_chunk_is_dropped(stage: Stage) -> None:
    scene = await set_up(stage, "Bob", "Cleo")
    scene.client.connect(scene.server.target)
    await greet(scene)
    first, last = scene.lobby.snapshot(2)
    revision = scene.lobby.revision
    scene.lobby.join(key_of("Dan"), "Dan")
    await scene.stream.say(a_welcome(), first, scene.lobby.since(revision), last)
    await scene.client.enters()
    held = await scene.client.roster()
    expect(held["revision"] == revision, f"it stands at {held['revision']}, the snapshot at {revision}")
    # What was dropped is missed now, and that is noticed.
    await scene.stream.say(scene.lobby.heartbeat(5))
    await _is_repaired(scene, GAP, "gap")


@hostile("P3")
async def a_repair_that_is_wrong_itself_is_not_believed(stage: Stage) -> None:
    scene = await enter(stage)
    beat = scene.lobby.heartbeat(5)
    await scene.stream.say(replace(beat, digest=beat.digest ^ 1))
    await scene.resync(DIGEST)
    await scene.client.phase("stale")
    (chunk,) = scene.lobby.snapshot()
    await scene.stream.say(replace(chunk, members=chunk.members[:1]))
    await scene.resync(DIGEST)
    held = await scene.client.roster()
    expect(held["is_stale"], "it doesn't call its list stale")
    expect(len(held["members"]) == 2, f"it took {len(held['members'])} members from a list that is wrong")
    scene.client.never("left", "repaired")
    await scene.stream.say(*scene.lobby.snapshot())
    await scene.client.sees("repaired", cause="digest")
    await scene.follows()


@hostile("P3")
async def a_snapshot_that_names_a_member_twice_is_not_believed(stage: Stage) -> None:
    scene = await enter(stage)
    beat = scene.lobby.heartbeat(5)
    await scene.stream.say(replace(beat, digest=beat.digest ^ 1))
    await scene.resync(DIGEST)
    # The sum is that of both records and the count that of the people: who adds up what comes, and not what is held, believes it.
    (chunk,) = scene.lobby.snapshot()
    bob = chunk.members[0]
    other = replace(bob, revision=bob.revision + 100)
    hashed = member_digest(other.public_key, other.incarnation, other.revision)
    twice = replace(chunk, members=(other, *chunk.members), digest=add(chunk.digest, hashed))
    await scene.say_anyway(twice)
    # It asks once more, or gives the stream up: only the list that comes then repairs its own.
    await scene.comes_round()
    repairs = len(scene.client.all("repaired"))
    expect(repairs == 1, f"it tells {repairs} repairs, and there was one list to believe")
    await scene.follows()


async def _is_repaired(scene: Scene, reason: int, cause: str) -> None:
    """Check that the client asks for the list once, calls its own stale meanwhile, and is right and live in the end."""
    await scene.resync(reason)
    await scene.client.phase("stale")
    held = await scene.client.roster()
    expect(held["is_stale"], "it doesn't call its list stale while it waits for another")
    scene.client.never("repaired")
    mark = scene.client.mark()
    await scene.stream.say(*scene.lobby.snapshot())
    await scene.client.sees("repaired", cause=cause)
    await scene.client.phase("live", mark)
    await scene.holds_the_list()
    # Nothing is asked for a second time: `fence` takes no other request than heartbeats.
    await scene.fence()
    await scene.follows()
