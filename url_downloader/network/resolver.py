"""A resolver of host names that uses one thread per look-up, to keep callers interruptible.

socket.getaddrinfo can't be interrupted. A caller waits for the result as long as it wants, and
leaves the thread behind if it stops waiting.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence

from url_downloader.shared.ports import Address, PendingLookUp
from url_downloader.shared.threads import StoppableThread

Host = tuple[str, int]
"""Host name and TCP port."""


class LookUpFuture:
    """Future result of a look-up: the addresses of a host, or an error.

    It implements `shared.ports.PendingLookUp`.

    Threads: `set_addresses` or `set_error` once, from one thread; other methods from any.
    """

    def __init__(self) -> None:
        self._is_done = threading.Event()
        self._addresses: Sequence[Address] = ()
        self._error: BaseException | None = None

    def set_addresses(self, addresses: Sequence[Address]) -> None:
        """End the look-up with addresses."""
        self._addresses = addresses
        self._is_done.set()

    def set_error(self, error: BaseException) -> None:
        """End the look-up with an error."""
        self._error = error
        self._is_done.set()

    def wait(self, seconds: float) -> bool:
        """Wait until the look-up has ended, `seconds` at most; return whether it has ended."""
        return self._is_done.wait(seconds)

    def addresses(self) -> Sequence[Address]:
        """Return the addresses, after the look-up has ended.

        Raises:
            OSError: The look-up failed.
            UnicodeError: The host name is invalid.
        """
        if self._error is not None:
            raise self._error
        return self._addresses


class Resolver:
    """Resolver that starts a thread for each look-up; equal look-ups share one while it runs.

    Threads: `look_up` from any thread.
    """

    def __init__(self) -> None:
        # Guards _running, which has the look-ups that have not ended.
        self._lock = threading.Lock()
        self._running: dict[Host, LookUpFuture] = {}

    def look_up(self, name: str, port: int) -> PendingLookUp:
        """Start the look-up of a host, or return the one that is running already.

        This blocks only if the system can't start another thread: the look-up then runs in the
        caller's thread.
        """
        future = LookUpFuture()
        try:
            # An IP address needs no thread, because the system does not query DNS for it.
            future.set_addresses(_addresses((name, port), socket.AI_NUMERICHOST))
        except (OSError, UnicodeError):
            return self._start_or_join((name, port), future)
        return future

    def _start_or_join(self, host: Host, future: LookUpFuture) -> LookUpFuture:
        with self._lock:
            running = self._running.setdefault(host, future)
        if running is future:
            thread = LookUpThread(host, future, on_ended=self._remove)
            if not thread.try_start():
                # A look-up that can't be interrupted is better than none.
                thread.run()
        return running

    def _remove(self, host: Host) -> None:
        with self._lock:
            del self._running[host]


class LookUpThread(StoppableThread):
    """Thread that looks up one host.

    Args:
        host: Host to look up.
        future: Future that gets the result.
        on_ended: Called with the host when the look-up has ended, before `future` is set.

    Threads: all methods in this thread; in that of the caller if this one could not start.
    """

    def __init__(
        self, host: Host, future: LookUpFuture, *, on_ended: Callable[[Host], None]
    ) -> None:
        super().__init__(name=f"resolver-{host[0]}", on_crash=self._fail)
        self._host = host
        self._future = future
        self._on_ended = on_ended

    def run_once(self) -> bool:
        """Look up the host, and end the future; return False, because there is one round."""
        try:
            addresses = _addresses(self._host)
        except (OSError, UnicodeError) as error:
            self._fail(error)
        else:
            self._on_ended(self._host)
            self._future.set_addresses(addresses)
        return False

    def _fail(self, error: BaseException) -> None:
        """End the look-up with an error, even an unexpected one, so that no attempt hangs."""
        self._on_ended(self._host)
        self._future.set_error(error)


def _addresses(host: Host, flags: int = 0) -> Sequence[Address]:
    name, port = host
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
