"""A connection: a socket, and a buffer with the bytes that have arrived and are not read.

It sends the head of a request, and reads the head of the reply. `reply_body` reads the body
through `read` and `read_line`. Independent of redirects and retries.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
import struct
from http import HTTPStatus
from typing import Protocol

from url_downloader.network.reply_head import ReplyHead, find_head, parse_plain_head
from url_downloader.network.route import Route
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase

MAX_INTERIM = 100
"""Upper bound for the number of interim replies (1xx) before one final reply."""
_RECEIVE_SIZE = 64 * 1024
"""Bytes to receive together with a head: a small file comes with its head."""
_TIMEVAL = struct.Struct("ll")
"""Seconds and microseconds, as SO_RCVTIMEO takes them (socket(7))."""


class Stream(Protocol):
    """The methods of a socket that a connection uses; TLS within TLS is no real socket."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class StaleConnectionError(AttemptError):
    """Error for a connection that ended before the first byte of a reply.

    Args:
        reason: Reason of the end, one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorKind.RESET, reason)


class Connection:
    """Connection to a server or an HTTP proxy.

    Args:
        stream: Connected socket, or TLS over one.
        base: Socket at the bottom, which an abort shuts down.
        route: Route of the connection.

    Attributes:
        base: The same socket.
        route: The same route.
        is_paced: Whether each read has to keep to a rate limit, so that the kernel can't move
            the bytes by itself.
        is_reusable: Whether another request can follow the present reply. Any code that finds
            a reason against it sets this to False.
        is_cut_off: Whether TLS ended without a closure alert.
        timeout: Seconds without a byte after which a wait fails; None for no limit. Only
            `set_timeout` changes it.

    Threads: one at a time.
    """

    is_paced = False

    def __init__(self, stream: Stream, base: socket.socket, *, route: Route) -> None:
        self._stream = stream
        self.base = base
        self.route = route
        self._buffer: bytes | bytearray = b""
        self._start = 0
        # No timeout yet: the first one that is set differs from it.
        self.timeout: float | None = -1.0
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN)
        self._has_ended = False
        self.is_reusable = True
        self.is_cut_off = False

    @property
    def is_idle(self) -> bool:
        """Tell whether the connection is open, and no bytes have arrived."""
        # Bytes that TLS has decrypted are not visible at the socket.
        return not self._poll.poll(0) and not getattr(self._stream, "pending", int)()

    @property
    def is_plain(self) -> bool:
        """Tell whether the bytes at the socket are those of the messages: without TLS."""
        return self._stream is self.base and type(self.base) is socket.socket

    def set_timeout(self, seconds: float | None) -> None:
        """Set after how many seconds without a byte a wait fails; None for no limit."""
        # Each change is a system call, or two.
        if seconds == self.timeout:
            return
        self.timeout = seconds
        if not self.is_plain:
            self._stream.settimeout(seconds)
            return
        # By the kernel: with socket.settimeout, Python would poll before each call.
        value = _TIMEVAL.pack(*divmod(math.ceil((seconds or 0) * 1_000_000), 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.base.setsockopt(socket.SOL_SOCKET, option, value)

    def send(self, data: bytes) -> None:
        """Send a request. If the server has closed the connection, its reply is still read.

        Raises:
            OSError: The connection is lost.
        """
        try:
            self._stream.sendall(data)
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            # TLS reports a reset connection as the end of the stream.
            pass

    def read_head(self, control: AttemptControl) -> ReplyHead:
        """Read the head of the reply. The last reply must have been read to its end.

        Args:
            control: Control of the attempt, which gets the progress.

        Raises:
            StaleConnectionError: The server closed the connection before the first byte.
            AttemptError: The head is invalid.
            OSError: The connection is lost, or the timeout has passed.
        """
        self._buffer, self._start = self._receive_first(), 0
        COMPUTE_TURN.acquire()
        head = parse_plain_head(self._buffer)
        if head is None:
            head = self._read_odd_head(control)
        else:
            self._start = head.size
        if head.is_last:
            self.is_reusable = False
        return head

    def read(self, size: int) -> bytes:
        """Wait for bytes and return at most `size`; none at the end of the stream.

        Raises:
            OSError: The connection is lost, or the timeout has passed.
        """
        start, buffer = self._start, self._buffer
        if start == len(buffer):
            COMPUTE_TURN.release()
            return self._receive(size)
        self._start = end = start + size
        if end >= len(buffer):
            # An idle connection needs no memory.
            self._buffer, self._start = b"", 0
        return bytes(buffer[start:end])

    def read_line(self, limit: int) -> bytes:
        """Return the next line with its end, or its first `limit` bytes if it is longer.

        At the end of the stream, the line may lack its end.

        Raises:
            OSError: The connection is lost, or the timeout has passed.
        """
        # Nearly always, the line is in the buffer.
        start = self._start
        end = self._buffer.find(b"\n", start, start + limit) + 1
        if end:
            self._start = end
            return bytes(self._buffer[start:end])
        line = b""
        while not line.endswith(b"\n") and len(line) < limit:
            if self._start == len(self._buffer):
                COMPUTE_TURN.release()
                self._buffer, self._start = self._receive(_RECEIVE_SIZE), 0
                if not self._buffer:
                    break
            start = self._start
            end = self._buffer.find(b"\n", start) + 1 or len(self._buffer)
            self._start = end = min(end, start + limit - len(line))
            line += self._buffer[start:end]
        return line

    @property
    def buffered(self) -> int:
        """Return the number of bytes that have been received and not read."""
        return len(self._buffer) - self._start

    @property
    def can_be_kept(self) -> bool:
        """Tell whether another request can follow, after the reply was read to its end."""
        return self.is_reusable and not self._has_ended and not self.buffered

    def close(self) -> None:
        """Close the connection. No AttemptControl may hold it any more."""
        self._buffer, self._start = b"", 0
        self._stream.close()

    def _receive_first(self) -> bytes:
        COMPUTE_TURN.release()
        try:
            data = self._receive(_RECEIVE_SIZE)
        except ConnectionResetError as error:
            raise StaleConnectionError(f"connection lost: {error.strerror}") from error
        if not data:
            raise StaleConnectionError("connection closed before the reply")
        return data

    def _receive(self, size: int) -> bytes:
        # Also if an error ends the wait.
        self._has_ended = True
        try:
            data = self._stream.recv(size)
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        except ssl.SSLEOFError:
            self.is_cut_off = True
            data = b""
        self._has_ended = not data
        return data

    def _read_odd_head(self, control: AttemptControl) -> ReplyHead:
        """Read a head that is incomplete, unusual, or follows interim replies (1xx)."""
        self._buffer = data = bytearray(self._buffer)
        start = scanned = interim = 0
        control.enter(Phase.REPLYING)
        while True:
            head = find_head(data, start, scanned=scanned)
            if head is not None and head.status >= HTTPStatus.OK:
                self._start = start + head.size
                return head
            if head is not None:
                interim, start = interim + 1, start + head.size
                if interim > MAX_INTERIM:
                    message = f"more than {MAX_INTERIM} interim replies (1xx)"
                    raise AttemptError(ErrorKind.HEADERS_TOO_LARGE, message)
                continue
            scanned = len(data)
            COMPUTE_TURN.release()
            piece = self._receive(_RECEIVE_SIZE)
            COMPUTE_TURN.acquire()
            if not piece:
                message = "connection closed inside the header block"
                raise AttemptError(ErrorKind.TRUNCATED, message)
            control.add_other_bytes(len(piece))
            data += piece
