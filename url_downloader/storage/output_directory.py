"""Output directory of a run: existing files, parts in a hidden folder, and published files.

One OutputDirectory serves all workers of a run. It is used in this order:

1. The start of the `with` block makes the directory and opens the hidden folder for parts.
2. `existing` finds the file that has a job's name already, for `-nc`, `-c` and `-N`.
3. `reopen` returns the part of an earlier attempt, or `create` makes a new one. Each part is a
   file in the hidden folder, locked against other runs.
4. The attempt writes to the PartFile. FreeSpace checks that the bytes fit on the disk. A large
   part gets a note, which makes it usable for later attempts.
5. `publish` gives the part its metadata, and makes sure that all bytes are written. It finds or
   makes the file's folder, and renames the part to the file's name. The note is removed last,
   because a part without it can't be resumed after a kill.
6. The end of the `with` block removes parts that no run can resume.

Independent of the network and of job states. An error of the system becomes an AttemptError;
at the start of the `with` block, an OutputError.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Self

from url_downloader.config.settings import Existing, OutputSettings
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError, OutputError
from url_downloader.shared.file_facts import FileVersion, PublishedFile
from url_downloader.shared.models import DownloadJob, ErrorKind
from url_downloader.shared.ports import Part
from url_downloader.storage.disk_errors import DiskErrorConverter
from url_downloader.storage.existing_file import FileOnDisk, find_file
from url_downloader.storage.file_metadata import FileMetadata
from url_downloader.storage.folder_tree import FolderTree
from url_downloader.storage.free_space import FreeSpace
from url_downloader.storage.missing_features import MissingFeatures
from url_downloader.storage.part_file import PartContext, PartFile
from url_downloader.storage.part_note import note_name, part_name
from url_downloader.storage.parts_folder import PartsFolder
from url_downloader.storage.publishing import Destination, publish_part

PARTS_FOLDER = ".url-downloader"
"""Name of the hidden folder for parts; no file of a list may have this name."""
_TRIES = 100
"""Number of tries to use the hidden folder; other runs may remove it at any moment."""
_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""Error numbers that mean that no file has the name."""


class _OpenedDirectory:
    """Objects that exist while the output directory is open.

    Args:
        tree: Tree of folders.
        parts: Hidden folder for parts; it is replaced if it was removed.
        context: Objects that all parts share.

    Threads: any; replacing `parts` is one assignment.
    """

    __slots__ = ("context", "parts", "tree")

    def __init__(self, tree: FolderTree, parts: PartsFolder, *, context: PartContext) -> None:
        self.tree = tree
        self.parts = parts
        self.context = context


class OutputDirectory:
    """Directory that the files of a run go to; a `with` block prepares it and tidies it up.

    Args:
        settings: Location of the directory, and rules for publishing.

    Threads: all methods from any thread, but each PartFile in one.
    """

    def __init__(self, settings: OutputSettings) -> None:
        self._settings = settings
        self._missing_features = MissingFeatures(str(settings.directory))
        self._opened: _OpenedDirectory | None = None

    def __enter__(self) -> Self:
        self.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self.tidy()
        # An abandoned thread keeps the folders open that it still uses.
        self._opened = None

    def prepare(self) -> None:
        """Make the directory, and check that files can be made in it.

        Raises:
            OutputError: The directory can't be made or written to.
        """
        settings = self._settings
        try:
            tree = FolderTree(
                settings.directory,
                is_synced=settings.is_synced,
                missing_features=self._missing_features,
            )
            parts = self._open_parts(tree)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise OutputError(
                f"{settings.directory}: no files can be written there: {reason}; choose"
                " another directory with --dir"
            ) from error
        self._opened = _OpenedDirectory(tree, parts, context=self._context(tree))

    @property
    def has_leftovers(self) -> bool:
        """Tell whether there may be parts that can be resumed."""
        return self._require_open().parts.has_notes

    def existing(self, output: str) -> FileOnDisk | None:
        """Return the regular file of this name; None if there is none. Links are not followed.

        Raises:
            AttemptError: The file can't be examined, so it must not be replaced.
        """
        try:
            with DiskErrorConverter(self._path(output)):
                return self._find_existing(output)
        except AttemptError:
            # With -N the file may be replaced: it is downloaded anew.
            if self._settings.existing is Existing.COMPARE:
                return None
            raise

    def reopen(self, job: DownloadJob) -> PartFile | None:
        """Return the job's part of an earlier attempt of any run; None if none can be resumed.

        Raises:
            AttemptError: Too many files are open to find out.
        """
        opened, name = self._require_open(), part_name(job.url)
        with DiskErrorConverter(f"{opened.parts.path}/{name}"):
            try:
                return self._reopen_part(name, job)
            except OSError as error:
                if error.errno in NO_DESCRIPTORS:
                    raise
                return None

    def create(self, job: DownloadJob) -> PartFile:
        """Make an empty part for this job.

        Raises:
            AttemptError: The part can't be made.
        """
        opened = self._require_open()
        with DiskErrorConverter(opened.parts.path):
            for _ in range(_TRIES):
                parts = opened.parts
                with suppress(FileNotFoundError):
                    return PartFile(parts, parts.create(), url=job.url, context=opened.context)
                # The user, or another run that found the folder empty, has removed it.
                opened.tree.check()
                opened.parts = self._open_parts(opened.tree)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def publish(
        self, part: Part, output: str, *, version: FileVersion, replaces: bool
    ) -> PublishedFile:
        """Give a finished part its final name by an atomic rename.

        Args:
            part: Part that this directory made.
            output: Path of the file, relative to the directory.
            version: Version of the file on its server.
            replaces: Whether to replace a file that may be that of another run.

        Raises:
            NameTakenError: Such a file exists, and `replaces` is not set.
            AttemptError: The system refuses, the path leads out of the directory, or the
                directory is gone.
        """
        assert isinstance(part, PartFile)
        tree, metadata = self._require_open().tree, self._metadata(version)
        path = self._path(output)
        folder_path, _, name = output.encode().rpartition(b"/")
        with DiskErrorConverter(path):
            part.prepare_publish(metadata)
            folder = tree.folder(folder_path, may_create=True)
            mtime_ns = publish_part(
                part, Destination(folder, name), metadata=metadata, replaces=replaces
            )
            part.close_after_publish()
            if metadata.is_synced:
                tree.sync(folder)
        return PublishedFile(path, mtime_ns)

    def tidy(self) -> None:
        """Remove parts that no run can resume, and the hidden folder if it is empty."""
        opened = self._opened
        if opened is not None:
            with suppress(OSError):
                opened.parts.remove_leftovers()
                os.rmdir(PARTS_FOLDER, dir_fd=opened.tree.root.descriptor)

    def _require_open(self) -> _OpenedDirectory:
        if self._opened is None:
            raise AttemptError(ErrorKind.INTERRUPTED, "the run has ended")
        return self._opened

    def _open_parts(self, tree: FolderTree) -> PartsFolder:
        """Open the hidden folder, which other runs may remove at any moment."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return PartsFolder(
                    tree.root,
                    PARTS_FOLDER,
                    path=os.fsdecode(tree.prefix) + PARTS_FOLDER,
                    missing_features=self._missing_features,
                )
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _context(self, tree: FolderTree) -> PartContext:
        space = FreeSpace(
            tree.root,
            path=str(self._settings.directory),
            min_free=self._settings.min_free,
            missing_features=self._missing_features,
        )
        return PartContext(space=space, check=tree.check)

    def _path(self, output: str) -> str:
        """Return the path of a file, such that os.fsencode() returns the bytes on the disk."""
        return os.fsdecode(self._require_open().tree.prefix + output.encode())

    def _metadata(self, version: FileVersion) -> FileMetadata:
        settings = self._settings
        return FileMetadata(
            modified=version.modified if settings.keeps_mtime else None,
            etag=version.etag if settings.existing is Existing.COMPARE else None,
            is_synced=settings.is_synced,
            missing_features=self._missing_features,
        )

    def _find_existing(self, output: str) -> FileOnDisk | None:
        folder_path, _, name = output.encode().rpartition(b"/")
        is_compared = self._settings.existing is Existing.COMPARE
        opened, path = self._require_open(), self._path(output)
        try:
            folder, run = opened.tree.folder(folder_path), opened.parts.opened
            return find_file(folder, name, path=path, wants_etag=is_compared, run=run)
        except OSError as error:
            if error.errno in _NO_SUCH_FILE:
                return None
            raise

    def _reopen_part(self, name: str, job: DownloadJob) -> PartFile | None:
        opened = self._require_open()
        if not opened.parts.has(note_name(name)):
            return None
        descriptor = opened.parts.lock_part(name, may_create=False)
        if descriptor is None:
            return None
        part = PartFile(opened.parts, (name, descriptor), url=job.url, context=opened.context)
        try:
            part.load()
        except BaseException:
            part.close()
            raise
        if part.saved is None:
            part.discard()
            return None
        return part
