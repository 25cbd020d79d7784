"""The README says of the command line what the program does."""

from __future__ import annotations

from tests.support.reference import COMMAND, README, reference, with_reference
from url_downloader.cli.arguments import argument_parser


def test_the_readme_is_not_stale() -> None:
    """The reference in the README is the one of this parser."""
    readme = README.read_text("utf-8")
    assert with_reference(readme) == readme, f"README.md is stale: run {COMMAND}"


def test_the_reference_is_whole() -> None:
    """Each option, value and help text is in it; no line is too wide for a terminal."""
    written = reference()
    words = " ".join(written.split())
    for action in argument_parser()._actions:
        assert all(option in words for option in action.option_strings)
        assert str(action.metavar or "") in words
        text = (action.help or "").partition("%")[0].partition(" (default")[0]
        assert text in words
    assert max(map(len, written.splitlines())) < 80
