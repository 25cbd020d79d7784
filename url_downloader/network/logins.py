"""The logins that the user keeps in a .netrc file, read once a run."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from url_downloader.network.netrc import NetrcEntry, NetrcError, parse_netrc
from url_downloader.shared.errors import InputError
from url_downloader.shared.url_parts import Login
from url_downloader.shared.user_files import lines_of

log = logging.getLogger(__package__)


class Logins:
    """Finds the login for a host.

    Args:
        entries: of a .netrc; the first one that fits is taken.

    Threads: any.
    """

    def __init__(self, entries: Sequence[NetrcEntry] = ()) -> None:
        self._entries = entries
        self.of_host = functools.lru_cache(maxsize=1024)(self._of_host)

    def _of_host(self, host: str, name: bytes | None) -> Login | None:
        """Return the login of this user, or any if there is no name; None if none is known."""
        machine = host.lower().encode()
        for entry in self._entries:
            is_there = entry.machine in (machine, None)
            if is_there and name in (entry.name, None):
                return entry.name, entry.password
        return None


def read_logins(path: Path, *, should_stop: Callable[[], bool]) -> Logins:
    """Read a .netrc.

    Args:
        path: of the file.
        should_stop: asked while it waits for a FIFO; True ends the waiting.

    Raises:
        InputError: it can't be read, or is something else.
    """
    try:
        return Logins(parse_netrc(lines_of(path, should_stop=should_stop)))
    except NetrcError as error:
        message = f"{path}:{error.line}: the logins can't be read: not the format of .netrc"
        raise InputError(message) from None
    except OSError as error:
        raise InputError(f"{path}: the logins can't be read: {error.strerror}") from error


def find_logins(*, should_stop: Callable[[], bool]) -> Logins:
    """Read the .netrc that $NETRC names, ~/.netrc or ~/_netrc; it need not be there.

    One that can't be read gets a warning: the user may not know that it is looked at.
    """
    named = os.environ.get("NETRC")
    places = ("~/.netrc", "~/_netrc") if named is None else (named,)
    for path in map(Path, map(os.path.expanduser, places)):
        if path.exists():
            try:
                return read_logins(path, should_stop=should_stop)
            except InputError as error:
                log.warning("%s; going on without it (--no-netrc)", error)
                break
    return Logins()
