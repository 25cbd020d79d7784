"""Parts and their notes on a real disk: whatever happens, a usable pair or a useless one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from url_downloader.config.settings import OutputSettings
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.ports import SavedPart
from url_downloader.storage import (
    output_directory as storage,
)
from url_downloader.storage import (
    part_file,
    part_note,
    parts_folder,
    publishing,
)
from url_downloader.storage.folder import open_folder
from url_downloader.storage.missing_features import MissingFeatures
from url_downloader.storage.output_directory import PARTS_FOLDER, OutputDirectory
from url_downloader.storage.part_file import WORTH_RESUMING, PartFile
from url_downloader.storage.part_note import MAX_NOTE, part_name
from url_downloader.storage.parts_folder import PartsFolder

URL = "http://host/file.bin"
ETAG = '"v1"'
MIB = WORTH_RESUMING
V1 = bytes(range(256)) * (MIB // 128)
V2 = bytes(reversed(V1)) + b"!"
VERSIONS = {'"v1"': V1, '"v2"': V2}
JOB = DownloadJob(job_id=1, url=URL, output="file.bin", max_retries=0)


def opened(path: Path, url: str = URL) -> PartFile:
    """The part of this URL in another run: the one that was kept, or a new one."""
    output = prepared(path.parent.parent)
    job = JOB._replace(url=url)
    return output.reopen(job) or output.create(job)


def saved_pair(path: Path, size: int = MIB + 5) -> Path:
    """A part of V1 with its note, as an attempt that was cut leaves it; the note's path."""
    part = opened(path)
    part.begin(ETAG, len(V1))
    part.write(V1[:size])
    assert part.keep()
    return path.with_suffix(".json")


def publish(part: PartFile, name: str, *, path: Path) -> Path:
    """Publish the part in its directory, where it has this path."""
    output = prepared(path.parent.parent)
    return Path(output.publish(part, name, modified=None, etag=None))


def content(part: PartFile) -> bytes:
    """All bytes that the part has."""
    found = bytearray()
    part.read_into(found.extend)
    return bytes(found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the part is from 1 MiB on."""
    return tmp_path / "run" / PARTS_FOLDER / part_name(URL)


@pytest.mark.parametrize("total", [len(V1), None])
@pytest.mark.parametrize("size", [MIB, MIB + 1, len(V1)])
def test_a_pair_is_usable(path: Path, size: int, *, total: int | None) -> None:
    """What was kept is known again, byte for byte, and goes on where it ended."""
    part = opened(path)
    assert part.saved is None
    part.begin(ETAG, total)
    for start in range(0, size, 100_000):
        part.write(V1[start : min(start + 100_000, size)])
    assert part.keep()
    again = opened(path)
    assert again.saved == SavedPart(validator=ETAG, total=total, size=size)
    assert content(again) == V1[:size]
    again.write(V1[size:])
    assert again.size == len(V1)
    target = publish(again, "file", path=path)
    assert target.read_bytes() == V1
    assert target == path.parent.parent / "file"
    assert list(path.parent.iterdir()) == []


def test_a_part_is_read_between_writes(path: Path) -> None:
    """Hashing what is there doesn't move the place where the next bytes go."""
    part = opened(path)
    part.begin(None, None)
    for chunk in (b"abc", b"de", b"f"):
        part.write(chunk)
        assert content(part).endswith(chunk)
    assert content(part) == b"abcdef"
    part.discard()


def test_a_note_knows_no_password(path: Path) -> None:
    """Credentials of the URL are not written down, and make no other file of it."""
    part = opened(path, "http://user:secret@host/file.bin")
    part.begin(ETAG, None)
    part.write(V1)
    part.keep()
    [note] = path.parent.glob("*.json")
    assert "secret" not in note.read_text()
    again = opened(path, "http://user:secret@host/file.bin")
    assert again.saved is not None
    again.discard()


def note(**changes: Any) -> bytes:
    """The text of a note."""
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


@pytest.mark.parametrize("files", USELESS.values(), ids=USELESS.keys())
def test_a_pair_that_is_useless(path: Path, files: Mapping[str, bytes | None]) -> None:
    """It is seen to be so: nothing of it is resumed, and the next version begins clean."""
    saved_pair(path)
    for suffix, data in files.items():
        place = path.with_suffix(f".{suffix}")
        place.unlink(missing_ok=True)
        if data is not None:
            place.write_bytes(data)
    assert_begins_clean(path)


def assert_begins_clean(path: Path) -> None:
    """The next run resumes nothing, what it keeps is its own, and all ends tidily."""
    part = opened(path)
    assert (part.saved, part.size) == (None, 0)
    part.begin('"v2"', len(V2))
    part.write(V2[: MIB + 9])
    assert part.saved == SavedPart(validator='"v2"', total=len(V2), size=MIB + 9)
    if part.keep():
        part = opened(path)
        assert part.saved == SavedPart(validator='"v2"', total=len(V2), size=MIB + 9)
    else:
        part = opened(path)
        part.begin('"v2"', len(V2))
    part.write(V2[part.size :])
    target = publish(part, "file", path=path)
    assert target.read_bytes() == V2


def plant(place: Path, kind: str) -> None:
    """Put something at a place that no run would put there."""
    precious = place.parent.parent / "precious"
    precious.write_bytes(V1)
    match kind:
        case "link":
            place.symlink_to(precious)
        case "link to nowhere":
            place.symlink_to("nowhere")
        case "second name":
            place.hardlink_to(precious)
        case "FIFO":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
            (place / "inside").write_bytes(b"precious")


@pytest.mark.leaves_parts
@pytest.mark.parametrize("suffix", [".part", ".json", ".draft"])
@pytest.mark.parametrize(
    "kind", ["link", "link to nowhere", "second name", "FIFO", "directory"]
)
def test_what_was_planted(path: Path, kind: str, suffix: str) -> None:
    """It is neither waited for nor followed nor written to, and the file comes all the same."""
    saved_pair(path)
    if suffix == ".draft":
        path.with_suffix(".json").unlink()
    place = path.with_suffix(suffix)
    place.unlink(missing_ok=True)
    plant(place, kind)
    assert_begins_clean(path)
    prepared(path.parent.parent).tidy()
    assert (path.parent.parent / "precious").read_bytes() == V1
    assert not (path.parent / "nowhere").exists()
    if kind == "directory":
        assert (place / "inside").read_bytes() == b"precious"


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
def test_what_is_worth_a_note(
    path: Path, validator: str | None, *, sizes: list[int], has_note: bool
) -> None:
    """From 1 MiB on, if the version can be told from others; all else is not kept."""
    part = opened(path)
    part.begin(validator, None)
    for size in sizes:
        part.write(bytes(size))
    assert path.with_suffix(".json").exists() is has_note
    assert part.keep() is has_note
    kept = {path.name, path.with_suffix(".json").name} if has_note else set()
    assert {each.name for each in path.parent.iterdir()} == kept


def test_a_note_is_written_once(path: Path) -> None:
    """Later bytes don't write it again, however many there are."""
    part = opened(path)
    part.begin(ETAG, None)
    part.write(bytes(MIB))
    before = path.with_suffix(".json").stat()
    part.write(bytes(MIB))
    after = path.with_suffix(".json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    part.discard()


def test_a_discarded_pair_is_gone(path: Path) -> None:
    """Part and note: nothing stays."""
    saved_pair(path)
    part = opened(path)
    part.discard()
    assert list(path.parent.iterdir()) == []


class Killed:
    """Copies a folder whenever it has changed, line by line of the code that changes it.

    Each copy is what a SIGKILL at that line would have left: bytes in our own buffers are
    lost with the process, what the system was given stays.
    """

    FILES = tuple(
        str(module.__file__)
        for module in (publishing, part_file, part_note, parts_folder, storage)
    )

    def __init__(self, folder: Path, copies: Path) -> None:
        self._folder = folder
        self._copies = copies
        self._last: object = None
        self.found: list[Path] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Copy while this goes on."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
        self._look()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._on_line if frame.f_code.co_filename.startswith(self.FILES) else None

    def _on_line(self, frame: FrameType, event: str, argument: object) -> Any:
        sys.settrace(None)
        self._look()
        sys.settrace(self._trace)
        return self._on_line

    def _look(self) -> None:
        states = [(each, each.lstat()) for each in sorted(self._folder.rglob("*"))]
        now = [(each, s.st_ino, s.st_size, s.st_mtime_ns) for each, s in states]
        if now != self._last:
            self._last = now
            self.found.append(self._copies / f"{len(self.found)}")
            shutil.copytree(self._folder, self.found[-1])


def prepared(folder: Path) -> OutputDirectory:
    """An output directory of a new run."""
    output = OutputDirectory(OutputSettings(directory=folder))
    output.prepare()
    return output


def get(output: OutputDirectory, tag: str, *, until: int | None = None) -> None:
    """Get a version as an attempt does, resuming what fits; cut after `until` bytes."""
    version = VERSIONS[tag]
    part = output.reopen(JOB)
    if part is None or part.saved is None or part.saved.validator != tag:
        part = part or output.create(JOB)
        part.begin(tag, len(version))
    end = len(version) if until is None else until
    for start in range(part.size, end, 300_000):
        part.write(version[start : min(start + 300_000, end)])
    if until is None:
        output.publish(part, JOB.output, modified=1e9, etag=None)
    else:
        part.keep()


@pytest.fixture
def killed(tmp_path: Path) -> list[Path]:
    """What is left by kills at any moment of runs that resume, change versions and finish."""
    folder = tmp_path / "run"
    output = prepared(folder)
    watch = Killed(folder, tmp_path / "copies")
    with watch.watching():
        get(output, '"v1"', until=500_000)
        get(output, '"v1"', until=MIB + 77)
        get(output, '"v2"', until=MIB + 99)
        get(output, '"v2"', until=MIB + 300_000)
        get(output, '"v1"')
        output.tidy()
        output.prepare()
        get(output, '"v2"')
    assert len(watch.found) > 30
    return watch.found


def test_a_kill_leaves_a_pair_or_nothing(killed: list[Path]) -> None:
    """At no moment bytes lie under the note of another version, or half a file under its name.

    And whatever was left, the next run gets the right file of it and tidies up.
    """
    kept = 0
    for folder in killed:
        target = folder / JOB.output
        assert not target.exists() or target.read_bytes() in (V1, V2)
        output = prepared(folder)
        part = output.reopen(JOB)
        if part is not None:
            kept += 1
            assert part.saved is not None
            version = VERSIONS[part.saved.validator]
            assert part.saved.total == len(version)
            assert content(part) == version[: part.size]
            assert part.keep()
        get(output, '"v2"')
        assert target.read_bytes() == V2
        output.tidy()
        assert [each.name for each in folder.iterdir()] == [JOB.output]
    assert kept > 5


def test_a_kill_leaves_nothing_for_ever(killed: list[Path]) -> None:
    """A run that doesn't want the file any more removes all that nobody can use again."""
    left = set()
    for folder in killed:
        prepared(folder).tidy()
        left.add(" ".join(sorted(each.suffix for each in (folder / PARTS_FOLDER).glob("*"))))
    assert left == {"", ".json .part"}


def test_two_runs_do_not_share_a_part(path: Path) -> None:
    """The later gets one of its own, without a note; both end with right files."""
    first = opened(path)
    first.begin(ETAG, len(V1))
    first.write(V1[:MIB])
    second = opened(path)
    assert second.path != str(path)
    assert second.saved is None
    second.begin('"v2"', len(V2))
    for part, rest in ((first, V1[MIB:]), (second, V2)):
        part.write(rest)
    assert {each.suffix for each in path.parent.iterdir()} == {".part", ".json"}
    assert [each.stem for each in path.parent.glob("*.json")] == [path.stem]
    assert publish(first, "a", path=path).read_bytes() == V1
    assert publish(second, "b", path=path).read_bytes() == V2
    assert list(path.parent.iterdir()) == []


def test_a_private_part_is_not_kept(path: Path) -> None:
    """Nobody would find it; it harms neither the pair that is locked nor what it leaves."""
    saved_pair(path)
    first, second = opened(path), opened(path)
    assert (first.size, second.size) == (MIB + 5, 0)
    second.begin('"v2"', None)
    second.write(V2)
    assert not second.keep()
    third = opened(path)
    third.discard()
    assert first.keep()
    last = opened(path)
    assert (last.path, last.size) == (str(path), MIB + 5)
    assert content(last) == V1[: MIB + 5]
    last.discard()


@pytest.mark.parametrize("act", ["publish", "remove", "replace"])
def test_what_happens_before_the_lock(
    path: Path, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that its last holder published or removed meanwhile is not written into."""
    prepared(path.parent.parent)
    parts = PartsFolder(
        open_folder(os.fsencode(path.parent.parent)),
        PARTS_FOLDER,
        path="parts",
        missing_features=MissingFeatures("out"),
    )
    target = path.parent.parent / "file"
    path.write_bytes(b"whole")
    real_flock = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        if act == "publish":
            path.replace(target)
        else:
            path.unlink()
        if act == "replace":
            path.write_bytes(b"of another")
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    descriptor = parts.lock_part(path.name, may_create=True)
    assert descriptor is not None
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)
    assert path.read_bytes() == (b"of another" if act == "replace" else b"")
    assert act != "publish" or target.read_bytes() == b"whole"
    path.unlink()


def test_what_a_leftover_is(path: Path) -> None:
    """Bytes without a note are of no use to anybody; a pair is; what isn't there stays so."""
    prepared(path.parent.parent).tidy()
    assert not path.parent.exists()
    note_path = saved_pair(path)
    prepared(path.parent.parent).tidy()
    assert path.exists()
    note_path.unlink()
    prepared(path.parent.parent).tidy()
    assert not path.exists()


@pytest.mark.parametrize("is_private", [False, True])
def test_a_part_at_work_is_no_leftover(path: Path, is_private: bool) -> None:
    """What another run writes is left alone, though it has no note yet."""
    holder = opened(path)
    part = opened(path) if is_private else holder
    part.begin(ETAG, None)
    part.write(b"abc")
    prepared(path.parent.parent).tidy()
    assert (path.parent / part.name).exists()
    for each in {part, holder}:
        each.discard()


@pytest.mark.parametrize(
    ("modified", "keeps_mtime", "expected"),
    [
        (1e9, True, 1e9),
        (0.0, True, 0.0),
        (-86400.0, True, -86400.0),
        (1e9, False, None),
        (None, True, None),
        (1e300, True, None),
    ],
)
def test_the_time_of_a_file(
    tmp_path: Path, modified: float | None, *, keeps_mtime: bool, expected: float | None
) -> None:
    """Last-Modified where it is known, wanted and a time that files can have; else now."""
    output = OutputDirectory(OutputSettings(directory=tmp_path, keeps_mtime=keeps_mtime))
    output.prepare()
    started = (tmp_path / PARTS_FOLDER).stat().st_mtime
    part = output.create(JOB)
    part.begin(None, None)
    part.write(b"abc")
    file = output.publish(part, "file.bin", modified=modified, etag=None)
    found = Path(file).stat().st_mtime
    assert found == expected if expected is not None else found >= started


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_mode_of_a_part(path: Path, umask: int) -> None:
    """Ordinary permissions from the start, so that none are left to set at the end."""
    before = os.umask(umask)
    try:
        part = opened(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((path.parent / part.name).stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    part.discard()


@pytest.mark.parametrize("is_synced", [True, False])
def test_what_is_synced(
    tmp_path: Path, is_synced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before it has its name, each new folder in the one above, then the new name.

    The output directory is one of the new folders.
    """
    directory = tmp_path / "new/out"
    target = directory / "a/b/file.bin"
    synced: list[tuple[int, int, bool]] = []

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(status.st_mode)
        synced.append((status.st_ino, -1 if is_folder else status.st_size, target.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    output = OutputDirectory(OutputSettings(directory=directory, is_synced=is_synced))
    output.prepare()
    for name in ("a/b/file.bin", "a/b/other.bin"):
        part = output.create(JOB)
        part.begin(None, None)
        part.write(b"abc")
        output.publish(part, name, modified=1e9, etag=None)
    folders = (tmp_path, tmp_path / "new", directory, directory / "a", directory / "a/b")
    top, new, out, a, b = (folder.stat().st_ino for folder in folders)
    file, other = target.stat().st_ino, target.with_name("other.bin").stat().st_ino
    expected = [
        *((top, -1, False), (new, -1, False)),
        *((file, 3, False), (out, -1, False), (a, -1, False), (b, -1, True)),
        *((other, 3, True), (b, -1, True)),
    ]
    assert synced == (expected if is_synced else [])
