"""A parser of netrc files, which contain logins for machines. Pure functions.

Like curl and wget it works on bytes, so that user names and passwords are sent unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# As in Python's own netrc module: a token in quotes may contain blanks, and a backslash
# escapes the next byte.
_TOKEN = rb'"((?:\\.|[^"\\])*)"|((?:\\.|\S)+)'
_ESCAPE = rb"\\(.)"
_VALUES = {b"login": "name", b"user": "name", b"account": "account", b"password": "password"}
"""Keywords that are followed by a value, with the names of the values."""


class NetrcError(Exception):
    """Error for a token that is not a keyword where one is expected, or for a missing value.

    Args:
        line: Number of the line. The token is not included, because it may be a password.
    """

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class NetrcEntry(NamedTuple):
    """Login for a machine.

    Args:
        machine: Host name in lower case; None for the default entry, which fits all hosts.
        name: User name, or else the account; empty if the entry has neither.
        password: Password of the user; empty if the entry has none.
    """

    machine: bytes | None
    name: bytes
    password: bytes


def parse_netrc(lines: Iterable[bytes]) -> list[NetrcEntry]:
    """Return the entries in the lines of a netrc file.

    Raises:
        NetrcError: The file has another format.
    """
    tokens = _Tokens(lines)
    entries: list[tuple[bytes | None, dict[str, bytes]]] = []
    while (token := tokens.next()) is not None:
        if token.startswith(b"#"):
            tokens.skip_line()
        elif token == b"macdef":
            tokens.skip_macro()
        elif token == b"default":
            entries.append((None, {}))
        elif token == b"machine":
            entries.append((tokens.value().lower(), {}))
        elif token in _VALUES and entries:
            entries[-1][1][_VALUES[token]] = tokens.value()
        else:
            raise NetrcError(tokens.line)
    return [
        NetrcEntry(
            machine,
            values.get("name") or values.get("account", b""),
            values.get("password", b""),
        )
        for machine, values in entries
    ]


class _Tokens:
    """Tokens of a file, in order.

    Args:
        lines: Lines of the file.

    Attributes:
        line: Number of the line with the last token, from 1.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = enumerate(lines, start=1)
        self._rest: list[bytes] = []
        self.line = 0

    def next(self) -> bytes | None:
        """Return the next token; None at the end of the file."""
        while not self._rest:
            self.line, line = next(self._lines, (self.line, None))
            if line is None:
                return None
            self._rest = [_unquoted(match) for match in re.finditer(_TOKEN, line)]
        return self._rest.pop(0)

    def value(self) -> bytes:
        """Return the next token, a keyword's value; raise a NetrcError if there is none."""
        line, token = self.line, self.next()
        if token is None:
            raise NetrcError(line)
        return token

    def skip_line(self) -> None:
        """Skip the rest of the line."""
        self._rest = []

    def skip_macro(self) -> None:
        """Skip all lines to the next blank one, which ends a macro."""
        self._rest = []
        for number, line in self._lines:
            self.line = number
            if not line.strip():
                return


def _unquoted(match: re.Match[bytes]) -> bytes:
    return re.sub(_ESCAPE, rb"\1", match[2] if match[1] is None else match[1])
