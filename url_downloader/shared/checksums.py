"""Checksums of files: parsers of their notations, and a class that verifies them. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator

from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ports import Chunk

ALGORITHMS = {"md5": "md5", "sha-1": "sha1", "sha-256": "sha256", "sha-512": "sha512"}
"""Names of algorithms in lists, with their names in hashlib."""

_SUM_LINE = re.compile(r"(\\?)([0-9A-Fa-f]{64}) [ *](.+)")
_REPR_DIGEST = re.compile(r"\s*(sha-256|sha-512)=:([A-Za-z0-9+/]+=*):\s*(;.*)?")


def parse_checksum(text: str) -> Checksum:
    """Return the checksum that a text such as `sha-256=HEX` names.

    Raises:
        ValueError: The algorithm is unknown, or the digest has the wrong number of digits.
    """
    name, _, digest = (part.strip().lower() for part in text.partition("="))
    if name not in ALGORITHMS:
        raise ValueError(f"must be of one of {', '.join(ALGORITHMS)}, not {name!r}")
    digits = hashlib.new(ALGORITHMS[name], usedforsecurity=False).digest_size * 2
    if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", digest):
        raise ValueError(f"{name} has {digits} hexadecimal digits")
    return Checksum(name, digest)


def parse_sums(lines: Iterable[str]) -> Iterator[tuple[str, Checksum]]:
    """Yield the name and checksum in each line of a file that `sha256sum` wrote.

    Empty lines and comments are skipped.

    Raises:
        ValueError: A line has another form; the message contains its number.
    """
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text or text.startswith("#"):
            continue
        match = _SUM_LINE.fullmatch(text)
        if match is None:
            raise ValueError(f"line {number} is not of the form that sha256sum writes")
        name = match[3]
        if match[1]:
            name = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), name)
        yield name.removeprefix("./"), Checksum("sha-256", match[2].lower())


def digests_of(repr_digest: str) -> Iterator[Checksum]:
    """Yield the valid SHA-256 and SHA-512 digests in a Repr-Digest field (RFC 9530 §3)."""
    for member in repr_digest.split(","):
        match = _REPR_DIGEST.fullmatch(member)
        if match is None:
            continue
        try:
            yield parse_checksum(f"{match[1]}={base64.b64decode(match[2]).hex()}")
        except (binascii.Error, ValueError):
            continue


class Digester:
    """Computation of the digests of one file, as its bytes pass. It is false without checksums.

    Args:
        wanted: Checksums that the file must have; without any, `update` does nothing.

    Attributes:
        wanted: The same checksums. If `mismatch` returns None, the file has these digests.
    """

    def __init__(self, wanted: Iterable[Checksum]) -> None:
        self.wanted = tuple(wanted)
        names = {checksum.algorithm for checksum in self.wanted}
        self._hashes = {
            name: hashlib.new(ALGORITHMS[name], usedforsecurity=False) for name in names
        }

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def update(self, data: Chunk) -> None:
        """Add the next bytes of the file."""
        for each in self._hashes.values():
            each.update(bytes(data))

    def mismatch(self) -> str | None:
        """Return a message about the first digest that is wrong; None if all are right."""
        for checksum in self.wanted:
            actual = self._hashes[checksum.algorithm].hexdigest()
            if actual != checksum.digest:
                return f"{checksum.algorithm} is {actual}, not {checksum.digest}"
        return None
