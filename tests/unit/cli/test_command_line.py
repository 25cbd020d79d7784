"""From words to settings: config files, help, and usage errors with advice."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from url_downloader.cli.arguments import argument_parser
from url_downloader.cli.command_line import parse_command_line
from url_downloader.cli.config_files import expanded


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that writes config files into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(**files: str) -> None:
        for name, text in files.items():
            Path(name).write_bytes(text.encode("utf-8", "surrogateescape"))

    return write


def takes_value(word: str) -> bool:
    """Tell whether a word of these tests is an option with a value."""
    return word in ("-H", "--header", "-d")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-v\nlist.txt\n", ["-v", "list.txt"]),
        ("\ufeff-v\r\nlist.txt", ["-v", "list.txt"]),
        ("# comment\n\n  # another\n  -v  \n", ["-v"]),
        ("--timeout 30\n-d\t a folder ", ["--timeout", "30", "-d", "a folder"]),
        ("-H X-Key: y # z", ["-H", "X-Key: y # z"]),
        ("-HX-Key: y", ["-HX-Key: y"]),
        ("--header=X-Key: y", ["--header=X-Key: y"]),
        ("my list.txt", ["my list.txt"]),
        ("-H @secret\n--header @secret", ["-H", "@secret", "--header", "@secret"]),
        ("-H\n@secret", ["-H", "@secret"]),
        ("-d d\udce9", ["-d", "d\udce9"]),
        ("@other\n-v", ["-q", "-v"]),
        ("--\n@other", ["--", "@other"]),
        ("", []),
    ],
)
def test_lines_of_a_config_file(
    config: Callable[..., None], text: str, words: Sequence[str]
) -> None:
    """A line is an argument, or an option and its value, unless it is blank or a comment."""
    config(options=text, other="-q")
    around = ["-x", "@options"]
    assert expanded(around, takes_value=takes_value)[0] == ["-x", *words]


def test_values_are_no_config_files(config: Callable[..., None]) -> None:
    """A word is no config file as the value of an option, after `--`, or without an @."""
    config(secret="never read")
    for words in (["-H", "@secret"], ["--header=@secret"], ["--", "@secret"], ["./@secret"]):
        assert expanded(words, takes_value=takes_value) == (words, [])


def test_a_file_may_be_given_twice(config: Callable[..., None]) -> None:
    """A config file may be used twice, though it may not include itself."""
    config(a="@b\n@b", b="-v")
    assert expanded(["@a", "@b"], takes_value=takes_value)[0] == ["-v"] * 3


def test_later_options_win(config: Callable[..., None]) -> None:
    """An option overrides the same option before it, whether in a config file or not."""
    config(options="--timeout 5\n-w 2\nlist.txt")
    command, settings = parse_command_line(["-w", "9", "@options", "-T", "7"])
    assert (settings.transfer.limits.timeout, settings.pool.max_workers) == (7, 2)
    assert command.list_name == "list.txt"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["@missing", "-"], ["@missing:", "No such file", "./@missing"]),
        (["@folder", "-"], ["@folder:", "Is a directory"]),
        (["@binary", "-"], ["@binary:", "not text"]),
        (["@self", "-"], ["@self:", "includes itself"]),
        (["@ring", "-"], ["@ring:", "includes itself"]),
        (["@typo", "-"], ["--timout", "did you mean --timeout?"]),
        (["@wrong", "-"], ["--max-workers", "from 1 to 1024", "'many'"]),
        (["--max_wokers=3", "-"], ["--max_wokers:", "did you mean --max_workers?"]),
        (["--xyzzy", "-"], ["--xyzzy", "--help lists all"]),
        (["-Z", "-"], ["-Z", "--help lists all"]),
        (["-o", "a.pdf", "-"], ["-o", "-d DIR", "out="]),
        (["-Oq", "-"], ["-O", "out="]),
        (["-j8", "-"], ["-j", "-w N"]),
        (["a.txt", "-i", "b.txt"], ["-i", "LIST"]),
        (["a.txt", "b.txt"], ["only one LIST is allowed, but 2 were given", "quote"]),
        ([], ["no LIST", "standard input"]),
        (["-v"], ["no LIST"]),
        (["-T"], ["--timeout", "expected one argument"]),
        (["-T", "5 parsecs", "-"], ["--timeout", "from 0 to 86400", "'5 parsecs'"]),
        (["--expect-type", "pdf", "-"], ["--expect-type", "application/pdf", "'pdf'"]),
        (["-c", "-N", "-"], ["-N/--timestamping", "-c/--continue"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(
    config: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
    said: Sequence[str],
) -> None:
    """One line has the option, the problem and the remedy; the exit status is 2."""
    config(binary="\0\1", self="@self", ring="@gnir", gnir="-v\n@ring")
    config(typo="--timout 30", wrong="-w many")
    Path("folder").mkdir()
    with pytest.raises(SystemExit) as caught:
        parse_command_line(words)
    assert caught.value.code == 2
    output, errors = capsys.readouterr()
    usage, line = errors.splitlines()
    assert output == ""
    assert usage.startswith("usage: url-downloader ")
    assert line.startswith("url-downloader: error: ")
    assert [part for part in said if part not in line] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # From Python 3.13 on, argparse reads the text after a flag as more flags.
        (["-kAuthorization: secret", "-"], ["error: "]),
        (["-kNAuthorization: secret"], ["error: "]),
        (["--no-cookies=session=secret"], ["--no-cookies", "takes no value"]),
        (["--null=se\ncret"], ["-0/--null", "takes no value"]),
        (["--header Cookie: secret"], ["--header", "one word"]),
        (["-", "--header Cookie: secret"], ["--header", "one word"]),
        (["@two"], ["--header", "one word", "two lines"]),
        (["--headers Cookie: secret"], ["--headers", "did you mean --header?"]),
        (["--Header: secret"], ["--Header", "did you mean --header?"]),
        (["--password secret"], ["--password", "--help lists all"]),
        (["-Authorization: secret"], ["-A", "--help lists all"]),
        (["-", "Authorization: secret"], ["only one LIST is allowed, but 2 were given"]),
        (["-H", "Authorization secret"], ["-H/--header", "Name: value"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors_show_no_secret(
    config: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
    said: Sequence[str],
) -> None:
    """No message shows a word that may be a header or a login."""
    config(two="-k --header Cookie: secret")
    with pytest.raises(SystemExit):
        parse_command_line(words)
    line = capsys.readouterr().err.splitlines()[-1]
    assert [part for part in said if part not in line] == []
    assert "cret" not in line


def all_options() -> list[argparse.Action]:
    """Return all options of the parser."""
    return [each for each in argument_parser()._actions if each.option_strings]


def test_help_fits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of the help is longer than a terminal of 80 columns, and no option is missing."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        parse_command_line(["--help"])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 79] == []
    shown = "\n".join(lines)
    names = [name for each in all_options() for name in each.option_strings]
    assert [name for name in names if name not in shown] == []


@pytest.mark.parametrize("option", all_options(), ids=lambda each: each.option_strings[-1])
def test_help_of_an_option(option: argparse.Action) -> None:
    """Each option has a help text, which has the default if the option takes a value."""
    assert option.help
    assert option.metavar is None or "(default: " in option.help


def test_units_are_explained() -> None:
    """The help explains how a TIME, a SIZE, a RATE and an @FILE are written."""
    epilog = argument_parser().epilog or ""
    assert [
        unit for unit in ("TIME", "SIZE", "RATE", "@FILE") if f"{unit} is " not in epilog
    ] == []


@pytest.mark.parametrize(
    ("words", "position"),
    [
        (["urls", "-w", "8"], 0),
        (["-", "--report", "-"], 0),
        (["--report", "-", "-"], 2),
        (["-w8", "urls"], 1),
        (["-d", "urls", "urls"], 2),
        (["-qd", "urls", "urls"], 2),
        (["-qc", "urls"], 1),
        (["-qH", "@headers", "urls"], 2),
        (["@options", "--referer=urls", "--", "urls"], 3),
        (["@names-urls", "-d", "urls"], None),
        (["@names-urls", "-qd", "urls"], None),
    ],
)
def test_list_position(
    config: Callable[..., None], words: Sequence[str], position: int | None
) -> None:
    """The list's name is not confused with an equal value of an option, or in a config file."""
    config(headers="X-A: b", options="-v", **{"names-urls": "urls"})
    command, _ = parse_command_line(words)
    assert command.command_line.list_position == position


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--metrics-file urls", "--metrics-file urls: is also the file of LIST"),
        ("--log-file ./urls", "--log-file urls: is also the file of LIST"),
        ("--report link", "--report link: is also the file of LIST"),
        ("--report a --failed-out a", "--failed-out a: is also the file of --report"),
        ("--log-file a --lock b/../a", "--lock b/../a: is also the file of --log-file"),
        ("--failed-out urls --lock urls", "--lock urls: is also the file of LIST"),
        ("--failed-out -", "--failed-out -: needs the name of a file"),
        ("--failed-out urls", None),
        ("--report /dev/null --log-file /dev/null", None),
        ("--report - --failed-out a --log-file b", None),
    ],
)
def test_each_file_has_one_purpose(
    config: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    words: str,
    message: str | None,
) -> None:
    """No two options share a file, and only the failed list may replace the list."""
    config(urls="")
    Path("link").symlink_to("urls")
    if message is None:
        parse_command_line(["urls", *words.split()])
        return
    with pytest.raises(SystemExit):
        parse_command_line(["urls", *words.split()])
    assert message in capsys.readouterr().err
