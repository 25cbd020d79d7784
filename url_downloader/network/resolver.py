"""A resolver of host names, which caches answers and keeps its callers interruptible.

socket.getaddrinfo can't be interrupted. So each look-up has a thread. A caller waits for it as
long as it wants, and leaves the thread behind if it stops waiting.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from url_downloader.config.dial_settings import ANY_HOST
from url_downloader.network.errors import NO_NAME
from url_downloader.shared.threads import StoppableThread

Host = tuple[str, int]
"""Host name or address, and TCP port."""
Address = tuple[Any, Any, int, str, Any]
"""Address of a host, as socket.getaddrinfo returns it."""

MAX_ANSWERS = 1024
"""Upper bound for the cached answers."""
ANSWER_SECONDS = 60.0
"""Seconds; time that an answer is cached. The system does not tell the time to live."""
NO_NAME_SECONDS = 2.0
"""Seconds; time that a name counts as unknown. It is not longer than the time until the first
probe of a host that seems to be down: the probe looks the name up again."""
_CHECK_SECONDS = 0.05
"""Seconds between two calls of the check while a caller waits."""


class Resolver:
    """Resolver that starts a thread for each look-up; equal look-ups share one.

    Args:
        family: Family of the addresses to look for; AF_UNSPEC for all.
        fixed: Addresses of hosts that are not looked up. The name ANY_HOST stands for all
            hosts.
        now: Monotonic clock, seconds.

    Threads: any.
    """

    def __init__(
        self,
        *,
        family: int = socket.AF_UNSPEC,
        fixed: Mapping[Host, Sequence[str]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._family = family
        self._fixed = fixed or {}
        self._now = now
        # Guards _look_ups: those that go on, and those that ended; the oldest is first.
        self._lock = threading.Lock()
        self._look_ups: OrderedDict[Host, LookUpThread] = OrderedDict()

    def addresses(self, host: Host, *, check: Callable[[], None]) -> Sequence[Address]:
        """Return the addresses of a host.

        Args:
            host: The host.
            check: Called often during a look-up; an error that it raises ends the wait.

        Raises:
            OSError: The look-up failed.
            UnicodeError: The host name is invalid.
        """
        name, port = host
        key = name.lower().removesuffix("."), port
        fixed = self._fixed.get(key) or self._fixed.get((ANY_HOST, port))
        found: list[Address] = []
        for each in fixed or (name,):
            # An IP address needs no thread, because the system does not query DNS for it.
            with suppress(OSError, UnicodeError):
                found += self._find((each, port), socket.AI_NUMERICHOST)
        if fixed and not found:
            raise socket.gaierror(
                socket.EAI_NONAME, "--resolve gives no address of this family"
            )
        return found or self._start_or_join(host).addresses(check)

    def forget(self, host: Host) -> None:
        """Remove the answer for a host, because none of its addresses can be reached."""
        with self._lock:
            self._look_ups.pop(host, None)

    def _start_or_join(self, host: Host) -> LookUpThread:
        with self._lock:
            known = self._look_ups.get(host)
            if known is not None and self._now() < known.expires:
                return known
            thread = LookUpThread(host, find=self._find, now=self._now)
            self._look_ups[host] = thread
            self._look_ups.move_to_end(host)
            if len(self._look_ups) > MAX_ANSWERS:
                self._look_ups.popitem(last=False)
        if not thread.try_start():
            # A look-up that can't be interrupted is better than none.
            thread.run()
        return thread

    def _find(self, host: Host, flags: int = 0) -> Sequence[Address]:
        kind = socket.SOCK_STREAM
        try:
            return socket.getaddrinfo(*host, family=self._family, type=kind, flags=flags)
        except socket.gaierror as error:
            if self._family == socket.AF_UNSPEC or error.errno not in NO_NAME:
                raise
            family = "IPv6" if self._family == socket.AF_INET6 else "IPv4"
            message = f"no {family} address, which -4, -6 or --interface asks for"
            raise socket.gaierror(error.errno, message) from None


class LookUpThread(StoppableThread):
    """Thread that looks up one host, and keeps the answer.

    Args:
        host: Host to look up.
        find: Function that looks up a host.
        now: Monotonic clock, seconds.

    Attributes:
        expires: Monotonic time until which the answer counts; infinite during the look-up.

    Threads: `addresses` and `expires` from any thread; `run_once` in this one, or in that of
    the caller if this one could not start.
    """

    def __init__(
        self, host: Host, *, find: Callable[[Host], Sequence[Address]], now: Callable[[], float]
    ) -> None:
        super().__init__(name=f"resolver-{host[0]}", on_crash=self._fail)
        self._host = host
        self._find = find
        self._now = now
        self._has_ended = threading.Event()
        self._addresses: Sequence[Address] = ()
        self._failure: BaseException | None = None
        self.expires = inf

    def run_once(self) -> bool:
        """Look up the host; return False, because there is one round."""
        try:
            self._addresses = self._find(self._host)
        except (OSError, UnicodeError) as error:
            self._fail(error)
        else:
            self._end(ANSWER_SECONDS)
        return False

    def addresses(self, check: Callable[[], None]) -> Sequence[Address]:
        """Wait for the end of the look-up, and return the addresses; see `Resolver`."""
        while not self._has_ended.wait(_CHECK_SECONDS):
            check()
        if self._failure is not None:
            # A cached error would collect the traceback of each caller.
            raise self._failure.with_traceback(None)
        return self._addresses

    def _fail(self, error: BaseException) -> None:
        """End the look-up with an error, even an unexpected one, so that no attempt hangs."""
        self._failure = error
        is_no_name = isinstance(error, socket.gaierror) and error.errno in NO_NAME
        self._end(NO_NAME_SECONDS if is_no_name else 0.0)

    def _end(self, seconds: float) -> None:
        self.expires = self._now() + seconds
        self._has_ended.set()
