"""Choice of a decoder for a body: by its codings, its names and its media type."""

from __future__ import annotations

import sys

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.codings import (
    CUTS,
    SAMPLE,
    cut,
    decoded,
    gzipped,
    raw_deflated,
    zlibbed,
    zstd,
)
from url_downloader.attempt.content_decoders import Inflater
from url_downloader.attempt.decoding import Identity, decoder_for
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind


@given(st.binary(max_size=2000), CUTS)
def test_a_body_without_a_coding(data: bytes, cuts: list[int]) -> None:
    """A body without a coding is returned unchanged."""
    assert decoded(Identity(), cut(data, cuts)) == data


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("", SAMPLE),
        ("identity", SAMPLE),
        (" Identity , identity", SAMPLE),
        (",", SAMPLE),
        ("none, utf-8", SAMPLE),
        ("text/plain", SAMPLE),
        ("gzip", gzipped(SAMPLE)),
        ("GZip", gzipped(SAMPLE)),
        (" gzip\t", gzipped(SAMPLE)),
        ("x-gzip", gzipped(SAMPLE)),
        ("gzip, identity", gzipped(SAMPLE)),
        ("identity,gzip,", gzipped(SAMPLE)),
        ("deflate", zlibbed(SAMPLE)),
        ("Deflate", raw_deflated(SAMPLE)),
        ("br", brotli.compress(SAMPLE)),
        ("zstd", zstd.compress(SAMPLE)),
        ("gzip, gzip", gzipped(gzipped(SAMPLE))),
        ("gzip, gzip", gzipped(SAMPLE)),
        ("gzip, gzip", gzipped(SAMPLE[:1]) + gzipped(SAMPLE[1:])),
        ("gzip, gzip, gzip", gzipped(SAMPLE)),
        ("gzip, br", brotli.compress(gzipped(SAMPLE))),
        ("deflate, gzip", gzipped(zlibbed(SAMPLE))),
        ("utf-8, gzip", gzipped(SAMPLE)),
        ("gzip, aws-chunked", gzipped(SAMPLE)),
    ],
)
def test_codings_that_are_undone(codings: str, body: bytes) -> None:
    """Codings are undone, in upper or lower case; words that name no coding are ignored."""
    decoder = decoder_for(codings, paths=["/page.html"], media_type="text/html")
    assert decoded(decoder, [body]) == SAMPLE


@pytest.mark.parametrize(
    "codings",
    [
        "compress",
        "x-unknown",
        "rot13",
        "gzip, exi",
        "gzip, gzip, gzip, gzip, gzip, gzip",
        "gzip;q=1",
    ],
)
def test_an_unknown_coding(codings: str) -> None:
    """A body in an unknown coding is refused, as its file name would not show the coding."""
    with pytest.raises(AttemptError, match="Content-Encoding") as caught:
        decoder_for(codings, paths=["/page.html"], media_type="text/html")
    assert caught.value.kind is ErrorKind.CODING
    assert codings in caught.value.message


@given(data=st.binary(max_size=5), cuts=CUTS)
def test_gzip_that_is_named_twice(data: bytes, cuts: list[int]) -> None:
    """If the field names gzip twice, a body that was compressed once or twice is decoded."""
    if data.startswith(b"\x1f\x8b") or data == b"\x1f":
        return
    for body in (gzipped(data), gzipped(gzipped(data))):
        decoder = decoder_for("gzip, gzip", paths=[], media_type="")
        assert decoded(decoder, cut(body, cuts)) == data


@pytest.mark.parametrize("value", ["x" * 10_000, "x," * 5_000, "none," * 2_000 + "gzip"])
def test_a_refusal_of_a_long_field(value: str) -> None:
    """The message of a refusal is short, however long the field is."""
    with pytest.raises(AttemptError) as caught:
        decoder_for(value, paths=[], media_type="")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("codings", ["gzip", "deflate", "gzip, gzip"])
@pytest.mark.parametrize(
    "name",
    [
        *("/a.gz", "/a.tar.gz", "/a.tgz", "a.GZ", "a.bz2", "a.tbz2", "a.xz", "a.txz"),
        *("a.lzma", "a.zst", "a.br", "a.lz4", "a.Z", "a.svgz", ".gz"),
        *("a.vcf.bgz", "a.gzip", "a.taz", "a.zstd"),
    ],
)
def test_the_name_of_a_compressed_file(codings: str, name: str) -> None:
    """If one of the names is that of a compressed file, gzip and deflate are not undone."""
    for paths in ([name, "page"], ["/page", name], [name]):
        decoder = decoder_for(codings, paths=paths, media_type="text/plain")
        assert isinstance(decoder, Identity)


@pytest.mark.parametrize(
    ("codings", "name", "media_type"),
    [
        ("br", "/a.js.br", "text/plain"),
        ("BR", "/a.BR", "text/plain"),
        ("gzip, br", "/a.br", "text/plain"),
        ("br", "/a", "application/x-brotli"),
        ("zstd", "/a.tar.zst", "text/plain"),
        ("zstd", "/a", "application/zstd"),
        ("zstd", "/a", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("compress", "/a.Z", "text/plain"),
        ("bzip2", "/a.bz2", "text/plain"),
    ],
)
def test_the_coding_that_is_the_files_format(codings: str, name: str, media_type: str) -> None:
    """A coding that is the format of the file is not undone, such as br of a `.br` file."""
    decoder = decoder_for(codings, paths=[name], media_type=media_type)
    assert isinstance(decoder, Identity)


@pytest.mark.parametrize(
    ("codings", "name", "body"),
    [
        ("br", "/a.tar.gz", brotli.compress(gzipped(SAMPLE))),
        ("zstd", "/a.gz", zstd.compress(gzipped(SAMPLE))),
        ("zstd", "/a.br", zstd.compress(gzipped(SAMPLE))),
        ("gzip, br", "/a.gz", brotli.compress(gzipped(SAMPLE))),
        ("br, gzip", "/a.gz", gzipped(brotli.compress(gzipped(SAMPLE)))),
    ],
)
def test_a_coding_on_top_of_a_compressed_file(codings: str, name: str, body: bytes) -> None:
    """A `.gz` file that arrives in the coding br is stored as the `.gz` file."""
    decoder = decoder_for(codings, paths=[name], media_type="application/gzip")
    assert b"".join(map(bytes, decoder.feed(body))) == gzipped(SAMPLE)


@pytest.mark.parametrize(
    "media_type",
    [
        *("application/gzip-compressed", "application/x-compressed", "application/x-tar-gz"),
        *("application/x-gtar-compressed", "application/tlsrpt+gzip"),
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        *("application/gzip", "application/x-gzip", "Application/X-GZIP; q=1"),
        *("application/x-bzip2", "application/x-xz", "application/x-tgz", "application/zstd"),
        " application/gzip ",
    ],
)
def test_the_media_type_of_a_compressed_file(media_type: str) -> None:
    """If the media type is that of a compressed file, gzip is not undone."""
    decoder = decoder_for("gzip", paths=["/a", "a"], media_type=media_type)
    assert isinstance(decoder, Identity)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("/gz", "text/html"),
        ("/a.gz/index.html", "text/html"),
        ("/a.gzip.txt", "text/html"),
        ("/a.gzz", ""),
        ("/agz", "application/gzip-not"),
        ("/a.zip", "application/zip"),
        ("/a.tar", "application/x-tar"),
        ("/a", "text/plain; x=application/gzip"),
    ],
)
def test_names_that_resemble_compressed_files(name: str, media_type: str) -> None:
    """Names and media types that only resemble those of compressed files do not count."""
    decoder = decoder_for("gzip", paths=[name], media_type=media_type)
    assert isinstance(decoder, Inflater)


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "backports")])
def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, coding: str, library: str) -> None:
    """The error names the coding and the package to install; the job is not retried."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(AttemptError, match=rf"pip install {library}\b") as caught:
        decoder_for(coding, paths=[], media_type="")
    assert caught.value.kind is ErrorKind.CODING
    assert coding in caught.value.message
