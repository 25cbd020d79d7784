"""`python -m tests.benchmarks`: this tool and others, with the same work in one run.

The files of every run are checked. The tools take turns, so that other load of the machine
affects all of them. Only the ratios are comparable.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.goals import goals_of
from tests.benchmarks.rows import ROWS, Kind, Row
from tests.benchmarks.site import BIG_SIZE, BenchmarkSite, fill_and_forget, running_site
from tests.benchmarks.stopwatch import GIVE_UP_SECONDS, Cost, cost_of
from tests.benchmarks.table import Entry, as_json, entry_of, table_lines
from tests.benchmarks.tools import OURS, TOOLS, Order, Tool

_IN_MEMORY = Path("/dev/shm")
_START = "start"
_DEAD = "dead-name"
_DEAD_URLS = 100_000
_LONG = 100_000
_MEMORY = "memory"
_MEMORY_URLS = (10_000, 10_000_000)


def main() -> None:
    """Measure the wanted rows, and print the tables and goals."""
    arguments = _arguments()
    table: dict[tuple[str, str], Entry] = {}
    rows = [row for row in ROWS if row.key in arguments.rows]
    rows = [row.quick() for row in rows] if arguments.quick else rows
    in_memory = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory, prefix="benchmarks-") as scratch:
        measurements = Measurements(
            Path(scratch), runs=1 if arguments.quick else arguments.runs
        )
        with running_site(Path(scratch)) as site:
            for row in rows:
                tools = [each for each in TOOLS if row.takes(each)]
                tools = [each for each in tools if each.name in arguments.tools]
                for entry in measurements.measure(row, tools, site=site):
                    table[entry.row, entry.tool] = entry
            for entry in _others(measurements, site, arguments=arguments):
                table[entry.row, entry.tool] = entry
    goals = list(goals_of(table))
    for line in (*table_lines(rows, table), "", *map(str, goals)):
        print(line)  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(table, goals), indent=1) + "\n")


def _others(
    measurements: Measurements, site: BenchmarkSite, *, arguments: argparse.Namespace
) -> Iterator[Entry]:
    """Measure the wanted rows in which this tool is not compared; yield their entries."""
    if _DEAD in arguments.rows:
        yield measurements.measure_dead_name()
    if _MEMORY in arguments.rows:
        yield from measurements.measure_memory(is_quick=arguments.quick)
    if _START in arguments.rows:
        yield from measurements.measure_start(site)


class Measurements:
    """Runs of the tools, with their costs.

    Args:
        scratch: Folder for all files, preferably in memory.
        runs: Number of runs of each tool.
    """

    def __init__(self, scratch: Path, *, runs: int) -> None:
        self._scratch = scratch
        self._runs = runs
        self._run = 0

    def measure(
        self, row: Row, tools: Sequence[Tool], *, site: BenchmarkSite
    ) -> Iterator[Entry]:
        """Run the tools by turns for a row; yield the entry of each."""
        site.prepare(row)
        costs: dict[str, list[Cost]] = defaultdict(list)
        for turn in range(1 if row.count > _LONG else self._runs):
            for tool in (*tools[turn % len(tools) :], *tools[: turn % len(tools)]):
                costs[tool.name].append(self._once(row, tool, site=site))
        for tool in tools:
            yield entry_of(row, tool.name, count=row.timed_for(tool), costs=costs[tool.name])

    def measure_start(self, site: BenchmarkSite) -> Iterator[Entry]:
        """Measure the start of the program and of its parts; yield their entries."""
        (row,) = (row for row in ROWS if row.key == "small")
        row = Row(key=_START, title="", kind=row.kind, count=1, workers=1)
        (ours,) = (tool for tool in TOOLS if tool.name == OURS)
        site.prepare(row)
        python = [sys.executable]
        commands = {
            "--help": [*python, "-m", "url_downloader", "--help"],
            "import requests": [*python, "-c", "import requests"],
        }
        costs: dict[str, list[Cost]] = defaultdict(list)
        for _ in range(self._runs * 2):
            for name, command in commands.items():
                costs[name].append(cost_of(command))
            costs["one tiny file"].append(self._once(row, ours, site=site))
        for name, each in costs.items():
            yield entry_of(row, name, count=1, costs=each)

    def measure_dead_name(self) -> Entry:
        """Measure how long many URLs of a dead name take after the end of their list."""
        command = [sys.executable, "-m", "tests.benchmarks.dead_name", str(_DEAD_URLS)]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        seconds, look_ups = done.stdout.split()
        cost = Cost(seconds=float(seconds), cpu=0.0, memory=0, status=0)
        print(f"{_DEAD}: {look_ups} look-ups: {cost}", file=sys.stderr)  # noqa: T201
        row = Row(key=_DEAD, title="", kind=Kind.MISSING, count=_DEAD_URLS, workers=8)
        return entry_of(row, OURS, count=_DEAD_URLS, costs=[cost])

    def measure_memory(self, *, is_quick: bool) -> Iterator[Entry]:
        """Measure the memory that short and long lists without a network take."""
        for count in _MEMORY_URLS:
            row = Row(
                key=f"{_MEMORY}-{count}", title="", kind=Kind.MISSING, count=count, workers=8
            )
            row = row.quick() if is_quick else row
            command = [sys.executable, "-m", "tests.benchmarks.memory", str(row.count)]
            cost = cost_of(command)
            assert cost.status == 0, cost
            print(f"{row.key}: {cost}", file=sys.stderr)  # noqa: T201
            yield entry_of(row, OURS, count=row.count, costs=[cost])

    def _once(self, row: Row, tool: Tool, *, site: BenchmarkSite) -> Cost:
        self._run += 1
        folder = self._scratch / "downloads"
        folder.mkdir()
        count = row.count_for(tool)
        urls = site.urls(row, count, run=self._run)
        order = Order(urls=urls, workers=row.workers, folder=folder, scratch=self._scratch)
        command = tool.command(order) + list(tool.retries or () if row.is_flaky else ())
        if row.rate:
            command.append(f"{tool.rate}={row.rate}")
        if row.kind is Kind.BIG:
            # A virtual machine may have to get memory from its host: before a tool runs.
            fill_and_forget(self._scratch / "memory", count * BIG_SIZE)
        is_done = None
        if row.kind is Kind.HOSTS:
            is_done = functools.partial(site.has_quick_files, row, folder)
        cost = cost_of(command, is_done=is_done)
        has_time = cost.seconds < GIVE_UP_SECONDS
        wrong = site.wrong_files(row, folder, count=count) if has_time else ()
        if wrong or (cost.status and row.kind not in (Kind.MISSING, Kind.HOSTS)):
            message = f"{tool.name}, {row.key}: status {cost.status}, {len(wrong)} wrong files"
            raise SystemExit(f"{message}: {wrong[:3]}")
        shutil.rmtree(folder)
        print(f"{row.key}: {tool.name}: {cost}", file=sys.stderr)  # noqa: T201
        return cost


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    usual = [*(row.key for row in ROWS), _DEAD, _START]
    keys = [*usual, _MEMORY]
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--rows", nargs="+", choices=keys, default=usual, metavar="ROW")
    parser.add_argument("--tools", nargs="+", choices=names, default=names, metavar="TOOL")
    parser.add_argument("--runs", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, once")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the numbers there, too"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
