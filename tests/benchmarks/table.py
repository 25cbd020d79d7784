"""The measurements as a table with ratios, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from tests.benchmarks.rows import Row
from tests.benchmarks.stopwatch import Cost
from tests.benchmarks.tools import OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The cost of one row with one tool: medians of all runs.

    Args:
        row, tool: Names of row and tool.
        count: Number of files.
        seconds, cpu: Seconds for all files.
        memory: Bytes of memory at most.
        ideal: Seconds of a perfect tool, where they are known.
        runs: Number of runs.
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
        """The seconds for one file."""
        return self.seconds / self.count


Table = Mapping[tuple[str, str], Entry]
"""Entries by row and tool."""


def entry_of(row: Row, tool: str, *, count: int, costs: Sequence[Cost]) -> Entry:
    """Return the medians of some runs."""
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
    """Yield a Markdown table for each row; times are also given as multiples of this tool's."""
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
    """Return entries and goals for scripts."""
    return {
        "entries": [asdict(entry) for entry in table.values()],
        "goals": [str(goal) for goal in goals],
    }
