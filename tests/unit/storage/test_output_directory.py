"""From bytes to a finished file, on a real disk: what is promised, not how it is done."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from url_downloader.config.settings import Existing, OutputSettings
from url_downloader.shared.errors import AttemptError, OutputError
from url_downloader.shared.models import DownloadJob, ErrorKind
from url_downloader.shared.ports import SavedPart
from url_downloader.storage.folder_tree import MAX_PATH, OPEN_FOLDERS
from url_downloader.storage.output_directory import PARTS_FOLDER, OutputDirectory
from url_downloader.storage.part_file import PartFile


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


def publish(output: OutputDirectory, part: PartFile, name: str) -> Path:
    """Give the part its name."""
    return Path(output.publish(part, name, modified=None, etag=None))


def store(output: OutputDirectory, job: DownloadJob, data: bytes = b"new") -> Path:
    """Write and publish; what fails is let go of, as the downloader does."""
    part = begun(output, job)
    try:
        part.write(data)
        return publish(output, part, job.output)
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
    path = publish(output, part, name)
    assert path == directory / name
    assert path.read_bytes() == b"abcde"


def test_an_empty_file_is_a_file(directory: Path) -> None:
    """Nothing written, and published: a file of 0 bytes."""
    output = prepared(directory)
    path = publish(output, begun(output, make_job()), "file.bin")
    assert path.read_bytes() == b""


def test_a_part_has_no_name_of_its_own(directory: Path) -> None:
    """Until it is published nothing can be seen outside the hidden folder."""
    output = prepared(directory)
    part = begun(output, make_job("a/file.bin"))
    part.write(bytes(1 << 20))
    assert [name for name in named_files(directory) if name != "a"] == []
    publish(output, part, "a/file.bin")
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
        publish(output, part, "file.bin")
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
        publish(output, part, f"{n}.bin")
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
    assert publish(output, part, "file.bin").exists()


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


# What is said too late, or not at all.


def refuse(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int, *, of: Callable[..., bool]
) -> None:
    """Have a function of `os` fail with this error number where `of` says so."""
    real = getattr(os, call)

    def refusing(*args: Any, **named: Any) -> Any:
        if of(*args):
            raise OSError(number, os.strerror(number))
        return real(*args, **named)

    monkeypatch.setattr(os, call, refusing)


KINDS = {
    errno.EDQUOT: ErrorKind.DISK_FULL,
    errno.ENOSPC: ErrorKind.DISK_FULL,
    errno.EIO: ErrorKind.LOCAL,
}


@pytest.mark.parametrize("number", KINDS)
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_close_that_fails(
    directory: Path, size: int, monkeypatch: pytest.MonkeyPatch, *, number: int
) -> None:
    """A network disk's error at the close comes before the name: no file, and no part."""
    output = prepared(directory)
    store(output, make_job(), b"old")
    part = output.create(make_job())
    part.begin('"one"', size)
    part.write(bytes(size))
    duplicates: list[int] = []
    real_dup, real_close = os.dup, os.close

    def dup(descriptor: int) -> int:
        duplicates.append(real_dup(descriptor))
        return duplicates[-1]

    def close(descriptor: int) -> None:
        real_close(descriptor)
        if descriptor in duplicates:
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "dup", dup)
        patched.setattr(os, "close", close)
        with pytest.raises(AttemptError) as caught:
            publish(output, part, "file.bin")
        assert not part.keep()
    assert caught.value.kind is KINDS[number]
    assert (directory / "file.bin").read_bytes() == b"old"
    assert hidden_files(directory) == []


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_the_lock_is_held_until_the_file_has_its_name(
    directory: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that tidies up, or wants the part, just before the rename gets nothing."""
    output, other = prepared(directory), prepared(directory)
    part = output.create(make_job())
    part.begin('"one"', size)
    part.write(bytes(size))
    real_replace = os.replace

    def replace(*args: Any, **named: Any) -> None:
        other.tidy()
        assert other.reopen(make_job()) is None
        real_replace(*args, **named)

    monkeypatch.setattr(os, "replace", replace)
    assert publish(output, part, "file.bin").read_bytes() == bytes(size)


def resumable(output: OutputDirectory, validator: str, data: bytes) -> PartFile:
    """A part with a note."""
    part = output.create(make_job())
    part.begin(validator, len(data))
    part.write(data)
    return part


@pytest.mark.parametrize("is_published", [True, False])
def test_a_note_that_can_t_be_removed(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, is_published: bool
) -> None:
    """The file is there and counts; the note that is left makes no later file wrong."""
    output, data = prepared(directory), bytes(range(256)) * 8192
    part = resumable(output, '"one"', data)
    with monkeypatch.context() as patched:
        refuse(patched, "unlink", errno.EIO, of=lambda name: str(name).endswith(".json"))
        if is_published:
            assert publish(output, part, "file.bin").read_bytes() == data
        else:
            part.discard()
    assert [path.suffix for path in hidden_files(directory)] == [".json"]
    again = prepared(directory)
    assert again.has_leftovers
    assert again.reopen(make_job()) is None
    assert resumable(again, '"two"', data[::-1]).keep()
    resumed = again.reopen(make_job())
    assert resumed is not None
    assert resumed.saved == SavedPart('"two"', len(data), len(data))
    resumed.discard()
    again.tidy()
    assert not (directory / PARTS_FOLDER).exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_note_that_can_t_be_written(
    directory: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The download goes on without; one warning says so, if it is no want of descriptors."""
    output = prepared(directory)
    refuse(monkeypatch, "open", number, of=lambda name, *_: str(name).endswith(".draft"))
    for n in range(2):
        part = output.create(make_job(job_id=n))
        part.begin('"one"', 4 << 20)
        for _ in range(4):
            part.write(bytes(1 << 20))
        assert publish(output, part, f"file{n}").stat().st_size == 4 << 20
    assert len(caplog.records) == (number != errno.EMFILE)
    assert hidden_files(directory) == []


def test_bytes_after_an_error_of_the_disk_are_not_resumed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which bytes an EIO has lost, nobody knows: the part goes, note and all."""
    output = prepared(directory)
    part = output.create(make_job())
    part.begin('"one"', 4 << 20)
    part.write(bytes(2 << 20))
    with monkeypatch.context() as patched:
        refuse(patched, "write", errno.EIO, of=lambda *_: True)
        with pytest.raises(AttemptError) as caught:
            part.write(b"more")
    assert caught.value.kind is ErrorKind.LOCAL
    assert not part.keep()
    assert hidden_files(directory) == []


# What is there already.


@pytest.mark.parametrize("existing", list(Existing))
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_file_that_can_t_be_looked_at(
    directory: Path, existing: Existing, monkeypatch: pytest.MonkeyPatch, *, number: int
) -> None:
    """It is not taken for missing where it must not be replaced; -N may replace it."""
    output = OutputDirectory(OutputSettings(directory=directory, existing=existing))
    output.prepare()
    refuse(monkeypatch, "stat", number, of=lambda name: name == b"file.bin")
    if existing is Existing.COMPARE:
        assert output.existing("file.bin") is None
        return
    with pytest.raises(AttemptError) as caught:
        output.existing("file.bin")
    assert str(directory / "file.bin") in str(caught.value)


@pytest.mark.parametrize(
    "name", ["missing", "no/folder", "file/below", "n" * 256, "loop/file", "folder", "link"]
)
def test_what_is_no_existing_file(directory: Path, name: str) -> None:
    """Nothing, a folder, a link: all of these are None, and nothing is made."""
    output = prepared(directory)
    (directory / "file").write_bytes(b"here")
    (directory / "folder").mkdir()
    (directory / "loop").symlink_to("loop")
    (directory / "link").symlink_to("file")
    before = named_files(directory)
    assert output.existing(name) is None
    assert named_files(directory) == before


# Folders.


@pytest.mark.parametrize("act", ["remove", "move", "replace", "link inside"])
def test_a_folder_that_goes(directory: Path, act: str) -> None:
    """A folder that was removed or moved is made again; files are where their paths say."""
    output = prepared(directory)
    folder = store(output, make_job("a/b/first")).parent
    if act == "remove":
        shutil.rmtree(folder.parent)
    else:
        folder.rename(directory / "moved")
    if act == "replace":
        folder.mkdir()
    if act == "link inside":
        (directory / "other").mkdir()
        folder.symlink_to(directory / "other")
    path = store(output, make_job("a/b/second"))
    assert path.read_bytes() == b"new"
    assert not (directory / "moved/second").exists()


def test_a_link_that_is_swapped_in(directory: Path, outside: Path) -> None:
    """A folder in use that becomes a link leading out takes no file there."""
    output = prepared(directory)
    store(output, make_job("a/b/first"))
    (directory / "a/b").rename(directory / "moved")
    (directory / "a/b").symlink_to(outside)
    for name in ("a/b/second", "a/b/c/third", "a/b/victim"):
        with pytest.raises(AttemptError, match="leads out"):
            store(output, make_job(name))
    with pytest.raises(AttemptError, match="leads out"):
        output.existing("a/b/victim")
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"


def test_folders_as_deep_as_paths_go(directory: Path) -> None:
    """A path that the system takes is no trouble, and one that it doesn't take is a failure."""
    output = prepared(directory)
    room = MAX_PATH - len(os.fsencode(directory)) - len("/file")
    deep = "/".join("d" * ((room + 1) // 2 - 10))
    assert store(output, make_job(f"{deep}/file")).read_bytes() == b"new"
    with pytest.raises(AttemptError, match="File name too long"):
        store(output, make_job(f"{deep}/{'n' * 30}/file"))
    # Too deep for what removes folders in Python 3.11.
    subprocess.run(["rm", "-r", str(directory / "d")], check=True)


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_descriptors_are_bounded(directory: Path) -> None:
    """However many folders a run writes to, few are open, and none when it is over."""
    before = descriptors()
    with OutputDirectory(OutputSettings(directory=directory)) as output:
        for n in range(50):
            store(output, make_job(f"{n % 20}/{n}/file"))
            assert descriptors() - before <= OPEN_FOLDERS + 2
    assert descriptors() == before


def test_what_is_left_behind_when_the_run_is_over(directory: Path) -> None:
    """A part that a thread still has is its own; nothing new begins, and nothing stays open."""
    before = descriptors()
    with OutputDirectory(OutputSettings(directory=directory)) as output:
        part = begun(output, make_job())
    part.write(b"late")
    with pytest.raises(AttemptError, match="the run has ended"):
        publish(output, part, "file.bin")
    with pytest.raises(AttemptError, match="the run has ended"):
        output.create(make_job())
    part.discard()
    del part
    assert descriptors() == before
    assert (named_files(directory), hidden_files(directory)) == ([], [])


def test_leftovers_of_the_same_run(directory: Path) -> None:
    """Only a part that is worth resuming makes attempts look for one."""
    with OutputDirectory(OutputSettings(directory=directory)) as output:
        for size, is_kept in ((10, False), (1 << 20, True)):
            assert not output.has_leftovers
            part = output.create(make_job())
            part.begin('"v1"', None)
            part.write(bytes(size))
            assert part.keep() is is_kept
        assert output.has_leftovers


def test_two_runs_of_a_process(directory: Path) -> None:
    """Two downloads of one program into one directory don't disturb each other."""
    with OutputDirectory(OutputSettings(directory=directory)) as first:
        part = begun(first, make_job())
        part.write(b"first")
        with OutputDirectory(OutputSettings(directory=directory)) as second:
            store(second, make_job("second.bin"), b"second")
        store(first, make_job("third.bin"), b"third")
        publish(first, part, "file.bin")
    assert sorted(path.name for path in directory.iterdir()) == [
        *("file.bin", "second.bin", "third.bin")
    ]


def test_the_hidden_folder_may_be_removed(directory: Path) -> None:
    """A cleaning in mid-run costs no later file."""
    output = prepared(directory)
    store(output, make_job())
    shutil.rmtree(directory / PARTS_FOLDER)
    assert store(output, make_job("next.bin")).read_bytes() == b"new"


def test_names_beside_the_locale(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a file is such that os.fsencode() gives the bytes of its name: UTF-8."""
    output = prepared(directory)
    monkeypatch.setattr(os, "fsdecode", lambda data: data.decode("latin-1"))
    path = output.publish(output.create(make_job()), "文件", modified=None, etag=None)
    assert path == f"{directory}/文件".encode().decode("latin-1")
    assert (directory / "文件").exists()
