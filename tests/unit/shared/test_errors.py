"""The error classes: every error keeps its facts, also in a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from url_downloader.shared import errors
from url_downloader.shared.contact import Trouble
from url_downloader.shared.file_facts import FileAge
from url_downloader.shared.models import ErrorKind, JobStatus

EXAMPLES = [
    errors.UrlDownloaderError("what, where, what now"),
    errors.ConfigError("--timeout: must be from 0 to 86400, not -1"),
    errors.InputError("list.txt: the list can't be read"),
    errors.OutputError("downloads: not a folder"),
    errors.TransitionError(7, JobStatus.PENDING, JobStatus.SUCCESS),
    errors.NameTakenError("a.txt", FileAge(seconds=1.5, is_older=True)),
    errors.LockedError("run.lock: another run holds the lock"),
    errors.TransitionError(7, None, JobStatus.RUNNING),
    errors.AttemptError(ErrorKind.DNS, "host name not resolved"),
    errors.AttemptError(ErrorKind.SERVER_ERROR, "HTTP 503"),
    errors.AttemptError(
        ErrorKind.TIMEOUT, "no byte within the timeout", trouble=Trouble.SILENCE
    ),
]


def facts(error: Exception) -> tuple[object, ...]:
    """Return all facts of an error."""
    return type(error), error.args, vars(error), str(error)


def test_every_error_has_an_example() -> None:
    """Each error class has an example below, and derives from the root class."""
    classes = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if each.__module__ == errors.__name__ and each is not errors.Rejection
    }
    assert {type(error) for error in EXAMPLES} == classes
    assert all(issubclass(each, errors.UrlDownloaderError) for each in classes)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_pickles_and_keeps_its_facts(error: Exception) -> None:
    """Type, arguments, attributes and text survive a pickle and a copy."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert facts(pickle.loads(pickle.dumps(error, protocol))) == facts(error)
    assert facts(copy.copy(error)) == facts(error)


def test_an_attempt_error_has_its_facts_as_attributes() -> None:
    """The policy goes by the kind, the user by the message alone."""
    error = errors.AttemptError(ErrorKind.SERVER_ERROR, "HTTP 503")
    assert (error.kind, error.message) == (ErrorKind.SERVER_ERROR, "HTTP 503")
    assert str(error) == "HTTP 503"


@pytest.mark.parametrize(
    ("current", "text"),
    [
        (JobStatus.PENDING, "job 7: pending can't become success"),
        (JobStatus.RETRY_SCHEDULED, "job 7: retry-scheduled can't become success"),
        (None, "job 7: unknown job can't become success"),
    ],
)
def test_a_transition_error_says_which_job_and_what(
    current: JobStatus | None, text: str
) -> None:
    """The text has the job, its state, and the state that was asked for."""
    assert str(errors.TransitionError(7, current, JobStatus.SUCCESS)) == text
