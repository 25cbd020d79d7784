"""The report, the failed list and the printed paths, for every kind of end of a run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.busy_site import content_of, play_busy_list
from tests.support.cli import MAIN, CliResult, RunningCli, run_cli
from tests.support.hardship import SmallDisk, small_disk
from tests.support.output_folder import recorded_jobs, visible
from tests.support.reports import read_report
from tests.support.scripted_server import Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until

EXIT_LATENCY = 5.0
BUSY = ("-w4", "--queue-size=2", "-T0.4", "--retry-delay=0.1", "--max-retries=9")
MISSING = ("missing/1", "missing/2")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDownloads:
    """A list with every kind of reply, and the reports of a run for it.

    Args:
        server: Server of the URLs.
        folder: Folder for the list and the reports.
        names: Names of the files, including those that the server does not have.
    """

    server: ScriptedServer
    folder: Path
    names: Sequence[str]

    def arguments(self, *more: str | Path, source: str | Path = "") -> list[str | Path]:
        """Return the arguments of a run that writes all reports."""
        reports = ("--report", self.folder / "report", "--failed-out", self.folder / "failed")
        target = ("-d", self.folder / "downloads")
        return [source or self.write_list(), *target, *reports, *BUSY, *more]

    def write_list(self) -> Path:
        """Write the list; return its path."""
        path = self.folder / "list"
        path.write_text("".join(f"{url}\n" for url in self.urls()))
        return path

    def urls(self) -> list[str]:
        """Return all URLs in order."""
        return [self.server.url(f"/{name}") for name in self.names]

    def report(self) -> list[dict[str, Any]]:
        """Return the records of the report, after the end of the run."""
        return read_report((self.folder / "report").read_text())

    def report_has_lines(self, count: int) -> bool:
        """Tell whether a running command has written so many lines of its report.

        The last line may still be incomplete: the kernel writes a block page by page.
        """
        path = self.folder / "report"
        return path.exists() and path.read_bytes().count(b"\n") >= count

    def failed(self) -> list[str]:
        """Return the URLs of the failed list."""
        lines = (self.folder / "failed").read_text().splitlines()
        return [line for line in lines if line.startswith("http")]

    def assert_consistent(self, result: CliResult) -> None:
        """Check that report, failed list, summary and disk agree on every URL."""
        assert result.totals is not None, result
        assert not result.has_traceback, result
        records, totals = self.report(), result.totals
        by_status = {
            status: [each for each in records if each["status"] == status]
            for status in ("success", "failed", "unfinished")
        }
        counts = [len(each) for each in by_status.values()]
        assert counts == [totals.downloaded, totals.failed, totals.unfinished], result
        assert [each["url"] for each in records] == self.urls()[: totals.total]
        done = {each["url"] for each in by_status["success"]}
        assert self.failed() == [url for url in self.urls() if url not in done]
        for each in by_status["success"]:
            path = Path(each["path"])
            assert path.read_bytes() == content_of(path.name)
            assert each["size"] == path.stat().st_size
        self._assert_attempts(records)

    def _assert_attempts(self, records: Sequence[dict[str, Any]]) -> None:
        for each in records:
            path = each["url"].removeprefix(self.server.url(""))
            asked, attempts = self.server.count(path), each["attempts"]
            # An attempt that was aborted may have ended before its request.
            is_cut = each["error_kind"] == "interrupted"
            assert asked <= len(attempts) <= asked + is_cut, each
            waits = [attempt["wait"] is not None for attempt in attempts]
            is_waiting = each["status"] == "unfinished"
            assert waits == [True] * (len(attempts) - 1) + [is_waiting] * bool(attempts)


@pytest.fixture
def site(server: ScriptedServer, tmp_path: Path) -> ReportedDownloads:
    """Return a site of forty quick, slow, flaky and stalled files, and two missing ones."""
    names = [*play_busy_list(server)]
    names[5:5], names[30:30] = MISSING[:1], MISSING[1:]
    return ReportedDownloads(server=server, folder=tmp_path, names=names)


def test_complete(site: ReportedDownloads) -> None:
    """After a complete run, all outputs are right, and the failed list can be retried."""
    result = run_cli(*site.arguments("--print", "paths", "-0"))
    assert result.status == 1, result
    site.assert_consistent(result)
    printed = sorted(result.stdout.split("\0"))
    paths = [each["path"] for each in site.report() if each["path"]]
    assert printed == sorted(["", *paths])
    assert (site.folder / "failed").read_text().splitlines() == [
        "# failed: HTTP 404 Not Found",
        site.server.url("/missing/1"),
        "# failed: HTTP 404 Not Found",
        site.server.url("/missing/2"),
    ]
    read_by_jq(site.folder / "report", len(site.names))
    for name in MISSING:
        site.server.play(f"/{name}", Reply(body=b"here"))
    failed = site.folder / "failed"
    assert run_cli(failed, "-d", site.folder / "downloads", "--failed-out", failed).status == 0
    assert failed.read_bytes() == b""


def read_by_jq(report: Path, lines: int) -> None:
    """Check that jq reads the report, if it is installed."""
    if shutil.which("jq"):
        command = ["jq", "-r", '.status + " " + .queued_at', str(report)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert len(output.splitlines()) == lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("is_piped", [False, True])
def test_interrupted(
    site: ReportedDownloads, number: signal.Signals, *, is_piped: bool
) -> None:
    """After an interrupt no URL is lost, not even those that were not read from the list."""
    with RunningCli(*site.arguments(source="-" if is_piped else "")) as run:
        if is_piped:
            run.send("".join(f"{url}\n" for url in site.urls()).encode())
        wait_until(lambda: site.report_has_lines(4), what="a few lines")
        began = time.monotonic()
        run.signal(number)
        result = run.wait_with_open_stdin()
    assert time.monotonic() - began < EXIT_LATENCY, result
    assert result.status == 128 + number
    assert site.failed()[-1] == site.urls()[-1]
    site.assert_consistent(result)


@pytest.mark.parametrize("limit", ["--deadline=0.7", "--max-failures=1"])
def test_a_limit_of_the_run(site: ReportedDownloads, limit: str) -> None:
    """After a limit of the run no URL is lost, either."""
    result = run_cli(*site.arguments(limit))
    assert result.status == 5, result
    site.assert_consistent(result)


def test_signal_in_the_orderly_end(server: ScriptedServer, tmp_path: Path) -> None:
    """A signal during the orderly end of a run does not spoil its outputs."""
    names = [name for name in play_busy_list(server) if name.startswith("quick")]
    for turn in range(6):
        folder = tmp_path / str(turn)
        folder.mkdir()
        site = ReportedDownloads(server=server, folder=folder, names=[*names, "missing/1"])
        with RunningCli(*site.arguments()) as run:
            wait_until(lambda: site.report_has_lines(len(site.names)), what="the last line")  # noqa: B023
            threading.Event().wait(0.004 * turn)
            run.signal(signal.SIGTERM)
            result = run.wait()
        # At the very end, the default handlers are in place again.
        assert result.status in (1, 143, -signal.SIGTERM), result
        assert [each["url"] for each in site.report()] == site.urls()
        assert site.failed() == site.urls()[-1:]


@pytest.mark.leaves_parts
def test_killed(site: ReportedDownloads) -> None:
    """SIGKILL leaves whole lines of jobs that have ended, and the old failed list."""
    (site.folder / "failed").write_text("old")
    for count in (1, 5, 12):
        with RunningCli(*site.arguments()) as run:
            wait_until(lambda: site.report_has_lines(count), what="lines")  # noqa: B023
            run.signal(signal.SIGKILL)
            assert run.wait().status == -signal.SIGKILL
        ended = site.report()
        assert {each["status"] for each in ended} <= {"success", "failed"}
        for each in ended:
            assert each["path"] is None or Path(each["path"]).stat().st_size == each["size"]
        assert (site.folder / "failed").read_text() == "old"


# Disks.


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Return a file system of 1 MiB."""
    with small_disk(tmp_path / "disk", "size=1m") as mounted:
        yield mounted


def test_full_disk(server: ScriptedServer, disk: SmallDisk) -> None:
    """When the disk of files and reports becomes full, the reports are complete all the same.

    `--min-free` leaves room for a report of 60 jobs.
    """
    names = [f"quick-{number}" for number in range(60)]
    for name in names:
        server.play(f"/{name}", Reply(body=content_of(name)))
    site = ReportedDownloads(server=server, folder=disk.path, names=names)
    result = run_cli(*site.arguments("--min-free=128k"))
    assert result.status == 3, result
    assert "disk-full" in result.causes
    site.assert_consistent(result)


@pytest.mark.leaves_parts
def test_failed_urls_of_a_killed_run(site: ReportedDownloads) -> None:
    """SIGKILL leaves the URLs that have failed in a hidden file, until the next run."""
    spool = site.folder / ".failed.url-downloader-1.tmp"
    with RunningCli(*site.arguments()) as run:
        wait_until(lambda: spool.exists() and spool.stat().st_size > 0, what="a failure")
        run.signal(signal.SIGKILL)
        assert run.wait().status == -signal.SIGKILL
    assert site.server.url("/missing/1") in spool.read_text().splitlines()
    assert spool.stat().st_mode & 0o777 == 0o600
    result = run_cli(*site.arguments())
    assert result.status == 1, result
    assert not spool.exists()
    assert site.failed() == [site.server.url(f"/{name}") for name in MISSING]


def test_reports_on_a_full_disk(site: ReportedDownloads, disk: SmallDisk) -> None:
    """Each report on a full disk is one error and sets the status; the run goes on."""
    report, failed = disk.path / "report", disk.path / "failed"
    failed.write_text("old")
    (disk.path / "ballast").write_bytes(bytes(disk.free()))
    urls = "".join(f"{url}\n" for url in site.urls() if "quick" in url).encode()
    arguments = ("-", "-d", site.folder / "d", "--report", report, "--failed-out", failed)
    site.server.play("/a", Reply(status=500))
    more = f"{site.server.url('/a')}\n".encode()
    result = run_cli(*arguments, "-q", "--max-retries=0", stdin=urls + more)
    assert result.status == 3, result
    assert result.stderr.count("No space left") == 2
    assert "lines could not be written" in result.stderr
    assert result.totals is not None
    assert (result.totals.downloaded, result.totals.failed) == (20, 1)
    assert report.read_bytes() == b""
    assert failed.read_text() == "old"


@pytest.mark.parametrize("option", ["--report", "--failed-out"])
@pytest.mark.parametrize("path", ["missing/file", "."])
def test_an_unwritable_path(site: ReportedDownloads, option: str, path: str) -> None:
    """A path that can't be written is an error before any request."""
    output = site.folder / path
    result = run_cli(site.write_list(), "-d", site.folder / "d", option, output)
    assert result.status == 3, result
    assert f"{output}: " in result.stderr
    assert site.server.count() == 0


def test_an_unwritten_failed_list(site: ReportedDownloads) -> None:
    """The summary does not name a failed list that could not be written."""
    source = site.folder / "one"
    source.write_text(site.server.url("/missing"))
    result = run_cli(source, "-d", site.folder / "d", "--failed-out", "/dev/full")
    assert result.status == 3, result
    assert "/dev/full: the failed URLs can't be written" in result.stderr
    assert "failed list" not in result.stderr


def test_the_list_is_not_overwritten(site: ReportedDownloads) -> None:
    """A report that would overwrite the list, even through a link, is an error."""
    path = site.write_list()
    before = path.read_bytes()
    link = path.with_name("link")
    link.hardlink_to(path)
    result = run_cli(path, "-d", site.folder / "d", "--report", link)
    assert result.status == 3, result
    assert path.read_bytes() == before


# Standard output.


def test_report_on_stdout(site: ReportedDownloads) -> None:
    """`--report -` writes to standard output, which gets nothing else."""
    result = run_cli(site.write_list(), "-d", site.folder / "d", "--report", "-", *BUSY, "-v")
    assert result.status == 1, result
    assert [each["url"] for each in read_report(result.stdout)] == site.urls()


@pytest.mark.parametrize("option", ["--report=-", "--print=paths"])
def test_a_closed_pipe(site: ReportedDownloads, option: str) -> None:
    """A pipe that its reader has closed does not end the run, and is no failure."""
    program = ("bash", "-c", '"$@" | head -n 1; exit "${PIPESTATUS[0]}"', "bash", *MAIN)
    urls = [url for url in site.urls() if "quick" in url]
    stdin = "".join(f"{url}\n" for url in urls).encode()
    arguments = ("-", "-d", site.folder / "d", option, "-q")
    result = run_cli(*arguments, program=program, stdin=stdin)
    assert result.status == 0, result
    assert result.stdout.count("\n") == 1
    assert len(visible(site.folder / "d")) == len(urls)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_slow_reader(site: ReportedDownloads, number: signal.Signals) -> None:
    """A reader that does not read delays only the end of the run, until a signal comes."""
    fifo = site.folder / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    names = [f"small/{number}" for number in range(300)]
    for name in names:
        site.server.play(f"/{name}", Reply(body=b"x"))
    stdin = "".join(f"{site.server.url(f'/{name}')}\n" for name in names).encode()
    with RunningCli("-", "-d", site.folder / "d", "--report", fifo) as run:
        run.send(stdin)
        run.close_stdin()
        # When all jobs have ended, the run only waits for the reader.
        wait_until(
            lambda: recorded_jobs(site.folder / "d") == len(names),
            what="the end of the downloads",
        )
        assert run.is_running
        run.signal(number)
        result = run.wait(EXIT_LATENCY)
    os.close(reader)
    assert result.status == 128 + number, result
    assert "lines could not be written" in result.stderr
    assert result.totals is not None
    assert result.totals.downloaded == len(names)


@pytest.mark.parametrize(
    "options", [("--report=-", "--print=paths"), ("-0",), ("--print=names",), ("--report",)]
)
def test_wrong_usage(options: Sequence[str]) -> None:
    """Contradicting or incomplete options are a usage error."""
    result = run_cli("-", *options)
    assert result.status == 2, result
    assert options[0].partition("=")[0] in result.stderr


def test_a_name_like_an_option(server: ScriptedServer, tmp_path: Path) -> None:
    """A printed name that begins with `-` gets a `./`, so that it is no option of a program."""
    server.play("/-rf", Reply(body=b"x"))
    cwd = ("sh", "-c", f'cd "{tmp_path}"; exec "$@"', "sh", MAIN[0], str(Path.cwd() / MAIN[1]))
    stdin = f"{server.url('/-rf')}\n".encode()
    result = run_cli("-", "-d", ".", "--print", "paths", program=cwd, stdin=stdin)
    assert result.stdout == "./-rf\n"


# aria2c.


@pytest.mark.skipif(shutil.which("aria2c") is None, reason="aria2c is not installed")
def test_aria2c_reads_the_failed_list(server: ScriptedServer, tmp_path: Path) -> None:
    """aria2c downloads the failed list with the same names, headers and limits."""
    source = tmp_path / "list"
    body = b"content"
    digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    source.write_text(
        f"{server.url('/ok/x.txt')}\n{server.url('/one/x.txt?a=b&c')}\n"
        f"{server.url('/two').replace('//', '//user:pass%20word@')}\n"
        f"  out=sub/two =#.txt\n  header=X-One: 1\n  header=X-Two: =, 2\n"
        f"  checksum=sha-256={digest}\n  timeout=0\n  connect-timeout=1.5\n  max-time=1h\n"
        f"  speed-limit=1k\n  speed-time=9\n  max-retries=0\n"
        f"{server.url('/three')}\n  timeout=2m\n  connect-timeout=20\n"
        f"{server.url('/stuck')}\n  timeout=0.2\n"
    )
    server.play("/ok/x.txt", Reply(body=body))
    server.play("/stuck", Reply(body=body, delivery=Stall(2)))
    for path in ("/one/x.txt", "/two", "/three"):
        server.play(path, Reply(status=503))
    failed = tmp_path / "failed"
    result = run_cli(
        source, "-d", tmp_path / "d", "--max-retries=0", "-T5", "--failed-out", failed
    )
    assert result.status == 1, result
    assert not (server.requests("/one/x.txt")[0].header("X-One"))
    for path in ("/one/x.txt", "/two", "/three", "/stuck"):
        server.play(path, Reply(body=body))
    command = ["aria2c", "--no-conf", "-q", f"-i{failed}", f"-d{tmp_path / 'a'}", "-s1"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    ours = run_cli(failed, "-d", tmp_path / "o", "--max-retries=0", "-T5")
    assert ours.status == 0, ours
    for folder in (tmp_path / "a", tmp_path / "o"):
        found = {
            str(path.relative_to(folder)): path.read_bytes()
            for each in visible(folder)
            for path in [each, *each.rglob("*")]
            if path.is_file()
        }
        assert len(found) == 4
        assert found["sub/two =#.txt"] == found["three"] == found["stuck"] == body
        assert "x.txt" not in found
    last = server.requests("/two")[-1]
    assert (last.header("X-One"), last.header("X-Two")) == ("1", "=, 2")
    assert last.header("Authorization") == "Basic dXNlcjpwYXNzIHdvcmQ="
