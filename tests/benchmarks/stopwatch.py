"""What a process took: time, CPU and memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOK_EVERY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process took, with those that it waited for.

    Args:
        seconds: from start to end.
        cpu: seconds, user and system.
        memory: bytes that it had at most, without its children.
        status: exit status.
    """

    seconds: float
    cpu: float
    memory: int
    status: int


def cost_of(command: Sequence[str], *, cwd: Path | None = None) -> Cost:
    """Run a command to its end; it may say nothing that anybody reads."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
    )
    look = _PeakMemory(process.pid)
    look.start()
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


class _PeakMemory(threading.Thread):
    """Looks at a process until it is gone; what wait4 tells counts this one's memory, too."""

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
        except (OSError, KeyError):  # ended, or waits to be buried
            return None
