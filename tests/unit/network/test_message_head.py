"""Header blocks to the letter of RFC 9112, over streams in memory."""

from __future__ import annotations

import http.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory_replies import (
    BIG,
    FIELDS,
    NEXT,
    OK,
    assert_malformed,
    body_of,
    head,
    refusal,
    reply,
)
from url_downloader.network.message_head import (
    MAX_HEADER_BYTES,
    MAX_INTERIM,
    header_block,
    request_line,
)

TOO_LARGE = "headers-too-large"
CUT_HEAD = "truncated: connection closed inside the header block"


@pytest.mark.parametrize(
    "whole",
    [
        head(b"Content-Length: 0", b"X: y"),
        head(b"X: y").replace(b"\r\n", b"\n"),
        b"HTTP/1.0 404\r\nX:\r\n folded\r\n\r\n",
        head(b"Link: </a>", status=b"HTTP/1.1 103 Early Hints\r\n") + head(b"X: y"),
        head(status=b"HTTP/1.1 100 Continue\r\n") * 2 + head(),
    ],
)
def test_the_end_of_the_stream_within_a_header_block(whole: bytes) -> None:
    """A connection that closes inside the header block, at any byte, is an error."""
    assert reply(whole).status in (200, 404)
    for end in range(1, len(whole)):
        assert refusal(whole[:end]) == CUT_HEAD, whole[:end]


@given(FIELDS, st.integers(0, 10**6))
def test_any_header_block_is_read_whole_or_not_at_all(fields: list[bytes], place: int) -> None:
    """A header block of any fields is read to its last byte, or is an error."""
    whole = head(*fields)
    assert len(reply(whole).headers.lines) == len(fields)
    cut = whole[: 1 + place % (len(whole) - 1)]
    assert refusal(cut) == CUT_HEAD


def test_no_reply_at_all() -> None:
    """A connection that closes before the first byte raises http.client's own error."""
    with pytest.raises(http.client.RemoteDisconnected):
        reply(b"")


@pytest.mark.parametrize("status", [100, 102, 103, 150, 199])
@pytest.mark.parametrize("times", [1, 3, 50])
def test_interim_replies_are_skipped(status: int, times: int) -> None:
    """Any number of 1xx replies is skipped; the final reply has its own fields alone."""
    interim = b"HTTP/1.1 %d Interim\r\nContent-Length: 9\r\nX-Interim: 1\r\n\r\n" % status
    response = reply(interim * times + head(b"X: y", b"Content-Length: 4") + b"data" + NEXT)
    assert response.status == 200
    assert response.headers.lines == [("X", "y"), ("Content-Length", "4")]
    assert body_of(response) == b"data"


def test_interim_replies_without_end() -> None:
    """The bytes of interim replies before a final one are bounded."""
    interim = head(b"X: " + b"y" * 60_000, status=b"HTTP/1.1 102 Processing\r\n")
    assert_malformed(
        interim * (MAX_HEADER_BYTES // len(interim) + 1), "over 256 KiB", kind=TOO_LARGE
    )


def test_too_many_interim_replies() -> None:
    """More than a hundred interim replies are refused, however short they are."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert reply(interim * MAX_INTERIM + head()).status == 200
    assert_malformed(interim * (MAX_INTERIM + 1) + head(), "more than 100", kind=TOO_LARGE)


def test_switching_protocols_is_refused() -> None:
    """A 101 is refused, as what follows it is not HTTP/1."""
    assert_malformed(head(status=b"HTTP/1.1 101 Switching Protocols\r\n") + head(), "101")


@pytest.mark.parametrize(
    "status_line",
    [
        *(b"\r\n", b"\n", b" \r\n", b"200 OK\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 \r\n"),
        *(b"HTTP/2 200 OK\r\n", b"HTTP/2.0 200 OK\r\n", b"HTTP/0.9 200 OK\r\n"),
        *(b"HTTP/1 200 OK\r\n", b"HTTP/1.10 200 OK\r\n", b"http/1.1 200 OK\r\n"),
        *(b"ICY 200 OK\r\n", b" HTTP/1.1 200 OK\r\n", b"<html>\r\n", b"SSH-2.0-OpenSSH\r\n"),
        *(b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 099 OK\r\n"),
        *(b"HTTP/1.1 +20 OK\r\n", b"HTTP/1.1 2 0 OK\r\n", b"HTTP/1.1 2_0 OK\r\n"),
        *(b"HTTP/1.1 200OK\r\n", b"HTTP/1.1 200 O\0K\r\n", b"HTTP/1.1 200 O\rK\r\n"),
        *(b"HTTP/1.1200 OK\r\n", b"\xef\xbb\xbfHTTP/1.1 200 OK\r\n"),
    ],
)
def test_a_malformed_status_line(status_line: bytes) -> None:
    """A line that is no HTTP/1 status line begins no reply, also after an interim one."""
    for before in (b"", b"HTTP/1.1 100 \r\n\r\n"):
        assert_malformed(before + head(status=status_line), "status line", kind="not-http")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "try https"),
        (b"\x16\x03\x03" + bytes(300), "try https"),
        (b"220 smtp.example.org ESMTP\r\n", "status line"),
        (b"HTT", "closed inside the header block"),
        (b"x" * BIG, "status line"),
        (b"x", "status line"),
    ],
)
def test_what_is_not_http(data: bytes, words: str) -> None:
    """Garbage and other protocols are reported as such, however short or long they are."""
    kind = "truncated" if data == b"HTT" else "not-http"
    assert_malformed(data, words, kind=kind)


@pytest.mark.parametrize(
    ("status_line", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK\n", 200, "OK"),
        (b"HTTP/1.0 404 Not Found\r\n", 404, "Not Found"),
        (b"HTTP/1.1 200\r\n", 200, ""),
        (b"HTTP/1.1 200 \r\n", 200, ""),
        (b"HTTP/1.1  200\tOK\r\n", 200, "OK"),
        (b"HTTP/1.1 999 \xfcber\r\n", 999, "über"),
    ],
)
def test_a_status_line(status_line: bytes, status: int, reason: str) -> None:
    """The forms of RFC 9112 §4 are understood, and the lone line feed of §2.2."""
    response = reply(head(status=status_line))
    assert (response.status, response.reason) == (status, reason)


@pytest.mark.parametrize(
    "line",
    [
        *(b"no colon", b": no name", b"two words: x", b"blank : x", b"tab\t: x", b"\0: x"),
        *(b"n\xe4me: x", b"a\0b: x", b"X: a\0b", b"X: a\rContent-Length: 5", b"X: a\r"),
        *(b"From me", b"(x): y", b"x,y: z", b"HTTP/1.1 200 OK", b"\x0bX: y", b" a\0b"),
    ],
)
def test_a_malformed_header_line(line: bytes) -> None:
    """A line that http.client would drop, or take for the end, is an error."""
    assert_malformed(head(line), "header line")
    assert_malformed(head(b"A: b", line, b"Content-Length: 0"), "header line")


def test_header_lines_are_kept() -> None:
    """Folded, repeated and empty fields are kept, and those with odd characters."""
    fields = [b"A:b", b"A: c \t", b"F: 1", b" ", b"\t2", b"E:", b"#$%&'*+^_`|~9: \xe4"]
    headers = reply(head(*fields)).headers
    assert headers.get_all("A") == ["b", "c"]
    assert headers["F"].split() == ["1", "2"]
    assert (headers["E"], headers["#$%&'*+^_`|~9"]) == ("", "ä")


@pytest.mark.parametrize("length", [65536, 65537, 100_000])
def test_an_oversize_line(length: int) -> None:
    """A line beyond http.client's bound is an error, not a cut value."""
    long = b"y" * length
    for block in (head(status=OK[:-2] + long + OK[-2:]), head(long + b":"), head(b" " + long)):
        with pytest.raises(http.client.HTTPException, match="line"):
            reply(block)


def test_an_oversize_block() -> None:
    """The number of lines in a block is bounded, and the number of its bytes."""
    assert reply(head(*[b"X: y"] * 99)).status == 200
    assert_malformed(head(*[b"X: y"] * 100), "more than 99", kind=TOO_LARGE)
    fields = [b"X: " + b"y" * 60_000] * 4
    left = MAX_HEADER_BYTES - len(head(*fields)) - len(b"X: \r\n")
    assert reply(head(*fields, b"X: " + b"y" * left)).status == 200
    assert_malformed(
        head(*fields, b"X: " + b"y" * (left + 1)), "header block over 256 KiB", kind=TOO_LARGE
    )


def test_the_head_of_a_request() -> None:
    """The head of a request has its fields in their order, and bytes as they are."""
    fields: dict[str, str | bytes] = {"Host": "a.test", "X-Name": "caf\xe9", "Y": b"\xc3\xa9"}
    assert request_line("GET", "/a?b") + header_block(fields) == (
        b"GET /a?b HTTP/1.1\r\nHost: a.test\r\nX-Name: caf\xe9\r\nY: \xc3\xa9\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "fields"),
    [("/a\r\nX: y", {}), ("/", {"A\n": "b"}), ("/", {"A": "b\r"}), ("/", {"A": b"b\0"})],
)
def test_nothing_ends_a_line_of_a_request(target: str, fields: dict[str, str | bytes]) -> None:
    """Line ends in a target or a field are refused, as they would add a field."""
    with pytest.raises(ValueError, match="line end"):
        request_line("GET", target) + header_block(fields)
