"""What an application shows that does nothing but apply every event to an empty list."""

from tests.model.lobby import Record


class View:
    """A list kept by events alone."""

    def __init__(self) -> None:
        self.members: dict[bytes, Record] = {}

    def read(self, members: dict[bytes, Record]) -> None:
        """Start from a whole list."""
        self.members = dict(members)

    def put(self, key: bytes, record: Record) -> None:
        """Show a member as it is told."""
        self.members[key] = record

    def drop(self, key: bytes) -> None:
        """Show somebody no more."""
        self.members.pop(key, None)
