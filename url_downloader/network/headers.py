"""Header fields: a function that combines those of a request, and a class for a reply's."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar, overload

from url_downloader.shared.ports import Fields

T = TypeVar("T")


@functools.lru_cache(maxsize=256)
def combine_fields(*groups: Fields) -> Mapping[str, str | bytes]:
    """Return the header fields for a request; the caller must not change this cached mapping.

    A field replaces the fields of the same name in earlier groups. Within a group, fields of
    the same name are joined (RFC 9110 §5.3). Values that are not ASCII are sent as UTF-8.
    """
    fields: dict[str, tuple[str, str]] = {}
    for group in groups:
        fields |= _joined(group)
    return {name: v if v.isascii() else v.encode() for name, v in fields.values()}


def _joined(group: Fields) -> dict[str, tuple[str, str]]:
    fields: dict[str, tuple[str, str]] = {}
    for name, value in group:
        known_name, known = fields.get(name.lower(), (name, ""))
        separator = "; " if name.lower() == "cookie" else ", "
        fields[name.lower()] = (known_name, f"{known}{separator}{value}" if known else value)
    return fields


_REPEATABLE = frozenset({"content-encoding", "set-cookie"})
"""Names of fields whose repetitions have a meaning.

A coding that is named twice was applied twice (RFC 9110 §8.4). Of equal cookies the last one
counts.
"""


class ReplyFields(Mapping[str, str]):
    """Header fields of a reply, by name in any case; values of one name are joined.

    Args:
        lines: Name and value of each header line, in order.

    Attributes:
        lines: The same lines. Of equal lines only the first is kept, unless a repetition has a
            meaning.
    """

    __slots__ = ("_values", "lines")

    def __init__(self, lines: Sequence[tuple[str, str]] = ()) -> None:
        self.lines = lines
        self._values = {name.lower(): value for name, value in lines}
        if len(self._values) < len(lines):
            # An application and the server in front of it may both send the same field.
            self.lines = _without_repeats(lines)
            values: dict[str, list[str]] = {}
            for name, value in self.lines:
                values.setdefault(name.lower(), []).append(value)
            self._values = {name: ", ".join(each) for name, each in values.items()}

    def without(self, name: str) -> ReplyFields:
        """Return the fields without those of this name."""
        return ReplyFields([line for line in self.lines if line[0].lower() != name.lower()])

    @overload
    def get_all(self, name: str) -> list[str] | None: ...
    @overload
    def get_all(self, name: str, default: T) -> list[str] | T: ...
    def get_all(self, name: str, default: object = None) -> object:
        """Return the list of values of one name, not joined; `default` if there are none."""
        found = [value for each, value in self.lines if each.lower() == name.lower()]
        return found or default

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: object = None) -> object:
        """Return the joined value of this name, or `default`."""
        return self._values.get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _without_repeats(lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    kept = []
    for name, value in lines:
        line = name.lower(), value
        if line not in seen or line[0] in _REPEATABLE:
            kept.append((name, value))
        seen.add(line)
    return kept
