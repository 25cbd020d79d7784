"""The rows of the table: which work, and how many at once."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.benchmarks.tools import OURS, Tool

_SCRIPTS = frozenset({"aiohttp", "requests", "xargs curl"})
_QUICK = 10


class Kind(enum.Enum):
    """Where the files of a row come from."""

    SMALL = "nginx, small files"
    BIG = "nginx, big files"
    SLOW = "a server that takes its time"
    MISSING = "nginx, none of them is there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Some work that the tools are compared on.

    Args:
        key: what `--rows` calls it.
        title: for the table.
        kind: where the files come from.
        count: how many.
        workers: how many at once.
        milliseconds: until a slow server's first byte.
        is_flaky: whether one in ten paths answers 503 first, by turns once and twice.
        without: tools that can't do it, or that it says nothing about.
        is_ours_alone: whether it compares this tool with nothing but itself.
    """

    key: str
    title: str
    kind: Kind
    count: int
    workers: int
    milliseconds: int = 0
    is_flaky: bool = False
    without: frozenset[str] = frozenset()
    is_ours_alone: bool = False

    @property
    def ideal(self) -> float | None:
        """Seconds in which nobody can do better, where only the server's slowness counts."""
        requests = self.count + sum(self.failures(n) for n in range(self.count))
        return requests * self.milliseconds / 1000 / self.workers or None

    def failures(self, n: int) -> int:
        """How often the n-th file is refused before it comes."""
        return (n // 10 % 2 + 1) if self.is_flaky and n % 10 == 0 else 0

    def names(self) -> Iterator[str]:
        """What the files are called."""
        return (f"{n:06}.bin" for n in range(self.count))

    def count_for(self, tool: Tool) -> int:
        """How many files the tool gets; a process for each would take all day."""
        return self.count // 10 if tool.name == "xargs curl" else self.count

    def takes(self, tool: Tool) -> bool:
        """Whether the tool has a place in this row."""
        is_able = not self.is_flaky or tool.retries is not None
        is_meant = not self.is_ours_alone or tool.name == OURS
        return tool.is_there and is_able and is_meant and tool.name not in self.without

    def quick(self) -> Row:
        """A tenth of the work."""
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
    _missing(50_000, is_ours_alone=False),
    _missing(10, is_ours_alone=True),
    _missing(5_000, is_ours_alone=True),
    _missing(500_000, is_ours_alone=True),
)
