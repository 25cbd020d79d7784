"""Replies that HttpClient gets from a scripted server: well-formed, malformed, stalled."""

from __future__ import annotations

import threading

import pytest

from tests.support.http_requests import error_of, open_reply, receive
from tests.support.scripted_server import (
    Answer,
    Cut,
    Endless,
    Framing,
    Hold,
    Raw,
    Reply,
    Reset,
    ScriptedServer,
    Stall,
)
from url_downloader.network.client import HttpClient
from url_downloader.shared.models import ErrorKind

BODY = b"0123456789"
CHUNKED = Reply(body=BODY, framing=Framing.CHUNKED)
CHUNKS = b"3\r\n012\r\n7;x=y\r\n3456789\r\n0\r\n"
HEAD = Reply(body=BODY, headers={"X-One": "1"}).head


def with_fields(lines: bytes) -> Raw:
    """Return a reply with these lines of header fields, and BODY up to the close."""
    return Raw(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n0123456789" % lines)


@pytest.mark.parametrize(
    ("answer", "is_length_known"),
    [
        *[(Reply(body=BODY), True), (CHUNKED, True), (Reply(status=404, body=BODY), True)],
        (Reply(body=BODY, framing=Framing.CLOSE), False),
        (Raw(Reply(body=BODY).message.replace(b"\r\n", b"\n")), True),
        (Raw(b"HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\n" + Reply(body=BODY).message), True),
        (Raw(b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + CHUNKED.message), True),
        (with_fields(b"Content-Length: 10, 10"), True),
        (with_fields(b"Content-Length: 10\r\nContent-Length: 10"), True),
        (with_fields(b"Folded: a\r\n b\r\nLong: %b" % (b"x" * 250_000)), False),
        (with_fields(b"\r\n".join([b"Many: x"] * 300)), False),
        (with_fields(b"Spaced : x\r\nTab\t: x\r\nContent-Length: 10"), True),
        (Raw(CHUNKED.message.replace(b"\r\n", b"\n")), True),
        (Raw(CHUNKED.head + b"000000000000000000000a;x\n0123456789\n0\n\n"), True),
        (Raw(CHUNKED.head.replace(b"\r\n", b"\r\nContent-Length: 3\r\n", 1) + CHUNKS), True),
        # The body is complete even if the trailer section is not.
        *[(Raw(CHUNKED.head + CHUNKS + end), True) for end in (b"", b"X: y", b"X: y\r\n\r\n")],
    ],
)
def test_a_well_formed_reply(
    server: ScriptedServer, client: HttpClient, answer: Answer, is_length_known: bool
) -> None:
    """The client returns exactly the body, and tells whether its length was known."""
    server.play("/a", answer)
    assert receive(client, server.url("/a")) == (BODY, server.url("/a"), is_length_known)


@pytest.mark.parametrize("reply", [Reply(body=BODY), CHUNKED])
def test_a_body_that_arrives_in_pieces(
    server: ScriptedServer, client: HttpClient, reply: Reply
) -> None:
    """A read returns the bytes that have arrived, and does not wait for more."""
    more = threading.Event()
    server.play("/a", Raw(reply.message, Hold(more, reply.message.index(b"0123") + 4)))
    opened = open_reply(client, server.url("/a"))
    chunks = opened.chunks()
    assert next(chunks) == b"0123"
    more.set()
    assert b"".join(map(bytes, chunks)) == b"456789"
    opened.close()


MALFORMED_HEADERS = [
    *[
        b"no field line",
        b"Content-Length : 10",
        b"Nul: \0",
        b"Carriage: a\rb",
        b"Content-Length:",
    ],
    *[
        b"Content-Length:",
        b"Content-Length: -1",
        b"Content-Length: ten",
        b"Content-Length: 10, 11",
    ],
    *[b"Content-Length: 10\r\nContent-Length: 9", b"Transfer-Encoding: gzip, chunked"],
]
LARGE_HEADERS = [
    *[b"Long: " + b"x" * 270_000, b"\r\n".join([b"Many: " + b"x" * 60_000] * 5)],
    b"\r\n".join([b"Many: x"] * 30_000),
]
MALFORMED_CHUNKS = [
    *[b"-5\r\n01234\r\n0\r\n\r\n", b"0x5\r\n01234\r\n0\r\n\r\n", b"\r\n", b"f" * 16 + b"\r\n"],
    *[b"4\r\n01234\r\n0\r\n\r\n", b"5;" + b"x" * 5000 + b"\r\n01234\r\n0\r\n\r\n"],
]
OTHER_PROTOCOLS = [b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
SHORT = CHUNKED.message[:-7]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Reply(body=BODY, delivery=Cut(0)), ErrorKind.TRUNCATED),
        (Reply(body=bytes(1 << 20), delivery=Cut((1 << 20) - 1)), ErrorKind.TRUNCATED),
        *[(Reply(body=BODY, delivery=Reset(n)), ErrorKind.RESET) for n in (0, 9)],
        (Reply(body=BODY, framing=Framing.CLOSE, delivery=Reset(9)), ErrorKind.RESET),
        *[(Raw(CHUNKED.message, Reset(n)), ErrorKind.RESET) for n in (0, 20, len(SHORT))],
        (Raw(b""), ErrorKind.RESET),
        *[(Raw(start), ErrorKind.NOT_HTTP) for start in OTHER_PROTOCOLS],
        (Raw(b"HTTP/1.1 101 Switch\r\n\r\n"), ErrorKind.MALFORMED),
        (Raw(b"HTTP/1.1 103 E\r\nX: y\r\n\r\n", Endless()), ErrorKind.HEADERS_TOO_LARGE),
        *[(with_fields(lines), ErrorKind.HEADERS_TOO_LARGE) for lines in LARGE_HEADERS],
        *[(with_fields(lines), ErrorKind.MALFORMED) for lines in MALFORMED_HEADERS],
        *[(Raw(CHUNKED.head + bad), ErrorKind.MALFORMED) for bad in MALFORMED_CHUNKS],
        # The connection is closed after any number of bytes of the head, or of the chunks.
        *[(Raw(HEAD[:length]), ErrorKind.TRUNCATED) for length in range(1, len(HEAD))],
        *[
            (Raw(CHUNKED.head + CHUNKS[:length]), ErrorKind.TRUNCATED)
            for length in range(len(CHUNKS))
        ],
    ],
)
def test_a_broken_reply(
    server: ScriptedServer, client: HttpClient, answer: Answer, kind: ErrorKind
) -> None:
    """A truncated or malformed reply raises an error of its kind; the next request succeeds."""
    server.play("/a", answer)
    server.play("/b", Reply(body=BODY))
    assert error_of(client, server.url("/a")).kind is kind
    assert receive(client, server.url("/b")).body == BODY


@pytest.mark.parametrize("length", [0, 20, len(CHUNKED.head), len(SHORT)])
def test_a_stalled_reply(server: ScriptedServer, client: HttpClient, length: int) -> None:
    """A stall before the head, in it, or in the body ends at the timeout."""
    server.play("/a", Raw(CHUNKED.message, Stall(length)))
    assert error_of(client, server.url("/a"), timeout=0.2).kind is ErrorKind.TIMEOUT


def test_no_server(client: HttpClient) -> None:
    """A refused connection, and a host name that does not exist, have their own error kinds."""
    with ScriptedServer() as gone:
        url = gone.url("/a")
    assert error_of(client, url).kind is ErrorKind.CONNECT
    assert error_of(client, "http://name.invalid/").kind is ErrorKind.DNS
