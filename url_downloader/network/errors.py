"""Errors of the HTTP libraries, in our words: one kind and one line for people.

The libraries' own texts are not shown: they quote URLs, header values and whole objects. Shown
are the system's words for an error number, and OpenSSL's reasons.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions as urllib3_errors

from url_downloader.network.message_head import WireError
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError
from url_downloader.shared.models import ErrorKind

LIBRARY_ERRORS = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
)
"""What a request may raise that is no bug of ours."""

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says where the server talks no TLS at all."""
_NO_CONNECTION = "no connection within --connect-timeout"

_FIXED_TEXTS = (
    (http.client.RemoteDisconnected, "connection closed before the reply"),
    (TimeoutError, "no answer in time"),
    (urllib3_errors.TimeoutError, "no answer in time"),
)
# The first row that fits the error or anything it wraps names the kind: special before general.
_KINDS: tuple[tuple[type[BaseException], ErrorKind, str], ...] = (
    (ssl.SSLCertVerificationError, ErrorKind.CERTIFICATE, "certificate not accepted: {}"),
    (urllib3_errors.ProxyError, ErrorKind.PROXY, "the proxy failed: {}"),
    (ssl.SSLError, ErrorKind.TLS, "TLS failed: {}"),
    (socket.gaierror, ErrorKind.DNS, "host name not resolved: {}"),
    (http.client.IncompleteRead, ErrorKind.TRUNCATED, "connection closed inside the body"),
    (http.client.RemoteDisconnected, ErrorKind.RESET, "connection closed before the reply"),
    (ConnectionRefusedError, ErrorKind.CONNECT, "connection refused"),
    (ConnectionError, ErrorKind.RESET, "connection lost: {}"),
    (urllib3_errors.NewConnectionError, ErrorKind.CONNECT, "no connection: {}"),
    (urllib3_errors.ConnectTimeoutError, ErrorKind.TIMEOUT, _NO_CONNECTION),
    (TimeoutError, ErrorKind.TIMEOUT, "no byte within the timeout"),
    (urllib3_errors.TimeoutError, ErrorKind.TIMEOUT, "no byte within the timeout"),
    (requests.exceptions.InvalidURL, ErrorKind.INVALID_URL, "invalid URL"),
    (requests.exceptions.InvalidSchema, ErrorKind.INVALID_URL, "invalid URL"),
    (requests.exceptions.InvalidHeader, ErrorKind.INVALID_URL, "a header that can't be sent"),
    (urllib3_errors.LocationValueError, ErrorKind.INVALID_URL, "invalid URL"),
    (UnicodeError, ErrorKind.INVALID_URL, "invalid host name"),
    (OSError, ErrorKind.CONNECT, "no connection: {}"),
    (http.client.HTTPException, ErrorKind.MALFORMED, "malformed reply: {}"),
    (urllib3_errors.HTTPError, ErrorKind.MALFORMED, "malformed reply: {}"),
    (requests.RequestException, ErrorKind.INVALID_URL, "no request can be made of it"),
)


def attempt_error(error: BaseException) -> AttemptError:
    """The AttemptError that says what `error`, one of LIBRARY_ERRORS, means."""
    causes = list(_causes(error))
    is_of_proxy = any(isinstance(cause, urllib3_errors.ProxyError) for cause in causes)
    for cause in causes:
        if isinstance(cause, WireError) and not is_of_proxy:
            return AttemptError(cause.kind, cause.message)
        if isinstance(cause, OSError) and cause.errno in NO_DESCRIPTORS:
            return AttemptError(ErrorKind.NO_DESCRIPTORS, "too many open files")
    for type_, kind, message in _KINDS:
        for cause in causes:
            if isinstance(cause, type_) and not _is_mere_wrapper(cause, type_):
                owner = "the proxy: " if is_of_proxy and kind is ErrorKind.CERTIFICATE else ""
                return AttemptError(kind, owner + message.format(_reason(cause)))
    raise error


def _is_mere_wrapper(error: BaseException, type_: type[BaseException]) -> bool:
    """Whether it is an OSError only because requests derives all its errors from that."""
    return type_ is OSError and isinstance(error, requests.RequestException)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it wraps, outermost first; the libraries wrap in several ways."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        # PySocks has an attribute of its own for what it wraps.
        held = (getattr(current, name, None) for name in ("reason", "socket_err"))
        inner = (current.__cause__, *held, *current.args)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


def _reason(error: BaseException) -> str:
    """The innermost reason that may be shown; else the name of the error's type."""
    texts = [text for cause in _causes(error) if (text := _text(cause))]
    return texts[-1] if texts else type(error).__name__


def _text(error: BaseException) -> str | None:
    """Return the part of an error that may be shown: it quotes nothing of ours."""
    if isinstance(error, WireError):
        return error.message
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    # CPython makes some of these without the attribute.
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None):
        hint = "; there may be no TLS on this port: try http" if error.reason in _NO_TLS else ""
        return error.reason + hint
    for type_, text in _FIXED_TEXTS:
        if isinstance(error, type_):
            return text
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return error.strerror
    return None
