"""Part: the bytes of an unfinished file, and the note beside them that makes them usable.

At first, a part has a name that no other run uses. Once it has enough bytes to be worth
resuming, it gets the name that its URL has in every run. It also gets a note, which names the
version of the bytes.

The note is written atomically. It exists only while all bytes of the part belong to its
version. So a kill leaves a usable pair, or a part without a note, which is useless.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from url_downloader.shared.descriptors import write_all
from url_downloader.shared.errors import NO_DESCRIPTORS
from url_downloader.shared.file_facts import SavedPart
from url_downloader.shared.ports import Chunk
from url_downloader.shared.url_parts import without_credentials
from url_downloader.storage.disk_errors import NO_ROOM, DiskErrorConverter
from url_downloader.storage.file_metadata import FileMetadata
from url_downloader.storage.free_space import FreeSpace
from url_downloader.storage.missing_features import Feature
from url_downloader.storage.part_note import PartNote, note_name, part_name, read_note
from url_downloader.storage.parts_folder import PartsFolder

WORTH_RESUMING = 1024 * 1024
"""Bytes from which on a part gets a note; a smaller part is not worth another request."""
BLOCK_SIZE = 1024 * 1024
"""Bytes that are read from the disk at once."""


class PartContext(NamedTuple):
    """Objects that all parts of a run share.

    Args:
        space: Free space of the disk.
        check: Function that raises AttemptError if the output directory is gone.

    Threads: any; the fields never change.
    """

    space: FreeSpace
    check: Callable[[], None]


class PartFile:
    """Open part, locked against other runs.

    Args:
        parts: Hidden folder that the part is in.
        opened: Name of the part in the folder, and its locked descriptor for reading and
            writing. This object closes the descriptor.
        url: URL of the download.
        context: Objects that all parts of a run share.

    Attributes:
        parts: Hidden folder that the part is in.
        name: Name of the part in the folder.
        size: Number of bytes that the part has.

    Threads: one; `size` may be read in any thread.
    """

    def __init__(
        self, parts: PartsFolder, opened: tuple[str, int], *, url: str, context: PartContext
    ) -> None:
        self.parts = parts
        # Written to without a buffer: the chunks from the network are large enough.
        self.name, self._descriptor = opened
        self._url = url
        self._context = context
        self._checked_size = 0
        self._validator: str | None = None
        self._total: int | None = None
        self._has_note = False
        self._can_have_note = True
        self._has_known_name = False
        self._is_empty = True
        self._is_reliable = True
        self.size = 0
        context.space.add_file(self)

    @property
    def path(self) -> str:
        """Return the path of the part, for messages."""
        return f"{self.parts.path}/{self.name}"

    @property
    def to_come(self) -> int | None:
        """Return the number of bytes that the server still announces; None if unknown."""
        return None if self._total is None else max(0, self._total - self.size)

    @property
    def saved(self) -> SavedPart | None:
        """Return the facts needed to resume the part; None if it can't be resumed."""
        if self._validator is None or not self.size:
            return None
        return SavedPart(validator=self._validator, total=self._total, size=self.size)

    def load(self) -> None:
        """Accept the bytes of an earlier attempt, if the part's note is valid and matches them.

        Otherwise, `saved` stays None.

        Raises:
            OSError: The system refuses to read the part or its note.
        """
        self._has_known_name = True
        size = os.fstat(self._descriptor).st_size
        self._is_empty = not size
        note = read_note(self.name, folder=self.parts.descriptor)
        if note is None or note.url != without_credentials(self._url):
            return
        if note.total is not None and note.total < size:
            return
        self._validator, self._total, self._has_note = note.validator, note.total, True
        self.size = os.lseek(self._descriptor, size, os.SEEK_SET)

    def begin(self, validator: str | None, total: int | None) -> None:
        """Empty the part, for the bytes of another version.

        Args:
            validator: Strong validator of the version; None if it has none.
            total: Length of the version in bytes; None if it is unknown.

        Raises:
            AttemptError: The disk refuses.
        """
        self.size = 0
        with DiskErrorConverter(self.path):
            self._remove_note()
            if not self._is_empty:
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                os.ftruncate(self._descriptor, 0)
                self._is_empty = True
        self._validator, self._total = validator, total
        self._checked_size = 0

    def write(self, data: Chunk) -> None:
        """Append bytes.

        Raises:
            AttemptError: The disk refuses, or is full.
        """
        with DiskErrorConverter(self.path):
            size = self.size + len(data)
            if size > self._checked_size:
                self._check_room(len(data))
            self._is_empty = False
            try:
                self._append(data)
            except OSError as error:
                # After EIO it is unknown which of the bytes were lost.
                self._is_reliable = error.errno != errno.EIO
                raise
            self.size = size
            if size >= WORTH_RESUMING and not self._has_note:
                self._save_note()

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Call `update` with all bytes of the part, in order.

        Raises:
            AttemptError: The part can't be read.
        """
        with DiskErrorConverter(self.path):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while data := os.read(self._descriptor, BLOCK_SIZE):
                update(data)

    def prepare_publish(self, metadata: FileMetadata) -> None:
        """Give the part its metadata, and check that all of its bytes were written.

        Raises:
            OSError: The system refuses, or bytes are lost.
        """
        try:
            metadata.apply(self._descriptor)
            self._flush()
        except OSError as error:
            self._is_reliable = error.errno in NO_DESCRIPTORS
            raise

    def mtime_ns(self) -> int:
        """Return the time of the last change in ns since the epoch, or raise an OSError."""
        return os.fstat(self._descriptor).st_mtime_ns

    def close_after_publish(self) -> None:
        """Remove the note and close the part, which now has the file's name."""
        with suppress(OSError):
            self._remove_note()
        # An error of this close is harmless: prepare_publish has checked the bytes.
        self.close()

    def keep(self) -> bool:
        """Close the part; keep it if a later attempt can resume it, else remove it.

        Returns:
            Whether the part was kept.
        """
        if not (self._has_note and self._is_reliable and self._flushes_cleanly()):
            self.discard()
            return False
        self.close()
        return True

    def close(self) -> None:
        """Close the part with its bytes and its note; calling it again has no effect."""
        # A second close of the same number could close another file.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)
        self._context.space.remove_file(self)

    def discard(self) -> None:
        """Close the part and remove it; do nothing if it is closed already."""
        if self._descriptor < 0:
            return
        if self._has_note and not self._is_reliable:
            # An empty part makes the note useless, even if the note can't be removed.
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
        with suppress(OSError):
            self._remove_note()
        with suppress(OSError):
            self.parts.remove(self.name)
        self.close()

    def _check_room(self, arrived: int) -> None:
        if self._checked_size:
            self._context.check()
        self._checked_size = self.size + self._context.space.check(self, arrived)

    def _append(self, data: Chunk) -> None:
        if isinstance(data, bytes):
            write_all(self._descriptor, data)
        else:
            data.write_to(self._descriptor)

    def _flush(self) -> None:
        """Make the system report the errors that a close reports, but keep the lock."""
        os.close(os.dup(self._descriptor))

    def _flushes_cleanly(self) -> bool:
        try:
            self._flush()
        except OSError as error:
            return error.errno in NO_DESCRIPTORS
        return True

    def _save_note(self) -> None:
        """Write the note if possible; the download can go on without it."""
        if self._validator is None or not self._can_have_note:
            return
        note = PartNote(without_credentials(self._url), self._validator, self._total)
        try:
            if self._has_known_name or self._take_known_name():
                note.write(self.name, folder=self.parts.descriptor)
                self._has_note = self.parts.has_notes = True
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            if error.errno not in NO_DESCRIPTORS:
                self._can_have_note = False
                self.parts.missing_features.note(Feature.NOTES, error)

    def _take_known_name(self) -> bool:
        """Rename the part to the name that later runs look for.

        Returns:
            False if another run has locked that name, or it belongs to no plain file.
        """
        known = part_name(self._url)
        # Only the run that holds the lock of this name may replace the part that has it.
        placeholder = self.parts.lock_part(known, may_create=True)
        if placeholder is None:
            self._can_have_note = False
            return False
        try:
            self.parts.remove(note_name(known))
            self.parts.rename(self.name, known)
            self.name, self._has_known_name = known, True
        finally:
            with suppress(OSError):
                os.close(placeholder)
        return True

    def _remove_note(self) -> None:
        if self._has_known_name:
            self.parts.remove(note_name(self.name))
        self._validator = None
        self._has_note = False
