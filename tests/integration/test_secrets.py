"""No password, header or file's content comes into what the program says or writes."""

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


def told(result: CliResult, folder: Path) -> str:
    """Return all that a run said, and all that is in its files."""
    texts = [path.read_text() for path in folder.iterdir() if path.is_file()]
    return "\n".join([str(result), *texts])


@pytest.mark.parametrize("options", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("attempt.downloader", "Downloader._attempt"),
        ("engine.worker", "decide"),
        ("input_parser", "InputParser._take_url"),
        ("shared.job_registry", "_moved"),
        ("reports.job_report", "Report.on_event"),
        ("cli.observers", "log_line"),
        ("cli.command", "end_of"),
        ("cli.command_line", "argument_parser"),
    ],
)
def test_a_bug_is_told_by_its_type_and_place(
    server: ScriptedServer,
    tmp_path: Path,
    *,
    module: str,
    place: str,
    options: tuple[str, ...],
) -> None:
    """Status 70, the path of the package, no text of the error; its traceback with -v alone."""
    server.play("/a", Reply(body=b"data"))
    (tmp_path / "list").write_text(server.url("/a"))
    outputs = [f"--{name}={tmp_path / name}" for name in ("report", "failed-out", "log-file")]
    result = run_cli(
        *(tmp_path / "list", "-d", tmp_path / "out"),
        *(*options, *outputs),
        program=with_bug(module, place),
    )
    assert result.status == 70, result
    text = told(result, tmp_path)
    assert SECRET not in text
    assert "ValueError at " in text
    assert f" from {ROOT / 'url_downloader'}\n" in text
    is_parsed = place != "argument_parser"
    assert ("in bug" in text) == (bool(options) and is_parsed), text


def test_a_bug_that_fails_one_job_is_told_in_the_status(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The job is FAILED with kind `internal`, the run ends with 70, the report says where."""
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
