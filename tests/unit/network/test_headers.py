"""Header fields of a reply: names in any case, and no value lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from url_downloader.network.headers import ReplyFields

LINES = st.lists(
    st.tuples(st.sampled_from(["A", "a", "B", "Set-Cookie"]), st.text(max_size=3)),
    unique_by=lambda line: (line[0].lower(), line[1]),
)


@pytest.mark.parametrize(
    ("lines", "value", "kept"),
    [
        ([("A", "1"), ("a", "1")], "1", [("A", "1")]),
        ([("A", "1"), ("B", "1"), ("a", "1"), ("A", "1")], "1", [("A", "1"), ("B", "1")]),
        ([("A", "1"), ("a", "2")], "1, 2", [("A", "1"), ("a", "2")]),
        ([("A", "1"), ("a", "2"), ("A", "2")], "1, 2", [("A", "1"), ("a", "2")]),
        ([("A", ""), ("a", "")], "", [("A", "")]),
        ([("A", "1"), ("A", "2"), ("a", "2"), ("a", "1")], "1, 2", [("A", "1"), ("A", "2")]),
    ],
)
def test_the_same_twice_is_once(
    lines: list[tuple[str, str]], value: str, kept: list[tuple[str, str]]
) -> None:
    """A field that an application and the server in front of it both set has one value."""
    fields = ReplyFields(lines)
    assert (fields["A"], list(fields.lines)) == (value, kept)


@pytest.mark.parametrize(
    ("name", "values"),
    [("Content-Encoding", ["gzip", "gzip"]), ("Set-Cookie", ["a=1", "a=2", "a=1"])],
)
def test_some_mean_it_when_they_say_the_same_again(name: str, values: list[str]) -> None:
    """A repeated coding was applied twice; the last cookie of a name is valid."""
    lines = [(name, values[0]), *((name.lower(), value) for value in values[1:])]
    fields = ReplyFields(lines)
    assert (fields[name], list(fields.lines)) == (", ".join(values), lines)


@given(LINES)
def test_they_are_what_urllib3_makes_of_the_same_lines(lines: list[tuple[str, str]]) -> None:
    """Each name, in any case, has the value that urllib3 would give it."""
    fields, known = ReplyFields(lines), HTTPHeaderDict(lines)
    assert len(fields) == len(known)
    for name in ("A", "a", "b", "SET-COOKIE", "c"):
        assert fields.get(name) == known.get(name)
        assert (name in fields) == (name in known)
        assert fields.get_all(name, []) == known.getlist(name)
        rest = fields.without(name)
        assert [line for line in lines if line[0].lower() != name.lower()] == rest.lines


def test_what_is_not_there() -> None:
    """A missing field has no value, or the caller's default."""
    fields = ReplyFields([("A", "1")])
    assert fields.get_all("B") is None
    assert fields.get("B", "2") == "2"
