"""Link between a run and its ledger: what the ledger records, and what follows from that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from url_downloader.engine.run_limits import RunLimits, StopReason
from url_downloader.metrics import Metrics
from url_downloader.shared.history import RunLedger
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import JobRecord

log = logging.getLogger(__package__)


class Recording:
    """Recording of a run in its ledger.

    Args:
        ledger: Ledger of the run; None without one.
        registry: Registry of its jobs; committed records leave its memory.
        limits: Limits of the run, which ends if the ledger can't be written.
        metrics: Counters of the run, which the ledger records from time to time.

    Threads: `begin` in the main thread; the rest in the thread of the ledger's writer.
    """

    def __init__(
        self,
        ledger: RunLedger | None,
        registry: JobRegistry,
        *,
        limits: RunLimits,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._limits = limits
        self._metrics = metrics

    def begin(self) -> None:
        """Start the ledger's writer, if there is a ledger."""
        ledger = self._ledger
        if ledger is not None:
            ledger.committed.append(self._release)
            ledger.on_failed = self._stop
            ledger.aggregates = self._aggregates
            ledger.start()

    def _release(self, records: Sequence[JobRecord]) -> None:
        self._registry.release(record.job.job_id for record in records)

    def _stop(self, message: str) -> None:
        log.error("%s", message)
        self._limits.stop(StopReason.LEDGER)

    def _aggregates(self) -> Mapping[str, object]:
        """Return the numbers of the run at this moment."""
        counts, metrics = self._registry.counts(), self._metrics.snapshot()
        return {
            "jobs": {str(status): number for status, number in counts.items() if number},
            "failures": dict(metrics.failures),
            "retries": metrics.retries,
            "received": metrics.received,
            "seconds": round(metrics.seconds, 3),
        }
