"""The state of a worker's attempt, with methods by which other threads abort the attempt.

A worker and its transport share one AttemptControl. Other threads read the progress from it,
such as the monitors, or abort attempts through it: the watchdog, and the main thread at the
shutdown. They call no other object of the attempt.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from url_downloader.shared.contact import Contact, Trouble
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import DownloadJob, ErrorKind
from url_downloader.shared.ports import Phase, Progress

_UNANSWERED = Contact(is_answered=False)
_ANSWERED = Contact()


class AttemptControl:
    """Progress of a worker's attempts, and the means to abort them from any thread.

    An abort shuts down the socket that the transport uses. That ends each wait for the network.

    Args:
        on_bytes: Called in the worker's thread with the size of each chunk of a file, in bytes
            as received.
        on_visit: Called with the host before each request of an attempt except the first. It
            raises an AttemptError if the host must not be asked now. None stands for the host
            of the job's URL.
        on_reply: Called with the host and the status of each reply.
        now: Monotonic clock, seconds.

    Attributes:
        refusal: Error with which the next attempts fail in place of their first request. Only
            the worker's thread uses it.
        life_signs: Number of replies and pieces of bodies that have come in all attempts.

    Threads: `life_signs`, `progress`, `failure`, `expire`, `abort` and `wake` from any thread;
    all other methods in the worker's own. `progress` takes no lock: what it returns may be one
    chunk old.
    """

    def __init__(
        self,
        *,
        on_bytes: Callable[[int], None] = lambda _: None,
        on_visit: Callable[[str | None], None] = lambda _: None,
        on_reply: Callable[[str | None, int], None] = lambda _, __: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_bytes = on_bytes
        self._on_visit = on_visit
        self._on_reply = on_reply
        self._now = now
        # References that the worker replaces and other threads read without a lock.
        self._current: Progress | None = None
        self._phase = (Phase.WAITING, now())
        self._received = self._other_bytes = 0
        self._position: tuple[int, int | None] = (0, None)
        self._contact: Contact | None = None
        self.refusal: AttemptError | None = None
        self.life_signs = 0
        # Start of a phase, seconds for which the rate limit made it wait, start of this wait.
        self._throttled: tuple[float, float, float | None] = (0.0, 0.0, None)
        # Guards all fields below. A socket is shut down under this lock, and released before it
        # is closed. Otherwise its descriptor number might mean another socket by then.
        self._lock = threading.Lock()
        self._woken = threading.Condition(self._lock)
        self._held: socket.socket | None = None
        self._number = 0
        self._expiry: str | None = None
        self._is_aborted = self._is_woken = False

    @property
    def received(self) -> int:
        """Return the bytes of the file that this attempt, or the last one, has received."""
        return self._received

    def begin(self, job: DownloadJob) -> None:
        """Begin an attempt. An expiry of an earlier attempt has no effect on it."""
        self.enter(Phase.WAITING)
        self._received = self._other_bytes = 0
        self._position = (0, None)
        self._contact = None
        with self._lock:
            self._number += 1
            self._expiry = None
        self._current = Progress(self._number, job, self._now())

    def end(self) -> None:
        """End the attempt."""
        self._current = None

    def enter(self, phase: Phase) -> None:
        """Set the phase of the attempt."""
        self._phase = (phase, self._now())

    def ask(self, host: str | None) -> None:
        """Note that the next request goes to a host: its origin; None for that of the job.

        Raises:
            AttemptError: The host must not be asked now.
        """
        if self._contact is not None:
            self._on_visit(host)
        elif self.refusal is not None:
            raise self.refusal
        self._contact = _UNANSWERED if host is None else Contact(host, is_answered=False)

    def note_bytes(self) -> None:
        """Note that the host has sent a byte, even if no valid head of a reply follows."""
        self.life_signs += 1
        host = self._contact.host if self._contact else None
        self._contact = _ANSWERED if host is None else Contact(host)

    def note_reply(self, status: int) -> None:
        """Note that the head of a reply has come."""
        self.note_bytes()
        assert self._contact is not None
        self._on_reply(self._contact.host, status)

    def contact(self, error: AttemptError | None = None) -> Contact | None:
        """Return the last host that the attempt asked; None if it asked none.

        Args:
            error: Failure of the attempt, if it has failed.
        """
        contact = self._contact
        if error is None or contact is None:
            return contact
        return contact._replace(trouble=error.trouble)

    def add_bytes(self, count: int) -> None:
        """Count bytes of the file, as received: before any decoding."""
        self._received += count
        self.life_signs += 1
        self._on_bytes(count)

    def add_other_bytes(self, count: int) -> None:
        """Count bytes that are not part of the file, such as the body of an error reply."""
        self._other_bytes += count
        self.life_signs += 1

    def throttle(self, seconds: float) -> AttemptError | None:
        """Wait because of the rate limit, until `wake` or an abort.

        Returns:
            Error of the attempt if it was aborted; else None.
        """
        began, before = self._now(), self._throttled_seconds()
        self._throttled = (self._phase[1], before, began)
        with self._lock:
            if not (self._is_aborted or self._expiry or self._is_woken):
                self._woken.wait(seconds)
            self._is_woken = False
        self._throttled = (self._phase[1], before + self._now() - began, None)
        return self.failure()

    def wake(self) -> None:
        """End the wait for the rate limit; if there is none, the next one ends at once."""
        with self._lock:
            self._is_woken = True
            self._woken.notify_all()

    def set_position(self, offset: int, total: int | None) -> None:
        """Set the offset of the next byte in the file, and the file's size if it is known."""
        self._position = (offset - self._received, total)

    def progress(self) -> Progress | None:
        """Return the progress of the current attempt; None between two attempts."""
        current = self._current
        if current is None:
            return None
        received, (offset, total) = self._received, self._position
        phase, since = self._phase
        return current._replace(
            received=received + self._other_bytes,
            position=offset + received,
            total=total,
            phase=phase,
            since=since,
            throttled=self._throttled_seconds(),
        )

    def failure(self) -> AttemptError | None:
        """Return the error of an attempt that was aborted or has expired; None otherwise."""
        with self._lock:
            if self._is_aborted:
                return AttemptError(ErrorKind.INTERRUPTED, "interrupted")
            if self._expiry is None:
                return None
            return AttemptError(ErrorKind.TIMEOUT, self._expiry, trouble=Trouble.SILENCE)

    def abort(self) -> None:
        """Abort the current attempt and all later ones. Never blocks."""
        with self._lock:
            self._is_aborted = True
            self._shut_down()
            self._woken.notify_all()

    def expire(self, attempt: int, reason: str) -> None:
        """Abort the attempt of this number unless a later one has begun. Never blocks.

        Args:
            attempt: Number of the attempt, as `progress` returns it.
            reason: Message of its failure, for the user.
        """
        with self._lock:
            if attempt == self._number:
                self._expiry = reason
                self._shut_down()
                self._woken.notify_all()

    def hold(self, sock: socket.socket) -> None:
        """Set the socket that an abort shuts down; after an abort, shut it down at once.

        The caller must release the socket before it is closed, or lent to another thread. A
        socket that is still connecting can be shut down, but not one before `connect`.
        """
        with self._lock:
            self._held = sock
            if self._is_aborted or self._expiry:
                self._shut_down()

    def release(self) -> None:
        """Release the socket, so that no abort shuts it down."""
        with self._lock:
            self._held = None

    def _throttled_seconds(self) -> float:
        """Return the seconds of this phase for which the rate limit has made it wait."""
        of_phase, seconds, began = self._throttled
        if of_phase != self._phase[1]:
            return 0.0
        return seconds if began is None else seconds + self._now() - began

    def _shut_down(self) -> None:
        """Shut the held socket down. The caller holds the lock."""
        if self._held is not None:
            with suppress(OSError):
                # Not the method of a subclass: that of TLS would also end its session.
                socket.socket.shutdown(self._held, socket.SHUT_RDWR)
