"""Server processes that end with the tests, however the tests end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_STOP_TIMEOUT = 10.0

# Asks the kernel to kill it with its parent, and then becomes the server. This works even if
# the tests are killed with SIGKILL. A preexec_fn may deadlock in a process with threads.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the tests are gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def start_bound(
    command: Sequence[str], *, cwd: Path | None = None, log: Path
) -> subprocess.Popen[bytes]:
    """Start a server of one process, which the kernel kills when this process ends.

    Args:
        command: Program and arguments.
        cwd: Working directory.
        log: File for stdout and stderr.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            launcher,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal reaches the tests alone, and these stop their servers.
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with SIGTERM, or with SIGKILL if it does not end in time."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
