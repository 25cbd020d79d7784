"""Values that connect URLs with the ledger of an output directory. Pure."""

from __future__ import annotations

from typing import NamedTuple


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
