"""Errors of the HTTP libraries, nested as in real requests: their kinds and messages.

The errors are raised inside requests and urllib3, by a connection in memory that fails at one
place. The errors of TLS come from a real handshake between two buffers.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import requests
import trustme
import urllib3.connection
import urllib3.exceptions
import urllib3.util.connection
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

from tests.support.memory_replies import MemorySocket, Stream
from url_downloader.network.errors import LIBRARY_ERRORS, attempt_error
from url_downloader.network.message_head import ExchangeError
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

HEAD = b"HTTP/1.1 200 OK\r\n"
PROXY = "http://user:secret@proxy.example:3128"

Raising = Callable[..., Any]


def system_error(number: int) -> OSError:
    """Return the operating system's error of this number, in its own class."""
    return OSError(number, os.strerror(number))


def tls_error(type_: type[ssl.SSLError], reason: str) -> ssl.SSLError:
    """Return an error as those of OpenSSL, with its reason as an attribute."""
    error = type_(1, f"[SSL: {reason}] (_ssl.c:1000)")
    error.reason = reason
    return error


class Adapter(HTTPAdapter):
    """The adapter of requests, with the program's strict replies."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        strict = {"response_class": StrictResponse}
        pool.ConnectionCls = type("Strict", (pool.ConnectionCls,), strict)
        return pool


class Network:
    """A network on which connections and handshakes end as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def connects_to(self, outcome: MemorySocket | BaseException) -> None:
        """Have every connection be this socket, or fail with this error."""
        self._patch.setattr(
            urllib3.util.connection, "create_connection", raising_or_returning(outcome)
        )

    def shakes_hands(self, outcome: BaseException) -> None:
        """Have every TLS handshake fail with this error."""
        self.connects_to(MemorySocket(Stream()))
        self._patch.setattr(
            urllib3.connection, "ssl_wrap_socket", raising_or_returning(outcome)
        )

    def error(self, url: str = "http://h/", proxy: str | None = None) -> AttemptError:
        """Return the AttemptError for the error that a request for the URL raises."""
        with pytest.raises(LIBRARY_ERRORS) as caught:
            self._get(url, {"http": proxy, "https": proxy} if proxy else {})
        found = attempt_error(caught.value)
        assert "\n" not in found.message
        assert "secret" not in found.message
        return found

    def _get(self, url: str, proxies: dict[str, str]) -> None:
        request, adapter = requests.Request("GET", url).prepare(), Adapter()
        try:
            response = adapter.send(request, stream=True, timeout=9, proxies=proxies)
            while response.raw.read1(100):
                pass
        finally:
            adapter.close()


def raising_or_returning(outcome: object) -> Raising:
    """Return a function that raises the outcome if it is an error, and else returns it."""

    def act(*_: object, **__: object) -> object:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return act


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return a network, with no proxy in the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return Network(monkeypatch)


NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_ROUTE = system_error(errno.EHOSTUNREACH)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (NO_NAME, ErrorKind.DNS, "host name not resolved: Name or service not known"),
        (AGAIN, ErrorKind.DNS, "host name not resolved: Temporary failure"),
        (system_error(errno.ECONNREFUSED), ErrorKind.CONNECT, "connection refused"),
        (NO_ROUTE, ErrorKind.CONNECT, "no connection: No route to host"),
        (system_error(errno.ENETUNREACH), ErrorKind.CONNECT, "Network is unreachable"),
        (system_error(errno.EMFILE), ErrorKind.NO_DESCRIPTORS, "too many open files"),
        (system_error(errno.ECONNRESET), ErrorKind.RESET, "connection lost"),
        (
            TimeoutError("timed out"),
            ErrorKind.TIMEOUT,
            "within --connect-timeout",
        ),
        (
            system_error(errno.ETIMEDOUT),
            ErrorKind.TIMEOUT,
            "within --connect-timeout",
        ),
    ],
)
def test_connecting(
    network: Network, scheme: str, error: OSError, kind: ErrorKind, words: str
) -> None:
    """Name, refusal, route and time have their kinds, and the message of the system."""
    network.connects_to(error)
    found = network.error(f"{scheme}://h/")
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (system_error(errno.ECONNRESET), ErrorKind.RESET, "connection lost"),
        (system_error(errno.ECONNABORTED), ErrorKind.RESET, "connection lost"),
        (TimeoutError("The read operation timed out"), ErrorKind.TIMEOUT, "no byte within"),
        (system_error(errno.ETIMEDOUT), ErrorKind.TIMEOUT, "no byte within"),
        (tls_error(ssl.SSLEOFError, "UNEXPECTED_EOF"), ErrorKind.TLS, "UNEXPECTED_EOF"),
        (tls_error(ssl.SSLError, "BAD_RECORD_MAC"), ErrorKind.TLS, "BAD_RECORD_MAC"),
    ],
)
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        HEAD + b"Content-Length: 9\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n1234",
        HEAD + b"\r\n1234",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n1234",
    ],
)
def test_reading(
    network: Network, sent: bytes, error: OSError, kind: ErrorKind, words: str
) -> None:
    """A lost or silent connection has the same kind, wherever the reply was by then."""
    network.connects_to(MemorySocket(Stream(sent, error)))
    found = network.error()
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (b"", ErrorKind.RESET, "connection closed before the reply"),
        (b"HTTP/1.1 2", ErrorKind.TRUNCATED, "inside the header block"),
        (HEAD, ErrorKind.TRUNCATED, "inside the header block"),
        (HEAD + b"Content-Length: 9\r\n\r\n", ErrorKind.TRUNCATED, "inside the body"),
        (HEAD + b"Content-Length: 9\r\n\r\n1234", ErrorKind.TRUNCATED, "inside the body"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", ErrorKind.TRUNCATED, "chunk"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n12", ErrorKind.TRUNCATED, "chunk"),
        (b"SSH-2.0-OpenSSH\r\n", ErrorKind.NOT_HTTP, "not an HTTP/1 status line"),
        (HEAD + b"no colon\r\n\r\n", ErrorKind.MALFORMED, "not a header line"),
        (HEAD + b"X: y\r\n" * 101, ErrorKind.HEADERS_TOO_LARGE, "more than 99"),
        (HEAD + b"X: " + b"y" * 70000, ErrorKind.HEADERS_TOO_LARGE, "line over 65536 bytes"),
        (HEAD + b"Content-Length: -9\r\n\r\n", ErrorKind.MALFORMED, "Content-Length"),
        (HEAD + b"Content-Length: 9, 8\r\n\r\n", ErrorKind.MALFORMED, "Content-Length"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", ErrorKind.MALFORMED, "transfer coding"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", ErrorKind.MALFORMED, "chunk size"),
    ],
)
def test_a_reply_that_ends_early_or_breaks_the_rules(
    network: Network, sent: bytes, kind: ErrorKind, words: str
) -> None:
    """Cut replies and malformed replies have different kinds, through all wrapping."""
    network.connects_to(MemorySocket(Stream(sent)))
    found = network.error()
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize("place", ["sending", "head", "body"])
def test_a_route_that_is_lost_later(network: Network, place: str) -> None:
    """Any error of the system after connecting is one of the connection, not of the reply."""
    begun = HEAD + b"Content-Length: 9\r\n\r\n1234" if place == "body" else b""
    network.connects_to(
        MemorySocket(Stream(begun, NO_ROUTE), NO_ROUTE if place == "sending" else None)
    )
    found = network.error()
    assert found.kind in {ErrorKind.CONNECT, ErrorKind.RESET}
    assert "No route to host" in found.message


def test_a_reset_while_sending(network: Network) -> None:
    """A server that closes before it has read the request resets the connection."""
    network.connects_to(MemorySocket(Stream(), system_error(errno.ECONNRESET)))
    assert network.error().kind is ErrorKind.RESET


@pytest.fixture
def handshake(ca: trustme.CA, tls_context: ssl.SSLContext) -> Callable[[str, str], OSError]:
    """Return a function that makes a real handshake with a peer, and returns its error."""

    def shake(host: str, peer: str) -> OSError:
        client = ssl.create_default_context()
        if peer != "stranger":
            ca.configure_trust(client)
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=host)
        ends = [near, tls_context.wrap_bio(to_server, to_client, server_side=True)]
        if peer == "plain":
            to_client.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif peer == "leaving":
            to_client.write_eof()
        for end in ends * 3:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return error
        raise AssertionError("the handshake went well")

    return shake


@pytest.mark.parametrize(
    ("host", "peer", "kind", "words"),
    [
        ("localhost", "stranger", ErrorKind.CERTIFICATE, "unable to get local issuer"),
        ("other.example", "friend", ErrorKind.CERTIFICATE, "other.example"),
        ("localhost", "plain", ErrorKind.TLS, "TLS failed: "),
        ("localhost", "leaving", ErrorKind.TLS, "TLS failed: UNEXPECTED_EOF"),
    ],
)
def test_a_handshake_that_fails(
    network: Network,
    handshake: Callable[[str, str], OSError],
    host: str,
    peer: str,
    kind: ErrorKind,
    words: str,
) -> None:
    """A certificate that is not trusted, or another's, has another kind than broken TLS."""
    network.shakes_hands(handshake(host, peer))
    found = network.error(f"https://{host}/")
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (system_error(errno.ECONNRESET), ErrorKind.RESET),
        (TimeoutError("_ssl.c:1006: The handshake operation timed out"), ErrorKind.TIMEOUT),
        # CPython makes a few like this one, without a reason as an attribute.
        (ssl.SSLError("Underlying socket has been closed."), ErrorKind.TLS),
    ],
)
def test_a_handshake_that_is_cut_off(network: Network, error: OSError, kind: ErrorKind) -> None:
    """A close, a reset or silence within the handshake is never a certificate error."""
    network.shakes_hands(error)
    assert network.error("https://h/").kind is kind


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NO_NAME, "the proxy failed: Name or service not known"),
        (system_error(errno.ECONNREFUSED), "the proxy failed: Connection refused"),
        (NO_ROUTE, "the proxy failed: No route to host"),
    ],
)
def test_a_proxy_that_is_not_there(
    network: Network, scheme: str, error: OSError, words: str
) -> None:
    """An error on the way to the proxy is the proxy's; the message has no password."""
    network.connects_to(error)
    found = network.error(f"{scheme}://h/", proxy=PROXY)
    assert (found.kind, found.message) == (ErrorKind.PROXY, words)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:secret@h:99999/",
        "http://u:secret@/",
        "http://u:secret@*.h/",
        f"http://u:secret@{'a' * 64}.h/",
        "http://u:secret@a..h/",
        "http://u:secret@\u00e4..h/",
    ],
)
def test_an_invalid_url(network: Network, url: str) -> None:
    """The message for an invalid URL does not show it, as it may hold a password."""
    assert network.error(url).kind is ErrorKind.INVALID_URL


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ExchangeError(ErrorKind.TRUNCATED, "cut"), ErrorKind.TRUNCATED),
        (
            urllib3.exceptions.ProtocolError("x", ExchangeError(ErrorKind.RESET, "")),
            ErrorKind.RESET,
        ),
        (requests.ConnectionError(ConnectionResetError(104, "reset")), ErrorKind.RESET),
        (urllib3.exceptions.ProtocolError("odd"), ErrorKind.MALFORMED),
        (UnicodeError("label too long"), ErrorKind.INVALID_URL),
        (NO_ROUTE, ErrorKind.CONNECT),
        (system_error(errno.EPIPE), ErrorKind.RESET),
    ],
)
def test_bare_errors(error: BaseException, kind: ErrorKind) -> None:
    """The kind is found at any depth of wrapping, and without any."""
    assert attempt_error(error).kind is kind


SECRET_URL = "http://u:S3CRET@h/?sig=S3CRET"


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.InvalidURL(f"Invalid URL {SECRET_URL!r}"),
        requests.exceptions.InvalidSchema(
            f"No connection adapters were found for {SECRET_URL!r}"
        ),
        requests.exceptions.InvalidProxyURL(SECRET_URL),
        requests.exceptions.InvalidHeader("Invalid header value: 'S3CRET'"),
        requests.exceptions.RequestException(SECRET_URL),
        urllib3.exceptions.LocationParseError(SECRET_URL),
        urllib3.exceptions.MaxRetryError(HTTPConnectionPool("h"), SECRET_URL),
        urllib3.exceptions.ProtocolError("S3CRET"),
        urllib3.exceptions.ProxyError("S3CRET", OSError("S3CRET")),
        urllib3.exceptions.ProxySchemeUnknown("S3CRET"),
        urllib3.exceptions.InvalidHeader("S3CRET"),
        http.client.BadStatusLine("S3CRET"),
        http.client.InvalidURL(SECRET_URL),
        http.client.HTTPException("S3CRET"),
        UnicodeEncodeError("ascii", "S3CRET\xfc", 6, 7, "ordinal not in range"),
        UnicodeDecodeError("utf-8", b"S3CRET\xfc", 6, 7, "invalid start byte"),
        OSError("S3CRET"),
        ConnectionError("S3CRET"),
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "S3CRET"),
        ssl.SSLError("S3CRET"),
        TimeoutError("S3CRET"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_text_of_a_library_is_shown(error: BaseException) -> None:
    """Texts of libraries are not shown: they may quote passwords, headers or unread bytes."""
    assert "S3CRET" not in attempt_error(error).message
    outer = urllib3.exceptions.ProtocolError("S3CRET", error)
    assert "S3CRET" not in attempt_error(outer).message


def test_a_bug_is_not_explained_away() -> None:
    """An error that no library raises on purpose is raised again as it is."""
    bug = KeyError("ours")
    with pytest.raises(KeyError) as caught:
        attempt_error(bug)
    assert caught.value is bug
