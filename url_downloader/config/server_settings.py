"""Settings of requests to servers. Their repr has no secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.config.proxies import parse_proxy
from url_downloader.config.values import UNSENT, is_field_value, parse_field
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Settings of requests to servers.

    Args:
        headers: Header fields of each request, as (name, value) pairs. The headers of a list
            entry override them.
        user_agent: Value of the User-Agent field.
        referer: Value of the Referer field; None = no such field.
        cookies: Path of a file of cookies in Netscape's format; None = no such file.
        keeps_cookies: Whether cookies that servers set are kept for the run.
        netrc: Path of a netrc file; None = the one of the environment.
        uses_netrc: Whether logins are read from a netrc file.
        proxy: URL of the proxy for all servers; None = the ones of the environment.
        is_verified: Whether the certificates of servers are checked.
        ca_cert: Path of a file or directory of trusted authorities; None = those of the
            environment, or else those of requests.
        cert: Path of the client's certificate, PEM; None = no certificate.
        key: Path of this certificate's key, PEM; None = the key is in the same file.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    user_agent: str = f"url-downloader/{__version__}"
    referer: str | None = field(default=None, repr=False)
    cookies: Path | None = None
    keeps_cookies: bool = True
    netrc: Path | None = None
    uses_netrc: bool = True
    proxy: str | None = field(default=None, repr=False)
    is_verified: bool = True
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        for name, value in self.headers:
            try:
                parse_field(f"{name}:{value}")
            except ValueError as error:
                raise ConfigError(f"--header: {error}") from None
        for flag, text in (("--user-agent", self.user_agent), ("--referer", self.referer)):
            if text is not None and not is_field_value(text):
                raise ConfigError(f"{flag}: {UNSENT}")
        if self.proxy is not None:
            try:
                parse_proxy(self.proxy)
            except ValueError as error:
                raise ConfigError(f"--proxy: the URL can't be used: {error}") from None
        if self.key is not None and self.cert is None:
            raise ConfigError("--key: needs --cert, the certificate of the key")
