"""Requests of HttpClient: their targets, the user's headers, credentials and cookies."""

from __future__ import annotations

import base64

import pytest

from tests.support.http_requests import receive, redirect
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader.network.client import HttpClient
from url_downloader.shared.ports import Fields

BODY = b"0123456789"
TARGETS = [
    *["/a%2fb%2FC%7e%7E~", "/?a[]=1&a[]=2&%5B%5D", "/a?", "/?", "/??", "//a//b//", "/%"],
    *["/%zz", "/a|b[c]", "/?^`{}|\\'", "/?x=http://u:p@h/../y", "/;a=b,c:@!$&()*+", "/..."],
    "/a/..b",
]


@pytest.mark.parametrize("is_plain", [True, False])
def test_the_target_of_a_request(
    server: ScriptedServer, client: HttpClient, *, is_plain: bool
) -> None:
    """Path and query are sent byte for byte, also with credentials, cookies and redirects.

    The reply has the same URL.
    """
    for target in TARGETS:
        server.play(target, Reply(body=BODY))
        server.play("/from", redirect(target, cookie="" if is_plain else "a=1"))
        url = server.url(target)
        requested = url if is_plain else url.replace("//", "//user:p%40%3a@", 1)
        assert receive(client, requested)[:2] == (BODY, url)
        if not target.startswith("//"):
            assert receive(client, server.url("/from"))[:2] == (BODY, url)
    seen = [request for request in server.requests() if request.target != "/from"]
    assert [*dict.fromkeys(request.target for request in seen)] == TARGETS
    login = "Basic " + base64.b64encode(b"user:p@:").decode()
    assert {request.header("Authorization") for request in seen} == (
        {None} if is_plain else {None, login}
    )


USER_FIELDS: Fields = (("X-Key", "k"), ("Authorization", "Bearer t"), ("Cookie", "c=1"))
CONDITIONS: Fields = (("Range", "bytes=5-"), ("If-Range", '"v"'))


def test_the_users_headers_after_redirects(server: ScriptedServer, client: HttpClient) -> None:
    """The user's headers are sent to their origin alone; conditions are sent to any origin."""
    with ScriptedServer({"/b": Reply(body=BODY)}) as other:
        server.play("/a", redirect("/b"))
        server.play("/b", redirect(other.url("/b")))
        receive(client, server.url("/a"), USER_FIELDS, conditions=CONDITIONS)
        requests = [*server.requests(), *other.requests()]
    for name, value in USER_FIELDS:
        assert [request.header(name) for request in requests] == [value, value, None]
    for name, value in CONDITIONS:
        assert [request.header(name) for request in requests] == [value] * 3


@pytest.mark.parametrize("location", ["/b", "{origin}/b"])
def test_the_credentials_of_a_url_after_redirects(
    server: ScriptedServer, client: HttpClient, location: str
) -> None:
    """Credentials become Basic authorization, which is sent to the URL's origin alone."""
    expected = "Basic " + base64.b64encode(b"user:p@ss").decode()
    with ScriptedServer({"/c": Reply(body=BODY)}) as other:
        server.play("/a", redirect(location.format(origin=server.url(""))))
        server.play("/b", redirect(other.url("/c")))
        receive(client, server.url("/a").replace("//", "//us%65r:p%40ss@"))
        requests = [*server.requests(), *other.requests()]
    sent = [request.header("Authorization") for request in requests]
    assert sent == [expected, expected, None]


def test_cookies_after_redirects(server: ScriptedServer, client: HttpClient) -> None:
    """Cookies are sent to the host that set them, also in later requests of the run."""
    server.play("/a", redirect("/b", cookie="a=1"))
    server.play(
        "/b", redirect(server.url("/c").replace("127.0.0.1", "localhost"), cookie="b=2")
    )
    server.play("/c", redirect(server.url("/d")))
    server.play("/d", Reply(body=BODY))
    receive(client, server.url("/a"))
    receive(client, server.url("/d"))
    cookies = [request.header("Cookie") for request in server.requests()]
    assert cookies == [None, "a=1", None, "a=1; b=2", "a=1; b=2"]


def test_a_host_field_of_the_user(server: ScriptedServer, client: HttpClient) -> None:
    """The user's Host is sent unchanged and once; cookies that the reply sets belong to it."""
    server.play("/a", redirect("/b", cookie="a=1"))
    server.play("/b", Reply(body=BODY))
    receive(client, server.url("/a"), (("host", "a.test"),))
    hosts = [
        value
        for request in server.requests()
        for name, value in request.headers
        if name.lower() == "host"
    ]
    assert hosts == ["a.test"] * 2
    assert [request.header("Cookie") for request in server.requests()] == [None, "a=1"]
