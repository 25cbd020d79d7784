"""The rows of the table: their files, and the number of downloads at once."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.benchmarks.tools import OURS, Tool

_SCRIPTS = frozenset({"aiohttp", "requests", "xargs curl"})
_QUICK = 10
MEDIUM_SIZE = 1 << 20
"""Bytes of a medium file."""


class Kind(enum.Enum):
    """The source of the files of a row."""

    SMALL = "nginx, small files"
    MEDIUM = "nginx, files of a megabyte"
    BIG = "nginx, big files"
    SLOW = "a slow server"
    MISSING = "nginx, missing files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The work of one table, for all tools.

    Args:
        key: Name for `--rows`.
        title: Title of the table.
        kind: Source of the files.
        count: Number of files.
        workers: Number of downloads at once.
        milliseconds: Milliseconds to the first byte of a slow server.
        is_flaky: Whether one path in ten first answers 503, by turns once and twice.
        rate: Bytes per second that all downloads together may receive; 0 = no limit.
        without: Tools that can't do the work, or for which it means nothing.
        is_ours_alone: Whether this tool alone does the work.
    """

    key: str
    title: str
    kind: Kind
    count: int
    workers: int
    milliseconds: int = 0
    is_flaky: bool = False
    rate: int = 0
    without: frozenset[str] = frozenset()
    is_ours_alone: bool = False

    @property
    def ideal(self) -> float | None:
        """Seconds of a perfect tool, where server or rate alone determine them; else None."""
        if self.rate:
            return self.count * MEDIUM_SIZE / self.rate
        requests = self.count + sum(self.failures(n) for n in range(self.count))
        return requests * self.milliseconds / 1000 / self.workers or None

    def failures(self, n: int) -> int:
        """Return the number of 503 for the n-th file."""
        return (n // 10 % 2 + 1) if self.is_flaky and n % 10 == 0 else 0

    def names(self) -> Iterator[str]:
        """Return the names of the files."""
        return (f"{n:06}.bin" for n in range(self.count))

    def count_for(self, tool: Tool) -> int:
        """Return the number of files for the tool; fewer where each file needs a process."""
        return self.count // 10 if tool.name == "xargs curl" else self.count

    def takes(self, tool: Tool) -> bool:
        """Return whether the tool does the work of this row."""
        is_able = not self.is_flaky or tool.retries is not None
        is_able &= not self.rate or tool.rate is not None
        is_meant = not self.is_ours_alone or tool.name == OURS
        return tool.is_there and is_able and is_meant and tool.name not in self.without

    def quick(self) -> Row:
        """Return a row with a tenth of the work."""
        return replace(self, count=max(self.count // _QUICK, self.workers))


def _slow(count: int, workers: int) -> Row:
    return Row(
        key=f"wait-{workers}",
        title=f"{count:,} x 50 ms to first byte, w={workers}",
        kind=Kind.SLOW,
        count=count,
        workers=workers,
        milliseconds=50,
        without=frozenset({"xargs curl"}),
    )


def _missing(count: int, *, is_ours_alone: bool) -> Row:
    return Row(
        key=f"missing-{count}",
        title=f"{count:,} x 404, w=16",
        kind=Kind.MISSING,
        count=count,
        workers=16,
        without=_SCRIPTS,
        is_ours_alone=is_ours_alone,
    )


ROWS = (
    Row(key="small", title="5,000 x 1 KiB, w=8", kind=Kind.SMALL, count=5000, workers=8),
    _slow(480, 8),
    _slow(3840, 64),
    _slow(4000, 256),
    Row(
        key="big",
        title="8 x 256 MiB, w=4",
        kind=Kind.BIG,
        count=8,
        workers=4,
        without=frozenset({"xargs curl"}),
    ),
    Row(
        key="flaky",
        title="2,000 x 20 ms, 10 % answer 503 once or twice, w=8",
        kind=Kind.SLOW,
        count=2000,
        workers=8,
        milliseconds=20,
        is_flaky=True,
        without=frozenset({"wget2"}),
    ),
    Row(
        key="limited",
        title="40 x 1 MiB at 4 MiB/s, w=8",
        kind=Kind.MEDIUM,
        count=40,
        workers=8,
        rate=4 << 20,
    ),
    _missing(50_000, is_ours_alone=False),
    _missing(10, is_ours_alone=True),
    _missing(5_000, is_ours_alone=True),
    _missing(500_000, is_ours_alone=True),
)
