"""The failed list: the jobs that did not succeed, in the format of the input list.

aria2c can read this list, too. aria2c ignores options that it does not know, but it rejects the
whole list if a value is out of the range that it accepts.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from url_downloader.config.settings import Settings
from url_downloader.inputs.list_entry import OWN_NAMES
from url_downloader.naming.filenames import name_from_url
from url_downloader.shared.descriptors import close_read
from url_downloader.shared.interruptible_pipe import InterruptiblePipe, open_pipe, text_stream
from url_downloader.shared.models import DownloadJob, JobRecord, JobStatus
from url_downloader.shared.text import printable
from url_downloader.storage.disk_errors import output_errors
from url_downloader.storage.missing_features import NOT_OFFERED

NOT_STARTED = "unfinished: not started"
"""Reason of a job without an attempt."""
_MAX_REASON = 200
"""Characters of a reason that are written, at most; a server may have sent a long one."""
_ARIA2_SECONDS = range(1, 601)
"""Seconds that aria2c accepts as a timeout."""

Item = tuple[DownloadJob, str]
"""A job of the list, and the reason why it did not succeed."""


def reason_of(record: JobRecord) -> str:
    """Return the reason why a job did not succeed, for the user."""
    message = record.result.message if record.result else ""
    if record.status is JobStatus.FAILED:
        return f"failed: {message}"
    return f"unfinished: waiting for a retry after: {message}" if message else NOT_STARTED


def list_text(items: Iterable[Item], settings: Settings) -> Iterator[str]:
    """Yield the text of the list, job by job.

    Args:
        items: Jobs and reasons. The text contains the passwords and headers of the jobs.
        settings: Settings of the run. An option with the same value is left out.
    """
    for job, reason in items:
        lines = (f"# {_shown(reason)}", job.url, *_option_lines(job, settings))
        yield "\n".join(lines) + "\n"


def _shown(reason: str) -> str:
    text = printable(reason)
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."


def _option_lines(job: DownloadJob, settings: Settings) -> Iterator[str]:
    # A name that differs from that of the URL has a suffix, because another URL of the list
    # took the plain name. The failed list may lack that URL, and would give no suffix.
    if job.is_named or job.output != name_from_url(job.url):
        yield f"  out={job.output}"
    if job.checksum is not None:
        yield f"  checksum={job.checksum.algorithm}={job.checksum.digest}"
    for name, value in job.headers:
        yield f"  header={name}: {value}"
    for field in fields(job.limits):
        value = getattr(job.limits, field.name)
        if value not in (None, getattr(settings.transfer.limits, field.name)):
            yield f"  {_limit_name(field.name, value)}={_number(value)}"
    if job.max_retries != settings.retry.max_retries:
        yield f"  max-retries={job.max_retries}"


def has_options(job: DownloadJob, settings: Settings) -> bool:
    """Tell whether the job needs option lines, other than `out` for a name with a suffix."""
    lines = _option_lines(job, settings)
    return job.is_named or not all(line.startswith("  out=") for line in lines)


def _limit_name(field: str, value: float) -> str:
    """Return the option's name, or one that aria2c ignores if it would reject the value."""
    name = field.replace("_", "-")
    return name if value in _ARIA2_SECONDS else OWN_NAMES.get(name, name)


def _number(value: float) -> str:
    """Return all digits of the number, without an exponent."""
    if value == int(value):
        return str(int(value))
    # Imported here: it takes long, and few lists have such a value.
    from decimal import Decimal  # noqa: PLC0415

    return f"{Decimal(repr(value)):f}"


def check_writable(path: Path) -> None:
    """Check that the list can be written to the path, unless that is a pipe or device.

    Raises:
        OutputError: The list can't be written.
    """
    with output_errors(f"{path}: the failed URLs can't be written there"):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if _is_replaced(path):
            descriptor, temporary = _temporary(_target(path))
            close_read(descriptor)
            Path(temporary).unlink()


def write_list(
    path: Path, texts: Iterable[str], *, gave_up: Callable[[], bool] = lambda: False
) -> None:
    """Write the list, which only its owner may read; a file is replaced in one step.

    Args:
        path: Path of a file, pipe or device.
        texts: Pieces of the text.
        gave_up: Tells whether to stop waiting for the reader of a pipe.

    Raises:
        OSError: The list can't be written, or the reader of the pipe is too slow. An existing
            file is unchanged.
    """
    if not _is_replaced(path):
        _write_pipe(path, texts, gave_up=gave_up)
        return
    target = _target(path)
    descriptor, temporary = _temporary(target)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.writelines(texts)
            file.flush()
            _sync(descriptor)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _sync(descriptor: int) -> None:
    """Flush the list to the disk, if the file system offers that."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise


def _write_pipe(path: Path, texts: Iterable[str], *, gave_up: Callable[[], bool]) -> None:
    pipe = InterruptiblePipe(
        open_pipe(path, should_stop=gave_up), should_stop=gave_up, is_owner=True
    )
    with text_stream(pipe) as stream:
        stream.writelines(texts)
    if pipe.has_lost_data:
        raise TimeoutError(errno.ETIMEDOUT, "its reader does not read all of it")


def _is_replaced(path: Path) -> bool:
    """Tell whether the path is a file or nothing yet; pipes and devices are not replaced."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _target(path: Path) -> Path:
    """Return the path with all links resolved, so that the links stay."""
    return Path(os.path.realpath(path))


def _temporary(target: Path) -> tuple[int, str]:
    return tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
