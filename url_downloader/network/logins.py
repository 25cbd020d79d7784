"""Logins from a netrc file, which is read once in a run."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from url_downloader.config.netrc import NetrcEntry, NetrcError, parse_netrc
from url_downloader.shared.errors import InputError
from url_downloader.shared.url_parts import Login
from url_downloader.shared.user_files import lines_of

log = logging.getLogger(__package__)


class Logins:
    """Logins of a netrc file, by host.

    Args:
        entries: Entries of the file, in order; the first one for a host counts.

    Attributes:
        of_host: Function of a host and a user name that returns the login; None if there is
            none. With None as user name it returns the login of any user. With
            `uses_default=False` the default entry, which fits all hosts, is no login.

    Threads: any.
    """

    def __init__(self, entries: Sequence[NetrcEntry] = ()) -> None:
        self._entries = entries
        self.of_host = functools.lru_cache(maxsize=1024)(self._of_host)

    def _of_host(
        self, host: str, name: bytes | None, *, uses_default: bool = True
    ) -> Login | None:
        """Return the login for a host, for the attribute `of_host`, which caches it."""
        machine = host.lower().encode()
        for entry in self._entries:
            is_there = entry.machine in (machine, None)
            if is_there and name in (entry.name, None):
                is_used = uses_default or entry.machine is not None
                return (entry.name, entry.password) if is_used else None
        return None


def read_logins(path: Path, *, should_stop: Callable[[], bool]) -> Logins:
    """Read a netrc file.

    Args:
        path: Path of the file.
        should_stop: Called while a FIFO has no data; after True the file counts as empty.

    Raises:
        InputError: The file can't be read, or has another format.
    """
    try:
        return Logins(parse_netrc(lines_of(path, should_stop=should_stop)))
    except NetrcError as error:
        message = f"{path}:{error.line}: the logins can't be read: not in netrc format"
        raise InputError(message) from None
    except OSError as error:
        raise InputError(f"{path}: the logins can't be read: {error.strerror}") from error


def find_logins(*, should_stop: Callable[[], bool]) -> Logins:
    """Read the netrc file that $NETRC names; without $NETRC, ~/.netrc or else ~/_netrc.

    Return no logins if there is no such file. If it can't be read, this is only a warning,
    because no option names the file.
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
