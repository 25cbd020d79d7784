"""Decoders for replies: bodies of compressed files, and words that name no coding."""

from __future__ import annotations

import gzip
import logging

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import sha256
from tests.support.fake_network import V1, FakeReply, cut, full, piece
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared.models import ErrorKind

GZIPPED = gzip.compress(V1)


@pytest.mark.parametrize(
    ("url", "output", "media_type"),
    [
        ("http://h/a.tar.gz?x=1", "b", ""),
        ("http://h/a", "b.tgz", ""),
        ("http://h/a", "b", "application/gzip; charset=x"),
    ],
)
def test_a_compressed_file(url: str, output: str, media_type: str) -> None:
    """If URL, output or media type are those of a compressed file, the body is not decoded."""
    attempts = Attempts(
        FakeReply(200, GZIPPED, content_encoding="gzip", content_type=media_type)
    )
    attempts.attempt(url=url, output=output)
    assert attempts.published == {output: GZIPPED}


@pytest.mark.parametrize(
    ("url", "final_url", "disposition"),
    [
        ("http://h/a.tar.gz?x", "http://h/b", ""),
        ("http://h/a", "http://h/store/b.tar.gz?sig=1", ""),
        ("http://h/a", "http://h/b", "attachment; filename=b.tar.gz"),
    ],
)
def test_a_compressed_file_by_the_servers_names(
    url: str, final_url: str, disposition: str
) -> None:
    """The URL after redirects, and the name that the server gives, count as well."""
    reply = FakeReply(200, GZIPPED, content_encoding="gzip", content_disposition=disposition)
    reply.url = final_url
    attempts = Attempts(reply, names=ServerNames(NameClaims(), {}))
    assert attempts.attempt(url=url, checksum=sha256(GZIPPED)).kind is None
    assert list(attempts.published.values()) == [GZIPPED]


def test_a_word_that_names_no_coding(package_log: pytest.LogCaptureFixture) -> None:
    """The body is stored unchanged and can be resumed; a run logs one warning."""
    words = ["none", "utf-8", "none"]
    replies = [full(V1, content_encoding=word) for word in words]
    attempts = Attempts(cut(V1, 20, content_encoding="none"), piece(V1, 20), *replies)
    assert attempts.attempt().kind is ErrorKind.TRUNCATED
    assert [attempts.attempt().size for _ in range(4)] == [len(V1)] * 4
    assert attempts.ranges[1] == 20
    assert [r.message for r in package_log.records if r.levelno == logging.WARNING] == [
        "Content-Encoding none names no coding: ignored"
    ]
