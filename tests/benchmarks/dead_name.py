"""Many URLs of a host name that does not exist: `python -m tests.benchmarks.dead_name COUNT`.

It prints the seconds between the end of the list and that of the run, and the number of
look-ups.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from url_downloader import download

NAME = "no-such.invalid"


def main() -> None:
    """Run the list, and print the numbers."""
    looked_up: list[str] = []
    list_ends: list[float] = []

    def getaddrinfo(host: str, *_: object, **options: Any) -> object:
        if not options.get("flags"):
            looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def urls() -> Iterator[str]:
        for n in range(int(sys.argv[1])):
            yield f"http://{NAME}/{n}"
        list_ends.append(time.monotonic())

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        summary = download(urls(), directory=folder, max_workers=8)
        assert len(summary.failures) == int(sys.argv[1])
    print(time.monotonic() - list_ends[0], len(looked_up))  # noqa: T201


if __name__ == "__main__":
    main()
