"""The final reply to a GET, as the caller of the network package sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf

from url_downloader.network.connection import Connection
from url_downloader.network.errors import TRANSFER_ERRORS, transfer_error
from url_downloader.network.reply_body import CountedBody, UnboundedBody, body_of
from url_downloader.network.reply_head import ReplyHead
from url_downloader.network.splice import PIPE_SIZE, BodyPipe, open_body_pipe
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.ports import Chunk, Phase

CHUNK_SIZE = 256 * 1024
"""Bytes per read; twice as fast as 64 KiB for large bodies."""
MIN_PIPED_SIZE = 1024 * 1024
"""Bytes; shortest body that the kernel moves to the file: as much as fits into a pipe."""
_MAX_DRAINED_SIZE = 64 * 1024
"""Bytes; longest body that is discarded to keep a connection open."""
_DRAIN_SECONDS = 1.0
"""Seconds; longest wait for such a body. A new connection takes less time than this."""


class HttpReply:
    """Final reply to a GET: its head, and its body, which is still to be read.

    It implements `shared.ports.Reply`. It sets the phase of the attempt, and raises each
    failure as an AttemptError.

    Args:
        head: Head of the reply.
        connection: Connection, whose next byte is the first of the body.
        url: URL that answered, after redirects.
        on_closed: Called once, when the reply is closed, with the connection and whether it
            can carry another request.
        control: Control of the attempt.

    Attributes:
        head: The same head.
        status: Status code.
        headers: Header fields; the names are in lower case.
        length: Length of the body in bytes; None if the head does not state it.
        url: The same URL.

    Raises:
        AttemptError: The framing of the body is invalid.

    Threads: used only in the worker's thread.
    """

    def __init__(
        self,
        head: ReplyHead,
        connection: Connection,
        *,
        url: str,
        on_closed: Callable[[Connection, bool], None],
        control: AttemptControl,
    ) -> None:
        self._body = body_of(head, connection)
        self.length = self._body.left if isinstance(self._body, CountedBody) else None
        self.head = head
        self.status = head.status
        self.headers = head.fields
        self.url = url
        self._connection = connection
        self._on_closed: Callable[[Connection, bool], None] | None = on_closed
        self._control = control
        self._pipe: BodyPipe | None = None
        # The attempt processes the head now: the server is not slow in this time.
        control.enter(Phase.WORKING)

    @property
    def is_length_known(self) -> bool:
        """Tell whether the framing shows where the body ends (RFC 9112 §6.3)."""
        return not isinstance(self._body, UnboundedBody)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the body, still in its content coding; see `shared.ports.Reply.chunks`."""
        body, size = self._body, CHUNK_SIZE
        is_here = self.length is not None and self.length <= self._connection.buffered
        if not is_here:
            self._control.enter(Phase.REPLYING)
        if isinstance(body, CountedBody) and body.left >= MIN_PIPED_SIZE:
            self._pipe = open_body_pipe(self._connection)
            if self._pipe is not None:
                body.source, size = self._pipe, PIPE_SIZE
        while not body.is_complete and (chunk := self._read(size)):
            yield chunk
        if not is_here:
            self._control.enter(Phase.WORKING)
            COMPUTE_TURN.acquire()

    def drain(self) -> None:
        """Discard a short body, so that the connection can be used again; then close.

        A failure is ignored: the body is not needed. A body is not read if the connection
        has to be closed anyway.
        """
        is_long = isinstance(self._body, CountedBody) and self._body.left > _MAX_DRAINED_SIZE
        if is_long or not self._connection.is_reusable:
            self.close()
            return
        self._control.enter(Phase.REPLYING)
        with suppress(AttemptError):
            self._discard()
        self._control.enter(Phase.WORKING)
        COMPUTE_TURN.acquire()
        self.close()

    def _discard(self) -> None:
        connection, size = self._connection, _MAX_DRAINED_SIZE
        deadline = time.monotonic() + _DRAIN_SECONDS
        while size > 0 and time.monotonic() < deadline:
            if not connection.buffered:
                connection.set_timeout(min(connection.timeout or inf, _DRAIN_SECONDS))
            data = self._read(size)
            if not data:
                return
            size -= len(data)
            self._control.add_other_bytes(len(data))

    def close(self) -> None:
        """Release the connection; a later request uses it if the body was read to its end."""
        # Only once, because later the connection may carry the next request.
        on_closed, self._on_closed = self._on_closed, None
        if on_closed is None:
            return
        if self._pipe is not None:
            self._pipe.close()
        on_closed(self._connection, self._body.is_complete and self._connection.can_be_kept)

    def _read(self, size: int) -> Chunk:
        try:
            data = self._body.read(size)
        except (AttemptError, *TRANSFER_ERRORS) as error:
            self.close()
            raise self._control.failure() or transfer_error(error) from error
        # After an abort the connection looks as if the server had closed it.
        if (failure := self._control.failure()) is not None:
            self.close()
            raise failure
        return data
