"""The three ways to start the program: main.py, the module, and the installed script."""

from __future__ import annotations

import pstats
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cli import MAIN, ROOT, CliResult, run_cli
from tests.support.output_folder import visible
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader import __version__

PACKAGE = ROOT / "url_downloader"
SCRIPT = Path(sys.executable).with_name("url-downloader")

PROGRAMS = pytest.mark.parametrize(
    "program",
    [
        pytest.param(MAIN, id="main.py"),
        pytest.param((sys.executable, "-m", "url_downloader"), id="module"),
        pytest.param(
            (str(SCRIPT),),
            id="script",
            marks=pytest.mark.skipif(
                not SCRIPT.exists(), reason="not installed here: pip -e ."
            ),
        ),
    ],
)


@PROGRAMS
def test_version(program: Sequence[str]) -> None:
    """Each prints the same name, version and path of the package to stdout."""
    result = run_cli("--version", program=program)
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == f"url-downloader {__version__} from {PACKAGE}\n"


@PROGRAMS
def test_help(program: Sequence[str]) -> None:
    """Each prints its help under the same name."""
    result = run_cli("--help", program=program)
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: url-downloader ")


@PROGRAMS
@pytest.mark.parametrize(
    ("words", "status"), [(["one", "two"], 0), (["one", "missing"], 1), (["missing"], 4)]
)
def test_result(
    server: ScriptedServer,
    tmp_path: Path,
    program: Sequence[str],
    words: Sequence[str],
    status: int,
) -> None:
    """Each downloads the same files of a list, and ends with the same status."""
    for word in ("one", "two"):
        server.play(f"/{word}", Reply(body=word.encode()))
    urls = "".join(f"{server.url(f'/{word}')}\n" for word in words).encode()
    result = run_cli("-", "-d", tmp_path / "out", program=program, stdin=urls)
    assert result.status == status, result
    files = {path.name: path.read_text() for path in visible(tmp_path / "out")}
    assert files == {word: word for word in words if word != "missing"}


def test_help_is_fast() -> None:
    """The help takes little time, because it imports nothing that only a download needs."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run_cli("--help").status == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # CPU time, not elapsed time. The best of several, because a busy machine adds to it.
    assert min(seconds() for _ in range(5)) < 0.2


def test_help_imports_little() -> None:
    """The help imports no module for HTTP, URLs or threads."""
    code = (
        "import sys; from url_downloader.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    result = run_cli("-c", code, program=(sys.executable,))
    loaded = set(result.stdout.splitlines()[-1].split())
    assert "url_downloader.cli.arguments" in loaded
    assert loaded.isdisjoint({"requests", "urllib3", "validators", "ssl", "queue"})


def python(code: str, *words: str | Path) -> CliResult:
    """Run Python code with these arguments."""
    return run_cli("-c", code, *words, program=(sys.executable,))


FAKE_RUN = "lambda *_: print(gc.isenabled(), gc.get_freeze_count() > 0) or 0"
"""A run that only prints whether garbage collection is on, and whether objects are frozen."""


def test_garbage_of_a_run() -> None:
    """During a run, garbage is collected, but only among the objects of the run."""
    code = (
        "import gc, url_downloader.cli.command as command\n"
        f"command.run_command = {FAKE_RUN}\n"
        "from url_downloader.__main__ import main; main(['list.txt'])"
    )
    result = python(code)
    assert (result.stdout, result.stderr) == ("True True\n", "")


@pytest.mark.parametrize("switch", ["enable", "disable"])
def test_garbage_of_another_program(tmp_path: Path, switch: str) -> None:
    """A program that calls `main` gets a status, and its garbage collection is unchanged."""
    code = (
        f"import gc; gc.{switch}()\n"
        "from url_downloader.main import main; import sys\n"
        "print(main(sys.argv[1:]), gc.isenabled(), gc.get_freeze_count())"
    )
    (tmp_path / "list.txt").touch()
    result = python(code, tmp_path / "list.txt", "-d", tmp_path / "out")
    assert result.stdout == f"0 {switch == 'enable'} 0\n", result


def test_what_happens_at_exit(tmp_path: Path) -> None:
    """Exit handlers and output of a program that runs this one are not lost."""
    code = (
        "import atexit, runpy; atexit.register(print, 'the end'); print('x' * 100_000)\n"
        "runpy.run_module('url_downloader', run_name='__main__', alter_sys=True)"
    )
    (tmp_path / "list.txt").write_text("nonsense\n")
    result = python(code, tmp_path / "list.txt", "-d", tmp_path / "out")
    assert (result.status, result.stdout) == (4, "x" * 100_000 + "\nthe end\n"), result


def test_profile(tmp_path: Path) -> None:
    """A profiler that runs the program can write its results."""
    profile, urls = tmp_path / "profile", tmp_path / "list.txt"
    urls.touch()
    program = (sys.executable, "-m", "cProfile", "-o", str(profile), "-m", "url_downloader")
    result = run_cli(urls, "-d", tmp_path / "out", program=program)
    assert not result.has_traceback, result
    assert pstats.Stats(str(profile)).total_calls  # type: ignore[attr-defined]


def test_config_file(server: ScriptedServer, tmp_path: Path) -> None:
    """A config file may have all arguments of a run."""
    server.play("/one", Reply(body=b"one"))
    (tmp_path / "list.txt").write_text(server.url("/one"))
    config = tmp_path / "run.conf"
    config.write_text(f"# a run\n-q\n--dir {tmp_path / 'out'}\n{tmp_path / 'list.txt'}\n")
    result = run_cli(f"@{config}")
    assert (result.status, result.stderr) == (0, ""), result
    assert (tmp_path / "out" / "one").read_text() == "one"
