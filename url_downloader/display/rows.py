"""What the live display shows: a row for each download, and the whole run below.

Knows the width of a window and how its characters count; paints nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from url_downloader.engine.monitor import PoolState, RunView
from url_downloader.shared.models import JobStatus
from url_downloader.shared.ports import Phase, Progress
from url_downloader.shared.text import format_seconds, format_size, printable

WIDE = 64
"""Columns from which there is room for all that is known of a download."""
MAX_LEFT = 99 * 3600
"""Seconds; a longer wait is none that anyone can foresee."""
RATE_WINDOW = 5.0
"""Seconds over which the rate of a download is averaged."""
_OVERALL_ROWS = 3


class Rates:
    """How fast each worker's attempt has been in the last few seconds.

    Threads: one.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, deque[tuple[float, int]]]] = {}

    def rate(self, name: str, progress: Progress, *, now: float) -> float:
        """Bytes per second of the attempt that this worker makes now."""
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
    """The rows to show; a third of the window stays free for what is said above.

    Args:
        view: of the run.
        rates: of its attempts.
        size: of the window: columns and rows.
        encoding: of the terminal.
    """
    columns, rows = size
    now, attempts = view.now(), view.attempts()
    most = max(1, rows * 2 // 3 - _OVERALL_ROWS)
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
    lines.extend(_overall(view.state(), columns=columns))
    return lines


def shown_name(output: str, *, encoding: str) -> str:
    """A file's name as a terminal of this encoding can show it."""
    return printable(output).encode(encoding, "backslashreplace").decode(encoding)


def fitted(name: str, columns: int) -> str:
    """The name in exactly so many columns; of one that is too long, the end."""
    columns = max(0, columns)
    if cell_len(name) > columns:
        end = name[-columns:]
        while end and cell_len(end) > columns - 2:
            end = end[1:]
        name = f"..{end}"
    return set_cell_size(name, columns)


def _row(name: str, progress: Progress, *, rate: float, columns: int) -> Text:
    """What is known of a download, as far as there is room."""
    is_wide = columns >= WIDE
    cells = [_amount(progress, is_wide=is_wide), f"{format_size(rate)}/s".rjust(12)]
    if is_wide:
        cells.append(_left(progress, rate).rjust(9))
    rest = "  ".join(["", *cells])
    return Text(fitted(name, columns - len(rest)) + rest)


def _amount(progress: Progress, *, is_wide: bool) -> str:
    """How much has come, or what is waited for."""
    position, total = format_size(progress.position), progress.total
    if not progress.position or progress.phase is Phase.WORKING:
        text = progress.phase.value
        return text.rjust(24) if is_wide else text.partition(" ")[0].rjust(10)
    if is_wide:
        return (position if total is None else f"{position} of {format_size(total)}").rjust(24)
    return (f"{progress.position / total:.0%}" if total else position).rjust(10)


def _left(progress: Progress, rate: float) -> str:
    """How long it will take at this rate, where that can be known."""
    if progress.total is None or not rate or not progress.position:
        return ""
    return _duration((progress.total - progress.position) / rate)


def _duration(seconds: float) -> str:
    return format_seconds(seconds) if 0 <= seconds <= MAX_LEFT else ""


def _overall(state: PoolState, *, columns: int) -> Iterator[RenderableType]:
    """The whole run: a bar, and numbers in one row or, where it is narrow, in two."""
    done, failed = (state.counts[each] for each in (JobStatus.SUCCESS, JobStatus.FAILED))
    total, metrics = sum(state.counts.values()), state.metrics
    # What is not read yet can't be counted.
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
