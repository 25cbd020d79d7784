"""Rules for hosts, results of attempts at them, and jobs of hosts whose names are letters."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.jobs import make_job
from url_downloader.config.host_settings import HostLimits, HostSettings
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.host_policy import HostPolicy, host_policy
from url_downloader.shared.contact import Contact, Trouble
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult


def no_jitter(low: float, _: float) -> float:
    """Return the least value."""
    return low


def make_policy(
    limits: HostLimits | None = None,
    *,
    outage_wait: float = 600.0,
    retry: RetrySettings | None = None,
    jitter: Callable[[float, float], float] = no_jitter,
    backoff_on: frozenset[int] = frozenset(),
) -> HostPolicy:
    """Return rules for hosts, with the same limits for all."""
    hosts = HostSettings(
        limits=limits or HostLimits(), outage_wait=outage_wait, backoff_on=backoff_on
    )
    return host_policy(hosts, retry or RetrySettings(), jitter=jitter)


POLICY = make_policy()


def job_of(host: str, number: int = 1) -> DownloadJob:
    """Return a job of a host whose name is a letter."""
    return make_job(number, url=f"http://{host}/{number}")


def name_of(host: str) -> str:
    """Return the name that the engine has for a host."""
    return f"http://{host}"


def good(host: str | None = None) -> JobResult:
    """Return the result of an attempt that has succeeded."""
    return JobResult(http_status=200, contact=Contact(host))


def busy(
    retry_after: float | None = None, *, status: int = 503, host: str | None = None
) -> JobResult:
    """Return the result of an attempt whose reply asks for a pause."""
    kind = ErrorKind.SERVER_ERROR if status >= 500 else ErrorKind.CLIENT_ERROR
    return JobResult(
        kind=kind,
        message=f"HTTP {status}",
        http_status=status,
        retry_after=retry_after,
        contact=Contact(host),
    )


def unreached(
    trouble: Trouble | None = None,
    *,
    kind: ErrorKind = ErrorKind.CONNECT,
    host: str | None = None,
) -> JobResult:
    """Return the result of an attempt that has failed before the first byte of a reply."""
    contact = Contact(host, is_answered=False, trouble=trouble)
    return JobResult(kind=kind, message="connection refused", contact=contact)


NO_NAME = unreached(Trouble.NO_NAME, kind=ErrorKind.DNS)
REFUSED = unreached()
