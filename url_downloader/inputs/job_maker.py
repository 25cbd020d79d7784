"""The making of jobs from entries: it finds repetitions, gives names, and passes files over.

Independent of the lines of a list, which `input_parser` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from url_downloader.inputs.known_urls import KnownUrl, KnownUrls
from url_downloader.inputs.list_entry import ListEntry
from url_downloader.inputs.repeats import Repeats, mark_number
from url_downloader.naming.filenames import fold, name_from_url
from url_downloader.naming.name_claims import UNKNOWN, NameClaims
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ledger_entries import LedgerEntry, UrlHistory, UrlIdentity
from url_downloader.shared.models import DownloadJob, JobResult, PassedOver

_NEW_URL = KnownUrl(UNKNOWN, (), 0)
"""What is known about a URL without a ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """Rules for the jobs of a list.

    Args:
        claims: Claims of file names.
        checksums: Checksums by the names of files.
        takes_server_names: Whether Content-Disposition names the files.
        secret: Random bytes of the run; see Repeats.
        known: Look-ups in the ledger; None without a ledger.
        wants_results: Whether URLs that are passed over need results; else they are counted.
    """

    claims: NameClaims
    checksums: Mapping[str, Checksum] = field(default_factory=dict)
    takes_server_names: bool = False
    secret: bytes = b""
    known: KnownUrls | None = None
    wants_results: bool = True


class JobMaker:
    """Maker of the jobs of one list, in the order of its entries.

    Args:
        rules: Rules for the jobs.
        no_options: Text of the options of an entry without options; see ListEntry.
        on_repeated: Called with an entry that repeats another, and the line of that one, which
            is None if it is not known any more.
        on_rejected: Called with an entry that led to no job, and the reason.

    Attributes:
        jobs: Number of the last job.

    Threads: `release` from any thread, the others in the one that reads the list.
    """

    def __init__(
        self,
        rules: JobRules,
        *,
        no_options: str,
        on_repeated: Callable[[ListEntry, int | None], None],
        on_rejected: Callable[[ListEntry, str], None],
    ) -> None:
        self.jobs = 0
        self._claims = rules.claims
        self._rules = rules
        self._passing = None if rules.known is None else rules.known.passing
        self._no_options = no_options
        self._on_repeated = on_repeated
        self._on_rejected = on_rejected
        self._repeats = Repeats(rules.secret)

    def make(self, block: Sequence[ListEntry]) -> Iterator[DownloadJob | PassedOver]:
        """Yield the jobs of these entries, and what is passed over, in their order."""
        results: list[tuple[DownloadJob, JobResult]] = []
        passed = 0
        for entry, url in zip(block, self._look_up(block), strict=True):
            past = self._passed(entry, url) if url.entries else None
            if past is not None:
                self.jobs += 1
                passed += 1
                if self._rules.wants_results:
                    results.append(self._result(entry, past))
                continue
            job = self._job(entry, url)
            if job is None:
                continue
            if passed:
                yield PassedOver(passed, results)
                passed, results = 0, []
            yield job
        if passed:
            yield PassedOver(passed, results)

    @property
    def suffixes(self) -> Mapping[str, int]:
        """Return the number of files that got a suffix, by reason."""
        return {str(reason): count for reason, count in self._claims.suffixes.items()}

    def is_known(self, entry: ListEntry) -> bool:
        """Tell whether an equal entry has led to a job that has not been released."""
        return (
            self._repeats.first_line(self._repeats.mark(entry.asked(self._no_options)))
            is not None
        )

    def release(self, job: DownloadJob) -> None:
        """Forget the name and the entry of a job, because the ledger has them now."""
        self._repeats.release(job.job_id)
        self._claims.release(job.output)

    def _look_up(self, block: Sequence[ListEntry]) -> Sequence[KnownUrl]:
        if self._rules.known is None:
            return [_NEW_URL] * len(block)
        self._repeats.drop_released()
        return self._rules.known.look_up(block)

    def _passed(self, entry: ListEntry, url: KnownUrl) -> LedgerEntry | None:
        """Return the entry in the ledger of a URL that needs no attempt; None for any other."""
        if self._passing is None:
            return None
        past = url.entries[0]
        if len(url.entries) > 1 or entry.output is not None:
            name = entry.output or name_from_url(entry.url)
            past = next((each for each in url.entries if each.name == name), past)
        if past.run == url.run or entry.output not in (None, past.name):
            return None
        if self._claims.is_claimed(fold(past.name)):
            # An `out=` before it in the list has handed the name on.
            return None
        checksum = entry.checksum or self._rules.checksums.get(past.name)
        return past if self._passing.passes(past, checksum) else None

    def _result(self, entry: ListEntry, past: LedgerEntry) -> tuple[DownloadJob, JobResult]:
        """Return job and result of an entry that was passed over."""
        assert self._passing is not None
        return entry.job(self.jobs, output=past.name), self._passing.result(past)

    def _job(self, entry: ListEntry, url: KnownUrl) -> DownloadJob | None:
        """Return the job of an entry; None if it is repeated or rejected."""
        mark = self._repeats.mark(entry.asked(self._no_options))
        line = self._repeats.first_line(mark)
        if line is not None or (url.entries and url.is_repeated(mark_number(mark))):
            self._on_repeated(entry, line)
            return None
        try:
            output, past = self._named(entry, url)
        except ValueError as error:
            self._on_rejected(entry, f"out: {error}")
            return None
        self.jobs += 1
        job = entry.job(self.jobs, output=output)
        if self._rules.known is None:
            self._repeats.note(mark, line=entry.line)
        else:
            self._repeats.note(mark, line=entry.line, job_id=self.jobs)
            job = self._with_history(job, url.identity, mark=mark_number(mark), past=past)
        return self._with_checksum(job)

    def _named(self, entry: ListEntry, url: KnownUrl) -> tuple[str, LedgerEntry | None]:
        """Return the path of the entry's file, and its entry in the ledger if it has one.

        Raises:
            ValueError: The path can't be claimed.
        """
        natural = name_from_url(entry.url)
        earlier = url.earlier(natural) if url.entries else ()
        if entry.output is None:
            for past in earlier:
                if self._claims.claim_recorded(past.name):
                    return past.name, past
        output = self._claims.claim(
            entry.output or natural,
            entry.url,
            identity=url.identity,
            is_chosen=entry.output is not None,
        )
        same = [past for past in earlier if fold(past.name) == fold(output)]
        failed = [past for past in earlier if not past.is_success]
        return output, next(iter((*same, *failed)), None)

    def _with_history(
        self,
        job: DownloadJob,
        identity: UrlIdentity,
        *,
        mark: int,
        past: LedgerEntry | None,
    ) -> DownloadJob:
        assert self._rules.known is not None
        owner = self._rules.known.owner(job.output) if job.is_named else identity
        history = UrlHistory(identity, mark, past, owner not in (None, identity))
        # A server must not change the name that a finished file of the URL has.
        is_settled = past is not None and past.is_success and past.name == job.output
        is_named = job.is_named or (is_settled and self._rules.takes_server_names)
        return job._replace(history=history, is_named=is_named)

    def _with_checksum(self, job: DownloadJob) -> DownloadJob:
        """Return the job with the checksum that is known for the name of its file.

        If a server may name the file, ServerNames looks the checksum up later.
        """
        checksums, takes_names = self._rules.checksums, self._rules.takes_server_names
        if not checksums or job.checksum or (takes_names and not job.is_named):
            return job
        return job._replace(checksum=checksums.get(job.output))
