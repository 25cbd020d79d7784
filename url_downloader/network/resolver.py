"""Threads that look host names up, because nothing can interrupt a look-up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence

from url_downloader.shared.ports import Address, PendingLookUp
from url_downloader.shared.threads import StoppableThread

Host = tuple[str, int]
"""Name and TCP port."""


class Answer:
    """The addresses of a host, or why there are none, once that is known.

    Threads: `give` and `refuse` once, from one thread; the others from any.
    """

    def __init__(self) -> None:
        self._is_known = threading.Event()
        self._addresses: Sequence[Address] = ()
        self._error: BaseException | None = None

    def give(self, addresses: Sequence[Address]) -> None:
        """These are the addresses."""
        self._addresses = addresses
        self._is_known.set()

    def refuse(self, error: BaseException) -> None:
        """There are none, because of this."""
        self._error = error
        self._is_known.set()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; whether the answer is known."""
        return self._is_known.wait(seconds)

    def addresses(self) -> Sequence[Address]:
        """The addresses, when they are known.

        Raises:
            OSError: the host can't be looked up.
            UnicodeError: its name can't be one.
        """
        if self._error is not None:
            raise self._error
        return self._addresses


class Resolver:
    """Starts a thread for each look-up, unless the same is going on already.

    Threads: `look_up` from any thread.
    """

    def __init__(self) -> None:
        # Guards _going_on, which has the look-ups that have not ended.
        self._lock = threading.Lock()
        self._going_on: dict[Host, Answer] = {}

    def look_up(self, name: str, port: int) -> PendingLookUp:
        """Begin to look a host up, or join others that wait for the same."""
        answer = Answer()
        try:
            # What is an address already takes no time.
            answer.give(_addresses((name, port), socket.AI_NUMERICHOST))
        except (OSError, UnicodeError):
            return self._shared((name, port), answer)
        return answer

    def _shared(self, host: Host, answer: Answer) -> Answer:
        with self._lock:
            shared = self._going_on.setdefault(host, answer)
        if shared is answer:
            look_up = LookUpThread(host, answer, on_end=self._forget)
            if not look_up.try_start():
                # Better a look-up that can't be interrupted than none.
                look_up.run_once()
        return shared

    def _forget(self, host: Host) -> None:
        with self._lock:
            del self._going_on[host]


class LookUpThread(StoppableThread):
    """Looks one host up, and ends.

    Args:
        host: to look up.
        answer: told the result.
        on_end: called with the host before that.

    Threads: as StoppableThread.
    """

    def __init__(self, host: Host, answer: Answer, *, on_end: Callable[[Host], None]) -> None:
        super().__init__(name=f"resolver-{host[0]}", on_crash=self._fail)
        self._host = host
        self._answer = answer
        self._on_end = on_end

    def run_once(self) -> bool:
        """Ask the system, however long it takes."""
        try:
            addresses = _addresses(self._host)
        except (OSError, UnicodeError) as error:
            self._fail(error)
        else:
            self._on_end(self._host)
            self._answer.give(addresses)
        return False

    def _fail(self, error: BaseException) -> None:
        """Refuse with this error; an unexpected one becomes a failure of the jobs that wait."""
        self._on_end(self._host)
        self._answer.refuse(error)


def _addresses(host: Host, flags: int = 0) -> Sequence[Address]:
    name, port = host
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
