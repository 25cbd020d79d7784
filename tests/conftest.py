"""Fixtures for all tests: servers, certificates, logs, and checks for leaks."""

from __future__ import annotations

import gc
import logging
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
import trustme

from tests.support.httpbin_server import running_httpbin
from tests.support.nginx import Nginx, running_nginx
from tests.support.scripted_server import ScriptedServer

# On a busy machine an example may take long.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

_END_TIMEOUT = 10.0
_DESCRIPTORS = Path("/proc/self/fd")
_OF_MACHINE = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"),
    *("requests_ca_bundle", "curl_ca_bundle", "ssl_cert_file", "ssl_cert_dir"),
)
"""Variables that lead to proxies and certificates."""


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a descriptor or a part without use behind."""
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    yield
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(_END_TIMEOUT)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads outlive the test: {alive}"
    if _new(descriptors):
        gc.collect()  # garbage in cycles may hold sockets, which are no leak
    leaked = _new(descriptors)
    assert not leaked, f"file descriptors outlive the test: {leaked}"
    if request.node.get_closest_marker("leaves_parts"):
        return
    useless = useless_parts(request.node.funcargs.get("tmp_path"))
    assert not useless, f"parts outlive the test: {useless}"


def useless_parts(directory: Path | None) -> list[Path]:
    """Return the parts in a test's directory that have no note, so that no run resumes them."""
    parts = directory.rglob(".url-downloader/*.part") if directory else ()
    made = [part for part in parts if not part.is_symlink()]
    return [part for part in made if not part.with_suffix(".json").exists()]


def open_descriptors() -> dict[str, str]:
    """Return the descriptors of this process and their targets; none where /proc is missing."""
    found = {}
    for entry in _DESCRIPTORS.iterdir() if _DESCRIPTORS.exists() else ():
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:  # the descriptor that lists the folder
            continue
    return found


def _new(before: Mapping[str, str]) -> dict[str, str]:
    now = open_descriptors()
    return {number: target for number, target in now.items() if before.get(number) != target}


@pytest.fixture
def package_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """Return the records of the package's loggers, also after tests of the command line."""
    # The command line turns this off in its process, which is the tests' process at times.
    monkeypatch.setattr(logging.getLogger("url_downloader"), "propagate", True)
    return caplog


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the proxies, CA bundles and logins that this machine may have."""
    for name in _OF_MACHINE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Yield a scripted server that has no script yet."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def tls_server(tls_context: ssl.SSLContext) -> Iterator[ScriptedServer]:
    """Yield a scripted server for HTTPS, with a certificate that `ca_bundle` verifies."""
    with ScriptedServer(tls=tls_context) as running:
        yield running


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """Return a certificate authority of the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_bundle(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the certificate of the tests' authority, for REQUESTS_CA_BUNDLE."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def tls_context(ca: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of servers on the loopback address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def nginx(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Yield a real nginx; each test serves files from a folder of its own under its root."""
    root, prefix = (tmp_path_factory.mktemp(name) for name in ("www", "nginx"))
    with running_nginx(root, prefix, ca) as running:
        yield running


@pytest.fixture(scope="session")
def httpbin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a real httpbin."""
    with running_httpbin(tmp_path_factory.mktemp("httpbin")) as url:
        yield url
