"""A fake network that answers from a script, and replies with two versions of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Fields

V1 = bytes(range(40))
V2 = bytes(range(100, 145))
"""Two versions of a file."""
TAGS = {V1: '"v1"', V2: '"v2"'}
"""Entity tags of the versions."""
CUT = AttemptError(ErrorKind.TRUNCATED, "cut short")
"""Error of a body that ends too early."""


class Request(NamedTuple):
    """A request that the network got."""

    url: str
    headers: Fields
    conditions: Fields
    limits: AttemptLimits


class FakeReply:
    """A reply of the script.

    Args:
        status: Status code.
        body: Chunks of the body; an exception among them is raised in its place.
        headers: Header fields, with `_` for `-` in their names.

    Attributes:
        length: Length of the body in bytes; None if the head does not state it.
        is_read: Whether the attempt has begun to read the body.
    """

    is_length_known = True
    url = "http://user:secret@mirror/file.bin"

    def __init__(self, status: int, *body: bytes | BaseException, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.length = _length(self.headers.get("content-length"))
        self.body = body
        self.is_read = False
        self.note: Callable[[str], None] = lambda call: None

    def chunks(self) -> Iterator[bytes]:
        self.is_read = True
        for chunk in self.body:
            if isinstance(chunk, BaseException):
                raise chunk
            self.note("chunk")
            yield chunk

    def drain(self) -> None:
        self.note("drain")

    def close(self) -> None:
        self.note("close")


def _length(text: str | None) -> int | None:
    return None if text is None else int(text)


class FakeNetwork:
    """A transport that returns the replies of a script.

    Args:
        replies: Replies in order; a request without a reply fails the test.
        note: Function that is called with the name of each call, such as `open`; it may raise.

    Attributes:
        requests: Requests in order.
    """

    def __init__(self, *replies: FakeReply, note: Callable[[str], None]) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self._note = note

    @property
    def asked(self) -> list[Mapping[str, str]]:
        """Return the conditions of each request."""
        return [dict(each.conditions) for each in self.requests]

    @property
    def ranges(self) -> list[int]:
        """Return the offset of the first byte that each request asks for."""
        return [int(fields.get("Range", "bytes=0-")[6:-1]) for fields in self.asked]

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> FakeReply:
        self.requests.append(Request(url, headers, conditions, limits))
        self._note("open")
        assert self.replies, "no reply is left for this request"
        reply = self.replies.pop(0)
        reply.note = self._note
        return reply

    def close(self) -> None:
        self._note("close")


def full(version: bytes, **headers: str) -> FakeReply:
    """Return a 200 with a whole version, in two chunks."""
    fields = {"etag": TAGS[version], "content_length": str(len(version))} | headers
    return FakeReply(200, version[:11], version[11:], **fields)


def cut(version: bytes, size: int, **headers: str) -> FakeReply:
    """Return a 200 with a version whose connection is lost after `size` bytes."""
    reply = full(version, **headers)
    reply.body = (version[:size], CUT)
    return reply


def piece(version: bytes, first: int, end: int | None = None, **headers: str) -> FakeReply:
    """Return a 206 with bytes `first` to `end - 1` of a version; by default up to its end."""
    end = len(version) if end is None else end
    span = f"bytes {first}-{end - 1}/{len(version)}"
    fields = {"etag": TAGS[version], "content_range": span, "content_length": str(end - first)}
    return FakeReply(206, version[first:end], **(fields | headers))


def chunked(reply: FakeReply, *body: bytes) -> FakeReply:
    """Return the reply without its length, and with this body, as chunked coding allows."""
    del reply.headers["content-length"]
    reply.length = None
    reply.body = body
    return reply
