"""Entries of a list that were seen before in the same run.

Equal URLs with equal options are one job. With a ledger, only entries whose jobs have not been
committed are remembered; the ledger knows the others by their marks.
"""

from __future__ import annotations

import hashlib
from collections import deque


class Repeats:
    """Memory of the entries that led to jobs, with the lines that they came from.

    Args:
        secret: Random bytes of the run. They keep passwords from being guessed from marks.

    Threads: `release` from any thread, the others in the one that reads the list.
    """

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret
        self._lines: dict[bytes, int] = {}
        self._marks: dict[int, bytes] = {}
        self._released: deque[int] = deque()

    def mark(self, asked: str) -> bytes:
        """Return 15 bytes that are the same for equal URLs with equal options.

        Args:
            asked: Text that is equal for equal URLs with equal options.
        """
        # A digest of 16 bytes would take 16 bytes more of memory.
        return hashlib.blake2b(self._secret + asked.encode(), digest_size=15).digest()

    def first_line(self, mark: bytes) -> int | None:
        """Return the line of an equal entry that was noted; None if there is none."""
        return self._lines.get(mark)

    def note(self, mark: bytes, *, line: int, job_id: int | None = None) -> None:
        """Remember an entry that led to a job.

        Args:
            mark: Mark of the entry.
            line: Number of its line, from 1.
            job_id: Number of its job; None if `release` will not be called for it.
        """
        self._lines[mark] = line
        if job_id is not None:
            self._marks[job_id] = mark

    def release(self, job_id: int) -> None:
        """Forget the entry of a job at the next `drop_released`."""
        self._released.append(job_id)

    def drop_released(self) -> None:
        """Forget the entries that were released."""
        while self._released:
            mark = self._marks.pop(self._released.popleft(), None)
            if mark is not None:
                self._lines.pop(mark, None)


def mark_number(mark: bytes) -> int:
    """Return the first 64 bits of a mark as a signed number, for the ledger."""
    return int.from_bytes(mark[:8], signed=True)
