"""Hard times for the program: little disks, few descriptors, small files, no special rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Both become the program: the limits hold from its first line on, and no preexec_fn is needed.
_LIMIT = """
import os, resource, sys
name, soft, hard, *command = sys.argv[1:]
resource.setrlimit(getattr(resource, name), (int(soft), int(hard)))
os.execv(command[0], command)
"""
_DROP_RIGHTS = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def under_limit(
    name: str, program: Sequence[str], *, soft: int, hard: int | None = None
) -> tuple[str, ...]:
    """`program` under a limit of the `resource` module; without `hard` both are the same."""
    limits = (str(soft), str(soft if hard is None else hard))
    return (sys.executable, "-c", _LIMIT, name, *limits, *program)


def without_rights(program: Sequence[str]) -> tuple[str, ...]:
    """`program` without root's right to pass over the permissions of files."""
    if os.geteuid() != 0:
        return tuple(program)
    return (sys.executable, "-c", _DROP_RIGHTS, *program)


def without_calls(program: Sequence[str], *injections: str) -> tuple[str, ...]:
    """`program` where system calls fail, as strace says it: `flock:error=ENOLCK`."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    calls = ",".join(each.partition(":")[0] for each in injections)
    options = [option for each in injections for option in ("-e", f"inject={each}")]
    traced = ("-f", "-qqq", "-o", os.devnull, "-e", f"trace={calls}")
    return (strace, *traced, *options, *program)


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted file system.

    Args:
        path: its root.
    """

    path: Path

    def remount(self, options: str) -> bool:
        """Give it other options, such as `size=8m`; whether the system took them."""
        command = ["mount", "-o", f"remount,{options}", str(self.path)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def free(self) -> int:
        """Bytes that still fit."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize


@contextmanager
def small_disk(path: Path, options: str) -> Iterator[SmallDisk]:
    """A tmpfs of its own at `path`, for as long as the block runs; skips where none may be."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount file systems")
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"file systems can't be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        if subprocess.run(["umount", str(path)], check=False).returncode:
            # Whoever still uses it keeps it, but it is gone from the tree.
            subprocess.run(["umount", "--lazy", str(path)], check=True)
