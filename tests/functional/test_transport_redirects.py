"""Redirects that HttpClient follows, and redirects that are errors."""

from __future__ import annotations

import socket

import pytest

from tests.support.http_requests import error_of, receive, redirect
from tests.support.scripted_server import (
    Answer,
    Cut,
    Delivery,
    Endless,
    Framing,
    Reply,
    Request,
    ScriptedServer,
    Whole,
)
from url_downloader.network.client import HttpClient
from url_downloader.shared.models import ErrorKind

BODY = b"0123456789"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        *[("/to?a=b", "/to?a=b"), ("to", "/deep/to"), ("../to#x", "/to"), ("?q", "/deep/a?q")],
        *[("{origin}/to", "/to"), ("//{host}/to", "/to"), ("HTTP:/to", "/to")],
        ("/a b/%41%2f%7E/\u00c3\u00bc?[]=%3d'", "/a%20b/%41%2f%7E/%C3%BC?[]=%3d'"),
        ("caf\u00e9?\u00ff", "/deep/caf%E9?%FF"),
        *[("/\u00c3\u0085", "/%C3%85"), ("\u00a0/\u00c3\u00a0", "/deep/%A0/%C3%A0")],
        *[("/x/../to/./%2E%2e/y?", "/y?"), ("\\\\{host}\\to", "/to"), ("//{host}", "/")],
        *[("{origin}:/to".replace(":/", "/"), "/to"), ("to??a#b", "/deep/to??a")],
    ],
)
def test_a_redirect(
    server: ScriptedServer, client: HttpClient, status: int, location: str, target: str
) -> None:
    """The client sends a GET to the URL that Location means; the reply has this URL."""
    origin = server.url("")
    location = location.format(origin=origin, host=origin.removeprefix("http://"))
    server.play("/deep/a", redirect(location, status=status))
    server.play(target, Reply(body=BODY))
    assert receive(client, server.url("/deep/a"))[:2] == (BODY, origin + target)
    assert [request.method for request in server.requests()] == ["GET", "GET"]


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE])
@pytest.mark.parametrize("delivery", [Whole(), Cut(2), Endless()])
def test_the_body_of_a_redirect(
    server: ScriptedServer, client: HttpClient, framing: Framing, delivery: Delivery
) -> None:
    """A redirect is followed even if its body is truncated or endless."""
    head = {"Location": server.url("/b").replace("127.0.0.1", "localhost")}
    reply = Reply(status=302, headers=head, body=BODY, framing=framing, delivery=delivery)
    server.play("/a", reply)
    server.play("/b", Reply(body=BODY))
    assert receive(client, server.url("/a")).body == BODY


@pytest.mark.parametrize(("status", "location"), [(300, ""), (304, "/b"), (305, "/b")])
def test_a_3xx_that_is_no_redirect(
    server: ScriptedServer, client: HttpClient, status: int, location: str
) -> None:
    """A 300 without Location, a 304 and a 305 are final replies."""
    headers = {"Location": location} if location else {}
    server.play("/a", Reply(status=status, headers=headers))
    assert receive(client, server.url("/a")).url == server.url("/a")
    assert server.count() == 1


def test_the_limit_of_redirects(server: ScriptedServer, client: HttpClient) -> None:
    """Redirects are followed up to the limit; one more is an error, and is not requested."""

    def hop(request: Request) -> Answer:
        left = int(request.target.partition("?")[2])
        return redirect(f"/hop?{left - 1}") if left else Reply(body=BODY)

    server.play("/hop", hop)
    assert receive(client, server.url("/hop?3")).body == BODY
    error = error_of(client, server.url("/hop?4"))
    assert (error.kind, server.count()) == (ErrorKind.REDIRECT, 4 + 4)
    assert "more than 3" in error.message


@pytest.mark.parametrize("paths", ["a", "ab", "abc"])
def test_a_loop_of_redirects(server: ScriptedServer, client: HttpClient, paths: str) -> None:
    """A loop of redirects ends at the limit."""
    for path, following in zip(paths, paths[1:] + paths[0], strict=True):
        server.play(f"/{path}", redirect(following))
    assert "more than 3" in error_of(client, server.url("/a")).message
    assert server.count() == 4


def test_a_redirect_back_to_the_first_url(server: ScriptedServer, client: HttpClient) -> None:
    """A redirect to a URL that was requested before is followed: its reply may differ now."""
    server.play("/a", redirect("/gate"), Reply(body=BODY))
    server.play("/gate", redirect("/a"))
    assert receive(client, server.url("/a")).body == BODY


@pytest.mark.parametrize(("second", "is_followed"), [("/b", True), ("/c", False)])
def test_two_location_fields(
    server: ScriptedServer, client: HttpClient, second: str, *, is_followed: bool
) -> None:
    """Two equal Location fields count as one; two that differ are an error."""
    server.play("/a", Reply(status=302, headers=[("Location", "/b"), ("location", second)]))
    server.play("/b", Reply(body=BODY))
    if is_followed:
        assert receive(client, server.url("/a")).body == BODY
        return
    error = error_of(client, server.url("/a"))
    assert (error.kind, server.count()) == (ErrorKind.REDIRECT, 1)
    assert "2 different Locations" in error.message


@pytest.mark.parametrize(
    "location",
    [
        *["ftp://user:secret@h/x", "file:///etc/passwd", "mailto:a@b", "data:,x"],
        *["http://:80/", "http://[::1/", "http://h:99999/", "http://h:0/", "http://h:x/"],
        *["http:\\\\u:secret@h:x/", "///u:secret@h:x/", "http://u:sec/secret@h:x/"],
        *["https:/u:secret@\x1b[2J", "//user:secret@a b/" + "x" * 9000],
    ],
)
def test_an_invalid_location(server: ScriptedServer, client: HttpClient, location: str) -> None:
    """A Location that is missing, empty or no http(s) URL is an error.

    The message is short and printable, and does not show the password.
    """
    server.play("/a", redirect(location), redirect(""), Reply(status=302))
    errors = [error_of(client, server.url("/a")) for _ in range(3)]
    assert {error.kind for error in errors} == {ErrorKind.REDIRECT}
    assert "secret" not in errors[0].message
    assert errors[0].message.isprintable()
    assert len(errors[0].message) < 300
    assert server.count() == 3


def test_a_failure_after_a_redirect(server: ScriptedServer, client: HttpClient) -> None:
    """The message names the origin that failed, which is not in the URL of the list."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server.play("/a", redirect(f"http://127.0.0.1:{port}/b"))
    error = error_of(client, server.url("/a"))
    assert error.kind is ErrorKind.CONNECT
    assert error.message == f"connection refused (redirected to http://127.0.0.1:{port})"
