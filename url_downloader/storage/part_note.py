"""Part note (sidecar file): it names the version that the bytes of a part belong to."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from url_downloader.shared.descriptors import write_all
from url_downloader.shared.errors import NO_DESCRIPTORS
from url_downloader.shared.http_semantics import is_strong_validator

MAX_NOTE = 256 * 1024
"""Bytes of the longest note that is read; this program writes no longer one."""
MAX_TOTAL = 2**63 - 1
"""Bytes of the largest file that a system can handle."""
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class PartNote:
    """Facts about the version that a part belongs to.

    Args:
        url: URL of the download, without credentials.
        validator: Strong validator of the version.
        total: Length of the version in bytes; None if it is unknown.
    """

    url: str
    validator: str
    total: int | None

    def write(self, part: str, *, folder: int) -> None:
        """Write the note beside the part, and replace an older one atomically.

        Args:
            part: Name of the part, which the caller has locked.
            folder: Descriptor of the folder that the part is in.

        Raises:
            OSError: The disk refuses.
        """
        draft = draft_name(part)
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        descriptor = os.open(draft, _DRAFT, 0o600, dir_fd=folder)
        try:
            write_all(descriptor, json.dumps(asdict(self)).encode())
        finally:
            os.close(descriptor)
        os.replace(draft, note_name(part), src_dir_fd=folder, dst_dir_fd=folder)


def part_name(url: str) -> str:
    """Return the name that a resumable part of this URL has in every run."""
    return f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.part"


def note_name(part: str) -> str:
    """Return the name of a part's note."""
    return part.removesuffix(".part") + ".json"


def draft_name(part: str) -> str:
    """Return the name that a part's note has while it is written."""
    return part.removesuffix(".part") + ".draft"


def is_part_file(name: str) -> bool:
    """Tell whether this is the name of a part, its note or a draft of that."""
    return name.endswith((".part", ".json", ".draft"))


def is_note(name: str) -> bool:
    """Tell whether this is the name of a part's note."""
    return name.endswith(".json")


def read_note(part: str, *, folder: int) -> PartNote | None:
    """Return the note beside the part; None if there is no valid one.

    Args:
        part: Name of the part.
        folder: Descriptor of the folder that the part is in.

    Raises:
        OSError: Too many files are open to find out.
    """
    try:
        data = _read(note_name(part), folder=folder)
        return _parsed(json.loads(data)) if len(data) <= MAX_NOTE else None
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        return None
    # JSON that is nested too deeply raises RecursionError.
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _read(name: str, *, folder: int) -> bytes:
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, MAX_NOTE + 1) if is_file else b""
    finally:
        os.close(descriptor)


def _parsed(note: Any) -> PartNote | None:
    url, validator, total = note["url"], note["validator"], note["total"]
    # type(), because isinstance() accepts a bool as an int.
    is_total = total is None or (type(total) is int and 0 <= total <= MAX_TOTAL)
    is_sound = isinstance(url, str) and isinstance(validator, str) and is_total
    if is_sound and is_strong_validator(validator):
        return PartNote(url, validator, total)
    return None
