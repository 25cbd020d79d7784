"""The options of the run as a whole: its limits, as the command line and config files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from url_downloader.cli.command_line import parse_command_line
from url_downloader.config.settings import RunSettings

KIB = 1024


@pytest.mark.parametrize(
    ("words", "limits"),
    [
        ("", RunSettings()),
        ("--limit-rate 500k", RunSettings(limit_rate=500 * KIB)),
        ("--limit-rate 1M --limit-rate=0", RunSettings()),
        ("--max-total-size 2G", RunSettings(max_total_size=2 * KIB**3)),
        ("@options", RunSettings(limit_rate=64, max_total_size=KIB, deadline=60)),
        ("@options --limit-rate 8", RunSettings(limit_rate=8, max_total_size=KIB, deadline=60)),
    ],
)
def test_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, limits: RunSettings
) -> None:
    """Limits are off by default; sizes and rates have the usual units, in config files too."""
    monkeypatch.chdir(tmp_path)
    Path("options").write_text("--limit-rate 64\n--max-total-size 1k\n--deadline 1m\n")
    assert parse_command_line([*words.split(), "list"])[1].run == limits


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--limit-rate -1", "--limit-rate"),
        ("--limit-rate 1k/s", "--limit-rate: must be from 0 to"),
        ("--limit-rate 99999999T", "--limit-rate: must be from 0 to"),
        ("--max-total-size x", "--max-total-size: must be from 0 to"),
        ("-Q 5m", "use --max-total-size SIZE"),
        ("--quota=5m", "use --max-total-size SIZE"),
        ("--max-overall-download-limit=1M", "use --limit-rate RATE"),
    ],
)
def test_usage_errors(capsys: pytest.CaptureFixture[str], words: str, said: str) -> None:
    """A wrong value is named with its range, and an option of another tool with ours."""
    with pytest.raises(SystemExit) as caught:
        parse_command_line([*words.split(), "list"])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
