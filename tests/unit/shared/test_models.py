"""States and their transitions, and values that can be pickled and never edited."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from tests.support.jobs import make_event, make_job, make_record
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    TRANSITIONS,
    ErrorKind,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
)

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

JOB = make_job(url="http://u:p@h/a", headers=(("X-A", "1"), ("X-A", "2")))
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
RECORD = make_record(WAITING, JOB, started_at=2.0, waited=1.0, due=13.5, result=RESULT)
EVENT = make_event(RECORD, RUNNING)


def verbs(registry: JobRegistry) -> dict[JobStatus, Callable[[], JobRecord]]:
    """Return the calls of the registry that bring the job into each state."""
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
    """The transition table has every state, and no other transitions than DESIGN.md."""
    pairs = {(status, after) for status, follow in TRANSITIONS.items() for after in follow}
    assert set(TRANSITIONS) == set(JobStatus)
    assert pairs == {(before, after) for before, after in LISTED if before is not None}


@pytest.mark.parametrize("status", JobStatus)
def test_is_terminal(status: JobStatus) -> None:
    """Success and failure are terminal, the other states are not."""
    assert status.is_terminal is (status in {SUCCESS, FAILED})


@pytest.mark.parametrize(
    "value", [JOB, RESULT, RECORD, EVENT, *JobStatus, *ErrorKind], ids=lambda v: str(v)[:20]
)
def test_a_model_travels_to_another_process(value: object) -> None:
    """Values pickle with all protocols, and keep their content and type."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(value, protocol))
        assert type(copy) is type(value)
        assert copy == value


@pytest.mark.parametrize(
    ("value", "name"),
    [(JOB, "url"), (RESULT, "size"), (RECORD, "status"), (EVENT, "time"), (JOB, "new_field")],
)
def test_a_model_is_never_edited(value: object, name: str) -> None:
    """The fields of a value can't be set, and none can be added."""
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


def test_a_job_shows_its_url_without_credentials() -> None:
    """The URL that may be logged has neither user name nor password."""
    assert JOB.shown_url == "http://h/a"
