"""From bytes to a finished file, on a real disk: what is promised, not how it is done."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from url_downloader.config import OutputSettings
from url_downloader.part_file import PartFile
from url_downloader.shared.errors import AttemptError, OutputError
from url_downloader.shared.models import DownloadJob, ErrorKind
from url_downloader.storage import PARTS_FOLDER, OutputDirectory


def make_job(output: str = "file.bin", *, job_id: int = 1) -> DownloadJob:
    """A job whose file goes to `output`."""
    url = f"http://host/{job_id}/{output}"
    return DownloadJob(job_id=job_id, url=url, output=output, max_retries=0)


def prepared(directory: Path) -> OutputDirectory:
    """A directory that is ready for parts."""
    output = OutputDirectory(OutputSettings(directory=directory))
    output.prepare()
    return output


def begun(output: OutputDirectory, job: DownloadJob) -> PartFile:
    """A part whose first byte is still to come, of a version that can't be resumed."""
    part = output.create(job)
    part.begin(None, None)
    return part


def publish(part: PartFile, name: str) -> Path:
    """Give the part its name."""
    return Path(part.publish(name, modified=None, etag=None))


def store(output: OutputDirectory, job: DownloadJob, data: bytes = b"new") -> Path:
    """Write and publish; what fails is let go of, as the downloader does."""
    part = begun(output, job)
    try:
        part.write(data)
        return publish(part, job.output)
    except AttemptError:
        part.keep()
        raise


def named_files(directory: Path) -> list[str]:
    """All that anybody would see in the directory: everything but the hidden folder."""
    paths = (path.relative_to(directory) for path in directory.rglob("*"))
    return sorted(str(path) for path in paths if path.parts[0] != PARTS_FOLDER)


def hidden_files(directory: Path) -> list[Path]:
    """What lies in the hidden folder."""
    return [path for path in (directory / PARTS_FOLDER).rglob("*") if not path.is_dir()]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the output directory, with a file that is none of our business."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_bytes(b"precious")
    return folder


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the output directory is going to be."""
    return tmp_path / "downloads"


@pytest.mark.parametrize("name", ["file.bin", "a/b/c.bin", "sp ace", "ü.bin", "-x", "n" * 255])
def test_what_was_written_is_what_is_published(directory: Path, name: str) -> None:
    """The file is at the path that publish() returns, byte for byte, folders made as needed."""
    output = prepared(directory)
    part = begun(output, make_job(name))
    for data in (b"abc", b"", b"de"):
        part.write(data)
    assert part.size == 5
    path = publish(part, name)
    assert path == directory / name
    assert path.read_bytes() == b"abcde"


def test_an_empty_file_is_a_file(directory: Path) -> None:
    """Nothing written, and published: a file of 0 bytes."""
    path = publish(begun(prepared(directory), make_job()), "file.bin")
    assert path.read_bytes() == b""


def test_a_part_has_no_name_of_its_own(directory: Path) -> None:
    """Until it is published nothing can be seen outside the hidden folder."""
    part = begun(prepared(directory), make_job("a/file.bin"))
    part.write(bytes(1 << 20))
    assert [name for name in named_files(directory) if name != "a"] == []
    publish(part, "a/file.bin")
    assert named_files(directory) == ["a", "a/file.bin"]
    assert hidden_files(directory) == []


def test_publishing_replaces_in_one_step(directory: Path) -> None:
    """An older file is whole until the new one is; who has it open reads it to its end."""
    output = prepared(directory)
    target = store(output, make_job(), b"old old old")
    with target.open("rb") as reader:
        part = begun(output, make_job())
        part.write(b"new")
        assert target.read_bytes() == b"old old old"
        publish(part, "file.bin")
        assert reader.read() == b"old old old"
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077, 0o000])
def test_the_mode_is_the_umask_s(directory: Path, umask: int) -> None:
    """A file may be read by whom the user's umask says, as if the shell had made it."""
    output = prepared(directory)
    before = os.umask(umask)
    try:
        path = store(output, make_job())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("planted", ["outside/victim", "outside/new", "outside", "itself"])
def test_a_link_at_the_target_is_replaced(directory: Path, outside: Path, planted: str) -> None:
    """A symlink in the place of the file is not followed; what it led to is as it was."""
    output = prepared(directory)
    target = directory / "file.bin"
    target.symlink_to(target if planted == "itself" else outside.parent / planted)
    store(output, make_job())
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"


@pytest.mark.parametrize("below", ["link/file.bin", "link/victim", "link/deep/er/file.bin"])
def test_a_folder_that_leads_out_is_refused(directory: Path, outside: Path, below: str) -> None:
    """Through a symlinked folder nothing is written, replaced or made elsewhere."""
    output = prepared(directory)
    (directory / "link").symlink_to(outside)
    with pytest.raises(AttemptError, match="out of the output directory") as caught:
        store(output, make_job(below))
    assert caught.value.kind is ErrorKind.LOCAL
    assert [path.name for path in outside.rglob("*")] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"
    assert hidden_files(directory) == []


def test_a_link_at_the_part_is_not_followed(directory: Path, outside: Path) -> None:
    """Who can guess where a part will be can't have another file written by a link there."""
    output = prepared(directory)
    part = begun(output, make_job())
    [place] = hidden_files(directory)
    part.discard()
    place.unlink(missing_ok=True)
    place.symlink_to(outside / "victim")
    with contextlib.suppress(AttemptError):
        path = store(output, make_job())
        assert not path.is_symlink()
    assert (outside / "victim").read_bytes() == b"precious"


def test_links_that_stay_inside_are_fine(directory: Path, tmp_path: Path) -> None:
    """The directory may be a link, and so may a folder in it that leads to another in it."""
    directory.mkdir()
    alias = tmp_path / "alias"
    alias.symlink_to(directory)
    output = prepared(alias)
    (directory / "real").mkdir()
    (directory / "link").symlink_to("real")
    store(output, make_job("link/file.bin"))
    assert (directory / "real/file.bin").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["taken", "file/below.bin"])
def test_what_stands_in_the_way_is_local(directory: Path, name: str) -> None:
    """A directory at the target, a file where a folder should be: LOCAL, and both stay."""
    output = prepared(directory)
    (directory / "taken").mkdir()
    (directory / "taken/inside").write_bytes(b"kept")
    (directory / "file").write_bytes(b"kept")
    with pytest.raises(AttemptError) as caught:
        store(output, make_job(name))
    assert caught.value.kind is ErrorKind.LOCAL
    assert name.partition("/")[0] in caught.value.message
    assert named_files(directory) == ["file", "taken", "taken/inside"]
    assert (directory / "file").read_bytes() == b"kept"
    assert hidden_files(directory) == []


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk that takes no more than `size` bytes for a file, also for root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("amount", [10, 5000, 3 << 20])
def test_a_disk_that_takes_no_more_is_local(directory: Path, amount: int) -> None:
    """Bytes that found no room fail the attempt, at the latest when they should be published.

    A file that stood there before stays whole.
    """
    output = prepared(directory)
    store(output, make_job(), b"old")
    with largest_file(amount - 1), pytest.raises(AttemptError) as caught:
        store(output, make_job(), bytes(amount))
    assert caught.value.kind is ErrorKind.LOCAL
    assert (directory / "file.bin").read_bytes() == b"old"
    assert hidden_files(directory) == []


def test_a_discarded_part_is_gone(directory: Path) -> None:
    """Discarded, also twice: nothing is left of it, and the next part begins empty."""
    output = prepared(directory)
    part = begun(output, make_job())
    part.write(b"bad")
    part.discard()
    part.discard()
    assert (named_files(directory), hidden_files(directory)) == ([], [])
    assert store(output, make_job(), b"good").read_bytes() == b"good"


def test_parts_at_a_time_are_apart(directory: Path) -> None:
    """Jobs of one run write at once; each file has its own bytes, and an end of its own."""
    output = prepared(directory)
    parts = [begun(output, make_job(f"{n}.bin", job_id=n)) for n in range(4)]
    for n, part in enumerate(parts):
        part.write(b"%d" % n * 1000)
    parts[0].discard()
    for n, part in enumerate(parts[1:], start=1):
        publish(part, f"{n}.bin")
    assert named_files(directory) == ["1.bin", "2.bin", "3.bin"]
    assert all((directory / f"{n}.bin").read_bytes() == b"%d" % n * 1000 for n in (1, 2, 3))


def test_the_hidden_folder_goes_when_it_is_empty(directory: Path) -> None:
    """After a run whose files are all published, they are all that is there."""
    output = prepared(directory)
    store(output, make_job())
    output.tidy()
    assert [path.name for path in directory.iterdir()] == ["file.bin"]
    output.tidy()


def test_the_hidden_folder_stays_with_what_is_in_it(directory: Path) -> None:
    """tidy() throws no bytes away."""
    output = prepared(directory)
    part = begun(output, make_job())
    output.tidy()
    assert len(hidden_files(directory)) == 1
    assert publish(part, "file.bin").exists()


def test_a_directory_is_made_where_it_is_missing(tmp_path: Path) -> None:
    """With its parents; and a second run finds it as it is, nothing in it touched."""
    directory = tmp_path / "a/b/c"
    prepared(directory).tidy()
    (directory / "kept").write_bytes(b"kept")
    prepared(directory).tidy()
    assert [path.name for path in directory.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    "place",
    ["file", "file/below", "dangling/below", "loop", "loop/below", "/proc/nothing", "/proc/1"],
)
def test_a_directory_that_can_t_be_used(tmp_path: Path, place: str) -> None:
    """What is no directory, or takes no files, is an OutputError that names it and --dir."""
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "dangling").symlink_to("/proc/nothing")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="--dir") as caught:
        prepared(tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_file_in_the_place_of_the_hidden_folder(directory: Path) -> None:
    """That too is found before the run, not by its first job."""
    directory.mkdir()
    (directory / PARTS_FOLDER).write_bytes(b"")
    with pytest.raises(OutputError):
        prepared(directory)
