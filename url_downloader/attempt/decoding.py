"""Content codings (RFC 9110 §8.4.1): which to undo, and how, piece by piece. Pure.

Knows no connection and no file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from url_downloader.attempt.content_codings import content_codings
from url_downloader.attempt.content_decoders import DECODERS, CodingDecoder, OptionalGzip
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Chunk, Decoder

MAX_CODINGS = 5
"""Codings of one body that are undone one after the other; as many as curl undoes."""

# Compiled when it is needed: few replies are encoded.
_COMPRESSED = (
    r"(?i)\.(b?gz|gzip|t[ag]z|bz2|tbz2?|xz|txz|lzma|zstd?|tzst|br|lz4?|Z|svgz)$"
    r"|^application/(x-)?(gzip|gzip-compressed|gunzip|tar-gz|tgz|gtar(-compressed)?|bzip2?|xz"
    r"|zstd|brotli|compress|compressed|compressed-tar)$"
    # The suffixes of RFC 8460 and RFC 8878, and Docker's `.tar.gzip`.
    r"|^application/[^/]+[+.](gzip|zstd)$"
)
"""Names and media types of what is compressed in itself."""
_OWN_ENDINGS = {"br": (".br", "brotli"), "zstd": (".zst", ".tzst", "zstd")}
"""How a name or media type ends for which such a coding is the file's own."""


class Identity:
    """No coding: what came is what is stored."""

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """Yield what `chunk` stands for."""
        yield chunk

    def finish(self) -> None:
        """Take note of the end of the body."""


class DecoderChain:
    """Several codings, undone one after the other.

    Args:
        steps: the coding that was applied last comes first.
    """

    def __init__(self, steps: Sequence[CodingDecoder]) -> None:
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

    def _decoded(self, data: bytes, steps: Sequence[CodingDecoder]) -> Iterator[bytes]:
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
    names = [*paths, media_type.partition(";")[0].strip()]
    codings = _codings_to_undo(content_codings(value), names)
    if not codings:
        return Identity()
    if len(codings) > MAX_CODINGS or not all(coding in DECODERS for coding in codings):
        raise AttemptError(
            ErrorKind.CODING, f"the server sent Content-Encoding {value[:60]}, not asked for"
        )
    steps: list[CodingDecoder] = []
    for after, coding in itertools.pairwise(("", *reversed(codings))):
        is_again = coding == after == "gzip"
        steps.append(OptionalGzip() if is_again else DECODERS[coding]())
    return steps[0] if len(steps) == 1 else DecoderChain(steps)


def _codings_to_undo(codings: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    """Return the codings to undo: all, or, of a compressed file, those that are not its own.

    Servers that label their compressed files by mistake call them gzip, or what they are: br on
    a `.gz` was added on the way, and with it all that comes after.
    """
    if not any(re.search(_COMPRESSED, name) for name in names):
        return codings
    lowered = [name.lower() for name in names]
    for index, coding in enumerate(codings):
        endings = _OWN_ENDINGS.get(coding)
        if endings and not any(name.endswith(endings) for name in lowered):
            return codings[index:]
    return ()
