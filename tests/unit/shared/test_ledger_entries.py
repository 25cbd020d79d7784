"""Hashes of names and URLs, which the indices of the ledger contain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.ledger_entries import near_hash

GROUP = 40
"""Bits below those that neighbours share."""


@pytest.mark.parametrize(
    ("first", "second", "is_near"),
    [
        ("img0001.jpg", "img0099.jpg", True),
        ("img0099.jpg", "img0100.jpg", False),
        ("a/01.tar.gz", "a/02.tar.gz", True),
        ("a/01.tar.gz", "b/01.tar.gz", False),
        ("http://h.example/get?id=1001", "http://h.example/get?id=1002", True),
        ("http://h.example/get?id=1001", "http://i.example/get?id=1001", False),
        ("http://h.example/", "http://h.example/", True),
        ("", "x", True),
    ],
)
def test_neighbours_are_near(first: str, second: str, *, is_near: bool) -> None:
    """Names that differ in two last characters, before the extension, have close hashes."""
    assert (near_hash(first) >> GROUP == near_hash(second) >> GROUP) is is_near


def test_hashes_differ() -> None:
    """No two of many neighbours have the same hash."""
    names = [f"{number}.{end}" for number in range(20_000) for end in ("a", "b")]
    assert len({*map(near_hash, names)}) == len(names)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_hash_fits_a_column(text: str) -> None:
    """The hash of any text is a signed number of 64 bits."""
    assert -(1 << 63) <= near_hash(text) < 1 << 63
