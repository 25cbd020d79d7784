"""Errors of the disk: each becomes an AttemptError of the right kind."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.output_directories import hidden_files, prepared, store
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.storage.disk_errors import DiskErrorConverter


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, ErrorKind.DISK_FULL),
        (errno.EDQUOT, ErrorKind.DISK_FULL),
        (errno.EMFILE, ErrorKind.NO_DESCRIPTORS),
        (errno.ENFILE, ErrorKind.NO_DESCRIPTORS),
        (errno.EIO, ErrorKind.LOCAL),
        (errno.EACCES, ErrorKind.LOCAL),
    ],
)
def test_the_kind_of_an_error(number: int, kind: ErrorKind) -> None:
    """The error number decides the kind; the message has the path and the system's reason."""
    with pytest.raises(AttemptError) as caught, DiskErrorConverter("out/file"):
        raise OSError(number, os.strerror(number))
    assert caught.value.kind is kind
    assert caught.value.message == f"out/file: {os.strerror(number)}"


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit each file that this process writes to `size` bytes, even for root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("amount", [10, 5000, 3 << 20])
def test_a_file_that_is_too_large_for_the_disk(directory: Path, amount: int) -> None:
    """The attempt fails, at the latest when it publishes; an older file is unchanged."""
    output = prepared(directory)
    store(output, data=b"old")
    with largest_file(amount - 1), pytest.raises(AttemptError) as caught:
        store(output, data=bytes(amount))
    assert caught.value.kind is ErrorKind.LOCAL
    assert (directory / "file.bin").read_bytes() == b"old"
    assert hidden_files(directory) == []
