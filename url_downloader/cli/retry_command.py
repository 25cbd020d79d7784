"""The command that retries what a run did not download, without secrets, for the user."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from url_downloader.cli.command_settings import CommandLine, CommandSettings
from url_downloader.config.settings import Existing, Settings

# Compiled on demand: a run without failures shows no command.
_USERINFO = r"(?<=://)[^/?#\s]*@"
# An unquoted password may hold any character, even one that ends the authority of a URL.
_PROXY_LOGIN = r"(?is)^((?:--proxy=)?(?:[a-z0-9]+://)?).*@"
# The user may have typed curl's FILE:PASSWORD, or cookies in place of a file. Whether there is
# such a file is checked later.
_CERTIFICATE = r"(?s)^((?:--(?:cert|key)=)?[^:]{2,}?:).+"
_COOKIES = r"(?s)^((?:--cookies=)?[^=/]+=)[^/]+$"
_REFERER = r"(?s)^((?:--referer=)?[^?]*\?).+"
_HEADER_FLAG = r"(?a)--header|-\w*H"
_IN_ONE_WORD = r"(?a)--header=|-\w*H"
_HEADER = r"(?as)^((?:-\w*?H|--header=)?[^@\s:][^\s:]*:\s*)\S.*"
_HARMLESS = (
    r"(?ai)(?:-\w*?H|--header=)?=?(?:accept(?:-charset|-encoding|-language)?|user-agent):"
)


def started_command(line: CommandLine) -> Sequence[str]:
    """Return the words of the command that started this process: program and arguments."""
    return [*_program(line), *line.words]


def retry_advice(
    command: CommandSettings, settings: Settings, *, failed_list: Path | None
) -> str:
    """Return the command that downloads what a run did not, or advice if no command can.

    Args:
        command: Settings of the command.
        settings: Settings of the run.
        failed_list: Path of the failed list; None if none was written.
    """
    # A list that was written to a pipe or a device can't be read from there again.
    if failed_list is not None and not _is_file(failed_list):
        failed_list = None
    line = command.command_line
    if command.reads_stdin and failed_list is None:
        return "standard input can't be read again; with --failed-out FILE, a run leaves a list"
    if command.reads_stdin and line.list_position is None:
        return f"standard input can't be read again; give {failed_list} instead of -"
    arguments = retry_arguments(
        line,
        failed_list=None if failed_list is None else str(failed_list),
        is_continuing=settings.output.existing is not Existing.REPLACE,
    )
    return shown_command([*_program(line), *arguments])


def _is_file(path: Path) -> bool:
    """Tell whether the path is known to be a file; the disk may refuse to tell."""
    try:
        return path.is_file()
    except OSError:
        return False


def retry_arguments(
    line: CommandLine, *, failed_list: str | None, is_continuing: bool
) -> Sequence[str]:
    """Return the arguments of the command that downloads what a run did not.

    Args:
        line: Command line of the run.
        failed_list: Name of the failed list; None if none was written.
        is_continuing: Whether the command skips finished files already, or compares them.
    """
    words, position = line.words, line.list_position
    if failed_list is not None and position is not None:
        # The name must not be taken for an option or a config file.
        source = f"./{failed_list}" if failed_list.startswith(("-", "@")) else failed_list
        return [*words[:position], source, *words[position + 1 :]]
    end = words.index("--") if "--" in words else len(words)
    added = () if is_continuing else ("-c",)
    return [*words[:end], *added, *words[end:]]


def shown_command(words: Sequence[str]) -> str:
    """Return a command line to show and to paste: quoted for a shell, secrets as `***`."""
    return " ".join(
        _quoted(_without_secrets(word, before=before))
        for before, word in itertools.pairwise(("", *words))
    )


def _program(line: CommandLine) -> Sequence[str]:
    """Return the words before the arguments, such as `python main.py`."""
    if Path(sys.argv[0]).suffix == ".py":
        return sys.orig_argv[: len(sys.orig_argv) - len(line.words)]
    return sys.argv[:1]


def _quoted(word: str) -> str:
    """Return the word quoted for a shell; an unprintable word in bash's form $'...'."""
    if word.isprintable():
        return shlex.quote(word)
    octets = word.encode(sys.getfilesystemencoding(), "surrogateescape")
    is_plain = [0x20 <= octet < 0x7F and octet not in b"'\\" for octet in octets]
    shown = (
        chr(octet) if plain else f"\\x{octet:02x}"
        for octet, plain in zip(octets, is_plain, strict=True)
    )
    return f"$'{''.join(shown)}'"


def _without_secrets(word: str, *, before: str) -> str:
    """Return the word with `***` for passwords, cookies and values of headers.

    Args:
        word: Word of a command line.
        before: Word before `word`: its option if `word` is a value.
    """
    is_header = re.fullmatch(_HEADER_FLAG, before) or re.match(_IN_ONE_WORD, word)
    if is_header and not re.match(_HARMLESS, word):
        return re.sub(_HEADER, r"\1***", word)
    option, has_value, _ = word.partition("=")
    match option if has_value and word.startswith("--") else before:
        case "--proxy":
            word = re.sub(_PROXY_LOGIN, r"\1***@", word)
        case "--cert" | "--key":
            word = re.sub(_CERTIFICATE, r"\1***", word)
        case "--cookies":
            word = re.sub(_COOKIES, r"\1***", word)
        case "--referer":
            word = re.sub(_REFERER, r"\1***", word)
    return re.sub(_USERINFO, "***@", word)
