"""Large bodies: the same result whether the kernel moves them or Python reads them."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process import Run
from tests.support.proxies import http_proxy
from tests.support.ranges import content, ranged
from tests.support.scripted_server import (
    Cut,
    Framing,
    Reply,
    Reset,
    ScriptedServer,
    Stall,
)
from tests.support.sizes import sizes_of
from url_downloader.network import reply as http_wire
from url_downloader.network.reply import MIN_PIPED_SIZE
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import ErrorKind, JobResult, Outcome

pytestmark = pytest.mark.skipif(not hasattr(os, "splice"), reason="no splice(2) here")
MIB = 1 << 20
BODY = content(3 * MIB + 77)
SHORT = AttemptLimits(timeout=0.3)
ENDLESS = AttemptLimits(timeout=0)
PLACES = [2 * MIB, 2 * MIB + 8191, 3 * MIB + 76]


@pytest.fixture(autouse=True)
def trusted(bare_environment: None, monkeypatch: pytest.MonkeyPatch, ca_bundle: Path) -> None:
    """Have the tests' own authority trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_bundle))


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each call of splice adds its number of bytes."""
    real, sizes = os.splice, list[int]()

    def splice(*args: Any, **named: Any) -> int:
        sizes.append(real(*args, **named))
        return sizes[-1]

    monkeypatch.setattr(os, "splice", splice)
    return sizes


@pytest.fixture(params=["moved", "read"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with bodies that the kernel moves, and with bodies that are read."""
    if request.param == "read":
        monkeypatch.setattr(http_wire, "open_body_pipe", lambda *_: None)
    return str(request.param)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Yield runs into an empty directory."""
    run = Run(tmp_path / "downloads")
    yield run
    for path in (run.directory / ".url-downloader").glob("*"):
        path.unlink()


def fetch(run: Run, url: str, limits: AttemptLimits | None = None, **job: Any) -> JobResult:
    """Download one URL; return the result of its job."""
    run.work([run.job("file", url, limits=limits)._replace(**job)])
    result = run.ended["file"].result
    assert result is not None
    return result


def part_of(run: Run) -> bytes:
    """Return the content of the part that is kept."""
    (path,) = run.directory.glob(".url-downloader/*.part")
    return path.read_bytes()


def test_every_byte(server: ScriptedServer, run: Run, moved: list[int]) -> None:
    """Bodies of all sizes are right, and the connection serves the next request."""
    more = [-1, 0, 1, 8191, 8192, 8193, MIB - 1, MIB, 5 * MIB + 12_345, -MIB]
    bodies = {f"{n}": content(MIN_PIPED_SIZE + each) for n, each in enumerate(more)}
    for name, body in bodies.items():
        server.play(f"/{name}", Reply(body=body))
    run.work(run.job(name, server.url(f"/{name}")) for name in bodies)
    assert run.files == bodies
    assert server.connections == 1
    assert sum(moved) > sum(map(len, bodies.values()))


@pytest.mark.parametrize("keep_alive", [True, False])
def test_what_is_counted(
    server: ScriptedServer, run: Run, moved: list[int], keep_alive: bool
) -> None:
    """Each byte counts once, also of a reply that ends its connection."""
    server.play("/a", Reply(body=BODY, keep_alive=keep_alive))
    result = fetch(run, server.url("/a"))
    assert (result.size, result.received) == (len(BODY), len(BODY))
    assert run.files == {"file": BODY}
    assert moved


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("delivery", "kind", "message"),
    [
        (Cut, ErrorKind.TRUNCATED, "connection closed inside the body"),
        (Reset, ErrorKind.RESET, "connection lost: Connection reset by peer"),
        (Stall, ErrorKind.TIMEOUT, "no byte within the timeout"),
    ],
)
@pytest.mark.usefixtures("way")
def test_half_a_body(
    server: ScriptedServer,
    run: Run,
    *,
    delivery: type[Cut | Reset | Stall],
    kind: ErrorKind,
    message: str,
    place: int,
) -> None:
    """The failure has the same message either way; the part is kept, and the rest requested."""
    server.play("/a", ranged(BODY, delivery=delivery(place)), ranged(BODY))
    result = fetch(run, server.url("/a"), SHORT)
    assert (result.kind, result.message, result.received) == (kind, message, place)
    assert part_of(run) == BODY[:place]
    result = fetch(run, server.url("/a"))
    assert (result.outcome, result.received) == (Outcome.RESUMED, len(BODY) - place)
    assert run.files == {"file": BODY}
    assert server.requests()[-1].header("Range") == f"bytes={place}-"


@pytest.mark.usefixtures("way")
def test_interrupted(server: ScriptedServer, run: Run) -> None:
    """An attempt without a time limit can be interrupted, and keeps its bytes."""
    server.play("/a", ranged(BODY, delivery=Stall(PLACES[0])))
    parts = run.directory / ".url-downloader"
    run.work(
        [run.job("file", server.url("/a"), limits=ENDLESS)],
        until=lambda: PLACES[0] in sizes_of(parts.glob("*.part")),
    )
    result = run.ended["file"].result
    assert result is not None
    assert result.kind is ErrorKind.INTERRUPTED
    assert part_of(run) == BODY[: PLACES[0]]


@pytest.mark.usefixtures("way")
def test_past_its_time(server: ScriptedServer, run: Run) -> None:
    """The limit of an attempt ends a wait that has no timeout of its own."""
    server.play("/a", ranged(BODY, delivery=Stall(PLACES[0])))
    result = fetch(run, server.url("/a"), replace(ENDLESS, max_time=0.5))
    assert result.kind is ErrorKind.TIMEOUT
    assert "--max-time" in result.message
    assert part_of(run) == BODY[: PLACES[0]]


@pytest.mark.parametrize(
    ("algorithm", "digest", "kind"),
    [
        ("sha-256", hashlib.sha256(BODY).hexdigest(), None),
        ("sha-256", "0" * 64, ErrorKind.CHECKSUM),
    ],
)
def test_checksum(
    server: ScriptedServer, run: Run, *, algorithm: str, digest: str, kind: ErrorKind | None
) -> None:
    """A file with a checksum is verified as it comes."""
    server.play("/a", Reply(body=BODY))
    result = fetch(run, server.url("/a"), checksum=Checksum(algorithm, digest))
    assert result.kind is kind
    assert run.files == ({} if kind else {"file": BODY})


def test_encoded(server: ScriptedServer, run: Run) -> None:
    """A body in a coding is decoded; the bytes on the wire are counted."""
    encoded = gzip.compress(BODY)
    server.play("/a", Reply(body=encoded, headers={"Content-Encoding": "gzip"}))
    result = fetch(run, server.url("/a"))
    assert (result.size, result.received) == (len(BODY), len(encoded))
    assert run.files == {"file": BODY}


def test_what_is_worth_a_pipe(server: ScriptedServer, run: Run, moved: list[int]) -> None:
    """A short body is read."""
    body = content(MIN_PIPED_SIZE - 1)
    server.play("/a", Reply(body=body))
    fetch(run, server.url("/a"))
    assert run.files == {"file": body}
    assert moved == []


@pytest.mark.parametrize("framing", [Framing.CHUNKED, Framing.CLOSE])
def test_of_unknown_length(
    server: ScriptedServer, run: Run, moved: list[int], framing: Framing
) -> None:
    """A body without a length is read."""
    server.play("/a", Reply(body=BODY, framing=framing))
    fetch(run, server.url("/a"))
    assert run.files == {"file": BODY}
    assert moved == []


def test_tls(tls_server: ScriptedServer, run: Run, moved: list[int]) -> None:
    """A body over TLS is read, as it must be decrypted."""
    tls_server.play("/a", Reply(body=BODY))
    fetch(run, tls_server.url("/a"))
    assert run.files == {"file": BODY}
    assert moved == []


def test_through_a_proxy(
    server: ScriptedServer, run: Run, moved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body from an HTTP proxy is moved like one from an origin."""
    server.play("/a", Reply(body=BODY))
    with http_proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        fetch(run, server.url("/a"))
    assert run.files == {"file": BODY}
    assert len(proxy.served) == 1
    assert sum(moved) > 0


def test_no_descriptor_for_a_pipe(
    server: ScriptedServer, run: Run, moved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without descriptors for a pipe the body is read, and there is no message."""

    def pipe() -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pipe", pipe)
    server.play("/a", Reply(body=BODY))
    assert fetch(run, server.url("/a")).kind is None
    assert run.files == {"file": BODY}
    assert moved == []
