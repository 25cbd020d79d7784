"""Runs with real threads whose network goes, or whose hosts all pause, and that are stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest

from tests.support.hosts import busy, good, job_of, unreached
from tests.support.scripted_pool import NO_DELAY, PATIENT, ScriptedPool
from url_downloader.config.host_settings import HostSettings
from url_downloader.config.settings import PoolSettings
from url_downloader.engine import host_queue, outage
from url_downloader.engine.run_limits import StopReason
from url_downloader.shared.contact import Trouble
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult, JobStatus

SILENCE = 0.5
PROBE = 0.1
SILENT = unreached(Trouble.SILENCE, kind=ErrorKind.TIMEOUT)
NO_NETWORK = unreached(Trouble.NO_NETWORK)
EIGHT = PoolSettings(max_workers=8)


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an outage begin after half a second, with ten probes a second."""
    monkeypatch.setattr(outage, "SILENCE_SECONDS", SILENCE)
    monkeypatch.setattr(outage, "TRY_SECONDS", 0.05)
    monkeypatch.setattr(host_queue, "NETWORK_PROBE", PROBE)


class NetworkPool(ScriptedPool):
    """A pool whose network goes after some attempts, and is back after some failed ones.

    Args:
        failure: Result of an attempt without a network.
        pool: Settings of the pool.
        good_attempts: Number of attempts before the network goes.
        failures: Number of failed attempts after which it is back; None if it never is.
        outage_wait: Seconds to wait for the network.

    Attributes:
        failed_at: Times of the failed attempts.
    """

    def __init__(
        self,
        failure: JobResult,
        *,
        pool: PoolSettings = EIGHT,
        good_attempts: int = 30,
        failures: int | None = 30,
        outage_wait: float = PATIENT,
    ) -> None:
        self.failed_at: list[float] = []
        self._failure = failure
        self._good_left = good_attempts
        self._failures = failures
        self._count = threading.Lock()
        self._all_ask = threading.Barrier(pool.max_workers)
        super().__init__(
            self._act, pool=pool, retry=NO_DELAY, hosts=HostSettings(outage_wait=outage_wait)
        )

    def is_reachable(self) -> bool:
        return self._has_network()

    def _has_network(self) -> bool:
        is_back = self._failures is not None and len(self.failed_at) >= self._failures
        return self._good_left > 0 or is_back

    def _act(self, job: DownloadJob, _: int) -> JobResult:
        control = self.control()
        control.begin(job)
        control.ask(None)
        with self._count:
            is_good = self._has_network()
            self._good_left -= 1
        if is_good:
            control.note_reply(200)
            control.end()
            return good()
        # The first ones are silent at the same time.
        with suppress(threading.BrokenBarrierError):
            self._all_ask.wait(PATIENT)
        self._all_ask.abort()
        self.failed_at.append(time.monotonic())
        return self._failure


def jobs_of(hosts: Sequence[str], count: int) -> list[DownloadJob]:
    """Return jobs of these hosts, by turns."""
    return [job_of(hosts[n % len(hosts)], n) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("failure", "hosts", "workers"),
    [
        (NO_NETWORK, "a", 1),
        (NO_NETWORK, "a", 8),
        (NO_NETWORK, "abcdefgh", 8),
        (SILENT, "abcdefgh", 8),
    ],
)
def test_a_network_that_goes_fails_nothing(
    failure: JobResult, hosts: str, workers: int
) -> None:
    """No attempt without a network is counted; only probes are made; afterwards all goes on."""
    pool = NetworkPool(failure, pool=PoolSettings(max_workers=workers))
    summary = pool.run([job._replace(max_retries=0) for job in jobs_of(hosts, 300)])
    assert summary.counts[JobStatus.SUCCESS] == 300
    assert summary.stopped_by is None
    # Those that were held back fail together; each probe then has its time.
    probes = pool.failed_at[workers:]
    assert len(probes) >= 30 - workers - 1
    assert probes[-1] - probes[0] >= 0.7 * PROBE * (len(probes) - 1)


def test_a_network_that_stays_away_ends_the_run() -> None:
    """After the outage wait the run ends; no job has failed, and all are left."""
    pool = NetworkPool(NO_NETWORK, failures=None, outage_wait=1.5)
    summary = pool.run([job._replace(max_retries=0) for job in jobs_of("abcdef", 300)])
    assert summary.stopped_by is StopReason.NO_NETWORK
    assert summary.counts[JobStatus.FAILED] == 0
    assert (summary.counts[JobStatus.SUCCESS], summary.unfinished) == (30, 270)


def test_a_few_silent_hosts_are_no_outage() -> None:
    """Four hosts that are silent fail by themselves, at once."""
    pool = NetworkPool(SILENT, failures=None)
    summary = pool.run([job._replace(max_retries=0) for job in jobs_of("abcd", 42)])
    assert summary.stopped_by is None
    assert (summary.counts[JobStatus.SUCCESS], summary.counts[JobStatus.FAILED]) == (30, 12)


@pytest.mark.parametrize("workers", [1, 8])
def test_a_stop_in_a_pause_fails_nothing(workers: int) -> None:
    """A run that is stopped while its hosts are paused ends at once; its jobs are left."""
    asked = threading.Semaphore(0)
    stopped_at = 0.0

    def script(*_: object) -> JobResult:
        asked.release()
        return busy(500.0)

    def should_stop() -> bool:
        nonlocal stopped_at
        if not stopped_at and all(asked.acquire(timeout=PATIENT) for _ in "abc"):
            stopped_at = time.monotonic()
        return bool(stopped_at)

    pool = ScriptedPool(script, pool=PoolSettings(max_workers=workers), should_stop=should_stop)
    pool.job_pool._producer._must_stop = lambda: False
    summary = pool.run(jobs_of("abc", 100))
    assert time.monotonic() - stopped_at < 10.0
    assert summary.counts[JobStatus.FAILED] == 0
    assert summary.unfinished == 100
