"""Heads of requests: which fields they have, and their bytes."""

from __future__ import annotations

import pytest

from url_downloader.network.request_head import combine_fields, header_block, request_line
from url_downloader.shared.ports import Fields


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([[("A", "1")], [("B", "2")]], {"A": "1", "B": "2"}),
        ([[("A", "1"), ("B", "2")], [("a", "3")]], {"a": "3", "B": "2"}),
        ([[("A", "1")], [("A", "")]], {"A": ""}),
        ([[("A", "1"), ("a", "2")]], {"A": "1, 2"}),
        ([[("A", ""), ("a", "2")]], {"A": "2"}),
        ([[("Cookie", "a=1"), ("cookie", "b=2")]], {"Cookie": "a=1; b=2"}),
        ([[("A", "1"), ("A", "2")], [("A", "3"), ("A", "4")]], {"A": "3, 4"}),
        ([[("A", "é")]], {"A": b"\xc3\xa9"}),
        ([], {}),
    ],
)
def test_the_fields_of_a_request(
    groups: list[Fields], expected: dict[str, str | bytes]
) -> None:
    """A later group replaces fields of an earlier one; within a group, values are joined."""
    assert combine_fields(*groups) == expected


def test_the_head_of_a_request() -> None:
    """The head of a request has its fields in their order, and bytes as they are."""
    fields: dict[str, str | bytes] = {"Host": "a.test", "X-Name": "caf\xe9", "Y": b"\xc3\xa9"}
    assert request_line("GET", "/a?b") + header_block(fields) == (
        b"GET /a?b HTTP/1.1\r\nHost: a.test\r\nX-Name: caf\xe9\r\nY: \xc3\xa9\r\n"
    )


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/a\r\nX: y", {}),
        ("/a\n", {}),
        ("/\0", {}),
        ("/\xe9", {}),
        ("/", {"A\n": "b"}),
        ("/", {"A": "b\r"}),
        ("/", {"A": b"b\0"}),
        ("/", {"\xe9": "b"}),
    ],
)
def test_nothing_ends_a_line_of_a_request(target: str, fields: dict[str, str | bytes]) -> None:
    """Line ends in a target or a field are refused, as they would add a field."""
    with pytest.raises(ValueError, match=r"line end|ordinal not in range"):
        request_line("GET", target) + header_block(fields)


def test_the_method_of_a_request() -> None:
    """A line end in a method is refused, too."""
    with pytest.raises(ValueError, match="line end"):
        request_line("GET / HTTP/1.1\r\nX:", "/")
