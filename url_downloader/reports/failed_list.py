"""The list of what is still to be downloaded, in the format that lists are read in.

aria2c can read it, too: it ignores the options that it doesn't know, but refuses the whole list
for a value that it doesn't like.
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

NOT_BEGUN = "unfinished: not begun"
_MAX_REASON = 200
_ARIA2_SECONDS = range(1, 601)

Item = tuple[DownloadJob, str]
"""A job and why it is in the list."""


def reason_of(record: JobRecord) -> str:
    """Why a job that has not succeeded is still to be done, for people."""
    message = record.result.message if record.result else ""
    if record.status is JobStatus.FAILED:
        return f"failed: {message}"
    return f"unfinished: waiting for a retry after: {message}" if message else NOT_BEGUN


def list_text(items: Iterable[Item], settings: Settings) -> Iterator[str]:
    """The list, item by item.

    Args:
        items: the jobs, with all their secrets.
        settings: of the run that the jobs were made for; what they say is not repeated.
    """
    for job, reason in items:
        lines = (f"# {_shown(reason)}", job.url, *_option_lines(job, settings))
        yield "\n".join(lines) + "\n"


def _shown(reason: str) -> str:
    text = printable(reason)
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."


def _option_lines(job: DownloadJob, settings: Settings) -> Iterator[str]:
    # A name that another URL of the list made longer must not become that URL's.
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
    """Whether the list asks for more than the URL."""
    lines = _option_lines(job, settings)
    return job.is_named or not all(line.startswith("  out=") for line in lines)


def _limit_name(field: str, value: float) -> str:
    """The option's name; a name that aria2c skips, where it would refuse the value."""
    name = field.replace("_", "-")
    return name if value in _ARIA2_SECONDS else OWN_NAMES.get(name, name)


def _number(value: float) -> str:
    """All its digits, and no exponent."""
    if value == int(value):
        return str(int(value))
    # Here, because it takes long to import, and few lists have such a value.
    from decimal import Decimal  # noqa: PLC0415

    return f"{Decimal(repr(value)):f}"


def check_place(path: Path) -> None:
    """See whether the list can be written there.

    Raises:
        OutputError: it can't.
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
    """Write the list: all of it appears at once, and only its owner may read it.

    Args:
        path: of a file, or of a pipe or device.
        texts: of the list.
        gave_up: tells whether a pipe's reader is to be waited for no longer.

    Raises:
        OSError: it can't be written; what was there is still there.
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
    """Have the list on the disk, where the file system can do that."""
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
        raise TimeoutError(errno.ETIMEDOUT, "its reader does not take all of it")


def _is_replaced(path: Path) -> bool:
    """Whether it is a file, or nothing yet: no pipe, no device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _target(path: Path) -> Path:
    """Where links lead to: they stay."""
    return Path(os.path.realpath(path))


def _temporary(target: Path) -> tuple[int, str]:
    return tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
