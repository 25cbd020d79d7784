"""Content codings of replies: which are undone, and which words are none."""

from __future__ import annotations

import gzip
import logging
from unittest import mock

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import sha256
from tests.support.fake_network import V1, FakeReply, cut, full, piece
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared.models import ErrorKind


@pytest.mark.parametrize(
    ("url", "final_url", "disposition"),
    [
        ("http://h/a.tar.gz?x", "http://h/b", ""),
        ("http://h/a", "http://h/store/b.tar.gz?sig=1", ""),
        ("http://h/a", "http://h/b", "attachment; filename=b.tar.gz"),
    ],
)
def test_what_is_called_compressed_is_stored_as_it_came(
    url: str, final_url: str, disposition: str
) -> None:
    """The URL, the one that answers after redirects, or the server's name: one is enough."""
    packed = gzip.compress(V1)
    reply = FakeReply(200, packed, content_encoding="gzip", content_disposition=disposition)
    reply.url = final_url
    attempts = Attempts(reply, names=ServerNames(NameClaims(), {}))
    assert attempts.attempt(url=url, checksum=sha256(packed)).kind is None
    assert list(attempts.published.values()) == [packed]


def test_a_word_that_is_no_coding_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The body is stored, and can be resumed; one warning is enough for a run."""
    words = ["none", "utf-8", "none"]
    replies = [full(V1, content_encoding=word) for word in words]
    attempts = Attempts(cut(V1, 20, content_encoding="none"), piece(V1, 20), *replies)
    logger = logging.getLogger("url_downloader")
    with mock.patch.object(logger, "propagate", new=True):
        assert attempts.attempt().kind is ErrorKind.TRUNCATED
        assert [attempts.attempt().size for _ in range(4)] == [len(V1)] * 4
    assert attempts.ranges[1] == 20
    assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == [
        "Content-Encoding none names no coding: ignored"
    ]
