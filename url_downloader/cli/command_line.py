"""The parsing of the command line: from its words to settings, or to a usage error.

Entry point: `parse_command_line`.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence

from url_downloader.cli.arguments import argument_parser, command_settings, run_settings
from url_downloader.cli.command_settings import CommandLine, CommandSettings
from url_downloader.cli.config_files import expanded
from url_downloader.cli.message_arguments import check_extras
from url_downloader.cli.own_files import check_written_files
from url_downloader.config.proxy_trust import check_proxy_trust
from url_downloader.config.settings import Settings
from url_downloader.shared.errors import ConfigError, InputError

_FOREIGN: Mapping[str, str] = {
    "-o": "use -d DIR for the directory, or an out= line in LIST to name a file",
    "-O": "use an out= line in LIST to name a file",
    "-i": "give LIST without an option",
    "-j": "use -w N for the number of downloads at the same time",
    "-Q": "use --max-total-size SIZE",
    "-t": "use --max-retries N",
    "-L": "redirects are followed without it",
    "-s": "use -q",
    "-x": "use --per-host N for the connections to a host, or --proxy URL for a proxy",
    "--bind-address": "use --interface ADDRESS",
    "--disable-ipv6": "use -4",
    "--inet4-only": "use -4",
    "--inet6-only": "use -6",
    "--max-concurrent-downloads": "use -w N for the number of downloads at the same time",
    "--max-connection-per-server": "use --per-host N",
    "--max-download-limit": "use --limit-rate RATE, which is for all downloads together",
    "--max-overall-download-limit": "use --limit-rate RATE",
    "--max-threads": "use -w N for the number of downloads at the same time",
    "--parallel-max": "use -w N for the number of downloads at the same time",
    "--parallel-max-host": "use --per-host N",
    "--quota": "use --max-total-size SIZE",
    "--random-wait": "use --host-rate N/s for the mean number of requests to a host",
    "--rate": "use --host-rate N/s for each host",
    "--wait": "use --host-rate N/s: 0.5/s is a request to each host in 2 seconds",
}
"""Advice for options of wget, curl and aria2c that this program does not have."""

_INCLUDED = r"(?as)(?:--header=|-\w*H=?)?@(.+)"
"""Pattern of a word that includes a file by `@FILE`: a file with headers, or a config file."""


def parse_command_line(argv: Sequence[str]) -> tuple[CommandSettings, Settings]:
    """Return the settings of the command and of its run.

    Args:
        argv: Arguments of the process, without the name of the program.

    Raises:
        SystemExit: The usage error, the help or the version has been printed. The status is 2
            for an error, else 0.
    """
    parser = argument_parser()
    takes_value = functools.partial(takes_next, options=parser._option_string_actions)
    try:
        words, config_files = expanded(argv, takes_value=takes_value)
        arguments = _parsed(words, parser)
        headers = (match[1] for word in words if (match := re.fullmatch(_INCLUDED, word)))
        command_line = CommandLine(
            words=argv,
            list_position=position_of(arguments.list, argv, takes_value=takes_value),
            included_files=[*config_files, *headers],
        )
        command = command_settings(arguments, command_line)
        check_written_files(command)
        settings = run_settings(arguments)
        check_proxy_trust(settings.dial, settings.server.proxy, environment=os.environ)
        check_extras(command)
    except (ConfigError, InputError) as error:
        parser.error(str(error))
    return command, settings


def _parsed(words: Sequence[str], parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the parsed arguments; exit if a word is unknown or LIST is missing."""
    arguments, unknown = parser.parse_known_args(words)
    if "--" not in words and re.match(r"-\S*\s", arguments.list or ""):
        # argparse takes a word with a blank in it, such as "-w 8", for LIST.
        unknown.insert(0, arguments.list)
    if unknown:
        parser.error(_unknown(unknown, [*parser._option_string_actions]))
    if arguments.list is None:
        parser.error("no LIST: name a file with one URL per line, or - for standard input")
    return arguments


def takes_next(word: str, options: Mapping[str, argparse.Action]) -> bool:
    """Tell whether the word after this one is the value of an option, as after `-qd`.

    Args:
        word: Word of the command line.
        options: Options of the parser by their flags.
    """
    if word in options:
        return options[word].nargs != 0
    letters = "" if word.startswith("--") or not word.startswith("-") else word[1:]
    for position, letter in enumerate(letters, start=1):
        option = options.get(f"-{letter}")
        if option is None or option.nargs != 0:
            return option is not None and position == len(letters)
    return False


def position_of(
    name: str, words: Sequence[str], *, takes_value: Callable[[str], bool]
) -> int | None:
    """Return the index of the list's name; None if that is not certain.

    A config file may name the list, and an option may have the same value.

    Args:
        name: Name of the list.
        words: Words of the command line.
        takes_value: Tells whether the word after the given one is the value of an option.
    """
    pairs = itertools.pairwise(("", *words))
    positions = [
        position
        for position, (before, word) in enumerate(pairs)
        if word == name and not takes_value(before)
    ]
    return positions[0] if len(positions) == 1 else None


def _unknown(words: Sequence[str], options: Sequence[str]) -> str:
    """Return the message for words that are neither options nor LIST."""
    word = next((each for each in words if re.match("-.", each)), None)
    if word is None:
        # The words are not shown: one may be the rest of a header that lacks quotes.
        return (
            f"only one LIST is allowed, but {len(words) + 1} were given: join lists with cat"
            " and give -; quote values that have blanks in them"
        )
    flag = re.split(r"[\s=]", word)[0].rstrip(":") if word.startswith("--") else word[:2]
    if flag in options:
        return f"{flag}: option and value are one word: make them two words, or two lines"
    if flag in _FOREIGN:
        return f"unknown option {flag}: {_FOREIGN[flag]}"
    nearest = difflib.get_close_matches(flag, options, n=1) if len(flag) > 2 else []
    if nearest:
        return f"unknown option {flag}: did you mean {nearest[0]}?"
    return f"unknown option {flag}: --help lists all"
