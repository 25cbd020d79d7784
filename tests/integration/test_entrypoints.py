"""The three ways to call the program are one program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cli import MAIN, run_cli
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader import __version__

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
    """Each says the same name and version, on stdout."""
    result = run_cli("--version", program=program)
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == f"url-downloader {__version__}\n"


@PROGRAMS
def test_help(program: Sequence[str]) -> None:
    """Each explains itself under the same name."""
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
    """Each makes the same files of the same list, and ends with the same status."""
    for word in ("one", "two"):
        server.play(f"/{word}", Reply(body=word.encode()))
    urls = "".join(f"{server.url(f'/{word}')}\n" for word in words).encode()
    result = run_cli("-", "-d", tmp_path / "out", program=program, stdin=urls)
    assert result.status == status, result
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert files == {word: word for word in words if word != "missing"}
