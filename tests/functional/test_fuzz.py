"""Damaged replies: a file appears only if its content is what the message carried.

The environment variable URL_DOWNLOADER_FUZZ_CASES sets another number of cases.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzzing import SPOILINGS, Spoiler, Spoiling, carried
from tests.support.jobs import make_job
from url_downloader.attempt.downloader import Downloader
from url_downloader.config.settings import OutputSettings, Settings
from url_downloader.process_jobs import DownloaderFactory
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import AttemptLimits, ErrorKind, JobResult
from url_downloader.storage.output_directory import OutputDirectory

CASES = int(os.environ.get("URL_DOWNLOADER_FUZZ_CASES", "500"))
TEXT = b"Sphinx of black quartz, judge my vow. 0123456789\r\n" * 4
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\n"
ZIPPED = gzip.compress(TEXT, mtime=0)
LENGTH = b"Content-Length: %d\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"%x\r\n" % 100 + TEXT[:100] + b"\r\n%x;a=b\r\n" % 100 + TEXT[100:] + b"\r\n0\r\n"
MESSAGES = {
    "length": OK + LENGTH % len(TEXT) + b"\r\n" + TEXT,
    "length twice": OK + LENGTH % len(TEXT) + LENGTH % len(TEXT) + b"\r\n" + TEXT,
    "chunks": OK + CHUNKED + CHUNKS + b"\r\n",
    "chunks and a trailer": OK + CHUNKED + CHUNKS + b"Expires: never\r\nX: y\r\n\r\n",
    "chunks and a length": OK + b"Content-Length: 3\r\n" + CHUNKED + CHUNKS + b"\r\n",
    "until the close": OK + b"\r\n" + TEXT,
    "nothing": OK + b"Content-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + OK + LENGTH % 200 + b"\r\n" + TEXT,
    "folded": OK + b"X-Folded: a\r\n b\r\n\tc\r\n" + LENGTH % len(TEXT) + b"\r\n" + TEXT,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 200\r\n\r\n" + TEXT,
    "gzip": OK + b"Content-Encoding: gzip\r\n" + LENGTH % len(ZIPPED) + b"\r\n" + ZIPPED,
    "gzip until the close": OK + b"Content-Encoding: gzip\r\n\r\n" + ZIPPED,
    "error": b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy",
    "partial": b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\nabcd",
}
CONTENT = {
    **dict.fromkeys(MESSAGES, TEXT),
    **dict.fromkeys(["nothing", "no content"], b""),
    **dict.fromkeys(["error", "partial"], None),
}
PIECES = st.sampled_from(
    [
        *[
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"\t",
            b":",
            b",",
            b";",
            b"-",
            b"0",
            b"9",
            b"\xff",
        ],
        *[b"Content-Length: 7\r\n", b"Content-Encoding: gzip\r\n", b"HTTP/1.1 "],
        *[b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n"],
        *[b"\r\n\r\n", b"0\r\n\r\n", b"A" * 70_000],
    ]
)
SPOILT = st.lists(
    st.builds(
        Spoiling,
        st.sampled_from(sorted(SPOILINGS)),
        st.floats(0, 1),
        PIECES | st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)


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
    with Spoiler() as spoiler, OutputDirectory(given_settings.output) as output:
        make = DownloaderFactory(given_settings, directory=output)
        downloader = make(AttemptControl())
        yield SpoiltAttempts(tmp_path, spoiler, downloader)
        downloader.close()


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_is_not_spoilt(attempts: SpoiltAttempts, name: str, step: int) -> None:
    """It is stored to the byte, in whatever steps it comes; the test's reader agrees."""
    result, stored = attempts.meet(MESSAGES[name], step=step)
    assert carried(MESSAGES[name]) == CONTENT[name]
    assert stored == CONTENT[name]
    assert (result.kind is None) == (stored is not None)


@settings(
    max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(
    name=st.sampled_from(sorted(MESSAGES)),
    spoilings=SPOILT,
    step=st.sampled_from([0, 0, 0, 1, 50]),
    is_reset=st.sampled_from([False, False, False, True]),
)
def test_a_message_that_is_spoilt(
    attempts: SpoiltAttempts, *, name: str, spoilings: list[Spoiling], step: int, is_reset: bool
) -> None:
    """The attempt ends without a bug, and a stored file is what the message carried."""
    message = MESSAGES[name]
    for spoiling in spoilings:
        message = spoiling.applied(message)
    if len(message) > 5000:
        step = 0
    result, stored = attempts.meet(message, step=step, is_reset=is_reset)
    assert result.kind is not ErrorKind.INTERNAL, result
    assert (result.kind is None) == (stored is not None), result
    if stored is not None:
        assert stored == carried(message), message
