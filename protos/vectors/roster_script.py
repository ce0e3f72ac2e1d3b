"""The form of a case: a list of steps, each with what the client then holds, sends and reports."""

import base64
import hashlib

from vectors.roster_lobby import LOBBY_NAME, ME, Json, Lobby, State, message, public_key

AUDIENCE = "localhost"
"""What the user has dialled, without the port."""
SESSION_ID = base64.b64encode(hashlib.sha256(b"adsum vectors: session").digest()[:16]).decode("ascii")
"""The session that every case but the observer's is given."""


class Case:
    """Write down one case step by step. What is held carries over from step to step.

    An observer's case sets `observer` before anything else.
    """

    def __init__(self) -> None:
        """Start a case without a stream and without a list."""
        self.observer = False
        self.steps: list[Json] = []
        self._held: Json | None = None
        self._generation = 0

    def enter(self, state: State, chunk_members: int = 500) -> None:
        """Open a stream, prove the key, and receive the first list."""
        self.connect()
        self.challenge()
        self.welcome()
        self.fill(state, chunk_members, events=[{"kind": "snapshot"}])

    def connect(self, resume: Json | None = None) -> None:
        """Open a stream: the client says hello, and names the session to resume if it has one."""
        hello = message(
            lobby=LOBBY_NAME,
            publicKey=public_key(ME),
            audience=AUDIENCE,
            resume=resume,
            observer=self.observer,
        )
        self._generation += 1
        self._step({"connect": True}, send=[{"hello": hello}])

    def disconnect(self) -> None:
        """End the stream, as a lost connection does."""
        self._doubt()
        self._step({"disconnect": True})

    def select(self, name: str) -> None:
        """Let the person at the client select somebody."""
        self._step({"select": public_key(name)}, send=[{"select": {"publicKey": public_key(name)}}])

    def challenge(self, refusal: str = "") -> None:
        """Receive a challenge, and prove the key."""
        nonce = base64.b64encode(hashlib.sha256(f"server nonce {self._generation}".encode()).digest()).decode(
            "ascii"
        )
        fields = message(serverNonce=nonce, expiresAtUnixMillis="1767225610000", resumeRefusal=refusal)
        self.receive({"challenge": fields}, send=[{"proof": {}}])

    def welcome(self, *, resumed: bool = False, send: list[Json] | None = None) -> None:
        """Receive the welcome."""
        fields = message(
            sessionId="" if self.observer else SESSION_ID,
            resumeToken="" if self.observer else self.token,
            generation=self._generation if resumed else 1,
            resumed=resumed,
            heartbeatMillis=5000,
            leaseMillis=12000,
            graceMillis=5000,
            limits={
                "messageBytes": 65536,
                "payloadBytes": 4096,
                "sendsPerSecond": 10,
                "sendBurst": 20,
                "updatesPerSecond": 5,
                "updateBurst": 10,
            },
        )
        self.receive({"welcome": fields}, send=send)

    def fill(self, state: State, chunk_members: int = 500, *, events: list[Json], beats: bool = True) -> None:
        """Receive a snapshot: its last chunk changes what is held. After a welcome the client then beats."""
        *first, last = state.snapshot(chunk_members)
        if self._held and not self._held.get("isStale"):
            self._doubt()
        for chunk in first:
            self.receive(chunk)
        self.receive(last, holds=state.held(), events=events, send=[state.beat()] if beats else [])

    def receive(
        self,
        received: Json,
        *,
        holds: Json | None = None,
        send: list[Json] | None = None,
        events: list[Json] | None = None,
    ) -> None:
        """Receive one message of the server."""
        self._step({"receive": received}, holds=holds, send=send, events=events)

    @property
    def token(self) -> str:
        """The resume token of the welcome on this stream."""
        digest = hashlib.sha256(f"adsum vectors: token {self._generation}".encode()).digest()
        return base64.b64encode(digest).decode("ascii")

    def resume(self, state: State) -> Json:
        """Name the session to continue, its last token, and the list that is held."""
        return message(
            sessionId=SESSION_ID,
            token=self.token,
            epoch=str(state.epoch),
            revision=str(state.revision),
            digest=str(state.digest),
        )

    def _doubt(self) -> None:
        """Say no more whether the list is stale, until it is said what is held next."""
        if self._held is not None:
            self._held = {name: value for name, value in self._held.items() if name != "isStale"}

    def _step(
        self,
        step: Json,
        *,
        holds: Json | None = None,
        send: list[Json] | None = None,
        events: list[Json] | None = None,
    ) -> None:
        self._held = holds or self._held
        self.steps.append({**step, "holds": self._held, "send": send or [], "events": events or []})


def joined(name: str) -> Json:
    """Report that somebody has come."""
    return {"kind": "joined", "publicKey": public_key(name)}


def updated(name: str) -> Json:
    """Report that somebody's record has changed visibly."""
    return {"kind": "updated", "publicKey": public_key(name)}


def suspect(name: str) -> Json:
    """Report that somebody's connection is lost."""
    return {"kind": "suspect", "publicKey": public_key(name)}


def back(name: str) -> Json:
    """Report that somebody suspect is online again."""
    return {"kind": "back", "publicKey": public_key(name)}


def left(name: str, reason: str = "") -> Json:
    """Report that somebody has gone; without a reason where the client wasn't told one."""
    return message(kind="left", publicKey=public_key(name), reason=reason)


def selection(name: str, state: str, reason: str = "") -> Json:
    """Report what became of the selected member."""
    fields = message(kind="selection", publicKey=public_key(name), state=f"SELECTION_STATE_{state}")
    return fields | ({"reason": f"SELECTION_REASON_{reason}"} if reason else {})


def delivered(delivery_id: int, sender: str) -> Json:
    """Report a direct message."""
    return {"kind": "message", "publicKey": public_key(sender), "deliveryId": str(delivery_id)}


def resync(reason: str) -> Json:
    """Ask for a snapshot."""
    return {"resync": {"reason": f"RESYNC_REASON_{reason}"}}


def epoch_lobby(*names: str) -> Lobby:
    """Make a lobby whose history has started afresh, as after a restart of the server."""
    return Lobby(*names, epoch=0x0DD0DD0DD0DD0DD0)
