"""The file name that a server suggests (RFC 6266, RFC 8187). Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from urllib.parse import unquote_to_bytes

from url_downloader.naming.filenames import safe_component

_MAX_ENCODED = 8192
"""Characters of the longest name in which encoded words are decoded."""
# Without ASCII, the last byte of an `à` in UTF-8, as a character, would be a blank.
_PARAMETER = re.compile(
    r';\s*(?P<name>[^\s=;"]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;"]*))',
    re.ASCII,
)
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE)
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?]*\?=", re.IGNORECASE)


def suggested_name(content_disposition: str) -> str | None:
    """Return one safe path component from a Content-Disposition field, or None.

    A name that would hide the file gets another first character: a server is not to write a
    program's settings.

    Args:
        content_disposition: the value as received, each byte a character (ISO 8859-1).
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
    """Whether the disposition type is missing: `filename=x` alone is often seen."""
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
    """Raw UTF-8 and RFC 2047 words are not allowed here, but sent, and meant so."""
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
