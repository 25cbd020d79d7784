"""Options of a job: limits of its attempts, and the checksum of its file. Pure."""

from __future__ import annotations

from dataclasses import dataclass

CONNECT_TIMEOUT = 10.0
"""Seconds; limit for connecting that applies unless the user sets one."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """Digest that a file must have.

    Args:
        algorithm: Name of the algorithm: `md5`, `sha-1`, `sha-256` or `sha-512`.
        digest: Digest in lower-case hexadecimal.
    """

    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimits:
    """Limits of one attempt. 0 means no limit.

    Args:
        timeout: Seconds without a received byte.
        connect_timeout: Seconds for the look-up of the host, the connection and the TLS
            handshake together; None means 10, or `timeout` if that is less.
        max_time: Seconds for the whole attempt.
        speed_limit: Lowest average speed in bytes per second, after the first byte of a reply.
        speed_time: Seconds over which the speed is averaged.
    """

    timeout: float = 30.0
    connect_timeout: float | None = None
    max_time: float = 0.0
    speed_limit: float = 100
    speed_time: float = 30.0

    @property
    def connect_seconds(self) -> float:
        """Return the seconds for connecting; 0 means no limit."""
        if self.connect_timeout is not None:
            return self.connect_timeout
        return min(self.timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT)
