"""Files on the disk against what a ledger has recorded about them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.ledgers import IN_DIRECTORY, failure, of_file, record_run, success
from url_downloader.ledger import verification
from url_downloader.ledger.database import open_writer
from url_downloader.ledger.read_access import opened_ledger
from url_downloader.ledger.verification import Verification
from url_downloader.shared.checksums import ALGORITHMS
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import JobRecord

SECOND = 10**9
TIME = 1_700_000_000 * SECOND
"""Time of files, in nanoseconds: 2023-11-14T22:13:20Z."""


def digest(data: bytes, algorithm: str = "sha-256") -> Checksum:
    """Return the digest of the data."""
    return Checksum(algorithm, hashlib.new(ALGORITHMS[algorithm], data).hexdigest())


def make(directory: Path, name: str, data: bytes = b"12345", *, time: int = TIME) -> Path:
    """Make a file in the directory with this content and time."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(time, time))
    return path


class Compared:
    """A comparison that has ended.

    Attributes:
        differences: Names and faults.
        counts: Comparison, for its numbers.
    """

    def __init__(
        self,
        directory: Path,
        *,
        checksums: Mapping[str, Checksum] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int, int], None] = lambda _, __: None,
    ) -> None:
        with opened_ledger(directory / IN_DIRECTORY) as connection:
            self.counts = Verification(
                connection,
                os.fsencode(directory),
                checksums=checksums or {},
                should_stop=should_stop,
                on_progress=on_progress,
            )
            self.differences = [*self.counts.differences()]


def record(directory: Path, *records: JobRecord) -> Path:
    """Record the jobs in the ledger of the directory; return its path."""
    return record_run(directory / IN_DIRECTORY, records)


def change(path: Path, statement: str, *values: object) -> None:
    """Change a ledger."""
    with closing(open_writer(path, is_synced=False)) as connection:
        connection.execute(statement, values)


def test_files_that_are_as_recorded(tmp_path: Path) -> None:
    """Files that are as recorded have no faults, with and without digest."""
    plain = make(tmp_path, "a")
    deep = make(tmp_path, "sub/\u00fc \u202e.pdf", b"")
    both = make(tmp_path, "b", b"x" * 3_000_000)
    record(
        tmp_path,
        of_file(plain, "a"),
        of_file(deep, "sub/\u00fc \u202e.pdf", digest=digest(b"")),
        of_file(both, "b", digest=digest(b"x" * 3_000_000)),
    )
    compared = Compared(tmp_path)
    assert compared.differences == []
    assert (compared.counts.files, compared.counts.differing) == (3, 0)
    assert (compared.counts.without_digest, compared.counts.size) == (1, 3_000_000)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_digests(tmp_path: Path, algorithm: str) -> None:
    """A changed byte is found by each algorithm, even if size and time are the same."""
    path = make(tmp_path, "a", b"12345")
    record(tmp_path, of_file(path, "a", digest=digest(b"12345", algorithm)))
    assert Compared(tmp_path).differences == []
    make(tmp_path, "a", b"12x45")
    actual, expected = (digest(data, algorithm).digest for data in (b"12x45", b"12345"))
    assert Compared(tmp_path).differences == [("a", f"{algorithm} is {actual}, not {expected}")]


@pytest.mark.parametrize(
    ("data", "time", "faults"),
    [
        (b"123456", TIME, ["has 6 bytes, not 5"]),
        (b"", TIME + 1, ["has 0 bytes, not 5"]),
        (
            b"12345",
            TIME + 1,
            ["was changed at 2023-11-14T22:13:20.000000001Z, not at 2023-11-14T22:13:20.500Z"],
        ),
        (b"12345", TIME, []),
        (b"12345", TIME + SECOND // 2, []),
        (
            b"12345",
            TIME + SECOND,
            ["was changed at 2023-11-14T22:13:21.000000000Z, not at 2023-11-14T22:13:20.500Z"],
        ),
    ],
)
def test_size_and_time(tmp_path: Path, data: bytes, time: int, *, faults: list[str]) -> None:
    """Another size or time is a fault; a copy may have lost the fraction of the second."""
    path = make(tmp_path, "a", time=TIME + SECOND // 2)
    record(tmp_path, of_file(path, "a", digest=digest(b"12345")))
    make(tmp_path, "a", data, time=time)
    expected = [("a", fault.replace(".500Z", ".500000000Z")) for fault in faults]
    assert Compared(tmp_path).differences == expected


def test_time_and_digest(tmp_path: Path) -> None:
    """A file that differs in two ways has two faults, and counts once."""
    path = make(tmp_path, "a")
    record(tmp_path, of_file(path, "a", digest=digest(b"12345")))
    make(tmp_path, "a", b"abcde", time=TIME + 5)
    compared = Compared(tmp_path)
    assert [fault.split()[0] for _, fault in compared.differences] == ["was", "sha-256"]
    assert compared.counts.differing == 1


def test_no_file(tmp_path: Path) -> None:
    """A file is missing too if its folder is; links and folders are no files."""
    record(tmp_path, *[success(name) for name in ("a", "b/c", "d/e", "link", "folder", "pipe")])
    make(tmp_path, "d", b"")
    make(tmp_path, "target")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert Compared(tmp_path).differences == [
        *[(name, "is missing") for name in ("a", "b/c")],
        ("d/e", "is missing: a folder of its path is a link or a file"),
        *[(name, "is not a regular file") for name in ("link", "folder", "pipe")],
    ]


@pytest.mark.parametrize("target", ["../secret", "inside"])
def test_a_linked_folder(tmp_path: Path, target: str) -> None:
    """A link in place of a folder is not followed, wherever it leads: nothing is opened."""
    directory = tmp_path / "out"
    for folder in ("secret", "out/inside"):
        found = make(tmp_path, f"{folder}/b")
    record(directory, of_file(found, "a/sub/b", digest=digest(b"other")))
    (directory / "a").mkdir()
    (directory / "a" / "sub").symlink_to(Path("..") / target)
    compared = Compared(directory)
    assert compared.differences == [
        ("a/sub/b", "is missing: a folder of its path is a link or a file")
    ]
    assert compared.counts.size == 0


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    """An error of the system is a fault of the file, and the others are compared."""
    record(tmp_path, success("n" * 300), success("missing"))
    assert Compared(tmp_path).differences == [
        ("n" * 300, "can't be read: File name too long"),
        ("missing", "is missing"),
    ]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", ""])
def test_a_changed_name(tmp_path: Path, name: str) -> None:
    """A name that leads out of the output directory is reported, and nothing is opened."""
    directory = tmp_path / "out"
    directory.mkdir()
    secret = make(tmp_path, "secret")
    path = record(directory, of_file(secret, "a", digest=digest(b"other")))
    change(path, "UPDATE entry SET name = ?", name)
    compared = Compared(directory)
    assert compared.differences == [(name, "leads out of the output directory")]
    assert compared.counts.size == 0


def test_entries_without_a_complete_file(tmp_path: Path) -> None:
    """A file that is not known to be complete is counted apart; a failure has no file."""
    record(tmp_path, success("a", mtime_ns=None), success("b", mtime_ns=None), failure("c"))
    compared = Compared(tmp_path)
    assert compared.differences == []
    assert (compared.counts.files, compared.counts.incomplete) == (0, 2)


def test_a_failure_after_a_success(tmp_path: Path) -> None:
    """The file of an earlier success is compared, even if its URL failed last."""
    path = make(tmp_path, "a")
    record(tmp_path, of_file(path, "a"))
    record(tmp_path, failure("a"))
    path.unlink()
    assert Compared(tmp_path).differences == [("a", "is missing")]


def test_checksums(tmp_path: Path) -> None:
    """Checksums of the user replace those of the ledger, and add to them."""
    records = [
        of_file(make(tmp_path, "replaced"), "replaced", digest=digest(b"other")),
        of_file(make(tmp_path, "added"), "added"),
        success("incomplete", mtime_ns=None),
        of_file(make(tmp_path, "kept"), "kept", digest=digest(b"12345")),
    ]
    make(tmp_path, "incomplete")
    record(tmp_path, *records)
    right, wrong = digest(b"12345"), digest(b"wrong")
    names = {"replaced": right, "added": right, "incomplete": right, "unknown": right}
    compared = Compared(tmp_path, checksums=names)
    assert compared.differences == []
    assert (compared.counts.files, compared.counts.with_checksum) == (4, 3)
    assert (compared.counts.without_digest, compared.counts.incomplete) == (0, 0)
    compared = Compared(tmp_path, checksums=dict.fromkeys(names, wrong))
    assert [name for name, _ in compared.differences] == ["replaced", "added", "incomplete"]


def test_a_run_that_replaces_a_file(tmp_path: Path) -> None:
    """A file is no difference if a run records its new version during the comparison."""
    old = make(tmp_path, "a", b"old")
    path = record(tmp_path, of_file(old, "a", digest=digest(b"old")))
    new = make(tmp_path, "a", b"new")
    seen: list[int] = []

    def on_progress(_: int, size: int) -> None:
        if not seen:
            record(tmp_path, of_file(new, "a", digest=digest(b"new")))
        seen.append(size)

    compared = Compared(tmp_path, on_progress=on_progress)
    assert compared.differences == []
    assert (compared.counts.files, compared.counts.differing) == (1, 0)
    assert seen == [3, 6, 6]
    change(path, "UPDATE entry SET size = 9")
    assert Compared(tmp_path).differences == [("a", "has 3 bytes, not 9")]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM entry", "UPDATE entry SET name = 'b'", "UPDATE entry SET size = NULL"],
)
def test_a_run_that_gives_a_file_away(tmp_path: Path, statement: str) -> None:
    """A file of which the ledger says nothing any more is no difference."""
    make(tmp_path, "a", b"new")
    path = record(tmp_path, success("a", size=3, mtime_ns=TIME, digest=digest(b"old")))
    if "NULL" in statement:
        statement += ", digest = NULL"

    compared = Compared(tmp_path, on_progress=lambda _, __: change(path, statement))
    assert compared.differences == []


def test_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is compared once, whatever the size of the pages."""
    monkeypatch.setattr(verification, "_PAGE", 2)
    record(tmp_path, *[success(f"{n}") for n in range(7)])
    assert [name for name, _ in Compared(tmp_path).differences] == [f"{n}" for n in range(7)]


def test_an_early_stop(tmp_path: Path) -> None:
    """A stop in the middle of a file leaves it out, and says nothing about it."""
    records = []
    for name in ("a", "b"):
        path = make(tmp_path, name, b"x" * 3_000_000)
        records.append(of_file(path, name, digest=digest(b"wrong")))
    record(tmp_path, *records)
    sizes: list[int] = []
    compared = Compared(
        tmp_path,
        should_stop=lambda: bool(sizes) and sizes[-1] > 4_000_000,
        on_progress=lambda _, size: sizes.append(size),
    )
    assert [name for name, _ in compared.differences] == ["a"]
    assert compared.counts.files == 1
    assert compared.counts.size < 6_000_000
