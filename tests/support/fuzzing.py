"""Replies that are damaged on their way, and the content that they carry by the standards."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from hypothesis import strategies as st

from tests.support.slow_reader import Ending, members, read_reply

HOST = "127.0.0.1"
_JOIN_TIMEOUT = 20.0

TEXT = b"Sphinx of black quartz, judge my vow. 0123456789\r\n" * 4
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\n"
ZIPPED = gzip.compress(TEXT, mtime=0)
LENGTH = b"Content-Length: %d\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"%x\r\n" % 100 + TEXT[:100] + b"\r\n%x;a=b\r\n" % 100 + TEXT[100:] + b"\r\n0\r\n"
MESSAGES = {
    "length": OK + LENGTH % len(TEXT) + b"\r\n" + TEXT,
    "length twice": OK + LENGTH % len(TEXT) + LENGTH % len(TEXT) + b"\r\n" + TEXT,
    "chunks": OK + CHUNKED + CHUNKS + b"\r\n",
    "chunks and a trailer": OK + CHUNKED + CHUNKS + b"Expires: never\r\nX: y\r\n\r\n",
    "chunks and a length": OK + b"Content-Length: 3\r\n" + CHUNKED + CHUNKS + b"\r\n",
    "until the close": OK + b"\r\n" + TEXT,
    "nothing": OK + b"Content-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + OK + LENGTH % 200 + b"\r\n" + TEXT,
    "folded": OK + b"X-Folded: a\r\n b\r\n\tc\r\n" + LENGTH % len(TEXT) + b"\r\n" + TEXT,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 200\r\n\r\n" + TEXT,
    "gzip": OK + b"Content-Encoding: gzip\r\n" + LENGTH % len(ZIPPED) + b"\r\n" + ZIPPED,
    "gzip until the close": OK + b"Content-Encoding: gzip\r\n\r\n" + ZIPPED,
    "error": b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy",
    "partial": b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\nabcd",
}


@dataclass(frozen=True, slots=True)
class Spoiling:
    """One damage to a message.

    Args:
        how: Its name in SPOILINGS.
        where: Place, from 0 (the start) to 1 (the end).
        what: Bytes to put there.
    """

    how: str
    where: float
    what: bytes

    def applied(self, message: bytes) -> bytes:
        """Return the damaged message."""
        place = round(self.where * len(message))
        return SPOILINGS[self.how](message, place, self.what)


def _line(message: bytes, place: int) -> tuple[int, int]:
    """Return start and end of the line at this place."""
    start = message.rfind(b"\n", 0, place) + 1
    end = message.find(b"\n", place) + 1
    return start, end or len(message)


def _repeat_line(message: bytes, place: int, _: bytes) -> bytes:
    start, end = _line(message, place)
    return message[:end] + message[start:end] + message[end:]


def _drop_line(message: bytes, place: int, _: bytes) -> bytes:
    start, end = _line(message, place)
    return message[:start] + message[end:]


def _swap_line_end(message: bytes, place: int, _: bytes) -> bytes:
    return message[:place] + message[place:].replace(b"\r\n", b"\n", 1)


def _change_number(message: bytes, place: int, what: bytes) -> bytes:
    number = b"%d" % int.from_bytes(what[:3], "big")
    return message[:place] + re.sub(rb"\d+", number, message[place:], count=1)


SPOILINGS: dict[str, Callable[[bytes, int, bytes], bytes]] = {
    "insert": lambda message, place, what: message[:place] + what + message[place:],
    "overwrite": lambda message, place, what: (
        message[:place] + what + message[place + len(what) :]
    ),
    "delete": lambda message, place, what: message[:place] + message[place + len(what) :],
    "cut": lambda message, place, _: message[:place],
    "splice": lambda message, place, _: message[:place] + message,
    "repeat a line": _repeat_line,
    "drop a line": _drop_line,
    "swap a line's end": _swap_line_end,
    "change a number": _change_number,
}
PIECES = [
    *[b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"-", b"0", b"9", b"\xff"],
    *[b"Content-Length: 7\r\n", b"Content-Encoding: gzip\r\n", b"HTTP/1.1 "],
    *[b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n"],
    *[b"\r\n\r\n", b"0\r\n\r\n", b"A" * 70_000],
]


def spoilings(pieces: list[bytes]) -> st.SearchStrategy[list[Spoiling]]:
    """Return a strategy for the damages to a message, with these pieces and any short ones."""
    what = st.sampled_from(pieces) | st.binary(min_size=1, max_size=9)
    # Floats would gather at simple fractions.
    where = st.sampled_from([place / 1000 for place in range(1001)])
    one = st.builds(Spoiling, st.sampled_from(sorted(SPOILINGS)), where, what)
    return st.lists(one, min_size=1, max_size=4)


def spoilt(message: bytes, by: list[Spoiling]) -> bytes:
    """Return a message with all these damages."""
    for spoiling in by:
        message = spoiling.applied(message)
    return message


def carried(message: bytes, *, ending: Ending) -> bytes | None:
    """Return the content of the file in a reply, after which the connection ends so.

    It is None if there is no file: the message is cut, breaks a rule, or is no plain success.
    """
    verdict = read_reply(message, ending=ending)
    if verdict.kind or not 200 <= verdict.status < 300 or verdict.status == 206:
        return None
    # Words with a slash are media types, which damage may put there.
    words = members(verdict.fields, "content-encoding")
    codings = {word for word in words if word not in ("", "identity") and "/" not in word}
    if not codings or not verdict.body:
        return verdict.body
    # Some servers name gzip twice and apply it once.
    return _unzipped(verdict.body) if codings <= {"gzip", "x-gzip"} else None


def _unzipped(body: bytes) -> bytes | None:
    whole = b""
    while body:
        member = zlib.decompressobj(31)
        try:
            whole += member.decompress(body)
        except zlib.error:
            return None
        if not member.eof:
            return None
        body = member.unused_data
    return whole


class Spoiler:
    """A server that answers each request with the same bytes, and then closes.

    Threads: `message`, `step` and `is_reset` are set between requests only.
    """

    def __init__(self) -> None:
        self.message = b""
        self.step = 0
        self.is_reset = False
        self._is_stopping = False
        self._listener = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/file.bin"
        self._thread = threading.Thread(target=self._serve, name="spoiler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping = True
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(_JOIN_TIMEOUT)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if self._is_stopping:
                    return
                connection.settimeout(_JOIN_TIMEOUT)
                with contextlib.suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return
            request += data
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in self._pieces():
            connection.sendall(piece)
        if self.is_reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    def _pieces(self) -> Iterator[bytes]:
        step = self.step or max(1, len(self.message))
        for start in range(0, len(self.message), step):
            yield self.message[start : start + step]
