"""The note beside a part (the sidecar), which names the version that its bytes belong to."""

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
"""Bytes of a note; what is longer was not written by this program."""
MAX_TOTAL = 2**63 - 1
"""Bytes of the largest file that a system has numbers for."""
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class PartNote:
    """What is remembered of a part.

    Args:
        url: of the download, without credentials.
        validator: strong one of the version.
        total: its length in bytes, None if it is not known.
    """

    url: str
    validator: str
    total: int | None

    def write(self, part: str, *, folder: int) -> None:
        """Put the note beside the part, in one step.

        Args:
            part: its name, locked by the caller.
            folder: descriptor of the folder that the part is in.

        Raises:
            OSError: the disk refuses.
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
    """Return the name that a part of this URL has in every run, once it is worth resuming."""
    return f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.part"


def note_name(part: str) -> str:
    """Return the name of a part's note."""
    return part.removesuffix(".part") + ".json"


def draft_name(part: str) -> str:
    """Return the name of a part's note while it is written."""
    return part.removesuffix(".part") + ".draft"


def is_note(name: str) -> bool:
    """Return whether it is the name of a part's note."""
    return name.endswith(".json")


def read_note(part: str, *, folder: int) -> PartNote | None:
    """Return the note beside the part; None if there is none that is sound.

    Args:
        part: its name.
        folder: descriptor of the folder that the part is in.

    Raises:
        OSError: too many files are open to know.
    """
    try:
        data = _read(note_name(part), folder=folder)
        return _parsed(json.loads(data)) if len(data) <= MAX_NOTE else None
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        return None
    # Nesting without end is a RecursionError.
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
    # A bool is an int.
    is_total = total is None or (type(total) is int and 0 <= total <= MAX_TOTAL)
    is_sound = isinstance(url, str) and isinstance(validator, str) and is_total
    if is_sound and is_strong_validator(validator):
        return PartNote(url, validator, total)
    return None
