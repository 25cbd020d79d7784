"""Choice of a decoder for the content codings of a body (RFC 9110 §8.4.1). Pure functions."""

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
"""Codings of one body that are undone, one after the other; curl has the same limit."""

# Compiled on first use, because few replies are encoded.
_COMPRESSED = (
    r"(?i)\.(b?gz|gzip|t[ag]z|bz2|tbz2?|xz|txz|lzma|zstd?|tzst|br|lz4?|Z|svgz)$"
    r"|^application/(x-)?(gzip|gzip-compressed|gunzip|tar-gz|tgz|gtar(-compressed)?|bzip2?|xz"
    r"|zstd|brotli|compress|compressed|compressed-tar)$"
    # The suffixes of RFC 8460 and RFC 8878, and Docker's `.tar.gzip`.
    r"|^application/[^/]+[+.](gzip|zstd)$"
)
"""Pattern of the names and media types of files whose format is compressed."""
_OWN_ENDINGS = {"br": (".br", "brotli"), "zstd": (".zst", ".tzst", "zstd")}
"""Endings of names and media types of files whose format is the coding itself."""


class Identity:
    """Decoder for a body without a coding: it returns the bytes unchanged."""

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """Yield the chunk itself."""
        yield chunk

    def finish(self) -> None:
        """Accept the end of the body."""


class DecoderChain:
    """Decoder that undoes several codings, one after the other.

    Args:
        steps: Decoders of the codings; that of the coding applied last comes first.
    """

    def __init__(self, steps: Sequence[CodingDecoder]) -> None:
        self._steps = steps

    def feed(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the decoded bytes that `chunk` completes.

        Raises:
            AttemptError: The data is not of these codings, or is a decompression bomb.
        """
        return self._decoded(bytes(chunk), self._steps)

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            AttemptError: The compressed data has no end.
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
    """Return the decoder for a body; some servers encode it though identity was requested.

    Args:
        value: Value of Content-Encoding; may be empty.
        paths: Paths of the file's URLs, and its names. If one of them, or the media type, is
            that of a compressed file, some codings, or all, are not undone.
        media_type: Value of Content-Type.

    Raises:
        AttemptError: The body has a coding that this installation can't decode.
    """
    names = [*paths, media_type.partition(";")[0].strip()]
    codings = _codings_to_undo(content_codings(value), names)
    if not codings:
        return Identity()
    if len(codings) > MAX_CODINGS or not all(coding in DECODERS for coding in codings):
        raise AttemptError(
            ErrorKind.CODING,
            f"the server sent Content-Encoding {value[:60]}, which was not requested and can't"
            " be decoded",
        )
    steps: list[CodingDecoder] = []
    for after, coding in itertools.pairwise(("", *reversed(codings))):
        is_again = coding == after == "gzip"
        steps.append(OptionalGzip() if is_again else DECODERS[coding]())
    return steps[0] if len(steps) == 1 else DecoderChain(steps)


def _codings_to_undo(codings: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    """Return the codings to undo: all, or fewer if the file's format is a compressed one.

    For such a file, gzip is taken for a wrong label, and so is br for a `.br` file. But a br on
    a `.gz` file was added for the transfer: it is undone, with all codings applied after it.
    """
    if not any(re.search(_COMPRESSED, name) for name in names):
        return codings
    lowered = [name.lower() for name in names]
    for index, coding in enumerate(codings):
        endings = _OWN_ENDINGS.get(coding)
        if endings and not any(name.endswith(endings) for name in lowered):
            return codings[index:]
    return ()
