"""A session goes on over another connection: nobody sees it go, it receives what it missed, and nobody else can take it over."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from adsum.contract.identity import Identity
from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.member_pb2 import LIVENESS_SUSPECT
from adsum.v1.presence_pb2 import Resume
from tests.integration.admin_client import admin_of
from tests.integration.company import Company
from tests.integration.local_server import QUICK, local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.relay import relaying


@dataclass(frozen=True, slots=True)
class Seen:
    """Count what a list was told of one member."""

    joined: int
    updated: int
    left: int


def _seen(watcher: RawClient, mark: int, key: bytes) -> Seen:
    deltas = [heard.message.delta for heard in watcher.since(mark) if heard.kind == "delta"]
    return Seen(
        sum(one.public_key == key for delta in deltas for one in delta.joined),
        sum(one.public_key == key for delta in deltas for one in delta.updated),
        sum(one.public_key == key for delta in deltas for one in delta.left),
    )


def _was_suspect(watcher: RawClient, mark: int, key: bytes) -> bool:
    deltas = [heard.message.delta for heard in watcher.since(mark) if heard.kind == "delta"]
    return any(
        one.public_key == key and one.liveness == LIVENESS_SUSPECT
        for delta in deltas
        for one in delta.updated
    )


@pytest.mark.promise("P6", "0.6")
async def test_a_resume_within_the_grace_is_invisible_to_others() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        record, welcome, mark = ann.roster.members[bob.key], bob.welcome, ann.mark()
        await bob.cut()
        await ann.sees_suspect(bob)
        await bob.resume()
        await ann.sees_online(bob, "P6")
        promised("P6", bob.welcome.resumed, "the session was not resumed")
        promised("P6", bob.welcome.session_id == welcome.session_id, "it is another session")
        promised("P6", bob.welcome.generation == 2, f"the generation is {bob.welcome.generation}")
        promised("P6", bob.welcome.resume_token != welcome.resume_token, "the token was not rotated")
        after = ann.roster.members[bob.key]
        promised("P6", after.incarnation == record.incarnation, "another incarnation")
        promised("P6", after.joined_at == record.joined_at, "joined anew")
        seen = _seen(ann, mark, bob.key)
        promised("P6", seen == Seen(joined=0, updated=2, left=0), f"others saw {seen}")


@pytest.mark.promise("P6", "0.7")
async def test_a_resumed_client_receives_only_what_it_missed() -> None:
    async with local_server() as server, Company(server.address) as company:
        people = await company.join_all([f"member {number:02}" for number in range(20)])
        ann, bob, cleo, dan = people[:4]
        await ann.cut()
        await bob.sees_suspect(ann)
        await cleo.leave()
        await dan.update(status_text="moved")
        await bob.until(
            "P3", "Dan's move", lambda: bob.roster.members[dan.key].profile.status_text == "moved"
        )
        await bob.sees_gone(cleo)
        mark = ann.mark()
        await ann.resume()
        await ann.sees_gone(cleo, "P6")
        await ann.sees_online(ann, "P6")
        await ann.fence()
        promised("0.7", "snapshot" not in ann.kinds(mark), "the whole list came again")
        missed = [heard.message.delta for heard in ann.since(mark) if heard.kind == "delta"]
        told = {one.public_key for delta in missed for one in (*delta.joined, *delta.updated)}
        promised("0.7", told == {ann.key, dan.key}, f"{len(told)} records came for two that changed")


@pytest.mark.promise("P6", "P5")
async def test_after_the_grace_it_is_a_leave_and_a_join() -> None:
    async with local_server(QUICK) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        before, mark = ann.roster.members[bob.key], ann.mark()
        await bob.cut()
        await ann.sees_gone(bob)
        await bob.resume()
        await ann.sees_online(bob)
        promised("P6", not bob.welcome.resumed, "a session was resumed that was gone")
        promised("P6", bob.resume_refusal == Reason.SESSION_UNKNOWN, f"refused as {bob.resume_refusal}")
        promised("P6", ann.roster.members[bob.key].incarnation != before.incarnation, "the same incarnation")
        promised("P6", bob.welcome.generation == 1, f"the generation is {bob.welcome.generation}")
        seen = _seen(ann, mark, bob.key)
        promised("P6", (seen.joined, seen.left) == (1, 1), f"others saw {seen}")


@pytest.mark.promise("P1", "P3", "P6")
async def test_a_resume_after_more_changes_than_the_tombstones_reach_gets_the_whole_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adsum.server.desk.FORGET_SECONDS", 0.2)
    async with (
        local_server(Limits(tombstones_per_lobby=3, heartbeat_seconds=0.3, lease_seconds=5)) as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann, bob, *others = await company.join_all([f"member {number}" for number in range(8)])
        await ann.cut()
        await bob.sees_suspect(ann)
        for goner in others[:5]:
            await goner.leave()
            await bob.sees_gone(goner)
        # The tombstones are looked through now and then; when that has happened shows nowhere.
        await bob.hears_heartbeats(2)
        mark = ann.mark()
        await ann.resume()
        await bob.sees_online(ann, "P6")
        await ann.fence()
        promised("P6", ann.welcome.resumed, "the session was not resumed")
        promised("P3", ann.kinds(mark)[0] == "snapshot", f"it was sent {ann.kinds(mark)}")
        await admin.agrees_with([ann, bob])


@pytest.mark.promise("P3", "P6")
@pytest.mark.parametrize("claim", ["nothing", "another epoch", "a later revision", "another digest"])
async def test_a_resume_that_claims_a_list_the_server_never_sent_gets_the_whole_list(claim: str) -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann, bob = await company.join_all(["Ann", "Bob"])
        resume = ann.resumption()
        match claim:
            case "nothing":
                resume = Resume(session_id=resume.session_id, token=resume.token)
            case "another epoch":
                resume.epoch ^= 1
            case "a later revision":
                resume.revision += 1000
            case "another digest":
                resume.digest ^= 1
        # Taken over while the first stream lives, so that nothing has changed since the revision claimed.
        second = await company.client("Ann", identity=ann.identity).take_over(ann, resume)
        await second.fence()
        promised("P6", second.welcome.resumed, "the session was not resumed")
        promised("P3", second.kinds(0)[0] == "snapshot", f"it was sent {second.kinds(0)}")
        await admin.agrees_with([second, bob])


@pytest.mark.promise("P6", "0.6")
async def test_a_second_stream_takes_the_session_over_while_the_first_still_hangs() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann = await company.join("Ann")
        first = await company.join("Bob", target=relay.address)
        await ann.sees_online(first)
        mark = ann.mark()
        # The client knows that its connection is dead, the server doesn't.
        relay.strand()
        await first.cut()
        second = await company.client("Bob", identity=first.identity).take_over(first)
        promised("P6", second.welcome.resumed, "the session was not resumed while its first stream hangs")
        # Now the server learns of the first stream's end: too late to matter.
        relay.reset()
        await company.join("Cleo")
        await ann.until("P3", "Cleo", lambda: len(ann.roster.members) == 3)
        promised("P6", not _was_suspect(ann, mark, first.key), "others saw the member suspect")
        seen = _seen(ann, mark, first.key)
        promised("P6", (seen.joined, seen.left) == (0, 0), f"others saw {seen}")


@pytest.mark.promise("P6", "contract")
async def test_the_stream_that_was_replaced_is_told_so() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, first = await company.join_all(["Ann", "Bob"])
        mark = ann.mark()
        await company.client("Bob", identity=first.identity).take_over(first)
        ending = await first.end()
        promised(
            "contract", ending.reason is Reason.SESSION_REPLACED, f"the first stream ended with {ending}"
        )
        await ann.fence()
        seen = _seen(ann, mark, first.key)
        promised("P6", (seen.joined, seen.left) == (0, 0), f"others saw {seen}")
        promised("P6", not _was_suspect(ann, mark, first.key), "others saw the member suspect")


@pytest.mark.promise("P6", "contract")
async def test_a_replayed_token_resumes_nothing_and_harms_nobody() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        used = bob.resumption()
        await bob.cut()
        await bob.resume()
        # The server takes the previous token until it has heard something on the stream that brought the next.
        await bob.fence()
        mark = ann.mark()
        thief = company.client("Bob", identity=bob.identity)
        thief.beats = False
        await thief.enter(used)
        promised("P6", thief.resume_refusal == Reason.BAD_TOKEN, f"refused as {thief.resume_refusal}")
        promised("P6", not thief.welcome.resumed, "a used token resumed the session")
        promised("P6", thief.welcome.session_id != used.session_id, "it was given the session")
        await bob.fence()
        await ann.fence()
        seen = _seen(ann, mark, bob.key)
        promised("P6", (seen.joined, seen.left) == (0, 0), f"others saw {seen}")


@pytest.mark.promise("P6", "contract")
@pytest.mark.parametrize(
    "how", ["another key", "another lobby", "a guessed token", "another session", "cut short"]
)
async def test_a_foreign_token_resumes_nothing(how: str) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, eve = await company.join_all(["Ann", "Eve"])
        stolen = ann.resumption()
        identity, lobby = ann.identity, ""
        match how:
            case "another key":
                identity = Identity.generate()
            case "another lobby":
                lobby = "elsewhere"
            case "a guessed token":
                stolen.token = bytes(32)
            case "another session":
                stolen.session_id = eve.welcome.session_id
            case "cut short":
                stolen.token = stolen.token[:31]
        thief = company.client("thief", identity=identity, lobby=lobby)
        thief.beats = False
        await thief.enter(stolen)
        promised(
            "P6",
            thief.resume_refusal in (Reason.BAD_TOKEN, Reason.SESSION_UNKNOWN),
            f"refused as {thief.resume_refusal}",
        )
        sessions = {ann.welcome.session_id, eve.welcome.session_id}
        promised("P6", not thief.welcome.resumed, "somebody else's session was resumed")
        promised("P6", thief.welcome.session_id not in sessions, "it was given somebody else's session")
        # The true owners have lost nothing.
        for owner in (ann, eve):
            await owner.fence()
            await owner.cut()
            await owner.resume()
            promised("P6", owner.welcome.resumed, f"{owner.name} can't resume any more")


@pytest.mark.promise("P6", "0.6")
async def test_a_token_whose_successor_was_lost_on_the_way_still_serves() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        held = bob.resumption()
        await bob.cut()
        for attempt in range(3):
            # The Welcome comes, and the connection is lost before anything is said on it.
            stream = await bob.dial()
            await bob.say(hello=bob.hello(held))
            answer = await stream.hear()
            promised(
                "P6",
                answer is not None and answer.welcome.resumed,
                f"attempt {attempt + 1} was answered with {answer}",
            )
        await bob.hang_up()
        await bob.join(held)
        promised("P6", bob.welcome.resumed, "the session was lost with a Welcome")
        await ann.sees_online(bob, "P6")


@pytest.mark.promise("P6", "P3")
async def test_a_profile_that_changed_during_a_blip_is_seen_after_it() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await bob.cut()
        await ann.sees_suspect(bob)
        bob.profile.status_text = "back in a minute"
        await bob.resume()
        await ann.until("P3", "Bob's new text", lambda: ann.roster.members[bob.key].profile == bob.profile)


@pytest.mark.promise("P6", "P3", "0.6")
async def test_many_blips_at_once_flap_nobody() -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(local_server())
        relay = await stack.enter_async_context(relaying(server.address))
        company = await stack.enter_async_context(Company(server.address))
        admin = await stack.enter_async_context(admin_of(server.address))
        ann = await company.join("Ann")
        others = [await company.join(f"member {number:02}", target=relay.address) for number in range(15)]
        await ann.until("P3", "everybody", lambda: len(ann.roster.members) == 16)
        mark = ann.mark()
        for _ in range(3):
            relay.reset()
            for other in others:
                await ann.sees_suspect(other)
            for other in others:
                await other.resume()
            for other in others:
                await ann.sees_online(other, "P6")
        for other in others:
            seen = _seen(ann, mark, other.key)
            promised("P6", (seen.joined, seen.left) == (0, 0), f"{other.name} was seen as {seen}")
        await admin.agrees_with([ann, *others])
