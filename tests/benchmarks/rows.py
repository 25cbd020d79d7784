"""The rows of the table: their files, and the number of downloads at once."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.benchmarks.tools import OURS, Tool

_SCRIPTS = frozenset({"aiohttp", "requests", "xargs curl"})
_QUICK = 10
QUICK_MILLISECONDS = 50
"""Milliseconds to the first byte of a quick host, in rows with many of them."""
MEDIUM_SIZE = 1 << 20
"""Bytes of a medium file."""


class Kind(enum.Enum):
    """The source of the files of a row."""

    SMALL = "nginx, small files"
    MEDIUM = "nginx, files of a megabyte"
    BIG = "nginx, big files"
    SLOW = "a slow server"
    HOSTS = "quick hosts and a slow one"
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
        quick_hosts: Number of quick hosts; 0 = the row is not about hosts.
        slow_every: Distance of the files of the slow host in the list; 0 = there are none. A
            row with a slow host is over when all files of the quick hosts are there.
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
    quick_hosts: int = 0
    slow_every: int = 0
    is_flaky: bool = False
    rate: int = 0
    without: frozenset[str] = frozenset()
    is_ours_alone: bool = False

    @property
    def ideal(self) -> float | None:
        """Seconds of a perfect tool, where server or rate alone determine them; else None."""
        if self.quick_hosts:
            return None
        if self.rate:
            return self.count * MEDIUM_SIZE / self.rate
        requests = self.count + sum(self.failures(n) for n in range(self.count))
        return requests * self.milliseconds / 1000 / self.workers or None

    def failures(self, n: int) -> int:
        """Return the number of 503 for the n-th file."""
        return (n // 10 % 2 + 1) if self.is_flaky and n % 10 == 0 else 0

    def is_slow(self, n: int) -> bool:
        """Tell whether the n-th file is that of the slow host."""
        return self.slow_every > 0 and n % self.slow_every == self.slow_every - 1

    def quick_names(self) -> Iterator[str]:
        """Return the names of the files that are not those of the slow host."""
        return (name for n, name in enumerate(self.names()) if not self.is_slow(n))

    def names(self) -> Iterator[str]:
        """Return the names of the files."""
        return (f"{n:06}.bin" for n in range(self.count))

    def count_for(self, tool: Tool) -> int:
        """Return the number of files for the tool; fewer where each file needs a process."""
        return self.count // 10 if tool.name == "xargs curl" else self.count

    def timed_for(self, tool: Tool) -> int:
        """Return the number of files whose time is measured."""
        return len(list(self.quick_names())) if self.slow_every else self.count_for(tool)

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


def _half_of_a_slow_host(count: int, *, is_alone: bool) -> Row:
    title = "{} of 50 quick hosts, 50 ms each{}, w=16"
    quick = count if is_alone else count // 2
    slow = "" if is_alone else f", among {count // 2:,} of a host that needs 5 s"
    return Row(
        key="quick-alone" if is_alone else "quick-half",
        title=title.format(f"{quick:,}", slow),
        kind=Kind.HOSTS,
        count=count,
        workers=16,
        milliseconds=5000,
        quick_hosts=50,
        slow_every=0 if is_alone else 2,
        without=_SCRIPTS,
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
    Row(
        key="mixed",
        title="400 of a quick host, among 40 of a host that needs 2 s, w=8",
        kind=Kind.HOSTS,
        count=440,
        workers=8,
        milliseconds=2000,
        quick_hosts=1,
        slow_every=11,
        without=_SCRIPTS,
    ),
    _half_of_a_slow_host(1000, is_alone=True),
    _half_of_a_slow_host(2000, is_alone=False),
    _missing(50_000, is_ours_alone=False),
    _missing(10, is_ours_alone=True),
    _missing(5_000, is_ours_alone=True),
    _missing(10_000, is_ours_alone=True),
    _missing(1_000_000, is_ours_alone=True),
)
