"""A disk that is full, read-only or refuses a file: the run says so, and no file is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import MAIN, RunningCli, assert_local, numbers, run_cli
from tests.support.hardship import SmallDisk, under_limit, without_rights
from tests.support.output_folder import HIDDEN, assert_holds, files_of, part_sizes, visible
from tests.support.ranges import content, serve, urls
from tests.support.scripted_server import Framing, Hold, Raw, Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
# A wrong retry shows in the number of requests, after a short time.
QUICK = ("--max-retries", "3", "--retry-delay", "0.01")
OFTEN = "--monitor-interval=0.05"
NO_MARGIN = ("--min-free", "0", *QUICK)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an existing output directory with enough room."""
    path = tmp_path / "downloads"
    path.mkdir()
    return path


@pytest.fixture
def locked(target: Path) -> Iterator[Path]:
    """Yield a folder in the output directory without permission to write."""
    path = target / "locked"
    path.mkdir(mode=0o555)
    yield path
    path.chmod(0o755)


# A full disk.


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_disk_fills_up(server: ScriptedServer, disk: SmallDisk, framing: Framing) -> None:
    """A full disk ends the run in order; with more room the next run resumes there."""
    sizes = {"a": 100 * KIB, "b": MIB, "large": 8 * MIB, "c": 10, "d": 0}
    bodies = serve(server, sizes, framing=framing)
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", disk.path, "-w1", *NO_MARGIN, stdin=url_list)
    assert_local(result, disk_full=1)
    assert numbers(result) == (2, 1, 2)
    assert files_of(disk.path) == {name: bodies[name] for name in ("a", "b")}
    assert [server.count(f"/{name}") for name in bodies] == [1, 1, 1, 0, 0]
    (kept,) = part_sizes(disk.path)
    assert MIB <= kept < 3 * MIB
    assert disk.remount("size=64m")
    again = run_cli("-", "-d", disk.path, "-c", "-w1", *NO_MARGIN, stdin=url_list)
    assert again.status == 0, again
    recorded, others = [1, 1, 2, 1, 1], [2, 2, 2, 1, 1]
    # The disk may be full before the ledger has recorded the first files.
    assert [server.count(f"/{name}") for name in bodies] in (recorded, others)
    assert server.requests("/large")[-1].header("Range") == f"bytes={kept}-"
    assert_holds(disk.path, bodies)


def test_disk_fills_up_under_many(server: ScriptedServer, disk: SmallDisk) -> None:
    """Several downloads fill the disk at once: each file that has a name is whole."""
    bodies = serve(server, {f"file{n:02}": (n % 5) * 300 * KIB + n for n in range(40)})
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", disk.path, "-w8", *NO_MARGIN, stdin=url_list)
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert result.causes["disk-full"] >= 1
    assert set(result.causes) <= {"disk-full", "interrupted"}
    assert numbers(result)[2] > 0
    assert files_of(disk.path).items() <= bodies.items()
    assert len(files_of(disk.path)) == numbers(result)[0]
    part_sizes(disk.path)
    assert disk.remount("size=64m")
    again = run_cli("-", "-d", disk.path, "-c", "-w8", *NO_MARGIN, stdin=url_list)
    assert again.status == 0, again
    assert_holds(disk.path, bodies)


def test_full_disk_and_downloads_in_flight(server: ScriptedServer, disk: SmallDisk) -> None:
    """A full disk ends stalled downloads, and the wait for the rest of the list."""
    full = threading.Event()
    server.play("/stalled", Reply(body=content(MIB), delivery=Stall(100)))
    server.play("/large", Reply(body=content(8 * MIB), delivery=Hold(full)))
    with RunningCli("-", "-d", disk.path, "-w2", OFTEN, *NO_MARGIN) as run:
        run.send(urls(server, ("stalled", "large", "next")))
        server.wait_for_requests(2)
        wait_until(lambda: "pending 1 of 3" in run.stderr_so_far(), what="all of the list")
        full.set()
        result = run.wait_with_open_stdin()
    assert_local(result, disk_full=1, interrupted=1)
    assert numbers(result) == (0, 2, 1)
    assert server.count("/next") == 0
    assert_holds(disk.path, {})


# Room is exhausted between the part, which fits, and its note.
@pytest.mark.parametrize("options", ["size=1m", "size=1028k", "nr_inodes=3"])
def test_no_room_for_the_note(server: ScriptedServer, disk: SmallDisk, options: str) -> None:
    """Without room for a part note there is no half note, and the next run succeeds."""
    assert disk.remount(options)
    bodies = serve(server, {"file": 2 * MIB})
    result = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, bodies))
    assert_local(result, disk_full=1)
    assert files_of(disk.path) == {}
    part_sizes(disk.path)
    for _ in range(2):
        assert disk.remount("size=8m,nr_inodes=100")
        again = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, bodies))
        assert again.status == 0, again
        assert_holds(disk.path, bodies)


def test_no_room_for_a_folder(server: ScriptedServer, disk: SmallDisk) -> None:
    """A disk without room for the folder of a file is a full disk."""
    assert disk.remount("nr_inodes=3")
    bodies = serve(server, {"file": 10, "next": 10})
    url_list = urls(server, ["file"]) + b"  out=folder/file\n" + urls(server, ["next"])
    result = run_cli("-", "-d", disk.path, "-w1", *NO_MARGIN, stdin=url_list)
    assert_local(result, disk_full=1)
    assert numbers(result) == (0, 1, 1)
    assert (server.count("/file"), server.count("/next")) == (1, 0)
    assert [path.name for path in disk.path.iterdir()] == [HIDDEN]
    assert part_sizes(disk.path) == []
    assert disk.remount("nr_inodes=100")
    again = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=url_list)
    assert again.status == 0, again
    assert (disk.path / "folder" / "file").read_bytes() == bodies["file"]


def test_no_room_for_anything(server: ScriptedServer, disk: SmallDisk) -> None:
    """A disk that takes no file gives one line, and no request is made."""
    assert disk.remount("nr_inodes=1")
    result = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert "No space left on device" in line
    assert server.count() == 0


# Files that are there.


def test_file_that_can_t_be_read(server: ScriptedServer, target: Path) -> None:
    """An existing file that can't be verified is a local failure of its job alone."""
    bodies = serve(server, {"file": 10, "next": 10})
    (target / "file").write_bytes(bodies["file"])
    (target / "file").chmod(0)
    url_list = urls(server, ["file"]) + b"  checksum=md5=" + b"0" * 32 + b"\n"
    program = without_rights(MAIN)
    result = run_cli(
        *("-", "-d", target, "-c"), program=program, stdin=url_list + urls(server, ["next"])
    )
    assert_local(result, local=1)
    assert numbers(result) == (1, 1, 0)
    assert (server.count("/file"), server.count("/next")) == (0, 1)


@pytest.mark.parametrize("last_before", ["first", f"{HIDDEN}/ledger.db"])
def test_hidden_folder_is_locked_in_mid_run(
    server: ScriptedServer, target: Path, last_before: str
) -> None:
    """Parts that can't be looked up are local failures, and no bug."""
    bodies = serve(server, {"first": 10, "second": 10, "third": 10})
    first, *others = bodies
    with RunningCli("-", "-d", target, *QUICK, program=without_rights(MAIN)) as run:
        run.send(urls(server, [first]))
        wait_until((target / last_before).exists, what=last_before)
        (target / HIDDEN).chmod(0)
        run.send(urls(server, others))
        result = run.wait()
    (target / HIDDEN).chmod(0o755)
    assert_local(result, local=2)
    assert files_of(target) == {first: bodies[first]}


# A disk that refuses.


def test_read_only_disk(server: ScriptedServer, disk: SmallDisk) -> None:
    """A read-only disk gives one line, and no request is made."""
    assert disk.remount("ro")
    result = run_cli("-", "-d", disk.path, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert str(disk.path) in line
    assert server.count() == 0


def test_disk_becomes_read_only(server: ScriptedServer, disk: SmallDisk) -> None:
    """A disk that becomes read-only fails each job once, and the run ends."""
    bodies = serve(server, {"good": KIB})
    released = threading.Event()
    names = ["bad1", "bad2", "bad3", "bad4"]
    for name in names:
        # Held before its head: a disk can't become read-only while a part is open.
        server.play(f"/{name}", Raw(Reply(body=b"x" * KIB).message, Hold(released)))
    with RunningCli("-", "-d", disk.path, "-w3", *NO_MARGIN) as run:
        run.send(urls(server, ["good", *names]))
        server.wait_for_requests(4)
        wait_until((disk.path / "good").exists, what="the first file")
        wait_until(lambda: disk.remount("ro"), what="the disk to be read-only")
        released.set()
        result = run.wait()
    assert_local(result, local=4)
    assert numbers(result) == (1, 4, 0)
    assert [server.count(f"/{name}") for name in names] == [1, 1, 1, 1]
    assert files_of(disk.path) == bodies


@pytest.mark.parametrize("limit", [512 * KIB, 3 * MIB // 2])
def test_file_size_limit(server: ScriptedServer, target: Path, limit: int) -> None:
    """A file above the system's limit fails alone, and once."""
    bodies = serve(server, {"a": KIB, "large": 2 * MIB, "b": 100 * KIB})
    program = under_limit("RLIMIT_FSIZE", MAIN, soft=limit)
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", target, "-w1", *QUICK, program=program, stdin=url_list)
    assert_local(result, local=1)
    assert numbers(result) == (2, 1, 0)
    assert files_of(target) == {name: bodies[name] for name in ("a", "b")}
    assert server.count("/large") == 1
    part_sizes(target)
    again = run_cli("-", "-d", target, *QUICK, stdin=url_list)
    assert again.status == 0, again
    assert_holds(target, bodies)


# Names and permissions.


@pytest.mark.parametrize(
    "path",
    ["file", "file/below", "n" * 256, "/".join(["n" * 200] * 25)],
    ids=["file", "below-a-file", "long-name", "long-path"],
)
def test_directory_that_can_t_be(server: ScriptedServer, target: Path, path: str) -> None:
    """A path that can't be a directory gives one line with it, and no request is made."""
    (target / "file").write_text("not a directory")
    result = run_cli("-", "-d", target / path, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert str(target / path) in line
    assert server.count() == 0


@pytest.mark.parametrize("path", ["locked", "locked/below"])
def test_locked_directory(server: ScriptedServer, locked: Path, path: str) -> None:
    """An output directory without permission gives one line, and no request is made."""
    program = without_rights(MAIN)
    where = locked.parent / path
    result = run_cli("-", "-d", where, program=program, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert "Permission denied" in line
    assert server.count() == 0


@pytest.mark.parametrize(
    "out",
    ["file/below", "folder", "locked/new", "locked/below/new", "/".join(["n" * 200] * 25)],
    ids=["below-a-file", "folder", "locked", "below-locked", "long-path"],
)
@pytest.mark.usefixtures("locked")
def test_name_that_can_t_be(server: ScriptedServer, target: Path, out: str) -> None:
    """A file whose path is refused fails alone, once, in one line."""
    bodies = serve(server, {"a": KIB, "bad": 10, "b": KIB})
    (target / "file").write_text("no folder")
    (target / "folder").mkdir()
    good, bad, better = urls(server, bodies).splitlines(keepends=True)
    url_list = good + bad + f"  out={out}\n".encode() + better
    program = without_rights(MAIN)
    result = run_cli("-", "-d", target, *QUICK, program=program, stdin=url_list)
    assert_local(result, local=1)
    assert numbers(result) == (2, 1, 0)
    assert len([line for line in result.stderr.splitlines() if " ERROR " in line]) == 1
    assert f"failed: {server.url('/bad')}: " in result.stderr
    assert server.count("/bad") <= 1
    del bodies["bad"]
    assert files_of(target) == {**bodies, "file": b"no folder"}
    assert [path.name for path in visible(target) if path.is_dir()] == ["folder", "locked"]


@pytest.mark.parametrize("out", ["n" * 250, "é" * 125, "n" * 255, "d" * 255 + "/" + "n" * 255])
def test_long_names(server: ScriptedServer, target: Path, out: str) -> None:
    """A name as long as file systems allow is accepted."""
    (body,) = serve(server, {"a": KIB}).values()
    url_list = urls(server, ["a"]) + f"  out={out}\n".encode()
    result = run_cli("-", "-d", target, stdin=url_list)
    assert result.status == 0, result
    assert (target / out).read_bytes() == body
