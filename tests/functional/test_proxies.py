"""Requests through real proxies: what the origin gets, and how a proxy's refusals end."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import trustme

from tests.support.http_clients import PATIENT, SECRET, failure, fetch, get, running_client
from tests.support.jobs import make_record
from tests.support.proxies import Proxy, http_proxy, socks_proxy
from tests.support.raw_tcp import Talker
from tests.support.replies import Reply
from tests.support.scripted_server import ScriptedServer
from url_downloader.config.dial_settings import DialSettings, parse_fixed_address
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.retry_policy import GiveUp, RetryIn, decide
from url_downloader.network import connection, connector
from url_downloader.shared.compute_turn import ComputeTurn
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind, JobResult, JobStatus

pytestmark = pytest.mark.usefixtures("bare_environment")
BODY = b"0123456789"
KINDS: dict[str, Callable[..., AbstractContextManager[Proxy]]] = {
    "http": lambda _, **options: http_proxy(**options),
    "https": http_proxy,
    **dict.fromkeys(
        ("socks4", "socks4a", "socks5", "socks5h"), lambda _, **options: socks_proxy(**options)
    ),
}
LONG_NAME = ".".join(["a" * 39] * 5) + "a"
"""Host name of 200 bytes, more than a length of seven bits can tell."""


def is_retried(error: AttemptError) -> bool:
    """Return whether another attempt follows one that ended with this error."""
    result = JobResult(kind=error.kind, message=error.message)
    record = make_record(JobStatus.RUNNING)
    decision = decide(RetrySettings(), record, result=result, jitter=lambda low, high: high)
    assert isinstance(decision, RetryIn | GiveUp)
    return isinstance(decision, RetryIn)


@pytest.fixture(params=[False, True], ids=["to-http", "to-https"])
def site(request: pytest.FixtureRequest) -> ScriptedServer:
    """Return a server that answers each request with the Host field that it got."""
    server: ScriptedServer = request.getfixturevalue(
        "tls_server" if request.param else "server"
    )
    server.play("/a", lambda request: Reply(body=str(request.header("Host")).encode()))
    return server


@pytest.mark.parametrize("kind", KINDS)
def test_virtual_hosts(
    site: ScriptedServer, tls_context: ssl.SSLContext, ca_bundle: Path, kind: str
) -> None:
    """Each host is asked by its own name, whatever connections are kept."""
    urls = [site.url("/a"), site.url("/a").replace("127.0.0.1", "localhost")] * 2
    with KINDS[kind](tls_context) as proxy:
        settings = ServerSettings(proxy=proxy.url(scheme=kind), ca_cert=ca_bundle)
        with running_client(settings) as running:
            bodies = [get(running, url)[1] for url in urls]
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


class SeenTurn(ComputeTurn):
    """Compute turn that shows whether it is taken; for tests with one thread that computes."""

    is_taken = False

    def acquire(self) -> None:
        super().acquire()
        self.is_taken = True

    def release(self) -> None:
        super().release()
        self.is_taken = False


def test_a_handshake_in_a_tunnel_leaves_the_turn_to_others(
    ca_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker waits for TLS through a proxy, the others can compute."""
    turn, seen = SeenTurn(), list[bool]()
    for module in (connection, connector):
        monkeypatch.setattr(module, "COMPUTE_TURN", turn)

    def talk(client: socket.socket, _: threading.Event) -> None:
        client.recv(1 << 16)
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        client.recv(1 << 16)
        # The client waits for the answer to its ClientHello.
        seen.append(turn.is_taken)

    with Talker(talk) as proxy:
        settings = ServerSettings(proxy=proxy.url(""), ca_cert=ca_bundle)
        failure(settings, "https://127.0.0.1:9/")
    assert seen == [False]


def origin_name(url: str) -> str:
    """Return host and port of a URL."""
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
    """No byte of path and query changes on the way to the origin."""
    with KINDS[kind](tls_context) as proxy:
        settings = ServerSettings(proxy=proxy.url(scheme=kind), ca_cert=ca_bundle)
        with running_client(settings) as running:
            for target in TARGETS:
                get(running, site.url("") + target)
    assert [request.target for request in site.requests()] == TARGETS


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_a_login_is_bytes(server: ScriptedServer, kind: str) -> None:
    """A password is sent as the bytes that are escaped in the proxy's URL."""
    server.play("/a", Reply(body=b"x"))
    with KINDS[kind](None, password=b"#@:/?\xfc \xc3\xa9") as proxy:
        url = proxy.url(scheme=kind, password="%23%40%3A%2F%3F%FC%20é")
        with running_client(ServerSettings(proxy=url)) as running:
            assert get(running, server.url("/a")) == (200, b"x")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(status, ErrorKind.PROXY_REFUSED) for status in (302, 400, 403, 404, 407, 429)],
        *[(status, ErrorKind.PROXY) for status in (500, 502, 503, 504)],
    ],
)
def test_a_proxy_that_makes_no_tunnel(
    tls_server: ScriptedServer, status: int, kind: ErrorKind
) -> None:
    """The status of the proxy decides whether the job is retried, as that of a server."""
    with http_proxy(refusal=status) as proxy:
        error = failure(ServerSettings(proxy=proxy.url()), tls_server.url("/a"))
    assert error.kind is kind
    assert is_retried(error) is (kind is ErrorKind.PROXY)
    assert error.message.startswith(f"the proxy makes no tunnel: HTTP {status} ")
    assert ("--proxy" in error.message) is (status == 407)
    assert tls_server.connections == 0


@pytest.mark.parametrize("host", [LONG_NAME, "2001:db8::1", "192.0.2.1"])
def test_a_long_login_and_each_kind_of_host(server: ScriptedServer, host: str) -> None:
    """Names and passwords of 200 bytes reach the proxy, even if its answers come in bytes."""
    server.play("/a", Reply(body=BODY))
    origin = f"[{host}]" if ":" in host else host
    password = "p" * 200
    with socks_proxy(
        password=password.encode(), hosts={host: "127.0.0.1"}, is_slow=True
    ) as proxy:
        settings = ServerSettings(proxy=proxy.url(password=password))
        assert fetch(settings, server.url("/a").replace("127.0.0.1", origin)) == BODY
    assert proxy.served == [f"CONNECT {host}:{server.port}"]


@pytest.mark.parametrize(
    ("scheme", "asked"), [("socks4", "192.0.2.1"), ("socks5", "2001:db8::1")]
)
def test_a_host_that_is_looked_up_here(server: ScriptedServer, scheme: str, asked: str) -> None:
    """A proxy for SOCKS 5 gets the first address of the host, one for SOCKS 4 that of IPv4."""
    server.play("/a", Reply(body=BODY))
    fixed = parse_fixed_address(f"h.test:{server.port}:[2001:db8::1],192.0.2.1")
    with socks_proxy(hosts={asked: "127.0.0.1"}) as proxy:
        settings = ServerSettings(proxy=proxy.url(scheme=scheme))
        with running_client(settings, dial=DialSettings(resolve=(fixed,))) as running:
            assert get(running, server.url("/a").replace("127.0.0.1", "h.test")) == (200, BODY)
    assert proxy.served == [f"CONNECT {asked}:{server.port}"]


@pytest.mark.parametrize(("code", "words"), [(1, "0x01"), (2, "not allowed"), (5, "refused")])
def test_a_socks_proxy_that_makes_no_connection(
    server: ScriptedServer, code: int, words: str
) -> None:
    """The message has the reply code of the proxy, and the job is retried."""
    with socks_proxy(refusal=code) as proxy:
        error = failure(ServerSettings(proxy=proxy.url()), server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.PROXY, True)
    assert words in error.message


@pytest.mark.parametrize("password", [None, SECRET])
def test_a_socks_login_that_is_none(server: ScriptedServer, password: str | None) -> None:
    """A missing or wrong login is not retried; the message says where to put it."""
    with socks_proxy() as proxy:
        settings = ServerSettings(proxy=proxy.url(password=password))
        error = failure(settings, server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.PROXY_REFUSED, False)
    assert "--proxy" in error.message


@pytest.mark.parametrize("reply", [b"", b"220 ftp\r\n", b"HTTP/1.1 200", b"\0" * 9])
@pytest.mark.parametrize("scheme", ["http", "https", "socks4a", "socks5h"])
def test_what_is_no_proxy(scheme: str, reply: bytes) -> None:
    """A server that is no proxy counts as a failing proxy, and the job is retried."""
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
    """The message says that the certificate is the proxy's."""
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
    """The message names the variable; hosts that need no proxy are reached."""
    server.play("/a", Reply(body=b"x"))
    monkeypatch.setenv(name, f"http://me:{SECRET}#x@127.0.0.1:9")
    error = failure(ServerSettings(), server.url("/a"))
    assert (error.kind, is_retried(error)) == (ErrorKind.PROXY_REFUSED, False)
    assert error.message.startswith(f"{name}: the proxy's URL can't be used: ")
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{server.port}")
    with running_client(ServerSettings()) as running:
        assert get(running, server.url("/a")) == (200, b"x")


@pytest.mark.parametrize("is_tls", [False, True], ids=["to-http", "to-https"])
@pytest.mark.parametrize("scheme", KINDS)
def test_a_proxy_is_gone_through(
    request: pytest.FixtureRequest,
    tls_context: ssl.SSLContext,
    ca_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scheme: str,
    is_tls: bool,
) -> None:
    """Each kind carries HTTP and HTTPS, and beats the environment; servers see no login."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    site: ScriptedServer = request.getfixturevalue("tls_server" if is_tls else "server")
    site.play("/a", Reply(body=BODY))
    url = site.url("/a").replace("127.0.0.1", "localhost")
    with KINDS[scheme](tls_context) as proxy:
        settings = ServerSettings(proxy=proxy.url(scheme=scheme), ca_cert=ca_bundle)
        with running_client(settings) as running:
            assert get(running, url) == get(running, url) == (200, BODY)
    host = "127.0.0.1" if scheme in ("socks4", "socks5") else "localhost"
    is_asked = not is_tls and scheme in ("http", "https")
    called = f"GET {url}" if is_asked else f"CONNECT {host}:{site.port}"
    assert proxy.served == [called] * (2 if is_asked else 1)
    assert {request.header("Proxy-Authorization") for request in site.requests()} == {None}
    # RFC 9110 §7.2: the server is asked by its own name, not by the proxy's.
    assert {request.header("Host") for request in site.requests()} == {f"localhost:{site.port}"}


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_does_not_let_in(tls_server: ScriptedServer, scheme: str) -> None:
    """A refused login is a failure of the proxy; the server gets no connection."""
    with KINDS[scheme](ssl.create_default_context()) as proxy:
        error = failure(
            ServerSettings(proxy=proxy.url(password=f"{SECRET}x")), tls_server.url("/a")
        )
    assert error.kind is ErrorKind.PROXY_REFUSED
    assert (tls_server.connections, proxy.served) == (0, [])


def test_a_socks_proxy_that_is_not_there(server: ScriptedServer) -> None:
    """A missing proxy is not bypassed."""
    settings = ServerSettings(proxy=f"socks5h://me:{SECRET}@127.0.0.1:9")
    error = failure(settings, server.url("/a"))
    assert error.kind is ErrorKind.PROXY
    assert server.connections == 0


@pytest.mark.parametrize("scheme", KINDS)
def test_a_proxy_that_never_answers(server: ScriptedServer, scheme: str) -> None:
    """A call can be aborted while the proxy is silent."""
    with (
        ScriptedServer(silent=True) as silent,
        running_client(
            ServerSettings(proxy=silent.url("").replace("http:", f"{scheme}:"))
        ) as running,
        ThreadPoolExecutor() as others,
    ):
        call = others.submit(get, running, server.url("/a").replace("http:", "https:"))
        silent.wait_for_connections(1)
        running.control.abort()
        error = call.exception(PATIENT)
    assert isinstance(error, AttemptError)
    assert error.kind is ErrorKind.INTERRUPTED


@pytest.mark.parametrize("proxy", [f"socks://me:{SECRET}@h", f"gopher://me:{SECRET}@h"])
def test_a_proxy_of_an_unknown_kind(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The message names the variable, and shows nothing of its value."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    error = failure(ServerSettings(), server.url("/a"))
    assert error.kind is ErrorKind.PROXY_REFUSED
    assert error.message.startswith("HTTP_PROXY: ")
