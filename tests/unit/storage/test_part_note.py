"""Part notes: when they are written, what they hold, and notes that are of no use."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import make_job
from tests.support.output_directories import (
    ETAG,
    MIB,
    URL,
    V1,
    assert_starts_over,
    hidden_files,
    keep_part,
    known_part,
    prepared,
    publish,
    refuse,
    reopened,
)
from url_downloader.storage.part_note import MAX_NOTE


@pytest.mark.parametrize(
    ("validator", "sizes", "has_note"),
    [
        (ETAG, [MIB - 1], False),
        (ETAG, [100, MIB - 101], False),
        (ETAG, [MIB], True),
        (ETAG, [MIB - 1, 1], True),
        (ETAG, [2 * MIB], True),
        (None, [2 * MIB], False),
        (None, [MIB, MIB], False),
        (ETAG, [], False),
    ],
)
def test_the_size_from_which_a_part_has_a_note(
    directory: Path, validator: str | None, *, sizes: list[int], has_note: bool
) -> None:
    """A part with a validator gets a note from 1 MiB on; without a note it is not kept."""
    path = known_part(directory)
    part = reopened(directory)
    part.begin(validator, None)
    for size in sizes:
        part.write(bytes(size))
    assert path.with_suffix(".json").exists() is has_note
    assert part.keep() is has_note
    kept = {path.name, path.with_suffix(".json").name} if has_note else set()
    assert {each.name for each in hidden_files(directory)} == kept


def test_a_note_is_written_once(directory: Path) -> None:
    """Later bytes of the part do not write its note again."""
    note_path = known_part(directory).with_suffix(".json")
    part = reopened(directory)
    part.begin(ETAG, None)
    part.write(bytes(MIB))
    before = note_path.stat()
    part.write(bytes(MIB))
    after = note_path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    part.discard()


def test_a_url_with_credentials(directory: Path) -> None:
    """The note does not contain the password; the part is found again for the same URL."""
    url = "http://user:secret@host/file.bin"
    part = reopened(directory, url)
    part.begin(ETAG, None)
    part.write(V1)
    part.keep()
    [path] = [each for each in hidden_files(directory) if each.suffix == ".json"]
    assert "secret" not in path.read_text()
    again = reopened(directory, url)
    assert again.saved is not None
    again.discard()


def note(**changes: Any) -> bytes:
    """Return the text of a valid note with these changes."""
    return json.dumps({"url": URL, "validator": ETAG, "total": len(V1)} | changes).encode()


GOOD = note()
USELESS: dict[str, Mapping[str, bytes | None]] = {
    "part without note": {"json": None},
    "note without part": {"part": None},
    "note of an empty part": {"part": b""},
    "draft only": {"json": None, "draft": GOOD},
    "other URL": {"json": note(url="http://host/other.bin")},
    "other query": {"json": note(url=f"{URL}?v=2")},
    "total below size": {"json": note(total=MIB + 4)},
    "total 0": {"json": note(total=0)},
    "total negative": {"json": note(total=-1)},
    "total a text": {"json": note(total="2097152")},
    "total a fraction": {"json": note(total=3e6)},
    "no validator": {"json": note(validator=None)},
    "validator a number": {"json": note(validator=1)},
    "url a list": {"json": note(url=[URL])},
    "empty note": {"json": b""},
    "half a note": {"json": GOOD[:30]},
    "note and more": {"json": GOOD + b"}"},
    "zeros": {"json": bytes(len(GOOD))},
    "not UTF-8": {"json": b"\xff" + GOOD},
    "no object": {"json": b"[]"},
    "null": {"json": b"null"},
    "a number": {"json": b"1"},
    "a text": {"json": b'"url"'},
    "no keys": {"json": b"{}"},
    "nested without end": {"json": b"[" * 100_000},
    "total a bool": {"json": note(total=True)},
    "total without end": {"json": note(total=2**70)},
    "total of many digits": {"json": GOOD.replace(b"2097152", b"9" * 5000)},
    "total infinite": {"json": GOOD.replace(b"2097152", b"1e999")},
    "validator of two lines": {"json": note(validator='"v1"\r\nX: y')},
    "validator with a NUL": {"json": note(validator='"v\0"')},
    "validator of any letters": {"json": note(validator='"\u6587"')},
    "validator weak": {"json": note(validator='W/"v1"')},
    "validator no tag and no date": {"json": note(validator="v1")},
    "validator empty": {"json": note(validator="")},
    "note of megabytes": {"json": GOOD + b" " * MAX_NOTE},
    "a key missing": {"json": b'{"url": "http://host/file.bin", "validator": "\\"v1\\""}'},
}
"""Files of a part by their suffix that replace those of a valid pair; None = it is missing."""


@pytest.mark.parametrize("files", USELESS.values(), ids=USELESS.keys())
def test_a_part_and_note_that_are_useless(
    directory: Path, files: Mapping[str, bytes | None]
) -> None:
    """A part without a valid note, or a note without its part, is not resumed."""
    keep_part(directory)
    for suffix, data in files.items():
        place = known_part(directory).with_suffix(f".{suffix}")
        place.unlink(missing_ok=True)
        if data is not None:
            place.write_bytes(data)
    assert_starts_over(directory)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_note_that_can_t_be_written(
    directory: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    package_log: pytest.LogCaptureFixture,
) -> None:
    """The file is stored without a note; a run logs one warning, or none if EMFILE is why."""
    output = prepared(directory)
    refuse(monkeypatch, "open", number, of=lambda name, *_: str(name).endswith(".draft"))
    for n in range(2):
        part = output.create(make_job(n))
        part.begin('"one"', 4 << 20)
        for _ in range(4):
            part.write(bytes(1 << 20))
        assert publish(output, part, f"file{n}").stat().st_size == 4 << 20
    assert len(package_log.records) == (number != errno.EMFILE)
    assert hidden_files(directory) == []
