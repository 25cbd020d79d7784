"""Signals at any moment: the run ends soon and in order, or at once, and no file is wrong."""

from __future__ import annotations

import random
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.busy_site import FILES, content_of, play_busy_list
from tests.support.cli import MAIN, CliResult, RunningCli, ask_for_state, run_cli
from tests.support.output_folder import files_of
from tests.support.scripted_server import (
    Action,
    Framing,
    Hold,
    Raw,
    Reply,
    ScriptedServer,
    Stall,
)
from tests.support.waiting import wait_until

EXIT_LATENCY = 4.0
"""Seconds until the end of a run: twice the promised time, for busy machines."""
OFTEN = "--monitor-interval=0.05"
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
ALL_SIGNALS = pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an output directory that does not exist yet."""
    return tmp_path / "downloads"


def wait_for_output(run: RunningCli, pattern: str) -> None:
    """Return once stderr has a match of `pattern`."""
    wait_until(
        lambda: re.search(pattern, run.stderr_so_far()) is not None,
        what=f"{pattern!r} on stderr",
    )


def interrupt(run: RunningCli, number: signal.Signals = signal.SIGINT) -> CliResult:
    """Send the signal, with stdin left open; the run must end soon and in order."""
    began = time.monotonic()
    run.signal(number)
    result = run.wait_with_open_stdin()
    seconds = time.monotonic() - began
    assert result.status == STATUS[number], result
    assert not result.has_traceback, result
    assert result.totals is not None, result
    assert seconds < EXIT_LATENCY, f"{seconds:.2f} s; {result}"
    return result


def not_downloaded(result: CliResult) -> int:
    """Return the number of failed and unfinished jobs in the summary."""
    assert result.totals is not None, result
    return result.totals.failed + result.totals.unfinished


# Fifty random moments.

RUNS = 10
AT_ONCE = 3
RERUN_EVERY = 5
LONGEST_DELAY = 1.5
BUSY = ("-w4", "--queue-size=2", "-T0.4", "--retry-delay=0.1", OFTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The moment at which a run of the busy list gets signals.

    Args:
        run: Name of the run, in the queries of its URLs.
        after: Number of its requests that come before.
        delay: Seconds after these requests.
        signals: Signals in order.
        pause: Seconds between them.
    """

    run: str
    after: int
    delay: float
    signals: tuple[signal.Signals, ...]
    pause: float


def moments(seed: int) -> Iterator[Moment]:
    """Yield ten moments: half of them at any time from the start, half of them in mid-run."""
    luck = random.Random(seed)
    for number in range(RUNS):
        is_timed = number % 2 == 0
        yield Moment(
            run=f"{seed}-{number}",
            after=0 if is_timed else luck.randint(1, FILES),
            delay=luck.uniform(0, LONGEST_DELAY if is_timed else 0.2),
            signals=tuple(luck.choices([*STATUS], k=luck.choice([1, 1, 2]))),
            pause=luck.uniform(0, 0.1),
        )


def hit(server: ScriptedServer, arguments: Sequence[str | Path], moment: Moment) -> CliResult:
    """Run the program, and send it the signals at this moment."""

    def has_come_far_enough() -> bool:
        ours = [r for r in server.requests() if r.target.endswith(f"?{moment.run}")]
        return len(ours) >= moment.after or not run.is_running

    with RunningCli(*arguments) as run:
        wait_until(has_come_far_enough, what=f"{moment.after} requests")
        threading.Event().wait(moment.delay)
        run.signal(moment.signals[0])
        for number in moment.signals[1:]:
            threading.Event().wait(moment.pause)
            run.signal(number)
        return run.wait(EXIT_LATENCY)


def is_interpreters_own(result: CliResult) -> bool:
    """Tell whether Ctrl-C came before the first line of the program."""
    # So early, even the traceback may be missing.
    own = "(?s)(Fatal Python error|KeyboardInterrupt$|.*Traceback .*KeyboardInterrupt)"
    return (
        re.match(own, result.stderr.rstrip()) is not None
        and result.totals is None
        and "INFO" not in result.stderr
        and "url_downloader/main.py" not in result.stderr
    )


def assert_documented(result: CliResult, moment: Moment) -> None:
    """Check that the status is a documented one, and that there is no traceback."""
    if signal.SIGINT in moment.signals and is_interpreters_own(result):
        return
    allowed = {0, *(-number for number in moment.signals)}
    allowed |= {STATUS[number] for number in moment.signals}
    assert result.status in allowed, (moment, result)
    assert not result.has_traceback, (moment, result)
    if result.status >= 0:
        assert result.totals is not None, (moment, result)


@pytest.mark.leaves_parts
@pytest.mark.parametrize("seed", range(5))
def test_random_moments(server: ScriptedServer, tmp_path: Path, seed: int) -> None:
    """A run that gets signals at any moment ends as documented; the next completes it."""
    names = play_busy_list(server)
    right = {name: content_of(name) for name in names}

    def try_moment(moment: Moment) -> CliResult:
        urls, target = tmp_path / f"{moment.run}.txt", tmp_path / moment.run
        urls.write_text("".join(f"{server.url(f'/{name}?{moment.run}')}\n" for name in names))
        result = hit(server, (urls, "-d", target, *BUSY), moment)
        assert_documented(result, moment)
        there = files_of(target)
        assert there.items() <= right.items(), (moment, sorted(there))
        assert result.status != 0 or there == right, (moment, result)
        if int(moment.run.partition("-")[2]) % RERUN_EVERY == 0:
            again = run_cli(urls, "-d", target, "-c", *BUSY, "--max-retries=30")
            assert again.status == 0, (moment, again)
            assert files_of(target) == right, moment
        return result

    with ThreadPoolExecutor(AT_ONCE) as executor:
        results = list(executor.map(try_moment, moments(seed)))
    assert any(result.status in STATUS.values() for result in results), results


# All workers at once.

WORKERS = 64
MESSAGE = Reply(body=bytes(500))
CHUNKED = Reply(body=bytes(500), framing=Framing.CHUNKED)
STALLS: dict[str, Action] = {
    "header": Raw(MESSAGE.message, Stall(20)),
    "body": Reply(body=bytes(500), delivery=Stall(100)),
    "chunk size": Raw(CHUNKED.message, Stall(len(CHUNKED.head) + 1)),
    "trailer": Raw(CHUNKED.message, Stall(len(CHUNKED.message) - 2)),
}


def assert_all_are_freed(origin: str, ready: Callable[[], None], target: Path) -> None:
    """Check that Ctrl-C ends 64 hanging downloads, and that the summary counts them."""
    urls = "".join(f"{origin}/x?{n}\n" for n in range(WORKERS)).encode()
    with RunningCli("-", "-d", target, f"-w{WORKERS}", OFTEN) as run:
        run.send(urls)
        run.close_stdin()
        ready()
        wait_for_output(run, f"in flight {WORKERS} ")
        result = interrupt(run)
    assert not_downloaded(result) == WORKERS, result
    assert files_of(target) == {}


@pytest.mark.parametrize("stall", STALLS)
def test_all_workers_wait_for_a_reply(server: ScriptedServer, target: Path, stall: str) -> None:
    """Ctrl-C frees all workers from stalled replies."""
    server.play("/x", STALLS[stall])
    assert_all_are_freed(server.url(""), lambda: server.wait_for_requests(WORKERS), target)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_all_workers_wait_for_a_silent_server(target: Path, scheme: str) -> None:
    """Ctrl-C frees all workers from a server that accepts, and never reads or writes."""
    with ScriptedServer(silent=True) as server:
        origin = server.url("").replace("http", scheme)
        assert_all_are_freed(origin, lambda: server.wait_for_connections(WORKERS), target)


def test_all_workers_wait_for_a_connection(target: Path) -> None:
    """Ctrl-C frees all workers from a server that accepts no connection."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # more than its backlog takes, so that later ones get no answer
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        port = listener.getsockname()[1]
        assert_all_are_freed(f"http://127.0.0.1:{port}", lambda: None, target)


def test_all_workers_wait_for_tls_replies(
    tls_server: ScriptedServer, target: Path, ca_bundle: Path
) -> None:
    """Ctrl-C frees workers from stalled bodies over TLS."""
    tls_server.play("/x", STALLS["body"])
    urls = "".join(f"{tls_server.url('/x')}?{n}\n" for n in range(8)).encode()
    env = {"REQUESTS_CA_BUNDLE": str(ca_bundle)}
    with RunningCli("-", "-d", target, "-w8", OFTEN, env=env) as run:
        run.send(urls)
        tls_server.wait_for_requests(8)
        result = interrupt(run)
    assert not_downloaded(result) == 8, result


# SIGHUP.

NOHUP = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *MAIN)


@pytest.fixture
def release() -> threading.Event:
    """Return the event that releases a held download."""
    return threading.Event()


@pytest.fixture
def held(server: ScriptedServer, release: threading.Event) -> bytes:
    """Return a list of one URL, whose body is complete once `release` is set."""
    server.play("/held", Reply(body=b"x" * 5000, delivery=Hold(release, 1024)))
    return server.url("/held\n").encode()


def test_hangup_ends_the_run(server: ScriptedServer, held: bytes, target: Path) -> None:
    """A run whose terminal goes away ends in order, as with SIGTERM."""
    with RunningCli("-", "-d", target, OFTEN) as run:
        run.send(held)
        server.wait_for_requests(1)
        result = interrupt(run, signal.SIGHUP)
    assert not_downloaded(result) == 1, result
    assert files_of(target) == {}


def test_hangup_under_nohup(
    server: ScriptedServer, held: bytes, release: threading.Event, target: Path
) -> None:
    """A run under nohup outlives its terminal."""
    with RunningCli("-", "-d", target, OFTEN, program=NOHUP) as run:
        run.send(held)
        server.wait_for_requests(1)
        run.signal(signal.SIGHUP)
        run.signal(signal.SIGUSR1)
        wait_for_output(run, "state: ")
        release.set()
        result = run.wait()
    assert result.status == 0, result
    assert files_of(target) == {"held": b"x" * 5000}


def test_hangup_under_nohup_is_no_second_signal(
    server: ScriptedServer, held: bytes, target: Path
) -> None:
    """SIGHUP that nohup ignores stays ignored while SIGTERM ends the run in order."""
    with RunningCli("-", "-d", target, program=NOHUP) as run:
        run.send(held)
        server.wait_for_requests(1)
        run.signal(signal.SIGTERM)
        while run.is_running:
            run.signal(signal.SIGHUP)
        result = run.wait()
    assert result.status == 143, result
    assert not_downloaded(result) == 1, result


# SIGUSR1.

SECRETS = ("somebody", "hunter2")


def with_credentials(url: str) -> str:
    """Return `url` with a user name and a password."""
    return url.replace("//", "//{}:{}@".format(*SECRETS))


@pytest.mark.parametrize("option", ["-q", "-v"])
def test_state(
    server: ScriptedServer, held: bytes, release: threading.Event, target: Path, option: str
) -> None:
    """The state names running attempts and retries, without secrets; the run goes on."""
    later, url = server.url("/later"), held.decode().strip()
    # Not 503, which would pause the host.
    server.play("/later", Reply(status=500, headers={"Retry-After": "50"}))
    state = re.compile(
        rf".*in flight 1 .*retrying 1, .*\n.*{re.escape(url)}: .*1\.0 KiB in \d.* s, .*/s\n"
        rf"(?:.*\n)*?.*next retry in [1-5]?\d\.\d s: {re.escape(later)}\n"
    )
    with RunningCli("-", "-d", target, option) as run:
        run.send(f"{with_credentials(later)}\n{with_credentials(url)}\n".encode())
        run.close_stdin()
        wait_until(lambda: server.count() == 2, what="both requests")
        wait_until(
            lambda: state.match(ask_for_state(run)) is not None, what=f"a state as {state}"
        )
        release.set()
        wait_until((target / "held").exists, what="the file that was in flight")
        result = interrupt(run)
    assert not_downloaded(result) == 1, result
    assert not [secret for secret in SECRETS if secret in result.stderr], result
    assert files_of(target) == {"held": b"x" * 5000}


def test_state_of_many_retries(server: ScriptedServer, target: Path) -> None:
    """Of many retries the next ones are named and the others counted."""
    server.play("/later", Reply(status=500))
    urls = "".join(f"{server.url(f'/later?{n}')}\n" for n in range(30)).encode()
    with RunningCli("-", "-d", target, "--retry-delay=60", OFTEN) as run:
        run.send(urls)
        wait_for_output(run, "retrying 30, ")
        wait_until(
            lambda: "and 20 more wait for a retry" in ask_for_state(run), what="all of a state"
        )
        assert ask_for_state(run).count("next retry in ") <= 10
        result = interrupt(run)
    assert not_downloaded(result) == 30, result


def test_state_many_times(
    server: ScriptedServer, held: bytes, release: threading.Event, target: Path
) -> None:
    """Hundreds of SIGUSR1, in each phase of a run, do not change its end."""
    server.play("/flaky", *[Reply(status=503)] * 3, Reply(body=b"ok"))
    with RunningCli("-", "-d", target, "--retry-delay=0.05", OFTEN) as run:
        # Before this the signal would kill the interpreter.
        wait_for_output(run, "done 0, ")
        for _ in range(200):
            run.signal(signal.SIGUSR1)
        run.send(held + server.url("/flaky\n").encode())
        for _ in range(200):
            run.signal(signal.SIGUSR1)
        assert "in flight " in ask_for_state(run)
        server.wait_for_requests(5)
        release.set()
        run.close_stdin()
        while run.is_running:
            run.signal(signal.SIGUSR1)
        result = run.wait()
    assert result.status == 0, result
    assert not result.has_traceback, result
    assert files_of(target) == {"held": b"x" * 5000, "flaky": b"ok"}


# Sources of the list.


@ALL_SIGNALS
def test_half_a_line_is_no_url(
    server: ScriptedServer, target: Path, *, number: signal.Signals
) -> None:
    """A signal ends a run whose list stops in mid-line; that half line is no URL."""
    with RunningCli("-", "-d", target, OFTEN) as run:
        run.send(server.url("/whole\n").encode() + server.url("/ha").encode())
        wait_for_output(run, "failed 1, ")
        result = interrupt(run, number)
    assert [request.target for request in server.requests()] == ["/whole"]
    assert not_downloaded(result) == 1, result


@ALL_SIGNALS
def test_full_pipe(server: ScriptedServer, target: Path, *, number: signal.Signals) -> None:
    """A signal ends a run whose queue has no room for the rest of the list."""
    server.play("/x", STALLS["body"])
    urls = "".join(f"{server.url(f'/x?{n}')}\n" for n in range(1000)).encode()
    with RunningCli("-", "-d", target, "--queue-size=1", "--look-ahead=0", OFTEN) as run:
        run.send(urls)
        server.wait_for_requests(4)
        wait_for_output(run, "tasks 1, .*in flight 4 ")
        result = interrupt(run, number)
    assert 4 <= not_downloaded(result) < 10, result
    assert files_of(target) == {}


# Look-ups.

STUCK = "stuck.example.org"
WITH_STUCK_LOOK_UPS = f"""
import runpy, socket, sys, time
look_up = socket.getaddrinfo

def stuck(host, port, family=0, type=0, proto=0, flags=0):
    if host == "{STUCK}" and not flags & socket.AI_NUMERICHOST:
        print("the look-up is stuck", file=sys.stderr, flush=True)
        time.sleep(60)
    return look_up(host, port, family, type, proto, flags)

socket.getaddrinfo = stuck
runpy.run_module("url_downloader", run_name="__main__", alter_sys=True)
"""
STUCK_PROGRAM = (sys.executable, "-c", WITH_STUCK_LOOK_UPS)


@ALL_SIGNALS
def test_stuck_look_up_does_not_delay_the_end(target: Path, *, number: signal.Signals) -> None:
    """A name server that never answers blocks neither the workers nor the end."""
    with RunningCli("-", "-d", target, "-w8", OFTEN, program=STUCK_PROGRAM) as run:
        run.send("".join(f"http://{STUCK}/{n}\n" for n in range(8)).encode())
        wait_for_output(run, "(?s)the look-up is stuck.*in flight 8 ")
        result = interrupt(run, number)
    assert not_downloaded(result) == 8, result


def test_stuck_look_up_is_a_timeout(server: ScriptedServer, target: Path) -> None:
    """A look-up counts against --connect-timeout; other jobs go on."""
    server.play("/good", Reply(body=b"good"))
    urls = f"http://{STUCK}/bad\n{server.url('/good')}\n".encode()
    options = ("-w1", "--connect-timeout=1", "--max-retries=0")
    began = time.monotonic()
    result = run_cli("-", "-d", target, *options, program=STUCK_PROGRAM, stdin=urls)
    assert time.monotonic() - began < 1 + EXIT_LATENCY, result
    assert result.status == 1, result
    assert result.causes == {"timeout": 1}
    assert files_of(target) == {"good": b"good"}
