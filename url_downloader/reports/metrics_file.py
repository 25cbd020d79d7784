"""The metrics file: the counters of a run, for Prometheus' node_exporter."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from url_downloader.engine.host_state import HostPhase
from url_downloader.engine.host_troubles import HostTroubles
from url_downloader.engine.monitor import PoolState
from url_downloader.shared.models import JobStatus

log = logging.getLogger(__package__)

_LAST_SUCCESS = "url_downloader_last_success_timestamp_seconds"


class MetricsFile:
    """Metrics file of a run. Each write replaces it by an atomic rename.

    Args:
        path: Path of the file.
        utc_now: Wall clock, seconds since the epoch.

    Attributes:
        error: Error of the last write; None if it succeeded.

    Threads: one at a time.
    """

    def __init__(self, path: Path, *, utc_now: Callable[[], float] = time.time) -> None:
        self.error: OSError | None = None
        self._path = path
        self._utc_now = utc_now
        self._began = utc_now()
        self._last_success = _last_success(path)

    def write(self, state: PoolState, *, exit_status: int | None = None) -> None:
        """Write the state of the run. On failure, set `error`, and log the first of a series.

        Args:
            state: State of the run.
            exit_status: Exit status of the run; None while it goes on.
        """
        if exit_status == 0:
            self._last_success = self._utc_now()
        times = self._time_families(exit_status)
        self._replace(_Families(*_run_families(state), *_host_families(state.hosts), *times))

    def _replace(self, families: Collector) -> None:
        registry = CollectorRegistry()
        registry.register(families)
        try:
            write_to_textfile(os.fspath(self._path), registry)
        except OSError as error:
            if self.error is None:
                log.error("%s: the metrics can't be written: %s", self._path, error.strerror)
            self.error = error
        else:
            self.error = None

    def _time_families(self, exit_status: int | None) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "url_downloader_run_start_timestamp_seconds",
            "Time when the last run began.",
            self._began,
        )
        if exit_status is not None:
            yield GaugeMetricFamily(
                "url_downloader_run_end_timestamp_seconds",
                "Time when the last run ended. Missing while a run goes on.",
                self._utc_now(),
            )
            yield GaugeMetricFamily(
                "url_downloader_exit_status",
                "Exit status of the last run. Missing while a run goes on.",
                exit_status,
            )
        if self._last_success is not None:
            text = "Time when a run last ended with exit status 0."
            yield GaugeMetricFamily(_LAST_SUCCESS, text, self._last_success)


class _Families(Collector):
    """Collector that returns the given families."""

    def __init__(self, *families: Metric) -> None:
        self._families = families

    def collect(self) -> tuple[Metric, ...]:
        return self._families


def _run_families(state: PoolState) -> Iterator[Metric]:
    metrics = state.metrics
    jobs = GaugeMetricFamily("url_downloader_jobs", "Jobs by state.", labels=["state"])
    for status in JobStatus:
        jobs.add_metric([status.value], state.counts[status])
    yield jobs
    for name, value, text in (
        ("list_read", state.is_list_read, "1 if the list was read to its end, else 0."),
        ("parked_jobs", state.parked, "URLs read ahead, and retries that are due."),
        ("no_network", state.has_outage, "1 while this machine has no network, else 0."),
        ("in_flight_attempts", metrics.in_flight, "Attempts that are going on."),
    ):
        yield GaugeMetricFamily(f"url_downloader_{name}", text, value)
    for name, value, text in (
        (
            "received_bytes",
            metrics.received,
            "Bytes of files as received.",
        ),
        ("retries", metrics.retries, "Retries that were scheduled."),
    ):
        yield CounterMetricFamily(f"url_downloader_{name}", text, value)
    for name, label, values, text in (
        ("failures", "cause", metrics.failures, "Failed jobs by cause."),
        ("http_responses", "code", metrics.http_statuses, "Final replies by status code."),
    ):
        family = CounterMetricFamily(f"url_downloader_{name}", text, labels=[label])
        for value_of_label, count in values.items():
            family.add_metric([str(value_of_label)], count)
        yield family


def _host_families(hosts: HostTroubles) -> Iterator[Metric]:
    """Yield the numbers of hosts by phase: a label with the name would have too many values."""
    now = GaugeMetricFamily(
        "url_downloader_hosts", "Hosts in trouble by phase.", labels=["phase"]
    )
    begun = CounterMetricFamily(
        "url_downloader_host_troubles", "Troubles of hosts that began.", labels=["phase"]
    )
    for phase in HostPhase:
        now.add_metric([phase.value], hosts.phases.get(phase, 0))
        begun.add_metric([phase.value], hosts.begun.get(phase, 0))
    yield from (now, begun)


def _last_success(path: Path) -> float | None:
    """Return the time of the last success, as an earlier run wrote it; None if none did.

    The new file keeps this time, so that an alert on it works across runs that fail.
    """
    try:
        families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
        samples = (sample for family in families for sample in family.samples)
        return next((each.value for each in samples if each.name == _LAST_SUCCESS), None)
    except (OSError, ValueError):
        return None
