"""Process that records jobs in a ledger, and says which of them are committed.

    python -m tests.support.recording LEDGER PREFIX COUNT

Each line of its output is the number of a committed job. It ends when COUNT jobs have ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.jobs import make_event
from tests.support.ledgers import success
from url_downloader.ledger.ledger import Ledger
from url_downloader.shared.models import JobRecord, JobStatus


def tell(records: Sequence[JobRecord]) -> None:
    """Write the numbers of committed jobs to stdout at once, and whole."""
    lines = "".join(f"{record.job.job_id}\n" for record in records)
    os.write(1, lines.encode())


def main() -> None:
    """Record the jobs 1 to COUNT, whose names begin with PREFIX."""
    path, prefix, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    ledger = Ledger(path)
    ledger.committed.append(tell)
    failures: list[str] = []
    ledger.on_failed = failures.append
    ledger.open()
    ledger.start()
    for number in range(1, count + 1):
        record = success(f"{prefix}{number}")
        job = record.job._replace(job_id=number)
        ledger.on_event(make_event(record._replace(job=job), JobStatus.RUNNING))
    ledger.finish(0)
    sys.exit(failures[0] if failures else 0)


if __name__ == "__main__":
    main()
