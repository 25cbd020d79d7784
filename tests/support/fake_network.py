"""A network that answers from a script, and the replies of a server that has two versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from requests.structures import CaseInsensitiveDict

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import AttemptLimits, ErrorKind
from url_downloader.shared.ports import Fields

V1 = bytes(range(40))
V2 = bytes(range(100, 145))
TAGS = {V1: '"v1"', V2: '"v2"'}
"""Two versions of a file, and their entity tags."""
CUT = AttemptError(ErrorKind.TRUNCATED, "cut short")


class Request(NamedTuple):
    """A request as the network gets it."""

    url: str
    headers: Fields
    conditions: Fields
    limits: AttemptLimits


class FakeReply:
    """A reply of the script.

    Args:
        status: Its status code.
        body: Chunks of its body; an exception among them is raised in its turn.
        headers: Header fields, with `_` for `-` in their names.

    Attributes:
        is_read: Whether the body was asked for.
    """

    is_length_known = True
    url = "http://user:secret@mirror/file.bin"

    def __init__(self, status: int, *body: bytes | BaseException, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.status = status
        self.headers = CaseInsensitiveDict[str](named)
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


class FakeNetwork:
    """A transport that gives the replies in their order.

    Args:
        replies: Its script; a request too many fails the test.
        note: Called with each call, such as `open`; it may raise.

    Attributes:
        requests: All requests so far.
    """

    def __init__(self, *replies: FakeReply, note: Callable[[str], None]) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self._note = note

    @property
    def asked(self) -> list[Mapping[str, str]]:
        """The conditions of each request."""
        return [dict(each.conditions) for each in self.requests]

    @property
    def ranges(self) -> list[int]:
        """The first byte that each request asks for."""
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
    """Return all of a version, in two chunks."""
    fields = {"etag": TAGS[version], "content_length": str(len(version))} | headers
    return FakeReply(200, version[:11], version[11:], **fields)


def cut(version: bytes, size: int, **headers: str) -> FakeReply:
    """Return all of a version, but the connection is lost after `size` bytes."""
    reply = full(version, **headers)
    reply.body = (version[:size], CUT)
    return reply


def piece(version: bytes, first: int, end: int | None = None, **headers: str) -> FakeReply:
    """Return bytes `first` up to `end` of a version, as a server with ranges sends them."""
    end = len(version) if end is None else end
    span = f"bytes {first}-{end - 1}/{len(version)}"
    fields = {"etag": TAGS[version], "content_range": span, "content_length": str(end - first)}
    return FakeReply(206, version[first:end], **(fields | headers))


def chunked(reply: FakeReply, *body: bytes) -> FakeReply:
    """Return the same reply without a length, and with this body."""
    del reply.headers["content-length"]
    reply.body = body
    return reply
