"""Conversations: what was said with whom, what became of each message, and the text that is being written.

Pure. A conversation belongs to a key and outlives the presence of its person: nothing that was written is
lost because somebody goes. Messages and conversations are bounded; the oldest go first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from adsum.console.editor import Editor
from adsum.console.inputs import Outcome

MAX_MESSAGES = 300
"""How many messages of one conversation are kept."""
MAX_TALKS = 500
"""How many conversations are kept."""
RESENDABLE = (Outcome.UNDELIVERED, Outcome.UNCONFIRMED)
"""What can be sent again. An unconfirmed message may arrive twice then; the words at it say that nobody knows."""


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one message; `words` say more about its outcome."""

    message_id: int
    at: datetime
    text: str
    outcome: Outcome
    words: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """Hold one conversation."""

    messages: tuple[Message, ...] = ()
    draft: Editor = field(default_factory=Editor)
    unread: int = 0

    @property
    def resendable(self) -> Message | None:
        """The oldest message that can be sent again."""
        return next((message for message in self.messages if message.outcome in RESENDABLE), None)

    @property
    def is_sending(self) -> bool:
        """True while the outcome of a message isn't known."""
        return any(message.outcome is Outcome.SENDING for message in self.messages)

    def saying(self, message: Message) -> "Talk":
        """Add a message."""
        return replace(self, messages=(*self.messages, message)[-MAX_MESSAGES:])

    def learning(self, message_id: int, outcome: Outcome, words: str) -> "Talk":
        """Note what became of a message, if it is still there."""
        messages = tuple(
            replace(message, outcome=outcome, words=words) if message.message_id == message_id else message
            for message in self.messages
        )
        return replace(self, messages=messages)

    def without(self, message_id: int) -> "Talk":
        """Take a message out."""
        return replace(
            self, messages=tuple(message for message in self.messages if message.message_id != message_id)
        )


Talks = Mapping[bytes, Talk]


def with_talk(talks: Talks, public_key: bytes, talk: Talk) -> Talks:
    """Put a conversation in place of the one with that key, as the newest."""
    changed = {key: held for key, held in talks.items() if key != public_key}
    changed[public_key] = talk
    if len(changed) > MAX_TALKS:
        oldest = next((key for key, held in changed.items() if not held.draft.text), next(iter(changed)))
        del changed[oldest]
    return changed
