"""The most usual program: requests, a ThreadPoolExecutor, and a Session per thread."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

CHUNK = 64 * 1024
own = threading.local()


def download(url: str, folder: Path) -> None:
    """Download one file."""
    if not hasattr(own, "session"):
        own.session = requests.Session()
    with own.session.get(url, stream=True, timeout=30) as reply:
        reply.raise_for_status()
        with (folder / url.rpartition("/")[2]).open("wb") as file:
            for chunk in reply.iter_content(CHUNK):
                file.write(chunk)


def main() -> None:
    """Download a list; the arguments are list, folder, and number of downloads at once."""
    urls, folder, workers = Path(sys.argv[1]).read_text().split(), sys.argv[2], sys.argv[3]
    with ThreadPoolExecutor(int(workers)) as pool:
        for done in [pool.submit(download, url, Path(folder)) for url in urls]:
            done.result()


if __name__ == "__main__":
    main()
