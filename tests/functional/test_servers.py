"""What servers are told of the user, and by which ways: headers, logins, proxies, TLS."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.support.nginx import Nginx, running_nginx
from tests.support.proxies import Proxy, http_proxy, socks_proxy
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader import __version__
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import TransferSettings
from url_downloader.network.client import HttpClient, client_context
from url_downloader.network.resolver import Resolver
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError, InputError
from url_downloader.shared.models import AttemptLimits, ErrorKind
from url_downloader.shared.ports import Fields

PATIENT = 60.0
SECRET = "s3cret"
BODY = b"0123456789"
BUNDLES = ("curl_ca_bundle", "ssl_cert_file", "ssl_cert_dir")


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine has no proxies, no bundle and no logins of its own."""
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy", *BUNDLES]:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


@contextmanager
def client(settings: ServerSettings, *, is_trusted: bool = False) -> Iterator[HttpClient]:
    """A client with these settings; `is_trusted` is --location-trusted."""
    transfer = TransferSettings(is_location_trusted=is_trusted)
    context = client_context(settings, transfer)
    running = HttpClient(
        context, control=AttemptControl(), max_idle=10, look_up=Resolver().look_up
    )
    yield running
    running.close()


def get(running: HttpClient, url: str, headers: Fields = ()) -> tuple[int, bytes]:
    """Status and body."""
    limits = AttemptLimits(timeout=PATIENT, connect_timeout=PATIENT)
    reply = running.open(url, headers, conditions=(), limits=limits)
    try:
        return reply.status, b"".join(map(bytes, reply.chunks()))
    finally:
        reply.close()


def fetch(settings: ServerSettings, url: str) -> bytes:
    """The body that a client with these settings gets."""
    with client(settings) as running:
        return get(running, url)[1]


def failure(settings: ServerSettings, url: str) -> AttemptError:
    """The error that it gets instead."""
    with pytest.raises(AttemptError) as caught:
        fetch(settings, url)
    return caught.value


def basic(name: str, password: str) -> str:
    """What Basic authorization looks like."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def netrc(tmp_path: Path, *hosts: str) -> Path:
    """A file with logins for hosts."""
    path = tmp_path / "logins"
    path.write_text("".join(f"machine {host} login net password rc\n" for host in hosts))
    return path


@pytest.mark.parametrize(
    ("headers", "of_entry", "user", "expected"),
    [
        ((), (), "", basic("net", "rc")),
        ((), (), "me:pw@", basic("me", "pw")),
        ((), (), "net@", basic("net", "rc")),
        ((), (), "net:@", basic("net", "")),
        ((), (), "me@", basic("me", "")),
        ((("authorization", "mine"),), (), "net@", "mine"),
        ((("authorization", "mine"),), (), "me:pw@", "mine"),
        ((("Authorization", "mine"),), (("AUTHORIZATION", "entry's"),), "me:pw@", "entry's"),
    ],
)
def test_who_is_heard_first(
    server: ScriptedServer,
    tmp_path: Path,
    headers: Fields,
    of_entry: Fields,
    user: str,
    expected: str,
) -> None:
    """The list's header beats -H, that the credentials of the URL, and those the netrc."""
    server.play("/a", Reply(body=BODY))
    settings = ServerSettings(headers=headers, netrc=netrc(tmp_path, "127.0.0.1"))
    with client(settings) as running:
        get(running, server.url("/a").replace("//", f"//{user}"), of_entry)
    assert server.requests()[0].header("Authorization") == expected


def test_no_netrc_means_none(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found by itself is used, unless that is forbidden."""
    monkeypatch.setenv("NETRC", str(netrc(tmp_path, "127.0.0.1")))
    for settings in (ServerSettings(), ServerSettings(uses_netrc=False)):
        fetch(settings, server.url("/a"))
    sent = [request.header("Authorization") for request in server.requests()]
    assert sent == [basic("net", "rc"), None]


def test_a_login_is_bytes(server: ScriptedServer, tmp_path: Path) -> None:
    """A byte that is no UTF-8 spoils neither its own entry nor the others."""
    path = tmp_path / "logins"
    entries = (
        b"machine localhost login u password gr\xfc\xdfe\nmachine 127.0.0.1 login v password w"
    )
    path.write_bytes(entries)
    settings = ServerSettings(netrc=path)
    with client(settings) as running:
        get(running, server.url("/a"))
        get(running, server.url("/a").replace("127.0.0.1", "localhost"))
    first, second = (str(each.header("Authorization")) for each in server.requests())
    assert first == basic("v", "w")
    assert base64.b64decode(second.removeprefix("Basic ")) == b"u:gr\xfc\xdfe"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"machine h login\nx {SECRET}", "logins:2: the logins can't be read"),
        (None, "Is a directory"),
    ],
)
def test_a_netrc_that_is_found_and_no_use(
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    content: str | None,
    words: str,
) -> None:
    """The user may not know of it: one warning, and the run goes on without."""
    path = tmp_path / "logins"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    monkeypatch.setenv("NETRC", str(path))
    server.play("/a", Reply(body=BODY))
    with client(ServerSettings()) as running:
        assert [get(running, server.url("/a"))[1] for _ in range(3)] == [BODY] * 3
    (said,) = caplog.messages
    assert words in said
    assert SECRET not in said


def test_where_a_netrc_is_found(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$NETRC, or ~/.netrc, or ~/_netrc, whoever owns it and may read it, as with curl."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC")
    for name in ("_netrc", ".netrc"):
        netrc(tmp_path, "127.0.0.1").rename(tmp_path / name)
        (tmp_path / name).write_text(f"default login {name} password p")
        (tmp_path / name).chmod(0o666)
        fetch(ServerSettings(), server.url("/a"))
    monkeypatch.setenv("NETRC", "~/_netrc")
    fetch(ServerSettings(), server.url("/a"))
    sent = [request.header("Authorization") for request in server.requests()]
    assert sent == [basic(name, "p") for name in ("_netrc", ".netrc", "_netrc")]


def test_headers_of_a_run(server: ScriptedServer) -> None:
    """Those of one name are joined; a header of one's own beats -U and --referer."""
    headers = (("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1"), ("Cookie", "b=ä"))
    own = (("user-agent", "mine"), ("Referer", "http://own.test/"))
    settings = ServerSettings(headers=headers, user_agent="theirs", referer="http://r.test/")
    fetch(ServerSettings(), server.url("/a"))
    fetch(settings, server.url("/a"))
    fetch(ServerSettings(headers=own, user_agent="x", referer="y"), server.url("/a"))
    first, second, third = server.requests()
    assert first.header("User-Agent") == f"url-downloader/{__version__}"
    assert (second.header("X-A"), second.header("Referer")) == ("1, 2", "http://r.test/")
    assert str(second.header("Cookie")).encode("latin-1").decode() == "a=1; b=ä"
    assert second.header("User-Agent") == "theirs"
    assert (third.header("User-Agent"), third.header("Referer")) == (own[0][1], own[1][1])


@pytest.mark.parametrize("is_trusted", [False, True])
def test_secrets_stay_at_home(
    server: ScriptedServer, tmp_path: Path, *, is_trusted: bool
) -> None:
    """Headers, logins and cookies are for their origin; -U and --referer travel."""
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tc\t1\n"
        "localhost\tFALSE\t/\tFALSE\t0\td\t2\n"
    )
    settings = ServerSettings(
        headers=(("X-Key", SECRET),),
        user_agent="agent",
        referer="http://r.test/",
        cookies=cookies,
        netrc=netrc(tmp_path, "127.0.0.1"),
    )
    away = server.url("/b").replace("127.0.0.1", "localhost")
    server.play("/a", Reply(status=302, headers={"Location": away}))
    with client(settings, is_trusted=is_trusted) as running:
        get(running, server.url("/a"))
        get(running, server.url("/a").replace("//", f"//me:{SECRET}@"))
    home, there, _, there_again = server.requests()
    assert (home.header("X-Key"), home.header("Authorization")) == (SECRET, basic("net", "rc"))
    assert there.header("X-Key") == (SECRET if is_trusted else None)
    assert there.header("Authorization") is None
    credentials = basic("me", SECRET) if is_trusted else None
    assert there_again.header("Authorization") == credentials
    assert (home.header("Cookie"), there.header("Cookie")) == ("c=1", "d=2")
    assert (there.header("User-Agent"), there.header("Referer")) == ("agent", "http://r.test/")


def test_a_referer_does_not_leave_tls(
    server: ScriptedServer, tls_server: ScriptedServer, ca_bundle: Path
) -> None:
    """RFC 9110 §10.1.3: what was said over TLS is not said without it."""
    tls_server.play("/a", Reply(status=302, headers={"Location": server.url("/b")}))
    fetch(ServerSettings(referer="https://r.test/", ca_cert=ca_bundle), tls_server.url("/a"))
    assert tls_server.requests()[0].header("Referer") == "https://r.test/"
    assert server.requests()[0].header("Referer") is None


PROXIES: dict[str, Callable[[ssl.SSLContext], AbstractContextManager[Proxy]]] = {
    "http": lambda _: http_proxy(),
    "https": http_proxy,
    "socks5": lambda _: socks_proxy(),
    "socks5h": lambda _: socks_proxy(),
}


@pytest.mark.parametrize("is_tls", [False, True], ids=["to-http", "to-https"])
@pytest.mark.parametrize("scheme", PROXIES)
def test_a_proxy_is_gone_through(
    request: pytest.FixtureRequest,
    tls_context: ssl.SSLContext,
    ca_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scheme: str,
    is_tls: bool,
) -> None:
    """Each kind serves HTTP and HTTPS; it beats the environment's; no server sees its login."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    site: ScriptedServer = request.getfixturevalue("tls_server" if is_tls else "server")
    site.play("/a", Reply(body=BODY))
    url = site.url("/a").replace("127.0.0.1", "localhost")
    with PROXIES[scheme](tls_context) as proxy:
        settings = ServerSettings(proxy=proxy.url(scheme=scheme), ca_cert=ca_bundle)
        with client(settings) as running:
            assert get(running, url) == get(running, url) == (200, BODY)
    host = "127.0.0.1" if scheme == "socks5" else "localhost"
    is_asked = not is_tls and scheme in ("http", "https")
    called = f"GET {url}" if is_asked else f"CONNECT {host}:{site.port}"
    assert proxy.served == [called] * (2 if is_asked else 1)
    assert {request.header("Proxy-Authorization") for request in site.requests()} == {None}
    # RFC 9110 §7.2: the server is asked by its own name, not by the proxy's.
    assert {request.header("Host") for request in site.requests()} == {f"localhost:{site.port}"}


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_does_not_let_in(tls_server: ScriptedServer, scheme: str) -> None:
    """That is a failure of the proxy's kind, without its password; the server sees nothing."""
    with PROXIES[scheme](ssl.create_default_context()) as proxy:
        error = failure(
            ServerSettings(proxy=proxy.url(password=f"{SECRET}x")), tls_server.url("/a")
        )
    assert error.kind is ErrorKind.PROXY_REFUSED
    assert SECRET not in error.message
    assert (tls_server.connections, proxy.served) == (0, [])


def test_a_socks_proxy_that_is_not_there(server: ScriptedServer) -> None:
    """No way round it is taken."""
    settings = ServerSettings(proxy=f"socks5h://me:{SECRET}@127.0.0.1:9")
    error = failure(settings, server.url("/a"))
    assert error.kind is ErrorKind.PROXY
    assert SECRET not in error.message
    assert server.connections == 0


@pytest.mark.parametrize("scheme", PROXIES)
def test_a_proxy_that_never_answers(server: ScriptedServer, scheme: str) -> None:
    """Whatever it is that it does not say, the call can be aborted."""
    with (
        ScriptedServer(silent=True) as silent,
        client(ServerSettings(proxy=silent.url("").replace("http:", f"{scheme}:"))) as running,
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
    """What the environment says may be anything; it is told without its password."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    error = failure(ServerSettings(), server.url("/a"))
    assert error.kind is ErrorKind.PROXY_REFUSED
    assert SECRET not in error.message
    assert error.message.startswith("HTTP_PROXY: ")


def test_whom_to_trust(tmp_path: Path, ca_bundle: Path) -> None:
    """--ca-cert takes the place of all others, --insecure asks for no proof at all."""
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer({"/a": Reply(body=BODY)}, tls=context) as server:
        url = server.url("/a")
        assert fetch(ServerSettings(ca_cert=tmp_path / "other.pem"), url) == BODY
        assert fetch(ServerSettings(is_verified=False), url) == BODY
        nothing = ServerSettings(ca_cert=tmp_path / "none", is_verified=False)
        assert fetch(nothing, url) == BODY
        host = url.replace("127.0.0.1", "localhost")
        assert fetch(ServerSettings(is_verified=False), host) == BODY
        for settings in (ServerSettings(), ServerSettings(ca_cert=ca_bundle)):
            assert failure(settings, url).kind is ErrorKind.CERTIFICATE


TRUSTED = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.mark.parametrize("name", TRUSTED)
def test_whom_the_environment_trusts(
    tls_server: ScriptedServer,
    ca_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Each variable stands before those after it; --ca-cert before all."""
    tls_server.play("/a", Reply(body=BODY))
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for later in TRUSTED[TRUSTED.index(name) :]:
        monkeypatch.setenv(later, str(other))
    assert failure(ServerSettings(), tls_server.url("/a")).kind is ErrorKind.CERTIFICATE
    assert fetch(ServerSettings(ca_cert=ca_bundle), tls_server.url("/a")) == BODY
    hashed = tmp_path / "certs"
    hashed.mkdir()
    found = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", ca_bundle],
        capture_output=True,
        check=True,
    )
    (hashed / f"{found.stdout.decode().strip()}.0").write_bytes(ca_bundle.read_bytes())
    places = {"SSL_CERT_DIR": f"{tmp_path / 'none'}:{hashed}"}
    monkeypatch.setenv(name, places.get(name, str(ca_bundle)))
    assert fetch(ServerSettings(), tls_server.url("/a")) == BODY


def test_openssls_variables_go_together(
    tls_server: ScriptedServer, ca_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authorities in the directory are trusted beside those in the file."""
    tls_server.play("/a", Reply(body=BODY))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert fetch(ServerSettings(), tls_server.url("/a")) == BODY


@pytest.mark.parametrize("name", TRUSTED)
def test_a_bundle_of_the_environment_that_is_no_use(
    server: ScriptedServer,
    tls_server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Its variable is named; what needs no TLS is downloaded."""
    server.play("/a", Reply(body=BODY))
    monkeypatch.setenv(name, str(tmp_path / "none"))
    assert fetch(ServerSettings(), server.url("/a")) == BODY
    error = failure(ServerSettings(), tls_server.url("/a"))
    assert error.kind is ErrorKind.CERTIFICATE
    assert error.message.startswith(f"{name}: ")
    assert str(tmp_path / "none") in error.message
    tls_server.play("/a", Reply(body=BODY))
    assert fetch(ServerSettings(is_verified=False), tls_server.url("/a")) == BODY


@pytest.fixture
def private(ca: trustme.CA, ca_bundle: Path, tmp_path: Path) -> Iterator[Nginx]:
    """An nginx whose files want a client certificate, but for a redirect to another origin."""
    root, prefix = tmp_path / "www", tmp_path / "nginx"
    root.mkdir()
    prefix.mkdir()
    (root / "a").write_bytes(BODY)
    locations = f"""
        ssl_client_certificate "{ca_bundle}";
        ssl_verify_client optional;
        location = /a {{ if ($ssl_client_verify != SUCCESS) {{ return 403; }} }}
        location = /away {{ return 302 https://localhost:$server_port/a; }}
    """
    with running_nginx(root, prefix, ca, locations=locations) as running:
        yield running


def test_a_client_certificate(
    private: Nginx, ca: trustme.CA, ca_bundle: Path, tmp_path: Path
) -> None:
    """It is shown where it is asked for, in one file or two, but not by way of a redirect."""
    issued = ca.issue_cert("client.test")
    both, cert, key = (tmp_path / name for name in ("both.pem", "cert.pem", "key.pem"))
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    url, away = private.url("/a", tls=True), private.url("/away", tls=True)
    none = ServerSettings(ca_cert=ca_bundle)
    whole = ServerSettings(ca_cert=ca_bundle, cert=both)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(cert.read_bytes()))
    writer.start()
    for one in (cert, fifo):
        assert fetch(ServerSettings(ca_cert=ca_bundle, cert=one, key=key), url) == BODY
    writer.join()
    assert fetch(whole, url) == BODY
    with client(none) as running:
        assert get(running, url)[0] == 403
    with client(whole) as running:
        assert [get(running, each)[0] for each in (url, away, url)] == [200, 403, 200]
    with client(whole, is_trusted=True) as running:
        assert get(running, away)[0] == 200


NETRC = f"machine h login me password {SECRET}\n"


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("netrc", None, "No such file"),
        ("netrc", f"{NETRC}bogus {SECRET}\n", "file:2: the logins can't be read"),
        ("netrc", f"machine h passwort {SECRET}\n", "not in netrc format"),
        ("cookies", "nothing", "Netscape"),
        *[("ca_cert", None, "No such file"), ("ca_cert", "nothing", "the CA bundle")],
        *[("cert", None, "No such file"), ("cert", "nothing", "in PEM format")],
    ],
)
def test_a_file_that_is_no_use(
    tmp_path: Path, option: str, content: str | None, words: str
) -> None:
    """It is told before anything begins: which file, why, and nothing of what is in it."""
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    settings: dict[str, Path] = {option: path}
    with pytest.raises(InputError) as caught:
        client_context(ServerSettings(**settings), TransferSettings())  # type: ignore[arg-type]
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_encrypted_key(ca: trustme.CA, tmp_path: Path) -> None:
    """Nobody is asked for its password; a plain one can be made of it."""
    issued = ca.issue_cert("client.test")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRET.encode()),
    )
    (tmp_path / "cert").write_bytes(issued.cert_chain_pems[0].bytes())
    (tmp_path / "key").write_bytes(sealed)
    settings = ServerSettings(cert=tmp_path / "cert", key=tmp_path / "key")
    with pytest.raises(InputError, match="is encrypted; openssl pkey -in"):
        client_context(settings, TransferSettings())
