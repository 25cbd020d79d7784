"""Names of files from URLs, and paths from users: safe on every common file system.

Pure functions, independent of which names are taken.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import unquote

MAX_BYTES = 255
"""Bytes of UTF-8; longest component of a path that common file systems allow."""

_KEPT_AT_ENDS = 512
"""Characters that are kept at each end of a longer name: the time for which NFC holds the GIL
grows with the square of the length."""

DEFAULT_NAME = "index.html"
"""Name of the file if the URL has none."""

_NOT_TEXT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, format (bidi) controls, surrogates and line separators."""

_PLAIN = re.compile(
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z))[\w.-]{,200}[\w-]", re.ASCII
)
"""Pattern of most names, which are safe without further checks."""
_PARTS = re.compile(r"(.+?)((?:\.tar)?\.[^.\s]{1,16})?", re.IGNORECASE | re.DOTALL)
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE
)


def name_from_url(url: str) -> str:
    """Return the safe form of the last segment of the URL's path, or `index.html`."""
    # Scheme, nothing, host and path.
    parts = url.partition("#")[0].partition("?")[0].split("/", 3)
    name = parts[3].rpartition("/")[2] if len(parts) > 3 else ""
    return safe_component(unquote(name) if "%" in name else name) or DEFAULT_NAME


def safe_component(raw: str) -> str:
    """Return the text as one safe component of a path; '' if nothing remains.

    A safe component is valid on Unix and Windows, and has no character that misleads a terminal
    or a file manager. A component that is safe already is returned unchanged.
    """
    if _PLAIN.fullmatch(raw):
        return raw
    if len(raw) > 2 * _KEPT_AT_ENDS:
        raw = raw[:_KEPT_AT_ENDS] + raw[-_KEPT_AT_ENDS:]
    name = _made_safe(raw)
    return _shortened(f"_{name}") if _DEVICE.fullmatch(name) else name


def with_suffix(name: str, url: str, *, n: int = 0) -> str:
    """Return the name with a hash of its URL: `x.tar.gz` becomes `x.<8 hex of SHA-256>.tar.gz`.

    Args:
        name: One component of a path.
        url: URL to hash.
        n: 0 to hash the URL itself; 1, 2 ... for other hashes, if that name is taken, too.
    """
    # The URL of a job has no fragment, so no variation is the URL of another job.
    varied = f"{url}#{n}" if n else url
    digest = hashlib.sha256(varied.encode()).hexdigest()[:8]
    stem, extension = _split(name)
    return _joined(stem, f".{digest}{extension}")


def safe_relative_path(text: str) -> str:
    """Return the path that a user chose for a file, without needless `.` and `/`.

    Raises:
        ValueError: The path leads out of the output directory, or can't be that of a file.
    """
    parts = text.split("/")
    if not text:
        raise ValueError("the path is empty")
    if not parts[0]:
        raise ValueError("the path must be relative to the output directory")
    if ".." in parts:
        raise ValueError("the path must not contain '..'")
    if parts[-1] in ("", "."):
        raise ValueError("the path names a folder, not a file")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("the path contains control characters")
    if any(len(part.encode()) > MAX_BYTES for part in parts):
        raise ValueError(f"a name in the path is longer than {MAX_BYTES} bytes")
    return "/".join(part for part in parts if part not in ("", "."))


def fold(name: str) -> str:
    """Return a form that is equal for names that some file system takes for the same name."""
    folded = name.lower() if name.isascii() else _nfc(_nfc(name).casefold())
    # Not an equal copy: callers keep the string for the whole run, and a copy takes memory.
    return name if folded == name else folded


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _made_safe(raw: str) -> str:
    text = "".join(map(_safe_character, _nfc(raw)))
    return _shortened(text.strip(" "))


def _safe_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in _NOT_TEXT or character in '/\\<>:"|?*':
        return "_"
    return " " if category == "Zs" else character


def _shortened(name: str) -> str:
    return _joined(*_split(name)).rstrip(". ")


def _split(name: str) -> tuple[str, str]:
    """Return stem and extension; the stem is never empty, the extension has its dot."""
    match = _PARTS.fullmatch(name)
    return (match[1], match[2] or "") if match else (name, "")


def _joined(stem: str, ending: str) -> str:
    """Return stem and ending as one name; the stem is cut to fit, between code points."""
    room = MAX_BYTES - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending
