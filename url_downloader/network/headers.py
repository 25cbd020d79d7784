"""Header fields: those that users ask for, and which beats which; those of a reply."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar, overload

from url_downloader.shared.ports import Fields

T = TypeVar("T")


@functools.lru_cache(maxsize=256)
def combined(*groups: Fields) -> Mapping[str, str | bytes]:
    """The fields to send: those of a later group take the place of an earlier group's.

    Within a group, those of one name are joined as RFC 9110 §5.3 allows. What is beyond ASCII
    goes as UTF-8.
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


_EACH_LINE_COUNTS = frozenset({"content-encoding", "set-cookie"})
"""Fields that may say the same again and mean it: a coding that comes twice was applied twice
(RFC 9110 §8.4), and of cookies the last one holds."""


class ReplyFields(Mapping[str, str]):
    """The header fields of a reply. Names have no case; values of one name are joined.

    Args:
        lines: name and value of each, in their order.

    Attributes:
        lines: as given; of those that say the same again, only the first, but for fields of
            which each line counts.
    """

    __slots__ = ("_values", "lines")

    def __init__(self, lines: Sequence[tuple[str, str]] = ()) -> None:
        self.lines = lines
        self._values = {name.lower(): value for name, value in lines}
        if len(self._values) < len(lines):
            # An application and the server in front of it may both say the same.
            self.lines = _without_repeats(lines)
            values: dict[str, list[str]] = {}
            for name, value in self.lines:
                values.setdefault(name.lower(), []).append(value)
            self._values = {name: ", ".join(each) for name, each in values.items()}

    def without(self, name: str) -> ReplyFields:
        """All but those of this name."""
        return ReplyFields([line for line in self.lines if line[0].lower() != name.lower()])

    @overload
    def get_all(self, name: str) -> list[str] | None: ...
    @overload
    def get_all(self, name: str, default: T) -> list[str] | T: ...
    def get_all(self, name: str, default: object = None) -> object:
        """The values of one name, each for itself; `http.cookiejar` asks for them so."""
        found = [value for each, value in self.lines if each.lower() == name.lower()]
        return found or default

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: object = None) -> object:
        """The value of this name, or `default`."""
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
        if line not in seen or line[0] in _EACH_LINE_COUNTS:
            kept.append((name, value))
        seen.add(line)
    return kept
