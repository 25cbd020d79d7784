"""Requests through real proxies: what the origin gets, and what a proxy's refusal comes to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.proxies import Proxy, http_proxy, socks_proxy
from tests.support.replies import Reply
from tests.support.scripted_server import ScriptedServer
from url_downloader.config.proxies import parse_proxy
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import RetrySettings, TransferSettings
from url_downloader.engine.retry_policy import GiveUp, RetryIn, decide
from url_downloader.network.client import HttpClient, client_context
from url_downloader.network.connection_cache import ConnectionCache, ConnectionKey
from url_downloader.network.resolver import Resolver
from url_downloader.network.tls import TlsConfig
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import (
    AttemptLimits,
    DownloadJob,
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
)
from url_downloader.shared.url_parts import origin_of

LIMITS = AttemptLimits(timeout=60, connect_timeout=60)
SECRET = "S3CRET"
KINDS: dict[str, Callable[..., AbstractContextManager[Proxy]]] = {
    "http": lambda _, **options: http_proxy(**options),
    "https": http_proxy,
    "socks5": lambda _, **options: socks_proxy(**options),
    "socks5h": lambda _, **options: socks_proxy(**options),
}


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine has no proxies and no logins of its own."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


@contextmanager
def client(settings: ServerSettings) -> Iterator[HttpClient]:
    """A client with these settings."""
    context = client_context(settings, TransferSettings())
    running = HttpClient(
        context, control=AttemptControl(), max_idle=10, look_up=Resolver().look_up
    )
    yield running
    running.close()


def body(running: HttpClient, url: str) -> bytes:
    """Return what a GET brings."""
    reply = running.open(url, (), conditions=(), limits=LIMITS)
    try:
        return b"".join(map(bytes, reply.chunks()))
    finally:
        reply.close()


def failure(settings: ServerSettings, url: str) -> AttemptError:
    """The error that a GET ends with instead."""
    with client(settings) as running, pytest.raises(AttemptError) as caught:
        body(running, url)
    assert SECRET not in caught.value.message
    return caught.value


def is_retried(error: AttemptError) -> bool:
    """Return whether an attempt that ended so is followed by another."""
    result = JobResult(kind=error.kind, message=error.message)
    job = DownloadJob(job_id=1, url="http://h/", output="a", max_retries=4)
    record = JobRecord(job, JobStatus.RUNNING, 1, created_at=0.0, since=0.0)
    decision = decide(RetrySettings(), record, result=result, jitter=lambda low, high: high)
    assert isinstance(decision, RetryIn | GiveUp)
    return isinstance(decision, RetryIn)


@pytest.fixture(params=[False, True], ids=["to-http", "to-https"])
def site(request: pytest.FixtureRequest) -> ScriptedServer:
    """A server that answers each request with the Host field that it got."""
    server: ScriptedServer = request.getfixturevalue(
        "tls_server" if request.param else "server"
    )
    server.play("/a", lambda request: Reply(body=str(request.header("Host")).encode()))
    return server


@pytest.mark.parametrize("kind", KINDS)
def test_virtual_hosts(
    site: ScriptedServer, tls_context: ssl.SSLContext, ca_bundle: Path, kind: str
) -> None:
    """Each host is asked by its own name, in turn, whatever connections are kept."""
    urls = [site.url("/a"), site.url("/a").replace("127.0.0.1", "localhost")] * 2
    with KINDS[kind](tls_context) as proxy:
        settings = ServerSettings(proxy=proxy.url(scheme=kind), ca_cert=ca_bundle)
        with client(settings) as running:
            bodies = [body(running, url) for url in urls]
    assert bodies == [origin_name(url).encode() for url in urls]
    if kind in ("http", "https") and not site.tls:
        # RFC 9112 §3.2.2: the whole URL, and the Host that fits it.
        lines = [head.decode().split("\r\n")[0] for head in proxy.heads]
        assert lines == [f"GET {url} HTTP/1.1" for url in urls]
        hosts = [f"\r\nHost: {origin_name(url)}\r\n".encode() for url in urls]
        heads = [head.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r") for head in proxy.heads]
        assert [host in head for host, head in zip(hosts, heads, strict=True)] == [True] * 4
    elif not site.tls:
        starts = [head.split(b"\r\n")[0] for head in proxy.heads]
        assert starts == [b"GET /a HTTP/1.1"] * 2


def origin_name(url: str) -> str:
    """Host and port in a URL."""
    return url.split("/")[2]


TARGETS = [
    *["/a%2fb%2Fc", "/%7Ea~", "/a[1]?b[2]={3}|4", "/a?", "/?", "//key", "/a//b/", "/a%zz%"],
    *[
        "/a?b=c%20d+e&f=%c3%a9&&g",
        "/a;b=c,d'(e)*!$@:",
        "/a?b?c/d",
        "/.%2e/a",
        "/a%00b",
        "/%5B%5d",
    ],
]


@pytest.mark.parametrize("kind", KINDS)
def test_targets_come_as_they_are(
    site: ScriptedServer, tls_context: ssl.SSLContext, ca_bundle: Path, kind: str
) -> None:
    """No byte of path and query is changed on the way to the origin."""
    origin = origin_of(site.url("/"))
    control = AttemptControl()
    connections = ConnectionCache(
        control,
        Resolver().look_up,
        tls=TlsConfig(bundle=ca_bundle),
        max_idle=1,
    )
    with KINDS[kind](tls_context) as proxy, closing(connections):
        key = ConnectionKey(origin, False, parse_proxy(proxy.url(scheme=kind)))
        for target in TARGETS:
            reply, let_go = connections.exchange(target, {}, key=key, limits=LIMITS)
            while reply.read1(1000):
                pass
            let_go()
        control.release()
    assert [request.target for request in site.requests()] == TARGETS


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_a_login_is_bytes(server: ScriptedServer, kind: str) -> None:
    """Whatever characters a password has, it is sent as it is escaped in the proxy's URL."""
    server.play("/a", Reply(body=b"x"))
    with KINDS[kind](None, password=b"#@:/?\xfc \xc3\xa9") as proxy:
        url = proxy.url(scheme=kind, password="%23%40%3A%2F%3F%FC%20é")
        with client(ServerSettings(proxy=url)) as running:
            assert body(running, server.url("/a")) == b"x"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(status, ErrorKind.PROXY_REFUSED) for status in (400, 403, 404, 407, 429)],
        *[(status, ErrorKind.PROXY) for status in (302, 500, 502, 503, 504)],
    ],
)
def test_a_proxy_that_makes_no_tunnel(
    tls_server: ScriptedServer, status: int, kind: ErrorKind
) -> None:
    """Its status decides whether it is asked again, as a server's does."""
    with http_proxy(refusal=status) as proxy:
        error = failure(ServerSettings(proxy=proxy.url()), tls_server.url("/a"))
    assert error.kind is kind
    assert is_retried(error) is (kind is ErrorKind.PROXY)
    assert error.message.startswith(f"the proxy makes no tunnel: HTTP {status} ")
    assert ("--proxy" in error.message) is (status == 407)
    assert tls_server.connections == 0


@pytest.mark.parametrize(("code", "words"), [(1, "0x01"), (2, "not allowed"), (5, "refused")])
def test_a_socks_proxy_that_makes_no_connection(
    server: ScriptedServer, code: int, words: str
) -> None:
    """Its reply code is told, and it is asked again."""
    with socks_proxy(refusal=code) as proxy:
        error = failure(ServerSettings(proxy=proxy.url()), server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.PROXY, True)
    assert words in error.message


@pytest.mark.parametrize("password", [None, SECRET])
def test_a_socks_login_that_is_none(server: ScriptedServer, password: str | None) -> None:
    """A missing or wrong login is not tried again; the message says where it belongs."""
    with socks_proxy() as proxy:
        settings = ServerSettings(proxy=proxy.url(password=password))
        error = failure(settings, server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.PROXY_REFUSED, False)
    assert "--proxy" in error.message


@pytest.mark.parametrize("reply", [b"", b"220 ftp\r\n", b"HTTP/1.1 200", b"\0" * 9])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
def test_what_is_no_proxy(scheme: str, reply: bytes) -> None:
    """A server that is no proxy counts as a proxy that fails, and is tried again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        proxy = f"{scheme}://me:{SECRET}@127.0.0.1:{listener.getsockname()[1]}"
        error = failure(ServerSettings(proxy=proxy), "https://h.test/a")
        thread.join()
    assert is_retried(error)
    assert error.kind in (ErrorKind.PROXY, ErrorKind.RESET)
    assert "proxy" in error.message or error.kind is ErrorKind.RESET


def test_a_proxy_whose_certificate_is_not_trusted(server: ScriptedServer) -> None:
    """It is told that it is the proxy's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with http_proxy(context) as proxy:
        error = failure(ServerSettings(proxy=proxy.url()), server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.CERTIFICATE, False)
    assert error.message.startswith("the proxy: certificate not accepted: ")


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_bad_url_of_a_proxy_is_named(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is the variable's fault, not the file's; hosts reached without it are reached."""
    server.play("/a", Reply(body=b"x"))
    monkeypatch.setenv(name, f"http://me:{SECRET}#x@127.0.0.1:9")
    error = failure(ServerSettings(), server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.PROXY_REFUSED, False)
    assert error.message.startswith(f"{name}: the proxy's URL can't be used: ")
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{server.port}")
    with client(ServerSettings()) as running:
        assert body(running, server.url("/a")) == b"x"
