"""Few file descriptors make a run slower, but never wrong."""

from __future__ import annotations

import re
import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cli import MAIN, CliResult, RunningCli, run_cli
from tests.support.hardship import under_limit
from tests.support.scripted_server import Hold, Reply, ScriptedServer, Whole, flap
from tests.support.waiting import wait_until

FILES = 200
HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
WARNING = re.compile(r" WARNING \w+: \D*(\d+)\b")
# If a want of descriptors counted as a failure, no attempt would be left.
ONE_ATTEMPT = ("--max-retries", "0", "--retry-delay", "0.01", "--retry-max-delay", "0.1")

# The program in a process that sometimes gets no descriptor.
UNRELIABLE = """
import errno, os, random, socket, sys
from url_downloader.main import main

luck, refusals = random.Random(4), []

def may_refuse():
    if luck.random() < 0.3:
        refusals.append(1)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

class Socket(socket.socket):
    def __init__(self, *args, **named):
        if "socket" in REFUSING and named.get("fileno") is None:
            may_refuse()
        super().__init__(*args, **named)

def duplicate(descriptor, really=os.dup):
    may_refuse()
    return really(descriptor)

def open_file(path, *args, really=os.open, **named):
    if str(path).endswith(".part"):
        may_refuse()
    return really(path, *args, **named)

REFUSING = sys.argv[1].split("+")
socket.socket = Socket
os.dup = duplicate if "dup" in REFUSING else os.dup
os.open = open_file if "open" in REFUSING else os.open
status = main(sys.argv[2:])
sys.stderr.write(f"refused {len(refusals)} times\\n")
sys.exit(status)
"""

# The program in a process that has no descriptor left for a moment, at each tenth part.
GREEDY = """
import itertools, os, sys, threading
from url_downloader.main import main

counter, refusals, pause = itertools.count(1), [], threading.Event()

def open_file(path, *args, really=os.open, **named):
    if str(path).endswith(".part") and next(counter) % 10 == 0:
        take_all(really)
    return really(path, *args, **named)

def take_all(really):
    taken = []
    try:
        while True:
            taken.append(really(os.devnull, os.O_RDONLY))
    except OSError:
        refusals.append(1)
        # Now the other workers get no descriptor for anything.
        pause.wait(0.01)
        raise
    finally:
        for descriptor in taken:
            os.close(descriptor)

os.open = open_file
status = main(sys.argv[1:])
sys.stderr.write(f"refused {len(refusals)} times\\n")
sys.exit(status)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an output directory that does not exist yet."""
    return tmp_path / "downloads"


@pytest.fixture
def servers() -> Iterator[Sequence[ScriptedServer]]:
    """Yield more servers than a limit of 64 descriptors allows connections."""
    with ExitStack() as running:
        yield [running.enter_context(ScriptedServer()) for _ in range(64)]


def body(number: int) -> bytes:
    """Return the content of a file."""
    return f"file {number}".encode() * 100


def serve(server: ScriptedServer, count: int, *, until: threading.Event | None = None) -> bytes:
    """Have the server serve files, not before `until` is set; return the list of URLs."""
    for number in range(count):
        delivery = Hold(until) if until else Whole()
        server.play(f"/{number}", Reply(body=body(number), delivery=delivery))
    return "".join(f"{server.url(f'/{number}')}\n" for number in range(count)).encode()


def assert_complete(result: CliResult, target: Path, count: int) -> None:
    """Check that the run succeeded, and that each file is right."""
    assert result.status == 0, result
    assert result.totals is not None
    assert (result.totals.downloaded, result.totals.total) == (count, count), result
    files = {path.name: path.read_bytes() for path in target.iterdir() if path.is_file()}
    assert files == {str(number): body(number) for number in range(count)}


def limited(soft: int, hard: int | None = None) -> tuple[str, ...]:
    """Return the program with so few descriptors."""
    return under_limit("RLIMIT_NOFILE", MAIN, soft=soft, hard=hard)


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"), [(64, 64, 32), (20, 20, 8), (20, 64, 1000)]
)
def test_too_few(
    server: ScriptedServer, target: Path, soft: int, hard: int, wanted: int
) -> None:
    """Fewer workers run, as a warning says, and all files arrive."""
    released = threading.Event()
    url_list = serve(server, FILES, until=released)
    program = limited(soft, hard)
    with RunningCli("-", "-d", target, f"-w{wanted}", *ONE_ATTEMPT, program=program) as run:
        run.send(url_list)
        wait_until(lambda: bool(WARNING.search(run.stderr_so_far())), what="a warning")
        warnings = WARNING.findall(run.stderr_so_far())
        workers = int(warnings[0])
        server.wait_for_requests(workers)
        released.set()
        result = run.wait()
    assert 1 <= workers < wanted
    assert_complete(result, target, FILES)
    assert server.connections == workers
    assert WARNING.findall(result.stderr) == warnings, "there is another warning"


@pytest.mark.parametrize(("soft", "hard"), [(64, 1024), (1024, 1024)])
def test_enough(server: ScriptedServer, target: Path, soft: int, hard: int) -> None:
    """A low soft limit is raised: all workers run, without a warning."""
    released = threading.Event()
    url_list = serve(server, FILES, until=released)
    with RunningCli("-", "-d", target, "-w32", program=limited(soft, hard)) as run:
        run.send(url_list)
        server.wait_for_requests(32)
        released.set()
        result = run.wait()
    assert_complete(result, target, FILES)
    assert server.connections == 32
    assert "WARNING" not in result.stderr


def test_one_worker_never_warns(server: ScriptedServer, target: Path) -> None:
    """A single worker always runs, without a warning."""
    url_list = serve(server, 10)
    result = run_cli("-", "-d", target, "-w1", program=limited(20), stdin=url_list)
    assert_complete(result, target, 10)
    assert "WARNING" not in result.stderr


MANY_OPEN = """
import os, sys
for _ in range(1100):
    os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(HARD_LIMIT < 2000, reason="the system allows no more")
def test_many_are_open_already(server: ScriptedServer, target: Path, tmp_path: Path) -> None:
    """Descriptors above a thousand, which select() can't use, are no problem."""
    url_list = tmp_path / "list"
    url_list.write_bytes(serve(server, 10))
    program = (sys.executable, "-c", MANY_OPEN, *MAIN)
    limits = under_limit("RLIMIT_NOFILE", program, soft=2000, hard=HARD_LIMIT)
    assert_complete(run_cli(url_list, "-d", target, program=limits), target, 10)


def test_many_servers(servers: Sequence[ScriptedServer], target: Path) -> None:
    """Kept connections to many servers do not use up the descriptors."""
    lines = []
    for number in range(FILES):
        server = servers[number % len(servers)]
        server.play(f"/{number}", Reply(body=body(number)))
        lines.append(server.url(f"/{number}\n"))
    url_list = "".join(lines).encode()
    result = run_cli(
        *("-", "-d", target, "-w64", *ONE_ATTEMPT), program=limited(64), stdin=url_list
    )
    assert_complete(result, target, FILES)
    assert result.totals is not None
    assert result.totals.retries == 0


def unreliable(refusing: str) -> tuple[str, ...]:
    """Return the program whose calls of these kinds sometimes get no descriptor."""
    return (sys.executable, "-c", UNRELIABLE, refusing)


def assert_was_refused(result: CliResult) -> None:
    """Check that the run was refused descriptors often enough."""
    match = re.search(r"^refused (\d+) times$", result.stderr, re.MULTILINE)
    assert match is not None
    assert int(match[1]) > 5


@pytest.mark.parametrize("refusing", ["socket", "dup", "open", "socket+dup+open"])
def test_refused_at_random(server: ScriptedServer, target: Path, refusing: str) -> None:
    """No job fails for want of a descriptor, and none loses an attempt by it."""
    url_list = serve(server, 60)
    for number in range(60):
        # Each attempt needs a new connection.
        server.play(f"/{number}", Reply(body=body(number), keep_alive=False))
    result = run_cli(
        *("-", "-d", target, "-w8", *ONE_ATTEMPT),
        program=unreliable(refusing),
        stdin=url_list,
    )
    assert_was_refused(result)
    assert_complete(result, target, 60)


def test_refused_and_failed(server: ScriptedServer, target: Path) -> None:
    """A want of descriptors takes no retry away from failures of a server."""
    url_list = serve(server, 60)
    for number in range(60):
        server.play(f"/{number}", *flap(1, Reply(body=body(number), keep_alive=False)))
    options = ("-w8", *ONE_ATTEMPT, "--max-retries", "1")
    program = unreliable("socket+dup+open")
    result = run_cli("-", "-d", target, *options, program=program, stdin=url_list)
    assert_was_refused(result)
    assert_complete(result, target, 60)


def test_all_taken_again_and_again(server: ScriptedServer, target: Path) -> None:
    """While there is no descriptor left, jobs wait, and none fails."""
    url_list = serve(server, FILES)
    limits = under_limit("RLIMIT_NOFILE", (sys.executable, "-c", GREEDY), soft=128)
    result = run_cli("-", "-d", target, "-w8", *ONE_ATTEMPT, program=limits, stdin=url_list)
    assert not result.has_traceback, result
    assert_was_refused(result)
    assert_complete(result, target, FILES)
