"""Publishing: the step that gives a finished part its final name, also on another disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.descriptors import write_all
from url_downloader.shared.errors import NameTakenError
from url_downloader.storage.file_age import RunStart
from url_downloader.storage.file_metadata import FileMetadata
from url_downloader.storage.folder import Folder
from url_downloader.storage.missing_features import Feature
from url_downloader.storage.part_file import BLOCK_SIZE, PartFile
from url_downloader.storage.renaming import rename_new

_COPY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Destination(NamedTuple):
    """Destination of a file: an open folder and the file's name in it."""

    folder: Folder
    name: bytes


def publish_part(
    part: PartFile, destination: Destination, *, metadata: FileMetadata, replaces: bool
) -> int:
    """Give a part its final name by an atomic rename.

    A link that has this name is replaced, not followed. If the destination is on another file
    system, the part is copied there first.

    Args:
        part: Part whose bytes and metadata are complete.
        destination: Destination of the file.
        metadata: Metadata for the copy, if the part is copied.
        replaces: Whether to replace a file that may be that of another run.

    Returns:
        Time of the file's last change, in nanoseconds since the epoch.

    Raises:
        NameTakenError: There is such a file, and `replaces` is not set.
        OSError: The system refuses.
    """
    if replaces:
        return _publish(part, destination, metadata=metadata, rename=os.replace)
    try:
        return _publish(part, destination, metadata=metadata, rename=rename_new)
    except FileExistsError:
        _check_age(destination, part.parts.opened)
    return _publish(part, destination, metadata=metadata, rename=os.replace)


def _check_age(destination: Destination, run: RunStart) -> None:
    """Check that the existing file is clearly older than the run.

    Args:
        destination: Destination of the new file.
        run: Start of the run.

    Raises:
        NameTakenError: It is not, so it may be a file that another run has not recorded yet.
    """
    folder, name = destination
    changed = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_ctime_ns
    if age := run.age(changed):
        raise NameTakenError(os.fsdecode(name), age)


def _publish(
    part: PartFile,
    destination: Destination,
    *,
    metadata: FileMetadata,
    rename: Callable[..., None],
) -> int:
    """Rename or copy the part; return the time of the file's last change."""
    folder, name = destination
    try:
        rename(part.name, name, src_dir_fd=part.parts.descriptor, dst_dir_fd=folder.descriptor)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        metadata.missing_features.note(Feature.RENAME)
        with COMPUTE_TURN.released():
            _copy(part, destination, metadata=metadata, rename=rename)
        return os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_mtime_ns
    return part.mtime_ns()


def _copy(
    part: PartFile,
    destination: Destination,
    *,
    metadata: FileMetadata,
    rename: Callable[..., None],
) -> None:
    """Copy the part into the destination's folder, then rename the copy atomically."""
    folder = destination.folder.descriptor
    copy = b".url-downloader-" + os.urandom(8).hex().encode()
    descriptor = os.open(copy, _COPY, 0o666, dir_fd=folder)
    try:
        try:
            _copy_bytes(part, descriptor)
            metadata.apply(descriptor)
        finally:
            os.close(descriptor)
        rename(copy, destination.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(copy, dir_fd=folder)
        raise
    # If this fails, the end of the run removes the part as a leftover.
    with suppress(OSError):
        part.parts.remove(part.name)


def _copy_bytes(part: PartFile, descriptor: int) -> None:
    source = os.open(part.name, _READ, dir_fd=part.parts.descriptor)
    try:
        while data := os.read(source, BLOCK_SIZE):
            write_all(descriptor, data)
    finally:
        os.close(source)
    if os.fstat(descriptor).st_size != part.size:
        raise OSError(errno.EIO, "the copy differs in length from the file")
