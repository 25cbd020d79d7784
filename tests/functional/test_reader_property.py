"""The program's reader of replies agrees with the slow one, however the bytes arrive.

The environment variable URL_DOWNLOADER_FUZZ_CASES sets another number of cases.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.arrival import TlsContexts, arriving, tls_contexts
from tests.support.codings import CUTS, cut
from tests.support.fuzzing import PIECES, Spoiling, spoilings, spoilt
from tests.support.sample_replies import (
    BY_CLOSE,
    CUT_TRAILERS,
    FIVE,
    MALFORMED,
    NOT_HTTP,
    OK,
    TOO_LARGE,
    UNFINISHED,
    WHOLE,
    WITHOUT_BODY,
)
from tests.support.slow_reader import Ending, Verdict, read_reply
from url_downloader.network.connection import Connection
from url_downloader.network.errors import TRANSFER_ERRORS, transfer_error
from url_downloader.network.reply import HttpReply
from url_downloader.network.route import Route
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError

CASES = int(os.environ.get("URL_DOWNLOADER_FUZZ_CASES", "1000"))
ROUTE = Route(("http", "h", 80))
SHORT = 1000
"""Bytes of a message that may arrive byte by byte: more would take too long."""
REPLIES = [
    *[data for data, _, _ in WHOLE],
    *[data for _, data in WITHOUT_BODY],
    *[*BY_CLOSE, *CUT_TRAILERS],
]
"""Replies that are damaged."""
EXCESS = [
    OK + FIVE + b"\r\nabcde" + OK + FIVE + b"\r\nabcde",
    *[data + b"x" for data, _, _ in WHOLE],
    *[data + b"x" for _, data in WITHOUT_BODY],
]
OTHERS = [b"", *EXCESS, *UNFINISHED, *NOT_HTTP, *TOO_LARGE, *MALFORMED]
MORE_PIECES = [
    *PIECES,
    *[b"HTTP/1.0 ", b"HTTP/1.1 100 C\r\n\r\n", b"Content-Length : 5\r\n", b"\r\n folded\r\n"],
    *[b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Transfer-Encoding:identity\n"],
    *[b"chunked", b", ", b"0" * 20, b"f" * 15, b"\n\n", b"\r\r\n", b"x" * 4100],
]


@pytest.fixture(scope="module")
def tls(ca: trustme.CA) -> TlsContexts:
    """Return TLS contexts of both ends."""
    return tls_contexts(ca)


def read_with_program(pieces: Sequence[bytes], ending: Ending, *, tls: TlsContexts) -> Verdict:
    """Return what the program makes of a reply that arrives in these pieces.

    `is_reusable` is False also if bytes after the reply had arrived with its last ones.
    `consumed` and `fields` are not compared.
    """
    control, kept = AttemptControl(), [False]
    with arriving(pieces, ending=ending, tls=tls) as sock:
        connection = Connection(sock, sock, route=ROUTE)
        try:
            reply = HttpReply(
                connection.read_head(control),
                connection,
                url="http://h/",
                on_closed=lambda _, is_kept: kept.append(is_kept),
                control=control,
            )
            body = b"".join(map(bytes, reply.chunks()))
        except (AttemptError, *TRANSFER_ERRORS) as error:
            return Verdict(transfer_error(error).kind)
        finally:
            COMPUTE_TURN.release()
        reply.close()
    return Verdict(None, reply.status, body, is_reusable=kept[-1])


def assert_agreed(pieces: Sequence[bytes], ending: Ending, *, tls: TlsContexts) -> None:
    """Fail unless both readers have the same verdict."""
    data = b"".join(pieces)
    verdict = read_reply(data, ending=ending)
    accepted = [verdict[:4]]
    if verdict.kind is None:
        # The reader need not see bytes after the reply: the pool looks for them.
        accepted.append(read_reply(data[: verdict.consumed], ending=ending)[:4])
    read = read_with_program(pieces, ending, tls=tls)
    assert read[:4] in accepted, (ending, len(data), data[:500])


@pytest.mark.parametrize("ending", Ending)
def test_replies_that_arrive_at_once(tls: TlsContexts, ending: Ending) -> None:
    """The readers agree on each reply that was written by hand."""
    for message in REPLIES + OTHERS:
        assert_agreed([message], ending, tls=tls)


@pytest.mark.parametrize("ending", Ending)
def test_replies_that_arrive_in_pieces(tls: TlsContexts, ending: Ending) -> None:
    """The readers agree when such a reply arrives byte by byte, or in long pieces."""
    for message in REPLIES + OTHERS:
        step = 1 if len(message) < SHORT else 1 + len(message) // 5
        assert_agreed(cut(message, range(step, len(message), step)), ending, tls=tls)


@settings(
    max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(
    reply=st.sampled_from(REPLIES),
    damages=spoilings(MORE_PIECES),
    keeps=st.sampled_from([True, True, True, True, False]),
    places=st.none() | CUTS | CUTS | CUTS,
    ending=st.sampled_from(Ending),
)
def test_a_reply_that_is_damaged(
    tls: TlsContexts,
    *,
    reply: bytes,
    damages: list[Spoiling],
    keeps: bool,
    places: list[int] | None,
    ending: Ending,
) -> None:
    """The readers agree when a reply is damaged, and arrives in any pieces."""
    start = reply.index(b"\n") + 1 if keeps else 0
    message = reply[:start] + spoilt(reply[start:], damages)
    if places is None:
        places = [*range(len(message))] if len(message) < SHORT else []
    pieces = [piece for piece in cut(message, places) if piece]
    assert_agreed(pieces, ending, tls=tls)
