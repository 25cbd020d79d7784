"""The step that gives a finished part its name, also where the disk is another one."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import NamedTuple

from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.descriptors import write_all
from url_downloader.storage.finish import Finish
from url_downloader.storage.folder import Folder
from url_downloader.storage.missing_features import Feature
from url_downloader.storage.part_file import BLOCK, PartFile

_COPY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Destination(NamedTuple):
    """Where a file goes: an open folder, and the name in it."""

    folder: Folder
    name: bytes


def move(part: PartFile, place: Destination, *, finish: Finish) -> None:
    """Give a part its name. A link that stands there is replaced, not followed.

    Args:
        part: sealed.
        place: where the file goes.
        finish: given to a copy, if the part has to be copied.

    Raises:
        OSError: the system refuses.
    """
    source, target = part.parts.descriptor, place.folder.descriptor
    try:
        os.replace(part.name, place.name, src_dir_fd=source, dst_dir_fd=target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        finish.missing_features.note(Feature.RENAME)
        with COMPUTE_TURN.released():
            _copy(part, place, finish=finish)


def _copy(part: PartFile, place: Destination, *, finish: Finish) -> None:
    """Copy the part beside its place, and rename the copy."""
    folder = place.folder.descriptor
    copy = b".url-downloader-" + os.urandom(8).hex().encode()
    descriptor = os.open(copy, _COPY, 0o666, dir_fd=folder)
    try:
        try:
            _copy_bytes(part, descriptor)
            finish.apply(descriptor)
        finally:
            os.close(descriptor)
        os.replace(copy, place.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(copy, dir_fd=folder)
        raise
    # A part that stays is a leftover: it is removed when the run ends.
    with suppress(OSError):
        part.parts.remove(part.name)


def _copy_bytes(part: PartFile, descriptor: int) -> None:
    source = os.open(part.name, _READ, dir_fd=part.parts.descriptor)
    try:
        while data := os.read(source, BLOCK):
            write_all(descriptor, data)
    finally:
        os.close(source)
    if os.fstat(descriptor).st_size != part.size:
        raise OSError(errno.EIO, "the copy has not the length of the file")
