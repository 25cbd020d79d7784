"""Examples of failed jobs: the first of the list, in whatever order they failed."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs import BUSY, NOT_FOUND, make_job
from url_downloader.shared.failure_examples import (
    MAX_EXAMPLES,
    FailedJob,
    FailureCollector,
    FailureExamples,
)
from url_downloader.shared.models import ErrorKind, JobResult

DOWN = JobResult(kind=ErrorKind.HOST_DOWN, message="the host is down")
RESULTS = (BUSY, NOT_FOUND, DOWN)
FAILURES = st.lists(st.sampled_from(RESULTS), max_size=100).flatmap(
    lambda results: st.permutations(list(enumerate(results, 1)))
)
"""Failed jobs of a list, each with its number, in any order."""


def examples_of(failures: list[tuple[int, JobResult]]) -> FailureExamples:
    """Return the examples after these jobs have failed in this order."""
    collector = FailureCollector()
    for number, result in failures:
        collector.add(make_job(number), result, cause=result.cause)
    return collector.examples()


def shown(number: int, result: JobResult) -> FailedJob:
    """Return the failed job as it is kept."""
    return FailedJob(number, f"http://h/{number}", result.message)


@given(failures=FAILURES)
def test_the_first_of_the_list(failures: list[tuple[int, JobResult]]) -> None:
    """The first 20 of the jobs that were not refused are kept, and the first of each cause."""
    in_order = sorted(failures, key=lambda failure: failure[0])
    asked = [shown(number, result) for number, result in in_order if result is not DOWN]
    by_cause: dict[str, FailedJob] = {}
    for number, result in in_order:
        by_cause.setdefault(result.cause, shown(number, result))
    examples = examples_of(failures)
    assert examples.first == tuple(asked[:MAX_EXAMPLES])
    assert examples.by_cause == by_cause


@given(failures=FAILURES, parts=st.integers(1, 4))
def test_examples_of_parts(failures: list[tuple[int, JobResult]], parts: int) -> None:
    """The examples of the parts of a run add up to those of the whole."""
    total = FailureExamples()
    for part in range(parts):
        total += examples_of(failures[part::parts])
    assert total == examples_of(failures)


def test_examples_are_a_moment_and_travel() -> None:
    """Examples do not change when more jobs fail, and they can be pickled."""
    collector = FailureCollector()
    collector.add(make_job(2), NOT_FOUND, cause="http-404")
    examples = collector.examples()
    collector.add(make_job(1), NOT_FOUND, cause="http-404")
    assert examples == FailureExamples(
        first=(shown(2, NOT_FOUND),), by_cause={"http-404": shown(2, NOT_FOUND)}
    )
    assert pickle.loads(pickle.dumps(examples)) == examples


def test_no_credentials() -> None:
    """The URL of an example has no user name and no password."""
    collector = FailureCollector()
    collector.add(make_job(url="http://user:secret@h/"), NOT_FOUND, cause="http-404")
    assert collector.examples().first[0].url == "http://h/"


@pytest.mark.parametrize("result", [DOWN, NOT_FOUND])
def test_many_failures_are_not_kept(result: JobResult) -> None:
    """However many jobs fail, refused or not, 20 and one for each cause are kept."""
    examples = examples_of([(number, result) for number in range(1, 5001)])
    assert len(examples.first) == (0 if result is DOWN else MAX_EXAMPLES)
    assert len(examples.by_cause) == 1
