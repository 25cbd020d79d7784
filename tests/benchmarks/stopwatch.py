"""The cost of a process: time, CPU and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

GIVE_UP_SECONDS = 60.0
"""Seconds after which a command that is to be killed is given up."""
_LOOK_EVERY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a process, with the child processes that it waited for.

    Args:
        seconds: Seconds from start to end.
        cpu: CPU seconds, user and system.
        memory: Bytes of memory at most, without its children.
        status: Exit status.
    """

    seconds: float
    cpu: float
    memory: int
    status: int


def cost_of(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    is_done: Callable[[], bool] | None = None,
) -> Cost:
    """Run a command, without its output; return its cost.

    Args:
        command: Program and arguments.
        cwd: Working directory.
        is_done: Function that is called often; the command is killed when it returns True, or
            after a minute. None lets the command end by itself.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        start_new_session=True,
    )
    look = _PeakMemory(process.pid)
    look.start()
    if is_done is not None:
        pause = threading.Event()
        while not (_has_ended(process.pid) or is_done()):
            if time.monotonic() > began + GIVE_UP_SECONDS:
                break
            pause.wait(_LOOK_EVERY)
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    look.join()
    return Cost(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=look.peak,
        status=process.returncode,
    )


def _has_ended(pid: int) -> bool:
    """Tell whether a child process has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


class _PeakMemory(threading.Thread):
    """A thread that reads a process's peak memory; that of wait4 includes its parent's."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="peak-memory", daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.peak = 0

    def run(self) -> None:
        pause = threading.Event()
        while (peak := self._read()) is not None:
            self.peak = max(self.peak, peak)
            pause.wait(_LOOK_EVERY)

    def _read(self) -> int | None:
        try:
            fields = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
            return int(fields["VmHWM"].split()[0]) * 1024
        except (OSError, KeyError):  # the process has ended
            return None
