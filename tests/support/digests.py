"""Digests of data, in the forms that users and servers write."""

from __future__ import annotations

import base64
import hashlib

from url_downloader.shared.job_options import Checksum


def checksum(name: str, data: bytes) -> Checksum:
    """Return the checksum of `data` by an algorithm, such as `sha-256`."""
    return Checksum(name, hashlib.new(name.replace("-", ""), data).hexdigest())


def sha256(data: bytes) -> Checksum:
    """Return the SHA-256 checksum of `data`."""
    return checksum("sha-256", data)


def repr_digest(data: bytes, name: str = "sha-256") -> str:
    """Return the value of Repr-Digest for `data` (RFC 9530)."""
    digest = base64.b64encode(hashlib.new(name.replace("-", ""), data).digest())
    return f"{name}=:{digest.decode()}:"
