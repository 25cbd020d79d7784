"""Header fields that users ask for: what one looks like, and which beats which."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from url_downloader.seams import Fields

_VALUE = r"[^\0-\x08\n-\x1f\x7f]*"
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
