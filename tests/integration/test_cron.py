"""The features for scripts and cron jobs: -q, log file, metrics file and lock."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import ROOT, RunningCli, run_cli
from tests.support.reports import samples
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from tests.support.waiting import wait_until
from tests.support.without import without

IN_DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
IN_CRON = 'cd / && exec env -i PATH=/usr/bin:/bin "$@" </dev/null'
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
PHASES = ("paused", "failing", "down", "throttled")
CRON = ("sh", "-c", IN_CRON, "sh", sys.executable, str(ROOT / "main.py"))


@pytest.fixture
def urls(server: ScriptedServer, tmp_path: Path) -> Path:
    """Return the path of a list of one file."""
    server.play("/file", Reply(body=b"x" * 1000))
    path = tmp_path / "urls.txt"
    path.write_text(server.url("/file\n"))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist yet."""
    return tmp_path / "downloads"


@contextmanager
def held_run(
    server: ScriptedServer, urls: Path, *options: str | Path
) -> Iterator[tuple[RunningCli, threading.Event]]:
    """Start a run whose only download goes on until the event is set."""
    release = threading.Event()
    server.play("/file", Reply(body=b"x" * 1000, delivery=Hold(release, 500)))
    with RunningCli(urls, *options) as run:
        server.wait_for_requests(1)
        yield run, release


# Quiet runs.


def test_cron(urls: Path, target: Path) -> None:
    """With few variables, no terminal and another folder, -q prints nothing on success."""
    result = run_cli(urls, "-d", target, "-q", program=CRON)
    assert result.status == 0, result
    assert result.stdout + result.stderr == ""
    assert (target / "file").stat().st_size == 1000


def test_cron_and_something_fails(server: ScriptedServer, urls: Path, target: Path) -> None:
    """With -q, cron sends the failures, the summary, and the command that retries."""
    urls.write_text(f"{urls.read_text()}{server.url('/missing')}\n")
    result = run_cli(urls, "-d", target, "-q", program=CRON)
    assert result.status == 1, result
    assert result.stdout == ""
    first, *rest = result.stderr.splitlines()
    assert "ERROR worker-" in first
    assert rest[0] == "1 downloaded, 1 failed of 2; 0 retries"
    assert rest[-1].startswith("to retry: "), result
    assert rest[-1].endswith(f"main.py {urls} -d {target} -q -c"), result


def test_without_extras(urls: Path, target: Path) -> None:
    """A run that does not use rich and prometheus_client works without them."""
    program = without("rich", "prometheus_client")
    result = run_cli(urls, "-d", target, program=program)
    assert result.status == 0, result


@pytest.mark.parametrize(
    "options",
    [[], ["--failed-out=failed list"], ["--failed-out", "/dev/null"], ["-N", "-w2"]],
)
def test_the_retry_command_retries(
    server: ScriptedServer, urls: Path, target: Path, options: list[str]
) -> None:
    """The command of the summary, pasted into a shell, downloads what failed and no more."""
    options = [each.replace("=", f"={urls.parent}/") for each in options]
    server.play("/file", Reply(body=b"x", headers={"Last-Modified": DATE}), Reply(status=304))
    urls = urls.rename(urls.with_name("my 'urls' $x.txt"))
    urls.write_text(f"{urls.read_text()}{server.url('/late')}\n")
    result = run_cli(urls, "-d", target, "--max-retries=0", *options)
    assert result.status == 1, result
    server.play("/late", Reply(body=b"late"))
    command = result.stderr.partition("to retry: ")[2]
    again = run_cli(program=("sh", "-c", command))
    assert again.status == 0, again
    assert (target / "late").read_bytes() == b"late"
    assert (target / "file").read_bytes() == b"x"
    assert server.count("/file") == (2 if "-N" in options else 1)


def test_no_list_is_left_of_stdin(server: ScriptedServer, target: Path) -> None:
    """If the list can't be read again, the summary says how a run can leave one."""
    result = run_cli("-", "-d", target, stdin=server.url("/missing\n").encode())
    assert result.status == 4, result
    assert result.stderr.splitlines()[-1].startswith(
        "to retry: standard input can't be read again; with"
    )


# The log file.


@pytest.mark.parametrize("option", ["-q", "-v", "--monitor-interval=1"])
def test_log_file(urls: Path, target: Path, option: str) -> None:
    """The log file has the INFO level or more, even with -q, and is appended to."""
    log = target.parent / "run.log"
    for runs in (1, 2):
        result = run_cli(urls, "-d", target, option, "--log-file", log)
        assert result.status == 0, result
        assert log.read_text().count(f": downloaded {target}/file: 1000 bytes") == runs
        assert log.read_text().count("INFO monitor: tasks 0") == runs
    assert (" DEBUG " in log.read_text()) is (option == "-v")


def test_log_rotate(server: ScriptedServer, urls: Path, target: Path) -> None:
    """After the log file was renamed, a new one is created."""
    log, old = target.parent / "run.log", target.parent / "run.log.1"
    options = ("-d", target, "--monitor-interval=0.05", "--log-file", log)
    with held_run(server, urls, *options) as (run, release):
        wait_until(lambda: "tasks 0" in log.read_text(), what="a line")
        log.rename(old)
        wait_until(lambda: log.exists() and log.stat().st_size > 0, what="a new log")
        release.set()
        assert run.wait().status == 0
    assert "downloaded" in log.read_text()
    assert "downloaded" not in old.read_text()


def test_log_goes(server: ScriptedServer, urls: Path, target: Path) -> None:
    """A log file whose folder is removed does not end the run."""
    folder = target.parent / "logs"
    folder.mkdir()
    log = folder / "run.log"
    options = ("-d", target, "--monitor-interval=0.05", "--log-file", log)
    with held_run(server, urls, *options) as (run, release):
        log.unlink()
        folder.rmdir()
        seen = run.stderr_so_far().count("INFO monitor")
        wait_until(
            lambda: run.stderr_so_far().count("INFO monitor") > seen + 1, what="more lines"
        )
        release.set()
        result = run.wait()
    assert result.status == 0, result
    assert not result.has_traceback, result


def test_log_on_a_full_disk(urls: Path, target: Path) -> None:
    """A log file on a full disk does not end the run."""
    result = run_cli(urls, "-d", target, "-v", "--log-file=/dev/full")
    assert result.status == 0, result
    assert not result.has_traceback, result


@pytest.mark.parametrize("option", ["--log-file", "--lock"])
def test_a_file_that_cannot_be_opened(
    server: ScriptedServer, urls: Path, target: Path, option: str
) -> None:
    """A file that can't be opened is local trouble, which is reported before any request."""
    path = target / "missing" / "file"
    result = run_cli(urls, "-d", target, option, path)
    assert result.status == 3, result
    assert f"{path}: " in result.stderr, result
    assert not result.has_traceback, result
    assert server.count() == 0


# The metrics file.


def test_metrics(server: ScriptedServer, urls: Path, target: Path) -> None:
    """The metrics file can be read at any time, and is right during and after the run."""
    path = target.parent / "run.prom"
    urls.write_text(f"{urls.read_text()}{server.url('/missing')}\n")
    options = ("-d", target, "--monitor-interval=0.05", "--metrics-file", path)
    with held_run(server, urls, *options) as (run, release):
        wait_until(
            lambda: path.exists() and samples(path)["received_bytes_total"] == 500,
            what="half a file",
        )
        wait_until(lambda: samples(path)["jobs/failed"] == 1, what="the failure")
        during = samples(path)
        release.set()
        assert run.wait().status == 1
    assert during["jobs/running"] == during["in_flight_attempts"] == 1
    assert not {"exit_status", "run_end_timestamp_seconds"} & set(during)
    after = samples(path)
    began, ended = (after.pop(f"run_{each}_timestamp_seconds") for each in ("start", "end"))
    assert began <= ended
    assert after == {
        "jobs/pending": 0,
        "jobs/running": 0,
        "jobs/retry-scheduled": 0,
        "jobs/success": 1,
        "jobs/failed": 1,
        "list_read": 1,
        "parked_jobs": 0,
        "no_network": 0,
        "in_flight_attempts": 0,
        "received_bytes_total": 1000,
        "retries_total": 0,
        "failures_total/http-404": 1,
        "http_responses_total/200": 1,
        "http_responses_total/404": 1,
        "exit_status": 1,
        **{f"hosts/{phase}": 0 for phase in PHASES},
        **{f"host_troubles_total/{phase}": 0 for phase in PHASES},
    }
    assert [each.name for each in target.parent.glob("*.prom*")] == ["run.prom"]


def test_last_success(server: ScriptedServer, urls: Path, target: Path) -> None:
    """The time of the last success stays in the file after a run that fails."""
    path = target.parent / "run.prom"
    options = (urls, "-d", target, "--metrics-file", path)
    assert run_cli(*options).status == 0
    success = samples(path)["last_success_timestamp_seconds"]
    assert success > 0
    server.play("/file", Reply(status=404))
    assert run_cli(*options).status == 4
    after = samples(path)
    assert after["exit_status"] == 4
    assert after["last_success_timestamp_seconds"] == success


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_metrics_of_an_interrupted_run(
    server: ScriptedServer, urls: Path, target: Path, number: signal.Signals
) -> None:
    """A run that a signal ends leaves its result in the file."""
    path = target.parent / "run.prom"
    urls.write_text(f"{urls.read_text()}{server.url('/second')}\n")
    options = ("-d", target, "-w1", "--metrics-file", path)
    with held_run(server, urls, *options) as (run, _):
        run.signal(number)
        assert run.wait().status == 128 + number
    after = samples(path)
    assert after["exit_status"] == 128 + number
    assert after["failures_total/interrupted"] == after["jobs/failed"] == 1
    assert after["in_flight_attempts"] == after["jobs/running"] == 0


def test_metrics_of_a_full_disk(urls: Path, target: Path) -> None:
    """A run that a full disk ends leaves its result in the file."""
    path = target.parent / "run.prom"
    result = run_cli(urls, "-d", target, "--min-free=1000000T", "--metrics-file", path)
    assert result.status == 3, result
    after = samples(path)
    assert after["failures_total/disk-full"] == 1
    assert after["exit_status"] == 3


@pytest.mark.parametrize("path", ["/dev/full/x.prom", "/proc/x.prom"])
def test_metrics_that_cannot_be_written(urls: Path, target: Path, path: str) -> None:
    """An unwritable metrics file is reported once and in the status; the run goes on."""
    options = ("-d", target, "--monitor-interval=0.01", "--metrics-file", path)
    result = run_cli(urls, *options)
    assert result.status == 3, result
    assert result.stderr.count(f"{path}: the metrics can't be written") == 1, result
    assert "1 downloaded, 0 failed of 1" in result.stderr, result


# The lock.


def test_lock(server: ScriptedServer, urls: Path, target: Path) -> None:
    """A second run ends at once and describes the holder of the lock; a third one gets it."""
    lock = target.parent / "run.lock"
    options = ("-d", target, "--lock", lock)
    with held_run(server, urls, *options) as (run, release):
        second = run_cli(urls, *options, "-q")
        assert second.status == 75, second
        assert f"another run holds the lock: process {run.pid} on " in second.stderr
        assert f"{urls} -d {target}" in second.stderr, second
        assert server.count() == 1
        release.set()
        assert run.wait().status == 0
    assert run_cli(urls, *options).status == 0


@pytest.mark.leaves_parts
def test_the_lock_goes_with_its_holder(
    server: ScriptedServer, urls: Path, target: Path
) -> None:
    """The file of a run that was killed does not keep the lock."""
    lock = target.parent / "run.lock"
    with held_run(server, urls, "-d", target, "--lock", lock) as (run, _):
        wait_until(lambda: str(run.pid) in lock.read_text(), what="the text")
        run.signal(signal.SIGKILL)
        run.wait()
    server.play("/file", Reply(body=b"x" * 1000))
    assert run_cli(urls, "-d", target, "--lock", lock).status == 0


def test_a_lock_that_is_something_else(
    server: ScriptedServer, urls: Path, target: Path
) -> None:
    """A file with other content is an error, and is not changed."""
    other = urls.with_name("other")
    other.write_text("precious")
    result = run_cli(urls, "-d", target, "--lock", other)
    assert result.status == 3, result
    assert "is not a lock file" in result.stderr, result
    assert other.read_text() == "precious"
    assert server.count() == 0
