"""From the words of a command line to arguments and Settings, or to a usage error."""

from __future__ import annotations

import argparse
import difflib
import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence

from url_downloader.cli.arguments import argument_parser, settings_from
from url_downloader.cli.config_files import expanded
from url_downloader.cli.message_arguments import check_extras
from url_downloader.cli.report_arguments import check_reports
from url_downloader.config.settings import Settings
from url_downloader.shared.errors import ConfigError, InputError

_FOREIGN: Mapping[str, str] = {
    "-o": "-d DIR is where files go, and an out= line in LIST names one",
    "-O": "an out= line in LIST names a file",
    "-i": "LIST needs no option before it",
    "-j": "-w N is how many are downloaded at a time",
    "-t": "--max-retries N is how often a failed download is tried again",
    "-L": "redirects are followed anyway",
    "-s": "-q is quiet",
}
"""Options of wget, curl and aria2c that mean something else here, or nothing."""

_INCLUDED = r"(?as)(?:--header=|-\w*H=?)?@(.+)"
"""A word that names a file with headers, or one with options."""


def parse_command_line(argv: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
    """The arguments, and the settings that they ask for.

    Raises:
        SystemExit: a usage error, which has been told; or help was asked for, and given.
    """
    parser = argument_parser()
    options = parser._option_string_actions
    takes_value = functools.partial(takes_next, options=options)
    try:
        words, config_files = expanded(argv, takes_value=takes_value)
        arguments, unknown = parser.parse_known_args(words)
        if "--" not in words and re.match(r"-\S*\s", arguments.list or ""):
            # For argparse, what has a blank in it is no option.
            unknown.insert(0, arguments.list)
        if unknown:
            parser.error(_unknown(unknown, [*options]))
        if arguments.list is None:
            parser.error("no LIST: name a file with one URL per line, or - for standard input")
        arguments.words = argv
        headers = (match[1] for word in words if (match := re.fullmatch(_INCLUDED, word)))
        arguments.included = [*config_files, *headers]
        arguments.place = place_of(arguments.list, argv, takes_value=takes_value)
        check_reports(arguments)
        settings = settings_from(arguments)
        check_extras(arguments)
    except (ConfigError, InputError) as error:
        parser.error(str(error))
    return arguments, settings


def takes_next(word: str, options: Mapping[str, argparse.Action]) -> bool:
    """Whether an option's value is not in this word, such as `-d` or `-qd`, but the next."""
    if word in options:
        return options[word].nargs != 0
    letters = "" if word.startswith("--") or not word.startswith("-") else word[1:]
    for position, letter in enumerate(letters, start=1):
        option = options.get(f"-{letter}")
        if option is None or option.nargs != 0:
            return option is not None and position == len(letters)
    return False


def place_of(
    name: str, words: Sequence[str], *, takes_value: Callable[[str], bool]
) -> int | None:
    """Which of the words is LIST; None if none is for certain, as when a config file names it.

    Args:
        name: of the list.
        words: of the command line.
        takes_value: whether the word after this one is its value.
    """
    pairs = itertools.pairwise(("", *words))
    places = [
        place
        for place, (before, word) in enumerate(pairs)
        if word == name and not takes_value(before)
    ]
    return places[0] if len(places) == 1 else None


def _unknown(words: Sequence[str], options: Sequence[str]) -> str:
    """What is wrong with words that nothing has taken, and what to do."""
    word = next((each for each in words if re.match("-.", each)), None)
    if word is None:
        # The words are not shown: of a header without quotes, the rest would be one of them.
        return (
            f"one LIST is taken, but {len(words) + 1} were given: join several lists with cat"
            " and give -, and put values that have blanks into quotes"
        )
    flag = re.split(r"[\s=]", word)[0].rstrip(":") if word.startswith("--") else word[:2]
    if flag in options:
        return f"{flag}: it and its value are one word: give each a word, or a line, of its own"
    nearest = difflib.get_close_matches(flag, options, n=1) if len(flag) > 2 else []
    if nearest:
        return f"unknown option {flag}: did you mean {nearest[0]}?"
    return f"unknown option {flag}: {_FOREIGN.get(flag, '--help lists all')}"
