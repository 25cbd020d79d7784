"""--dry-run: it prints the jobs, sends no request and creates no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import ROOT, RunningCli, clean_environment, run_cli
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.waiting import wait_until

LIST = """\
http://user:secret@h/a.txt
http://h/sub/a.txt
http://h/b%20c
    out=sub/\u00fc \u202e.pdf
ftp://user:secret@h/x
http://h/sub/a.txt
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist."""
    return tmp_path / "out"


def test_names_are_those_of_the_run(server: ScriptedServer, tmp_path: Path) -> None:
    """The printed paths are those of the files that a run then creates."""
    server.play("/x/a", Reply(body=b"1"))
    server.play("/y/a", Reply(body=b"2"))
    server.play("/z", Reply(body=b"3"))
    urls = tmp_path / "list.txt"
    lines = [server.url("/x/a"), server.url("/y/a"), server.url("/z"), " out=s/\u00fc"]
    urls.write_text("\n".join(lines))
    planned = run_cli("--dry-run", urls, "-d", tmp_path / "out")
    assert planned.status == 0, planned
    assert server.count() == 0
    assert not (tmp_path / "out").exists()
    rows = [line.split("\t") for line in planned.stdout.splitlines()]
    assert [url for url, _ in rows] == [server.url(path) for path in ("/x/a", "/y/a", "/z")]
    assert run_cli(urls, "-d", tmp_path / "out").status == 0
    assert [Path(path).read_text() for _, path in rows] == ["1", "2", "3"]


@pytest.mark.parametrize("from_stdin", [False, True], ids=["file", "stdin"])
def test_messages(tmp_path: Path, target: Path, *, from_stdin: bool) -> None:
    """Stderr has bad lines, repetitions and totals; no output has a secret."""
    urls = tmp_path / "list.txt"
    urls.write_text(LIST)
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{'0' * 64}  a.txt\n")
    source, stdin = ("-", LIST.encode()) if from_stdin else (urls, b"")
    result = run_cli("--dry-run", source, "-d", target, "--checksums", sums, stdin=stdin)
    name = "standard input" if from_stdin else urls
    assert result.status == 1, result
    assert result.stdout.splitlines()[0] == f"http://h/a.txt\t{target}/a.txt"
    assert result.stdout.splitlines()[2] == f"http://h/b%20c\t{target}/sub/\u00fc \u202e.pdf"
    for words in (
        f"{name}:5: not a valid http(s) URL",
        f"{name}:6: repeated, first seen in line 2",
        "3 to download, 1 of them with a checksum",
        "1 bad line in",
    ):
        assert words in result.stderr, result
    assert "secret" not in result.stdout + result.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    ("text", "status"),
    [("http://h/a", 0), ("", 0), ("http://h/a\nnonsense", 1), ("nonsense", 4)],
)
def test_status(target: Path, text: str, status: int) -> None:
    """The status says whether the list is valid; with -q stderr has the reasons only."""
    result = run_cli("--dry-run", "-q", "-", "-d", target, stdin=text.encode())
    assert result.status == status, result
    assert ("not a valid http(s) URL" in result.stderr) == (status != 0)
    assert status or not result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("folder", "Is a directory"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\n" + bytes(9) + b"\nhttp://h/a", "not text"),
        ("http://h/a\n".encode("utf-16"), "UTF-16"),
    ],
    ids=["missing", "folder", "binary", "UTF-16"],
)
def test_no_list(tmp_path: Path, content: bytes | str | None, said: str) -> None:
    """A file that is no list is an error of few lines, which has its name and the problem."""
    source = tmp_path / "list"
    if content == "folder":
        source.mkdir()
    elif isinstance(content, bytes):
        source.write_bytes(content)
    result = run_cli("--dry-run", source)
    assert result.status == (4 if isinstance(content, bytes) else 3), result
    assert said in result.stderr
    assert str(source) in result.stderr
    assert len(result.stderr.splitlines()) <= 5, result
    assert (result.stdout, result.has_traceback) == ("", False), result


def test_interrupt(target: Path) -> None:
    """Jobs are printed while the list is still written; Ctrl-C ends the run with 130."""
    with RunningCli("--dry-run", "-", "-d", target) as run:
        run.send(b"http://h/a\nnonsense\n")
        wait_until(lambda: "not a valid" in run.stderr_so_far(), what="the bad line")
        run.signal(signal.SIGINT)
        result = run.wait_with_open_stdin()
    assert result.status == 130, result
    assert result.stdout == f"http://h/a\t{target}/a\n"
    assert not result.has_traceback, result


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_is_lost(target: Path) -> None:
    """A full disk behind stdout is an error; a pipe that its reader has closed is none."""
    command = [sys.executable, "main.py", "--dry-run", "-q", "-", "-d", str(target)]
    urls = b"".join(b"http://h/%d\n" % n for n in range(20_000))

    def status_with(stdout: int) -> int:
        environment = clean_environment()
        return subprocess.run(
            command, input=urls, stdout=stdout, cwd=ROOT, env=environment, check=False
        ).returncode

    with Path("/dev/full").open("wb") as full:
        assert status_with(full.fileno()) == 3
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert status_with(writing) == 0
    finally:
        os.close(writing)
