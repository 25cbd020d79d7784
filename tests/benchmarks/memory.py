"""The memory of a run whose files are all missing: `python -m tests.benchmarks.memory COUNT`.

It is the whole program, with its list, failed list and output directory, but each attempt gets
a 404 without a network. So many more URLs can be run than with a server. It prints the bytes of
memory that the process had at most.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from url_downloader import process_jobs
from url_downloader.cli.exit_status import EXIT_ALL_FAILED
from url_downloader.main import main as run_program
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.contact import Contact
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult

SITE = "http://missing.test"


class MissingFiles:
    """Downloader that takes each file for missing."""

    def attempt(self, job: DownloadJob) -> JobResult:
        """Return the result of a 404."""
        del job
        return JobResult(
            kind=ErrorKind.CLIENT_ERROR,
            message="HTTP 404 Not Found",
            http_status=404,
            contact=Contact(),
        )

    def close(self) -> None:
        """Do nothing: there is no connection."""


class SimulatedFactory(process_jobs.DownloaderFactory):
    """Factory of a run whose workers have no network."""

    def make_downloader(self, control: AttemptControl) -> MissingFiles:  # type: ignore[override]
        """Return the downloader of a worker."""
        del control
        return MissingFiles()


def main() -> None:
    """Run a list of so many URLs, and print the memory."""
    count = int(sys.argv[1])
    process_jobs.DownloaderFactory = SimulatedFactory  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "list").open("w") as file:
            file.writelines(f"{SITE}/{n:08}\n" for n in range(count))
        outputs = ["-d", str(folder / "downloads"), "--failed-out", str(folder / "failed")]
        status = run_program([str(folder / "list"), *outputs, "-q", "-w8"])
        assert status == EXIT_ALL_FAILED, status
        with (folder / "failed").open() as file:
            assert sum(line.startswith(SITE) for line in file) == count
    print(peak_memory())  # noqa: T201


def peak_memory() -> int:
    """Return the bytes of memory that this process had at most."""
    status = Path("/proc/self/status").read_text("ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
