"""The note beside a part (the sidecar), which names the version that its bytes belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from url_downloader.shared.errors import NO_DESCRIPTORS


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

    def write(self, part: str) -> None:
        """Put the note beside the part, in one step.

        Raises:
            OSError: the disk refuses.
        """
        draft = Path(draft_path(part))
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(note_path(part))


def note_path(part: str) -> str:
    """Where the note of a part is."""
    return part.removesuffix(".part") + ".json"


def draft_path(part: str) -> str:
    """Where it is while it is written."""
    return part.removesuffix(".part") + ".draft"


def is_note(path: Path) -> bool:
    """Whether it is the note of a part, by its name."""
    return path.suffix == ".json"


def read_note(part: str) -> PartNote | None:
    """The note beside the part; None if there is none that is sound.

    Raises:
        OSError: too many files are open to know.
    """
    try:
        note = json.loads(Path(note_path(part)).read_text(encoding="utf-8"))
        url, validator, total = note["url"], note["validator"], note["total"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
            raise
        return None
    is_sound = isinstance(url, str) and isinstance(validator, str)
    if not is_sound or not isinstance(total, int | None):
        return None
    return PartNote(url, validator, total)
