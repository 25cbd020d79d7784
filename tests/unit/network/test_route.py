"""Routes of requests: which requests can use the same connection."""

from __future__ import annotations

import pytest

from url_downloader.config.proxies import Proxy, parse_proxy
from url_downloader.network.route import Route, route_to
from url_downloader.shared.url_parts import Origin

HTTP: Origin = ("http", "h", 80)
HTTPS: Origin = ("https", "h", 443)
PROXY = parse_proxy("http://p:3128")
TLS_PROXY = parse_proxy("https://p:3128")
SOCKS_PROXY = parse_proxy("socks5://p")


@pytest.mark.parametrize("origin", [HTTP, HTTPS])
@pytest.mark.parametrize("proxy", [None, SOCKS_PROXY])
def test_a_route_of_its_own(origin: Origin, proxy: Proxy | None) -> None:
    """Without a proxy, and with a SOCKS proxy, each origin has a route of its own."""
    route = route_to(origin, proxy=proxy, shows_cert=False)
    assert route == Route(origin, proxy)
    assert not route.is_forwarded


@pytest.mark.parametrize("proxy", [PROXY, TLS_PROXY])
def test_what_a_proxy_forwards(proxy: Proxy) -> None:
    """An HTTP proxy forwards requests for any http origin over the same connection."""
    origins: list[Origin] = [HTTP, ("http", "other", 80), ("http", "h", 8080)]
    routes = {route_to(origin, proxy=proxy, shows_cert=False) for origin in origins}
    assert len(routes) == 1
    [route] = routes
    assert (route.is_forwarded, route.proxy) == (True, proxy)


@pytest.mark.parametrize("proxy", [PROXY, TLS_PROXY])
def test_what_goes_through_a_tunnel(proxy: Proxy) -> None:
    """A tunnel through an HTTP proxy leads to one https origin."""
    route = route_to(HTTPS, proxy=proxy, shows_cert=False)
    assert route == Route(HTTPS, proxy)
    assert not route.is_forwarded


@pytest.mark.parametrize("proxy", [None, PROXY, SOCKS_PROXY])
def test_the_certificate_of_the_client(proxy: Proxy | None) -> None:
    """A connection that showed the client's certificate serves no other requests."""
    shown, hidden = (route_to(HTTPS, proxy=proxy, shows_cert=is_so) for is_so in (True, False))
    assert (shown.shows_cert, hidden.shows_cert) == (True, False)
    assert shown != hidden


@pytest.mark.parametrize("proxy", [None, PROXY, TLS_PROXY, SOCKS_PROXY])
def test_without_tls_no_certificate_is_shown(proxy: Proxy | None) -> None:
    """In the clear there is no certificate, so that all requests share connections."""
    assert not route_to(HTTP, proxy=proxy, shows_cert=True).shows_cert


def test_other_proxies_are_other_routes() -> None:
    """A connection to a proxy serves only requests through it, with the same login."""
    texts = ("http://p:3128", "http://u:1@p:3128", "http://u:2@p:3128", "https://p:3128", "q")
    for origin in (HTTP, HTTPS):
        routes = {route_to(origin, proxy=parse_proxy(text), shows_cert=False) for text in texts}
        assert len(routes) == len(texts)
