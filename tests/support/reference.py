"""The parts of the documentation that are written from the program, so that they stay true.

`python -m tests.support.reference` writes the options into docs/options.md and docs/ledger.md,
the fields of the report into docs/reports.md, and the settings of the library into
docs/library.md.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from url_downloader.cli.arguments import argument_parser
from url_downloader.cli.option_types import invocation
from url_downloader.cli.status_command import status_parser
from url_downloader.cli.verify_command import verify_parser
from url_downloader.config.overrides import settings_of
from url_downloader.config.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SCHEMA = ROOT / "url_downloader" / "report.schema.json"
COMMAND = "python -m tests.support.reference"
BEGIN = f"<!-- Written by {COMMAND} -->"
END = "<!-- End of the written part -->"
_WIDTH = 100


def reference() -> str:
    """Return the options as Markdown: a section for each group of them."""
    return "\n".join(_lines(argument_parser())).rstrip()


def ledger_commands() -> str:
    """Return usage and options of the commands that ask the ledger, as Markdown."""
    return "\n\n".join("\n".join(_command(parser)) for parser in ledger_parsers())


def ledger_parsers() -> Sequence[argparse.ArgumentParser]:
    """Return the parsers of the commands that ask the ledger."""
    return status_parser(), verify_parser()


def fields() -> str:
    """Return the fields of a line of the report as a Markdown table."""
    rows = [f"| `{name}` | {text} |" for name, text in descriptions().items()]
    return "\n".join(["| field | meaning |", "| --- | --- |", *rows])


def descriptions() -> Mapping[str, str]:
    """Return the fields of the report and their meanings, as the schema has them."""
    properties: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))["properties"]
    all_fields: dict[str, Any] = {}
    for name, field in properties.items():
        all_fields[name] = field
        for part, each in field.get("properties", {}).items():
            all_fields[f"{name}.{part}"] = each
        for part, each in field.get("items", {}).get("properties", {}).items():
            all_fields[f"{name}[].{part}"] = each
    return {name: field["description"] for name, field in all_fields.items()}


def settings() -> str:
    """Return the settings of the library as a Markdown table."""
    table = ["| setting | type | meaning |", "| --- | --- | --- |"]
    for part, field in settings_of(Settings()):
        kind = str(field.type).replace("|", "or")
        table.append(f"| `{field.name}` | `{kind}` | {meanings(part)[field.name]} |")
    return "\n".join(table)


def meanings(part: object) -> Mapping[str, str]:
    """Return the meaning of each argument, as the docstring of the part's class says."""
    text = inspect.getdoc(type(part)) or ""
    section = re.split(r"\n(?=\S)", text.partition("Args:\n")[2])[0]
    entries = re.findall(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {
        name: " ".join(meaning.split())
        for names, meaning in entries
        for name in names.split(", ")
    }


WRITTEN: Mapping[Path, Callable[[], str]] = {
    DOCS / "options.md": reference,
    DOCS / "ledger.md": ledger_commands,
    DOCS / "reports.md": fields,
    DOCS / "library.md": settings,
}
"""The files that have a written part, and what makes it."""


def with_written(text: str, written: str) -> str:
    """Return the text of a file with `written` between its marks."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the file must have the lines {BEGIN!r} and {END!r}")
    return f"{head}{begin}\n\n{written}\n\n{end}{tail}"


def plain(text: str) -> str:
    """Return Markdown text as it is read: in one line, without code marks and backslashes."""
    return " ".join(re.sub(r"\\(?=[*_<])|`", "", text).split())


def _lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from _usage(parser)
    for group in parser._action_groups:
        if group._group_actions:
            yield from (f"## {(group.title or '').capitalize()}", "")
            for action in group._group_actions:
                yield from _item(action, prog=parser.prog)
            yield ""
    yield from ("## Values", "")
    yield from ("```text", (parser.epilog or "").strip(), "```")


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from ("```text", parser.format_usage().partition(":")[2].strip(), "```", "")


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from _usage(parser)
    for action in parser._actions:
        yield from _item(action, prog=parser.prog)


def _item(action: argparse.Action, *, prog: str) -> Iterator[str]:
    """Yield the lines of a list item: how the option is written, and its help."""
    text = (action.help or "") % {**vars(action), "prog": prog}
    yield textwrap.fill(
        re.sub("[*_<]", r"\\\g<0>", " ".join(text.split())),
        width=_WIDTH,
        initial_indent=f"- `{invocation(action)}`: ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def main() -> None:
    """Write the parts."""
    for path, write in WRITTEN.items():
        path.write_text(with_written(path.read_text("utf-8"), write()), "utf-8")


if __name__ == "__main__":
    main()
