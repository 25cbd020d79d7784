"""No output of the program has a password, a header or the content of a file in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.cli import ROOT, CliResult, run_cli
from tests.support.scripted_server import Reply, ScriptedServer

SECRET = "S3CRET"

_BUG = """
import runpy, sys
sys.path.insert(0, "")
import url_downloader.{module} as module
def bug(*_, **__):
    raise ValueError("{terces}"[::-1])
module.{place} = bug
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def with_bug(module: str, place: str) -> tuple[str, ...]:
    """Return the program with a bug at this place, whose error quotes a secret."""
    code = _BUG.format(module=module, place=place, terces=SECRET[::-1])
    return (sys.executable, "-c", code, "main.py")


def output_of(result: CliResult, folder: Path) -> str:
    """Return the output of a run, and all files below the folder as text, the ledger, too."""
    texts = [
        path.read_bytes().decode("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file()
    ]
    return "\n".join([str(result), *texts])


@pytest.mark.parametrize("options", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("attempt.downloader", "Downloader._attempt"),
        ("engine.worker", "decide"),
        ("input_parser", "InputParser._take_url"),
        ("shared.job_registry", "moved"),
        ("reports.job_report", "Report.on_event"),
        ("cli.observers", "log_status"),
        ("cli.command", "_end_of"),
        ("cli.command_line", "argument_parser"),
    ],
)
def test_a_bug_shows_no_text(
    server: ScriptedServer,
    tmp_path: Path,
    *,
    module: str,
    place: str,
    options: tuple[str, ...],
) -> None:
    """A bug gives status 70, its type, its place and the package's path, but not its text."""
    server.play("/a", Reply(body=b"data"))
    (tmp_path / "list").write_text(server.url("/a"))
    outputs = [f"--{name}={tmp_path / name}" for name in ("report", "failed-out", "log-file")]
    result = run_cli(
        *(tmp_path / "list", "-d", tmp_path / "out"),
        *(*options, *outputs),
        program=with_bug(module, place),
    )
    assert result.status == 70, result
    text = output_of(result, tmp_path)
    assert SECRET not in text
    assert "ValueError at " in text
    assert f" from {ROOT / 'url_downloader'}\n" in text
    is_parsed = place != "argument_parser"
    assert ("in bug" in text) == (bool(options) and is_parsed), text


def test_a_bug_that_fails_one_job(server: ScriptedServer, tmp_path: Path) -> None:
    """The job fails with kind `internal`, the status is 70, and the report has the place."""
    server.play("/a", Reply(body=b"data"))
    (tmp_path / "list").write_text(server.url("/a"))
    result = run_cli(
        *(tmp_path / "list", "-d", tmp_path / "out", "--report", tmp_path / "report"),
        program=with_bug("attempt.downloader", "Downloader._attempt"),
    )
    record = json.loads((tmp_path / "report").read_text())
    assert (result.status, record["error_kind"]) == (70, "internal")
    assert record["error_message"].startswith("bug of this program: ValueError at ")
    assert result.totals is not None
    assert result.totals.failed == 1
