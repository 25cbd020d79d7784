"""The reply to a GET: its head, and its body as it comes over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Protocol

from url_downloader.network.errors import LIBRARY_ERRORS, attempt_error
from url_downloader.network.headers import ReplyFields
from url_downloader.network.splice import PIPE_SIZE
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.ports import Chunk, Phase

CHUNK_SIZE = 256 * 1024
"""Bytes per read; twice as fast as 64 KiB on big bodies."""
_DRAIN_LIMIT = 64 * 1024


class Message(Protocol):
    """A reply as http.client and urllib3 show it."""

    status: int
    chunked: bool

    @property
    def headers(self) -> ReplyFields: ...
    def read1(self, n: int, /) -> Chunk: ...


class HttpReply:
    """The final reply to a GET, its body still to be read.

    Args:
        message: as it came.
        url: the address that answered, after redirects.
        let_go: called at its end, read or not.

    Threads: used in the transport's thread.
    """

    def __init__(
        self, message: Message, url: str, *, let_go: Callable[[], None], control: AttemptControl
    ) -> None:
        self.status = message.status
        self.headers = message.headers
        self.url = url
        self._message = message
        self._let_go = let_go
        self._control = control
        # What is done with the head, and later with the file, is no slowness of the server.
        control.enter(Phase.WORKING)

    @property
    def is_length_known(self) -> bool:
        """Whether the framing tells that the body is complete (RFC 9112 §6.3)."""
        has_length = "Content-Length" in self.headers or bool(self._message.chunked)
        return has_length or self.status == HTTPStatus.NO_CONTENT

    def chunks(self) -> Iterator[Chunk]:
        """The body as it arrives, still in its content coding.

        Of each chunk all is to be written or looked at before the next one is asked for.

        Raises:
            AttemptError: it is cut short, malformed, late, or the transport was aborted.
        """
        self._control.enter(Phase.REPLYING)
        is_piped = isinstance(self._message, StrictResponse) and self._message.pipe_body()
        size = PIPE_SIZE if is_piped else CHUNK_SIZE
        while chunk := self._read(size):
            yield chunk
        self._control.enter(Phase.WORKING)
        COMPUTE_TURN.acquire()

    def drain(self) -> None:
        """Read a small body away, so that the connection can serve again; then close."""
        self._control.enter(Phase.REPLYING)
        left = _DRAIN_LIMIT
        try:
            while left > 0 and (data := self._read(left)):
                left -= len(data)
                self._control.add_other_bytes(len(data))
        except AttemptError:
            pass
        self._control.enter(Phase.WORKING)
        COMPUTE_TURN.acquire()
        self.close()

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else drop it."""
        # Once: the next request may be on the connection already.
        let_go, self._let_go = self._let_go, lambda: None
        let_go()
        self._control.release_closed()

    def _read(self, size: int) -> Chunk:
        try:
            data = self._message.read1(size)
        except LIBRARY_ERRORS as error:
            self.close()
            raise self._control.failure() or attempt_error(error) from error
        # A connection that was cut ends like one that was closed well.
        if (failure := self._control.failure()) is not None:
            self.close()
            raise failure
        return data
