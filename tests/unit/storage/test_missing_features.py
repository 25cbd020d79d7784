"""Warnings about features that a file system lacks."""

from __future__ import annotations

import errno
import os

import pytest

from url_downloader.storage.missing_features import Feature, MissingFeatures


def test_a_warning_is_logged_once(package_log: pytest.LogCaptureFixture) -> None:
    """The first note of each feature logs a warning with the directory and the error."""
    missing = MissingFeatures("out")
    assert Feature.LOCKS not in missing
    for _ in range(2):
        missing.note(Feature.LOCKS, OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)))
        missing.note(Feature.RENAME)
    assert Feature.LOCKS in missing
    reason = os.strerror(errno.ENOLCK)
    assert [record.getMessage() for record in package_log.records] == [
        f"out: the file system {Feature.LOCKS} ({reason})",
        f"out: the file system {Feature.RENAME}",
    ]
