"""Header fields of replies, for functions that take them as a mapping."""

from __future__ import annotations

from requests.structures import CaseInsensitiveDict


def fields(**values: str) -> CaseInsensitiveDict[str]:
    """Return the fields of a reply: `content_range="..."` is Content-Range, in any case."""
    return CaseInsensitiveDict({name.replace("_", "-"): text for name, text in values.items()})
