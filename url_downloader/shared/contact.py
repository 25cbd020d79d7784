"""Facts that an attempt has learned about a host and the network. Pure."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Trouble(enum.Enum):
    """Cause of a failure, as far as it tells about a host or the network."""

    NO_NAME = "the host name does not exist"
    SILENCE = "nothing came from the host in time"
    NO_NETWORK = "this machine reaches no network, no name server or not its proxy"


class Contact(NamedTuple):
    """Last host that an attempt asked.

    Args:
        host: Origin of the host, as text; None for that of the job's URL.
        is_answered: Whether a byte of a reply came.
        trouble: Cause of the failure; None for any other one, or without a failure.
    """

    host: str | None = None
    is_answered: bool = True
    trouble: Trouble | None = None
