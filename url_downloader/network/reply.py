"""The final reply to a GET, as the caller of the network package sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus

from url_downloader.network.errors import LIBRARY_ERRORS, attempt_error
from url_downloader.network.splice import PIPE_SIZE
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.ports import Chunk, Phase

CHUNK_SIZE = 256 * 1024
"""Bytes per read; twice as fast as 64 KiB for large bodies."""
_MAX_DRAINED_SIZE = 64 * 1024
"""Bytes; longest body that is discarded to keep a connection open."""


class HttpReply:
    """Final reply to a GET: its head, and its body, which is still to be read.

    It implements `shared.ports.Reply` on top of a StrictResponse, which reads from the
    connection. It sets the phase of the attempt, and raises each failure as an AttemptError.

    Args:
        response: Response whose head has been read.
        url: URL that answered, after redirects.
        on_closed: Called once, when the reply is closed; the body may be unread.
        control: Control of the attempt.

    Attributes:
        status: Status code.
        headers: Header fields.
        url: The same URL.

    Threads: used only in the worker's thread.
    """

    def __init__(
        self,
        response: StrictResponse,
        url: str,
        *,
        on_closed: Callable[[], None],
        control: AttemptControl,
    ) -> None:
        self.status = response.status
        self.headers = response.headers
        self.url = url
        self._response = response
        self._on_closed = on_closed
        self._control = control
        # The attempt processes the head now: the server is not slow in this time.
        control.enter(Phase.WORKING)

    @property
    def is_length_known(self) -> bool:
        """Tell whether the framing shows where the body ends (RFC 9112 §6.3).

        If not, a body that was cut off looks complete.
        """
        has_length = "Content-Length" in self.headers or bool(self._response.chunked)
        return has_length or self.status == HTTPStatus.NO_CONTENT

    def chunks(self) -> Iterator[Chunk]:
        """Yield the body as it arrives, still in its content coding.

        The caller writes or reads each chunk completely before it asks for the next one.

        Raises:
            AttemptError: The body is incomplete, malformed or late, or the attempt was aborted.
        """
        self._control.enter(Phase.REPLYING)
        size = PIPE_SIZE if self._response.pipe_body() else CHUNK_SIZE
        while chunk := self._read(size):
            yield chunk
        self._control.enter(Phase.WORKING)
        COMPUTE_TURN.acquire()

    def drain(self) -> None:
        """Discard a short body, so that the connection can be used again; then close.

        A failure is ignored: the body is not needed.
        """
        self._control.enter(Phase.REPLYING)
        left = _MAX_DRAINED_SIZE
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
        """Release the connection; a later request uses it if the body was read to its end."""
        # Only once, because later the connection may carry the next request.
        on_closed, self._on_closed = self._on_closed, lambda: None
        on_closed()
        self._control.release_closed()

    def _read(self, size: int) -> Chunk:
        try:
            data = self._response.read1(size)
        except LIBRARY_ERRORS as error:
            self.close()
            raise self._control.failure() or attempt_error(error) from error
        # After an abort the connection looks as if the server had closed it.
        if (failure := self._control.failure()) is not None:
            self.close()
            raise failure
        return data
