"""Content codings (RFC 9110 §8.4.1): which to undo, and how, piece by piece. Pure.

Knows no connection and no file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from url_downloader.content_codings import content_codings
from url_downloader.inflating import STEPS, PerhapsGzip, Step
from url_downloader.seams import Chunk, Decoder
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

MAX_CODINGS = 5
"""Codings of one body that are undone one after the other; as many as curl undoes."""

# Compiled when they are needed: few replies are encoded.
_COMPRESSED_NAME = r"(?i)\.(gz|tgz|bz2|tbz2?|xz|txz|lzma|zst|tzst|br|lz4?|Z|svgz)$"
_COMPRESSED_TYPE = (
    r"(?i)application/"
    r"(x-)?(gzip|gunzip|tgz|gtar|bzip2?|xz|zstd|brotli|compress|compressed-tar)"
)


class Identity:
    """No coding: what came is what is stored."""

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """Yield what `chunk` stands for."""
        yield chunk

    def finish(self) -> None:
        """Take note of the end of the body."""


class Chain:
    """Several codings, undone one after the other.

    Args:
        steps: the coding that was applied last comes first.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def feed(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the decoded bytes that `chunk` completes.

        Raises:
            AttemptError: the data is not of these codings.
        """
        return self._decoded(bytes(chunk), self._steps)

    def finish(self) -> None:
        """Take note of the end of the body.

        Raises:
            AttemptError: the data is not at its end.
        """
        for step in self._steps:
            step.finish()

    def _decoded(self, data: bytes, steps: Sequence[Step]) -> Iterator[bytes]:
        if not steps:
            yield data
            return
        for piece in steps[0].feed(data):
            yield from self._decoded(piece, steps[1:])


def decoder_for(value: str, *, paths: Iterable[str], media_type: str) -> Decoder:
    """Return what undoes the codings of a body, though identity was asked for.

    Args:
        value: of Content-Encoding, maybe empty.
        paths: of the URLs and names of the file; where one of them, or the media type, is that
            of a compressed file, what came is stored.
        media_type: value of Content-Type.

    Raises:
        AttemptError: a coding that can't be undone here.
    """
    codings = content_codings(value)
    if not codings or _is_compressed(paths, media_type):
        return Identity()
    if len(codings) > MAX_CODINGS or not all(coding in STEPS for coding in codings):
        raise AttemptError(
            ErrorKind.CODING, f"the server sent Content-Encoding {value[:60]}, not asked for"
        )
    steps: list[Step] = []
    for after, coding in itertools.pairwise(("", *reversed(codings))):
        is_again = coding == after == "gzip"
        steps.append(PerhapsGzip() if is_again else STEPS[coding]())
    return steps[0] if len(steps) == 1 else Chain(steps)


def _is_compressed(paths: Iterable[str], media_type: str) -> bool:
    is_named_so = any(re.search(_COMPRESSED_NAME, path) for path in paths)
    plain_type = media_type.partition(";")[0].strip()
    return is_named_so or re.fullmatch(_COMPRESSED_TYPE, plain_type) is not None
