"""What was measured, as a table with ratios and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from tests.benchmarks.rows import Row
from tests.benchmarks.stopwatch import Cost
from tests.benchmarks.tools import OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one tool took for one row: medians of all runs.

    Args:
        row, tool: their names.
        count: files.
        seconds, cpu: for all of them.
        memory: bytes at most.
        ideal: seconds in which nobody can do better, where that is known.
        runs: how many there were.
    """

    row: str
    tool: str
    count: int
    seconds: float
    cpu: float
    memory: int
    ideal: float | None
    runs: int

    @property
    def seconds_each(self) -> float:
        """Of one file."""
        return self.seconds / self.count


Table = Mapping[tuple[str, str], Entry]
"""Entries by row and tool."""


def entry_of(row: Row, tool: str, *, count: int, costs: Sequence[Cost]) -> Entry:
    """The medians of some runs."""
    return Entry(
        row=row.key,
        tool=tool,
        count=count,
        seconds=statistics.median(cost.seconds for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        memory=max(cost.memory for cost in costs),
        ideal=row.ideal,
        runs=len(costs),
    )


def table_lines(rows: Iterable[Row], table: Table) -> Iterator[str]:
    """Markdown, a table for each row; how often a tool takes what this one takes."""
    for row in rows:
        ours = table.get((row.key, OURS))
        ideal = f" (ideal {row.ideal:.2f} s)" if row.ideal else ""
        yield f"\n**{row.title}**{ideal}\n"
        yield "| tool | seconds | files/s | time, ours = 1 | CPU s | peak MB |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for (key, tool), each in table.items():
            if key != row.key:
                continue
            ratio = f"{each.seconds_each / ours.seconds_each:.2f}" if ours else ""
            yield (
                f"| {tool} | {each.seconds:.2f} | {each.count / each.seconds:,.0f} | {ratio} |"
                f" {each.cpu:.2f} | {each.memory / 1e6:.0f} |"
            )


def as_json(table: Table, goals: Iterable[object]) -> Mapping[str, object]:
    """The same for scripts."""
    return {
        "entries": [asdict(entry) for entry in table.values()],
        "goals": [str(goal) for goal in goals],
    }
