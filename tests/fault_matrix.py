"""`python -m tests.fault_matrix`: the program on a system with one failing kind of calls.

For each group of system calls, each error and each position, a run downloads from a local
server. strace makes the calls fail that concern the run's own folder. The output and the files
of the run are judged, and those of a clean run that follows. Needs Linux and strace; takes
minutes.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.support.cli import ROOT
from tests.support.fault_runs import (
    ERRORS,
    GROUPS,
    IMPOSSIBLE,
    POSITIONS,
    Baseline,
    Cell,
    Matrix,
    Verdict,
    when,
)
from tests.support.fault_scenes import make_scenes
from tests.support.scripted_server import ScriptedServer

_IN_MEMORY = Path("/dev/shm")
_ROOM = 512 << 20
"""Bytes that the folders of the runs need; the shared memory of a container has fewer."""
_SAMPLE = 11
"""Number of runs of which `--quick` makes one."""


def cells_of(baselines: Sequence[Baseline], wanted: argparse.Namespace) -> Iterator[Cell]:
    """Yield the cells of the matrix; the scenes that use a group take turns."""
    turn = 0
    for group in wanted.groups:
        where = [each for each in baselines if group in each.calls]
        for error in wanted.errors:
            for position in wanted.positions:
                turn += 1
                is_left_out = (wanted.quick and turn % _SAMPLE) or (group, error) == IMPOSSIBLE
                if not where or is_left_out:
                    continue
                baseline = where[turn % len(where)]
                yield Cell(
                    group=group,
                    error=error,
                    position=position,
                    when=when(position, baseline.calls[group]),
                    baseline=baseline,
                )
            turn += 1


def run_cells(matrix: Matrix, cells: Sequence[Cell], wanted: argparse.Namespace) -> int:
    """Run all cells, print what is wrong, and return how many runs broke a promise.

    Raises:
        SystemExit: No call failed in any of them.
    """
    verdicts = []
    with ThreadPoolExecutor(wanted.jobs) as pool:
        for verdict in pool.map(matrix.judge, cells, range(len(cells))):
            verdicts.append(verdict)
            if verdict.violations:
                _say(f"{'; '.join(verdict.violations)}: {verdict.cell.command}")
            if wanted.verbose:
                _say(f"{verdict.hits} calls failed\n{verdict.said}")
    if not any(verdict.hits for verdict in verdicts):
        raise SystemExit("no call was made to fail: name other groups or scenes")
    _say_table(verdicts, wanted.errors)
    return sum(bool(verdict.violations) for verdict in verdicts)


def _say_table(verdicts: Sequence[Verdict], errors: Sequence[str]) -> None:
    """Print a row for each group: the runs that broke a promise, and all its runs."""
    by_cell: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_cell[verdict.cell.group, verdict.cell.error].append(verdict)
    _say("".join([" " * 12, *(f"{error:>12}" for error in errors)]))
    for group in dict.fromkeys(group for group, _ in by_cell):
        row = (_entry(by_cell[group, error]) for error in errors)
        _say("".join([f"{group:12}", *(f"{entry:>12}" for entry in row)]))
    broken = sum(bool(verdict.violations) for verdict in verdicts)
    reached = sum(verdict.hits > 0 for verdict in verdicts)
    _say(f"{broken} of {reached} runs broke a promise; {len(verdicts) - reached} met no fault")


def _entry(verdicts: Sequence[Verdict]) -> str:
    reached = [verdict for verdict in verdicts if verdict.hits]
    broken = sum(bool(verdict.violations) for verdict in reached)
    return f"{broken or '.'} of {len(reached)}" if reached else "-"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main() -> None:
    """Run the wanted cells; the status is 0 only if no promise was broken."""
    wanted = arguments()
    if shutil.which("strace") is None:
        raise SystemExit(
            "strace is missing: install it, for example with apt-get install strace"
        )
    has_room = _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ROOM
    in_memory = _IN_MEMORY if has_room else None
    with (
        tempfile.TemporaryDirectory(dir=in_memory, prefix="faults-") as scratch,
        ScriptedServer() as server,
    ):
        matrix = Matrix(wanted.program.resolve(), Path(scratch).resolve())
        made = make_scenes(server, Path(scratch).resolve() / "scenes", run=matrix.run_clean)
        scenes = [scene for scene in made if scene.name in wanted.scenes]
        baselines = [matrix.baseline(scene) for scene in scenes]
        cells = list(cells_of(baselines, wanted))
        used = {cell.group for cell in cells}
        unused = [group for group in wanted.groups if group not in used]
        if unused and not wanted.quick:
            _say(f"no run makes calls of these groups: {', '.join(unused)}")
        broken = run_cells(matrix, cells, wanted)
    sys.exit(1 if broken else 0)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault_matrix", description=__doc__)
    add = partial(parser.add_argument, nargs="+")
    add("--groups", choices=GROUPS, default=list(GROUPS), metavar="GROUP")
    add("--errors", type=_error, default=list(ERRORS), metavar="ERROR")
    add("--positions", choices=POSITIONS, default=list(POSITIONS), metavar="POSITION")
    scenes = ("fresh", "again", "resumed")
    add("--scenes", choices=scenes, default=list(scenes), metavar="SCENE")
    jobs = (os.cpu_count() or 1) + 1
    parser.add_argument("--jobs", type=int, default=jobs, help=f"at a time (default: {jobs})")
    parser.add_argument("--quick", action="store_true", help="a sample of the runs")
    parser.add_argument(
        "--program", type=Path, default=ROOT / "main.py", metavar="MAIN.PY", help="to be run"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show what runs say")
    return parser.parse_args(words)


def _error(name: str) -> str:
    if name not in errno.errorcode.values():
        raise argparse.ArgumentTypeError(f"{name} is no error of this system, such as EIO")
    return name


if __name__ == "__main__":
    main()
