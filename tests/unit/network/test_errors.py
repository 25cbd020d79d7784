"""Errors of the system, where a request meets them: their kinds and messages.

They are raised by a stream in memory that fails at one place. The errors of TLS come from a
real handshake between two buffers.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import ssl
from collections.abc import Callable

import pytest
import trustme

from tests.support.memory_replies import MemoryStream, body_of, connection_over, reply
from url_downloader.config.proxies import Proxy
from url_downloader.network.connection import StaleConnectionError
from url_downloader.network.errors import (
    TRANSFER_ERRORS,
    connect_error,
    proxy_error,
    transfer_error,
)
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Translation = Callable[[Exception], AttemptError]
in_connecting = functools.partial(connect_error, seconds=9)
of_proxy = functools.partial(proxy_error, proxy=Proxy("http", "proxy.test", 3128))


def system_error(number: int) -> OSError:
    """Return the operating system's error of this number, in its own class."""
    return OSError(number, os.strerror(number))


def tls_error(type_: type[ssl.SSLError], reason: str) -> ssl.SSLError:
    """Return an error as those of OpenSSL, with its reason as an attribute."""
    error = type_(1, f"[SSL: {reason}] (_ssl.c:1000)")
    error.reason = reason
    return error


NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_ROUTE = system_error(errno.EHOSTUNREACH)
REFUSED = system_error(errno.ECONNREFUSED)
CUT_OFF = tls_error(ssl.SSLEOFError, "UNEXPECTED_EOF_WHILE_READING")


def reading_error(stream: MemoryStream) -> AttemptError:
    """Return the error of an attempt that reads this reply, head and body."""
    with pytest.raises((AttemptError, *TRANSFER_ERRORS)) as caught:
        body_of(reply(stream))
    found = transfer_error(caught.value)
    assert "\n" not in found.message
    return found


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (NO_NAME, ErrorKind.DNS, "host name not resolved: Name or service not known"),
        (AGAIN, ErrorKind.DNS, f"host name not resolved: {AGAIN.strerror}"),
        (REFUSED, ErrorKind.CONNECT, "connection refused"),
        (NO_ROUTE, ErrorKind.CONNECT, "no connection: No route to host"),
        (
            system_error(errno.ENETUNREACH),
            ErrorKind.CONNECT,
            "no connection: Network is unreachable",
        ),
        (system_error(errno.EMFILE), ErrorKind.NO_DESCRIPTORS, "too many open files"),
        (system_error(errno.ENFILE), ErrorKind.NO_DESCRIPTORS, "too many open files"),
        (
            system_error(errno.ECONNRESET),
            ErrorKind.RESET,
            "connection lost: Connection reset by peer",
        ),
        (
            TimeoutError("timed out"),
            ErrorKind.TIMEOUT,
            "no connection within --connect-timeout 9 s",
        ),
        (
            system_error(errno.ETIMEDOUT),
            ErrorKind.TIMEOUT,
            "no connection within --connect-timeout 9 s",
        ),
        (UnicodeError("label too long"), ErrorKind.INVALID_URL, "invalid host name"),
    ],
)
def test_connecting(error: Exception, kind: ErrorKind, message: str) -> None:
    """Name, refusal, route and time have their kinds, and the message of the system."""
    found = in_connecting(error)
    assert (found.kind, found.message) == (kind, message)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (system_error(errno.ECONNRESET), ErrorKind.RESET, "connection lost"),
        (system_error(errno.ECONNABORTED), ErrorKind.RESET, "connection lost"),
        (system_error(errno.EPIPE), ErrorKind.RESET, "connection lost"),
        (TimeoutError("The read operation timed out"), ErrorKind.TIMEOUT, "no byte within"),
        (system_error(errno.ETIMEDOUT), ErrorKind.TIMEOUT, "no byte within"),
        (system_error(errno.EAGAIN), ErrorKind.TIMEOUT, "no byte within"),
        (tls_error(ssl.SSLError, "BAD_RECORD_MAC"), ErrorKind.TLS, "BAD_RECORD_MAC"),
        (NO_ROUTE, ErrorKind.CONNECT, "no connection: No route to host"),
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
        CHUNKED,
        CHUNKED + b"9\r\n1234",
        CHUNKED + b"4\r\n1234",
    ],
)
def test_reading(sent: bytes, error: OSError, kind: ErrorKind, words: str) -> None:
    """A lost or silent connection has the same kind, wherever the reply was by then."""
    found = reading_error(MemoryStream(sent, error=error))
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize("error", [None, CUT_OFF])
@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (b"", ErrorKind.RESET, "connection closed before the reply"),
        (b"HTTP/1.1 2", ErrorKind.TRUNCATED, "inside the header block"),
        (HEAD, ErrorKind.TRUNCATED, "inside the header block"),
        (HEAD + b"no colon\r\n", ErrorKind.TRUNCATED, "inside the header block"),
        (HEAD + b"Content-Length: 9\r\n\r\n", ErrorKind.TRUNCATED, "inside the body"),
        (HEAD + b"Content-Length: 9\r\n\r\n1234", ErrorKind.TRUNCATED, "inside the body"),
        (CHUNKED, ErrorKind.TRUNCATED, "chunk"),
        (CHUNKED + b"9\r\n12", ErrorKind.TRUNCATED, "chunk"),
        (CHUNKED + b"2\r\n12\r\n", ErrorKind.TRUNCATED, "chunk"),
    ],
)
def test_a_reply_that_is_cut(
    sent: bytes, kind: ErrorKind, words: str, error: OSError | None
) -> None:
    """A reply that ends early is truncated; TLS that is cut off is no failure of TLS."""
    found = reading_error(MemoryStream(sent, error=error))
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", ErrorKind.NOT_HTTP, "not an HTTP/1 status line"),
        (HEAD + b"no colon\r\n\r\n", ErrorKind.MALFORMED, "not a header line"),
        (HEAD + b"X: " + b"y" * (1 << 18), ErrorKind.HEADERS_TOO_LARGE, "over 256 KiB"),
        (HEAD + b"Content-Length: -9\r\n\r\n", ErrorKind.MALFORMED, "Content-Length"),
        (HEAD + b"Content-Length: 9, 8\r\n\r\n", ErrorKind.MALFORMED, "Content-Length"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", ErrorKind.MALFORMED, "transfer coding"),
        (CHUNKED + b"-5\r\n", ErrorKind.MALFORMED, "chunk size"),
    ],
)
def test_a_reply_that_breaks_the_rules(sent: bytes, kind: ErrorKind, words: str) -> None:
    """A malformed reply has another kind than one that was cut."""
    found = reading_error(MemoryStream(sent))
    assert found.kind is kind
    assert words in found.message


def test_a_route_that_is_lost_while_sending() -> None:
    """Any error of the system while sending is one of the connection, not of the reply."""
    with pytest.raises(OSError, match="No route to host") as caught:
        connection_over(MemoryStream(send_error=NO_ROUTE)).send(b"GET")
    found = transfer_error(caught.value)
    assert (found.kind, found.message) == (ErrorKind.CONNECT, "no connection: No route to host")


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
        ("localhost", "plain", ErrorKind.TLS, "this port may have no TLS: try http"),
        ("localhost", "leaving", ErrorKind.TLS, "TLS failed: UNEXPECTED_EOF"),
    ],
)
def test_a_handshake_that_fails(
    handshake: Callable[[str, str], OSError],
    host: str,
    peer: str,
    *,
    kind: ErrorKind,
    words: str,
) -> None:
    """A certificate that is not trusted, or another's, has another kind than broken TLS."""
    found = in_connecting(handshake(host, peer))
    assert found.kind is kind
    assert words in found.message


@pytest.mark.parametrize(
    ("peer", "kind", "words"),
    [
        ("stranger", ErrorKind.CERTIFICATE, "the proxy: certificate not accepted: unable to"),
        ("plain", ErrorKind.PROXY, "the proxy proxy.test:3128 failed: "),
        ("leaving", ErrorKind.PROXY, "the proxy proxy.test:3128 failed: UNEXPECTED_EOF"),
    ],
)
def test_a_handshake_with_a_proxy_that_fails(
    handshake: Callable[[str, str], OSError], peer: str, kind: ErrorKind, words: str
) -> None:
    """The certificate of a proxy is as final as that of a server; the rest may pass."""
    found = of_proxy(handshake("localhost", peer))
    assert found.kind is kind
    assert found.message.startswith(words)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (system_error(errno.ECONNRESET), ErrorKind.RESET),
        (TimeoutError("_ssl.c:1006: The handshake operation timed out"), ErrorKind.TIMEOUT),
        # CPython makes a few like this one, without a reason as an attribute.
        (ssl.SSLError("Underlying socket has been closed."), ErrorKind.TLS),
        (CUT_OFF, ErrorKind.TLS),
    ],
)
def test_a_handshake_that_is_cut_off(error: OSError, kind: ErrorKind) -> None:
    """A close, a reset or silence within the handshake is never a certificate error."""
    assert in_connecting(error).kind is kind


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NO_NAME, "the proxy proxy.test:3128 failed: Name or service not known"),
        (REFUSED, "the proxy proxy.test:3128 failed: Connection refused"),
        (NO_ROUTE, "the proxy proxy.test:3128 failed: No route to host"),
        (
            system_error(errno.ECONNRESET),
            "the proxy proxy.test:3128 failed: Connection reset by peer",
        ),
        (TimeoutError("timed out"), "the proxy proxy.test:3128 failed: no answer in time"),
        (
            tls_error(ssl.SSLError, "BAD_RECORD_MAC"),
            "the proxy proxy.test:3128 failed: BAD_RECORD_MAC",
        ),
        (
            StaleConnectionError("connection closed before the reply"),
            "the proxy proxy.test:3128 failed: connection closed before the reply",
        ),
        (
            AttemptError(ErrorKind.NOT_HTTP, "not an HTTP/1 status line: b'SSH'"),
            "the proxy proxy.test:3128 failed: not an HTTP/1 status line: b'SSH'",
        ),
        (AttemptError(ErrorKind.PROXY, "no tunnel"), "no tunnel"),
    ],
)
def test_a_proxy_that_fails(error: Exception, message: str) -> None:
    """An error on the way to the proxy, or in the talk with it, is the proxy's."""
    found = of_proxy(error)
    assert (found.kind, found.message) == (ErrorKind.PROXY, message)


@pytest.mark.parametrize(
    "error",
    [
        system_error(errno.EMFILE),
        AttemptError(ErrorKind.PROXY_REFUSED, "407"),
        AttemptError(ErrorKind.NO_DESCRIPTORS, "too many open files"),
    ],
)
def test_errors_with_a_proxy_that_keep_their_kind(error: Exception) -> None:
    """A lack of descriptors is no fault of the proxy; a refusal is final."""
    found = of_proxy(error)
    assert (found.kind, found.message) == (
        in_connecting(error).kind,
        in_connecting(error).message,
    )


@pytest.mark.parametrize("translation", [transfer_error, in_connecting, of_proxy])
def test_an_error_of_the_attempt_passes(translation: Translation) -> None:
    """An error that is an AttemptError already is not translated again."""
    refused = AttemptError(ErrorKind.PROXY_REFUSED, "no")
    assert translation(refused) is refused


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("ascii", "S3CRET\xfc", 6, 7, "ordinal not in range"),
        UnicodeDecodeError("utf-8", b"S3CRET\xfc", 6, 7, "invalid start byte"),
        OSError("S3CRET"),
        ConnectionError("S3CRET"),
        ConnectionResetError("S3CRET"),
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "S3CRET"),
        socket.gaierror("S3CRET"),
        ssl.SSLError("S3CRET"),
        TimeoutError("S3CRET"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("translation", [transfer_error, in_connecting, of_proxy])
def test_no_text_of_an_exception_is_shown(error: Exception, translation: Translation) -> None:
    """Texts of exceptions are not shown: they may quote passwords, headers or unread bytes."""
    assert "S3CRET" not in translation(error).message


@pytest.mark.parametrize("translation", [transfer_error, in_connecting, of_proxy])
def test_a_bug_is_not_explained_away(translation: Translation) -> None:
    """An error that no system raises is raised again as it is."""
    bug = KeyError("ours")
    with pytest.raises(KeyError) as caught:
        translation(bug)
    assert caught.value is bug
