"""Versions of a file that changes on the server: what is published is never a mixture."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.attempts import Attempts
from tests.support.fake_network import CUT, V1, V2, FakeReply, chunked, cut, full, piece


def answers(version: bytes, at: int, *, count: int) -> dict[str, FakeReply]:
    """Return the replies that servers may send to a request for all from `at` on; some lie."""
    at = min(at, len(version) - 1)
    lying = chunked(piece(version, at), version[at:], bytes(count))
    short = piece(version, at, min(at + count, len(version)))
    torn = chunked(piece(version, at), version[at:][:count])
    torn.body += (CUT,)
    return {
        "right": piece(version, at) if at else full(version),
        "cut": torn if at else cut(version, 12),
        "short": short if at else full(version),
        "long": lying if at else cut(version, 20),
        "offset": piece(version, max(at - count, 0)),
        "ignored": full(version),
        "complete": FakeReply(416, content_range=f"bytes */{at}"),
        "refused": FakeReply(503),
    }


ACTS = st.sampled_from(sorted(answers(V1, 1, count=1)))


@given(
    st.lists(st.tuples(ACTS, st.integers(1, 20), st.sampled_from([V1, V1, V2])), max_size=12)
)
def test_never_a_splice(acts: list[tuple[str, int, bytes]]) -> None:
    """Whatever the server does in replies and between them, the file is exactly one version."""
    attempts = Attempts()
    for act, count, version in acts:
        at = attempts.part.size if attempts.part else 0
        lasting = answers(version, 0, count=count)["cut"]
        attempts.network.replies = [answers(version, at, count=count)[act], lasting, lasting]
        attempts.attempt()
    assert set(attempts.published.values()) <= {V1, V2}
