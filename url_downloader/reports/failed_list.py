"""The failed list: the jobs that did not succeed, in the format of the input list.

aria2c can read this list, too. aria2c ignores options that it does not know, but it rejects the
whole list if a value is out of the range that it accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from url_downloader.config.settings import Settings
from url_downloader.inputs.list_entry import OWN_NAMES
from url_downloader.naming.filenames import name_from_url
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import DownloadJob, JobRecord, JobStatus
from url_downloader.shared.text import printable

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
    """Return the text of the list, job by job.

    Args:
        items: Jobs and reasons. The text contains the passwords and headers of the jobs.
        settings: Settings of the run. An option with the same value is left out.
    """
    return (entry_text(job, settings, reason=reason) for job, reason in items)


def entry_text(job: DownloadJob, settings: Settings, *, reason: str) -> str:
    """Return the text of one job of the list."""
    lines = (f"# {_shown(reason)}", job.url, *_option_lines(job, settings), "")
    return "\n".join(lines)


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
    # Most jobs share the limits of the run: the comparison of each takes several microseconds.
    if job.limits is not settings.transfer.limits:
        yield from _limit_lines(job.limits, settings.transfer.limits)
    if job.max_retries != settings.retry.max_retries:
        yield f"  max-retries={job.max_retries}"


def _limit_lines(limits: AttemptLimits, usual: AttemptLimits) -> Iterator[str]:
    for field in fields(limits):
        value = getattr(limits, field.name)
        if value not in (None, getattr(usual, field.name)):
            yield f"  {_limit_name(field.name, value)}={_number(value)}"


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
