"""Names that servers give to files, and the checksums that the user gave for names.

Independent of the files on the disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from url_downloader.naming.name_claims import UNKNOWN, NameClaims
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError, InputError
from url_downloader.shared.file_facts import RECORDING_TIME, FileAge
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import DownloadJob, ErrorKind

_WAIT = 0.05
"""Seconds between two look-ups of a file that another run has not recorded yet."""
_MAX_WAIT = 1.0
"""Seconds; a run records its files after 200 ms, or later on a slow disk."""


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
        # Never set: `wait` is an interruptible pause.
        self._never = threading.Event()
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
            self._give(job, suggested, own=job.output)
        return self._given.get(job.job_id, job.output)

    def is_others(self, job: DownloadJob, output: str, *, age: FileAge) -> bool:
        """Tell whether the recent file with this path is another URL's, by another run.

        It may block for a second, until the other run has recorded the file.

        Args:
            job: Job as it was listed.
            output: Path of the file.
            age: Age of the file.

        Returns:
            False for a file of the same URL, and for an older one that no run has recorded.
        """
        owner = self._claims.owner(output)
        ends = time.monotonic() + min(_MAX_WAIT, RECORDING_TIME - age.seconds)
        while owner is None and time.monotonic() < ends:
            with COMPUTE_TURN.released():
                self._never.wait(_WAIT)
            owner = self._claims.owner(output)
        identity = None if job.history is None else job.history.identity
        return not age.is_older if owner is None else owner != identity

    def other_name(self, job: DownloadJob, output: str) -> str:
        """Return another path for the job's file, because another URL's file has this one.

        All attempts of the job get the same path, unless another URL's file has that, too.
        """
        given = self._given.get(job.job_id)
        return self._give(job, output, own=None if given == output else given)

    def release(self, job: DownloadJob) -> None:
        """Forget the name that a server gave to the job, because the ledger has it now."""
        output = self._given.pop(job.job_id, None)
        if output is not None:
            self._claims.release(output)

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

    def _give(self, job: DownloadJob, wanted: str, *, own: str | None) -> str:
        identity = UNKNOWN if job.history is None else job.history.identity
        try:
            claimed = self._claims.claim(wanted, job.url, own=own, identity=identity)
        except InputError as error:
            raise AttemptError(ErrorKind.LOCAL, str(error)) from error
        self._given[job.job_id] = claimed
        return claimed
