"""Files that change on the server: a published file is exactly one version."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.attempts import Attempts
from tests.support.fake_network import CUT, V1, V2, FakeReply, chunked, cut, full, piece


def answers(version: bytes, at: int, *, count: int) -> dict[str, FakeReply]:
    """Return replies to a request for the bytes from `at` on; some of them are wrong.

    Args:
        version: Version of the file on the server.
        at: Offset of the first byte that is requested.
        count: Number of bytes that a reply has too many, too few, or before an error.
    """
    at = min(at, len(version) - 1)
    long = chunked(piece(version, at), version[at:], bytes(count))
    short = piece(version, at, min(at + count, len(version)))
    truncated = chunked(piece(version, at), version[at:][:count])
    truncated.body += (CUT,)
    return {
        "right": piece(version, at) if at else full(version),
        "truncated": truncated if at else cut(version, 12),
        "short": short if at else full(version),
        "long": long if at else cut(version, 20),
        "wrong offset": piece(version, max(at - count, 0)),
        "ignored range": full(version),
        "unsatisfied range": FakeReply(416, content_range=f"bytes */{at}"),
        "unavailable": FakeReply(503),
    }


CASES = st.sampled_from(sorted(answers(V1, 1, count=1)))


@given(
    st.lists(st.tuples(CASES, st.integers(1, 20), st.sampled_from([V1, V1, V2])), max_size=12)
)
def test_any_replies_of_a_changing_file(steps: list[tuple[str, int, bytes]]) -> None:
    """Each published file is exactly one version, in any order of replies and changes."""
    attempts = Attempts()
    for case, count, version in steps:
        at = attempts.part.size if attempts.part else 0
        later = answers(version, 0, count=count)["truncated"]
        attempts.network.replies = [answers(version, at, count=count)[case], later, later]
        attempts.attempt()
    assert set(attempts.published.values()) <= {V1, V2}
