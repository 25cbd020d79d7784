"""The documentation has the program's own words where it lists options and fields."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.reference import (
    COMMAND,
    WRITTEN,
    descriptions,
    plain,
    reference,
    with_written,
)
from url_downloader.cli.arguments import argument_parser


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_no_written_part_is_stale(path: Path) -> None:
    """The part that is written from the program is the one of this program."""
    text = path.read_text("utf-8")
    assert with_written(text, WRITTEN[path]()) == text, f"{path} is stale: run {COMMAND}"


def test_the_reference_is_whole() -> None:
    """Each option, value and help text is in it; no line is wider than the pages' others."""
    written = reference()
    words = plain(written)
    for action in argument_parser()._actions:
        assert all(option in words for option in action.option_strings)
        assert str(action.metavar or "") in words
        text = (action.help or "").partition("%")[0].partition(" (default")[0]
        assert text in words
    assert max(map(len, written.splitlines())) <= 100


def test_each_field_of_the_report_is_described() -> None:
    """The table has a row for each field of the schema, in the schema's words."""
    (path,) = (path for path in WRITTEN if path.name == "reports.md")
    text = path.read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9_.\[\]]+)` \| (.*) \|$", text, re.MULTILINE)
    assert {"url", "attempts[].wait"} <= descriptions().keys()
    assert descriptions().items() <= dict(rows).items()
