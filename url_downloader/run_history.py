"""Composition of what a run knows from earlier runs: its ledger, and the names of its files.

`opened_history` opens the ledger before the first line of the list is read. The list's parser
asks it through the JobRules. While the run goes on, the ledger's writer records the jobs that
end. After each commit, parser and names forget these jobs. In the end, `finish` writes the
rest.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.config.changed_settings import changed_settings
from url_downloader.config.settings import Existing, Settings
from url_downloader.input_parser import InputParser
from url_downloader.inputs.job_maker import JobRules
from url_downloader.inputs.known_urls import KnownUrls
from url_downloader.inputs.passing_rule import PassingRule
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.recorded_names import RecordedNames
from url_downloader.naming.server_names import ServerNames
from url_downloader.naming.url_keys import UrlKeys
from url_downloader.shared.history import OpenLedger
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import JobRecord
from url_downloader.shared.run_controls import RunContext, RunControls
from url_downloader.storage.output_directory import PARTS_FOLDER
from url_downloader.storage.recorded_files import RecordedFiles

log = logging.getLogger(__package__)

LEDGER_FILE = "ledger.db"
"""Name of the ledger in the hidden folder of the output directory."""
_SECRET_SIZE = 16
"""Bytes of the secret that keeps passwords from being guessed from the marks of entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """Facts that the caller of a run knows about its list.

    Args:
        taken: Paths of files in the output directory that serve another purpose.
        checksums: Checksums by the names of files.
        wants_results: Whether URLs that are passed over need results; else they are counted.
    """

    taken: Iterable[str] = ()
    checksums: Mapping[str, Checksum] = field(default_factory=dict)
    wants_results: bool = True


class RunHistory:
    """Names and ledger of one run.

    Args:
        settings: Settings of the run.
        facts: Facts about its list.
        ledger: Ledger, which is open; None without one.

    Attributes:
        claims: Claims of file names.
        names: Names that change during the run.
        rules: Rules for the jobs of the list.
        ledger: Ledger; None without one.
    """

    def __init__(
        self, settings: Settings, facts: ListFacts, *, ledger: OpenLedger | None
    ) -> None:
        keys = UrlKeys(settings.ledger.key_ignore)
        files = RecordedFiles(settings.output.directory)
        recorded = None if ledger is None else RecordedNames(ledger, files.exists)
        self.ledger = ledger
        self.claims = NameClaims(
            reserved=[PARTS_FOLDER], taken=facts.taken, recorded=recorded, keys=keys
        )
        self.names = ServerNames(self.claims, facts.checksums)
        known = None
        if ledger is not None and recorded is not None:
            passing = _passing_rule(settings, files)
            known = KnownUrls(
                ledger, keys=keys, recorded=recorded, claims=self.claims, passing=passing
            )
        self.rules = JobRules(
            claims=self.claims,
            checksums=facts.checksums,
            takes_server_names=settings.output.takes_server_names,
            secret=os.urandom(_SECRET_SIZE),
            known=known,
            wants_results=facts.wants_results,
        )

    def context(self, controls: RunControls) -> RunContext:
        """Return the surroundings of a run with these controls."""
        return RunContext(self.names, self.ledger, controls)

    def connect(self, parser: InputParser) -> None:
        """Let the parser of the list, and the names, forget the jobs that are committed."""

        def release(records: Sequence[JobRecord]) -> None:
            for record in records:
                parser.release(record.job)
                self.names.release(record.job)

        if self.ledger is not None:
            self.ledger.committed.append(release)

    def finish(self, status: int | None) -> bool:
        """Write the rest of the ledger; return whether no write has failed.

        Args:
            status: Exit status of the run; None if it has none.
        """
        return self.ledger is None or self.ledger.finish(status)


@contextmanager
def opened_history(settings: Settings, facts: ListFacts) -> Iterator[RunHistory]:
    """Open the ledger of the output directory, if the settings want one, for the block.

    Raises:
        InputError: The ledger can't be used.
    """
    history = RunHistory(settings, facts, ledger=_opened_ledger(settings))
    try:
        yield history
    finally:
        history.finish(None)


def _opened_ledger(settings: Settings) -> OpenLedger | None:
    if not settings.ledger.uses_ledger:
        return None
    # Imported here: the import of SQLite takes milliseconds, and some Pythons lack it.
    try:
        from url_downloader.ledger.ledger import Ledger  # noqa: PLC0415
    except ImportError as error:
        log.warning("no ledger is kept, because this Python has no SQLite: %s", error)
        return None

    path = ledger_path(settings)
    ledger = Ledger(
        path,
        is_synced=settings.output.is_synced,
        settings=changed_settings(settings),
    )
    # A link in place of the hidden folder is refused later, with the output directory.
    if settings.ledger.ledger_file is not None or _is_folder(path.parent):
        ledger.open()
    return ledger


def _is_folder(path: Path) -> bool:
    """Tell whether the path is a folder; a link to one is none."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def ledger_path(settings: Settings) -> Path:
    """Return the path of the run's ledger."""
    in_directory = settings.output.directory / PARTS_FOLDER / LEDGER_FILE
    return settings.ledger.ledger_file or in_directory


def _passing_rule(settings: Settings, files: RecordedFiles) -> PassingRule | None:
    passes_complete = settings.output.existing is Existing.CONTINUE
    if not passes_complete and not settings.ledger.retry_failed:
        return None
    return PassingRule(
        passes_complete=passes_complete,
        passes_successes=settings.ledger.retry_failed,
        file_state=files.state,
        shown_path=files.shown_path,
    )
