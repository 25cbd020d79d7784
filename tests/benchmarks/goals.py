"""The goals, as ratios within one run of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.table import Entry, Table
from tests.benchmarks.tools import OURS

_BIG_RIVALS = ("curl -Z", "aria2c", "wget2")
_BASE, _SHORT, _LONG = "missing-10", "missing-5000", "missing-1000000"
_FLAT_PAIRS = (("missing-10000", _LONG), ("memory-10000", "memory-10000000"))
"""Rows of a short list and a long one, which are to take as much memory."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A measured number and its bound.

    Args:
        text: Meaning of the number.
        value: Measured value.
        bound: Bound of the value.
        is_floor: Whether the bound is a minimum.
    """

    text: str
    value: float
    bound: float
    is_floor: bool = False

    def __str__(self) -> str:
        is_kept = self.value >= self.bound if self.is_floor else self.value <= self.bound
        sign = "at least" if self.is_floor else "at most"
        verdict = "reached" if is_kept else "MISSED"
        return f"{verdict}: {self.text}: {self.value:.3g}, {sign} {self.bound:g}"


def goals_of(table: Table) -> Iterator[Goal]:
    """Yield the goals of the measured rows."""
    for goals in (
        _small,
        _waits,
        _big,
        _flaky,
        _limited,
        _hosts,
        _dead_name,
        _long,
        _flat,
        _start,
    ):
        try:
            yield from goals(table)
        except KeyError:  # a row or tool that it compares was not measured
            continue


def _small(table: Table) -> Iterator[Goal]:
    ours = table["small", OURS].seconds_each
    for tool, bound in (("requests", 1.3), ("xargs curl", 4.0)):
        ratio = table["small", tool].seconds_each / ours
        yield Goal(f"small files: throughput, {tool} = 1", ratio, bound, is_floor=True)


def _waits(table: Table) -> Iterator[Goal]:
    for key, bound in (("wait-8", 1.05), ("wait-64", 1.10)):
        if (key, OURS) in table:
            yield Goal(f"{key}: time, ideal = 1", _of_ideal(table[key, OURS]), bound)
    ratio = table["wait-256", OURS].seconds / table["wait-256", "requests"].seconds
    yield Goal("wait-256: time, requests = 1", ratio, 0.5)


def _big(table: Table) -> Iterator[Goal]:
    ours = table["big", OURS]
    rivals = [table["big", tool].seconds for tool in _BIG_RIVALS if ("big", tool) in table]
    yield Goal(
        "big files: time, fastest of curl, aria2c, wget2 = 1", ours.seconds / min(rivals), 1
    )
    yield Goal("big files: CPU, curl = 1", ours.cpu / table["big", "curl -Z"].cpu, 1.2)


def _flaky(table: Table) -> Iterator[Goal]:
    yield Goal("503 by turns: time, ideal = 1", _of_ideal(table["flaky", OURS]), 1.25)


def _limited(table: Table) -> Iterator[Goal]:
    time = _of_ideal(table["limited", OURS])
    yield Goal("limited: time, ideal = 1", time, 1.05)
    yield Goal("limited: time, ideal = 1", time, 0.97, is_floor=True)


def _hosts(table: Table) -> Iterator[Goal]:
    if ("mixed", OURS) in table:
        yield Goal("mixed: seconds until the quick", table["mixed", OURS].seconds, 2.0)
    ratio = table["quick-half", OURS].seconds / table["quick-alone", OURS].seconds
    yield Goal("quick half: time, alone = 1", ratio, 1.15)


def _dead_name(table: Table) -> Iterator[Goal]:
    seconds = table["dead-name", OURS].seconds
    yield Goal("100,000 URLs of a dead name: seconds after the list", seconds, 3.0)


def _long(table: Table) -> Iterator[Goal]:
    base, short, long = (table[key, OURS] for key in (_BASE, _SHORT, _LONG))
    yield Goal("base: MB", base.memory / 1e6, 45)
    ratio = _cpu_each(long, base) / _cpu_each(short, base)
    yield Goal("long list: CPU per job, that of 5,000 = 1, both without the base", ratio, 1.1)


def _flat(table: Table) -> Iterator[Goal]:
    for short, long in _FLAT_PAIRS:
        if (long, OURS) in table:
            grown = table[long, OURS].memory - table[short, OURS].memory
            yield Goal(f"{long}: MB over {short}", grown / 1e6, 10)


def _start(table: Table) -> Iterator[Goal]:
    yield Goal("--help: CPU seconds", table["start", "--help"].cpu, 0.2)
    more = table["start", "one tiny file"].cpu - table["start", "import requests"].cpu
    yield Goal("one tiny file: CPU seconds more than `import requests`", more, 0.35)


def _of_ideal(entry: Entry) -> float:
    assert entry.ideal is not None
    return entry.seconds / entry.ideal


def _cpu_each(entry: Entry, base: Entry) -> float:
    return (entry.cpu - base.cpu) / entry.count
