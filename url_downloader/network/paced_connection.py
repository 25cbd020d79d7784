"""A connection whose reads keep to the rate limit of the run."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios

from url_downloader.network.connection import Connection, Stream
from url_downloader.network.rate_limit import RateLimiter
from url_downloader.network.reply_head import ReplyHead
from url_downloader.network.route import Route
from url_downloader.shared.attempt_control import AttemptControl

_INT = struct.Struct("i")
"""Number of bytes, as FIONREAD returns it (tcp(7))."""


class PacedConnection(Connection):
    """Connection that waits for the rate limit before it reads what has arrived.

    It first waits for the server, so that a silent one uses up nothing of the rate.

    Args:
        stream: Connected socket, or TLS over one.
        base: Socket at the bottom, which an abort shuts down.
        route: Route of the connection.
        limiter: Rate limit of the run.
        control: Control of the attempt that has opened the connection.
        has_small_buffer: Whether the receive buffer is too small for reads without the limit.

    Threads: one at a time.
    """

    is_paced = True

    def __init__(
        self,
        stream: Stream,
        base: socket.socket,
        *,
        route: Route,
        limiter: RateLimiter,
        control: AttemptControl,
        has_small_buffer: bool,
    ) -> None:
        super().__init__(stream, base, route=route)
        self._limiter = limiter
        self._has_small_buffer = has_small_buffer
        self._control = control

    @property
    def can_be_kept(self) -> bool:
        is_too_slow = self._has_small_buffer and not self._limiter.is_on
        return super().can_be_kept and not is_too_slow

    def read_head(self, control: AttemptControl) -> ReplyHead:
        """Read the head of the reply; an abort of the attempt ends each wait for the limit."""
        self._control = control
        return super().read_head(control)

    def _receive(self, size: int) -> bytes:
        if not self._limiter.is_on:
            return super()._receive(size)
        # As in the method of the base class: also if an error ends the wait.
        self._has_ended = True
        count = min(size, self._limiter.piece, self._wait_for_bytes())
        self._limiter.admit(count, control=self._control)
        data = super()._receive(count)
        if len(data) < count:
            self._limiter.give_back(count - len(data))
        return data

    def _wait_for_bytes(self) -> int:
        """Wait until a read would return at once; return the number of bytes, at least 1.

        With TLS, the number includes what the decryption removes.
        """
        decrypted: int = getattr(self._stream, "pending", int)()
        seconds = self.timeout
        if not decrypted and not self._poll.poll(None if seconds is None else seconds * 1000):
            raise TimeoutError("timed out")
        arrived = fcntl.ioctl(self.base, termios.FIONREAD, bytes(_INT.size))
        # At the end of the stream there are none.
        return max(decrypted + int(_INT.unpack(arrived)[0]), 1)
