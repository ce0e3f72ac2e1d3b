"""Hostile: sessions that go on, don't go on, or are said to go on."""

import time
from dataclasses import replace

from adsum.client.messages import Delivery, Draining, SendOutcome, SendResult
from adsum.contract.reasons import Reason
from tests.client.model_lobby import JOINED_AT, key_of
from tests.client.scripted_server import a_welcome
from tests.conformance.cases import hostile
from tests.conformance.scene import BOB, DIGEST, FENCE, come_back, dialled, enter, greet, set_up
from tests.conformance.stage import Stage, expect

CONNECT_SECONDS = 5.0


@hostile("P6")
async def a_resume_that_is_refused_is_an_ordinary_join(stage: Stage) -> None:
    scene = await enter(stage)
    sent = scene.client.send(BOB, "did it arrive?")
    await scene.stream.expect("send")
    mark = scene.client.mark()
    scene.stream.end()
    await scene.client.phase("reconnecting", mark)
    scene.stream = await scene.server.accept()
    hello = await scene.stream.admit(scene.lobby, session=b"session-2", refusal=Reason.SESSION_UNKNOWN)
    expect(hello.HasField("resume"), "it didn't try to resume")
    await scene.client.phase("live", mark)
    # The same people under the same incarnations: nobody has come or gone.
    scene.client.never("joined", "left", "snapshot", since=mark)
    # And nobody will ever know what became of the message.
    outcome = await scene.client.outcome(sent)
    expect(outcome == "unconfirmed", f"the outcome is {outcome}")
    await scene.fence()
    await scene.follows()


@hostile("P8", "P6")
async def a_message_without_a_result_is_sent_again_after_the_resume_with_its_id(stage: Stage) -> None:
    scene = await enter(stage)
    sent = scene.client.send(BOB, "once")
    first = (await scene.stream.expect("send")).send
    expect(first.request_id > 0, "its request id is 0")
    scene.stream.end()
    await come_back(scene)
    again = (await scene.stream.expect("send")).send
    expect(again == first, f"sent again as {again}, and first as {first}")
    result = SendResult(first.request_id, SendOutcome.DELIVERED, scene.lobby.revision)
    # A result may come twice, too; it is told once.
    await scene.stream.say(result, result)
    outcome = await scene.client.outcome(sent)
    expect(outcome == "delivered", f"the outcome is {outcome}")
    later = scene.client.send(BOB, "later")
    second = (await scene.stream.expect("send")).send
    expect(second.request_id > first.request_id, "a later message has no greater id")
    await scene.stream.say(SendResult(second.request_id, SendOutcome.RECIPIENT_OFFLINE, scene.lobby.revision))
    outcome = await scene.client.outcome(later)
    expect(outcome == "recipient_offline", f"the outcome is {outcome}")
    await scene.fence()


@hostile("P8", "P6")
async def a_message_said_before_a_resume_is_not_said_in_a_new_session(stage: Stage) -> None:
    scene = await enter(stage)
    sent = scene.client.send(BOB, "once at most")
    await scene.stream.expect("send")
    # A list in doubt isn't named in Resume: a snapshot is awaited then, and nothing is sent before it.
    beat = scene.lobby.heartbeat()
    await scene.stream.say(replace(beat, digest=beat.digest ^ 1))
    await scene.resync(DIGEST)
    scene.stream.end()
    scene.stream = await scene.server.accept()
    await scene.stream.expect("hello")
    await scene.stream.say(a_welcome(generation=2, resumed=True), scene.lobby.heartbeat(FENCE))
    # It has taken in the Welcome, and would say the message again if the stream lasted.
    echo = (await scene.stream.expect("heartbeat")).heartbeat.echo
    expect(echo == FENCE, f"it answers {echo} to a heartbeat with {FENCE}")
    scene.stream.end()
    scene.stream = await scene.server.accept()
    hello = await scene.stream.admit(scene.lobby, session=b"session-2", refusal=Reason.SESSION_UNKNOWN)
    expect(hello.resume.token == b"token-2", f"it tried to resume with {hello.resume.token!r}")
    # The old session may have delivered it on its first stream, so what the new one would say of it tells nothing.
    outcome = await scene.client.outcome(sent)
    expect(outcome == "unconfirmed", f"the outcome is {outcome}")
    await scene.fence()
    await scene.follows()


@hostile("P6")
async def each_resume_takes_the_token_of_the_last_welcome_and_a_fresh_nonce(stage: Stage) -> None:
    scene = await set_up(stage, "Bob")
    scene.client.connect(scene.server.target)
    nonces = [(await greet(scene)).client_nonce]
    await scene.stream.say(a_welcome(), *scene.lobby.snapshot())
    await scene.client.enters()
    for generation in (1, 2, 3):
        mark = scene.client.mark()
        scene.stream.end()
        hello, _ = await come_back(scene)
        await scene.client.phase("live", mark)
        nonces.append(hello.client_nonce)
        token, expected = hello.resume.token.decode(), f"token-{generation}"
        expect(token == expected, f"the token is {token}, and that of the last Welcome {expected}")
        named = (hello.resume.session_id, hello.resume.epoch, hello.resume.revision, hello.resume.digest)
        held = (b"session-1", scene.lobby.epoch, scene.lobby.revision, scene.lobby.digest)
        expect(named == held, f"Resume names {named} and should name {held}")
    expect(len(set(nonces)) == len(nonces), "a nonce was used twice")
    await scene.follows()


@hostile("P6")
async def a_welcome_that_resumes_another_session_does_no_harm(stage: Stage) -> None:
    scene = await enter(stage)
    scene.stream.end()
    scene.stream = await scene.server.accept()
    hello = (await scene.stream.expect("hello")).hello
    expect(hello.HasField("resume"), "it didn't try to resume")
    scene.lobby.join(key_of("Cleo"), "Cleo")
    # It never was in that session, and what that one held isn't what this client holds.
    other = a_welcome(b"session-of-another", generation=7, resumed=True)
    for message in (other, scene.lobby.since(scene.lobby.revision - 1)):
        await scene.say_anyway(message)
    await scene.comes_round()
    scene.client.never("left")
    await scene.follows()


@hostile("P10")
async def a_server_that_drains_is_left_when_it_says_and_without_a_leave(stage: Stage) -> None:
    scene = await enter(stage)
    started = time.monotonic()
    old = scene.stream
    await old.say(Draining(deadline_millis=9_000, reconnect_delay_millis=800))
    # Until then it is a client like any other.
    await old.say(Delivery(1, key_of("Bob"), 1, b"quick, before you go", JOINED_AT))
    await old.expect("ack")
    await come_back(scene)
    seconds = time.monotonic() - started
    expect(seconds >= 0.75, f"it was back after {seconds:.2f} s, although asked to wait 0.8")
    await scene.client.sees("message", text="quick, before you go")
    await scene.client.until("to be live", lambda: scene.client.mirror.phase == "live")
    expect(not old.has_left, "it said Leave")
    scene.client.never("left", "joined")
    await scene.follows()


@hostile("P10")
async def a_server_that_closes_before_the_delay_is_over_is_not_dialled_sooner(stage: Stage) -> None:
    scene = await enter(stage)
    started = time.monotonic()
    await scene.stream.say(Draining(deadline_millis=200, reconnect_delay_millis=1_200))
    await scene.fence()
    scene.stream.end(reason=Reason.DRAINING, retry_seconds=0.1)
    await come_back(scene)
    seconds = time.monotonic() - started
    expect(seconds >= 1.1, f"it was back after {seconds:.2f} s, although asked to wait 1.2")
    await scene.follows()


@hostile("P5")
async def a_server_that_never_answers_hello_is_given_up_after_5_seconds(stage: Stage) -> None:
    scene = await set_up(stage, "Bob")
    scene.client.connect(scene.server.target)
    stream = await dialled(scene)
    await stream.expect("hello")
    started = time.monotonic()
    await scene.server.admit(scene.lobby)
    seconds = time.monotonic() - started
    expect(seconds >= CONNECT_SECONDS - 1, f"it gave up after {seconds:.1f} s already")
    await scene.client.enters()


@hostile("P5")
async def a_server_that_falls_silent_is_given_up_after_the_lease(stage: Stage) -> None:
    scene = await enter(stage, heartbeat_millis=500, lease_millis=1_500)
    mark = scene.client.mark()
    started = time.monotonic()
    await scene.client.phase("reconnecting", mark)
    seconds = time.monotonic() - started
    expect(0.8 <= seconds <= 5, f"it gave up after {seconds:.1f} s, the lease is 1.5")
    await come_back(scene)
    await scene.client.phase("live", mark)
    await scene.follows()


@hostile("P1")
async def half_a_first_list_is_no_list(stage: Stage) -> None:
    scene = await set_up(stage, "Bob", "Cleo", "Dan")
    scene.client.connect(scene.server.target)
    await greet(scene)
    first, _ = scene.lobby.snapshot(2)
    await scene.stream.say(a_welcome(), first)
    scene.stream.end()
    scene.stream = await scene.server.accept()
    hello = (await scene.stream.expect("hello")).hello
    named = (hello.resume.epoch, hello.resume.revision, hello.resume.digest)
    expect(named == (0, 0, 0), f"it names the list {named}, and has none")
    scene.client.never("snapshot")
    scene.stream.end()
    await scene.comes_round()
    await scene.client.enters()
    told = len(scene.client.all("snapshot")[0]["members"])
    expect(told == 4, f"the first list has {told} members")
    await scene.follows()
