"""A network that goes for a while, with a real link between two network namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.cli import MAIN, RunningCli, numbers
from tests.support.namespaces import (
    HOSTS,
    PORT,
    SERVER,
    Link,
    can_make_namespaces,
    serving_namespace,
)
from tests.support.output_folder import files_of
from tests.support.waiting import wait_until

FILES = 120
SOME = 20

pytestmark = pytest.mark.skipif(not can_make_namespaces(), reason="needs root and iproute2")


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    """Yield the link to a server, which has all files."""
    folder = tmp_path / "served"
    folder.mkdir()
    for n in range(FILES):
        (folder / f"{n}.bin").write_bytes(bytes(1000))
    with serving_namespace(folder, tmp_path / "server.log") as it:
        yield it


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the output directory."""
    return tmp_path / "downloads"


def running(link: Link, target: Path, hosts: Sequence[str], *options: str | Path) -> RunningCli:
    """Return a run over all files, which takes a few seconds, in the client's namespace."""
    source = target.with_name("list.txt")
    source.write_text(
        "".join(f"http://{hosts[n % len(hosts)]}:{PORT}/{n}.bin\n" for n in range(FILES))
    )
    rate = 24 // len(hosts)
    return RunningCli(
        *(source, "-d", target, "-w8", f"--host-rate={rate}/s", "--timeout=3", *options),
        program=link.command(*MAIN),
    )


def cut_in_mid_run(run: RunningCli, link: Link, target: Path) -> None:
    """Cut the link after some files, and wait until the program notices."""
    wait_until(lambda: target.exists() and len(files_of(target)) >= SOME, what="some files")
    link.cut()
    wait_until(lambda: "the network is gone" in run.stderr_so_far(), what="a message")


@pytest.mark.parametrize(
    ("hosts", "options"), [((SERVER,), ()), (HOSTS, ("--max-retries=0",))], ids=["one", "many"]
)
def test_no_url_fails(
    link: Link, target: Path, hosts: Sequence[str], options: Sequence[str]
) -> None:
    """A network that goes for more than ten seconds and comes back fails no URL.

    With many hosts, not a single failure counts as an attempt.
    """
    with running(link, target, hosts, *options) as run:
        cut_in_mid_run(run, link, target)
        link.mend()
        result = run.wait()
    assert result.status == 0, result
    assert numbers(result) == (FILES, 0, 0)
    assert "the network is back" in result.stderr
    assert {len(data) for data in files_of(target).values()} == {1000}


def test_the_run_ends_without_a_network(link: Link, target: Path) -> None:
    """After --outage-wait the run ends with status 3; the other URLs are in the failed list."""
    failed = target.with_name("failed.txt")
    options = ("--outage-wait=12", "--failed-out", failed)
    with running(link, target, HOSTS, *options) as run:
        cut_in_mid_run(run, link, target)
        result = run.wait()
    assert result.status == 3, result
    done, failures, unfinished = numbers(result)
    assert (failures, done + unfinished) == (0, FILES)
    assert "--outage-wait" in result.stderr
    left = [line for line in failed.read_text().splitlines() if line.startswith("http")]
    assert len(left) == unfinished
