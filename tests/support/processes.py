"""Server processes that can't outlive the tests, however the tests end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_STOP_TIMEOUT = 10.0

# Becomes the server after asking the kernel to kill it with its parent: that holds even when
# the tests are killed with SIGKILL. Not a preexec_fn: that may deadlock where threads are.
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
    """Start a single-process server that the kernel ends with this process.

    Args:
        command: program and arguments.
        cwd: its working directory.
        log: where its stdout and stderr go.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            launcher,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A Ctrl-C at the tests' terminal is for the tests; they stop their servers.
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End `process` for sure, politely first."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
