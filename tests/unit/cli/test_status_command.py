"""The command `status`: its text, its JSON, its list, and its arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from url_downloader.cli.status_command import as_json, failed_list, run_status, status_lines
from url_downloader.ledger.status import FailedEntry, Ranking, RunFacts, Totals

NONE = Ranking([], 0, 0)
STATES = {"failed": 3, "downloaded": 20, "resumed": 0, "skipped": 1, "not-modified": 0}
TOTALS = Totals(
    STATES,
    size=3 << 20,
    causes=Ranking([("http-404", 2), ("", 1)], 0, 0),
    hosts=Ranking([("http://a", 2)], 1, 1),
)
ENDED = RunFacts(
    run=1,
    started=1_700_000_000.5,
    ended=1_700_000_060,
    status=1,
    settings={"max_workers": 8, "proxy": "***"},
    aggregates={
        "jobs": {"success": 20, "failed": 3},
        "failures": {"http-404": 3},
        "received": 2048,
        "seconds": 2.0,
    },
)
RUNNING = RunFacts(2, 1_700_000_100, None, None, {}, {})


def test_text() -> None:
    """The text has totals, failures and runs; states without URLs are left out."""
    assert [*status_lines("out/ledger.db", TOTALS, runs=[RUNNING, ENDED])] == [
        "ledger: out/ledger.db",
        "URLs: 3 failed, 20 downloaded, 1 skipped",
        "complete files: 3.0 MiB",
        "",
        "failed by cause:",
        "       2  http-404",
        "       1  unknown",
        "",
        "failed by host:",
        "       2  http://a",
        "       1  1 other host",
        "",
        "last runs:",
        "  2: since 2023-11-14 22:15:00Z: running or killed",
        "  1: 2023-11-14 22:13:20Z to 2023-11-14 22:14:20Z: exit status 1",
        "     20 success, 3 failed, 2.0 KiB received, 1.0 KiB/s",
        "     max_workers = 8",
        '     proxy = "***"',
    ]


def test_text_of_an_empty_ledger() -> None:
    """Without URLs and runs the text says so in three lines."""
    empty = Totals(dict.fromkeys(STATES, 0), size=0, causes=NONE, hosts=NONE)
    lines = [*status_lines("x", empty, runs=[])]
    assert lines == ["ledger: x", "URLs: none", "complete files: 0 B"]


def test_an_ended_run_without_status() -> None:
    """A run that a program has made with the library has no exit status."""
    run = ENDED._replace(status=None, settings={}, aggregates={"received": 5, "seconds": 0})
    empty = Totals({}, size=0, causes=NONE, hosts=NONE)
    assert [*status_lines("x", empty, runs=[run])][-2:] == [
        "  1: 2023-11-14 22:13:20Z to 2023-11-14 22:14:20Z",
        "     5 B received",
    ]


def test_json() -> None:
    """The object has the same facts, with all states and whole times."""
    (line,) = as_json("x", TOTALS, runs=[ENDED, RUNNING])
    found = json.loads(line)
    assert found["entries"] == STATES
    assert found["causes"]["first"][0] == {"name": "http-404", "count": 2}
    assert found["hosts"] == {
        "first": [{"name": "http://a", "count": 2}],
        "others": 1,
        "of_others": 1,
    }
    ended, running = found["runs"]
    assert ended["started_at"] == "2023-11-14T22:13:20.500000Z"
    assert (ended["exit_status"], ended["settings"]) == (1, ENDED.settings)
    assert ended["aggregates"] == ENDED.aggregates
    assert (running["ended_at"], running["exit_status"]) == (None, None)


def test_list() -> None:
    """A list has reason, URL, and the name where it is not that of the URL."""
    entries = [
        FailedEntry(1, "http://h/a", "a", "HTTP 404 \x1b[31m\nNot Found"),
        FailedEntry(9, "http://h/b", "sub/b\u00fc", "x" * 500),
    ]
    assert [*failed_list(iter(entries))] == [
        "# failed: HTTP 404 \\x1b[31m\\nNot Found",
        "http://h/a",
        f"# failed: {'x' * 192}...",
        "http://h/b",
        "  out=sub/b\u00fc",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b"], "unrecognized arguments: b"),
        (["--failed", "--json"], "not allowed with"),
        (["x.db", "-d", "out"], "x.db is the ledger: leave out -d and --ledger, or FILE"),
        (["x.db", "--ledger", "y.db"], "x.db is the ledger"),
        (["--fail"], "unrecognized arguments: --fail"),
        (["-d"], "expected one argument"),
    ],
)
def test_usage(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that contradict each other, or that are unknown, are a usage error."""
    with pytest.raises(SystemExit) as caught:
        run_status(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name of a directory needs its option, and the message has it."""
    with pytest.raises(SystemExit):
        run_status([str(tmp_path)])
    assert f"is a directory: use -d {tmp_path}" in capsys.readouterr().err
