"""The source of a run's jobs: the list, and the file of checksums that belongs to it."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from url_downloader.cli.command_settings import CommandSettings
from url_downloader.cli.own_files import own_files
from url_downloader.config.settings import Settings
from url_downloader.input_parser import InputParser, is_valid_origin
from url_downloader.inputs.list_skimmer import ListSkimmer
from url_downloader.reports.unread_list import UnreadList
from url_downloader.run_history import ListFacts, RunHistory, opened_history
from url_downloader.shared.checksums import parse_sums
from url_downloader.shared.descriptors import close_read, is_regular
from url_downloader.shared.errors import InputError
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.line_reader import read_lines
from url_downloader.shared.models import ListItem

log = logging.getLogger(__package__)


class ListedJobs(NamedTuple):
    """Jobs of a list, which is read while the run takes them.

    Args:
        descriptor: Descriptor of the list.
        parser: Parser of the list, which counts the bad and the repeated lines.
        jobs: Items of the list in its order; None means that there is no job yet.
        history: Names of files, and the ledger.
        unread: Part of the list that the run has not read yet.
    """

    descriptor: int
    parser: InputParser
    jobs: Iterator[ListItem]
    history: RunHistory
    unread: UnreadList


@contextmanager
def open_list(command: CommandSettings, settings: Settings) -> Iterator[ListedJobs]:
    """Open the list for the block; it is read and parsed while the run takes its jobs.

    Raises:
        InputError: The list, the file of checksums or the ledger can't be read.
    """
    with ExitStack() as stack:
        descriptor = stack.enter_context(_open_descriptor(command))
        facts = ListFacts(
            taken=own_files(command, settings),
            checksums=read_sums(command.checksums) if command.checksums else {},
            wants_results=command.reports.report is not None or command.reports.prints_paths,
        )
        history = stack.enter_context(opened_history(settings, facts))
        yield _listed_jobs(descriptor, command, settings=settings, history=history)


@contextmanager
def _open_descriptor(command: CommandSettings) -> Iterator[int]:
    if command.reads_stdin:
        if sys.stdin is None:
            raise InputError("standard input is closed, so the list can't be read; name a file")
        yield sys.stdin.fileno()
        return
    with ExitStack() as stack:
        try:
            descriptor = os.open(command.list_name, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(close_read, descriptor)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except OSError as error:
            message = f"{command.list_name}: the list can't be read: {error.strerror}"
            raise InputError(f"{message}; name a file, or - for stdin") from error
        yield descriptor


def _listed_jobs(
    descriptor: int, command: CommandSettings, *, settings: Settings, history: RunHistory
) -> ListedJobs:
    rules = history.rules
    parser = InputParser(
        source="standard input" if command.reads_stdin else command.list_name,
        rules=rules,
        limits=settings.transfer.limits,
        max_retries=settings.retry.max_retries,
        on_rejected=lambda rejection: log.error("%s", rejection),
        on_note=lambda note: log.info("%s", note),
    )
    history.connect(parser)
    skimmer = ListSkimmer(
        read_lines(descriptor),
        claim=rules.claims.claim if rules.known is None else None,
        is_known=parser.is_known,
        is_valid_origin=is_valid_origin,
    )
    jobs = parser.parse(skimmer)
    is_file = is_regular(descriptor)
    # A copied line would lack the `out=` and `checksum=` that its job has.
    can_skim = is_file and not rules.checksums and not rules.takes_server_names
    unread = UnreadList(jobs, skimmer if can_skim else None, is_file)
    return ListedJobs(descriptor, parser, jobs, history, unread)


def read_sums(path: Path) -> Mapping[str, Checksum]:
    """Return the checksums in a file of sha256sum, by the names of the files they are for.

    Raises:
        InputError: The file can't be read, or has another format.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            return dict(parse_sums(lines))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: the checksums can't be read: {reason}") from error
