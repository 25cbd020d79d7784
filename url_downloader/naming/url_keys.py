"""Keys of URLs: the part of a URL that says which resource it leads to. Pure functions.

A signed link differs each time it is made, but leads to the same resource. So the fields of its
signature do not belong to the key. Field names are compared as the providers spell them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from url_downloader.shared.ledger_entries import UrlIdentity, near_hash
from url_downloader.shared.url_parts import without_credentials

_PASSWORD = r"^(https?://[^/?#@:]*):[^/?#@]*@"  # noqa: S105 - a pattern
_SIGNED = re.compile(r"(?:\A|&)(?:X-Amz-Signature|X-Goog-Signature|Signature|sig)=")
"""Pattern of a query that may have a signature; most have none."""


class _Signature(NamedTuple):
    """Fields of a signature.

    Args:
        needed: Fields that all must be there.
        fields: Names of the fields that belong to the signature.
        prefix: Start of the names of further fields that belong to it; empty if there are none.
    """

    needed: frozenset[str]
    fields: frozenset[str] = frozenset()
    prefix: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SIGNATURES = (
    _Signature(_words("X-Amz-Signature"), prefix="X-Amz-"),
    _Signature(_words("X-Goog-Signature"), prefix="X-Goog-"),
    # Amazon S3, signature version 2.
    _Signature(
        _words("AWSAccessKeyId Expires Signature"), _words("AWSAccessKeyId Expires Signature")
    ),
    # Azure Storage, shared access signatures.
    _Signature(
        _words("sig sv se"),
        _words("se sp sv sr st spr sip sdd skoid sktid skt ske sks skv sig"),
    ),
    # Amazon CloudFront.
    _Signature(_words("Signature Key-Pair-Id"), _words("Expires Signature Key-Pair-Id Policy")),
)


class UrlKeys:
    """Keys of URLs in a run.

    Args:
        ignored: Names of further query fields that do not belong to the key.

    Threads: any.
    """

    def __init__(self, ignored: Iterable[str] = ()) -> None:
        self._ignored = frozenset(ignored)

    def key_text(self, url: str) -> str:
        """Return the key of a URL in normal form: the URL with its user name.

        Fragment, password, the fields of signatures and ignored fields are left out. The other
        fields keep their order and spelling.
        """
        text = url.partition("#")[0]
        if "@" in text:
            text = re.sub(_PASSWORD, r"\1@", text)
        start, mark, query = text.partition("?")
        if not mark or not (self._ignored or _SIGNED.search(query)):
            return text
        fields = query.split("&")
        removed = self._removed({field.partition("=")[0] for field in fields if "=" in field})
        removed |= {field for field in fields if field in self._ignored}
        if not removed:
            return text
        kept = [field for field in fields if field.partition("=")[0] not in removed]
        return f"{start}?{'&'.join(kept)}" if kept else start

    def identity(self, url: str) -> UrlIdentity:
        """Return the identity of a URL in normal form."""
        is_plain = "?" not in url and "@" not in url and "#" not in url
        text = url if is_plain else self.key_text(url)
        shown = without_credentials(text) if "@" in text else text
        return UrlIdentity(near_hash(text), shown)

    def _removed(self, found: set[str]) -> set[str]:
        """Return those names of fields with a value that do not belong to the key."""
        removed = found & self._ignored
        for signature in _SIGNATURES:
            if signature.needed <= found:
                prefix = signature.prefix
                removed |= found & signature.fields
                removed |= {name for name in found if prefix and name.startswith(prefix)}
        return removed
