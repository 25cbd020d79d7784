"""Files that the scripted server serves with an entity tag and with ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from random import Random

from tests.support.replies import Delivery, Framing, Reply, Request, Whole
from tests.support.scripted_server import ScriptedServer

ETAG = '"version-1"'


def ranged(
    body: bytes, *, framing: Framing = Framing.LENGTH, delivery: Delivery | None = None
) -> Callable[[Request], Reply]:
    """Return an action that answers with `body`, or with the range of it that is asked for."""
    how = delivery or Whole()

    def answer(request: Request) -> Reply:
        headers = {"ETag": ETAG}
        match = re.fullmatch(r"bytes=(\d+)-", request.header("Range") or "")
        if match is None or request.header("If-Range") != ETAG:
            return Reply(body=body, headers=headers, framing=framing, delivery=how)
        first, total = int(match[1]), len(body)
        if first >= total:
            return Reply(status=416, headers={**headers, "Content-Range": f"bytes */{total}"})
        headers["Content-Range"] = f"bytes {first}-{total - 1}/{total}"
        rest = body[first:]
        return Reply(status=206, body=rest, headers=headers, framing=framing, delivery=how)

    return answer


def content(size: int) -> bytes:
    """Return so many bytes, the same in each call."""
    return Random(size).randbytes(size)


def serve(
    server: ScriptedServer, sizes: Mapping[str, int], *, framing: Framing = Framing.LENGTH
) -> dict[str, bytes]:
    """Have the server serve files of these sizes; return their contents by name."""
    bodies = {name: content(size) for name, size in sizes.items()}
    for name, body in bodies.items():
        server.play(f"/{name}", ranged(body, framing=framing))
    return bodies


def urls(server: ScriptedServer, names: Iterable[str]) -> bytes:
    """Return a list with the URLs of these files."""
    return "".join(f"{server.url(f'/{name}')}\n" for name in names).encode()
