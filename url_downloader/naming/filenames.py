"""What files are called: names from URLs, safe on every common file system.

Pure functions. Knows nothing of directories, nor of which names are taken.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import unquote

MAX_BYTES = 255
"""The longest component that common file systems take, in bytes of UTF-8."""

_LOOKED_AT = 512
"""Characters at each end of a longer name that are used: NFC holds the GIL for a time that
grows with the square of the length."""

DEFAULT_NAME = "index.html"
"""The name where a URL has none."""

_NOT_TEXT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, format (bidi) controls, surrogates and line separators."""

_PLAIN = re.compile(
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z))[\w.-]{,200}[\w-]", re.ASCII
)
"""What most names are, and what needs no closer look."""
_PARTS = re.compile(r"(.+?)((?:\.tar)?\.[^.\s]{1,16})?", re.IGNORECASE | re.DOTALL)
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE
)


def name_from_url(url: str) -> str:
    """The safe form of the last segment of the URL's path, or `index.html`."""
    # Scheme, nothing, host and path.
    parts = url.partition("#")[0].partition("?")[0].split("/", 3)
    name = parts[3].rpartition("/")[2] if len(parts) > 3 else ""
    return safe_component(unquote(name) if "%" in name else name) or DEFAULT_NAME


def safe_component(raw: str) -> str:
    """`raw` as one component of a path that is safe everywhere; '' if nothing remains.

    Safe is what Unix and Windows both take and what no terminal or file manager is fooled
    by. A safe component comes back as it is.
    """
    if _PLAIN.fullmatch(raw):
        return raw
    if len(raw) > 2 * _LOOKED_AT:
        raw = raw[:_LOOKED_AT] + raw[-_LOOKED_AT:]
    name = _made_safe(raw)
    return _shortened(f"_{name}") if _DEVICE.fullmatch(name) else name


def with_suffix(name: str, url: str, *, n: int = 0) -> str:
    """`name` made distinct by its URL: `x.tar.gz` becomes `x.<8 hex of SHA-256>.tar.gz`.

    Args:
        name: one component of a path.
        url: what is hashed.
        n: which variation of the URL is hashed instead, for when that name is taken too.
    """
    # A URL of a job has no fragment, so that no variation is the URL of another job.
    varied = f"{url}#{n}" if n else url
    digest = hashlib.sha256(varied.encode()).hexdigest()[:8]
    stem, extension = _split(name)
    return _joined(stem, f".{digest}{extension}")


def safe_relative_path(text: str) -> str:
    """The path that a user chose below the output directory, without idle `.` and `/`.

    Raises:
        ValueError: it leads elsewhere or can't be a file's path; with the reason.
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
    """What names are compared by: equal for two that some file system takes for one."""
    folded = name.lower() if name.isascii() else _nfc(_nfc(name).casefold())
    # The same string, not an equal one: it is kept for as long as the run goes on.
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
    """Stem, never empty, and extension with its dot, perhaps empty."""
    match = _PARTS.fullmatch(name)
    return (match[1], match[2] or "") if match else (name, "")


def _joined(stem: str, ending: str) -> str:
    """Both, the stem cut at a code point so that they fit."""
    room = MAX_BYTES - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending
