"""Where the jobs of a run come from: the list, and the checksums beside it."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from url_downloader.checksums import parse_sums
from url_downloader.claims import NameClaims
from url_downloader.config import Settings
from url_downloader.input_parser import InputParser, is_valid_origin
from url_downloader.line_reader import read_lines
from url_downloader.list_skimmer import ListSkimmer
from url_downloader.shared.errors import InputError
from url_downloader.shared.models import Checksum, DownloadJob

log = logging.getLogger(__name__)


@contextmanager
def open_list(name: str) -> Iterator[int]:
    """A descriptor to read the list from; `-` is standard input.

    Raises:
        InputError: there is no such file, or it can't be read.
    """
    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed, and the list was to come from there")
        yield sys.stdin.fileno()
        return
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(name, error) from error
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise _unreadable(name, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
        yield descriptor
    finally:
        os.close(descriptor)


def _unreadable(name: str, error: OSError) -> InputError:
    return InputError(
        f"{name}: the list can't be read: {error.strerror}; name a file, or - for stdin"
    )


class ListedJobs(NamedTuple):
    """A list that is being read.

    Args:
        parser: reads it, and logs what it can't use.
        jobs: what comes of it; None: nothing yet.
        skimmer: what the parser gets its lines from; None if it has to get all of them.
    """

    parser: InputParser
    jobs: Iterator[DownloadJob | None]
    skimmer: ListSkimmer | None


def read_list(
    descriptor: int, arguments: argparse.Namespace, *, settings: Settings, claims: NameClaims
) -> ListedJobs:
    """What is in the list that can be read from `descriptor`.

    Raises:
        InputError: the checksums can't be read.
    """
    checksums = read_sums(arguments.checksums) if arguments.checksums else {}
    parser = InputParser(
        source="standard input" if arguments.list == "-" else arguments.list,
        claims=claims,
        limits=settings.transfer.limits,
        max_retries=settings.retry.max_retries,
        on_rejected=lambda rejection: log.error("%s", rejection),
        on_note=lambda note: log.info("%s", note),
    )
    skimmer = ListSkimmer(
        read_lines(descriptor),
        claim=claims.claim,
        is_known=parser.is_known,
        is_valid_origin=is_valid_origin,
    )
    jobs = with_checksums(parser.parse(skimmer), checksums)
    can_skim = stat.S_ISREG(os.fstat(descriptor).st_mode) and not checksums
    return ListedJobs(parser, jobs, skimmer if can_skim else None)


def read_sums(path: Path) -> Mapping[str, Checksum]:
    """The checksum of each file name that sha256sum wrote to `path`.

    Raises:
        InputError: it can't be read, or was written by something else.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            return dict(parse_sums(lines))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: the checksums can't be read: {reason}") from error


def with_checksums(
    jobs: Iterable[DownloadJob | None], checksums: Mapping[str, Checksum]
) -> Iterator[DownloadJob | None]:
    """The jobs, each with the checksum that is listed for its file, if it has no own one."""
    for job in jobs:
        if job is None or job.checksum is not None or job.output not in checksums:
            yield job
        else:
            yield job._replace(checksum=checksums[job.output])
