"""Live: a server that stops, one that crashes, and what comes after."""

from tests.conformance.cases import live
from tests.conformance.client import Client
from tests.conformance.stage import QUICK_STOP, Stage, expect, sees_present
from tests.integration.adsumd import running_adsumd

LONG_GRACE = ("--grace-seconds", "30")


@live("P10", "P6")
async def a_planned_restart_shows_nobody_a_leave_or_a_join(stage: Stage) -> None:
    folder = stage.directory()
    options = (*QUICK_STOP, *LONG_GRACE, "--handover-file", str(folder / "handover"))
    async with running_adsumd(folder, *options) as first:
        clients = await stage.clients_in(first.address, "Ann", "Bob", peers=("Pia",))
        ann, bob, pia = clients
        before = await ann.roster()
        marks = [client.mark() for client in clients]
        first.terminate()
        code = await first.ended()
        expect(code == 0, f"adsumd ended with {code}")
        async with running_adsumd(folder, *options, listen=first.address) as second:
            for client, mark in zip(clients, marks, strict=True):
                await _is_live_again(client, mark)
            # The proof that everybody is there: a message from each to each.
            for sender, recipient in ((ann, bob), (bob, pia), (pia, ann)):
                outcome = await sender.outcome(sender.send(recipient.key, "still here"))
                expect(outcome == "delivered", f"{sender.label} to {recipient.label}: {outcome}")
            for client, mark in zip(clients, marks, strict=True):
                for other in clients:
                    await sees_present(client, other.key)
                client.never("joined", "left", "updated", "repaired", "snapshot", since=mark)
            after = await ann.roster()
            expect(after["epoch"] == before["epoch"], "the lobby's history started afresh")
            incarnations = [
                {m["key"]: m["incarnation"] for m in roster["members"]} for roster in (before, after)
            ]
            expect(incarnations[0] == incarnations[1], f"incarnations have changed: {incarnations}")
            await stage.agrees(await stage.admin(second), *clients)
            await _end(clients)


@live("P5", "P6")
async def a_crash_of_the_server_loses_nobody_who_comes_back(stage: Stage) -> None:
    folder = stage.directory()
    options = (*LONG_GRACE, "--handover-file", "none")
    async with running_adsumd(folder, *options) as first:
        clients = await stage.clients_in(first.address, "Ann", "Bob", peers=("Pia",))
        ann, bob, _ = clients
        company = await stage.company(first.address)
        gone = await company.join("Gone")
        for client in clients:
            await sees_present(client, gone.key.hex())
        epoch = (await ann.roster())["epoch"]
        marks = [client.mark() for client in clients]
        await first.kill()
        await gone.hang_up()
        for client, mark in zip(clients, marks, strict=True):
            await client.phase("reconnecting", mark)
        async with running_adsumd(folder, *options, listen=first.address) as second:
            for client, mark in zip(clients, marks, strict=True):
                await _is_live_again(client, mark)
                repaired = await client.sees("repaired", mark)
                expect(
                    repaired["cause"] == "epoch", f"{client.label}: repaired because of {repaired['cause']}"
                )
                await client.sees("left", mark, who=gone.key.hex())
                client.never("snapshot", since=mark)
                # The same key is the same member in another epoch, and oneself is in every list that one gets.
                client.never("left", "joined", since=mark, who=client.key)
            for client in clients:
                for other in clients:
                    await sees_present(client, other.key)
            expect((await ann.roster())["epoch"] != epoch, "another history has the same epoch")
            await stage.agrees(await stage.admin(second), *clients)
            outcome = await ann.outcome(ann.send(bob.key, "after the crash"))
            expect(outcome == "delivered", f"the outcome is {outcome}")
            await _end(clients)


async def _is_live_again(client: Client, mark: int) -> None:
    # With a planned restart the state may stay live until the old stream is closed.
    await client.phase("live", mark, within=20)


async def _end(clients: list[Client]) -> None:
    """Let everybody go before the server does."""
    for client in clients:
        client.kill()
