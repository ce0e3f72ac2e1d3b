"""One member on several devices is one member: present while one session remains, and as well as the best of them."""

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.member_pb2 import STATUS_AWAY
from adsum.v1.presence_pb2 import SEND_OUTCOME_DELIVERED, Ack
from tests.integration.company import Company
from tests.integration.local_server import local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RefusedError


@pytest.mark.promise("P5", "P7", "0.6")
async def test_the_same_member_from_two_devices_stays_until_the_last_has_left() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        phone = await company.join("Bob")
        laptop = await company.join("Bob", identity=phone.identity)
        await ann.until(
            "P3",
            "two sessions of one member",
            lambda: (
                phone.key in ann.roster.members
                and ann.roster.members[phone.key].session_count == 2
                and len(ann.roster.members) == 2
            ),
        )
        incarnation = ann.roster.members[phone.key].incarnation
        await phone.leave()
        await ann.until("P5", "one session", lambda: ann.roster.members[phone.key].session_count == 1)
        promised("P5", ann.roster.is_online(phone.key), "the member went with the first device")
        promised(
            "P6", ann.roster.members[phone.key].incarnation == incarnation, "a device's leave is a rejoin"
        )
        await laptop.leave()
        await ann.sees_gone(phone)


@pytest.mark.promise("P5", "P7")
async def test_a_member_is_the_best_of_its_devices() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        phone = await company.join("Bob")
        laptop = await company.join("Bob", identity=phone.identity)
        await ann.select(phone.key)
        mark = ann.mark()
        await phone.cut()
        # The second cut is what is seen: had the first made the member suspect, there would be two such deltas.
        await laptop.cut()
        await ann.sees_suspect(phone)
        suspicions = [
            heard.message.delta.revision
            for heard in ann.since(mark)
            if heard.kind == "delta" and any(member.liveness == 2 for member in heard.message.delta.updated)
        ]
        promised("P5", len(suspicions) == 1, f"suspect at {suspicions} although one device was left")
        promised(
            "P5",
            ann.roster.members[phone.key].session_count == 2,
            "a lost session isn't counted in its grace",
        )
        await laptop.resume()
        await ann.sees_online(phone, "P6")
        promised("P7", ann.ending is None, "the selecting stream ended")


@pytest.mark.promise("P3")
async def test_the_latest_profile_of_any_device_is_the_members() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        phone = await company.join("Bob")
        laptop = await company.join("Bob", identity=phone.identity)
        await phone.update(name="Robert", status=STATUS_AWAY, status_text="out")
        for client in (ann, phone, laptop):
            await client.sees_text("out", phone)
            promised("P3", client.roster.members[phone.key].profile == phone.profile, "another profile")


@pytest.mark.promise("P9")
async def test_a_member_has_at_most_eight_devices_in_a_lobby() -> None:
    async with local_server() as server, Company(server.address) as company:
        first = await company.join("Bob")
        for _ in range(7):
            await company.join("Bob", identity=first.identity)
        ninth = company.client("Bob", identity=first.identity)
        with pytest.raises(RefusedError) as refused:
            await ninth.join()
            # The server may welcome first and learn from its store then.
            await ninth.end()
        promised(
            "P9",
            refused.value.ending.reason is Reason.TOO_MANY_SESSIONS,
            f"refused with {refused.value.ending}",
        )
        # In another lobby they are other sessions, and a place that is given up can be taken.
        await company.join("Bob", identity=first.identity, lobby="another")
        await first.leave()
        await company.join("Bob", identity=first.identity)


@pytest.mark.promise("P9", "0.7")
async def test_a_lobby_that_is_full_says_so_and_has_room_again_when_somebody_leaves() -> None:
    async with local_server(Limits(members_per_lobby=3)) as server, Company(server.address) as company:
        people = await company.join_all(["Ann", "Bob", "Cleo"])
        with pytest.raises(RefusedError) as refused:
            await company.join("Dan")
        promised(
            "P9", refused.value.ending.reason is Reason.LOBBY_FULL, f"refused with {refused.value.ending}"
        )
        # Another device of somebody who is in needs no place.
        await company.join("Bob", identity=people[1].identity)
        await people[0].leave()
        await company.join("Dan")


@pytest.mark.promise("P8")
async def test_one_device_of_two_that_acknowledges_is_enough() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        phone = await company.join("Bob")
        laptop = await company.join("Bob", identity=phone.identity)
        phone.acks = laptop.acks = False
        request_id = await ann.send(phone.key, b"to both")
        await phone.delivery(b"to both")
        on_laptop = await laptop.delivery(b"to both")
        promised("P8", request_id not in ann.witness.results, "a result came before any acknowledgement")
        await laptop.say(ack=Ack(delivery_id=on_laptop.delivery_id))
        result = await ann.result(request_id)
        promised("P8", result.outcome == SEND_OUTCOME_DELIVERED, f"the outcome is {result.outcome}")
