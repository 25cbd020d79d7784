"""Values that connect URLs with the ledger of an output directory. Pure."""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

_GROUP_BITS = 24
"""Bits of a hash that are equal for neighbours; the other 40 tell these apart."""
_VARYING = 2
"""Characters at the end of a name that are likely to differ between neighbours."""


class UrlIdentity(NamedTuple):
    """Identity of a URL across runs; equal for all URLs that lead to the same resource.

    Args:
        key: Signed 64-bit hash of the URL's key, user name included.
        url: Text of the key: the URL without fragment, user name, password and signature.
    """

    key: int
    url: str


class LedgerEntry(NamedTuple):
    """File or failed URL that the ledger knows.

    Args:
        row: Number of the entry in the ledger.
        identity: Identity of its URL.
        name: Path of the file, relative to the output directory, with `/` between folders.
        run: Number of the run in which the URL ended last.
        is_success: Whether the URL succeeded then.
        mark: Mark of the list entry, which only repetitions in the same run share.
        size: Size of the file in bytes; None unless the file is known to be complete.
        mtime_ns: Time of the file's last change, in nanoseconds since the epoch, or None.
        modified: Last-Modified date of the reply, in seconds since the epoch, or None.
        etag: Entity tag of the reply, as received, or None.
        digest: Digest of the file as `algorithm=hexadecimal`; None if none was computed.
    """

    row: int
    identity: UrlIdentity
    name: str
    run: int
    is_success: bool
    mark: int
    size: int | None = None
    mtime_ns: int | None = None
    modified: int | None = None
    etag: str | None = None
    digest: str | None = None


class UrlHistory(NamedTuple):
    """Facts about the URL of a job that connect it with the ledger.

    Args:
        identity: Identity of the URL.
        mark: Hash of URL and options, keyed with a secret of this run.
        entry: Entry of the URL when the list was read; None for a new URL.
        is_taken_over: Whether the ledger has the name of the file for another URL. The user
            gave the name to this URL, so the existing file is not its own.
    """

    identity: UrlIdentity
    mark: int
    entry: LedgerEntry | None = None
    is_taken_over: bool = False


def near_hash(text: str) -> int:
    """Return a signed 64-bit hash of a path or URL, which is close to that of its neighbours.

    Neighbours differ only in the last characters of their names, before the extension. Lists
    mostly have them one after the other. So a batch changes few pages of an index of hashes,
    and not one page for each row.
    """
    end = text.find(".", text.rfind("/") + 1)
    group = text[: (len(text) if end < 0 else end) - _VARYING]
    digest = hashlib.blake2b(text.encode(), digest_size=5).digest()
    near = zlib.crc32(group.encode()) >> (32 - _GROUP_BITS)
    return int.from_bytes(near.to_bytes(3) + digest, signed=True)
