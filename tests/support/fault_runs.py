"""The runs of the fault matrix: the calls that fail in each, and the commands of strace."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.cli import clean_environment
from tests.support.fault_judge import Ended, violations
from tests.support.fault_scenes import Scene, copy_of, outcome_of

GROUPS: Mapping[str, str] = {
    "open": "?open,openat,?openat2,?creat",
    "mkdir": "?mkdir,mkdirat",
    "flock": "flock",
    "stat": "?stat,?lstat,fstat,?newfstatat,statx,?access,faccessat,?faccessat2",
    "truncate": "ftruncate,truncate,fallocate",
    "seek": "lseek",
    "read": "read,pread64,readv",
    "write": "write,pwrite64,writev",
    "splice": "splice,?sendfile,copy_file_range",
    "sync": "fsync,fdatasync,sync_file_range",
    "times": "utimensat,?utimes,?futimesat",
    "rename": "?rename,?renameat,renameat2,?link,linkat",
    "unlink": "?unlink,unlinkat,?rmdir",
    "close": "close",
    "statfs": "statfs,fstatfs",
    "attributes": "getxattr,lgetxattr,fgetxattr,setxattr,lsetxattr,fsetxattr",
    "list": "?getdents,getdents64",
    "mode": "?chmod,fchmod,fchmodat,?chown,fchown,fchownat",
    "control": "fcntl,ioctl,dup,?dup2,dup3",
    "pipe": "?pipe,pipe2",
}
"""Groups of the system calls that storage, reports and lists use."""
_WITHOUT_PATH = frozenset({"pipe"})
"""Groups whose calls name no file, so that all their calls fail."""
_KEEPS = frozenset({"unlink", "flock"})
"""Groups without which a run must not remove files; the next run removes what is left."""
_SPOOL = ".failed.txt.url-downloader-1.tmp"
"""Spool of the failed list, which only the next run with this list removes.

A run does not remove it if the disk does not tell whether it is still the same file."""
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EACCES", "EPERM", "EMFILE", "ENOSYS")
IMPOSSIBLE = ("close", "EMFILE")
"""Group and error that no system combines: close() needs no descriptor.

An injected error keeps the descriptor open, and with it the lock of a part, until the run ends.
"""
POSITIONS = ("early", "middle", "late", "always")
TIMEOUT = 45.0
# Random names are the same in each run, so that strace can be given them.
_LAUNCHER = """
import os, random, runpy, sys, tempfile
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
tempfile._Random = lambda: random.Random(1)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_CALL = re.compile(r"(\d+) +(\w+)\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The calls that a run of a scene makes when nothing fails.

    Args:
        scene: The scene.
        paths: Relative paths of all files that it names in its folder.
        calls: Number of calls of each group that the busiest thread makes there.
    """

    scene: Scene
    paths: frozenset[str]
    calls: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of the matrix.

    Args:
        group: Group of the calls that fail.
        error: Error that they fail with.
        position: Word for the calls that fail.
        when: The same for strace, counted in each thread; `+` includes all calls that follow.
        baseline: Baseline of its scene.
    """

    group: str
    error: str
    position: str
    when: str
    baseline: Baseline

    @property
    def command(self) -> str:
        """The command that runs this cell alone."""
        options = f"--groups {self.group} --errors {self.error} --positions {self.position}"
        return f"python -m tests.fault_matrix {options} --scenes {self.baseline.scene.name} -v"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a cell.

    Args:
        cell: The cell.
        hits: Number of calls that failed by strace.
        violations: Broken promises.
        said: Output of the runs, with their statuses.
    """

    cell: Cell
    hits: int
    violations: Sequence[str]
    said: str


class Matrix:
    """The runner of the cells.

    Args:
        program: The main.py to run.
        folder: Folder for all files.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def run_clean(self, arguments: Sequence[str]) -> Ended:
        """Run the program without faults."""
        return _ended([sys.executable, str(self._program), *arguments], self._program.parent)

    def baseline(self, scene: Scene) -> Baseline:
        """Return the calls of a run of this scene without faults."""
        folder, log = self._folder / f"{scene.name}-baseline", self._folder / scene.name
        copy_of(scene, folder)
        calls = ",".join(GROUPS.values())
        ended = self._traced(scene, folder, ["-y", "-o", str(log), "-e", f"trace={calls}"])
        if ended.status not in (0, 1) or not log.exists():
            raise SystemExit(f"the run without faults failed, too: {ended}")
        text = log.read_text(errors="replace")
        found = re.findall(rf"{re.escape(str(folder))}(?:/([^\">]*))?[\">]", text)
        return Baseline(
            scene=scene, paths=frozenset({"", *found}), calls=_busiest(text, str(folder))
        )

    def judge(self, cell: Cell, number: int) -> Verdict:
        """Run a cell and return its verdict."""
        scene, folder = cell.baseline.scene, self._folder / f"cell-{number}"
        log = self._folder / f"cell-{number}.strace"
        copy_of(scene, folder)
        paths = () if cell.group in _WITHOUT_PATH else sorted(cell.baseline.paths)
        limits = [f"--trace-path={folder / path}" for path in paths]
        fault = f"inject={GROUPS[cell.group]}:error={cell.error}:when={cell.when}"
        trace = f"trace={GROUPS[cell.group]}"
        options = ["-o", str(log), "-e", trace, "-e", fault, *limits]
        try:
            faulty = self._traced(scene, folder, options)
            outcome = outcome_of(scene, folder, faulty, run=self.run_clean)
            if cell.group in _KEEPS:
                outcome = replace(outcome, strays=frozenset())
            if cell.group == "stat":
                outcome = replace(outcome, strays=outcome.strays - {_SPOOL})
            hits = log.read_text(errors="replace").count("(INJECTED)")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            log.unlink(missing_ok=True)
        found = tuple(violations(outcome)) if hits else ()
        said = f"{faulty.output}status {faulty.status}; then:\n{outcome.clean.output}"
        return Verdict(cell=cell, hits=hits, violations=found, said=said)

    def _traced(self, scene: Scene, folder: Path, options: Sequence[str]) -> Ended:
        strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "4096", *options]
        program = [sys.executable, "-c", _LAUNCHER, str(self._program)]
        return _ended([*strace, *program, *scene.arguments(folder)], self._program.parent)


def _ended(command: Sequence[str], directory: Path) -> Ended:
    """Run a command to its end, or kill it after the longest time of a run."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=clean_environment(),
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return Ended(status=status, output=output.read().decode(errors="backslashreplace"))


def _busiest(text: str, folder: str) -> Mapping[str, int]:
    """Return for each group the number of calls in the folder by its busiest thread."""
    group_of = {
        call.lstrip("?"): group for group, calls in GROUPS.items() for call in calls.split(",")
    }
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in text.splitlines():
        match = _CALL.match(line)
        if match is not None and (group := group_of.get(match[2])) is not None:
            counts[group][match[1]] += folder in line or group in _WITHOUT_PATH
    return {
        group: max(calls.values()) for group, calls in counts.items() if any(calls.values())
    }


def when(position: str, calls: int) -> str:
    """Return the position in a number of calls of a thread, as strace writes it."""
    late = max(1, calls * 3 // 4)
    words = {"early": "1", "middle": str(calls // 2 + 1), "late": f"{late}+", "always": "1+"}
    return words[position]
