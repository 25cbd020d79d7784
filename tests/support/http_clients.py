"""Clients of the network package, for tests of the requests that servers and proxies get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from url_downloader.config.dial_settings import DialSettings
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import Settings, TransferSettings
from url_downloader.network.client import HttpClient
from url_downloader.network.client_context import client_context
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.ports import Fields

PATIENT = 60.0
"""Seconds that no passing test waits."""
LIMITS = AttemptLimits(timeout=PATIENT, connect_timeout=PATIENT)
SECRET = "S3CRET"
"""The password of users and proxies, which no message may show."""


@contextmanager
def running_client(
    settings: ServerSettings,
    *,
    dial: DialSettings = DialSettings(),  # noqa: B008 - frozen
    is_trusted: bool = False,
    max_redirects: int = 20,
) -> Iterator[HttpClient]:
    """Yield a client, which is closed at the end of the block.

    Args:
        settings: Settings of the client.
        dial: Settings of how servers are reached.
        is_trusted: Whether redirects are trusted, as with --location-trusted.
        max_redirects: Number of redirects to follow.
    """
    transfer = TransferSettings(is_location_trusted=is_trusted, max_redirects=max_redirects)
    with closing(client_context(Settings(server=settings, transfer=transfer, dial=dial))) as it:
        running = HttpClient(it, control=AttemptControl())
        yield running
        running.close()


def get(client: HttpClient, url: str, headers: Fields = ()) -> tuple[int, bytes]:
    """Return status and body of a GET."""
    reply = client.open(url, headers, conditions=(), limits=LIMITS)
    try:
        return reply.status, b"".join(map(bytes, reply.chunks()))
    finally:
        reply.close()


def fetch(settings: ServerSettings, url: str) -> bytes:
    """Return the body that a client with these settings gets."""
    with running_client(settings) as client:
        return get(client, url)[1]


def failure(settings: ServerSettings, url: str) -> AttemptError:
    """Return the error that a client with these settings gets instead of a reply."""
    with pytest.raises(AttemptError) as caught:
        fetch(settings, url)
    assert SECRET not in caught.value.message
    return caught.value
