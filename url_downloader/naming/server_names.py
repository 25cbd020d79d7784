"""Names that servers give to files, and the checksums that the user gave for names.

Independent of the files on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping

from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import DownloadJob


class ServerNames:
    """Names that servers gave to the files of jobs, each claimed once for its job.

    It implements `shared.ports.Naming`.

    Args:
        claims: Claims of the run.
        checksums: Known checksums by the paths of files, relative to the output directory.

    Threads: any, but one at a time for the same job.
    """

    def __init__(self, claims: NameClaims, checksums: Mapping[str, Checksum]) -> None:
        self._claims = claims
        self._checksums = checksums
        # Names by job id. No lock: get and set of a dict are thread-safe.
        self._given: dict[int, str] = {}

    def name(self, job: DownloadJob, suggested: str | None) -> str:
        """Return the path of the job's file, relative to the output directory.

        Args:
            job: Job as it was listed.
            suggested: Safe path component that the server suggests; None if there is none. The
                first suggestion holds for all attempts of the job; a user's choice precedes it.
        """
        if job.is_named:
            return job.output
        if suggested is not None and job.job_id not in self._given:
            claimed = self._claims.claim(suggested, job.url, own=job.output)
            self._given[job.job_id] = claimed
        return self._given.get(job.job_id, job.output)

    def checksum(self, job: DownloadJob, output: str) -> Checksum | None:
        """Return the checksum of the job, or else the known one of this path, or None."""
        return job.checksum or self._checksums.get(output)

    def settled(self, job: DownloadJob) -> DownloadJob:
        """Return the job for the failed list, with its path and checksum as the user's choice.

        The next run does not have the claims of this run. Without the name, a server could give
        the job a name that another file has.
        """
        output = self.name(job, None)
        return job._replace(output=output, is_named=True, checksum=self.checksum(job, output))
