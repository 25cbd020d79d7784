"""A site with quick, slow, flaky and stalled files. Independent of the program under test."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.replies import Reply, Request, Stall, Wire
from tests.support.scripted_server import ScriptedServer

FILES = 40
KINDS = ("quick", "flaky", "quick", "slow", "quick", "stalled", "quick", "slow")


@dataclass(frozen=True, slots=True)
class Slowly:
    """A body in ten pieces with pauses between them."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head)
        size = len(body) // 10 + 1
        for start in range(0, len(body), size):
            if not wire.pause(0.03):
                return False
            wire.send(body[start : start + size])
        return True


def content_of(name: str) -> bytes:
    """Return the right content of the file of this name."""
    luck = random.Random(name)
    return luck.randbytes(luck.randint(0, 200_000))


def busy_action(kind: str, name: str) -> Callable[[Request], Reply]:
    """Return an action that answers the requests of each run as files of this kind do."""
    body, lock, counts = content_of(name), threading.Lock(), dict[str, int]()

    def answer(request: Request) -> Reply:
        with lock:
            turn = counts[request.target] = counts.get(request.target, 0) + 1
        if kind == "flaky" and turn % 3:
            return Reply(status=503)
        if kind == "stalled" and turn % 2:
            return Reply(body=body, delivery=Stall(len(body) // 2))
        return Reply(body=body, delivery=Slowly()) if kind == "slow" else Reply(body=body)

    return answer


def play_busy_list(server: ScriptedServer) -> Sequence[str]:
    """Have the server serve files of all kinds; return their names."""
    names = [f"{KINDS[n % len(KINDS)]}-{n:02}.bin" for n in range(FILES)]
    for name in names:
        server.play(f"/{name}", busy_action(name.partition("-")[0], name))
    return names
