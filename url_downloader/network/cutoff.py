"""The line by which a transport's connection is cut from outside, and its phase is seen."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase


class Cutoff:
    """The means to cut a transport's connection from outside, whatever its thread waits for.

    Args:
        now: monotonic clock, seconds.

    Attributes:
        other_bytes: of this attempt, beside those of the file; read from any thread.

    Threads: `cut`, `expire`, `failure` and `phase` from any thread; the others in the
    transport's own.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # A reference that is replaced; needs no lock.
        self._phase = (Phase.WAITING, now())
        self.other_bytes = 0
        # Used in the transport's thread alone.
        self._held: socket.socket | None = None
        # Guards all fields below, so that no handle is closed or replaced while it is shut
        # down: its number could belong to another socket by then.
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._is_cut = False
        self._attempt = 0
        self._expiry: str | None = None

    def begin_attempt(self, number: int) -> None:
        """Another attempt begins; what is said of an earlier one no longer counts."""
        self.enter(Phase.WAITING)
        self.other_bytes = 0
        with self._lock:
            self._attempt, self._expiry = number, None

    def enter(self, phase: Phase) -> None:
        """The attempt has come to another phase."""
        self._phase = (phase, self._now())

    def count(self, count: int) -> None:
        """Bytes came that are not the file's."""
        self.other_bytes += count

    def phase(self) -> tuple[Phase, float]:
        """The attempt's phase, and since when, in monotonic seconds, it is in it."""
        return self._phase

    def failure(self) -> AttemptError | None:
        """Why the attempt is over, if it was ended from outside."""
        with self._lock:
            if self._is_cut:
                return AttemptError(ErrorKind.INTERRUPTED, "interrupted")
            return AttemptError(ErrorKind.TIMEOUT, self._expiry) if self._expiry else None

    def hold(self, sock: socket.socket) -> None:
        """Have a grip on this socket from now on, also while TLS is put on top of it."""
        if sock is self._held:
            return
        copy = os.dup(sock.fileno())
        self._replace(socket.socket(sock.family, sock.type, sock.proto, fileno=copy))
        self._held = sock

    def release(self) -> None:
        """Let go of the socket."""
        self._replace(None)
        self._held = None

    def release_closed(self) -> None:
        """Let go of the socket if its owner has closed it; else it would stay half open."""
        if self._held is not None and self._held.fileno() < 0:
            self.release()

    def cut(self) -> None:
        """Shut the connection down, now or as soon as there is one, for good. Never blocks."""
        with self._lock:
            self._is_cut = True
            self._shut_down()

    def expire(self, attempt: int, reason: str) -> None:
        """Shut the connection of this attempt down, if it is still going on. Never blocks."""
        with self._lock:
            if attempt == self._attempt:
                self._expiry = reason
                self._shut_down()

    def _replace(self, handle: socket.socket | None) -> None:
        with self._lock:
            old, self._handle = self._handle, handle
            if self._is_cut or self._expiry:
                self._shut_down()
        if old is not None:
            old.close()

    def _shut_down(self) -> None:
        """Shut the held socket down. The caller holds the lock."""
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)
