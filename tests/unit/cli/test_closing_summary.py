"""The summary that the user reads at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.jobs import BUSY
from tests.support.summaries import failed, make_summary, refused
from url_downloader.cli.closing_summary import (
    ClosingSummary,
    lines_below,
    summary_lines,
    summary_rows,
)
from url_downloader.engine.run_summary import RunSummary
from url_downloader.metrics import OTHER_HOST, MetricsSnapshot
from url_downloader.shared.models import ErrorKind, JobResult, JobStatus

NO_HOST = JobResult(kind=ErrorKind.DNS, message="host name not resolved")
BUG = JobResult(kind=ErrorKind.INTERNAL, message="bug of ours")


def lines_of(run: RunSummary) -> Iterator[str]:
    """Yield the lines of a summary that has nothing else in it."""
    return summary_lines(ClosingSummary(run=run))


def lines_after_the_numbers(summary: RunSummary) -> list[str]:
    """Return all but the first two lines, which every summary has."""
    return list(lines_of(summary))[2:]


@pytest.mark.parametrize(
    ("counts", "retries", "line"),
    [
        ({}, 0, "0 downloaded, 0 failed of 0; 0 retries"),
        ({JobStatus.SUCCESS: 12}, 3, "12 downloaded, 0 failed of 12; 3 retries"),
        (
            {JobStatus.SUCCESS: 3, JobStatus.FAILED: 2},
            0,
            "3 downloaded, 2 failed of 5; 0 retries",
        ),
        (
            {
                JobStatus.SUCCESS: 3,
                JobStatus.PENDING: 4,
                JobStatus.RUNNING: 1,
                JobStatus.RETRY_SCHEDULED: 2,
            },
            1,
            "3 downloaded, 0 failed, 7 unfinished of 10; 1 retries",
        ),
    ],
)
def test_the_numbers_of_jobs(counts: dict[JobStatus, int], retries: int, line: str) -> None:
    """The first line counts all jobs by how they ended; it names unfinished ones if any."""
    summary = make_summary(counts=counts, metrics=MetricsSnapshot(retries=retries))
    assert next(lines_of(summary)) == line


def test_the_numbers_of_bytes() -> None:
    """The second line has bytes, duration and mean rate, not the latest rate."""
    metrics = MetricsSnapshot(seconds=125.0, received=250 * 1024**2, rate=77.0)
    summary = make_summary(counts={JobStatus.SUCCESS: 1}, metrics=metrics)
    assert list(lines_of(summary)) == [
        "1 downloaded, 0 failed of 1; 0 retries",
        "250.0 MiB in 2m05s, 2.0 MiB/s",
    ]


def test_a_run_without_jobs() -> None:
    """A run without jobs, which takes no time, has a summary, too."""
    assert list(lines_of(make_summary()))[1] == "0 B in 0.0 s, 0 B/s"


def test_failures_are_grouped_by_cause() -> None:
    """Each cause has its count and its first URL; the most frequent cause comes first."""
    failures = [failed(1, NO_HOST), failed(2, BUSY), failed(3), failed(4), failed(5)]
    failures += [failed(6, BUSY), failed(7, BUG)]
    assert lines_after_the_numbers(make_summary(*failures))[:4] == [
        "3 x http-404, for example http://h/3",
        "2 x http-503, for example http://h/2",
        "1 x dns, for example http://h/1",
        "1 x internal, for example http://h/7",
    ]


def test_each_failure_has_its_reason() -> None:
    """Each failed job has a line with URL and reason, in the order of the list."""
    failures = [failed(5), failed(9, BUG), failed(2, NO_HOST)]
    assert lines_after_the_numbers(make_summary(*failures))[3:] == [
        "failed: http://h/2: host name not resolved",
        "failed: http://h/5: HTTP 404 Not Found",
        "failed: http://h/9: bug of ours",
    ]


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (1, "failed: http://h/0: HTTP 404 Not Found"),
        (20, "failed: http://h/19: HTTP 404 Not Found"),
        (21, "and 1 more failed"),
        (5000, "and 4980 more failed"),
    ],
)
def test_many_failures(count: int, last: str) -> None:
    """Of many failures, the first 20 have a line, and the others are counted."""
    lines = lines_after_the_numbers(make_summary(*map(failed, range(count))))
    assert lines[0] == f"{count} x http-404, for example http://h/0"
    listed = [line for line in lines if line.startswith("failed: ")]
    assert listed == [
        f"failed: http://h/{n}: HTTP 404 Not Found" for n in range(min(count, 20))
    ]
    assert lines[-1] == last


def test_many_failures_beside_refused_jobs() -> None:
    """Refused jobs are neither listed nor counted among the other failures."""
    failures = [refused("dead"), *map(failed, range(2, 24)), refused("dead")]
    assert lines_after_the_numbers(make_summary(*failures))[-1] == "and 2 more failed"


def test_skipped_files() -> None:
    """Files that were complete before the run are counted, if there are any."""
    summary = make_summary(
        counts={JobStatus.SUCCESS: 5}, metrics=MetricsSnapshot(successes=5, skipped=3)
    )
    assert next(lines_of(summary)) == "5 downloaded, 0 failed of 5; 0 retries; 3 skipped"
    assert ("skipped", "3") in list(summary_rows(ClosingSummary(run=summary)))


def test_a_host_with_refused_jobs_has_one_line() -> None:
    """Jobs that were given up without a request are counted by host, and have no more lines."""
    failures = [refused("dead"), failed(1, NO_HOST), *[refused("dead")] * 40, refused("b")]
    assert lines_after_the_numbers(make_summary(*failures)) == [
        "42 x host-down, for example http://dead/",
        "1 x dns, for example http://h/1",
        "http://dead: 41 URLs given up: the host is down: refused",
        "http://b: 1 URL given up: the host is down: refused",
        "failed: http://h/1: host name not resolved",
    ]


def test_a_host_with_several_reasons() -> None:
    """Its line has the most frequent one."""
    failures = [refused("a", "refused"), *[refused("a", "silent")] * 2]
    assert lines_after_the_numbers(make_summary(*failures))[1:] == [
        "http://a: 3 URLs given up: the host is down: silent"
    ]


@pytest.mark.parametrize(
    ("hosts", "others"), [(20, []), (23, ["other hosts: 9 URLs given up"])]
)
def test_many_hosts_with_refused_jobs(hosts: int, others: list[str]) -> None:
    """The 20 hosts with the most of these jobs have a line; the jobs of others are counted."""
    counts = range(hosts + 1, 1, -1)
    failures = [refused(f"h{count}") for count in counts for _ in range(count)]
    lines = [line for line in lines_of(make_summary(*failures)) if "given up" in line]
    reason = "the host is down: refused"
    named = [f"http://h{count}: {count} URLs given up: {reason}" for count in counts[:20]]
    assert lines == [*named, *others]


def test_refused_jobs_of_unknown_hosts() -> None:
    """Refused jobs whose host was not counted are there, too."""
    metrics = MetricsSnapshot(refusals={(OTHER_HOST, ""): 7, ("http://a", "x"): 1})
    summary = make_summary(metrics=metrics, counts={JobStatus.FAILED: 8})
    assert lines_after_the_numbers(summary)[:2] == [
        "http://a: 1 URL given up: x",
        "other hosts: 7 URLs given up",
    ]


def test_refused_jobs_in_the_table() -> None:
    """The table has a row for it."""
    rows = list(summary_rows(ClosingSummary(run=make_summary(refused("a")))))
    assert rows[-1] == ("given up", "http://a: 1 URL given up: the host is down: refused")


def test_no_credentials() -> None:
    """No line of the summary has the user name and password of a URL."""
    text = "\n".join(lines_of(make_summary(*map(failed, range(30)))))
    assert "user" not in text
    assert "secret" not in text


def test_lines_and_table() -> None:
    """Both forms have the bad and repeated lines, the files, and the command that retries."""
    summary = ClosingSummary(
        run=make_summary(failed(1)),
        rejected=2,
        repeated=1,
        files=[("log", "run.log")],
        retry="url-downloader -c urls",
    )
    assert list(summary_lines(summary))[-5:] == [
        "failed: http://h/1: HTTP 404 Not Found",
        "2 bad lines in the list",
        "1 repeated URL counts once",
        "log: run.log",
        "to retry: url-downloader -c urls",
    ]
    assert list(summary_rows(summary)) == [
        ("downloaded", "0 of 1"),
        ("failed", "1"),
        ("received", "0 B in 0.0 s, 0 B/s"),
        ("http-404", "1 x, for example http://h/1"),
        ("bad lines", "2 bad lines in the list"),
        ("repeated", "1 repeated URL counts once"),
        ("log", "run.log"),
    ]
    assert list(lines_below(summary)) == [
        "failed: http://h/1: HTTP 404 Not Found",
        "to retry: url-downloader -c urls",
    ]
