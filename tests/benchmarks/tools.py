"""The compared tools, and their command lines for the same work."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = "url_downloader"
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A list to be downloaded.

    Args:
        urls: URLs whose last segments are the names of the files.
        workers: Number of downloads at once.
        folder: Empty folder for the files.
        scratch: Folder for lists and configuration.
    """

    urls: Sequence[str]
    workers: int
    folder: Path
    scratch: Path

    def list_file(self) -> Path:
        """Write the list, one URL per line; return its path."""
        path = self.scratch / "urls.txt"
        path.write_text("".join(f"{url}\n" for url in self.urls))
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that downloads lists.

    Args:
        name: Name in the table.
        command: Function that returns the command line for an order. It may write files to
            the scratch folder.
        is_there: Whether the tool is installed.
        retries: Options for quick retries after a 503; None if the tool has none.
        rate: Option for the bytes per second of all downloads; None if the tool has none.
    """

    name: str
    command: Callable[[Order], list[str]]
    is_there: bool
    retries: tuple[str, ...] | None = None
    rate: str | None = None


def _ours(order: Order) -> list[str]:
    workers, folder = str(order.workers), str(order.folder)
    command = [sys.executable, "-m", "url_downloader", str(order.list_file())]
    return [*command, "-q", "-w", workers, "-d", folder]


def _curl(order: Order) -> list[str]:
    names = ((url, order.folder / url.rpartition("/")[2]) for url in order.urls)
    config = order.scratch / "curl.conf"
    config.write_text("".join(f'url = "{url}"\noutput = "{name}"\n' for url, name in names))
    return ["curl", "-Z", "--parallel-max", str(order.workers), "-sfK", str(config)]


def _wget2(order: Order) -> list[str]:
    threads = f"--max-threads={order.workers}"
    return ["wget2", "-q", threads, "-i", str(order.list_file()), "-P", str(order.folder)]


def _aria2c(order: Order) -> list[str]:
    at_once = [f"-j{order.workers}", "-s1", "-x1", "--file-allocation=none", "--no-conf"]
    files = ["-i", str(order.list_file()), "-d", str(order.folder)]
    return ["aria2c", "-q", *at_once, *files]


def _script(name: str) -> Callable[[Order], list[str]]:
    def command(order: Order) -> list[str]:
        arguments = [str(order.list_file()), str(order.folder), str(order.workers)]
        return [sys.executable, str(_PEERS / name), *arguments]

    return command


def _xargs(order: Order) -> list[str]:
    at_once = ["-a", str(order.list_file()), "-P", str(order.workers), "-n", "1"]
    return ["xargs", *at_once, "curl", "-sf", "--output-dir", str(order.folder), "-O"]


def _has(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


TOOLS = (
    Tool(
        name=OURS,
        command=_ours,
        is_there=True,
        retries=("--retry-delay", "0.1"),
        rate="--limit-rate",
    ),
    Tool(name="curl -Z", command=_curl, is_there=_has("curl"), retries=("--retry", "5")),
    Tool(name="wget2", command=_wget2, is_there=_has("wget2")),
    Tool(
        name="aria2c",
        command=_aria2c,
        is_there=_has("aria2c"),
        retries=("--retry-wait=1", "--max-tries=5"),
        rate="--max-overall-download-limit",
    ),
    Tool(
        name="aiohttp",
        command=_script("aiohttp_tasks.py"),
        is_there=importlib.util.find_spec("aiohttp") is not None,
    ),
    Tool(name="requests", command=_script("requests_pool.py"), is_there=True),
    Tool(name="xargs curl", command=_xargs, is_there=_has("xargs", "curl")),
)
