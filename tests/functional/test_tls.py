"""Certificates: those of servers that are accepted, and those of the client."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.support.http_clients import SECRET, failure, fetch, get, running_client
from tests.support.nginx import Nginx, running_nginx
from tests.support.raw_tcp import Talker
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import Settings
from url_downloader.network import tls
from url_downloader.network.client_context import client_context
from url_downloader.network.tls import TlsConfig, tls_config
from url_downloader.shared.errors import InputError
from url_downloader.shared.models import ErrorKind

pytestmark = pytest.mark.usefixtures("bare_environment")
BODY = b"0123456789"


def test_whom_to_trust(tmp_path: Path, ca_bundle: Path) -> None:
    """--ca-cert replaces all other authorities; --insecure verifies nothing."""
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


def test_the_protocol_within_tls(ca: trustme.CA, ca_bundle: Path) -> None:
    """A server that speaks HTTP/2, too, is told to speak HTTP/1.1 (RFC 7301)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    def talk(connected: socket.socket, _: threading.Event) -> None:
        with context.wrap_socket(connected, server_side=True) as secure:
            chosen.append(secure.selected_alpn_protocol())
            secure.recv(1 << 16)
            secure.sendall(Reply(body=BODY).message)

    with Talker(talk) as server:
        assert fetch(ServerSettings(ca_cert=ca_bundle), server.url(scheme="https")) == BODY
    assert chosen == ["http/1.1"]


TRUSTED = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.mark.parametrize("name", TRUSTED)
def test_whom_the_environment_trusts(
    tls_server: ScriptedServer,
    ca_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Each variable beats those after it, and --ca-cert beats them all."""
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
    """The message names the variable; downloads without TLS work."""
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
    """Yield an nginx that wants a client certificate, and redirects to another origin."""
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
    """The certificate, in one file or two, is sent where asked for, but not after redirects."""
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
    with running_client(none) as running:
        assert get(running, url)[0] == 403
    with running_client(whole) as running:
        assert [get(running, each)[0] for each in (url, away, url)] == [200, 403, 200]
    with running_client(whole, is_trusted=True) as running:
        assert get(running, away)[0] == 200


def test_an_encrypted_key(ca: trustme.CA, tmp_path: Path) -> None:
    """No password is asked for; the message has the command that makes a plain key."""
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
        client_context(Settings(server=settings))


def test_certificates_without_a_descriptor(
    monkeypatch: pytest.MonkeyPatch, ca_bundle: Path
) -> None:
    """If this machine is short of descriptors, that is an error of the settings' files."""

    def refuse(_: TlsConfig) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tls, "_ssl_context", refuse)
    with pytest.raises(InputError, match="the certificates can't be read: Too many open files"):
        tls_config(ServerSettings(ca_cert=ca_bundle))
