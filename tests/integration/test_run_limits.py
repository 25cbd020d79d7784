"""The limits of a run, --deadline, --max-failures and --max-total-size, and the exit status."""

from __future__ import annotations

import re
import signal
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import MAIN, CliResult, RunningCli, Totals, run_cli
from tests.support.output_folder import HIDDEN, visible
from tests.support.raw_tcp import HOST, unanswered_port
from tests.support.scripted_server import (
    Answer,
    Endless,
    Framing,
    Hold,
    Raw,
    Reply,
    Request,
    ScriptedServer,
    Stall,
    flap,
)
from tests.support.sizes import sizes_of
from tests.support.waiting import wait_until

SOON = 15.0
"""Seconds within which a run that has to stop ends, even on a busy machine."""
MIB = 1 << 20
OFTEN = "--monitor-interval=0.05"
NO_LIMITS = ("-T=0", "--connect-timeout=0", "--speed-limit=0")
ONCE = "--max-retries=0"
DEADLINE, MAX_FAILURES = "--deadline has passed", "--max-failures is reached"
TOTAL_SIZE = "--max-total-size is reached"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist yet."""
    return tmp_path / "downloads"


@pytest.fixture
def site(server: ScriptedServer) -> ScriptedServer:
    """Return a server with a file (`/ok`) and bodies that never end (`/stuck`)."""
    server.play("/ok", Reply(body=b"ok"))
    server.play("/stuck", Reply(body=bytes(100), delivery=Stall(10)))
    return server


def urls(server: ScriptedServer, *paths: str) -> bytes:
    """Return a list of URLs; `path*count` stands for so many with different queries."""
    lines: list[str] = []
    for path in paths:
        name, _, count = path.partition("*")
        url = server.url(f"/{name}")
        lines += [f"{url}?{len(lines) + n}\n" for n in range(int(count or 1))]
    return "".join(lines).encode()


def totals(result: CliResult) -> Totals:
    """Return the numbers of the summary of a run that ended in order."""
    assert not result.has_traceback, result
    assert result.totals is not None, result
    return result.totals


def files(target: Path) -> list[str]:
    """Return the names of finished files."""
    return sorted(path.name for path in target.iterdir() if path.is_file())


def assert_stopped(result: CliResult, reason: str) -> Totals:
    """Check that this limit ended the run; return the numbers of its summary."""
    assert result.status == 5, result
    assert re.search(f"^stopped early: {reason}$", result.stderr, re.MULTILINE), result
    return totals(result)


STUCK: dict[str, Answer] = {
    "before the reply": Raw(b"", Stall(0)),
    "in the headers": Raw(b"HTTP/1.1 200 OK\r\nX: y\r\n", Stall(20)),
    "in the body": Reply(body=bytes(100), delivery=Stall(10)),
    "in a body without end": Reply(body=bytes(100), framing=Framing.CLOSE, delivery=Endless()),
    "for a retry": Reply(status=503, headers={"Retry-After": "500"}),
    "for a retry in ages": Reply(status=503, headers={"Retry-After": "9" * 400}),
}


@pytest.mark.parametrize("workers", [1, 8])
def test_a_deadline_ends_stuck_downloads(
    site: ScriptedServer, target: Path, tls_context: ssl.SSLContext, *, workers: int
) -> None:
    """The deadline ends every kind of wait, and the remaining jobs count as unfinished."""
    for number, answer in enumerate(STUCK.values()):
        site.play(f"/{number}", answer)
    with unanswered_port() as port, ScriptedServer(tls=tls_context, silent=True) as silent:
        entries = urls(site, "ok", *map(str, range(len(STUCK))))
        entries += f"http://{HOST}:{port}/\n{silent.url('/')}\n".encode()
        options = (f"-w{workers}", "--deadline=1.5", "--max-retry-after=0", *NO_LIMITS)
        result = run_cli("-", "-d", target, *options, stdin=entries, timeout=SOON)
    found = assert_stopped(result, DEADLINE)
    assert (found.downloaded, found.total) == (1, len(STUCK) + 3), result
    assert found.failed + found.unfinished == len(STUCK) + 2
    assert found.unfinished > 0
    assert files(target) == ["ok"]


def test_a_deadline_ends_a_long_list(site: ScriptedServer, target: Path) -> None:
    """The files at the deadline are complete, and the rest of the list is not read."""
    entries = urls(site, "ok*30000")
    result = run_cli("-", "-d", target, "-q", "--deadline=1", stdin=entries, timeout=SOON)
    found = assert_stopped(result, DEADLINE)
    assert 0 < found.downloaded < found.total < 30_000, result
    assert found.unfinished > 0, result
    written = [path.read_bytes() for path in visible(target)]
    assert written == [b"ok"] * found.downloaded


def test_a_deadline_does_not_wait_for_the_list(site: ScriptedServer, target: Path) -> None:
    """A list that is still being written does not delay the end."""
    with RunningCli("-", "-d", target, "--deadline=1") as run:
        run.send(urls(site, "ok"))
        result = run.wait_with_open_stdin(SOON)
    assert assert_stopped(result, DEADLINE).downloaded == 1
    assert files(target) == ["ok"]


@pytest.mark.parametrize("source", ["yes '#'", "yes nonsense", "tr '\\0' x </dev/zero"])
def test_a_deadline_ends_an_endless_list(target: Path, source: str) -> None:
    """An endless list without jobs, or with an endless line, does not delay the end."""
    program = ("sh", "-c", f'{source} 2>/dev/null | "$@" 2>&1 | tail -n 5', "sh", *MAIN)
    result = run_cli("-", "-d", target, "--deadline=0.5", program=program, timeout=SOON)
    assert f"stopped early: {DEADLINE}" in result.stdout, result


@pytest.mark.parametrize("deadline", ["0", "1d"])
@pytest.mark.parametrize(
    ("paths", "status"), [(["ok"], 0), (["ok", "missing"], 1), (["missing"], 4), ([], 0)]
)
def test_a_deadline_that_is_not_reached(
    site: ScriptedServer, target: Path, *, deadline: str, paths: list[str], status: int
) -> None:
    """A run that ends before its deadline ends as a run without one."""
    entries = urls(site, *paths)
    result = run_cli("-", "-d", target, f"--deadline={deadline}", stdin=entries)
    assert result.status == status, result
    assert totals(result).unfinished == 0
    assert "stopped early" not in result.stderr


def version(body: bytes) -> Callable[[Request], Answer]:
    """Return the answer for a file with ranges, whose whole body stops at its half."""

    def answer(request: Request) -> Answer:
        wanted = request.header("Range")
        if wanted is None:
            return Reply(body=body, headers=TAG, delivery=Stall(len(body) // 2))
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return Reply(status=206, body=body[start:], headers={**TAG, "Content-Range": span})

    return answer


TAG = {"ETag": '"one"'}
BODY = b"0123456789abcdef" * (4 * MIB // 16)


@pytest.mark.parametrize("limit", ["--deadline=1.5", "--max-failures=1", "--max-total-size=2M"])
def test_parts_are_kept(site: ScriptedServer, target: Path, limit: str) -> None:
    """The next run resumes a download that a limit has aborted."""
    has_begun = target / HIDDEN
    site.play("/large", version(BODY))
    with RunningCli("-", "-d", target, limit, *NO_LIMITS) as run:
        run.send(urls(site, "large"))
        wait_until(lambda: part_size(has_begun) == len(BODY) // 2, what="half of the file")
        run.send(urls(site, "missing"))
        assert run.wait_with_open_stdin(SOON).status == 5
    assert files(target) == []
    result = run_cli("-", "-d", target, stdin=urls(site, "large"))
    assert result.status == 0, result
    assert (target / "large").read_bytes() == BODY
    assert site.requests("/large")[-1].header("Range") == f"bytes={len(BODY) // 2}-"


def part_size(folder: Path) -> int:
    """Return the bytes of the parts in the folder."""
    return sum(sizes_of(folder.glob("*.part")))


@pytest.mark.parametrize(
    ("limit", "paths"),
    [
        ("1", ["missing", "stuck*20"]),
        ("3", ["missing*3", "stuck*20"]),
        ("3", ["missing*2", "ok*50", "missing", "stuck*20"]),
        ("50%", ["missing*10", "stuck*10"]),
        ("33.3%", ["ok*4", "missing*4", "stuck*4"]),
        ("0.1%", ["ok*150", "missing", "stuck*20"]),
        ("100%", ["missing*7"]),
        ("7", ["missing*7"]),
    ],
)
@pytest.mark.parametrize("workers", [1, 25])
def test_too_many_failures(
    site: ScriptedServer, target: Path, *, limit: str, paths: list[str], workers: int
) -> None:
    """The run, stuck jobs included, ends when so many jobs, or such a share, have failed."""
    options = (f"-w{workers}", "--queue-size=200", f"--max-failures={limit}", *NO_LIMITS)
    result = run_cli("-", "-d", target, *options, stdin=urls(site, *paths), timeout=SOON)
    found = assert_stopped(result, MAX_FAILURES)
    missing = sum(int(path.partition("*")[2] or 1) for path in paths if "missing" in path)
    assert result.causes["http-404"] == missing, result
    assert found.downloaded == len(files(target))


def test_the_rest_is_not_requested(site: ScriptedServer, target: Path) -> None:
    """After the last failure, no new job is begun."""
    gate = Hold(site.stopping)
    site.play("/stuck", Reply(body=b"late", delivery=gate))
    entries = urls(site, "missing*2", "stuck", "ok*1000")
    options = ("-w1", "--look-ahead=0", "--max-failures=2")
    result = run_cli("-", "-d", target, *options, stdin=entries, timeout=SOON)
    found = assert_stopped(result, MAX_FAILURES)
    assert (found.downloaded, site.count("/ok")) == (0, 0)
    assert found.total < 100


@pytest.mark.parametrize(
    ("limit", "paths", "status"),
    [
        ("0", ["missing*9", "ok"], 1),
        ("0%", ["missing*9", "ok"], 1),
        ("0", ["missing*9"], 4),
        ("10", ["missing*9"], 4),
        ("10", ["missing*9", "ok"], 1),
        ("91%", ["missing*9", "ok"], 1),
        ("51%", ["missing*50", "ok*50"], 1),
        ("2", ["ok*9", "missing"], 1),
        ("1", ["ok*9"], 0),
        ("1%", ["ok*9"], 0),
        ("100%", ["ok*9"], 0),
        ("100%", [], 0),
        ("1", ["flap"], 0),
    ],
)
def test_not_too_many_failures(
    site: ScriptedServer, target: Path, *, limit: str, paths: list[str], status: int
) -> None:
    """Fewer failures, and attempts that are retried, do not end the run."""
    site.play("/flap", *flap(3, Reply(body=b"ok")))
    options = (f"--max-failures={limit}", "--retry-delay=0")
    result = run_cli("-", "-d", target, *options, stdin=urls(site, *paths))
    assert result.status == status, result
    assert totals(result).unfinished == 0
    assert "stopped early" not in result.stderr


def test_a_share_of_a_list_that_goes_on(site: ScriptedServer, target: Path) -> None:
    """While the list is read, the share is that of the ended jobs, at least of a hundred.

    So 99 failures of the first 99 jobs are not 100 % yet.
    """
    with RunningCli("-", "-d", target, OFTEN, "--max-failures=100%") as run:
        run.send(urls(site, "missing*99"))
        wait_until(lambda: "failed 99, " in run.stderr_so_far(), what="99 failures")
        assert run.is_running
        run.send(urls(site, "the-hundredth"))
        result = run.wait_with_open_stdin(SOON)
    assert assert_stopped(result, MAX_FAILURES).failed == 100


def test_a_share_that_falls(site: ScriptedServer, target: Path) -> None:
    """A share that is too great among few jobs, but not among a hundred, is no limit."""
    entries = urls(site, "missing*40", "ok*100")
    result = run_cli("-", "-d", target, "-w1", "--max-failures=41%", stdin=entries)
    assert (result.status, totals(result).downloaded) == (1, 100), result


@pytest.mark.parametrize(
    ("size", "paths", "status", "downloaded"),
    [
        ("0", ["ok*9"], 0, 9),
        ("19", ["ok*9"], 0, 9),
        ("18", ["ok*9"], 0, 9),
        ("17", ["ok*9"], 0, 9),
        ("16", ["ok*9"], 5, 8),
        ("1", ["ok*9"], 5, 1),
        ("1", ["missing*3", "ok"], 1, 1),
        ("1", ["missing*3"], 4, 0),
        ("1", [], 0, 0),
    ],
)
def test_a_total_size(
    site: ScriptedServer,
    target: Path,
    *,
    size: str,
    paths: list[str],
    status: int,
    downloaded: int,
) -> None:
    """The run ends with the file that reaches the size, unless the list ends with it, too."""
    options = ("-w1", f"--max-total-size={size}")
    result = run_cli("-", "-d", target, *options, stdin=urls(site, *paths), timeout=SOON)
    assert result.status == status, result
    assert totals(result).downloaded == downloaded
    assert (f"stopped early: {TOTAL_SIZE}" in result.stderr) is (status == 5)


@pytest.mark.parametrize("workers", [1, 8])
def test_a_total_size_ends_big_files(
    site: ScriptedServer, target: Path, *, workers: int
) -> None:
    """Files that are not complete when the size is reached are aborted, soon after."""
    endless = Reply(body=bytes(4096), framing=Framing.CLOSE, delivery=Endless())
    site.play("/endless", endless)
    options = (f"-w{workers}", "--max-total-size=1M", *NO_LIMITS)
    result = run_cli("-", "-d", target, *options, stdin=urls(site, "endless*8"), timeout=SOON)
    found = assert_stopped(result, TOTAL_SIZE)
    assert 1 <= found.failed <= workers, result
    assert found.failed + found.unfinished == found.total


@pytest.mark.parametrize(
    ("option", "said"),
    [
        *[
            (f"--max-total-size={it}", r"--max-total-size.* 0 .*\d")
            for it in ("-1", "x", "1.5")
        ],
        *[(f"--limit-rate={it}", r"--limit-rate.* 0 .*\d") for it in ("-1", "x", "", "1k/s")],
        *[(f"--max-failures={value}", "--max-failures") for value in ("-1", "x", "", "1.5")],
        *[(f"--max-failures={value}", "--max-failures") for value in ("%", "x%", "1%%", "5 5")],
        ("--max-failures=101%", "error: --max-failures: must be from 0% to 100%, not 101%"),
        *[(f"--max-failures={value}", r"--max-failures.*100") for value in ("101%", "-1%")],
        *[(f"--max-failures={value}", "--max-failures") for value in ("nan%", "inf%", "nan")],
        *[(f"--deadline={value}", r"--deadline.* 0 .*\d") for value in ("-1", "x", "", "1w")],
        *[(f"--deadline={value}", r"--deadline.* 0 .*\d") for value in ("nan", "inf", "999d")],
    ],
)
def test_usage(target: Path, option: str, said: str) -> None:
    """A wrong value is a usage error, which has the flag and its range."""
    result = run_cli("-", "-d", target, option)
    assert result.status == 2, result
    assert re.search(said, result.stderr.splitlines()[-1]), result
    assert not result.has_traceback, result
    assert not target.exists()


# Runs with two reasons for an exit status, and the status that wins.
LOCAL = b"  out=folder\n"
PRECEDENCE = [
    pytest.param(["missing"], ["--max-failures=1"], 5, id="5 before 4"),
    pytest.param(["ok", "missing"], ["--max-failures=1"], 5, id="5 before 1"),
    pytest.param(["missing", "stuck"], ["--deadline=1"], 5, id="5 before 4, deadline"),
    pytest.param(["ok", "missing", "stuck"], ["--deadline=1"], 5, id="5 before 1, deadline"),
    pytest.param(["local"], ["--max-failures=1"], 3, id="3 before 5"),
    pytest.param(["ok", "local", "stuck"], ["--deadline=1"], 3, id="3 before 5, deadline"),
    pytest.param(["ok", "local"], [], 3, id="3 before 1"),
    pytest.param(["local"], [], 3, id="3 before 4"),
]


@pytest.mark.parametrize(("paths", "options", "status"), PRECEDENCE)
def test_precedence(
    site: ScriptedServer, target: Path, *, paths: list[str], options: list[str], status: int
) -> None:
    """Of several reasons for an exit status, the more severe one wins."""
    (target / "folder").mkdir(parents=True)
    site.play("/local", Reply(body=b"ok"))
    entries = re.sub(rb"(/local.*\n)", rb"\1" + LOCAL, urls(site, *paths))
    options = ["-w1", ONCE, *NO_LIMITS, *options]
    result = run_cli("-", "-d", target, *options, stdin=entries, timeout=SOON)
    assert result.status == status, result
    totals(result)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_wins(site: ScriptedServer, target: Path, number: signal.Signals) -> None:
    """The status of a signal wins over limits, failures and local trouble."""
    (target / "folder").mkdir(parents=True)
    entries = urls(site, "missing", "ok") + LOCAL + urls(site, "stuck*5")
    options = (OFTEN, "-w2", "--max-failures=5", "--deadline=1m", *NO_LIMITS)
    with RunningCli("-", "-d", target, *options) as run:
        run.send(entries)
        site.wait_for_requests(2, "/stuck")
        wait_until(lambda: "failed 2, " in run.stderr_so_far(), what="two failures")
        run.signal(number)
        result = run.wait(SOON)
    assert result.status == 128 + number, result
    assert totals(result).unfinished > 0


def test_no_list_no_deadline(tmp_path: Path, target: Path) -> None:
    """A list that can't be read is local trouble, even with limits."""
    options = ("--deadline=1", "--max-failures=1")
    result = run_cli(tmp_path / "missing", "-d", target, *options)
    assert result.status == 3, result


LATE = """
import sys, threading
from url_downloader.engine import pool
from url_downloader.main import main
shutdown = pool.JobPool.shutdown
def slow_shutdown(pool):
    threading.Event().wait(2.5)
    shutdown(pool)
pool.JobPool.shutdown = slow_shutdown
sys.exit(main())
"""


def test_a_deadline_that_passes_while_the_run_ends(site: ScriptedServer, target: Path) -> None:
    """A deadline that passes after the last job, while threads end, does not count."""
    program = (sys.executable, "-c", LATE)
    entries = urls(site, "ok")
    result = run_cli("-", "-d", target, "--deadline=2", program=program, stdin=entries)
    assert (result.status, totals(result).downloaded) == (0, 1), result
