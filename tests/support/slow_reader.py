"""A slow reader of HTTP/1.1 replies (RFC 9112), which the program's reader must agree with.

It gets all bytes of a connection at once, and takes them line by line. Independent of the
program under test.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from url_downloader.shared.models import ErrorKind

MAX_HEADS = 1 << 18
"""Bytes of all heads of a reply, those of 1xx replies included."""
MAX_INTERIM = 100
"""Number of 1xx replies before the final one."""
MAX_SIZE_LINE = 1 << 12
"""Bytes of a line with the size of a chunk, its end included."""
MAX_TRAILER = 1 << 16
"""Bytes of a trailer, its empty line included."""
MAX_LENGTH_DIGITS = 18

_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9][0-9])(?:[ \t][^\r\n\0]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)([ \t]*):([^\r\n\0]*)")
_FOLD = re.compile(rb"[ \t][^\r\n\0]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n\0]*)?")
_FRAMING = ("content-length", "transfer-encoding")

Fields = tuple[tuple[str, str], ...]


class Ending(enum.Enum):
    """Way in which the connection ends after the last byte."""

    CLOSED = "closed in the clear"
    NOTIFIED = "closed in TLS, with close_notify"
    CUT = "closed in TLS, without close_notify"
    RESET = "reset"


class Verdict(NamedTuple):
    """Judgement of a reply.

    Args:
        kind: Kind of the failure; None if the reply was read to its end. The other fields have
            a meaning only then.
        status: Status of the final reply.
        body: Body without its framing; content codings are left as they are.
        is_reusable: Whether the connection may carry another request.
        consumed: Bytes of the reply, 1xx replies and the trailer included.
        fields: Names in lower case, and values, of the header fields.
    """

    kind: ErrorKind | None
    status: int = 0
    body: bytes = b""
    is_reusable: bool = False
    consumed: int = 0
    fields: Fields = ()


class _Head(NamedTuple):
    minor: int
    status: int
    fields: Fields

    @property
    def persists(self) -> bool:
        """Return whether the connection stays open after this reply (RFC 9112 §9.3)."""
        options = members(self.fields, "connection")
        return "close" not in options and (self.minor > 0 or "keep-alive" in options)


class _ReplyError(Exception):
    def __init__(self, kind: ErrorKind) -> None:
        super().__init__(kind)
        self.kind = kind


def read_reply(data: bytes, *, ending: Ending) -> Verdict:
    """Judge the first reply among all bytes of a connection.

    Args:
        data: All bytes that arrive.
        ending: How the connection ends after them.
    """
    try:
        return _Connection(data, ending).reply()
    except _ReplyError as failure:
        return Verdict(failure.kind)


def members(fields: Fields, name: str) -> list[str]:
    """Return the members of a list field in lower case; values that are equal count once."""
    values = dict.fromkeys(value.lower() for known, value in fields if known == name)
    return [member.strip(" \t") for value in values for member in value.split(",")]


class _Connection:
    """The bytes of a connection, and the place up to which they are read."""

    def __init__(self, data: bytes, ending: Ending) -> None:
        self._data = data
        self._at = 0
        self._ending = ending

    def reply(self) -> Verdict:
        """Return the verdict of a reply that is read to its end."""
        head = self._final_head()
        framed = self._framed(head)
        body, is_bounded = framed or (self._rest(), False)
        return Verdict(
            kind=None,
            status=head.status,
            body=body,
            is_reusable=head.persists and is_bounded and self._at == len(self._data),
            consumed=self._at,
            fields=head.fields,
        )

    def _final_head(self) -> _Head:
        for _ in range(MAX_INTERIM + 1):
            head = self._head()
            if head.status == 101:
                raise _ReplyError(ErrorKind.MALFORMED)
            if head.status >= 200:
                return head
        raise _ReplyError(ErrorKind.HEADERS_TOO_LARGE)

    def _head(self) -> _Head:
        if not self._data:
            raise _ReplyError(ErrorKind.RESET)
        if not b"HTTP/".startswith(self._data[self._at : self._at + 5]):
            raise _ReplyError(ErrorKind.NOT_HTTP)
        status = _STATUS_LINE.fullmatch(self._head_line())
        if status is None:
            raise _ReplyError(ErrorKind.NOT_HTTP)
        lines = []
        while line := self._head_line():
            lines.append(line)
        return _Head(int(status[1]), int(status[2]), _fields(lines))

    def _head_line(self) -> bytes:
        return self._line(MAX_HEADS, ErrorKind.HEADERS_TOO_LARGE)

    def _framed(self, head: _Head) -> tuple[bytes, bool] | None:
        """Return a body, and whether its end was seen; None if the close ends it (§6.3)."""
        if head.status in (204, 304):
            return b"", True
        codings = members(head.fields, "transfer-encoding")
        codings = [coding for coding in codings if coding != "identity"]
        lengths = dict.fromkeys(members(head.fields, "content-length"))
        if codings:
            if codings != ["chunked"]:
                raise _ReplyError(ErrorKind.MALFORMED)
            body, has_end = self._chunked()
            # §6.1: framing in doubt; a relay may have read the reply otherwise.
            return body, has_end and not lengths and head.minor > 0
        if not lengths:
            return None
        length, *others = lengths
        if others or not re.fullmatch(f"[0-9]{{1,{MAX_LENGTH_DIGITS}}}", length):
            raise _ReplyError(ErrorKind.MALFORMED)
        return self._take(int(length)), True

    def _chunked(self) -> tuple[bytes, bool]:
        """Return a chunked body, and whether its trailer has an end."""
        body = b""
        while size := self._chunk_size():
            body += self._take(size)
            if self._data[self._at : self._at + 1] == b"\r":
                self._at += 1
            if self._take(1) != b"\n":
                raise _ReplyError(ErrorKind.MALFORMED)
        limit = self._at + MAX_TRAILER
        try:
            while self._line(limit, ErrorKind.MALFORMED):
                pass
        except _ReplyError as failure:
            if failure.kind is ErrorKind.MALFORMED:
                raise
            return body, False
        return body, True

    def _chunk_size(self) -> int:
        line = self._line(self._at + MAX_SIZE_LINE, ErrorKind.MALFORMED)
        match = _SIZE.fullmatch(line)
        if match is None or int(match[1], 16) >= 16**15:
            raise _ReplyError(ErrorKind.MALFORMED)
        return int(match[1], 16)

    def _rest(self) -> bytes:
        """Return what comes up to the close; over TLS only close_notify is one (§9.8)."""
        if self._ending in (Ending.CUT, Ending.RESET):
            raise self._lost()
        return self._take(len(self._data) - self._at)

    def _line(self, limit: int, too_long: ErrorKind) -> bytes:
        """Return a line without its end, which must come before the place `limit`."""
        end = self._data.find(b"\n", self._at)
        is_whole = end >= 0
        if (end if is_whole else len(self._data)) >= limit:
            raise _ReplyError(too_long)
        if not is_whole:
            raise self._lost()
        line = self._data[self._at : end].removesuffix(b"\r")
        self._at = end + 1
        return line

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise self._lost()
        self._at += size
        return taken

    def _lost(self) -> _ReplyError:
        is_reset = self._ending is Ending.RESET
        return _ReplyError(ErrorKind.RESET if is_reset else ErrorKind.TRUNCATED)


def _fields(lines: list[bytes]) -> Fields:
    """Return the fields of a head without its status line (§5)."""
    fields: list[tuple[str, str]] = []
    for line in lines:
        if fields and _FOLD.fullmatch(line):
            name, value = fields.pop()
            fields.append((name, f"{value} {_text(line)}".strip(" ")))
            continue
        match = _FIELD.fullmatch(line)
        name = match[1].decode("ascii").lower() if match else ""
        if match is None or (match[2] and name in _FRAMING):
            raise _ReplyError(ErrorKind.MALFORMED)
        fields.append((name, _text(match[3])))
    return tuple(fields)


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \t")
