"""The rate limit with real servers. No run can take less time than its bytes need."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.in_process import Run
from tests.support.jobs import make_job
from tests.support.proxies import Proxy, http_proxy, socks_proxy
from tests.support.ranges import content, serve
from tests.support.scripted_server import (
    Framing,
    Reply,
    ScriptedServer,
    Stall,
    Trickle,
    flap,
)
from tests.support.waiting import wait_until
from url_downloader import StopReason, download
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import RunSettings, Settings
from url_downloader.network.client_context import client_context
from url_downloader.network.rate_limit import LEAST_BUFFER
from url_downloader.network.route import Route
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind, JobRecord, JobStatus
from url_downloader.shared.run_controls import RunControls

pytestmark = pytest.mark.usefixtures("bare_environment")
KIB = 1024
SOON = 15.0
"""Seconds within which a wait ends that would take hours, even on a busy machine."""
HOURS = RunSettings(limit_rate=1)
"""A rate at which even a head takes minutes."""


@pytest.fixture
def run(tmp_path: Path, ca_bundle: Path) -> Run:
    """Return runs into an empty directory, which trust the tests' own authority."""
    return Run(tmp_path / "downloads", server=ServerSettings(ca_cert=ca_bundle))


def limited(run: Run, rate: float, *, workers: int = 1) -> Run:
    """Have the next runs keep to this rate; return them."""
    run.limits, run.workers = RunSettings(limit_rate=rate), workers
    return run


def result_of(run: Run, name: str = "0") -> tuple[JobStatus, int, ErrorKind | None, str]:
    """Return status, attempts, and the kind and message of the failure of a job."""
    record: JobRecord = run.ended[name]
    assert record.result is not None
    return record.status, record.attempts, record.result.kind, record.result.message


def fetch_all(run: Run, server: ScriptedServer, sizes: dict[str, int]) -> float:
    """Download files of these sizes, in order, and check them; return the seconds."""
    bodies = serve(server, sizes)
    jobs = [run.job(name, server.url(f"/{name}")) for name in sizes]
    began = time.monotonic()
    run.work(jobs)
    seconds = time.monotonic() - began
    assert run.files == bodies
    assert [record.attempts for record in run.ended.values()] == [1] * len(sizes)
    return seconds


@pytest.mark.parametrize("workers", [1, 64])
def test_small_files(server: ScriptedServer, run: Run, workers: int) -> None:
    """Many small files take as long as the rate says, with one worker and with many."""
    sizes = {f"{n}": KIB for n in range(200)}
    assert fetch_all(limited(run, 400 * KIB, workers=workers), server, sizes) >= 0.5


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE])
def test_a_big_file(any_server: ScriptedServer, run: Run, framing: Framing) -> None:
    """A big body takes as long as the rate says, however it is framed, with and without TLS."""
    body = content(1500 * KIB)
    any_server.play("/a", Reply(body=body, framing=framing))
    began = time.monotonic()
    limited(run, 3000 * KIB).fetch(any_server.url("/a"))
    assert time.monotonic() - began >= 0.5
    assert run.files == {"0": body}


PROXIES: dict[str, Callable[[ssl.SSLContext], AbstractContextManager[Proxy]]] = {
    "http": lambda _: http_proxy(),
    "https": http_proxy,
    "socks5": lambda _: socks_proxy(),
}


@pytest.mark.parametrize("kind", PROXIES)
def test_through_a_proxy(
    any_server: ScriptedServer,
    run: Run,
    tls_context: ssl.SSLContext,
    ca_bundle: Path,
    kind: str,
) -> None:
    """The limit holds for what comes through a proxy, in a tunnel or not."""
    body = content(300 * KIB)
    any_server.play("/a", Reply(body=body))
    with PROXIES[kind](tls_context) as proxy:
        url = proxy.url(scheme=kind)
        run.server = ServerSettings(proxy=url, ca_cert=ca_bundle)
        began = time.monotonic()
        limited(run, 1000 * KIB).fetch(any_server.url("/a"))
        assert time.monotonic() - began >= 0.3
    assert run.files == {"0": body}


def test_what_is_no_file_counts(server: ScriptedServer, run: Run) -> None:
    """Heads, and the bodies of errors that are tried again, take their time as well."""
    waste = Reply(status=503, body=bytes(20 * KIB), headers={"X": "y" * 10 * KIB})
    server.play("/a", *flap(2, Reply(body=b"ok"), failing=waste))
    began = time.monotonic()
    limited(run, 200 * KIB).work([run.job("0", server.url("/a"), max_retries=2)])
    assert time.monotonic() - began >= 60 / 200
    assert result_of(run)[:2] == (JobStatus.SUCCESS, 3)


def test_small_files_beside_a_big_one(server: ScriptedServer, run: Run) -> None:
    """A big file, which could use all of the rate, does not keep small ones waiting."""
    sizes = {"big": 2000 * KIB, **{f"{n}": KIB for n in range(20)}}
    fetch_all(limited(run, 2000 * KIB, workers=2), server, sizes)
    assert list(run.ended)[-1] == "big"


def test_the_limit_is_not_slowness(server: ScriptedServer, run: Run) -> None:
    """No attempt is too slow, or silent, because the limit makes it wait."""
    limits = AttemptLimits(timeout=1, speed_limit=100 * KIB, speed_time=1)
    bodies = serve(server, {f"{n}": 3 * KIB for n in range(16)})
    jobs = [run.job(name, server.url(f"/{name}"), limits=limits) for name in bodies]
    # A read takes a tenth of a second, and the sixteen of a round take longer than --timeout.
    limited(run, 20 * KIB, workers=16).work(jobs)
    ends = {name: result_of(run, name) for name in bodies}
    assert set(ends.values()) == {(JobStatus.SUCCESS, 1, None, "")}


@pytest.mark.parametrize(
    ("delivery", "limits", "message"),
    [
        (Trickle(0.02, 1), AttemptLimits(speed_limit=5000, speed_time=1), "slower than"),
        (Stall(1), AttemptLimits(timeout=0.2), "no byte within the timeout"),
    ],
)
def test_a_slow_server_is_slow(
    any_server: ScriptedServer,
    run: Run,
    *,
    delivery: Trickle | Stall,
    limits: AttemptLimits,
    message: str,
) -> None:
    """A server that is slow or silent by itself is noticed under a limit, too."""
    any_server.play("/a", Reply(body=bytes(9000), delivery=delivery))
    limited(run, 100 * KIB).work([run.job("0", any_server.url("/a"), limits=limits)])
    status, _, kind, found = result_of(run)
    assert (status, kind) == (JobStatus.FAILED, ErrorKind.TIMEOUT)
    assert found.startswith(message)


def test_max_time_ends_a_wait_for_the_limit(server: ScriptedServer, run: Run) -> None:
    """The limit of an attempt's whole time also ends a wait for the rate."""
    server.play("/a", Reply(body=b"ok"))
    run.limits = HOURS
    began = time.monotonic()
    run.work([run.job("0", server.url("/a"), limits=AttemptLimits(max_time=0.3))])
    assert time.monotonic() - began < SOON
    assert result_of(run)[2:] == (ErrorKind.TIMEOUT, "not complete within --max-time 0.3 s")


@pytest.mark.parametrize("workers", [1, 16])
def test_the_end_of_a_run_ends_waits(server: ScriptedServer, run: Run, workers: int) -> None:
    """A run that is stopped ends at once, though its workers wait for the rate."""
    server.play("/a", Reply(body=b"ok"))
    run.limits, run.workers = HOURS, workers
    jobs = [run.job(f"{n}", server.url("/a")) for n in range(workers)]
    began = time.monotonic()
    summary = run.work(jobs, until=lambda: server.count() == workers)
    assert time.monotonic() - began < SOON
    assert summary.was_stopped
    assert run.files == {}


END_WAITS: dict[str, Callable[[AttemptControl], None]] = {
    "abort": AttemptControl.abort,
    "expiry": lambda control: control.expire(1, "too late"),
    "wake": AttemptControl.wake,
}


@pytest.mark.parametrize("end", END_WAITS)
def test_a_wait_for_the_limit_can_be_ended(end: str) -> None:
    """An abort, an expiry and a switch of the limit end a wait that has begun."""
    control = AttemptControl()
    control.begin(make_job())
    waiting = threading.Thread(target=control.throttle, args=[600.0])
    waiting.start()
    END_WAITS[end](control)
    waiting.join(SOON)
    assert not waiting.is_alive()


class Switch:
    """Switch of a rate limit, which a test turns off once the run has come far enough.

    Args:
        has_begun: Function that tells whether the run has come so far.
    """

    def __init__(self, has_begun: Callable[[], bool]) -> None:
        self._has_begun = has_begun
        self._is_off = threading.Event()
        self.seconds = 0.0

    def is_limited(self) -> bool:
        return not self._is_off.is_set()

    def __enter__(self) -> Switch:
        self._thread = threading.Thread(target=self._turn_off)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _turn_off(self) -> None:
        wait_until(self._has_begun, what="the requests")
        self._is_off.set()


@pytest.mark.parametrize("workers", [1, 16])
def test_switched_off_while_waiting(server: ScriptedServer, run: Run, workers: int) -> None:
    """All workers that wait for the rate go on at once when the limit is switched off."""
    bodies = serve(server, {f"{n}": 5 * KIB for n in range(workers)})
    run.limits, run.workers = HOURS, workers
    jobs = [run.job(name, server.url(f"/{name}")) for name in bodies]
    began = time.monotonic()
    with Switch(lambda: server.count() == workers) as switch:
        run.work(jobs, is_limited=switch.is_limited)
    assert time.monotonic() - began < SOON
    assert run.files == bodies


@pytest.mark.parametrize(("is_switched", "connections"), [(True, 2), (False, 1)])
def test_slow_connections_are_closed(
    server: ScriptedServer, run: Run, *, is_switched: bool, connections: int
) -> None:
    """Once the limit is off, no connection with a small receive buffer is used again."""
    bodies = serve(server, {f"{n}": KIB for n in range(3)})
    jobs = [run.job(name, server.url(f"/{name}")) for name in bodies]
    is_off = threading.Event()

    def is_limited() -> bool:
        if is_switched and server.count() >= 1:
            is_off.set()
        return not is_off.is_set()

    limited(run, 20 * KIB).work(jobs, is_limited=is_limited)
    assert run.files == bodies
    assert server.connections == connections


def test_limits_of_a_program(server: ScriptedServer, tmp_path: Path) -> None:
    """A program can set the limits of bytes, too, and sees which one has ended the run."""
    server.play("/a", Reply(body=bytes(60 * KIB)))
    urls = [server.url(f"/a?{n}") for n in range(3)]
    began = time.monotonic()
    summary = download(
        urls,
        directory=tmp_path,
        max_workers=1,
        limit_rate=400 * KIB,
        max_total_size=120 * KIB,
    )
    assert time.monotonic() - began >= 120 / 400
    assert summary.stopped_by is StopReason.TOTAL_SIZE
    assert (summary.counts[JobStatus.SUCCESS], summary.unfinished) == (2, 1)


def receive_buffer(rate: float, port: int, *, is_limited: bool = True) -> int:
    """Return the size of the receive buffer of a new connection, as the kernel has it."""
    settings = Settings(run=RunSettings(limit_rate=rate))
    context = client_context(settings, RunControls(is_limited=lambda: is_limited))
    control = AttemptControl()
    control.begin(make_job())
    route = Route(("http", "127.0.0.1", port))
    connection = context.connector.connect(route, control=control, seconds=SOON)
    try:
        return connection.base.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    finally:
        connection.close()
        context.close()


def test_receive_buffers(server: ScriptedServer) -> None:
    """At a low rate a connection has a small buffer; otherwise the kernel's own."""
    with socket.socket() as usual, socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LEAST_BUFFER)
        option = (socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert receive_buffer(KIB, server.port) == small.getsockopt(*option)
        least = usual.getsockopt(*option)
    assert receive_buffer(1024 * KIB, server.port) >= least
    assert receive_buffer(0, server.port) >= least
    assert receive_buffer(KIB, server.port, is_limited=False) >= least
