"""The failed list: a list that is written is read again unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs import make_job, make_record
from url_downloader.config.ranges import RANGES
from url_downloader.config.settings import RetrySettings, Settings, TransferSettings
from url_downloader.input_parser import InputParser, normal_url
from url_downloader.inputs.job_maker import JobRules
from url_downloader.naming.filenames import fold, name_from_url
from url_downloader.naming.name_claims import NameClaims
from url_downloader.reports.failed_list import list_text, reason_of
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult, JobStatus
from url_downloader.storage.output_directory import PARTS_FOLDER

SETTINGS = Settings()


def parsed(text: str, settings: Settings = SETTINGS) -> list[DownloadJob]:
    """Return the jobs of a list that has no bad line."""
    complaints: list[str] = []
    parser = InputParser(
        source="list",
        rules=JobRules(claims=NameClaims(reserved=[PARTS_FOLDER])),
        limits=settings.transfer.limits,
        max_retries=settings.retry.max_retries,
        on_rejected=lambda rejection: complaints.append(str(rejection)),
        on_note=complaints.append,
    )
    jobs = parser.parse(text.encode().split(b"\n"))
    found = [job for job in jobs if isinstance(job, DownloadJob)]
    assert complaints == []
    return found


def numbers(flag: str) -> st.SearchStrategy[float]:
    """Return the strategy for values of an option: whole numbers and others."""
    low, high = RANGES[flag]
    whole = st.integers(int(low), int(high)).map(float)
    return whole | st.floats(low, high, allow_nan=False).map(abs)


LIMITS = st.builds(
    AttemptLimits,
    timeout=numbers("--timeout"),
    connect_timeout=st.none() | numbers("--connect-timeout"),
    max_time=numbers("--max-time"),
    speed_limit=numbers("--speed-limit").map(int),
    speed_time=numbers("--speed-time"),
)
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30).map(str.strip)
HEADERS = st.tuples(st.sampled_from(["Authorization", "X-!#$%&'*+.^_`|~1"]), TEXT)
CHECKSUMS = st.sampled_from([Checksum("md5", "0a" * 16), Checksum("sha-512", "b1" * 64)])
PATHS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
URLS = TEXT.map(lambda text: normal_url(f"http://u:p%20w@host/{text}")).filter(
    lambda url: fold(name_from_url(url)) != PARTS_FOLDER
)
"""URLs without a reserved name, which no job can have."""


@st.composite
def jobs(draw: st.DrawFn, settings: Settings) -> DownloadJob:
    """Draw a job that a list can ask for."""
    url = draw(URLS)
    limits = draw(st.just(settings.transfer.limits) | LIMITS)
    if limits.connect_timeout is None:
        limits = replace(limits, connect_timeout=settings.transfer.limits.connect_timeout)
    name = name_from_url(url)
    return make_job(
        url=url,
        output=draw(st.sampled_from([name, "a b/c=d #", f"x.{name}"[:60].rstrip(" .")])),
        limits=limits,
        max_retries=draw(st.just(settings.retry.max_retries) | st.integers(0, 1000)),
        headers=tuple(draw(st.lists(HEADERS, max_size=3))),
        checksum=draw(st.none() | CHECKSUMS),
    )


OTHERS = Settings(
    transfer=TransferSettings(limits=AttemptLimits(timeout=7.5, connect_timeout=0.25)),
    retry=RetrySettings(max_retries=0),
)


@pytest.mark.parametrize("settings", [SETTINGS, OTHERS], ids=["defaults", "others"])
@given(data=st.data(), reason=st.text(max_size=300))
def test_round_trip(settings: Settings, data: st.DataObject, reason: str) -> None:
    """A job is read unchanged, with its name and secrets, whatever its reason is."""
    job = data.draw(jobs(settings))
    (found,) = parsed("".join(list_text([(job, reason)], settings)), settings)
    assert found._replace(is_named=job.is_named) == job


def test_names_are_kept() -> None:
    """A name keeps the suffix that another URL caused, in a list without that URL."""
    first, second = parsed("http://h/a/x.txt\nhttp://h/b/x.txt\n")
    text = "".join(list_text([(second, "failed")], SETTINGS))
    assert parsed(text)[0].output == second.output != first.output
    assert "".join(list_text([(first, "why")], SETTINGS)) == "# why\nhttp://h/a/x.txt\n"


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("timeout=1", "timeout=1"),
        ("timeout=10m", "timeout=600"),
        ("timeout=601", "x-timeout=601"),
        ("timeout=0", "x-timeout=0"),
        ("timeout=1.5", "x-timeout=1.5"),
        ("connect-timeout=0.0000001", "x-connect-timeout=0.0000001"),
        ("connect-timeout=2", "connect-timeout=2"),
        ("max-time=2.5", "max-time=2.5"),
        ("speed-limit=1G", "speed-limit=1073741824"),
    ],
)
def test_values_for_aria2c(line: str, written: str) -> None:
    """A value that aria2c would reject gets a name that aria2c ignores."""
    text = "".join(
        list_text([(each, "") for each in parsed(f"http://h/\n {line}\n")], SETTINGS)
    )
    assert text.splitlines()[2:] == [f"  {written}"]


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (JobStatus.FAILED, "HTTP 404", "failed: HTTP 404"),
        (JobStatus.PENDING, None, "unfinished: not started"),
        (
            JobStatus.RETRY_SCHEDULED,
            "HTTP 503",
            "unfinished: waiting for a retry after: HTTP 503",
        ),
    ],
)
def test_reasons(status: JobStatus, message: str | None, reason: str) -> None:
    """A reason begins with `failed` or `unfinished`."""
    result = JobResult(kind=ErrorKind.INTERNAL, message=message) if message else None
    assert reason_of(make_record(status, result=result)) == reason
