"""Header fields: those that users ask for, and which beats which; those of a reply."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar, overload

from url_downloader.seams import Fields

T = TypeVar("T")

# Surrogates stand for bytes of the command line that are no text.
_VALUE = r"[^\0-\x08\n-\x1f\x7f\ud800-\udfff]*"
UNSENT = "what has control characters or is not UTF-8 can't be sent"
# RFC 9110 §5.1 and §5.5: a token; of the controls only the tab.
_FIELD = re.compile(rf"([\w!#$%&'*+.^`|~-]+):({_VALUE})", re.ASCII)
_OWN = frozenset({"range", "if-range", "content-length", "transfer-encoding"})
"""What would make a part of a file pass for the whole, or announce a body that never comes."""


def parse_field(text: str) -> tuple[str, str]:
    """Name and value of `Name: value`.

    Raises:
        ValueError: it is nothing of the kind, or a field that is not the user's to set.
    """
    match = _FIELD.fullmatch(text)
    if match is None:
        # The text is not shown: it may hold a password.
        raise ValueError("not a header: it should read Name: value")
    if match[1].lower() in _OWN:
        raise ValueError(f"{match[1]} is set by this program, to know when a file is whole")
    return match[1], match[2].strip()


def is_field_value(text: str) -> bool:
    """Whether it can be sent as a field's value."""
    return re.fullmatch(_VALUE, text) is not None


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


class ReplyFields(Mapping[str, str]):
    """The header fields of a reply. Names have no case; values of one name are joined.

    Args:
        lines: name and value of each, in their order.

    Attributes:
        lines: as given; of one that comes twice with the same value, the first.
    """

    __slots__ = ("_values", "lines")

    def __init__(self, lines: Sequence[tuple[str, str]] = ()) -> None:
        self._values = {name.lower(): value for name, value in lines}
        self.lines = lines
        if len(self._values) < len(lines):
            # The same twice is once: an application and the server before it may both say it.
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


def _without_repeats(lines: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    first = {(name.lower(), value): (name, value) for name, value in reversed(lines)}
    return [first.pop(key) for name, value in lines if (key := (name.lower(), value)) in first]
