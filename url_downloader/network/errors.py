"""A translation of the system's errors to AttemptErrors: a kind and one line of text.

The texts of exceptions are not shown, because they may quote URLs and other values. Only the
system's text for an error number and OpenSSL's reason are shown.
"""

from __future__ import annotations

import errno
import socket
import ssl

from url_downloader.config.proxies import Proxy
from url_downloader.shared.contact import Trouble
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError
from url_downloader.shared.models import ErrorKind

TRANSFER_ERRORS = (OSError, UnicodeError)
"""Errors of the system that a request may raise without a bug in this program."""

NO_NAME = frozenset(
    getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)
"""Errors of getaddrinfo for names that do not exist, or that have no address of a family."""

_TROUBLE = {
    errno.ENETUNREACH: Trouble.NO_NETWORK,
    errno.ENETDOWN: Trouble.NO_NETWORK,
    # The address that --interface names may be gone for a while.
    errno.EADDRNOTAVAIL: Trouble.NO_NETWORK,
    errno.EHOSTUNREACH: Trouble.SILENCE,
    errno.EHOSTDOWN: Trouble.SILENCE,
}
"""Error numbers that tell about the network or a host."""
_NO_TLS_REASONS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""Reasons of OpenSSL for a server that sends something other than TLS."""


class LookUpTimeoutError(TimeoutError):
    """Error for a look-up of a host that took too long: no name server answers."""


# The first row that fits the error gives the kind and the message.
_KINDS: tuple[tuple[type[Exception], ErrorKind, str], ...] = (
    (ssl.SSLCertVerificationError, ErrorKind.CERTIFICATE, "certificate not accepted: {}"),
    (ssl.SSLError, ErrorKind.TLS, "TLS failed: {}"),
    (socket.gaierror, ErrorKind.DNS, "host name not resolved: {}"),
    (ConnectionRefusedError, ErrorKind.CONNECT, "connection refused"),
    (ConnectionError, ErrorKind.RESET, "connection lost: {}"),
    (TimeoutError, ErrorKind.TIMEOUT, "no byte within the timeout"),
    (UnicodeError, ErrorKind.INVALID_URL, "invalid host name"),
    (OSError, ErrorKind.CONNECT, "no connection: {}"),
)


def transfer_error(error: Exception) -> AttemptError:
    """Return the AttemptError for an error during a request or its reply."""
    if isinstance(error, AttemptError):
        return error
    if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
        return AttemptError(ErrorKind.NO_DESCRIPTORS, "too many open files")
    for type_, kind, message in _KINDS:
        if isinstance(error, type_):
            return AttemptError(kind, message.format(_reason(error)), trouble=_trouble(error))
    raise error


def _trouble(error: Exception) -> Trouble | None:
    """Return what an error of the system tells about the host or the network, if anything."""
    if isinstance(error, LookUpTimeoutError):
        return Trouble.NO_NETWORK
    if isinstance(error, TimeoutError):
        return Trouble.SILENCE
    if isinstance(error, socket.gaierror):
        if error.errno in NO_NAME:
            return Trouble.NO_NAME
        return Trouble.NO_NETWORK if error.errno == socket.EAI_AGAIN else None
    return _TROUBLE.get(error.errno or 0) if isinstance(error, OSError) else None


def connect_error(error: Exception, *, seconds: float) -> AttemptError:
    """Return the AttemptError for an error during the look-up, the connecting or TLS.

    Args:
        error: The error.
        seconds: Upper bound for the time of these steps, for the message.
    """
    if isinstance(error, TimeoutError):
        message = f"no connection within --connect-timeout {seconds:g} s"
        return AttemptError(ErrorKind.TIMEOUT, message, trouble=_trouble(error))
    return transfer_error(error)


def proxy_error(error: Exception, proxy: Proxy) -> AttemptError:
    """Return the AttemptError for an error on the way to a proxy, or in the talk with it."""
    found = transfer_error(error)
    if found.kind in (ErrorKind.NO_DESCRIPTORS, ErrorKind.PROXY, ErrorKind.PROXY_REFUSED):
        return found
    if found.kind is ErrorKind.CERTIFICATE:
        return AttemptError(found.kind, f"the proxy: {found.message}")
    reason = found.message if isinstance(error, AttemptError) else _reason(error)
    message = f"the proxy {proxy.host}:{proxy.port} failed: {reason}"
    # A proxy that can't be reached is a missing network: it is the way to all hosts.
    trouble = None if isinstance(error, AttemptError) else Trouble.NO_NETWORK
    return AttemptError(ErrorKind.PROXY, message, trouble=trouble)


def _reason(error: Exception) -> str:
    """Return the reason that may be shown, or the name of the error's type."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    # CPython creates some SSLErrors without the attribute.
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None):
        is_plain = error.reason in _NO_TLS_REASONS
        return error.reason + ("; this port may have no TLS: try http" if is_plain else "")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return error.strerror or type(error).__name__
    return type(error).__name__
