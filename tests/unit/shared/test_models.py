"""The words of the domain: states and what may follow them, values that travel, shown URLs."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    TRANSITIONS,
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
)
from url_downloader.shared.url_parts import without_credentials

PENDING, RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
LISTED = {
    (None, PENDING),
    (PENDING, RUNNING),
    (RUNNING, SUCCESS),
    (RUNNING, FAILED),
    (RUNNING, WAITING),
    (WAITING, RUNNING),
}
WAYS: dict[JobStatus | None, list[JobStatus]] = {
    None: [],
    PENDING: [PENDING],
    RUNNING: [PENDING, RUNNING],
    WAITING: [PENDING, RUNNING, WAITING],
    SUCCESS: [PENDING, RUNNING, SUCCESS],
    FAILED: [PENDING, RUNNING, FAILED],
}

JOB = DownloadJob(
    job_id=1,
    url="http://u:p@h/a",
    output="d/a",
    max_retries=2,
    headers=(("X-A", "1"), ("X-A", "2")),
)
RESULT = JobResult(
    kind=ErrorKind.SERVER_ERROR,
    message="HTTP 503",
    http_status=503,
    size=7,
    path="d/a",
    retry_after=9.5,
    seconds=0.25,
    is_length_known=False,
)
RECORD = JobRecord(
    job=JOB,
    status=WAITING,
    attempts=1,
    created_at=1.0,
    since=4.0,
    started_at=2.0,
    waited=1.0,
    worked=2.0,
    due=13.5,
    result=RESULT,
)
EVENT = JobEvent(sequence=3, time=4.0, previous=RUNNING, record=RECORD)

USERINFO = st.text("aZ0:@%!$&'()*+,;=-._~", max_size=12)
HOSTS = st.sampled_from(["h", "a.example:8080", "[::1]", "[2001:db8::1]:443", "127.0.0.1"])
TAILS = st.text("ab:@/?#&=.", max_size=20).map(lambda tail: f"/{tail}")


def verbs(registry: JobRegistry) -> dict[JobStatus, Callable[[], JobRecord]]:
    """What the registry is asked in order to bring the job into each state."""
    return {
        PENDING: lambda: registry.add(JOB),
        RUNNING: lambda: registry.start(1),
        SUCCESS: lambda: registry.succeed(1, RESULT),
        FAILED: lambda: registry.fail(1, RESULT),
        WAITING: lambda: registry.schedule_retry(1, RESULT, due=9.0),
    }


@pytest.mark.parametrize(
    ("current", "wanted"), list(itertools.product([None, *JobStatus], JobStatus)), ids=str
)
def test_every_pair_of_states(current: JobStatus | None, wanted: JobStatus) -> None:
    """Exactly the listed transitions are made; any other raises and changes nothing."""
    events: list[JobEvent] = []
    registry = JobRegistry(listeners=[events.append])
    move = verbs(registry)
    for step in WAYS[current]:
        move[step]()
    before = registry.snapshot(), registry.counts(), len(events)

    if (current, wanted) in LISTED:
        assert move[wanted]().status is wanted
        assert registry.get(1).status is wanted
    else:
        with pytest.raises(TransitionError) as caught:
            move[wanted]()
        assert caught.value.args == (1, current, wanted)
        assert (registry.snapshot(), registry.counts(), len(events)) == before


def test_the_table_is_the_list() -> None:
    """The transition table knows every state, and says what DESIGN.md says."""
    pairs = {(status, after) for status, follow in TRANSITIONS.items() for after in follow}
    assert set(TRANSITIONS) == set(JobStatus)
    assert pairs == {(before, after) for before, after in LISTED if before is not None}


@pytest.mark.parametrize("status", JobStatus)
def test_is_terminal(status: JobStatus) -> None:
    """Success and failure are ends, nothing else is."""
    assert status.is_terminal is (status in {SUCCESS, FAILED})


@pytest.mark.parametrize(
    "value", [JOB, RESULT, RECORD, EVENT, *JobStatus, *ErrorKind], ids=lambda v: str(v)[:20]
)
def test_a_model_travels_to_another_process(value: object) -> None:
    """Whatever crosses a thread can cross a process: it pickles, whole and of its type."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(value, protocol))
        assert type(copy) is type(value)
        assert copy == value


@pytest.mark.parametrize(
    ("value", "name"),
    [(JOB, "url"), (RESULT, "size"), (RECORD, "status"), (EVENT, "time"), (JOB, "new_field")],
)
def test_a_model_is_never_edited(value: object, name: str) -> None:
    """A model's fields can't be set, and none can be added."""
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        setattr(value, name, 1)


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (JobResult(kind=ErrorKind.CLIENT_ERROR, http_status=404), "http-404"),
        (JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503), "http-503"),
        (JobResult(kind=ErrorKind.CLIENT_ERROR), "http-4xx"),
        (JobResult(kind=ErrorKind.TRUNCATED, http_status=200), "truncated"),
        (JobResult(kind=ErrorKind.RETRY_AFTER, http_status=503), "retry-after-too-long"),
        (JobResult(kind=ErrorKind.DNS), "dns"),
    ],
)
def test_cause(result: JobResult, cause: str) -> None:
    """A failure by status is grouped by that status, any other by its kind."""
    assert result.cause == cause


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/", "http://h/"),
        ("http://u@h/", "http://h/"),
        ("http://u:p@h/", "http://h/"),
        ("http://:p@h/", "http://h/"),
        ("http://@h/", "http://h/"),
        ("https://u:p@h:8443/a?b=c#d", "https://h:8443/a?b=c#d"),
        ("https://u:p@[::1]:80/", "https://[::1]:80/"),
        ("http://u:p%40q@h/", "http://h/"),
        # Addresses after the authority are no user's.
        ("http://h/a@b", "http://h/a@b"),
        ("http://h?a@b", "http://h?a@b"),
        ("http://h#a@b", "http://h#a@b"),
        ("http://h:80/a:b@c/d", "http://h:80/a:b@c/d"),
        ("http://h/npm//pkg@1.0/x", "http://h/npm//pkg@1.0/x"),
        ("http://u:p@h/npm//pkg@1.0/x", "http://h/npm//pkg@1.0/x"),
        # What is no valid URL is shown too: in a complaint about it.
        ("http://u:p@ss@h/", "http://h/"),
        ("http://u:p w@h/", "http://h/"),
        ("http://u:p\x00@h/", "http://h/"),
        ("http://u:p@", "http://"),
        ("http://u:p@h:99999999/", "http://h:99999999/"),
        ("ftp://u:p@h/a", "ftp://h/a"),
        ("//u:p@h/a", "//h/a"),
        ("u:p@h/a", "h/a"),
        ("http://u:é@h/", "http://h/"),
        ("http://u:p\n@h/", "http://h/"),
        ("", ""),
        ("@", ""),
    ],
)
def test_without_credentials(url: str, shown: str) -> None:
    """User name and password vanish from a URL, even from a bad one; all else stays."""
    assert without_credentials(url) == shown


@given(USERINFO, HOSTS, TAILS)
def test_of_any_valid_url_only_the_userinfo_vanishes(user: str, host: str, tail: str) -> None:
    """Whatever stands in the path, the query and the fragment, it is shown as it is."""
    plain = f"http://{host}{tail}"
    assert without_credentials(plain) == plain
    assert without_credentials(f"http://{user}@{host}{tail}") == plain


def test_a_job_shows_its_url_without_credentials() -> None:
    """What may be logged of a job's URL has neither name nor password."""
    assert JOB.shown_url == "http://h/a"
