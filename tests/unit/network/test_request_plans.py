"""Plans of requests: the header fields that each origin gets, and the way to it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from url_downloader.config.netrc import NetrcEntry
from url_downloader.config.server_settings import ServerSettings
from url_downloader.network.logins import Logins
from url_downloader.network.request_plans import Hop, RequestPlan, RequestPlans, next_hop
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Fields
from url_downloader.shared.url_parts import Login, Origin

pytestmark = pytest.mark.usefixtures("bare_environment")

HTTP: Origin = ("http", "h", 80)
HTTPS: Origin = ("https", "h", 443)
FIRST = Hop(HTTP)
LOGINS = Logins(
    [
        NetrcEntry(b"h", b"ann", b"1"),
        NetrcEntry(b"h", b"bob", b"2"),
        NetrcEntry(None, b"eve", b"3"),
    ]
)


def plan_for(
    each: Hop,
    settings: ServerSettings | None = None,
    *,
    logins: Logins | None = None,
    headers: Fields = (),
    conditions: Fields = (),
) -> RequestPlan:
    """Return the plan of a request."""
    settings = settings or ServerSettings()
    plans = RequestPlans(settings, logins or Logins())
    return plans.plan(each, headers, conditions=conditions)


def fields_of(plan: RequestPlan) -> dict[str, str]:
    """Return the header fields of a plan; each name is there once."""
    lines = plan.fields.decode("latin-1").split("\r\n")
    assert lines.pop() == ""
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def basic(login: str) -> str:
    """Return the value of the field that sends a login."""
    return "Basic " + base64.b64encode(login.encode()).decode()


def test_the_fields_of_every_request() -> None:
    """Host comes first (RFC 9110 §7.2), and the file is asked for as it is stored."""
    fields = fields_of(plan_for(FIRST, ServerSettings(user_agent="me/1")))
    assert list(fields.items()) == [
        ("Host", "h"),
        ("User-Agent", "me/1"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
    ]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (("http", "h", 80), "h"),
        (("http", "h", 443), "h:443"),
        (("https", "h", 443), "h"),
        (("https", "h", 80), "h:80"),
        (("http", "::1", 80), "[::1]"),
        (("http", "::1", 8080), "[::1]:8080"),
    ],
)
def test_the_host(origin: Origin, host: str) -> None:
    """Host has the port unless it is the scheme's own, and IPv6 addresses in brackets."""
    assert fields_of(plan_for(Hop(origin)))["Host"] == host


def test_fields_in_their_order_of_priority() -> None:
    """Fields of the list replace the user's, and these the program's; conditions are last."""
    fields = fields_of(
        plan_for(
            FIRST,
            ServerSettings(headers=(("accept", "a"), ("X-A", "1"), ("X-B", "1"))),
            headers=(("x-b", "2"), ("Host", "other"), ("Range", "bytes=9-")),
            conditions=(("Range", "bytes=5-"),),
        )
    )
    assert fields == {
        "Host": "other",
        "User-Agent": ServerSettings().user_agent,
        "accept": "a",
        "Accept-Encoding": "identity",
        "X-A": "1",
        "x-b": "2",
        "Range": "bytes=5-",
    }


def test_an_origin_that_is_not_trusted() -> None:
    """Another origin gets the program's fields and the conditions, none of the user's."""
    settings = ServerSettings(headers=(("X-A", "1"),), user_agent="me/1", referer="http://r/")
    fields = fields_of(
        plan_for(
            Hop(HTTP, is_trusted=False, is_first_origin=False),
            settings,
            headers=(("Authorization", "Bearer t"), ("Cookie", "a=1")),
            conditions=(("If-Range", '"v"'),),
        )
    )
    assert fields == {
        "Host": "h",
        "User-Agent": "me/1",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Referer": "http://r/",
        "If-Range": '"v"',
    }


@pytest.mark.parametrize(
    ("origin", "was_secure", "is_sent"),
    [(HTTP, False, True), (HTTPS, True, True), (HTTP, True, False)],
)
def test_the_referer(origin: Origin, *, was_secure: bool, is_sent: bool) -> None:
    """No Referer goes in the clear after a secure request (RFC 9110 §10.1.3)."""
    settings = ServerSettings(referer="http://r/?a")
    fields = fields_of(plan_for(Hop(origin, was_secure=was_secure), settings))
    assert fields.get("Referer") == ("http://r/?a" if is_sent else None)


@pytest.mark.parametrize(
    ("headers", "has_cookie"),
    [((), False), ((("cookie", "a=1"),), True), ((("X", "1"),), False)],
)
def test_a_cookie_of_the_user(headers: Fields, *, has_cookie: bool) -> None:
    """A plan tells whether the user sends cookies, which replace those of the run."""
    assert plan_for(FIRST, headers=headers).has_cookie is has_cookie
    assert not plan_for(Hop(HTTP, is_trusted=False), headers=headers).has_cookie
    of_settings = plan_for(FIRST, ServerSettings(headers=headers))
    assert of_settings.has_cookie is has_cookie


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ((b"ann", b"S3CRET"), basic("ann:S3CRET")),
        ((b"ann", b""), basic("ann:")),
        ((b"ann", None), basic("ann:")),
        ((b"", b""), basic(":")),
        (("\xe4".encode(), "\u20ac".encode()), basic("\xe4:\u20ac")),
        (None, None),
    ],
)
def test_a_login(login: Login | None, sent: str | None) -> None:
    """The login of a URL is sent as Basic authentication, byte for byte (RFC 7617)."""
    assert fields_of(plan_for(Hop(HTTP, login))).get("Authorization") == sent


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_an_authorization_of_the_user(name: str) -> None:
    """The user's own Authorization is sent in place of any login."""
    of_job: Fields = ((name, "Bearer t"),)
    asked = Hop(HTTP, (b"ann", b"1"))
    for plan in (
        plan_for(asked, logins=LOGINS, headers=of_job),
        plan_for(asked, ServerSettings(headers=of_job), logins=LOGINS),
    ):
        fields = {key.lower(): value for key, value in fields_of(plan).items()}
        assert fields["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        (None, "ann:1"),
        ((b"bob", None), "bob:2"),
        ((b"bob", b"own"), "bob:own"),
        ((b"bob", b""), "bob:"),
        ((b"unknown", None), "unknown:"),
    ],
)
def test_a_login_of_netrc(login: Login | None, sent: str) -> None:
    """netrc gives the login, or the password of the user in the URL, but replaces none."""
    assert fields_of(plan_for(Hop(HTTP, login), logins=LOGINS))["Authorization"] == basic(sent)


def test_a_login_of_netrc_for_another_origin() -> None:
    """After a redirect, netrc gives a login for the host itself, also if it is not trusted."""
    other = Hop(HTTP, is_trusted=False, is_first_origin=False)
    assert fields_of(plan_for(other, logins=LOGINS))["Authorization"] == basic("ann:1")


@pytest.mark.parametrize("is_first", [True, False])
def test_the_default_login_is_for_the_first_origin(*, is_first: bool) -> None:
    """The default entry of netrc fits all hosts; no host gets it because of a redirect."""
    other = Hop(("http", "other", 80), is_first_origin=is_first)
    sent = fields_of(plan_for(other, logins=LOGINS)).get("Authorization")
    assert sent == (basic("eve:3") if is_first else None)


@pytest.mark.parametrize("login", [None, (b"bob", None)])
def test_no_password_of_netrc_in_the_clear_after_https(login: Login | None) -> None:
    """A redirect from https to http gets no password of netrc, as the user meant https."""
    downgraded = Hop(HTTP, login, was_secure=True, is_first_origin=False)
    sent = fields_of(plan_for(downgraded, logins=LOGINS)).get("Authorization")
    assert sent == (None if login is None else basic("bob:"))
    secure = Hop(HTTPS, login, is_first_origin=False)
    assert fields_of(plan_for(secure, logins=LOGINS))["Authorization"] != sent


def test_a_login_in_a_url_in_the_clear_after_https() -> None:
    """A login that a redirect itself names is sent, also in the clear."""
    downgraded = Hop(HTTP, (b"ann", b"x"), was_secure=True)
    assert fields_of(plan_for(downgraded, logins=LOGINS))["Authorization"] == basic("ann:x")


def test_a_direct_request() -> None:
    """Without a proxy, the target is path and query alone."""
    for origin in (HTTP, HTTPS):
        plan = plan_for(Hop(origin))
        assert (plan.prefix, plan.route.origin, plan.route.proxy) == ("", origin, None)


@pytest.mark.parametrize(
    ("origin", "prefix"),
    [
        (("http", "h", 80), "http://h"),
        (("http", "h", 8080), "http://h:8080"),
        (("http", "::1", 80), "http://[::1]"),
    ],
)
def test_a_request_that_a_proxy_forwards(origin: Origin, prefix: str) -> None:
    """A proxy gets the whole URL without a login, and its own login (RFC 9112 §3.2.2)."""
    settings = ServerSettings(proxy="http://u:S3CRET@p:3128")
    plan = plan_for(Hop(origin, (b"ann", b"1")), settings)
    fields = fields_of(plan)
    assert (plan.prefix, plan.route.is_forwarded) == (prefix, True)
    assert fields["Proxy-Authorization"] == basic("u:S3CRET")
    assert fields["Authorization"] == basic("ann:1")
    assert fields["Host"] == prefix.removeprefix("http://")


@pytest.mark.parametrize("proxy", ["http://u:S3CRET@p:3128", "socks5://u:S3CRET@p"])
def test_what_a_proxy_does_not_forward(proxy: str) -> None:
    """A server behind a tunnel never gets the login of the proxy."""
    plan = plan_for(Hop(HTTPS), ServerSettings(proxy=proxy))
    assert (plan.prefix, plan.route.is_forwarded) == ("", False)
    assert "Proxy-Authorization" not in fields_of(plan)
    assert plan.route.proxy is not None


@pytest.mark.parametrize(
    ("origin", "is_trusted", "shows_cert"),
    [(HTTPS, True, True), (HTTPS, False, False), (HTTP, True, False)],
)
def test_who_sees_the_certificate(
    origin: Origin, *, is_trusted: bool, shows_cert: bool
) -> None:
    """The client's certificate is for trusted https origins alone."""
    settings = ServerSettings(cert=Path("cert.pem"))
    plan = plan_for(Hop(origin, is_trusted=is_trusted), settings)
    assert plan.route.shows_cert is shows_cert
    assert not plan_for(Hop(origin, is_trusted=is_trusted)).route.shows_cert


def test_an_invalid_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid variable fails the attempts that need it; its value is not shown."""
    monkeypatch.setenv("http_proxy", "ftp://u:S3CRET@p")
    with pytest.raises(AttemptError, match="http_proxy") as caught:
        plan_for(FIRST)
    assert caught.value.kind is ErrorKind.PROXY_REFUSED
    assert "S3CRET" not in caught.value.message
    assert plan_for(Hop(HTTPS)).route.proxy is None


def test_equal_requests_share_a_plan() -> None:
    """A plan is made once for equal requests, and another one for each difference."""
    plans = RequestPlans(ServerSettings(), Logins())
    first = plans.plan(FIRST, (), conditions=())
    assert plans.plan(FIRST, (), conditions=()) is first
    assert plans.plan(Hop(HTTP, (b"ann", b"1")), (), conditions=()) != first
    assert plans.plan(FIRST, (("X", "1"),), conditions=()) != first
    assert plans.plan(FIRST, (), conditions=(("Range", "bytes=5-"),)) != first


LOGIN = (b"ann", b"1")


@pytest.mark.parametrize(
    ("url", "trusts_all", "expected"),
    [
        ("https://h/b", False, Hop(HTTPS, LOGIN, was_secure=True)),
        ("https://h/b", True, Hop(HTTPS, LOGIN, was_secure=True)),
        ("https://h:443/b", False, Hop(HTTPS, LOGIN, was_secure=True)),
        ("https://bob:2@h/b", False, Hop(HTTPS, (b"bob", b"2"), was_secure=True)),
        ("https://o/", False, Hop(("https", "o", 443), None, False, False, True)),
        ("https://o/", True, Hop(("https", "o", 443), LOGIN, True, False, True)),
        ("https://b:2@o/", False, Hop(("https", "o", 443), (b"b", b"2"), False, False, True)),
        ("http://h/b", False, Hop(HTTP, None, False, False, True)),
        ("https://h:444/", False, Hop(("https", "h", 444), None, False, False, True)),
    ],
)
def test_the_hop_after_a_redirect(url: str, expected: Hop, *, trusts_all: bool) -> None:
    """Only the first origin is trusted, unless all are; only trusted ones get the login."""
    first = Hop(HTTPS, LOGIN)
    assert next_hop(first, url, first=first, trusts_all=trusts_all) == expected


def test_a_chain_that_comes_back() -> None:
    """Back at the first origin, the request is as trusted as the first one."""
    first = last = Hop(HTTP, LOGIN)
    chain = []
    for url in ("https://o/", "http://o/", "http://h/"):
        last = next_hop(last, url, first=first, trusts_all=False)
        chain.append((last.login, last.is_trusted, last.is_downgraded))
    assert chain == [(None, False, False), (None, False, True), (LOGIN, True, True)]
