"""What a span of time has cost the server and the load, and what others did on their cores meanwhile."""

from dataclasses import dataclass

from tests.bench.machine import Usage, resident_bytes, usage


@dataclass(slots=True)
class Meter:
    """Watch some processes, the server's first, and two cores: the server's and the load's."""

    process_ids: list[int]
    cores: list[int]

    def look(self) -> Usage:
        """Look at the clocks."""
        return usage(self.process_ids, self.cores)

    @property
    def server_resident_bytes(self) -> int:
        """How much memory the server holds now."""
        return resident_bytes(self.process_ids[0])

    def figures(self, before: Usage, after: Usage) -> dict[str, float]:
        """Tell what was used between two looks."""
        wall = after.at - before.at
        spent = [end - start for start, end in zip(before.processes, after.processes, strict=True)]
        busy = [end - start for start, end in zip(before.busy, after.busy, strict=True)]
        ours = [spent[0], sum(spent[1:])]
        if self.cores[0] == self.cores[1]:
            ours = [sum(spent)] * 2
        return {
            "seconds": wall,
            "server_cpu": spent[0],
            "server_share": spent[0] / wall,
            "load_share": ours[1] / wall,
            # Figures taken beside others are worth less.
            "foreign_on_server_core": max(0.0, busy[0] - ours[0]) / wall,
            "foreign_on_load_core": max(0.0, busy[1] - ours[1]) / wall,
            "stolen_share": (after.stolen - before.stolen) / wall,
        }
