"""The text of a .netrc file: which logins it has for which machines. Pure functions.

It is read as curl and wget read it, as bytes: names and passwords are sent as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# As in Python's own reader: quotes hold blanks, and a backslash takes the next byte as it is.
_WORD = rb'"((?:\\.|[^"\\])*)"|((?:\\.|\S)+)'
_ESCAPE = rb"\\(.)"
_VALUES = {b"login": "name", b"user": "name", b"account": "account", b"password": "password"}


class NetrcError(Exception):
    """A word of a .netrc is none of its keywords.

    Args:
        line: its number. The word is not told: it may be a password.
    """

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class NetrcEntry(NamedTuple):
    """The login for a machine.

    Args:
        machine: in lower case; None = all others.
        name: of the user.
        password: of the user.
    """

    machine: bytes | None
    name: bytes
    password: bytes


def parse_netrc(lines: Iterable[bytes]) -> list[NetrcEntry]:
    """Read the lines of a .netrc.

    Raises:
        NetrcError: it is something else.
    """
    words = _Words(lines)
    entries: list[tuple[bytes | None, dict[str, bytes]]] = []
    while (word := words.next()) is not None:
        if word.startswith(b"#"):
            words.skip_line()
        elif word == b"macdef":
            words.skip_macro()
        elif word == b"default":
            entries.append((None, {}))
        elif word == b"machine":
            entries.append((words.value().lower(), {}))
        elif word in _VALUES and entries:
            entries[-1][1][_VALUES[word]] = words.value()
        else:
            raise NetrcError(words.line)
    return [
        NetrcEntry(
            machine, said.get("name") or said.get("account", b""), said.get("password", b"")
        )
        for machine, said in entries
    ]


class _Words:
    """The words of lines.

    Attributes:
        line: number of the one that the last word was on.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = enumerate(lines, start=1)
        self._rest: list[bytes] = []
        self.line = 0

    def next(self) -> bytes | None:
        """The next word; None at the end."""
        while not self._rest:
            self.line, line = next(self._lines, (self.line, None))
            if line is None:
                return None
            self._rest = [_unquoted(match) for match in re.finditer(_WORD, line)]
        return self._rest.pop(0)

    def value(self) -> bytes:
        """The word that has to follow a keyword."""
        line, word = self.line, self.next()
        if word is None:
            raise NetrcError(line)
        return word

    def skip_line(self) -> None:
        """Go on with the next line."""
        self._rest = []

    def skip_macro(self) -> None:
        """Go on after the next blank line, which ends a macro."""
        self._rest = []
        for number, line in self._lines:
            self.line = number
            if not line.strip():
                return


def _unquoted(match: re.Match[bytes]) -> bytes:
    return re.sub(_ESCAPE, rb"\1", match[2] if match[1] is None else match[1])
