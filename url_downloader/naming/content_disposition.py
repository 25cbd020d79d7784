"""The file name that a server suggests in Content-Disposition (RFC 6266, RFC 8187). Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from urllib.parse import unquote_to_bytes

from url_downloader.naming.filenames import safe_component

_MAX_ENCODED = 8192
"""Characters of the longest name in which encoded words are decoded, to bound the time."""
# re.ASCII: otherwise \s would match U+00A0, which is the last byte of an `à` in UTF-8.
_PARAMETER = re.compile(
    r';\s*(?P<name>[^\s=;"]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;"]*))',
    re.ASCII,
)
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE)
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?]*\?=", re.IGNORECASE)


def suggested_name(content_disposition: str) -> str | None:
    """Return the name in a Content-Disposition field as a safe path component, or None.

    The first character of a hidden name is replaced, so that no server can write the settings
    of a program.

    Args:
        content_disposition: Value as received, one character for each byte (ISO 8859-1).
    """
    parameters: dict[str, str] = {}
    lead = ";" if _starts_bare(content_disposition) else ""
    for match in _PARAMETER.finditer(lead + content_disposition):
        quoted = match["quoted"]
        value = match["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        parameters.setdefault(match["name"].lower(), value)
    for text in (_extended(parameters.get("filename*")), _plain(parameters.get("filename"))):
        name = safe_component(re.split(r"[/\\]", text)[-1]) if text else ""
        if name:
            return f"_{name[1:]}" if name.startswith(".") else name
    return None


def _starts_bare(value: str) -> bool:
    """Tell whether the disposition type is missing; some servers send `filename=x` alone."""
    return "=" in value.partition(";")[0]


def _extended(value: str | None) -> str | None:
    match = _EXTENDED.fullmatch(value or "")
    if match is None:
        return None
    try:
        return unquote_to_bytes(match[2]).decode(match[1])
    except UnicodeDecodeError:
        return None


def _plain(value: str | None) -> str | None:
    """Return the plain parameter, decoded: some servers send UTF-8 or RFC 2047 words in it."""
    if value is None:
        return None
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    if len(value) > _MAX_ENCODED or not _ENCODED_WORD.search(value):
        return value
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError, MessageError):
        return value
