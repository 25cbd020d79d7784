"""Replies of HTTP/1.1 that were written by hand: whole, cut, and with broken rules.

The numbers are written out here, so that a changed limit is seen.
"""

from __future__ import annotations

MAX_HEADS, MAX_INTERIM, MAX_SIZE_LINE, MAX_TRAILER = 262_144, 100, 4096, 65_536
OK = b"HTTP/1.1 200 OK\r\n"
OLD = b"HTTP/1.0 200 OK\r\n"
FIVE = b"Content-Length: 5\r\n"
TEN = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = OK + CHUNKED + b"\r\n"
EARLY = b"HTTP/1.1 103 Early\r\nContent-Length: x\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 C\r\n\r\n"
FULL = OK + b"X: %b\r\n\r\n"
"""A head with room for a value."""
ROOM = MAX_HEADS - len(FULL % b"")

WHOLE: list[tuple[bytes, bytes, bool]] = [
    # Counted bodies.
    (OK + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    (OK + b"Content-Length: 005\r\n\r\nabcde", b"abcde", True),
    (OK + b"Content-Length: 000000000000000005\r\n\r\nabcde", b"abcde", True),
    (OK + b"content-LENGTH:5 \t\r\n\r\nabcde", b"abcde", True),
    (OK + b"Content-Length: 5, 5\t,5\r\n\r\nabcde", b"abcde", True),
    (OK + FIVE + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"Content-Length:\r\n 5\r\n\r\nabcde", b"abcde", True),
    (OK + b"Content-Length: 5\r\n \r\n\r\nabcde", b"abcde", True),
    (OK + b"Transfer-Encoding: Identity\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nabcde", b"abcde", True),
    # Status lines and field lines.
    (b"HTTP/1.1 200\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (b"HTTP/1.1   200 \r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (b"HTTP/1.1 200\tO\x01\xff\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (b"HTTP/1.1 \t200 OK\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (b"HTTP/1.9 200 OK\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"X \t: y\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"!#$%&'*+-.^_`|~9:\x01\xff\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"X: y\r\n Content-Length: 9\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"X: y\r\n" * 1000 + FIVE + b"\r\nabcde", b"abcde", True),
    (OK + b"X: " + b"y" * 200_000 + b"\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    # Connections that stay open, or not.
    (OLD + FIVE + b"\r\nabcde", b"abcde", False),
    (OLD + b"Connection: Keep-Alive\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    (OLD + b"Connection: keep-alive, close\r\n" + FIVE + b"\r\nabcde", b"abcde", False),
    (OK + b"Connection: x ,CLOSE\r\n" + FIVE + b"\r\nabcde", b"abcde", False),
    (OK + b"Connection: x\r\nConnection: close\r\n" + FIVE + b"\r\nabcde", b"abcde", False),
    (OK + b"Connection: closed\r\n" + FIVE + b"\r\nabcde", b"abcde", True),
    # Interim replies.
    (EARLY + OK + FIVE + b"\r\nabcde", b"abcde", True),
    (CONTINUE * MAX_INTERIM + OK + FIVE + b"\r\nabcde", b"abcde", True),
    # Chunks.
    (CHUNKS + b"0\r\n\r\n", b"", True),
    (CHUNKS + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", True),
    (CHUNKS + b"3\nabc\n2\r\nde\n0\n\n", b"abcde", True),
    (CHUNKS + b"003 \t\r\nabc\r\n2 ;a=\"\xff ;b\"\r\nde\r\n000;\r\n\r\n", b"abcde", True),
    (CHUNKS + b"A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
     b"0123456789\r\n\r\n\r\n\r\n\r\n", True),
    (CHUNKS + b"1;%b\r\nx\r\n0\r\n\r\n" % (b"y" * (MAX_SIZE_LINE - 4)), b"x", True),
    (CHUNKS + b"0" * (MAX_SIZE_LINE - 3) + b"1\r\nx\r\n0\r\n\r\n", b"x", True),
    (CHUNKS + b"0\r\nX: y\r\nno field\0\r\r\n\r\n", b"", True),
    (CHUNKS + b"0\r\n%b\n\r\n" % (b"x" * (MAX_TRAILER - 3)), b"", True),
    (OK + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", b"", True),
    (OK + b"Transfer-Encoding: identity, Chunked\r\n\r\n0\r\n\r\n", b"", True),
    (OK + FIVE + CHUNKED + b"\r\n1\r\nx\r\n0\r\n\r\n", b"x", False),
    (OK + CHUNKED + b"Content-Length: no\r\n\r\n1\r\nx\r\n0\r\n\r\n", b"x", False),
    (OLD + b"Connection: keep-alive\r\n" + CHUNKED + b"\r\n0\r\n\r\n", b"", False),
]  # fmt: skip
"""Replies with status 200 and nothing after them, their bodies, and whether they may go on."""

BY_CLOSE = [
    head + b"\r\nHTTP/1.1 200\r\n"
    for head in (
        OK,
        OK + b"Transfer-Encoding: identity\r\n",
        OLD + b"Connection: keep-alive\r\n",
    )
]
"""Replies with a body that the close ends: it looks like a status line."""

WITHOUT_BODY = [
    (status, b"HTTP/1.1 %d x\r\n%b\r\n" % (status, field))
    for status in (204, 304)
    for field in (b"X: y\r\n", FIVE, CHUNKED, b"Content-Length: x\r\n")
]
"""Replies with a status that has no body, whatever the fields say."""

CUT_TRAILERS = [
    CHUNKS + b"1\r\nx\r\n0\r\n" + trailer
    for trailer in (b"", b"\r", b"X", b"X: y\r\n", b"X: y\r\n\r")
]
"""Replies with the body `x` and no end of their trailer."""

UNFINISHED = [
    *[b"H", b"HTTP", b"HTTP/", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r", OK, OK + b"\r"],
    # A line is judged when it is whole, and fields when the head is.
    *[b"HTTP/x", b"HTTP/1.1 20\0", OK + b"no field\r\nX", OK + b" folded\r\n"],
    *[b"HTTP/1.1 101 Switch\r\n", EARLY, EARLY + b"HTT"],
    *[TEN, TEN + b"abcdefghi", OK + b"Content-Length: 999999999999999999\r\n\r\nabc"],
    *[CHUNKS + b"5\r\nabcde\r\n0\r\n"[:length] for length in range(13)],
    *[CHUNKS + b"rubbish", CHUNKS + b"f" * 15 + b"\r\nx", CHUNKS + b"0" * (MAX_SIZE_LINE - 1)],
    *[FULL[:-4] % (b"y" * ROOM), FULL[:-1] % (b"y" * ROOM)],
]
"""Starts of replies that may still become whole or broken."""

NOT_HTTP = [
    *[b"x", b"HTX", b"http/1.1 200 OK", b" HTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK\r\n\r\n"],
    *[b"HTTP/2 200\r\n", b"HTTP/2.0 200 OK\r\n", b"HTTP/1.10 200 OK\r\n", b"HTTP/\n"],
    *[b"HTTP/1.1\x0b200 OK\r\n", b"HTTP/1.1 \xa0200 OK\r\n", b"HTTP/1.1 200OK\r\n"],
    *[b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 099 OK\r\n", b"HTTP/1.1 20 OK\r\n"],
    *[b"HTTP/1.1 \xb200 OK\r\n", b"HTTP/1.1 200 O\rK\r\n", b"HTTP/1.1 200 OK\r\r\n"],
    *[b"HTTP/1.1 200 \0\r\n", b"HTTP/1.1\r\n" + b"X: y\r\n" * 50_000],
    *[CONTINUE + b"x", CONTINUE + b"\r\n"],
]

TOO_LARGE = [
    *[b"HTTP/1.1 200 " + b"x" * MAX_HEADS, FULL % (b"y" * (ROOM + 1)), FULL % bytes(ROOM + 1)],
    *[OK + b"X: y\r\n" * 50_000, CONTINUE * (MAX_INTERIM + 1)],
    b"HTTP/1.1 103 x\r\nX: %b\r\n\r\n" % (b"y" * 100_000) * 3,
    (FULL % (b"y" * ROOM)).replace(b" 200", b" 103"),
    FULL[:-2] % (b"y" * (ROOM + 2)),
]

_BAD_LINES = [
    *[b" folded", b"no colon", b": x", b"a b: x", b"\xe4: x", b"X: a\0", b"X: a\rb", b"X: a\r"],
    *[b"\r", b"X: y\r\n \0", b"X\r\n : y", b"X: y\r\n\ta\rb", b"Content-Length : 5"],
    *[b"transfer-encoding\t: chunked"],
]
_BAD_LENGTHS = [
    *[b"", b"-5", b"+5", b"5.0", b"5,", b"5, 6", b"5 5", b"0x5", b"05, 5", b"\xb2", b"0" * 19],
    *[b"5\r\nContent-Length: 6"],
]
_BAD_CODINGS = [
    *[b"", b"gzip", b"chunke", b"gzip, chunked", b"chunked, chunked", b"chunked,"],
    *[b"chunked\r\nTransfer-Encoding: gzip\r\nContent-Length: 5"],
]
_BAD_SIZES = [
    *[b"", b" ", b" 5", b"-5", b"+5", b"0x5", b"g", b"5h", b"5 5", b"5\r", b"5\0", b"5;\0"],
    *[b"5;a\rb", b";a", b"1" + b"0" * 15, b"\xb2", b"0" * (MAX_SIZE_LINE - 1)],
    *[b"f" * MAX_SIZE_LINE, b"5;" + b"x" * (MAX_SIZE_LINE - 3)],
]
_BAD_DATA_ENDS = [b"y", b"0\r\n\r\n", b"\ry", b"\r\r\n", b" \r\n", b"\r\n\r\n"]
_LONG_TRAILERS = [
    *[b"x" * MAX_TRAILER, b"X: y\r\n" * 20_000 + b"\r\n"],
    b"x" * (MAX_TRAILER - 2) + b"\n\r\n",
]
MALFORMED = [
    *[OK + line + b"\r\n\r\nabcde" for line in _BAD_LINES],
    *[b"HTTP/1.1 103 x\r\nno colon\r\n\r\n", b"HTTP/1.1 204 x\r\nContent-Length : 5\r\n\r\n"],
    *[b"HTTP/1.1 101 Switch\r\n\r\n", FULL % bytes(ROOM)],
    *[OK + b"Content-Length: %b\r\n\r\nabcde" % length for length in _BAD_LENGTHS],
    *[OK + b"Transfer-Encoding: %b\r\n\r\n0\r\n\r\n" % coding for coding in _BAD_CODINGS],
    *[CHUNKS + line + b"\r\n" for line in _BAD_SIZES],
    *[CHUNKS + b"1\r\nx" + end for end in _BAD_DATA_ENDS],
    *[CHUNKS + b"0\r\n" + trailer for trailer in _LONG_TRAILERS],
]
