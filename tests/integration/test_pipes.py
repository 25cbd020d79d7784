"""The program in a pipeline: the source of its list, its end and its exit status."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests.support.cli import CliResult, RunningCli, run_cli
from tests.support.scripted_server import Cut, Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until

EXIT_LATENCY = 5.0
OFTEN = "--monitor-interval=0.05"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist yet."""
    return tmp_path / "downloads"


def names(target: Path) -> set[str]:
    """Return the names of finished files."""
    return {path.name for path in target.iterdir() if not path.name.startswith(".")}


def numbers(result: CliResult) -> tuple[int, int, int]:
    """Return the numbers of downloaded, failed and unfinished jobs of the summary."""
    totals = result.totals
    assert totals is not None, result
    return totals.downloaded, totals.failed, totals.unfinished


def wait_for_status(run: RunningCli, wanted: str) -> None:
    """Wait until a status line has this text."""
    wait_until(lambda: wanted in run.stderr_so_far(), what=f"a status line with {wanted!r}")


def serve_words(server: ScriptedServer, *words: str) -> bytes:
    """Serve each word under its own name; return the list of their URLs."""
    for word in words:
        server.play(f"/{word}", Reply(body=word.encode()))
    return "".join(f"{server.url(f'/{word}')}\n" for word in words).encode()


def test_list_that_is_still_written(server: ScriptedServer, target: Path) -> None:
    """The first file is downloaded before the second line is written."""
    first, second = serve_words(server, "one", "two").splitlines(keepends=True)
    with RunningCli("-", "-d", target) as run:
        run.send(first)
        wait_until((target / "one").exists, what="the first file")
        assert run.is_running
        run.send(second)
        result = run.wait()
    assert result.status == 0, result
    assert {(target / name).read_text() for name in names(target)} == {"one", "two"}


def test_line_in_pieces(server: ScriptedServer, target: Path) -> None:
    """A line that comes in pieces, without a line end, is one line."""
    line = serve_words(server, "abc").strip()
    with RunningCli("-", "-d", target, OFTEN) as run:
        run.send(line[:-2])
        wait_for_status(run, "done 0, ")
        run.send(line[-2:])
        result = run.wait()
    assert result.status == 0, result
    assert names(target) == {"abc"}


@pytest.mark.parametrize("from_stdin", [False, True], ids=["file", "stdin"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_list_format(
    server: ScriptedServer, tmp_path: Path, *, from_stdin: bool, end: str, mark: bytes
) -> None:
    """Byte order mark, line ends, blank lines, comments and trailing blanks are ignored."""
    serve_words(server, "one", "two")
    lines = [server.url("/one"), "", "# comment", f"{server.url('/two')}  "]
    content = mark + end.join(lines).encode()
    urls = tmp_path / "list.txt"
    urls.write_bytes(content)
    source, stdin = ("-", content) if from_stdin else (urls, b"")
    result = run_cli(source, "-d", tmp_path / "out", stdin=stdin)
    assert result.status == 0, result
    assert result.stdout == ""
    assert numbers(result) == (2, 0, 0)
    assert names(tmp_path / "out") == {"one", "two"}


def test_bad_lines(server: ScriptedServer, tmp_path: Path) -> None:
    """A message names file and line of each bad line; the rest is downloaded; status 1."""
    good = serve_words(server, "one", "two")
    urls = tmp_path / "list.txt"
    urls.write_bytes(b"ftp://example.org/x\n" + good + b"not a \x1b[31murl\n")
    result = run_cli(urls, "-d", tmp_path / "out")
    assert result.status == 1, result
    assert numbers(result) == (2, 0, 0)
    for line in (1, 4):
        assert f"{urls}:{line}: " in result.stderr
    for line in (2, 3):
        assert f"{urls}:{line}: " not in result.stderr
    assert "\x1b" not in result.stderr
    assert names(tmp_path / "out") == {"one", "two"}


def test_only_bad_lines(tmp_path: Path, target: Path) -> None:
    """With bad lines only, nothing succeeds: status 4."""
    result = run_cli("-", "-d", target, stdin=b"nonsense\nfile:///etc/passwd\n")
    assert result.status == 4, result
    assert not result.has_traceback, result


def test_some_fail(server: ScriptedServer, target: Path) -> None:
    """A run with some failures ends with status 1, and its summary has the reasons."""
    urls = serve_words(server, "one") + server.url("/missing").encode()
    result = run_cli("-", "-d", target, stdin=urls)
    assert result.status == 1, result
    assert numbers(result) == (1, 1, 0)
    assert result.causes == {"http-404": 1}
    assert f"failed: {server.url('/missing')}: " in result.stderr
    assert server.count("/missing") == 1


def test_all_fail(server: ScriptedServer, target: Path) -> None:
    """A run with failures only ends with status 4 and leaves no file."""
    server.play("/cut", Reply(body=b"0123456789", delivery=Cut(5)))
    server.play("/503", Reply(status=503))
    urls = "".join(f"{server.url(path)}\n" for path in ("/cut", "/503", "/404")).encode()
    options = ("--max-retries", "2", "--retry-delay", "0.01")
    result = run_cli("-", "-d", target, *options, stdin=urls)
    assert result.status == 4, result
    assert numbers(result) == (0, 3, 0)
    assert result.causes == {"http-404": 1, "http-503": 1, "truncated": 1}
    assert [server.count(path) for path in ("/cut", "/503", "/404")] == [3, 3, 1]
    assert names(target) == set()


@pytest.mark.parametrize("stdin", [b"", b"\n# nothing\n\n", b"\xef\xbb\xbf"])
def test_empty_list(target: Path, stdin: bytes) -> None:
    """An empty list is no failure, but the summary mentions it."""
    result = run_cli("-", "-d", target, stdin=stdin)
    assert result.status == 0, result
    assert "no URLs" in result.stderr


def test_missing_list(tmp_path: Path) -> None:
    """A missing list is local trouble, and the message has its name."""
    missing = tmp_path / "missing.txt"
    result = run_cli(missing, "-d", tmp_path / "out")
    assert result.status == 3, result
    assert str(missing) in result.stderr
    assert not result.has_traceback, result


def test_list_is_a_folder(tmp_path: Path) -> None:
    """A list that can't be read is local trouble."""
    result = run_cli(tmp_path, "-d", tmp_path / "out")
    assert result.status == 3, result
    assert not result.has_traceback, result


def test_output_directory_is_a_file(server: ScriptedServer, tmp_path: Path) -> None:
    """An output directory that is a file is local trouble, and no request is sent."""
    (tmp_path / "out").write_text("not a directory")
    result = run_cli("-", "-d", tmp_path / "out", stdin=serve_words(server, "one"))
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert server.count() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-w", "0"), r"--max-workers.* 1 .*1024"),
        (("--max_workers", "1025"), r"--max-workers.* 1 .*1024"),
        (("--max-workers", "many"), r"--max-workers.* 1 .*1024"),
        (("--queue-size", "0"), r"--queue-size.* 1 .*\d"),
        (("-T", "-1"), r"--timeout.* 0 .*86400"),
        (("-T", "90000"), r"--timeout.* 0 .*86400"),
        (("--timeout", "nan"), r"--timeout.* 0 .*86400"),
        (("--max-retries", "-1"), r"--max-retries.* 0 .*1000"),
        (("--max_retries", "x"), r"--max-retries.* 0 .*1000"),
        (("--retry-delay", "x"), r"--retry-delay.* 0 .*86400"),
        (("--retry-delay", "2d"), r"--retry-delay.* 0 .*86400"),
        (("--retry-max-delay", "-1"), r"--retry-max-delay.* 0 .*86400"),
        (("--retry-max-delay", "2d"), r"--retry-max-delay.* 0 .*86400"),
        (("--max-retry-after", "inf"), r"--max-retry-after.* 0 .*\d"),
        (("--max-retry-after", "365d"), r"--max-retry-after.* 0 .*\d"),
        (("--retry-on", "404,500"), r"--retry-on.* 400 .*499"),
        (("--retry-on", "often"), r"--retry-on.* 400 .*499"),
        (("--monitor-interval", "0"), r"--monitor-interval.* 0\.01 .*86400"),
        (("--no-such-option",), r"--no-such-option"),
        (("--max-w", "3"), r"--max-w"),
        (("-v", "-q"), r"-q"),
        (("another-list",), r"only one LIST is allowed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage(target: Path, arguments: tuple[str, ...], said: str) -> None:
    """A wrong value is a usage error, which has the flag and, for numbers, the range."""
    result = run_cli("-", "-d", target, *arguments)
    assert result.status == 2, result
    assert result.stdout == ""
    assert re.search(said, result.stderr.splitlines()[-1]), result
    assert not target.exists()


def test_no_list() -> None:
    """A missing LIST is a usage error, not an empty run."""
    result = run_cli()
    assert result.status == 2, result
    assert "LIST" in result.stderr


def test_quiet(server: ScriptedServer, target: Path) -> None:
    """A quiet run without failures prints nothing."""
    result = run_cli("-", "-d", target, "-q", stdin=serve_words(server, "one"))
    assert (result.status, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("workers", [1, 4, 64])
def test_exit_follows_the_last_job(server: ScriptedServer, target: Path, workers: int) -> None:
    """The program ends soon after the last job, with any number of threads."""
    urls = serve_words(server, *map(str, range(200)))
    result = run_cli("-", "-d", target, f"-w{workers}", "--monitor-interval=60", stdin=urls)
    assert time.monotonic() - server.requests()[-1].time < EXIT_LATENCY
    assert result.status == 0, result
    assert numbers(result) == (200, 0, 0)


SIGNALS = pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["SIGINT", "SIGTERM"],
)


@pytest.fixture
def stalled(server: ScriptedServer) -> bytes:
    """Return a list of one file that is sent, and many that never are."""
    urls = serve_words(server, "one")
    server.play("/stalled", Reply(body=bytes(100), delivery=Stall(10)))
    return urls + b"".join(server.url(f"/stalled?{n}\n").encode() for n in range(50))


def assert_stopped(result: CliResult, status: int, target: Path, finished: set[str]) -> None:
    """Check that the run ended in order: status, summary, no traceback, no partial file."""
    assert result.status == status, result
    assert not result.has_traceback, result
    assert numbers(result)[0] == len(finished)
    assert names(target) == finished


@SIGNALS
@pytest.mark.parametrize("workers", [1, 8, 64])
def test_signal_in_mid_run(
    server: ScriptedServer,
    stalled: bytes,
    tmp_path: Path,
    *,
    workers: int,
    number: signal.Signals,
    status: int,
) -> None:
    """A signal soon ends a run whose servers are silent, in order and with the summary."""
    urls, target = tmp_path / "list.txt", tmp_path / "out"
    urls.write_bytes(stalled)
    with RunningCli(urls, "-d", target, f"-w{workers}", OFTEN) as run:
        server.wait_for_requests(min(workers, 50), "/stalled")
        wait_for_status(run, "done 1, ")
        run.signal(number)
        result = run.wait(EXIT_LATENCY)
    assert_stopped(result, status, target, {"one"})
    assert sum(numbers(result)[1:]) > 0


@SIGNALS
def test_signal_while_retries_wait(
    server: ScriptedServer, target: Path, *, number: signal.Signals, status: int
) -> None:
    """A signal ends a run with retries that are due in an hour."""
    server.play("/busy", Reply(status=503, headers={"Retry-After": "3600"}))
    with RunningCli("-", "-d", target, "--max-retry-after", "2h", OFTEN) as run:
        run.send(serve_words(server, "one") + server.url("/busy").encode())
        run.close_stdin()
        wait_for_status(run, "done 1, failed 0, retrying 1, ")
        run.signal(number)
        result = run.wait(EXIT_LATENCY)
    assert_stopped(result, status, target, {"one"})
    assert numbers(result) == (1, 0, 1)


@SIGNALS
@pytest.mark.parametrize("count", [0, 1])
def test_signal_while_stdin_is_silent(
    server: ScriptedServer, target: Path, *, count: int, number: signal.Signals, status: int
) -> None:
    """A signal ends a run that waits for more of its list."""
    with RunningCli("-", "-d", target, OFTEN) as run:
        run.send(serve_words(server, "one") if count else b"")
        wait_for_status(run, f"done {count}, ")
        run.signal(number)
        result = run.wait_with_open_stdin(EXIT_LATENCY)
    assert_stopped(result, status, target, {"one"} if count else set())


@pytest.mark.leaves_parts
def test_second_signal_is_immediate(server: ScriptedServer, target: Path) -> None:
    """Two signals at once end the run, in order or at once."""
    server.play("/stalled", Reply(body=bytes(100), delivery=Stall(10)))
    with RunningCli("-", "-d", target) as run:
        run.send(server.url("/stalled\n").encode())
        server.wait_for_requests(1)
        run.signal(signal.SIGINT)
        run.signal(signal.SIGINT)
        result = run.wait_with_open_stdin(EXIT_LATENCY)
    assert result.status in (130, -signal.SIGINT), result
    assert not result.has_traceback, result
    assert names(target) == set()
