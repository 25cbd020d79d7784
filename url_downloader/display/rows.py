"""The rows of the live display: downloads, hosts in trouble, and below them the whole run.

This module lays out rows for the width of a window. `screen.py` paints them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from url_downloader.engine.host_troubles import state_text
from url_downloader.engine.monitor import PoolState, RunView
from url_downloader.shared.models import JobStatus
from url_downloader.shared.ports import Phase, Progress
from url_downloader.shared.text import format_seconds, format_size, printable

WIDE = 64
"""Columns from which on a window has room for all facts about a download."""
MAX_LEFT = 99 * 3600
"""Seconds; longest time left that is shown. A longer one is no useful estimate."""
RATE_WINDOW = 5.0
"""Seconds over which the rate of a download is averaged."""
_OVERALL_ROWS = 3
"""Number of rows for the whole run, at most."""
_ROWS_OF_A_HOST = 8
"""Rows of the window for each row that shows a host in trouble: 3 of 24."""


class Rates:
    """Rates of the workers' attempts over the last few seconds.

    Threads: one.
    """

    def __init__(self) -> None:
        # Number of the attempt, and its (time, bytes) points, by the name of the worker.
        self._seen: dict[str, tuple[int, deque[tuple[float, int]]]] = {}

    def rate(self, name: str, progress: Progress, *, now: float) -> float:
        """Return the rate of a worker's current attempt in bytes per second.

        Args:
            name: Name of the worker.
            progress: Progress of the attempt.
            now: Monotonic seconds.
        """
        number, points = self._seen.get(name, (0, deque[tuple[float, int]]()))
        if number != progress.number:
            points = deque([(progress.began, 0)])
        points.append((now, progress.received))
        while len(points) > 2 and points[0][0] < now - RATE_WINDOW:
            points.popleft()
        self._seen[name] = (progress.number, points)
        (since, before), (_, received) = points[0], points[-1]
        return (received - before) / (now - since) if now > since else 0.0


def frame(
    view: RunView, rates: Rates, *, size: tuple[int, int], encoding: str
) -> Sequence[RenderableType]:
    """Return the rows to show, which leave a third of the window to the log lines above.

    Args:
        view: View of the run.
        rates: Rates of the run's attempts.
        size: Columns and rows of the window.
        encoding: Encoding of the terminal.
    """
    columns, rows = size
    now, attempts, state = view.now(), view.attempts(), view.state()
    troubles = [*_troubles(state, now, size=size, encoding=encoding)]
    most = max(1, rows * 2 // 3 - _OVERALL_ROWS - len(troubles))
    shown = attempts if len(attempts) <= most else attempts[: most - 1]
    lines: list[RenderableType] = [
        _row(
            shown_name(progress.job.output, encoding=encoding),
            progress,
            rate=rates.rate(name, progress, now=now),
            columns=columns,
        )
        for name, progress in shown
    ]
    if len(shown) < len(attempts):
        lines.append(Text(f"and {len(attempts) - len(shown)} more downloads"))
    return [*lines, *troubles, *_overall(state, columns=columns)]


def shown_name(output: str, *, encoding: str) -> str:
    """Return the name of a file as a terminal with this encoding can show it."""
    return printable(output).encode(encoding, "backslashreplace").decode(encoding)


def fitted(name: str, columns: int) -> str:
    """Return the name in exactly that many columns; a name that is too long loses its start."""
    columns = max(0, columns)
    if cell_len(name) > columns:
        end = name[-columns:]
        while end and cell_len(end) > columns - 2:
            end = end[1:]
        name = f"..{end}"
    return set_cell_size(name, columns)


def _row(name: str, progress: Progress, *, rate: float, columns: int) -> Text:
    """Return the row of a download, with fewer facts in a narrow window."""
    is_wide = columns >= WIDE
    cells = [_amount(progress, is_wide=is_wide), f"{format_size(rate)}/s".rjust(12)]
    if is_wide:
        cells.append(_left(progress, rate).rjust(9))
    rest = "  ".join(["", *cells])
    return Text(fitted(name, columns - len(rest)) + rest)


def _amount(progress: Progress, *, is_wide: bool) -> str:
    """Return how much of the file is present, or the phase if no bytes are being received."""
    position, total = format_size(progress.position), progress.total
    if not progress.position or progress.phase is Phase.WORKING:
        text = progress.phase.value
        return text.rjust(24) if is_wide else text.partition(" ")[0].rjust(10)
    if is_wide:
        return (position if total is None else f"{position} of {format_size(total)}").rjust(24)
    return (f"{progress.position / total:.0%}" if total else position).rjust(10)


def _left(progress: Progress, rate: float) -> str:
    """Return the time left at this rate, as text; empty if unknown."""
    if progress.total is None or not rate or not progress.position:
        return ""
    return _duration((progress.total - progress.position) / rate)


def _duration(seconds: float) -> str:
    return format_seconds(seconds) if 0 <= seconds <= MAX_LEFT else ""


def _troubles(
    state: PoolState, now: float, *, size: tuple[int, int], encoding: str
) -> Iterator[Text]:
    """Yield the rows of hosts in trouble: in a low window, or for many hosts, their numbers."""
    if state.has_outage:
        yield Text("no network: all URLs wait")
    columns, rows = size
    hosts = state.hosts
    most, number = rows // _ROWS_OF_A_HOST, sum(hosts.phases.values())
    for each in hosts.states[: most if number <= most else max(0, most - 1)]:
        host = fitted(each.host, min(cell_len(each.host), columns // 2))
        text = state_text(each._replace(host=host), now)
        yield Text(shown_name(text, encoding=encoding))
    if number > most:
        yield Text(f"hosts in trouble: {hosts}")


def _overall(state: PoolState, *, columns: int) -> Iterator[RenderableType]:
    """Yield the rows of the whole run: a bar, then numbers in one row, or two if it is full."""
    done, failed = (state.counts[each] for each in (JobStatus.SUCCESS, JobStatus.FAILED))
    total, metrics = sum(state.counts.values()), state.metrics
    # While the list is still being read, the total is unknown.
    known = total if state.is_list_read else None
    yield ProgressBar(total=known, completed=done + failed, animation_time=metrics.seconds)
    jobs = Text.assemble(
        f"{done} done, ",
        (f"{failed} failed", "red" if failed else ""),
        f", {state.counts[JobStatus.RETRY_SCHEDULED]} retrying of {total}",
        "" if state.is_list_read else "+",
    )
    traffic = f"{format_size(metrics.received)}, {format_size(metrics.rate)}/s"
    if known is not None and 0 < done + failed < known:
        left = _duration(metrics.seconds / (done + failed) * (known - done - failed))
        traffic += f", {left} left" if left else ""
    if len(jobs) + 3 + len(traffic) <= columns:
        yield jobs.append(f" | {traffic}")
    else:
        yield from (jobs, Text(traffic))
