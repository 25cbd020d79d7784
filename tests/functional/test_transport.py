"""HttpClient against a server that does exactly what a script says, down to the byte."""

from __future__ import annotations

import base64
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.replies import Framing
from tests.support.scripted_server import (
    Answer,
    Cut,
    Delivery,
    Endless,
    Hold,
    Raw,
    Reply,
    Request,
    Reset,
    ScriptedServer,
    Stall,
    Whole,
)
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import TransferSettings
from url_downloader.network.client import HttpClient, client_context
from url_downloader.network.connection import AbortableConnection
from url_downloader.network.resolver import Resolver
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import AttemptLimits, ErrorKind
from url_downloader.shared.ports import Fields

PATIENT = 60.0
"""Seconds that no passing test waits."""
SURROUNDINGS = "http_proxy https_proxy all_proxy no_proxy requests_ca_bundle curl_ca_bundle"
BODY = b"0123456789"
CHUNKED = Reply(body=BODY, framing=Framing.CHUNKED)
CHUNKS = b"3\r\n012\r\n7;x=y\r\n3456789\r\n0\r\n"
HEAD = Reply(body=BODY, headers={"X-One": "1"}).head


@pytest.fixture
def client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ca_bundle: Path
) -> Iterator[HttpClient]:
    """A client that follows up to three redirects and knows nothing of this machine."""
    for name in SURROUNDINGS.split():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_bundle))
    context = client_context(ServerSettings(), TransferSettings(max_redirects=3))
    running = HttpClient(
        context, control=AttemptControl(), max_idle=10, look_up=Resolver().look_up
    )
    yield running
    running.close()


def get(
    client: HttpClient,
    url: str,
    headers: Fields = (),
    *,
    conditions: Fields = (),
    timeout: float = PATIENT,
) -> tuple[bytes, str, bool]:
    """The whole body, the address that it came from, and whether its length was known."""
    reply = client.open(
        url, headers, conditions=conditions, limits=AttemptLimits(timeout=timeout)
    )
    try:
        return b"".join(map(bytes, reply.chunks())), reply.url, reply.is_length_known
    finally:
        reply.close()


def failure(client: HttpClient, url: str, *, timeout: float = PATIENT) -> AttemptError:
    """The error that there is instead of a whole reply."""
    with pytest.raises(AttemptError) as caught:
        get(client, url, timeout=timeout)
    return caught.value


def redirect(location: str, *, status: int = 302, cookie: str = "") -> Reply:
    """A redirect that may set a cookie."""
    cookies = {"Set-Cookie": f"{cookie}; Path=/"} if cookie else {}
    return Reply(status=status, headers={"Location": location, **cookies})


def ok(lines: bytes) -> Raw:
    """A reply with these header lines, and BODY up to the close."""
    return Raw(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n0123456789" % lines)


@pytest.mark.parametrize(
    ("answer", "is_length_known"),
    [
        *[(Reply(body=BODY), True), (CHUNKED, True), (Reply(status=404, body=BODY), True)],
        (Reply(body=BODY, framing=Framing.CLOSE), False),
        (Raw(Reply(body=BODY).message.replace(b"\r\n", b"\n")), True),
        (Raw(b"HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\n" + Reply(body=BODY).message), True),
        (Raw(b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + CHUNKED.message), True),
        (ok(b"Content-Length: 10, 10"), True),
        (ok(b"Content-Length: 10\r\nContent-Length: 10"), True),
        (ok(b"Folded: a\r\n b\r\nLong: %b" % (b"x" * 60_000)), False),
        (Raw(CHUNKED.head.replace(b"\r\n", b"\r\nContent-Length: 3\r\n", 1) + CHUNKS), True),
        # What is missing of the trailer section takes nothing from the body.
        *[(Raw(CHUNKED.head + CHUNKS + end), True) for end in (b"", b"X: y", b"X: y\r\n\r\n")],
    ],
)
def test_what_is_lawful_is_understood(
    server: ScriptedServer, client: HttpClient, answer: Answer, is_length_known: bool
) -> None:
    """Every byte of the body, no other, and whether anything but the close told its end."""
    server.play("/a", answer)
    assert get(client, server.url("/a")) == (BODY, server.url("/a"), is_length_known)


@pytest.mark.parametrize("reply", [Reply(body=BODY), CHUNKED])
def test_what_has_arrived_is_handed_on(
    server: ScriptedServer, client: HttpClient, reply: Reply
) -> None:
    """No read waits for more bytes than are there."""
    more = threading.Event()
    server.play("/a", Raw(reply.message, Hold(more, reply.message.index(b"0123") + 4)))
    opened = client.open(
        server.url("/a"), (), conditions=(), limits=AttemptLimits(timeout=PATIENT)
    )
    chunks = opened.chunks()
    assert next(chunks) == b"0123"
    more.set()
    assert b"".join(map(bytes, chunks)) == b"456789"
    opened.close()


@pytest.mark.parametrize("reply", [Reply(body=BODY), CHUNKED, Reply(status=204), Reply()])
def test_a_connection_serves_again(
    server: ScriptedServer, client: HttpClient, reply: Reply
) -> None:
    """After a reply that was read to its end or drained, and along redirects."""
    server.play("/a", reply)
    server.play("/error", Reply(status=500, body=bytes(1000)))
    server.play("/from", redirect("/a"))
    for path in ("/a", "/from", "/a"):
        assert get(client, server.url(path))[0] == reply.body
        client.open(
            server.url("/error"), (), conditions=(), limits=AttemptLimits(timeout=PATIENT)
        ).drain()
    assert (server.count(), server.connections) == (7, 1)


@pytest.mark.parametrize(
    ("reply", "is_drained"),
    [
        *[(Reply(body=BODY), False), (CHUNKED, False)],
        (Reply(body=bytes(1 << 20)), True),
        (Reply(body=BODY, framing=Framing.CLOSE, delivery=Endless()), True),
        (Reply(body=BODY, keep_alive=False), True),
        (Reply(body=BODY, delivery=Cut(5)), True),
    ],
)
def test_a_connection_with_a_rest_is_dropped(
    server: ScriptedServer, client: HttpClient, reply: Reply, is_drained: bool
) -> None:
    """What was left of a body, or is too much to drain, never shows up in the next reply."""
    server.play("/a", reply)
    server.play("/b", Reply(body=b"next"))
    opened = client.open(
        server.url("/a"), (), conditions=(), limits=AttemptLimits(timeout=PATIENT)
    )
    if is_drained:
        opened.drain()
    opened.close()
    assert get(client, server.url("/b"))[0] == b"next"
    assert server.connections == 2


MALFORMED_HEADERS = [
    *[b"no field line", b"Spaced : x", b"Nul: \0", b"Carriage: a\rb", b"Content-Length:"],
    *[b"Content-Length: -1", b"Content-Length: ten", b"Content-Length: 10, 11"],
    *[b"Content-Length: 10\r\nContent-Length: 9", b"Transfer-Encoding: gzip, chunked"],
]
LARGE_HEADERS = [
    *[b"Long: " + b"x" * 70_000, b"\r\n".join([b"Many: " + b"x" * 60_000] * 5)],
    b"\r\n".join([b"Many: x"] * 300),
]
MALFORMED_CHUNKS = [
    *[b"-5\r\n01234\r\n0\r\n\r\n", b"0x5\r\n01234\r\n0\r\n\r\n", b"\r\n", b"f" * 16 + b"\r\n"],
    *[b"4\r\n01234\r\n0\r\n\r\n", b"5;" + b"x" * 5000 + b"\r\n01234\r\n0\r\n\r\n"],
]
OTHER_STARTS = [b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
SHORT = CHUNKED.message[:-7]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Reply(body=BODY, delivery=Cut(0)), ErrorKind.TRUNCATED),
        (Reply(body=bytes(1 << 20), delivery=Cut((1 << 20) - 1)), ErrorKind.TRUNCATED),
        *[(Reply(body=BODY, delivery=Reset(n)), ErrorKind.RESET) for n in (0, 9)],
        (Reply(body=BODY, framing=Framing.CLOSE, delivery=Reset(9)), ErrorKind.RESET),
        *[(Raw(CHUNKED.message, Reset(n)), ErrorKind.RESET) for n in (0, 20, len(SHORT))],
        (Raw(b""), ErrorKind.RESET),
        *[(Raw(start), ErrorKind.NOT_HTTP) for start in OTHER_STARTS],
        (Raw(b"HTTP/1.1 101 Switch\r\n\r\n"), ErrorKind.MALFORMED),
        (Raw(b"HTTP/1.1 103 E\r\nX: y\r\n\r\n", Endless()), ErrorKind.HEADERS_TOO_LARGE),
        *[(ok(lines), ErrorKind.HEADERS_TOO_LARGE) for lines in LARGE_HEADERS],
        *[(ok(lines), ErrorKind.MALFORMED) for lines in MALFORMED_HEADERS],
        *[(Raw(CHUNKED.head + bad), ErrorKind.MALFORMED) for bad in MALFORMED_CHUNKS],
        # The connection closes after whichever byte of the header block, or of the chunks.
        *[(Raw(HEAD[:length]), ErrorKind.TRUNCATED) for length in range(1, len(HEAD))],
        *[
            (Raw(CHUNKED.head + CHUNKS[:length]), ErrorKind.TRUNCATED)
            for length in range(len(CHUNKS))
        ],
    ],
)
def test_a_broken_reply(
    server: ScriptedServer, client: HttpClient, answer: Answer, kind: ErrorKind
) -> None:
    """It is told from a whole one, and what kind of breach it was; the next call goes well."""
    server.play("/a", answer)
    server.play("/b", Reply(body=BODY))
    assert failure(client, server.url("/a")).kind is kind
    assert get(client, server.url("/b"))[0] == BODY


@pytest.mark.parametrize("length", [0, 20, len(CHUNKED.head), len(SHORT)])
def test_a_stall_is_a_timeout(server: ScriptedServer, client: HttpClient, length: int) -> None:
    """Silence before or in the headers, or in the body, lasts no longer than the timeout."""
    server.play("/a", Raw(CHUNKED.message, Stall(length)))
    assert failure(client, server.url("/a"), timeout=0.2).kind is ErrorKind.TIMEOUT


def test_nobody_listens(client: HttpClient) -> None:
    """A refused connection is CONNECT; a name that there can't be, DNS."""
    with ScriptedServer() as gone:
        url = gone.url("/a")
    assert failure(client, url).kind is ErrorKind.CONNECT
    assert failure(client, "http://name.invalid/").kind is ErrorKind.DNS


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
def test_a_redirect_is_followed(
    server: ScriptedServer, client: HttpClient, status: int, location: str, target: str
) -> None:
    """To what its Location means, with GET, and it is told where that was."""
    origin = server.url("")
    location = location.format(origin=origin, host=origin.removeprefix("http://"))
    server.play("/deep/a", redirect(location, status=status))
    server.play(target, Reply(body=BODY))
    assert get(client, server.url("/deep/a"))[:2] == (BODY, origin + target)
    assert [request.method for request in server.requests()] == ["GET", "GET"]


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE])
@pytest.mark.parametrize("delivery", [Whole(), Cut(2), Endless()])
def test_the_body_of_a_redirect_is_no_obstacle(
    server: ScriptedServer, client: HttpClient, framing: Framing, delivery: Delivery
) -> None:
    """However long or damaged it is."""
    head = {"Location": server.url("/b").replace("127.0.0.1", "localhost")}
    reply = Reply(status=302, headers=head, body=BODY, framing=framing, delivery=delivery)
    server.play("/a", reply)
    server.play("/b", Reply(body=BODY))
    assert get(client, server.url("/a"))[0] == BODY


@pytest.mark.parametrize(("status", "location"), [(300, ""), (304, "/b"), (305, "/b")])
def test_what_is_no_redirect(
    server: ScriptedServer, client: HttpClient, status: int, location: str
) -> None:
    """A choice that is left to users, and what only looks like a redirect, lead nowhere."""
    headers = {"Location": location} if location else {}
    server.play("/a", Reply(status=status, headers=headers))
    assert get(client, server.url("/a"))[1] == server.url("/a")
    assert server.count() == 1


def test_so_many_redirects_and_no_more(server: ScriptedServer, client: HttpClient) -> None:
    """The limit itself is allowed; one more is an error, and is not asked for."""

    def hop(request: Request) -> Answer:
        left = int(request.target.partition("?")[2])
        return redirect(f"/hop?{left - 1}") if left else Reply(body=BODY)

    server.play("/hop", hop)
    assert get(client, server.url("/hop?3"))[0] == BODY
    error = failure(client, server.url("/hop?4"))
    assert (error.kind, server.count()) == (ErrorKind.REDIRECT, 4 + 4)
    assert "more than 3" in error.message


@pytest.mark.parametrize("paths", ["a", "ab", "abc"])
def test_a_circle_ends_at_the_bound(
    server: ScriptedServer, client: HttpClient, paths: str
) -> None:
    """A redirect may lead back to where it came from; only the bound ends it."""
    for path, following in zip(paths, paths[1:] + paths[0], strict=True):
        server.play(f"/{path}", redirect(following))
    assert "more than 3" in failure(client, server.url("/a")).message
    assert server.count() == 4


def test_a_redirect_may_lead_back(server: ScriptedServer, client: HttpClient) -> None:
    """A gate that sends the client away, and then lets it in without any cookie."""
    server.play("/a", redirect("/gate"), Reply(body=BODY))
    server.play("/gate", redirect("/a"))
    assert get(client, server.url("/a"))[0] == BODY


@pytest.mark.parametrize(("second", "is_followed"), [("/b", True), ("/c", False)])
def test_two_locations(
    server: ScriptedServer, client: HttpClient, second: str, *, is_followed: bool
) -> None:
    """The same twice is one; two that differ are an error, and none of them is asked for."""
    server.play("/a", Reply(status=302, headers=[("Location", "/b"), ("location", second)]))
    server.play("/b", Reply(body=BODY))
    if is_followed:
        assert get(client, server.url("/a"))[0] == BODY
        return
    error = failure(client, server.url("/a"))
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
def test_a_redirect_to_nowhere(
    server: ScriptedServer, client: HttpClient, location: str
) -> None:
    """A Location that means no http(s) URL is an error, without its password; none is too."""
    server.play("/a", redirect(location), redirect(""), Reply(status=302))
    errors = [failure(client, server.url("/a")) for _ in range(3)]
    assert {error.kind for error in errors} == {ErrorKind.REDIRECT}
    assert "secret" not in errors[0].message
    assert errors[0].message.isprintable()
    assert len(errors[0].message) < 300
    assert server.count() == 3


TARGETS = [
    *(
        "/a%2fb%2FC%7e%7E~",
        "/?a[]=1&a[]=2&%5B%5D",
        "/a?",
        "/?",
        "/??",
        "//a//b//",
        "/%",
        "/%zz",
    ),
    *("/a|b[c]", "/?^`{}|\\'", "/?x=http://u:p@h/../y", "/;a=b,c:@!$&()*+", "/...", "/a/..b"),
]


@pytest.mark.parametrize("is_plain", [True, False])
def test_a_url_is_asked_for_byte_for_byte(
    server: ScriptedServer, client: HttpClient, *, is_plain: bool
) -> None:
    """Also with credentials and cookies; that is where it says that the reply came from."""
    for target in TARGETS:
        server.play(target, Reply(body=BODY))
        server.play("/from", redirect(target, cookie="" if is_plain else "a=1"))
        url = server.url(target)
        asked = url if is_plain else url.replace("//", "//user:p%40%3a@", 1)
        assert get(client, asked)[:2] == (BODY, url)
        if not target.startswith("//"):
            assert get(client, server.url("/from"))[:2] == (BODY, url)
    seen = [request for request in server.requests() if request.target != "/from"]
    assert [*dict.fromkeys(request.target for request in seen)] == TARGETS
    login = "Basic " + base64.b64encode(b"user:p@:").decode()
    assert {request.header("Authorization") for request in seen} == (
        {None} if is_plain else {None, login}
    )


USER_FIELDS: Fields = (("X-Key", "k"), ("Authorization", "Bearer t"), ("Cookie", "c=1"))
CONDITIONS: Fields = (("Range", "bytes=5-"), ("If-Range", '"v"'))


def test_the_user_s_headers_stay_with_their_origin(
    server: ScriptedServer, client: HttpClient
) -> None:
    """Redirected within it they go along, to another they don't; conditions always do."""
    with ScriptedServer({"/b": Reply(body=BODY)}) as other:
        server.play("/a", redirect("/b"))
        server.play("/b", redirect(other.url("/b")))
        get(client, server.url("/a"), USER_FIELDS, conditions=CONDITIONS)
        requests = [*server.requests(), *other.requests()]
    for name, value in USER_FIELDS:
        assert [request.header(name) for request in requests] == [value, value, None]
    for name, value in CONDITIONS:
        assert [request.header(name) for request in requests] == [value] * 3


@pytest.mark.parametrize("location", ["/b", "{origin}/b"])
def test_credentials_of_a_url_are_for_its_origin(
    server: ScriptedServer, client: HttpClient, location: str
) -> None:
    """They become Basic authorization there, also after a redirect, and nowhere else."""
    expected = "Basic " + base64.b64encode(b"user:p@ss").decode()
    with ScriptedServer({"/c": Reply(body=BODY)}) as other:
        server.play("/a", redirect(location.format(origin=server.url(""))))
        server.play("/b", redirect(other.url("/c")))
        get(client, server.url("/a").replace("//", "//us%65r:p%40ss@"))
        requests = [*server.requests(), *other.requests()]
    sent = [request.header("Authorization") for request in requests]
    assert sent == [expected, expected, None]


def test_cookies_last_for_the_run(server: ScriptedServer, client: HttpClient) -> None:
    """They go along the chain and into the next call, and not to another host."""
    server.play("/a", redirect("/b", cookie="a=1"))
    server.play(
        "/b", redirect(server.url("/c").replace("127.0.0.1", "localhost"), cookie="b=2")
    )
    server.play("/c", redirect(server.url("/d")))
    server.play("/d", Reply(body=BODY))
    get(client, server.url("/a"))
    get(client, server.url("/d"))
    cookies = [request.header("Cookie") for request in server.requests()]
    assert cookies == [None, "a=1", None, "a=1; b=2", "a=1; b=2"]


def test_cookies_come_with_a_host_in_any_case(
    server: ScriptedServer, client: HttpClient
) -> None:
    """The user's own Host is sent as it is, alone, and cookies that are set belong to it."""
    server.play("/a", redirect("/b", cookie="a=1"))
    server.play("/b", Reply(body=BODY))
    get(client, server.url("/a"), (("host", "a.test"),))
    hosts = [
        value
        for request in server.requests()
        for name, value in request.headers
        if name.lower() == "host"
    ]
    assert hosts == ["a.test"] * 2
    assert [request.header("Cookie") for request in server.requests()] == [None, "a=1"]


def test_a_reply_is_let_go_once(server: ScriptedServer, client: HttpClient) -> None:
    """To close it again spoils no call that is on its connection by then."""
    limits = AttemptLimits(timeout=PATIENT)
    bodies = {f"/{name}": name.encode() * 9 for name in "abc"}
    for path, body in bodies.items():
        server.play(path, Reply(body=body))
    first = client.open(server.url("/a"), (), conditions=(), limits=limits)
    assert b"".join(map(bytes, first.chunks())) == bodies["/a"]
    first.close()
    second = client.open(server.url("/b"), (), conditions=(), limits=limits)
    first.close()
    assert get(client, server.url("/c"))[0] == bodies["/c"]
    assert b"".join(map(bytes, second.chunks())) == bodies["/b"]
    second.close()
    assert server.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(status=304).message, Reply(status=204).message, Reply().message],
        Reply(body=bytes(8192 - len(Reply(body=bytes(8000)).head))).message,
    ],
)
def test_what_was_not_asked_for_is_no_reply(
    client: HttpClient, any_server: ScriptedServer, reply: bytes
) -> None:
    """Bytes that come after a reply never pass for the next one, TLS or not."""
    forged = Reply(body=b"forged").message
    any_server.play("/a", Raw(reply + forged, keep_alive=True))
    any_server.play("/b", Reply(body=b"next"))
    get(client, any_server.url("/a"))
    assert get(client, any_server.url("/b"))[0] == b"next"


def test_a_surplus_ends_its_connection(server: ScriptedServer, client: HttpClient) -> None:
    """More of it may be on its way."""
    server.play("/a", Raw(Reply(body=BODY).message + b"more", keep_alive=True))
    server.play("/b", Reply(body=b"next"))
    assert get(client, server.url("/a"))[0] == BODY
    assert get(client, server.url("/b"))[0] == b"next"
    assert server.connections == 2


class Call(threading.Thread):
    """A call without a timeout, in a thread of its own; then the error that it ended with."""

    def __init__(self, client: HttpClient, url: str) -> None:
        super().__init__(daemon=True)
        self.has_reply = threading.Event()
        self.error: AttemptError | None = None
        self._client, self._url = client, url

    def run(self) -> None:
        try:
            reply = self._client.open(
                self._url, (), conditions=(), limits=AttemptLimits(timeout=0)
            )
            self.has_reply.set()
            all(reply.chunks())
        except AttemptError as error:
            self.error = error

    def kind_after_abort(self) -> ErrorKind | None:
        """Abort it, and see that it ends."""
        self._client.control.abort()
        self.join(10.0)
        assert not self.is_alive()
        return self.error.kind if self.error else None


@pytest.fixture(params=["http", "https"])
def any_server(request: pytest.FixtureRequest) -> ScriptedServer:
    """A server with or without TLS, which is trusted."""
    name = "server" if request.param == "http" else "tls_server"
    running: ScriptedServer = request.getfixturevalue(name)
    return running


@pytest.mark.parametrize("is_reused", [False, True])
@pytest.mark.parametrize("length", [0, 20, len(CHUNKED.head), len(SHORT)])
def test_a_stalled_call_can_be_aborted(
    client: HttpClient, any_server: ScriptedServer, is_reused: bool, length: int
) -> None:
    """Before the headers, within them, and in the body; on a new connection or a kept one."""
    any_server.play("/a", Raw(CHUNKED.message, Stall(length)))
    for _ in range(is_reused):
        get(client, any_server.url("/b"))
    call = Call(client, any_server.url("/a"))
    call.start()
    any_server.wait_for_requests(1, "/a")
    assert length < len(CHUNKED.head) or call.has_reply.wait(PATIENT)
    assert call.kind_after_abort() is ErrorKind.INTERRUPTED
    assert failure(client, any_server.url("/a")).kind is ErrorKind.INTERRUPTED


def test_a_handshake_can_be_aborted(client: HttpClient, tls_context: ssl.SSLContext) -> None:
    """A server that never answers the first message of TLS holds nobody for ever."""
    with ScriptedServer(tls=tls_context, silent=True) as silent:
        call = Call(client, silent.url("/a"))
        call.start()
        silent.wait_for_connections(1)
        assert call.kind_after_abort() is ErrorKind.INTERRUPTED


def test_an_abort_may_come_at_any_time(server: ScriptedServer, client: HttpClient) -> None:
    """Before a call it lets none begin; after the head, not even a whole body is a success."""
    server.play("/a", Reply(body=BODY))
    reply = client.open(
        server.url("/a"), (), conditions=(), limits=AttemptLimits(timeout=PATIENT)
    )
    client.control.abort()
    with pytest.raises(AttemptError) as caught:
        list(reply.chunks())
    reply.close()
    assert caught.value.kind is ErrorKind.INTERRUPTED
    assert failure(client, server.url("/a")).kind is ErrorKind.INTERRUPTED
    assert server.count() == 1
    client.close()
    client.control.abort()


@pytest.mark.parametrize(
    ("host", "is_trusted"), [("127.0.0.1", True), ("127.0.0.1", False), ("other.test", True)]
)
def test_a_certificate_must_be_trusted_and_for_this_host(
    client: HttpClient, ca: trustme.CA, host: str, is_trusted: bool
) -> None:
    """REQUESTS_CA_BUNDLE says who is trusted; without trust no request is even sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca if is_trusted else trustme.CA()).issue_cert(host).configure_cert(context)
    with ScriptedServer({"/a": Reply(body=BODY)}, tls=context) as server:
        if host == "127.0.0.1" and is_trusted:
            assert get(client, server.url("/a")) == (BODY, server.url("/a"), True)
        else:
            assert failure(client, server.url("/a")).kind is ErrorKind.CERTIFICATE
            assert server.count() == 0


def test_the_libraries_call_what_is_overridden(
    client: HttpClient, any_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 and http.client still come through all the hooks, some of them private.

    Without one a connection could not be cut, or a broken reply would pass for a whole one.
    """
    calls: Counter[str] = Counter()

    def spy(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    for name in ("_new_conn", "request", "read_response"):
        spy(AbortableConnection, name)
    for name in ("begin", "read1"):
        spy(StrictResponse, name)
    any_server.play("/a", Reply(body=BODY))
    for _ in range(2):
        get(client, any_server.url("/a"))
    assert calls.pop("read1") >= 2
    assert calls == {"_new_conn": 1, "request": 2, "read_response": 2, "begin": 2}
