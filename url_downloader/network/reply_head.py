"""The head of an HTTP/1.1 reply: a strict parser (RFC 9112). Pure functions of bytes.

One regular expression fits the heads of nearly all replies. `parse_plain_head` uses it.
`find_head` takes any head, checks each line, and tells when more bytes are needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

MAX_HEAD_BYTES = 256 * 1024
"""Bytes; upper bound for the heads of one reply, with those of its interim replies (1xx)."""
MAX_PLAIN_HEAD = 8192
"""Bytes; upper bound for a head that `parse_plain_head` takes."""

_NAME = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
_PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d)(?: [^\r\n\0]*)?\r\n"
    rb"((?:%b:[^\r\n\0]*\r\n)+)\r\n" % _NAME.encode()
)
_PLAIN_LINE = re.compile(r"([^:]+):[ \t]*([^\r]*)\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.(\d)[ \t]+([1-9]\d\d)(?:[ \t][^\r\n\0]*)?\r?\n")
_FIELD_LINE = re.compile(rf"({_NAME})([ \t]*):([^\r\n\0]*)|[ \t]([^\r\n\0]*)")
_HEAD_END = re.compile(rb"\n\r?\n")
_BLANKS = " \t"
"""Blanks around values; `str.strip` would also remove bytes such as NO-BREAK SPACE."""
_FRAMING_FIELDS = frozenset({"content-length", "transfer-encoding"})
_REPEATABLE = frozenset({"content-encoding", "set-cookie"})
"""Names of fields whose repetitions have a meaning.

A coding that is named twice was applied twice (RFC 9110 §8.4). Of equal cookies the last one
counts.
"""
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""First bytes of a TLS alert and of a TLS handshake (RFC 8446 §5.1)."""

Lines = Sequence[tuple[str, str]]
"""Name, in lower case, and value of each header line."""


class ReplyHead(NamedTuple):
    """Status and header fields of a reply.

    Args:
        status: Status code.
        fields: Values by name, in lower case. Values of one name are joined (RFC 9110 §5.3).
        lines: The header lines, in order. Of equal lines only the first is kept, unless a
            repetition has a meaning.
        size: Bytes of the head with the empty line at its end.
        is_version_10: Whether the reply is HTTP/1.0.
    """

    status: int
    fields: dict[str, str]
    lines: Lines
    size: int
    is_version_10: bool = False

    @property
    def is_last(self) -> bool:
        """Tell whether the server closes the connection after this reply (RFC 9112 §9.3)."""
        value = self.fields.get("connection")
        if value is None:
            return self.is_version_10
        options = elements_of(value)
        return "close" in options or (self.is_version_10 and "keep-alive" not in options)

    def values(self, name: str) -> list[str]:
        """Return the values of one name, not joined."""
        return [value for each, value in self.lines if each == name]


def elements_of(value: str) -> list[str]:
    """Return the elements of a list in a header field, in lower case (RFC 9110 §5.6.1)."""
    return [element.strip(_BLANKS).lower() for element in value.split(",")]


def parse_plain_head(data: bytes) -> ReplyHead | None:
    """Return the head that `data` begins with; None if `find_head` has to judge it."""
    match = _PLAIN_HEAD.match(data, 0, MAX_PLAIN_HEAD)
    if match is None:
        return None
    text = match[2].decode("latin-1")
    lines = [(name.lower(), value) for name, value in _PLAIN_LINE.findall(text)]
    if " \r" in text or "\t\r" in text:
        lines = [(name, value.rstrip(" \t")) for name, value in lines]
    return _head(int(match[1]), lines, size=match.end())


def find_head(data: bytes | bytearray, start: int, *, scanned: int) -> ReplyHead | None:
    """Return the head that begins at `start`; None if more bytes have to arrive.

    Args:
        data: Bytes that have arrived.
        start: Offset of the head.
        scanned: Offset up to which an earlier call has found no end of the head.

    Raises:
        AttemptError: The bytes are no head of HTTP/1, or the heads are too large.
    """
    first = bytes(data[start : start + 5])
    if not b"HTTP/".startswith(first):
        raise _not_http_error(first)
    status_line = _STATUS_LINE.match(data, start)
    if status_line is None and (end_of_line := data.find(b"\n", start)) >= 0:
        raise _not_http_error(bytes(data[start:end_of_line]))
    end = _HEAD_END.search(data, max(start, scanned - 2))
    if (len(data) + 1 if end is None else end.end()) > MAX_HEAD_BYTES:
        message = f"header block over {MAX_HEAD_BYTES // 1024} KiB"
        raise AttemptError(ErrorKind.HEADERS_TOO_LARGE, message)
    if end is None or status_line is None:
        return None
    if int(status_line[2]) == HTTPStatus.SWITCHING_PROTOCOLS:
        raise malformed_error("HTTP 101 Switching Protocols, which was not asked for")
    lines = _checked_lines(data[status_line.end() : end.start() + 1].decode("latin-1"))
    size, is_version_10 = end.end() - start, status_line[1] == b"0"
    return _head(int(status_line[2]), lines, size=size, is_version_10=is_version_10)


def _checked_lines(block: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for line in block.split("\n")[:-1]:
        match = _FIELD_LINE.fullmatch(line.removesuffix("\r"))
        if match is None or (match[1] is None and not lines):
            raise _line_error(line)
        if match[1] is None:
            # A line that begins with a blank continues the line before (RFC 9112 §5.2).
            name, value = lines.pop()
            lines.append((name, f"{value} {match[4].strip(_BLANKS)}".strip(_BLANKS)))
            continue
        name = match[1].lower()
        if match[2] and name in _FRAMING_FIELDS:
            raise _line_error(line)
        lines.append((name, match[3].strip(_BLANKS)))
    return lines


def _head(
    status: int, lines: list[tuple[str, str]], *, size: int, is_version_10: bool = False
) -> ReplyHead:
    fields = dict(lines)
    if len(fields) == len(lines):
        return ReplyHead(status, fields, lines, size, is_version_10)
    # An application and the server in front of it may both send the same field.
    kept = _without_repeats(lines)
    values: dict[str, list[str]] = {}
    for name, value in kept:
        values.setdefault(name, []).append(value)
    fields = {name: ", ".join(each) for name, each in values.items()}
    return ReplyHead(status, fields, kept, size, is_version_10)


def _without_repeats(lines: Lines) -> Lines:
    once = dict.fromkeys(line for line in lines if line[0] not in _REPEATABLE)
    return [line for line in lines if line[0] in _REPEATABLE or once.pop(line, True) is None]


def _not_http_error(data: bytes) -> AttemptError:
    if data[:2] in _TLS_RECORDS:
        message = "the server speaks TLS on this port: try https"
        return AttemptError(ErrorKind.NOT_HTTP, message)
    return AttemptError(ErrorKind.NOT_HTTP, f"not an HTTP/1 status line: {data[:60]!r}")


def _line_error(line: str) -> AttemptError:
    # Only the name, because the value may be a cookie.
    name = line.partition(":")[0][:60].encode("latin-1")
    return malformed_error(f"not a header line: {name!r}")


def malformed_error(message: str) -> AttemptError:
    """Return the error for a reply that is malformed."""
    return AttemptError(ErrorKind.MALFORMED, message)
