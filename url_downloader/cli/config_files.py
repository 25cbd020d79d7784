"""Config files: `@FILE` on the command line stands for the arguments in that file.

argparse has such files, too. But it would take the value of an option that begins with @ for a
file, and files that include each other would end it with a traceback.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from url_downloader.shared.errors import InputError

_OPTION_AND_VALUE = re.compile(r"(--[^\s=]+|-\S)\s+(.*)")


def expanded(
    words: Sequence[str], *, takes_value: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Replace each `@FILE` by the words of that config file; return the words and the files.

    An `@FILE` that is the value of an option, or comes after `--`, stays as it is.

    Args:
        words: Words of the command line.
        takes_value: Tells whether the word after the given one is the value of an option.

    Raises:
        InputError: A file can't be read, is not text, or includes itself.
    """
    result: list[str] = []
    files: list[str] = []
    waiting: deque[tuple[str, tuple[str, ...]]] = deque((word, ()) for word in words)
    while waiting:
        word, origin = waiting.popleft()
        is_value = bool(result) and takes_value(result[-1])
        if not word.startswith("@") or is_value or "--" in result:
            result.append(word)
            continue
        path = os.path.normpath(word[1:])
        if path in origin:
            raise InputError(f"{word}: the config file includes itself; remove that line")
        files.append(path)
        lines = [(each, (*origin, path)) for each in _words_of(word[1:])]
        waiting.extendleft(reversed(lines))
    return result, files


def _words_of(name: str) -> Iterator[str]:
    """Yield the words of a config file; a line is one argument, or an option and its value."""
    try:
        text = Path(name).read_text("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise InputError(
            f"@{name}: the config file can't be read: {error.strerror}; a LIST of that name is"
            f" written ./@{name}"
        ) from error
    if "\0" in text:
        raise InputError(f"@{name}: the config file is not text; write one argument per line")
    for line in map(str.strip, text.split("\n")):
        match = _OPTION_AND_VALUE.fullmatch(line)
        if match is not None:
            yield from match.groups()
        elif line and not line.startswith("#"):
            yield line
