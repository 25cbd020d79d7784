"""A disk that is full, small, read-only or refuses: the run says so, and nothing is spoilt."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.cli import MAIN, CliResult, RunningCli, run_cli
from tests.support.hardship import SmallDisk, small_disk, under_limit, without_rights
from tests.support.ranges import content, ranged, serve, urls
from tests.support.scripted_server import (
    Cut,
    Framing,
    Hold,
    Raw,
    Reply,
    ScriptedServer,
    Stall,
    flap,
)
from tests.support.sizes import sizes_of
from tests.support.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
HIDDEN = ".url-downloader"
EXIT_LATENCY = 5.0
# Whoever retries is caught by the number of requests, soon.
QUICK = ("--max-retries", "3", "--retry-delay", "0.01")
OFTEN = "--monitor-interval=0.05"
NO_MARGIN = ("--min-free", "0", *QUICK)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 4 MiB; tests give it other sizes."""
    with small_disk(tmp_path / "disk", "size=4m") as mounted:
        yield mounted


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An output directory with room enough."""
    path = tmp_path / "downloads"
    path.mkdir()
    return path


@pytest.fixture
def locked(target: Path) -> Iterator[Path]:
    """A folder in the output directory that nobody may write to."""
    path = target / "locked"
    path.mkdir(mode=0o555)
    yield path
    path.chmod(0o755)


def finished(target: Path) -> dict[str, bytes]:
    """What stands in the directory under its own name."""
    return {path.name: path.read_bytes() for path in target.iterdir() if path.is_file()}


def assert_holds(target: Path, files: Mapping[str, bytes]) -> None:
    """These files are there, and nothing else: the hidden folder is gone."""
    assert sorted(path.name for path in target.iterdir()) == sorted(files)
    assert finished(target) == files


def parts(target: Path) -> list[int]:
    """The size of each part that is kept. Each has a note that is whole, and nothing else."""
    paths = sorted((target / HIDDEN).glob("*")) if (target / HIDDEN).exists() else []
    found = [path for path in paths if path.suffix == ".part"]
    assert [path.with_suffix(".json") for path in found] == [
        path for path in paths if path.suffix != ".part"
    ]
    for path in found:
        json.loads(path.with_suffix(".json").read_bytes())
    return [path.stat().st_size for path in found]


def numbers(result: CliResult) -> tuple[int, int, int]:
    """How many jobs were downloaded, failed and unfinished, by the summary."""
    totals = result.totals
    assert totals is not None, result
    return totals.downloaded, totals.failed, totals.unfinished


def assert_local(result: CliResult, **causes: int) -> None:
    """The run ended with 3, and its jobs failed for these causes."""
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert result.causes == {name.replace("_", "-"): n for name, n in causes.items()}, result


def wait_for_part(target: Path, size: int) -> None:
    """Return once there are so many bytes in parts."""
    folder = target / HIDDEN
    wait_until(
        lambda: sum(sizes_of(folder.glob("*.part"))) >= size,
        what=f"{size} bytes in parts",
    )


# A full disk.


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_disk_fills_up(server: ScriptedServer, disk: SmallDisk, framing: Framing) -> None:
    """A full disk ends the run in order; once there is room, the next one goes on there."""
    sizes = {"a": 100 * KIB, "b": MIB, "large": 8 * MIB, "c": 10, "d": 0}
    bodies = serve(server, sizes, framing=framing)
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", disk.path, "-w1", *NO_MARGIN, stdin=url_list)
    assert_local(result, disk_full=1)
    assert numbers(result) == (2, 1, 2)
    assert finished(disk.path) == {name: bodies[name] for name in ("a", "b")}
    assert [server.count(f"/{name}") for name in bodies] == [1, 1, 1, 0, 0]
    (kept,) = parts(disk.path)
    assert MIB <= kept < 3 * MIB
    assert disk.remount("size=64m")
    again = run_cli("-", "-d", disk.path, "-c", "-w1", *NO_MARGIN, stdin=url_list)
    assert again.status == 0, again
    assert [server.count(f"/{name}") for name in bodies] == [1, 1, 2, 1, 1]
    assert server.requests("/large")[-1].header("Range") == f"bytes={kept}-"
    assert_holds(disk.path, bodies)


def test_disk_fills_up_under_many(server: ScriptedServer, disk: SmallDisk) -> None:
    """Several downloads fill the disk at once: whatever has a name is whole, and no more."""
    bodies = serve(server, {f"file{n:02}": (n % 5) * 300 * KIB + n for n in range(40)})
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", disk.path, "-w8", *NO_MARGIN, stdin=url_list)
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert result.causes["disk-full"] >= 1
    assert set(result.causes) <= {"disk-full", "interrupted"}
    assert numbers(result)[2] > 0
    assert finished(disk.path).items() <= bodies.items()
    assert len(finished(disk.path)) == numbers(result)[0]
    parts(disk.path)
    assert disk.remount("size=64m")
    again = run_cli("-", "-d", disk.path, "-c", "-w8", *NO_MARGIN, stdin=url_list)
    assert again.status == 0, again
    assert_holds(disk.path, bodies)


def test_full_disk_and_downloads_in_flight(server: ScriptedServer, disk: SmallDisk) -> None:
    """Nobody waits for a stalled download, nor for the rest of the list, on a full disk."""
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
    """Where only the note doesn't fit, there is none by half, and the next run is well."""
    assert disk.remount(options)
    bodies = serve(server, {"file": 2 * MIB})
    result = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, bodies))
    assert_local(result, disk_full=1)
    assert finished(disk.path) == {}
    parts(disk.path)
    for _ in range(2):
        assert disk.remount("size=8m,nr_inodes=100")
        again = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, bodies))
        assert again.status == 0, again
        assert_holds(disk.path, bodies)


def test_no_room_for_a_folder(server: ScriptedServer, disk: SmallDisk) -> None:
    """A disk that takes the file, but not the folder that it goes to, is a full one."""
    assert disk.remount("nr_inodes=3")
    bodies = serve(server, {"file": 10, "next": 10})
    url_list = urls(server, ["file"]) + b"  out=folder/file\n" + urls(server, ["next"])
    result = run_cli("-", "-d", disk.path, "-w1", *NO_MARGIN, stdin=url_list)
    assert_local(result, disk_full=1)
    assert numbers(result) == (0, 1, 1)
    assert (server.count("/file"), server.count("/next")) == (1, 0)
    assert_holds(disk.path, {})
    assert disk.remount("nr_inodes=100")
    again = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=url_list)
    assert again.status == 0, again
    assert (disk.path / "folder" / "file").read_bytes() == bodies["file"]


def test_no_room_for_anything(server: ScriptedServer, disk: SmallDisk) -> None:
    """A disk that takes no file at all is one line, and nothing is asked for."""
    assert disk.remount("nr_inodes=1")
    result = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert "No space left on device" in line
    assert server.count() == 0


# Files that are there.


def test_file_that_can_t_be_read(server: ScriptedServer, target: Path) -> None:
    """A file that is there, and whose checksum nobody may see, is local trouble of its own."""
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


def test_hidden_folder_is_locked_in_mid_run(server: ScriptedServer, target: Path) -> None:
    """Parts that can't even be looked for are local trouble of each job, and no bug."""
    bodies = serve(server, {"first": 10, "second": 10, "third": 10})
    first, *others = bodies
    with RunningCli("-", "-d", target, *QUICK, program=without_rights(MAIN)) as run:
        run.send(urls(server, [first]))
        wait_until((target / first).exists, what="the first file")
        (target / HIDDEN).chmod(0)
        run.send(urls(server, others))
        result = run.wait()
    (target / HIDDEN).chmod(0o755)
    assert_local(result, local=2)
    assert finished(target) == {first: bodies[first]}


# --min-free.


def test_less_than_the_margin(server: ScriptedServer, disk: SmallDisk) -> None:
    """Where too little is free already, the run ends at once, even if the list goes on."""
    bodies = serve(server, {"small": 10})
    began = time.monotonic()
    with RunningCli("-", "-d", disk.path, "--min-free", "64M", *QUICK) as run:
        run.send(urls(server, bodies))
        result = run.wait_with_open_stdin()
    assert time.monotonic() - began < EXIT_LATENCY
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert "--min-free" in result.stderr
    assert server.count() <= 1
    assert_holds(disk.path, {})


def test_small_disk(server: ScriptedServer, disk: SmallDisk) -> None:
    """Where nothing is said, a small disk is filled but for a twentieth of it."""
    assert disk.remount("size=20m")
    bodies = serve(server, {"first": 10 * MIB, "second": 8 * MIB})
    result = run_cli("-", "-d", disk.path, "-w1", *QUICK, stdin=urls(server, bodies))
    assert result.status == 0, result
    assert_holds(disk.path, bodies)
    serve(server, {"third": 2 * MIB}, framing=Framing.CHUNKED)
    result = run_cli("-", "-d", disk.path, *QUICK, stdin=urls(server, ["third"]))
    assert_local(result, disk_full=1)
    assert "--min-free 1.0 MiB" in result.stderr
    # The note beside the part takes a block.
    assert disk.free() >= MIB - (64 << 10)


CLAIM = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx"


@pytest.mark.parametrize("claimed", [99_999_999_999, 4 * MIB], ids=["the-disk", "what-is-free"])
def test_larger_than_what_is_free(
    server: ScriptedServer, disk: SmallDisk, claimed: int
) -> None:
    """A server that promises more than there is room for fails its own job, and ends no run."""
    server.play("/huge", Raw(CLAIM % claimed))
    bodies = serve(server, {f"small{n}": 10 * KIB for n in range(20)})
    result = run_cli(
        *("-", "-d", disk.path, "-w2", "--min-free=1M", *QUICK),
        stdin=urls(server, ["huge", *bodies]),
    )
    assert (result.status, result.causes) == (1, {"too-large": 1}), result
    assert "larger than the free space of the disk" in result.stderr
    assert server.count("/huge") == 1
    assert_holds(disk.path, bodies)


def test_promises_that_are_not_kept(server: ScriptedServer, disk: SmallDisk) -> None:
    """Servers that promise all that is free, and send nothing, take no room from others."""
    assert disk.remount("size=16m")
    never = threading.Event()
    for name in ("one", "two"):
        server.play(f"/{name}", Raw(CLAIM % (11 * MIB), Hold(never, after=len(CLAIM))))
    bodies = serve(server, {f"honest{n}": 2 * MIB for n in range(5)})
    with RunningCli("-", "-d", disk.path, "-w3", "--min-free=4M", *QUICK) as run:
        run.send(urls(server, ["one", "two"]))
        server.wait_for_requests(2)
        run.send(urls(server, bodies))
        wait_until(lambda: finished(disk.path).keys() == bodies.keys(), what="the others")
        run.signal(signal.SIGINT)
        result = run.wait()
    assert result.status == 130, result
    assert_holds(disk.path, bodies)


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_some_do_not_fit(server: ScriptedServer, disk: SmallDisk, framing: Framing) -> None:
    """Of large files that don't fit together some come, and the others fail on their own.

    Where servers don't say how long their files are, the run ends instead.
    """
    assert disk.remount("size=24m")
    all_asked = threading.Event()
    sizes = {"one": 8 * MIB, "two": 8 * MIB, "three": 8 * MIB}
    for name, size in sizes.items():
        hold = Hold(all_asked, after=64 * KIB)
        body = content(size)
        server.play(f"/{name}", Reply(body=body, framing=framing, delivery=hold))
    with RunningCli("-", "-d", disk.path, "-w3", "--min-free", "4M", *QUICK) as run:
        run.send(urls(server, sizes))
        server.wait_for_requests(3)
        all_asked.set()
        result = run.wait()
    assert not result.has_traceback, result
    assert disk.free() >= 4 * MIB
    files = finished(disk.path)
    assert all(body == content(8 * MIB) for body in files.values())
    if framing is Framing.LENGTH:
        assert (result.status, len(files)) == (1, 2), result
        assert result.causes == {"too-large": 1}
        assert_holds(disk.path, files)
    else:
        assert result.status == 3, result
        assert set(result.causes) <= {"disk-full", "interrupted"}
        parts(disk.path)


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ({"one": 11 * MIB}, ()),
        ({"one": 3 * MIB, "two": 3 * MIB, "three": 3 * MIB, "four": 2 * MIB}, ("-w1",)),
        ({"one": 5 * MIB, "two": 5 * MIB}, ("-w2",)),
    ],
    ids=["one", "one-after-the-other", "at-once"],
)
def test_what_fits_beside_the_margin(
    server: ScriptedServer, disk: SmallDisk, sizes: Mapping[str, int], options: tuple[str, ...]
) -> None:
    """Whatever leaves the margin free is downloaded: nothing is counted twice."""
    assert disk.remount("size=16m")
    bodies = serve(server, sizes)
    arguments = ("--min-free", "4M", *QUICK, *options)
    result = run_cli("-", "-d", disk.path, *arguments, stdin=urls(server, bodies))
    assert result.status == 0, result
    assert_holds(disk.path, bodies)
    assert disk.free() >= 4 * MIB


def test_failed_attempts_give_room_back(server: ScriptedServer, disk: SmallDisk) -> None:
    """What an attempt that failed has not written is free again."""
    assert disk.remount("size=16m")
    body = content(8 * MIB)
    cut = Reply(body=body, delivery=Cut(64 * KIB))
    server.play("/file", *flap(3, Reply(body=body), failing=cut))
    server.play("/missing", Reply(status=404, body=content(5 * MIB)))
    options = ("-w1", "--min-free", "4M", *QUICK)
    result = run_cli("-", "-d", disk.path, *options, stdin=urls(server, ["missing", "file"]))
    assert result.status == 1, result
    assert server.count("/file") == 4
    assert_holds(disk.path, {"file": body})


def test_part_on_the_disk_is_not_counted(server: ScriptedServer, disk: SmallDisk) -> None:
    """Of a file that is resumed, only what is missing needs room."""
    assert disk.remount("size=16m")
    body = content(10 * MIB)
    server.play("/file", ranged(body, delivery=Stall(8 * MIB)))
    with RunningCli("-", "-d", disk.path, "--min-free", "4M") as run:
        run.send(urls(server, ["file"]))
        wait_for_part(disk.path, 7 * MIB)
        run.signal(signal.SIGINT)
        assert run.wait().status == 130
    (kept,) = parts(disk.path)
    server.play("/file", ranged(body))
    result = run_cli("-", "-d", disk.path, "--min-free", "5M", stdin=urls(server, ["file"]))
    assert result.status == 0, result
    assert server.requests("/file")[-1].header("Range") == f"bytes={kept}-"
    assert_holds(disk.path, {"file": body})


def test_unknown_length(server: ScriptedServer, disk: SmallDisk) -> None:
    """A file that doesn't say how long it is doesn't take the disk under the margin either."""
    assert disk.remount("size=16m")
    serve(server, {"endless": 14 * MIB}, framing=Framing.CHUNKED)
    options = ("--min-free", "6M", *QUICK)
    result = run_cli("-", "-d", disk.path, *options, stdin=urls(server, ["endless"]))
    assert_local(result, disk_full=1)
    assert "--min-free" in result.stderr
    assert finished(disk.path) == {}
    # A MiB and more is kept, so that this is the least that was free.
    parts(disk.path)
    assert disk.free() >= 6 * MIB


def test_nothing_to_write(server: ScriptedServer, disk: SmallDisk) -> None:
    """Where all files are there already, it doesn't matter how little is free."""
    bodies = serve(server, {"a": 10, "b": MIB})
    for name, body in bodies.items():
        (disk.path / name).write_bytes(body)
    result = run_cli("-", "-d", disk.path, "-c", stdin=urls(server, bodies))
    assert result.status == 0, result
    assert server.count() == 0
    assert_holds(disk.path, bodies)


def test_no_margin(server: ScriptedServer, disk: SmallDisk) -> None:
    """With --min-free 0 the disk may be filled to the last byte."""
    bodies = serve(server, {"file": 4 * MIB - 64 * KIB})
    result = run_cli("-", "-d", disk.path, *NO_MARGIN, stdin=urls(server, bodies))
    assert result.status == 0, result
    assert_holds(disk.path, bodies)


# A disk that refuses.


def test_read_only_disk(server: ScriptedServer, disk: SmallDisk) -> None:
    """A read-only disk is one line, and nothing is asked for."""
    assert disk.remount("ro")
    result = run_cli("-", "-d", disk.path, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert str(disk.path) in line
    assert server.count() == 0


def test_disk_becomes_read_only(server: ScriptedServer, disk: SmallDisk) -> None:
    """Where the disk becomes read-only in mid-run, each job fails once, and the run ends."""
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
    assert finished(disk.path) == bodies


@pytest.mark.parametrize("limit", [512 * KIB, 3 * MIB // 2])
def test_file_size_limit(server: ScriptedServer, target: Path, limit: int) -> None:
    """A file that the system finds too large fails alone, and once."""
    bodies = serve(server, {"a": KIB, "large": 2 * MIB, "b": 100 * KIB})
    program = under_limit("RLIMIT_FSIZE", MAIN, soft=limit)
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", target, "-w1", *QUICK, program=program, stdin=url_list)
    assert_local(result, local=1)
    assert numbers(result) == (2, 1, 0)
    assert finished(target) == {name: bodies[name] for name in ("a", "b")}
    assert server.count("/large") == 1
    parts(target)
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
    """A path that can't be a directory is one line that names it, and nothing is asked for."""
    (target / "file").write_text("not a directory")
    result = run_cli("-", "-d", target / path, stdin=urls(server, ["a"]))
    assert_local(result)
    (line,) = result.stderr.splitlines()
    assert str(target / path) in line
    assert server.count() == 0


@pytest.mark.parametrize("path", ["locked", "locked/below"])
def test_locked_directory(server: ScriptedServer, locked: Path, path: str) -> None:
    """An output directory without permission is one line, and nothing is asked for."""
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
    """A file whose place refuses it fails alone, once, in one line; the others come."""
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
    assert finished(target) == {**bodies, "file": b"no folder"}
    assert sorted(path.name for path in target.iterdir() if path.is_dir()) == [
        "folder",
        "locked",
    ]


@pytest.mark.parametrize("out", ["n" * 250, "é" * 125, "n" * 255, "d" * 255 + "/" + "n" * 255])
def test_long_names(server: ScriptedServer, target: Path, out: str) -> None:
    """A name as long as file systems take it is no trouble."""
    (body,) = serve(server, {"a": KIB}).values()
    url_list = urls(server, ["a"]) + f"  out={out}\n".encode()
    result = run_cli("-", "-d", target, stdin=url_list)
    assert result.status == 0, result
    assert (target / out).read_bytes() == body
