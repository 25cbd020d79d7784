"""Limits for the program: small disks, few descriptors, small files, no special rights."""

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

# Both become the program, so that limits hold from its first line on without a preexec_fn.
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
    """Return the command of `program` under a limit of the `resource` module.

    Args:
        name: Name of the limit.
        program: Command to run.
        soft: Soft limit.
        hard: Hard limit; by default that of `soft`.
    """
    limits = (str(soft), str(soft if hard is None else hard))
    return (sys.executable, "-c", _LIMIT, name, *limits, *program)


def without_rights(program: Sequence[str]) -> tuple[str, ...]:
    """Return the command of `program` without root's right to ignore permissions of files."""
    if os.geteuid() != 0:
        return tuple(program)
    return (sys.executable, "-c", _DROP_RIGHTS, *program)


def without_calls(program: Sequence[str], *injections: str) -> tuple[str, ...]:
    """Return the command of `program` with system calls that fail: `flock:error=ENOLCK`."""
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
        path: Its root.
    """

    path: Path

    def remount(self, options: str) -> bool:
        """Change its options, as with `size=8m`; return whether the system accepted them."""
        command = ["mount", "-o", f"remount,{options}", str(self.path)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def free(self) -> int:
        """Return the number of free bytes."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize


@contextmanager
def small_disk(path: Path, options: str) -> Iterator[SmallDisk]:
    """Yield a tmpfs at `path`, unmounted at the end; skip the test without the right to."""
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
            # A process may still use it; at least it is no longer in the tree.
            subprocess.run(["umount", "--lazy", str(path)], check=True)
