"""--min-free: room of the disk that downloads leave free."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping

import pytest

from tests.support.cli import RunningCli, assert_local, run_cli
from tests.support.hardship import SmallDisk
from tests.support.output_folder import assert_holds, files_of, part_sizes, wait_for_parts
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
from tests.support.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
EXIT_LATENCY = 5.0
# A wrong retry shows in the number of requests, after a short time.
QUICK = ("--max-retries", "3", "--retry-delay", "0.01")


def test_less_than_the_margin(server: ScriptedServer, disk: SmallDisk) -> None:
    """With too little free space the run ends at once, even if the list goes on."""
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
    """By default a twentieth of a small disk stays free."""
    assert disk.remount("size=20m")
    bodies = serve(server, {"first": 10 * MIB, "second": 8 * MIB})
    result = run_cli("-", "-d", disk.path, "-w1", *QUICK, stdin=urls(server, bodies))
    assert result.status == 0, result
    assert_holds(disk.path, bodies)
    serve(server, {"third": 2 * MIB}, framing=Framing.CHUNKED)
    result = run_cli("-", "-d", disk.path, *QUICK, stdin=urls(server, ["third"]))
    assert_local(result, disk_full=1)
    assert "--min-free 1.0 MiB" in result.stderr
    # The part note takes a block.
    assert disk.free() >= MIB - (64 << 10)


CLAIM = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx"


@pytest.mark.parametrize("claimed", [99_999_999_999, 4 * MIB], ids=["the-disk", "what-is-free"])
def test_larger_than_what_is_free(
    server: ScriptedServer, disk: SmallDisk, claimed: int
) -> None:
    """A size above the free space fails its own job, and does not end the run."""
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
    """Servers that announce all free space, and send nothing, take no room from others."""
    assert disk.remount("size=16m")
    never = threading.Event()
    for name in ("one", "two"):
        server.play(f"/{name}", Raw(CLAIM % (11 * MIB), Hold(never, after=len(CLAIM))))
    bodies = serve(server, {f"honest{n}": 2 * MIB for n in range(5)})
    with RunningCli("-", "-d", disk.path, "-w3", "--min-free=4M", *QUICK) as run:
        run.send(urls(server, ["one", "two"]))
        server.wait_for_requests(2)
        run.send(urls(server, bodies))
        wait_until(lambda: files_of(disk.path).keys() == bodies.keys(), what="the others")
        run.signal(signal.SIGINT)
        result = run.wait()
    assert result.status == 130, result
    assert_holds(disk.path, bodies)


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_some_do_not_fit(server: ScriptedServer, disk: SmallDisk, framing: Framing) -> None:
    """Of large files that do not fit together some come, and the others fail alone.

    If servers do not announce sizes, the run ends instead.
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
    files = files_of(disk.path)
    assert all(body == content(8 * MIB) for body in files.values())
    if framing is Framing.LENGTH:
        assert (result.status, len(files)) == (1, 2), result
        assert result.causes == {"too-large": 1}
        assert_holds(disk.path, files)
    else:
        assert result.status == 3, result
        assert set(result.causes) <= {"disk-full", "interrupted"}
        part_sizes(disk.path)


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
    """Files that leave the margin free are downloaded: no byte is counted twice."""
    assert disk.remount("size=16m")
    bodies = serve(server, sizes)
    arguments = ("--min-free", "4M", *QUICK, *options)
    result = run_cli("-", "-d", disk.path, *arguments, stdin=urls(server, bodies))
    assert result.status == 0, result
    assert_holds(disk.path, bodies)
    assert disk.free() >= 4 * MIB


def test_failed_attempts_give_room_back(server: ScriptedServer, disk: SmallDisk) -> None:
    """Bytes that a failed attempt has not written are free again."""
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
    """A resumed file needs room for its missing bytes only."""
    assert disk.remount("size=16m")
    body = content(10 * MIB)
    server.play("/file", ranged(body, delivery=Stall(8 * MIB)))
    with RunningCli("-", "-d", disk.path, "--min-free", "4M") as run:
        run.send(urls(server, ["file"]))
        wait_for_parts(disk.path, 7 * MIB)
        run.signal(signal.SIGINT)
        assert run.wait().status == 130
    (kept,) = part_sizes(disk.path)
    server.play("/file", ranged(body))
    result = run_cli("-", "-d", disk.path, "--min-free", "5M", stdin=urls(server, ["file"]))
    assert result.status == 0, result
    assert server.requests("/file")[-1].header("Range") == f"bytes={kept}-"
    assert_holds(disk.path, {"file": body})


def test_unknown_length(server: ScriptedServer, disk: SmallDisk) -> None:
    """A file without a known length does not take the margin either."""
    assert disk.remount("size=16m")
    serve(server, {"endless": 14 * MIB}, framing=Framing.CHUNKED)
    options = ("--min-free", "6M", *QUICK)
    result = run_cli("-", "-d", disk.path, *options, stdin=urls(server, ["endless"]))
    assert_local(result, disk_full=1)
    assert "--min-free" in result.stderr
    assert files_of(disk.path) == {}
    # The kept part has over a MiB, so that free space was never less than this.
    part_sizes(disk.path)
    # The ledger takes a few blocks.
    assert disk.free() >= 6 * MIB - 64 * KIB


def test_nothing_to_write(server: ScriptedServer, disk: SmallDisk) -> None:
    """If all files exist already, the free space does not matter."""
    bodies = serve(server, {"a": 10, "b": MIB})
    for name, body in bodies.items():
        (disk.path / name).write_bytes(body)
    for _ in range(2):
        result = run_cli("-", "-d", disk.path, "-c", stdin=urls(server, bodies))
        assert result.status == 0, result
        # The first run asks for each file, because no run has recorded it.
        assert server.count() == len(bodies)
        assert_holds(disk.path, bodies)


def test_no_room_for_the_ledger(server: ScriptedServer, disk: SmallDisk) -> None:
    """A full disk under the ledger is local trouble, also when all files are there."""
    bodies = serve(server, {"file": 4 * MIB - 4 * KIB})
    result = run_cli("-", "-d", disk.path, "--min-free=0", *QUICK, stdin=urls(server, bodies))
    assert_local(result)
    assert "the ledger can't be written: the disk is full" in result.stderr
    assert files_of(disk.path) == bodies


def test_no_margin(server: ScriptedServer, disk: SmallDisk) -> None:
    """With --min-free 0 the disk may be filled to the last byte."""
    bodies = serve(server, {"file": 4 * MIB - 64 * KIB})
    options = ("--min-free=0", "--no-ledger", *QUICK)
    result = run_cli("-", "-d", disk.path, *options, stdin=urls(server, bodies))
    assert result.status == 0, result
    assert_holds(disk.path, bodies)
