"""Where the jobs of a run come from: the list, and the checksums beside it."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from url_downloader.cli.own_files import own_files
from url_downloader.config.settings import Settings
from url_downloader.input_parser import InputParser, is_valid_origin
from url_downloader.inputs.list_skimmer import ListSkimmer
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared.checksums import parse_sums
from url_downloader.shared.descriptors import close_read, is_regular
from url_downloader.shared.errors import InputError
from url_downloader.shared.line_reader import read_lines
from url_downloader.shared.models import Checksum, DownloadJob
from url_downloader.storage.output_directory import PARTS_FOLDER

log = logging.getLogger(__package__)


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
    with ExitStack() as stack:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(close_read, descriptor)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except OSError as error:
            message = f"{name}: the list can't be read: {error.strerror}"
            raise InputError(f"{message}; name a file, or - for stdin") from error
        yield descriptor


class ListedJobs(NamedTuple):
    """A list that is being read.

    Args:
        parser: reads it, and logs what it can't use.
        jobs: what comes of it; None: nothing yet.
        skimmer: what the parser gets its lines from; None if it has to get all of them.
        names: of the files, where servers give them.
    """

    parser: InputParser
    jobs: Iterator[DownloadJob | None]
    skimmer: ListSkimmer | None
    names: ServerNames


def read_list(
    descriptor: int, arguments: argparse.Namespace, *, settings: Settings
) -> ListedJobs:
    """Begin to read the list from `descriptor`.

    Raises:
        InputError: the checksums can't be read.
    """
    checksums = read_sums(arguments.checksums) if arguments.checksums else {}
    claims = claims_for(own_files(arguments, settings.output.directory))
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
    takes_names = settings.output.takes_server_names
    jobs = with_checksums(parser.parse(skimmer), checksums, takes_server_names=takes_names)
    # A line that is copied gets no `out=` and no `checksum=`.
    can_skim = is_regular(descriptor) and not checksums and not takes_names
    names = ServerNames(claims, checksums)
    return ListedJobs(parser, jobs, skimmer if can_skim else None, names)


def claims_for(taken: Iterable[str] = ()) -> NameClaims:
    """Return the claims of a run whose own files in the output directory are these."""
    return NameClaims(reserved=[PARTS_FOLDER], taken=taken)


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
    jobs: Iterable[DownloadJob | None],
    checksums: Mapping[str, Checksum],
    *,
    takes_server_names: bool,
) -> Iterator[DownloadJob | None]:
    """Yield the jobs, each with the checksum that is listed for its file.

    A job's own checksum stays. Where a server may name the file, the checksum is looked up when
    the name is known.
    """
    for job in jobs:
        is_open = job is None or job.checksum or (takes_server_names and not job.is_named)
        if job is None or is_open or job.output not in checksums:
            yield job
        else:
            yield job._replace(checksum=checksums[job.output])
