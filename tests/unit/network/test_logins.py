"""Logins: the entry of a .netrc that a host and a user name get."""

from __future__ import annotations

import pytest

from url_downloader.config.netrc import NetrcEntry
from url_downloader.network.logins import Logins

LOGINS = Logins(
    [
        NetrcEntry(b"h", b"ann", b"1"),
        NetrcEntry(b"h", b"bob", b"2"),
        NetrcEntry(None, b"eve", b"4"),
        NetrcEntry(b"late", b"ann", b"5"),
    ]
)


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("h", None, (b"ann", b"1")),
        ("H", b"ann", (b"ann", b"1")),
        ("h", b"bob", (b"bob", b"2")),
        ("h", b"eve", (b"eve", b"4")),
        ("other", None, (b"eve", b"4")),
        ("other", b"ann", None),
        ("late", None, (b"eve", b"4")),
    ],
)
def test_which_login(host: str, name: bytes | None, expected: object) -> None:
    """The first entry that fits host and user is taken; entries after `default` never are."""
    assert LOGINS.of_host(host, name) == expected


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("h", None, (b"ann", b"1")),
        ("h", b"bob", (b"bob", b"2")),
        ("h", b"eve", None),
        ("other", None, None),
        ("other", b"eve", None),
        ("late", None, None),
    ],
)
def test_without_the_default(host: str, name: bytes | None, expected: object) -> None:
    """The entry for all hosts can be left out; hosts with an entry of their own keep it."""
    assert LOGINS.of_host(host, name, uses_default=False) == expected
    assert LOGINS.of_host(host, name) == (expected or (b"eve", b"4"))
