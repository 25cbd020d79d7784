"""The README's reference of the command line, as the parser has it.

`python -m tests.support.reference` writes it into the README.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path

from url_downloader.cli.arguments import argument_parser
from url_downloader.cli.option_types import invocation

README = Path(__file__).parents[2] / "README.md"
COMMAND = "python -m tests.support.reference"
BEGIN = f"<!-- Written by {COMMAND} -->"
END = "<!-- End of what is written so -->"
_WIDTH = 79


def reference() -> str:
    """The reference as a Markdown block that reads like a manual page."""
    lines = "\n".join(_lines(argument_parser())).rstrip()
    return f"```text\n{lines}\n```"


def with_reference(readme: str) -> str:
    """The README, with the reference of now between its marks."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md must have the lines {BEGIN!r} and {END!r}")
    return f"{head}{begin}\n{reference()}\n{end}{tail}"


def _lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield "SYNOPSIS"
    yield from _indented(parser.format_usage().partition(":")[2], 4)
    for group in parser._action_groups:
        if group._group_actions:
            yield (group.title or "").upper()
            yield from _group_lines(group, parser)
    yield "VALUES"
    for line in (parser.epilog or "").splitlines():
        yield f"    {line}"


def _group_lines(
    group: argparse._ArgumentGroup, parser: argparse.ArgumentParser
) -> Iterator[str]:
    for action in group._group_actions:
        yield f"    {invocation(action)}"
        text = (action.help or "") % {**vars(action), "prog": parser.prog}
        yield from _indented(text, 8)


def _indented(text: str, indent: int) -> Iterator[str]:
    """A paragraph, and an empty line."""
    space = " " * indent
    yield textwrap.fill(
        " ".join(text.split()),
        width=_WIDTH,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield ""


if __name__ == "__main__":
    README.write_text(with_reference(README.read_text("utf-8")), "utf-8")
