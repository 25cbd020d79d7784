"""The head of a request: the combination of its header fields, and its bytes (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from url_downloader.shared.ports import Fields

_LINE_END = re.compile(rb"[\r\n\0]")


def combine_fields(*groups: Fields) -> dict[str, str | bytes]:
    """Return the header fields for a request.

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


def request_line(method: str, target: str) -> bytes:
    """Return the first line of a request (RFC 9112 §3).

    Raises:
        ValueError: Method or target contains a line end.
    """
    return _line(f"{method} {target} HTTP/1.1".encode("ascii"))


def header_block(fields: Mapping[str, str | bytes]) -> bytes:
    """Return the header lines of a request, without the empty line after them.

    Raises:
        ValueError: A name or value contains a line end.
    """
    lines = []
    for name, value in fields.items():
        octets = value.encode("latin-1") if isinstance(value, str) else value
        lines.append(_line(b"%b: %b" % (name.encode("ascii"), octets)))
    return b"".join(lines)


def _line(octets: bytes) -> bytes:
    if _LINE_END.search(octets):
        raise ValueError("a line end in the header of a request")
    return octets + b"\r\n"
