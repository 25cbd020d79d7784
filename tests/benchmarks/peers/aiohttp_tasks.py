"""A usual program with asyncio: aiohttp, one session, and a task per worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp

CHUNK = 64 * 1024


async def work(session: aiohttp.ClientSession, urls: Iterator[str], folder: Path) -> None:
    """Download one file after the other."""
    for url in urls:
        async with session.get(url) as reply:
            reply.raise_for_status()
            with (folder / url.rpartition("/")[2]).open("wb") as file:
                async for chunk in reply.content.iter_chunked(CHUNK):
                    file.write(chunk)


async def main() -> None:
    """Download a list; the arguments are list, folder, and number of downloads at once."""
    urls, folder, workers = Path(sys.argv[1]).read_text().split(), sys.argv[2], sys.argv[3]
    todo = iter(urls)
    connector = aiohttp.TCPConnector(limit=int(workers))
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session, todo, Path(folder)) for _ in range(int(workers))))


if __name__ == "__main__":
    asyncio.run(main())
