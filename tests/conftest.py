"""Fixtures for all tests: servers, certificates, and the watch over threads and descriptors."""

from __future__ import annotations

import gc
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

# A loaded machine makes no example wrong.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

_END_TIMEOUT = 10.0
_DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """No thread, no file descriptor and no part that can't be resumed outlives its test."""
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    yield
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(_END_TIMEOUT)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads outlive the test: {alive}"
    if _new(descriptors):
        gc.collect()  # cycles of garbage may hold sockets; what goes with them is no leak
    leaked = _new(descriptors)
    assert not leaked, f"file descriptors outlive the test: {leaked}"
    if request.node.get_closest_marker("leaves_parts"):
        return
    useless = useless_parts(request.node.funcargs.get("tmp_path"))
    assert not useless, f"parts outlive the test: {useless}"


def useless_parts(directory: Path | None) -> list[Path]:
    """Parts in a test's directory that nobody can ever use: they have no note."""
    parts = directory.rglob(".url-downloader/*.part") if directory else ()
    made = [part for part in parts if not part.is_symlink()]
    return [part for part in made if not part.with_suffix(".json").exists()]


def open_descriptors() -> dict[str, str]:
    """This process's descriptors and what they stand for; none where that can't be known."""
    found = {}
    for entry in _DESCRIPTORS.iterdir() if _DESCRIPTORS.exists() else ():
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:  # the one that lists the folder
            continue
    return found


def _new(before: Mapping[str, str]) -> dict[str, str]:
    now = open_descriptors()
    return {number: target for number, target in now.items() if before.get(number) != target}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server with no script yet."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def tls_server(tls_context: ssl.SSLContext) -> Iterator[ScriptedServer]:
    """A scripted server that speaks HTTPS; `ca_bundle` vouches for it."""
    with ScriptedServer(tls=tls_context) as running:
        yield running


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """A certificate authority of our own."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_bundle(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our authority's certificate, for REQUESTS_CA_BUNDLE."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def tls_context(ca: trustme.CA) -> ssl.SSLContext:
    """What a server on the loopback address needs to speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def nginx(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """A real nginx; tests put what it serves into folders of their own under its root."""
    root, prefix = (tmp_path_factory.mktemp(name) for name in ("www", "nginx"))
    with running_nginx(root, prefix, ca) as running:
        yield running


@pytest.fixture(scope="session")
def httpbin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real httpbin."""
    with running_httpbin(tmp_path_factory.mktemp("httpbin")) as url:
        yield url
