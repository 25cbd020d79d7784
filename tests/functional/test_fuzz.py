"""Damaged replies: a file appears only if its content is what the message carried.

The environment variable URL_DOWNLOADER_FUZZ_CASES sets another number of cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzzing import (
    MESSAGES,
    PIECES,
    TEXT,
    Spoiler,
    Spoiling,
    carried,
    spoilings,
    spoilt,
)
from tests.support.jobs import make_job
from tests.support.slow_reader import Ending
from url_downloader.attempt.downloader import Downloader
from url_downloader.config.settings import OutputSettings, Settings
from url_downloader.process_jobs import DownloaderFactory
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind, JobResult

CASES = int(os.environ.get("URL_DOWNLOADER_FUZZ_CASES", "500"))
CONTENT = {
    **dict.fromkeys(MESSAGES, TEXT),
    **dict.fromkeys(["nothing", "no content"], b""),
    **dict.fromkeys(["error", "partial"], None),
}


class SpoiltAttempts:
    """Attempts of the program for one file, at a server that damages its replies."""

    def __init__(self, directory: Path, spoiler: Spoiler, downloader: Downloader) -> None:
        self._file = directory / "file.bin"
        self._spoiler = spoiler
        self._downloader = downloader
        self._jobs = 0

    def meet(
        self, message: bytes, *, step: int = 0, is_reset: bool = False
    ) -> tuple[JobResult, bytes | None]:
        """Make an attempt; return its result, and the content of its file if there is one."""
        spoiler = self._spoiler
        spoiler.message, spoiler.step, spoiler.is_reset = message, step, is_reset
        self._jobs += 1
        result = self._downloader.attempt(
            make_job(
                self._jobs,
                url=spoiler.url,
                output="file.bin",
                limits=AttemptLimits(timeout=10),
            )
        )
        stored = self._file.read_bytes() if self._file.exists() else None
        left = [path.name for path in self._file.parent.rglob("*") if path != self._file]
        assert left == [".url-downloader"]
        self._file.unlink(missing_ok=True)
        return result, stored


@pytest.fixture
def attempts(tmp_path: Path) -> Iterator[SpoiltAttempts]:
    """Yield attempts of one downloader, so that leftovers of a case disturb the next one."""
    given_settings = Settings(output=OutputSettings(directory=tmp_path))
    with (
        Spoiler() as spoiler,
        DownloaderFactory(given_settings) as factory,
        closing(factory.make_downloader(AttemptControl())) as downloader,
    ):
        yield SpoiltAttempts(tmp_path, spoiler, downloader)


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_is_not_spoilt(attempts: SpoiltAttempts, name: str, step: int) -> None:
    """It is stored to the byte, in whatever steps it comes; the test's reader agrees."""
    result, stored = attempts.meet(MESSAGES[name], step=step)
    assert carried(MESSAGES[name], ending=Ending.CLOSED) == CONTENT[name]
    assert stored == CONTENT[name]
    assert (result.kind is None) == (stored is not None)


@settings(
    max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(
    name=st.sampled_from(sorted(MESSAGES)),
    damages=spoilings(PIECES),
    step=st.sampled_from([0, 0, 0, 1, 50]),
    is_reset=st.sampled_from([False, False, False, True]),
)
def test_a_message_that_is_spoilt(
    attempts: SpoiltAttempts, *, name: str, damages: list[Spoiling], step: int, is_reset: bool
) -> None:
    """The attempt ends without a bug, and a stored file is what the message carried."""
    message = spoilt(MESSAGES[name], damages)
    if len(message) > 5000:
        step = 0
    result, stored = attempts.meet(message, step=step, is_reset=is_reset)
    assert result.kind is not ErrorKind.INTERNAL, result
    assert (result.kind is None) == (stored is not None), result
    if stored is not None:
        ending = Ending.RESET if is_reset else Ending.CLOSED
        assert stored == carried(message, ending=ending), message
