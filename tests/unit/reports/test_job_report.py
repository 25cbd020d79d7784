"""The lines of the report, checked against the schema and against the events."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.jobs import make_job
from tests.support.reports import SCHEMA, read_report
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.reports.job_report import Attempt, Report, rfc3339
from url_downloader.shared.contact import Contact
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    ErrorKind,
    JobResult,
    Outcome,
    PassedOver,
    SourceFacts,
)

BUSY = JobResult(
    kind=ErrorKind.SERVER_ERROR,
    message="HTTP 503",
    http_status=503,
    received=7,
    retry_after=3.5,
    contact=Contact(),
)
LOST = JobResult(kind=ErrorKind.INTERRUPTED, message="interrupted")
SHA = Checksum("sha-256", "ab" * 32)
SOURCE = SourceFacts(
    url="http://mirror/f",
    etag='W/"\xff"',
    modified=1_700_000_000.0,
    digests=(Checksum("md5", "0" * 32), SHA),
)
DONE = JobResult(
    http_status=200,
    size=10,
    path="d/\udcff",
    received=3,
    source=SOURCE,
    contact=Contact("http://mirror"),
)
PAUSED = HostState(HostPhase.PAUSED, "HTTP 429", 1_000_000_130.25, "http://host", 7)


class ReportedRun:
    """A registry with a manual clock, and the report that listens to it."""

    def __init__(self) -> None:
        self.clock = 100.0
        self.text = b""
        self.report = Report(self._write, utc_now=self._utc_now)
        self.registry = JobRegistry(
            listeners=[self.report.on_event], now=lambda: self.clock, utc_now=self._utc_now
        )

    def add(self, number: int = 1) -> None:
        """Register a job."""
        self.registry.add(make_job(number, url=f"http://user:secret@host/{number}"))

    def attempt(self, result: JobResult, *, number: int = 1, wait: float = -1) -> None:
        """Run an attempt of two seconds, half a second from now; then end the job or wait.

        Args:
            result: Result of the attempt.
            number: Number of the job.
            wait: Seconds until the next attempt; negative = none follows.
        """
        self.clock += 0.5
        self.registry.start(number)
        self.clock += 2
        if wait >= 0:
            self.registry.schedule_retry(number, result, due=self.clock + wait)
            self.clock += wait
        elif result.kind is None:
            self.registry.succeed(number, result)
        else:
            self.registry.fail(number, result)

    def end(self, *hosts: HostState) -> list[dict[str, Any]]:
        """End the run with these hosts in trouble; return the records of the report."""
        self.report.add_unfinished(self.registry.snapshot(), hosts)
        assert b"secret" not in self.text
        return read_report(self.text.decode())

    def _utc_now(self) -> float:
        return self.clock + 1_000_000_000.25

    def _write(self, line: Callable[[], bytes]) -> None:
        self.text += line()


def at(seconds: float) -> str:
    """Return the time of day at these seconds after the start of the run."""
    whole, rest = divmod(seconds + 0.25, 1)
    return f"2001-09-09T01:48:{20 + int(whole):02}.{int(rest * 1_000_000):06}Z"


def test_a_success_after_a_retry() -> None:
    """One line has all facts about a job, and the times of each attempt."""
    run = ReportedRun()
    run.add()
    run.attempt(BUSY, wait=4.0)
    assert run.text == b""
    run.attempt(DONE)
    assert run.end() == [
        {
            "job": 1,
            "url": "http://host/1",
            "path": "d/\udcff",
            "status": "success",
            "outcome": "downloaded",
            "error_kind": None,
            "error_message": None,
            "final_url": "http://mirror/f",
            "size": 10,
            "is_length_known": True,
            "etag": 'W/"\xff"',
            "last_modified": "2023-11-14T22:13:20.000000Z",
            "sha256": SHA.digest,
            "queued_at": at(0),
            "started_at": at(0.5),
            "finished_at": at(9),
            "host_trouble": None,
            "attempts": [
                {
                    "started_at": at(0.5),
                    "host": "http://host",
                    "http_status": 503,
                    "bytes": 7,
                    "seconds": 2.0,
                    "error_kind": "http-5xx",
                    "retry_after": 3.5,
                    "wait": 4.0,
                },
                {
                    "started_at": at(7),
                    "host": "http://mirror",
                    "http_status": 200,
                    "bytes": 3,
                    "seconds": 2.0,
                    "error_kind": None,
                    "retry_after": None,
                    "wait": None,
                },
            ],
        }
    ]


def test_each_status() -> None:
    """A job that has not ended is unfinished, and has its attempts."""
    run = ReportedRun()
    for number in range(1, 5):
        run.add(number)
    run.attempt(LOST, number=2)
    run.attempt(BUSY, number=3, wait=0)
    run.attempt(BUSY, number=3, wait=60)
    run.attempt(JobResult(path="4", outcome=Outcome.SKIPPED), number=4)
    ends = [
        (each["status"], each["outcome"], each["error_kind"], len(each["attempts"]))
        for each in run.end()
    ]
    assert ends == [
        ("unfinished", None, None, 0),
        ("failed", None, "interrupted", 1),
        ("unfinished", None, "http-5xx", 2),
        ("success", "skipped", None, 1),
    ]


def test_a_url_that_was_passed_over() -> None:
    """A URL whose file is known to be complete has its line, without an attempt."""
    run = ReportedRun()
    job, result = make_job(1), JobResult(path="d/1", size=7, outcome=Outcome.SKIPPED)
    run.registry.pass_over(PassedOver(1, [(job, result)]))
    [record] = run.end()
    assert (record["status"], record["outcome"]) == ("success", "skipped")
    assert (record["path"], record["size"], record["attempts"]) == ("d/1", 7, [])
    assert (record["started_at"], record["finished_at"]) == (None, at(0))


def test_a_download_has_an_attempt() -> None:
    """The schema has no download, and no failure, without an attempt."""
    run = ReportedRun()
    run.add(1)
    run.add(2)
    run.attempt(DONE, number=1)
    run.attempt(BUSY, number=2)
    validator = Draft202012Validator(SCHEMA)
    for record in run.end():
        assert not validator.is_valid({**record, "attempts": []})


def test_nothing_of_ended_jobs_is_kept() -> None:
    """The report forgets the attempts of a job when the job has ended."""
    run = ReportedRun()
    for number in (1, 2, 3):
        run.add(number)
        run.attempt(BUSY, number=number, wait=0)
    run.attempt(LOST, number=1)
    run.attempt(DONE, number=2)
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is Attempt]
    assert [each.record.job.job_id for each in kept] == [3]


def test_the_trouble_of_a_host() -> None:
    """An unfinished job whose host is in trouble says which host, why, and until when."""
    run = ReportedRun()
    for number in range(1, 4):
        run.add(number)
    run.attempt(BUSY, number=2, wait=60)
    run.attempt(DONE, number=3)
    troubles = [each["host_trouble"] for each in run.end(PAUSED)]
    trouble = {
        "host": "http://host",
        "phase": "paused",
        "reason": "HTTP 429",
        "until": at(30),
    }
    assert troubles == [trouble, trouble, None]


def test_the_trouble_of_another_host() -> None:
    """It is no matter of this job: the same name with another port is another host."""
    run = ReportedRun()
    run.add()
    others = [PAUSED._replace(host=host) for host in ("http://host:81", "https://host")]
    assert run.end(*others)[0]["host_trouble"] is None


@pytest.mark.parametrize("phase", HostPhase)
def test_each_phase(phase: HostPhase) -> None:
    """The schema has each phase, and a time that no calendar has is null."""
    run = ReportedRun()
    run.add()
    [record] = run.end(PAUSED._replace(phase=phase, until=float("inf")))
    assert (record["host_trouble"]["phase"], record["host_trouble"]["until"]) == (phase, None)


def test_a_refused_job() -> None:
    """An attempt without a request has no host; after a long Retry-After it has the rest."""
    run = ReportedRun()
    for number, seconds in enumerate((3000.25, float("inf")), 1):
        run.add(number)
        reason = JobResult(ErrorKind.RETRY_AFTER, "too long", retry_after=seconds)
        run.attempt(reason, number=number)
    attempts = [each["attempts"][0] for each in run.end()]
    assert [each["host"] for each in attempts] == [None, None]
    assert [each["retry_after"] for each in attempts] == [3000.25, None]


@pytest.mark.parametrize("modified", [-1e15, 1e15, float("inf"), float("nan")])
def test_a_time_out_of_range(modified: float) -> None:
    """A date of a server is null if no calendar has it."""
    run = ReportedRun()
    run.add()
    run.attempt(JobResult(path="1", source=SourceFacts(modified=modified)))
    assert run.end()[0]["last_modified"] is None


def test_the_schema_is_valid() -> None:
    """The schema is valid, and has all error kinds and outcomes of the program."""
    Draft202012Validator.check_schema(SCHEMA)
    fields = SCHEMA["properties"]
    attempt = fields["attempts"]["items"]["properties"]
    assert fields["error_kind"]["enum"] == attempt["error_kind"]["enum"]
    assert fields["error_kind"]["enum"] == [*map(str, ErrorKind), None]
    assert fields["outcome"]["enum"] == [*map(str, Outcome), None]
    assert fields["host_trouble"]["properties"]["phase"]["enum"] == [*map(str, HostPhase)]


def test_lines_are_plain_ascii() -> None:
    """A record is one line of ASCII, even if its text has control characters."""
    run = ReportedRun()
    run.add()
    run.attempt(JobResult(kind=ErrorKind.INTERNAL, message="\n\r\x1b\u2028 \xe4"))
    assert run.text.isascii()
    assert run.text.count(b"\n") == len(run.text.splitlines()) == 1
    assert json.loads(run.text)["error_message"] == "\n\r\x1b\u2028 \xe4"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (0.9999999, "1970-01-01T00:00:01.000000Z"),
        (-0.5, "1969-12-31T23:59:59.500000Z"),
        (1_700_000_000.125, "2023-11-14T22:13:20.125000Z"),
        (-62_135_596_800.0, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_800.0, None),
        (float("nan"), None),
        (float("-inf"), None),
        (None, None),
    ],
)
def test_rfc3339(seconds: float | None, text: str | None) -> None:
    """A time is in UTC, with microseconds, of a fixed length; out of range it is None."""
    assert rfc3339(seconds) == text
