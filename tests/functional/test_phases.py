"""Servers that stall or trickle in each phase: an attempt ends at its limits, and so a run."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import run_cli
from tests.support.digests import sha256
from tests.support.in_process import Run, after
from tests.support.output_folder import assert_holds
from tests.support.raw_tcp import HOST, Talker, relay, unanswered_port
from tests.support.scripted_server import (
    Answer,
    Cut,
    Delivery,
    Framing,
    Hold,
    Raw,
    Reply,
    Request,
    ScriptedServer,
    Stall,
    Trickle,
)
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind
from url_downloader.storage.part_file import PartFile

EVERY = 0.05
"""Seconds between two bytes of a trickle."""
LIMIT = 1.0
"""Seconds; value of each limit that is set."""
GRACE = 5.0
"""Seconds by which an attempt may exceed its limit on a busy machine."""
ADDRESSES = 12
"""Addresses of a host.

If each of them had a limit of its own, an attempt would last longer than LIMIT + GRACE.
"""

BODY = bytes(1000)
PLAIN = Reply(body=BODY)
CHUNKED = Reply(body=BODY, framing=Framing.CHUNKED)
START = len(CHUNKED.head)
TRAILER = CHUNKED.message.removesuffix(b"\r\n") + b"X-Trailer: " + BODY
SIZE = Raw(CHUNKED.head + b"0" * 1000)
INTERIM = Raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
STALLS: Mapping[str, Answer] = {
    "before the status line": Raw(PLAIN.message, Stall(0)),
    "within the status line": Raw(PLAIN.message, Stall(10)),
    "after the status line": Raw(PLAIN.message, Stall(17)),
    "within a header": Raw(PLAIN.message, Stall(25)),
    "before the end of the headers": Raw(PLAIN.message, Stall(len(PLAIN.head) - 2)),
    "after an interim reply": Raw(INTERIM.payload, Stall(28)),
    "before the body": Raw(PLAIN.message, Stall(len(PLAIN.head))),
    "within the body": Raw(PLAIN.message, Stall(len(PLAIN.head) + 9)),
    "before a chunk size": Raw(CHUNKED.message, Stall(START)),
    "within a chunk size": Raw(CHUNKED.message, Stall(START + 1)),
    "within a chunk": Raw(CHUNKED.message, Stall(START + 50)),
    "before the trailer": Raw(TRAILER, Stall(TRAILER.index(b"X-T"))),
    "within the trailer": Raw(TRAILER, Stall(TRAILER.index(b"X-T") + 5)),
}
"""Replies that stop, by the place at which they stop."""
TRICKLES: Mapping[str, Answer] = {
    "status line and headers": Raw(PLAIN.message, Trickle(EVERY)),
    "headers": Raw(b"HTTP/1.1 200 OK\r\nX: " + BODY, Trickle(EVERY, 20)),
    "many headers": Raw(b"HTTP/1.1 200 OK\r\n" + b"A:\r\n" * 90, Trickle(EVERY, 20)),
    "interim replies": Raw(INTERIM.payload, Trickle(EVERY)),
    "body": Reply(body=BODY, delivery=Trickle(EVERY)),
    "body without length": Reply(body=BODY, framing=Framing.CLOSE, delivery=Trickle(EVERY)),
    "body of chunks": Raw(CHUNKED.message, Trickle(EVERY, START + 10)),
    "tiny chunks": Raw(CHUNKED.head + b"1\r\nx\r\n" * 200, Trickle(EVERY, START)),
    "chunk size": Raw(SIZE.payload, Trickle(EVERY, START)),
    "trailer": Raw(TRAILER, Trickle(EVERY, TRAILER.index(b"X-T"))),
}
"""Replies that take minutes, by the part that arrives byte by byte."""

IDLE = AttemptLimits(timeout=LIMIT, speed_limit=0)
WHOLE = AttemptLimits(timeout=0, connect_timeout=0, speed_limit=0, max_time=LIMIT)
SPEED = AttemptLimits(timeout=0, connect_timeout=0, speed_limit=10_000, speed_time=LIMIT)
CONNECT = AttemptLimits(timeout=0, connect_timeout=LIMIT, speed_limit=0)
BEFORE_REPLY = "before the status line"


def assert_timeouts(run: Run, urls: Mapping[str, str], limits: AttemptLimits) -> None:
    """Check that each job fails with a timeout at its limit, and that the run ends soon."""
    run.workers = len(urls)
    jobs = {str(n): name for n, name in enumerate(urls)}
    run.work(
        (run.job(n, urls[name], limits=limits) for n, name in jobs.items()),
        until=after(LIMIT + 2 * GRACE),
    )
    results = {name: run.ended[n].result for n, name in jobs.items() if n in run.ended}
    kinds = {name: result and result.kind for name, result in results.items()}
    assert kinds == dict.fromkeys(urls, ErrorKind.TIMEOUT)
    seconds = {jobs[n]: record.worked for n, record in run.ended.items()}
    assert {name: s for name, s in seconds.items() if not LIMIT - 0.1 < s < LIMIT + GRACE} == {}
    assert run.files == {}


def urls_for(server: ScriptedServer, answers: Mapping[str, Answer]) -> dict[str, str]:
    """Have the server give each answer at its own URL; return the URLs by the same names."""
    for number, answer in enumerate(answers.values()):
        server.play(f"/{number}", answer)
    return {name: server.url(f"/{number}") for number, name in enumerate(answers)}


@pytest.fixture
def run(tmp_path: Path, ca_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return runs without a proxy, which trust the tests' own authority."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_bundle))
    return Run(tmp_path / "out")


@pytest.mark.parametrize("limits", [IDLE, WHOLE], ids=["timeout", "max-time"])
def test_a_stalled_reply(run: Run, server: ScriptedServer, limits: AttemptLimits) -> None:
    """An attempt ends at --timeout and at --max-time, wherever the reply stops."""
    assert_timeouts(run, urls_for(server, STALLS), limits)


@pytest.mark.parametrize("limits", [SPEED, WHOLE], ids=["speed-limit", "max-time"])
def test_a_trickling_reply(run: Run, server: ScriptedServer, limits: AttemptLimits) -> None:
    """An attempt ends at --speed-time and at --max-time if the reply arrives byte by byte."""
    assert_timeouts(run, urls_for(server, TRICKLES), limits)


def test_the_speed_limit_of_a_stalled_reply(run: Run, server: ScriptedServer) -> None:
    """After the first byte of a reply, a stall counts as a low speed."""
    stalls = {name: answer for name, answer in STALLS.items() if name != BEFORE_REPLY}
    assert_timeouts(run, urls_for(server, stalls), SPEED)


@pytest.mark.parametrize("limits", [SPEED, WHOLE], ids=["speed-limit", "max-time"])
def test_an_attempt_after_a_timeout(
    run: Run, server: ScriptedServer, limits: AttemptLimits
) -> None:
    """The limits of an attempt do not include the time of the attempt before it."""
    server.play("/a", STALLS["within the body"], PLAIN)
    run.work([run.job("a", server.url("/a"), limits=limits, max_retries=1)])
    assert run.files == {"a": BODY}
    assert run.ended["a"].attempts == 2


def test_the_speed_limit_before_a_reply(run: Run, server: ScriptedServer) -> None:
    """Before the first byte of a reply, --timeout applies, and the speed limit does not."""
    may_reply = threading.Event()
    server.play("/a", Raw(PLAIN.message, Hold(may_reply)))
    job = run.job("a", server.url("/a"), limits=SPEED)
    timer = threading.Timer(2.5 * LIMIT, may_reply.set)
    timer.start()
    run.work([job], until=after(LIMIT + 2 * GRACE))
    timer.join()
    assert run.files == {"a": BODY}


def test_a_trickling_reply_within_the_limits(run: Run, server: ScriptedServer) -> None:
    """A slow reply that exceeds no limit is complete, even if it takes longer than each."""
    small = Reply(body=BODY[:50])
    head = len(small.head)
    answers: dict[str, Answer] = {
        "headers": Raw(small.message, Trickle(EVERY)),
        "body": Raw(small.message, Trickle(EVERY, head)),
    }
    limits = AttemptLimits(timeout=LIMIT, speed_limit=5, speed_time=LIMIT)
    run.workers = len(answers)
    urls = urls_for(server, answers)
    run.work([run.job(name, url, limits=limits) for name, url in urls.items()])
    results = {name: str(record.result) for name, record in run.ended.items()}
    assert run.files == dict.fromkeys(answers, small.body), results
    assert min(record.worked for record in run.ended.values()) > 2 * LIMIT


def test_the_speed_limit_while_a_part_is_read(
    run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time in which a part is read for its checksum does not lower the measured speed."""
    body, tag = bytes(4 << 20), {"ETag": '"one"'}
    half = len(body) // 2
    span = {**tag, "Content-Range": f"bytes {half}-{len(body) - 1}/{len(body)}"}
    server.play(
        "/a",
        Reply(body=body, headers=tag, delivery=Cut(half)),
        Reply(status=206, body=body[half:], headers=span),
    )
    read_into = PartFile.read_into

    def read_slowly(self: PartFile, update: Callable[[bytes], None]) -> None:
        threading.Event().wait(2.5 * LIMIT)
        read_into(self, update)

    monkeypatch.setattr(PartFile, "read_into", read_slowly)
    job = run.job("a", server.url("/a"), limits=SPEED, max_retries=1)
    run.work([job._replace(checksum=sha256(body))])
    result = run.ended["a"].result
    assert result is not None
    assert (result.kind, result.size) == (None, len(body)), result
    assert server.requests("/a")[-1].header("Range") == f"bytes={half}-"


@dataclass(slots=True)
class HostNames:
    """Host names that only the tests know.

    Args:
        is_over: Event that ends all look-ups at once.
        hosts: Names with the seconds of their look-up, and the ports of this host that their
            addresses have.
    """

    is_over: threading.Event
    hosts: dict[str, tuple[float, list[int]]]

    def add(self, seconds: float, ports: list[int]) -> str:
        """Add a host; return its name."""
        name = f"host-{len(self.hosts)}.test"
        self.hosts[name] = (seconds, ports)
        return name

    def look_up(self, system: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that looks up these names, and calls `system` for others."""

        def getaddrinfo(host: str, *args: Any, flags: int = 0, **more: Any) -> Any:
            if host not in self.hosts or flags & socket.AI_NUMERICHOST:
                return system(host, *args, flags=flags, **more)
            seconds, ports = self.hosts[host]
            self.is_over.wait(seconds)
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, (HOST, port)) for port in ports]

        return getaddrinfo


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostNames]:
    """Yield host names that the program can look up."""
    added = HostNames(threading.Event(), {})
    monkeypatch.setattr(socket, "getaddrinfo", added.look_up(socket.getaddrinfo))
    yield added
    added.is_over.set()


@pytest.fixture
def unanswered() -> Iterator[list[int]]:
    """Yield ports that neither accept nor refuse connections."""
    with contextlib.ExitStack() as ports:
        yield [ports.enter_context(unanswered_port()) for _ in range(ADDRESSES)]


@pytest.fixture
def slow_tls(tls_server: ScriptedServer) -> Iterator[tuple[threading.Event, int]]:
    """Yield an event, and a port of `tls_server` that replies byte by byte once it is set."""
    is_slow = threading.Event()
    with Talker(relay(tls_server.port, is_slow=is_slow, every=EVERY)) as talker:
        yield is_slow, talker.port


@pytest.mark.parametrize(
    "limits",
    [CONNECT, WHOLE, AttemptLimits(timeout=LIMIT)],
    ids=["connect-timeout", "max-time", "timeout"],
)
def test_the_limits_of_a_connection(
    run: Run,
    names: HostNames,
    unanswered: list[int],
    slow_tls: tuple[threading.Event, int],
    limits: AttemptLimits,
    tls_context: ssl.SSLContext,
) -> None:
    """Look-up, connections to all addresses and TLS handshake share one limit."""
    is_slow, slow_port = slow_tls
    is_slow.set()
    with ScriptedServer(tls=tls_context, silent=True) as silent:
        hosts = {
            "look-up stalls": names.add(60, unanswered),
            "one address": names.add(0, unanswered[:1]),
            "many addresses": names.add(0, unanswered),
            "slow look-up, many addresses": names.add(0.6 * LIMIT, unanswered),
            "handshake stalls": names.add(0, [silent.port]),
            "handshake trickles": names.add(0, [slow_port]),
            "all are slow": names.add(0.3 * LIMIT, [unanswered[0], slow_port]),
        }
        urls = {name: f"https://{host}/" for name, host in hosts.items()}
        assert_timeouts(run, urls, limits)


@pytest.mark.parametrize("limits", [IDLE, WHOLE], ids=["timeout", "max-time"])
def test_a_trickling_tls_record(
    run: Run,
    tls_server: ScriptedServer,
    slow_tls: tuple[threading.Event, int],
    limits: AttemptLimits,
) -> None:
    """Bytes of an incomplete TLS record do not count as received, so limits still apply."""
    is_slow, port = slow_tls

    def answer(request: Request) -> Answer:
        is_slow.set()
        return PLAIN

    tls_server.play("/a", answer)
    assert_timeouts(run, {"record": f"https://{HOST}:{port}/a"}, limits)


NO_LIMITS = ("-T=0", "--connect-timeout=0", "--speed-limit=0", "--max-time=0")
TIGHT = ("-T1", "--connect-timeout=1", "--speed-limit=10k", "--speed-time=1", "--max-time=1")
ONCE = "--max-retries=0"


def test_option_lines_that_set_limits(
    server: ScriptedServer, tmp_path: Path, tls_context: ssl.SSLContext
) -> None:
    """Option lines of an entry limit its attempts, if the command line sets no limits."""
    server.play("/stall", STALLS["within a header"])
    server.play("/trickle", TRICKLES["body"])
    with ScriptedServer(tls=tls_context, silent=True) as silent:
        entries = [
            f"{silent.url('/tls')}\n  connect-timeout=1\n",
            f"{server.url('/stall?1')}\n  timeout=1\n",
            f"{server.url('/stall?2')}\n  max-time=1s\n",
            f"{server.url('/trickle')}\n  speed-limit=10k\n  speed-time=1\n",
        ]
        result = run_cli(
            *("-", "-d", tmp_path, *NO_LIMITS, ONCE),
            stdin="".join(entries).encode(),
            timeout=LIMIT + 2 * GRACE,
        )
    assert (result.status, result.causes) == (4, {"timeout": len(entries)}), result
    for path, reason in (
        ("/tls", "--connect-timeout"),
        (r"/stall\?1", "timeout"),
        (r"/stall\?2", "--max-time"),
        ("/trickle", "--speed-limit"),
    ):
        assert re.search(f"^failed: .*{path}: .*{reason}", result.stderr, re.MULTILINE), result


def test_option_lines_that_lift_limits(server: ScriptedServer, tmp_path: Path) -> None:
    """Option lines of an entry lift the limits of the command line for this entry alone."""
    server.play("/a", Reply(body=BODY[:50], delivery=Trickle(EVERY)))
    free = "timeout=0 connect-timeout=0 max-time=0 speed-limit=0".replace(" ", "\n  ")
    entries = f"{server.url('/a')}\n{server.url('/a?free')}\n  out=free\n  {free}\n"
    result = run_cli("-", "-d", tmp_path, *TIGHT, ONCE, stdin=entries.encode())
    assert (result.status, result.causes) == (1, {"timeout": 1}), result
    assert_holds(tmp_path, {"free": BODY[:50]})


STUCK = """
import socket, sys, time
from url_downloader.main import main
system = socket.getaddrinfo
def getaddrinfo(host, *args, flags=0, **more):
    if host == "stuck.test" and not flags & socket.AI_NUMERICHOST:
        time.sleep(600)
    return system(host, *args, flags=flags, **more)
socket.getaddrinfo = getaddrinfo
sys.exit(main())
"""


def test_a_look_up_that_never_ends(server: ScriptedServer, tmp_path: Path) -> None:
    """The job of that host name fails; the program downloads the other file, and ends."""
    server.play("/a", PLAIN)
    result = run_cli(
        *("-", "-d", tmp_path, "--connect-timeout=1", "--max-retries=1", "--retry-delay=0"),
        program=(sys.executable, "-c", STUCK),
        stdin=f"http://stuck.test/\n{server.url('/a')}\n".encode(),
        timeout=2 * LIMIT + 2 * GRACE,
    )
    assert (result.status, result.causes) == (1, {"timeout": 1}), result
    assert not result.has_traceback, result


HOP = Reply(status=302, headers={"Location": "/end"}, body=BODY)


@pytest.mark.parametrize("delivery", [Stall(len(HOP.head)), Trickle(EVERY, len(HOP.head))])
def test_the_body_of_a_redirect(run: Run, server: ScriptedServer, delivery: Delivery) -> None:
    """The body of a redirect, which nobody needs, is not waited for."""
    server.play("/a", Raw(HOP.message, delivery))
    server.play("/end", PLAIN)
    limits = AttemptLimits(timeout=0, speed_limit=0)
    run.work([run.job("a", server.url("/a"), limits=limits)], until=after(GRACE + LIMIT))
    assert run.files == {"a": BODY}
