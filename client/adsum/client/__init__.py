"""Be present in a lobby, and know who else is: the client library of Adsum.

    async with connect("localhost:50051", lobby="lounge", identity=load_identity(), name="Ann") as lobby:
        for member in lobby.roster.values():
            print(member.name, member.fingerprint)
        async for event in lobby:
            print(event)

Everything public is here; nothing else may be relied on. The library keeps the list right by itself: it
reconnects, resumes, verifies every digest, and tells each difference as an event. It never logs, never
prints, and belongs to the event loop in which it was entered.
"""

from adsum.client.client import Connection, connect
from adsum.client.errors import (
    AdsumError,
    Closed,
    InvalidProfile,
    KeyFileError,
    NotConnected,
    NotDelivered,
    PayloadTooLarge,
    ProtocolViolation,
    RecipientBusy,
    RecipientChanged,
    RecipientOffline,
    RecipientSuspect,
    Refused,
    SendRateLimited,
    SessionReplaced,
    Unavailable,
    Unconfirmed,
)
from adsum.client.events import (
    Back,
    ConnectionState,
    Event,
    Joined,
    Left,
    MembershipEvent,
    MessageReceived,
    Overflowed,
    Phase,
    RepairCause,
    Repaired,
    RequestRefused,
    Selection,
    SelectionChanged,
    SnapshotProgress,
    Snapshotted,
    StateChanged,
    Suspect,
    Updated,
)
from adsum.client.keyfile import default_key_path, load_identity
from adsum.client.lobby import Lobby, Receipt
from adsum.client.member import DepartureReason, Liveness, Member, Profile, Status
from adsum.client.messages import SelectionReason, SelectionState, SendOutcome
from adsum.client.roster import Roster
from adsum.client.settings import TLS, Settings
from adsum.contract.identity import Identity, fingerprint
from adsum.contract.reasons import Reason

__all__ = [
    "TLS",
    "AdsumError",
    "Back",
    "Closed",
    "Connection",
    "ConnectionState",
    "DepartureReason",
    "Event",
    "Identity",
    "InvalidProfile",
    "Joined",
    "KeyFileError",
    "Left",
    "Liveness",
    "Lobby",
    "Member",
    "MembershipEvent",
    "MessageReceived",
    "NotConnected",
    "NotDelivered",
    "Overflowed",
    "PayloadTooLarge",
    "Phase",
    "Profile",
    "ProtocolViolation",
    "Reason",
    "Receipt",
    "RecipientBusy",
    "RecipientChanged",
    "RecipientOffline",
    "RecipientSuspect",
    "Refused",
    "RepairCause",
    "Repaired",
    "RequestRefused",
    "Roster",
    "Selection",
    "SelectionChanged",
    "SelectionReason",
    "SelectionState",
    "SendOutcome",
    "SendRateLimited",
    "SessionReplaced",
    "Settings",
    "SnapshotProgress",
    "Snapshotted",
    "StateChanged",
    "Status",
    "Suspect",
    "Unavailable",
    "Unconfirmed",
    "Updated",
    "connect",
    "default_key_path",
    "fingerprint",
    "load_identity",
]
