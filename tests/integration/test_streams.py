"""Standard streams and working directories that are closed, full, read-only or gone."""

from __future__ import annotations

import itertools
import random
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cli import MAIN, ROOT, CliResult, RunningCli, run_cli
from tests.support.output_folder import visible
from tests.support.scripted_server import Hold, Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until

SIZES = (0, 1, 100, 5000, 70_000, 1_200_000)
FULL = "/dev/full"
CHATTY = ("-v", "--monitor-interval=0.01")
"""Options for much output, which would be seen if it went to a wrong file."""
ABSOLUTE = (sys.executable, str(ROOT / "main.py"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist yet."""
    return tmp_path / "downloads"


@pytest.fixture
def right(server: ScriptedServer) -> dict[str, bytes]:
    """Return the content of each file of the server by its name."""
    luck = random.Random(0)
    files = {f"{size}.bin": luck.randbytes(size) for size in SIZES}
    for name, body in files.items():
        server.play(f"/{name}", Reply(body=body))
    return files


@pytest.fixture
def urls(server: ScriptedServer, right: dict[str, bytes], tmp_path: Path) -> Path:
    """Return the path of a list of all files."""
    path = tmp_path / "urls.txt"
    path.write_text("".join(f"{server.url(f'/{name}')}\n" for name in right))
    return path


def shell(redirections: str, program: Sequence[str] = MAIN) -> tuple[str, ...]:
    """Return the program as a shell starts it with these redirections."""
    return ("sh", "-c", f'exec "$@" {redirections}', "sh", *program)


def finished(target: Path) -> dict[str, bytes]:
    """Return the content of each file in the directory, by its name."""
    return {path.name: path.read_bytes() for path in visible(target)}


def assert_complete(result: CliResult, target: Path, right: dict[str, bytes]) -> None:
    """Check that the run succeeded, and that each file has the right content."""
    assert result.status == 0, result
    assert not result.has_traceback, result
    assert finished(target) == right


# Closed streams.

CLOSED = {
    "".join(names): " ".join(f"{name}&-" for name in names)
    for count in (1, 2, 3)
    for names in itertools.combinations(("0<", "1>", "2>"), count)
}
every_closed = pytest.mark.parametrize("redirections", CLOSED.values(), ids=CLOSED)


@every_closed
def test_closed(urls: Path, right: dict[str, bytes], target: Path, redirections: str) -> None:
    """If streams are closed, no output goes into a downloaded file."""
    result = run_cli(urls, "-d", target, *CHATTY, program=shell(redirections))
    assert_complete(result, target, right)
    assert result.stdout == ""
    assert ("2>&-" in redirections) == (result.stderr == ""), result


@pytest.mark.parametrize("redirections", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_closed_with_list_on_stdin(
    urls: Path, right: dict[str, bytes], target: Path, redirections: str
) -> None:
    """A list on standard input is read to its end if other streams are closed."""
    program, stdin = shell(redirections), urls.read_bytes()
    result = run_cli("-", "-d", target, *CHATTY, program=program, stdin=stdin)
    assert_complete(result, target, right)


@every_closed
def test_closed_and_something_fails(
    server: ScriptedServer, urls: Path, target: Path, right: dict[str, bytes], redirections: str
) -> None:
    """The exit status reports failures even if no stream can."""
    with urls.open("a") as lines:
        lines.write(f"{server.url('/missing')}\nnonsense\n")
    result = run_cli(urls, "-d", target, program=shell(redirections))
    assert result.status == 1, result
    assert finished(target) == right


@pytest.mark.parametrize("option", ["-c", "--no-continue"])
def test_closed_for_a_second_run(server: ScriptedServer, target: Path, option: str) -> None:
    """A run can resume the part that a run with closed streams has left."""
    body = random.Random(1).randbytes(3 << 20)
    server.play("/file", Reply(body=body, headers={"ETag": '"1"'}, delivery=Stall(2 << 20)))
    arguments = ("-", "-d", target, *CHATTY, "-T0.3", "--max-retries=0")
    url, program = server.url("/file\n").encode(), shell("1>&- 2>&-")
    assert run_cli(*arguments, program=program, stdin=url).status == 4
    server.play("/file", Reply(body=body, headers={"ETag": '"1"'}))
    result = run_cli(*arguments, option, program=program, stdin=url)
    assert_complete(result, target, {"file": body})


@pytest.mark.parametrize("redirections", ["0<&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"])
def test_list_from_closed_stdin(target: Path, redirections: str) -> None:
    """A list on closed standard input is local trouble, and the message says so."""
    result = run_cli("-", "-d", target, program=shell(redirections))
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert ("standard input" in result.stderr) == ("2>&-" not in redirections), result
    assert not target.exists()


def test_list_from_empty_stdin(target: Path) -> None:
    """Empty standard input is an empty list."""
    result = run_cli("-", "-d", target, program=shell("0</dev/null"))
    assert result.status == 0, result
    assert "no URLs" in result.stderr


# Full streams, and pipes without a reader.

WITHOUT_READER = """
import os, sys
reader, writer = os.pipe()
os.close(reader)
for descriptor in map(int, sys.argv[1].split(",")):
    os.dup2(writer, descriptor)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize(
    "redirections",
    [f"2>{FULL}", f"1>{FULL}", f"1>{FULL} 2>&1", f"0<&- 1>{FULL} 2>&1", f"1>&- 2>{FULL}"],
)
def test_full(urls: Path, right: dict[str, bytes], target: Path, redirections: str) -> None:
    """If streams are full, the downloads go on, and the status is that of the downloads."""
    result = run_cli(urls, "-d", target, *CHATTY, program=shell(redirections))
    assert_complete(result, target, right)


@pytest.mark.parametrize("descriptors", ["1", "2", "1,2"])
@pytest.mark.parametrize("option", ["-v", "-q"])
def test_reader_is_gone(
    urls: Path, right: dict[str, bytes], target: Path, descriptors: str, option: str
) -> None:
    """A log whose reader is gone does not end the run."""
    program = (sys.executable, "-c", WITHOUT_READER, descriptors, *MAIN)
    assert_complete(run_cli(urls, "-d", target, option, program=program), target, right)


@pytest.mark.parametrize(
    ("path", "status"), [("/held", 0), ("/missing", 4)], ids=["success", "failure"]
)
def test_head(server: ScriptedServer, tmp_path: Path, path: str, status: int) -> None:
    """`2>&1 | head -1`, which closes the log in mid-run, does not change files and status."""
    script = '{ "$@" 2>&1; echo $? >"$STATUS"; } | head -1'
    kept, target = tmp_path / "status", tmp_path / "out"
    reply = Reply(body=b"x" * 5000, delivery=Hold(release := threading.Event(), 1000))
    server.play("/held", reply)
    program = ("sh", "-c", script, "sh", *MAIN)
    arguments = ("-", "-d", target, *CHATTY)
    with RunningCli(*arguments, program=program, env={"STATUS": str(kept)}) as run:
        run.send(server.url(f"{path}\n").encode())
        server.wait_for_requests(1)
        release.set()
        result = run.wait()
    assert not result.has_traceback, result
    assert len(result.stdout.splitlines()) == 1, result
    assert int(kept.read_text()) == status, result
    assert finished(target) == ({} if status else {"held": b"x" * 5000})


# Help and usage errors.


@pytest.mark.parametrize("redirections", ["1>&-", f"1>{FULL}", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help(option: str, redirections: str) -> None:
    """Help that can't be printed gives no traceback."""
    result = run_cli(option, program=shell(redirections))
    assert result.status == 0, result
    assert result.stderr == ""


@pytest.mark.parametrize("redirections", ["2>&-", f"2>{FULL}", "0<&- 1>&- 2>&-", f"1>{FULL}"])
def test_wrong_usage(redirections: str) -> None:
    """A usage error keeps its status if it can't be printed."""
    result = run_cli("--no-such-option", program=shell(redirections))
    assert result.status == 2, result
    assert not result.has_traceback, result


# No terminal, no variables.


@pytest.mark.parametrize("redirections", ["", "0<&- 1>&- 2>&-", "0</dev/null >/dev/null 2>&1"])
def test_bare_environment(server: ScriptedServer, target: Path, redirections: str) -> None:
    """The program works as a daemon starts it: no variables, no terminal, non-ASCII names."""
    server.play("/%C3%BC", Reply(body=b"ue"))
    urls = target.parent / "urls.txt"
    urls.write_text(server.url("/%C3%BC\n"))
    program = shell(redirections, ("env", "-i", *MAIN))
    assert_complete(run_cli(urls, "-d", target, program=program), target, {"ü": b"ue"})


# Working directories.

# Root may write anywhere, until it drops that capability.
IN_READ_ONLY_FOLDER = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)
os.chdir(sys.argv[1])
os.execv(sys.argv[2], sys.argv[2:])
"""
IN_DELETED_FOLDER = """
import os, sys
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
os.execv(sys.argv[2], sys.argv[2:])
"""
every_odd_folder = pytest.mark.parametrize(
    "script", [IN_READ_ONLY_FOLDER, IN_DELETED_FOLDER], ids=["read-only", "deleted"]
)


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    """Return the path of a folder that can't be written to."""
    path = tmp_path / "cwd"
    path.mkdir(mode=0o555)
    return path


@every_odd_folder
@pytest.mark.parametrize("redirections", ["", "0<&- 1>&- 2>&-"], ids=["open", "closed"])
def test_odd_cwd(
    urls: Path,
    right: dict[str, bytes],
    target: Path,
    odd_folder: Path,
    *,
    script: str,
    redirections: str,
) -> None:
    """With an absolute output directory, the program works in any working directory."""
    launcher = (sys.executable, "-c", script, str(odd_folder), *ABSOLUTE)
    result = run_cli(urls, "-d", target, *CHATTY, program=shell(redirections, launcher))
    assert_complete(result, target, right)


@every_odd_folder
@pytest.mark.parametrize("directory", [(), ("-d", "out"), ("-d", "."), ("-d", "a/b/c")])
def test_odd_cwd_and_relative_directory(
    server: ScriptedServer,
    urls: Path,
    odd_folder: Path,
    *,
    script: str,
    directory: tuple[str, ...],
) -> None:
    """An output directory that can't be created is local trouble, and no request is sent."""
    program = (sys.executable, "-c", script, str(odd_folder), *ABSOLUTE)
    result = run_cli(urls, *directory, program=program)
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert "no files can be written there" in result.stderr, result
    assert server.count() == 0
    assert not odd_folder.exists() or not list(odd_folder.iterdir())


def test_relative_list_in_deleted_cwd(target: Path, odd_folder: Path) -> None:
    """A relative list in a deleted folder can't be read, and the message says so."""
    program = (sys.executable, "-c", IN_DELETED_FOLDER, str(odd_folder), *ABSOLUTE)
    result = run_cli("urls.txt", "-d", target, program=program)
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert "urls.txt: the list can't be read" in result.stderr, result


def test_relative_config_file_in_deleted_cwd(odd_folder: Path) -> None:
    """A relative config file in a deleted folder can't be read, and the message says so."""
    program = (sys.executable, "-c", IN_DELETED_FOLDER, str(odd_folder), *ABSOLUTE)
    result = run_cli("@options", "-", program=program)
    assert result.status == 2, result
    assert "@options: the config file can't be read" in result.stderr, result


def test_cwd_goes_in_mid_run(
    server: ScriptedServer, right: dict[str, bytes], target: Path, odd_folder: Path
) -> None:
    """With an absolute output directory, the working directory may be deleted meanwhile."""
    in_folder = 'cd "$1" && shift && exec "$@"'
    program = ("sh", "-c", in_folder, "sh", str(odd_folder), *ABSOLUTE)
    with RunningCli("-", "-d", target, *CHATTY, program=program) as run:
        wait_until(lambda: "done 0, " in run.stderr_so_far(), what="a status line")
        odd_folder.rmdir()
        run.send("".join(f"{server.url(f'/{name}')}\n" for name in right).encode())
        result = run.wait()
    assert_complete(result, target, right)
