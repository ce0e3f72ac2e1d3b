"""The list that a reader of events keeps, by the rule of docs/events.md, and every contradiction on the way.

A client may be right in what it holds and wrong in what it tells. So each event must fit the list that the events before it have
made: nobody joins twice, nobody leaves who wasn't there, and what `before` and `left` say of a member has been said before.
"""

from typing import Any

Json = dict[str, Any]
SHOWN = ("key", "fingerprint", "name", "status", "status_text", "attributes", "liveness", "devices")
"""What of a member is told whenever it changes. A new revision alone isn't, nor a new incarnation in another epoch."""


class Mirror:
    """Follow the events of one client."""

    def __init__(self) -> None:
        self.members: dict[str, Json] = {}
        self.has_list = False
        self.phase = "connecting"
        self.is_closed = False
        self._earlier: dict[str, Json] = {}

    def take(self, record: Json) -> str | None:
        """Take in an event that has the right fields; say what contradicts the ones before, None if nothing does."""
        event = record["event"]
        if self.is_closed and event not in ("sent", "roster"):
            return f"{event} after closed"
        match event:
            case "snapshot":
                return self._start(record)
            case "joined" | "updated" | "suspect" | "back" | "left":
                return self._change(event, record)
            case "repaired" | "selection" if not self.has_list:
                return f"{event} before the first list"
            case "state":
                return self._move(record)
            case "roster":
                return self._compare(record)
        return None

    def _start(self, record: Json) -> str | None:
        if self.has_list:
            return "a second snapshot: only the first list is told as a whole"
        if record["schema"] != 1:
            return f"schema {record['schema']}"
        self.has_list = True
        self.members = {member["key"]: member for member in record["members"]}
        return None

    def _change(self, event: str, record: Json) -> str | None:
        member = record["member"]
        key, held = member["key"], self.members.get(member["key"])
        if not self.has_list:
            return f"{event} before the first list"
        if fault := self._fault(event, record, held):
            return f"{event} of {member['name']!r}: {fault}"
        if event == "left":
            self.members.pop(key, None)
            self._earlier.pop(key, None)
        else:
            if held is not None:
                self._earlier[key] = held
            self.members[key] = member
        return None

    def _fault(self, event: str, record: Json, held: Json | None) -> str | None:
        member = record["member"]
        if event == "joined":
            return "is there already" if held is not None else None
        if held is None:
            return "is not there"
        match event:
            case "left":
                if shown(member) != shown(held):
                    return f"`member` is {member}, told before: {held}"
            case "suspect" | "back":
                expected = "suspect" if event == "suspect" else "online"
                if member["liveness"] != expected:
                    return f"with liveness {member['liveness']}"
                if held["liveness"] == expected:
                    return "was told already"
            case "updated":
                # One record can be told by two events, back and updated: `before` is what was before the first.
                earlier = self._earlier.get(member["key"], held)
                if shown(record["before"]) not in (shown(held), shown(earlier)):
                    return f"`before` is {record['before']}, told before: {held}"
                if shown(record["before"]) == shown(member):
                    return "nothing has changed"
        return None

    def _move(self, record: Json) -> str | None:
        before, self.phase = self.phase, record["phase"]
        self.is_closed = self.phase == "closed"
        if record["before"] != before:
            return f"state {self.phase}: `before` is {record['before']}, told before: {before}"
        if self.phase == "live" and not self.has_list:
            return "live before the first list"
        return None

    def _compare(self, record: Json) -> str | None:
        if not self.has_list:
            is_empty = not record["members"] and record["is_stale"] and not record["revision"]
            return None if is_empty else "a roster before the first list that isn't empty, 0 and stale"
        held = {member["key"]: shown(member) for member in record["members"]}
        told = {key: shown(member) for key, member in self.members.items()}
        if told != held:
            different = [key for key in told.keys() | held.keys() if told.get(key) != held.get(key)]
            return "the roster isn't what the events told: " + "; ".join(
                f"told {told.get(key)}, held {held.get(key)}" for key in different[:2]
            )
        return None


def shown(member: Json) -> Json:
    """Take what is told of a member."""
    return {name: member[name] for name in SHOWN}
