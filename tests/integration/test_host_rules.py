"""The file of --host-rules: it is read before the first request, also through a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import run_cli
from tests.support.output_folder import files_of
from tests.support.scripted_server import Reply, ScriptedServer

RULES = b"\xef\xbb\xbf# limits\r\n127.0.0.1 per-host=1 rate=1000/s\r\n"


@pytest.fixture
def source(server: ScriptedServer, tmp_path: Path) -> Path:
    """Return the path of a list with one URL."""
    server.play("/rules", Reply(body=b"a"))
    path = tmp_path / "list"
    path.write_text(server.url("/rules"))
    return path


def test_a_pipe(source: Path, tmp_path: Path) -> None:
    """The rules can come through a pipe."""
    target = tmp_path / "downloads"
    result = run_cli(source, "-d", target, "--host-rules", "/dev/stdin", stdin=RULES)
    assert result.status == 0, result
    assert files_of(target) == {"rules": b"a"}


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"h per-host=1\nh rate=5\n", "rules:2: rate: must have a unit, as in 5/s or 5/m"),
        (None, "rules: the host rules can't be read: No such file or directory"),
    ],
    ids=["bad line", "missing"],
)
def test_a_file_that_can_not_be_used(
    server: ScriptedServer,
    source: Path,
    *,
    options: tuple[str, ...],
    data: bytes | None,
    words: str,
) -> None:
    """It ends the run with status 3 before the first request, also in a dry run."""
    rules, target = source.with_name("rules"), source.with_name("downloads")
    if data is not None:
        rules.write_bytes(data)
    result = run_cli(source, "-d", target, "--host-rules", rules, *options)
    assert result.status == 3, result
    assert words in result.stderr
    assert not result.has_traceback
    assert server.count() == 0
    assert not target.exists()


def test_the_file_in_the_output_directory(source: Path, tmp_path: Path) -> None:
    """No download replaces it."""
    rules = tmp_path / "rules"
    rules.write_bytes(RULES)
    result = run_cli(source, "-d", tmp_path, "--host-rules", rules)
    assert result.status == 0, result
    assert rules.read_bytes() == RULES
    assert b"a" in files_of(tmp_path).values()
