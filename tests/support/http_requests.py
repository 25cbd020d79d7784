"""Requests of one HttpClient: replies, whole bodies, and the errors in their place."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.http_clients import PATIENT
from tests.support.scripted_server import Reply
from url_downloader.network.client import HttpClient
from url_downloader.shared import ports
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.ports import Fields


class Received(NamedTuple):
    """A reply that was read to its end.

    Args:
        body: Body of the reply.
        url: URL that sent it, after redirects.
        is_length_known: Whether the framing shows that the body is complete.
    """

    body: bytes
    url: str
    is_length_known: bool


def open_reply(client: HttpClient, url: str) -> ports.Reply:
    """Return the reply to a request, of which only the head was read."""
    return client.open(url, (), conditions=(), limits=AttemptLimits(timeout=PATIENT))


def body_of(reply: ports.Reply) -> bytes:
    """Return the rest of the body of a reply."""
    return b"".join(map(bytes, reply.chunks()))


def receive(
    client: HttpClient,
    url: str,
    headers: Fields = (),
    *,
    conditions: Fields = (),
    timeout: float = PATIENT,
) -> Received:
    """Return the whole reply to a request."""
    limits = AttemptLimits(timeout=timeout)
    reply = client.open(url, headers, conditions=conditions, limits=limits)
    try:
        return Received(body_of(reply), reply.url, reply.is_length_known)
    finally:
        reply.close()


def error_of(client: HttpClient, url: str, *, timeout: float = PATIENT) -> AttemptError:
    """Return the error that is raised in place of a whole reply."""
    with pytest.raises(AttemptError) as caught:
        receive(client, url, timeout=timeout)
    return caught.value


def redirect(location: str, *, status: int = 302, cookie: str = "") -> Reply:
    """Return a redirect, which may set a cookie."""
    cookies = {"Set-Cookie": f"{cookie}; Path=/"} if cookie else {}
    return Reply(status=status, headers={"Location": location, **cookies})
