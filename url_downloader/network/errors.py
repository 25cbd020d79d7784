"""A translation of the HTTP libraries' errors to AttemptErrors: a kind and one line of text.

The texts of the libraries are not shown, because they quote URLs, header values and whole
objects. Only the system's text for an error number and OpenSSL's reason are shown.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions as urllib3_errors

from url_downloader.network.message_head import ExchangeError
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError
from url_downloader.shared.models import ErrorKind

LIBRARY_ERRORS = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
)
"""Errors that a request may raise without a bug in this program."""

_NO_TLS_REASONS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""Reasons of OpenSSL for a server that sends something other than TLS."""
_NO_CONNECTION = "no connection within --connect-timeout"

_FIXED_TEXTS = (
    (http.client.RemoteDisconnected, "connection closed before the reply"),
    (TimeoutError, "no answer in time"),
    (urllib3_errors.TimeoutError, "no answer in time"),
)
# The first row that fits the error, or one that it wraps, gives the kind and the message. So
# special types come before general ones.
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
    (requests.exceptions.InvalidHeader, ErrorKind.INVALID_URL, "invalid header field"),
    (urllib3_errors.LocationValueError, ErrorKind.INVALID_URL, "invalid URL"),
    (UnicodeError, ErrorKind.INVALID_URL, "invalid host name"),
    (OSError, ErrorKind.CONNECT, "no connection: {}"),
    (http.client.HTTPException, ErrorKind.MALFORMED, "malformed reply: {}"),
    (urllib3_errors.HTTPError, ErrorKind.MALFORMED, "malformed reply: {}"),
    (requests.RequestException, ErrorKind.INVALID_URL, "not a valid request"),
)


def attempt_error(error: BaseException) -> AttemptError:
    """Return the AttemptError for an error whose type is in LIBRARY_ERRORS."""
    causes = list(_causes(error))
    is_of_proxy = any(isinstance(cause, urllib3_errors.ProxyError) for cause in causes)
    for cause in causes:
        if isinstance(cause, ExchangeError) and not is_of_proxy:
            return AttemptError(cause.kind, cause.message)
        if isinstance(cause, OSError) and cause.errno in NO_DESCRIPTORS:
            return AttemptError(ErrorKind.NO_DESCRIPTORS, "too many open files")
    for type_, kind, message in _KINDS:
        for cause in causes:
            if isinstance(cause, type_) and not _is_mere_wrapper(cause, type_):
                prefix = "the proxy: " if is_of_proxy and kind is ErrorKind.CERTIFICATE else ""
                return AttemptError(kind, prefix + message.format(_reason(cause)))
    raise error


def _is_mere_wrapper(error: BaseException, type_: type[BaseException]) -> bool:
    """Tell whether an error is an OSError only because all errors of `requests` are."""
    return type_ is OSError and isinstance(error, requests.RequestException)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and all errors that it wraps, outermost first."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        # The libraries wrap errors in several ways. `socket_err` is that of PySocks.
        held = (getattr(current, name, None) for name in ("reason", "socket_err"))
        inner = (current.__cause__, *held, *current.args)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


def _reason(error: BaseException) -> str:
    """Return the innermost reason that may be shown, or the name of the error's type."""
    texts = [text for cause in _causes(error) if (text := _text(cause))]
    return texts[-1] if texts else type(error).__name__


def _text(error: BaseException) -> str | None:
    """Return the text of an error that may be shown, because it quotes no value; or None."""
    if isinstance(error, ExchangeError):
        return error.message
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    # CPython creates some SSLErrors without the attribute.
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None):
        is_plain = error.reason in _NO_TLS_REASONS
        return error.reason + ("; this port may have no TLS: try http" if is_plain else "")
    for type_, text in _FIXED_TEXTS:
        if isinstance(error, type_):
            return text
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return error.strerror
    return None
