"""Names that servers give to files, and the checksums that belong to names.

Knows names only; nothing of what is on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping

from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.models import Checksum, DownloadJob


class ServerNames:
    """The names that servers gave to the files of jobs, each claimed once for its job.

    Args:
        claims: gives each file a name of its own.
        checksums: that are known, by the name of the file.

    Threads: any; one job is handled by one thread at a time.
    """

    def __init__(self, claims: NameClaims, checksums: Mapping[str, Checksum]) -> None:
        self._claims = claims
        self._checksums = checksums
        # Number of a job to its name. A dict needs no lock for that.
        self._given: dict[int, str] = {}

    def name(self, job: DownloadJob, suggested: str | None) -> str:
        """Return where the job's file goes.

        Args:
            job: as it was listed.
            suggested: what the server suggests, a safe path component; None: nothing. What it
                suggested first holds for all attempts.
        """
        if job.is_named:
            return job.output
        if suggested is not None and job.job_id not in self._given:
            claimed = self._claims.claim(suggested, job.url, own=job.output)
            self._given[job.job_id] = claimed
        return self._given.get(job.job_id, job.output)

    def checksum(self, job: DownloadJob, output: str) -> Checksum | None:
        """Return what a job's file must have under this name; the job's own beats all."""
        return job.checksum or self._checksums.get(output)

    def settled(self, job: DownloadJob) -> DownloadJob:
        """Return the job as it is tried again in another run: its name is the user's now.

        That run knows nothing of this one's names: a server could give it a name that another
        file has got in this run.
        """
        output = self.name(job, None)
        return job._replace(output=output, is_named=True, checksum=self.checksum(job, output))
