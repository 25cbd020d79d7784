"""The rows of the live display, their painting and their erasing."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.text import Text

from tests.support.jobs import make_job
from tests.support.run_view import NOW, FakeRunView, make_state, make_troubles
from url_downloader.display.live_display import Display
from url_downloader.display.rows import Rates, fitted, frame, shown_name
from url_downloader.display.screen import Screen, erasure
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.engine.host_troubles import HostTroubles
from url_downloader.engine.monitor import PoolState
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobStatus
from url_downloader.shared.ports import Phase, Progress

MIB = 1 << 20


def progress(
    number: int = 1,
    *,
    position: int = 0,
    total: int | None = None,
    phase: Phase = Phase.REPLYING,
) -> Progress:
    """Return an attempt that began at second 90 and is at this position."""
    job = make_job(output="file.bin")
    return Progress(number, job, 90.0, position, position, total, phase=phase)


def run_of(
    *attempts: Progress,
    counts: dict[JobStatus, int] | None = None,
    is_list_read: bool = False,
    hosts: HostTroubles | None = None,
    has_outage: bool = False,
) -> FakeRunView:
    """Return a run, 50 seconds old, with these attempts."""
    state = make_state(
        counts=dict.fromkeys(JobStatus, 0) | (counts or {}),
        metrics=MetricsSnapshot(seconds=50.0, received=3 * MIB, rate=2048.0),
        is_list_read=is_list_read,
        hosts=hosts or HostTroubles(),
        has_outage=has_outage,
    )
    names = [f"worker-{n}" for n in range(len(attempts))]
    return FakeRunView(lambda: state, attempts=list(zip(names, attempts, strict=True)))


def texts(run: FakeRunView, columns: int = 80, rows: int = 24) -> list[str]:
    """Return the rows of text that are shown for a run."""
    shown = frame(run, Rates(), size=(columns, rows), encoding="utf-8")
    return [row.plain for row in shown if isinstance(row, Text)]


@pytest.mark.parametrize(
    ("attempt", "cells"),
    [
        (progress(position=5 * MIB, total=10 * MIB), "5.0 MiB of 10.0 MiB 512.0 KiB/s 10.0 s"),
        (progress(position=5 * MIB), "5.0 MiB 512.0 KiB/s"),
        (progress(phase=Phase.CONNECTING), "connecting 0 B/s"),
        (progress(phase=Phase.WAITING, total=7), "waiting for a reply 0 B/s"),
        (progress(position=MIB, total=MIB, phase=Phase.WORKING), "busy here 102.4 KiB/s 0.0 s"),
        (progress(position=1, total=1 << 50), "1 B of 1024.0 TiB 0 B/s"),
    ],
)
def test_a_download(attempt: Progress, cells: str) -> None:
    """A row has name, bytes, total, rate and time left, without the facts that are unknown."""
    row = texts(run_of(attempt))[0]
    assert row.split() == ["file.bin", *cells.split()]
    assert len(row) == 80


@pytest.mark.parametrize("columns", [40, 63, 64, 80, 100])
def test_a_row_fills_the_window(columns: int) -> None:
    """A row is as wide as the window and has the name, however long its numbers are."""
    row = texts(run_of(progress(position=1023 * MIB, total=1023 * MIB)), columns)[0]
    assert len(row) == columns
    assert row.startswith("file.bin ")


@pytest.mark.parametrize(
    ("ended", "is_read", "line"),
    [
        (0, True, "0 done, 0 failed, 3 retrying of 13 | 3.0 MiB, 2.0 KiB/s"),
        (10, True, "10 done, 0 failed, 3 retrying of 23 | 3.0 MiB, 2.0 KiB/s, 1m05s left"),
        (10, False, "10 done, 0 failed, 3 retrying of 23+ | 3.0 MiB, 2.0 KiB/s"),
    ],
)
def test_the_whole_run(ended: int, line: str, *, is_read: bool) -> None:
    """The last row has counts, bytes and rate, and the time left if the list is read."""
    counts = {
        JobStatus.SUCCESS: ended,
        JobStatus.PENDING: 10,
        JobStatus.RETRY_SCHEDULED: 3,
    }
    run = run_of(counts=counts, is_list_read=is_read)
    assert texts(run) == [line]
    assert texts(run, 40) == line.split(" | ")


@pytest.mark.parametrize(("rows", "shown"), [(24, 13), (30, 17), (12, 5), (3, 1)])
def test_many_downloads(rows: int, shown: int) -> None:
    """As many downloads are shown as fit, and the others are counted."""
    lines = texts(run_of(*[progress()] * 64), rows=rows)
    assert len(lines) == shown + 1
    assert lines[-2] == f"and {65 - shown} more downloads"


def paused(host: str = "http://h", reason: str = "HTTP 429") -> HostState:
    """Return the state of a host that asked for a pause of twelve seconds."""
    return HostState(HostPhase.PAUSED, reason, NOW + 12.0, host, 30)


@pytest.mark.parametrize(
    ("rows", "hosts", "shown"),
    [
        (24, make_troubles(), []),
        (24, make_troubles(*[paused()] * 3), [str(n) for n in range(3)]),
        (24, make_troubles(*[paused()] * 2, others=2), ["0", "1", "2 paused, 2 down"]),
        (40, make_troubles(*[paused()] * 9), ["0", "1", "2", "3", "9 paused"]),
        (15, make_troubles(paused()), ["0"]),
        (15, make_troubles(paused(), others=1), ["1 paused, 1 down"]),
        (7, make_troubles(paused()), ["1 paused"]),
    ],
)
def test_hosts_in_trouble(rows: int, hosts: HostTroubles, shown: list[str]) -> None:
    """An eighth of the window shows hosts in trouble, and then their numbers."""
    named = [each._replace(host=f"{n}") for n, each in enumerate(hosts.states)]
    hosts = replace(hosts, states=named)
    lines = texts(run_of(progress(), hosts=hosts), rows=rows)
    assert [line.removeprefix("hosts in trouble: ").partition(":")[0] for line in lines] == [
        lines[0].partition(":")[0],
        *shown,
        lines[-1].partition(":")[0],
    ]
    assert lines[0].startswith("file.bin ")
    assert " done, " in lines[-1]


def test_an_outage() -> None:
    """While the network is gone, a row above the whole run says so."""
    assert texts(run_of(has_outage=True))[0] == "no network: all URLs wait"
    assert "no network" not in "".join(texts(run_of()))


def test_a_host_in_trouble() -> None:
    """Its row has all that matters before the reason, which a narrow window cuts off."""
    run = run_of(hosts=make_troubles(paused(f"http://{'long.' * 20}example")))
    assert texts(run)[0] == (
        "...long.long.long.long.long.long.example: paused, next request in 12.0 s,"
        " 30 URLs wait: HTTP 429"
    )


def test_hosts_leave_room_for_downloads() -> None:
    """The rows of hosts take the place of downloads, not of the log."""
    hosts = make_troubles(*[paused()] * 3)
    few, many = (texts(run_of(*[progress()] * 64, hosts=each)) for each in (None, hosts))
    assert len(few) == len(many) == 14


def test_a_reason_can_not_control_the_terminal() -> None:
    """Control characters in a reason are escaped."""
    run = run_of(hosts=make_troubles(paused(reason="\x1b[2J")))
    assert texts(run)[0].endswith(": \\x1b[2J")


def test_the_rate_is_recent() -> None:
    """The rate of a stalled download falls to zero; the next download begins anew."""
    rates = Rates()
    first = [rates.rate("w", progress(position=MIB), now=now) for now in range(91, 100)]
    assert first[0] == MIB
    assert first[-1] == 0
    assert rates.rate("w", progress(2, position=MIB), now=100.0) == MIB / 10


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("file", 6, "file  "),
        ("file", 4, "file"),
        ("long-file.iso", 8, "..le.iso"),
        ("文件.iso", 8, "文件.iso"),
        ("文文件.iso", 9, "..件.iso "),
        ("file", 1, "."),
        ("file", 0, ""),
    ],
)
def test_a_name_that_fits(name: str, columns: int, expected: str) -> None:
    """A name fills its columns exactly; a long name is cut at its start."""
    assert fitted(name, columns) == expected
    assert cell_len(expected) == columns


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "ü\\x1b[2J"), ("ascii", "\\xfc\\x1b[2J")]
)
def test_a_name_that_can_be_shown(encoding: str, shown: str) -> None:
    """A character that controls a terminal, or is not in its encoding, is escaped."""
    assert shown_name("ü\x1b[2J", encoding=encoding) == shown


@pytest.mark.parametrize(
    ("rows", "columns", "height"),
    [
        (["x" * 10], 80, 1),
        (["x" * 80, "", "x" * 80], 80, 3),
        (["x" * 80, "", "x" * 80], 40, 5),
        (["x" * 81], 40, 3),
        (["文" * 20], 40, 1),
        (["x" + "文" * 39 + "x"], 40, 3),
    ],
    ids=["short", "full", "narrower", "a little longer", "wide", "wide at the edge"],
)
def test_erased_rows(rows: list[str], columns: int, height: int) -> None:
    """All rows are erased, even if a narrower window has folded them."""
    assert erasure(rows, columns) == "\r\x1b[2K" + "\x1b[A\x1b[2K" * height


def test_nothing_is_erased_at_first() -> None:
    """The first rows do not erase the lines above them."""
    assert erasure([], 80) == ""


@pytest.mark.parametrize(("lines", "shown"), [(1, ""), (2, "3"), (3, "23"), (5, "0123")])
def test_a_low_window(lines: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows are painted than can be erased: the last one is the cursor's."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    screen = Screen(stream)
    monkeypatch.setattr(screen, "size", lambda: (80, lines))
    screen.paint("", [Text(str(number)) for number in range(4)])
    assert stream.buffer.getvalue().decode().replace("\n", "") == shown


def test_lines_above() -> None:
    """A whole line appears at the next update; a partial line when it or the display ends."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    display = Display(stream)
    seen = []
    for text in ("one\ntw", "o\nthree", ""):
        display.write(text)
        display.show(run_of())
        seen.append(stream.buffer.getvalue().decode())
    display.close()
    stream.seek(0)
    written = stream.read()
    assert "one\n" in seen[0]
    assert "tw" not in seen[0]
    assert "two\n" in seen[1]
    assert "three" not in seen[2]
    assert written.endswith("\x1b[2Kthree")


def test_a_counted_job_has_its_log_lines() -> None:
    """The log lines of a job are above the first rows that count the job."""
    run = run_of(counts={JobStatus.FAILED: 1})
    late = run.state()

    def state() -> PoolState:
        display.write("HTTP 404\n")
        return late

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    display = Display(stream)
    display.show(FakeRunView(state))
    written = stream.buffer.getvalue().decode()
    assert written.index("HTTP 404") < written.index("1 failed")
    display.close()


def test_a_closed_terminal() -> None:
    """Painting on a closed terminal raises no error."""
    master, slave = os.openpty()
    stream = os.fdopen(slave, "w", encoding="utf-8")
    display = Display(stream)
    os.close(master)
    display.write("line\n")
    display.show(run_of(progress()))
    display.close()
    with pytest.raises(OSError, match="Input/output error"):
        stream.close()


def test_no_time_left() -> None:
    """Without unfinished jobs, no time left is shown."""
    run = run_of(counts={JobStatus.SUCCESS: 2, JobStatus.FAILED: 1}, is_list_read=True)
    assert texts(run) == ["2 done, 1 failed, 0 retrying of 3 | 3.0 MiB, 2.0 KiB/s"]
