"""The settings of the talk with servers. What is secret in them is in no repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.config.proxies import parse_proxy
from url_downloader.config.values import UNSENT, is_field_value, parse_field
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How servers are talked to, and as whom.

    Args:
        headers: (name, value) pairs for each request; those of a list entry beat them.
        user_agent: what the program calls itself.
        referer: where the links are said to come from.
        cookies: a file in Netscape's format.
        keeps_cookies: whether those that servers set are kept for the run.
        netrc: a file with logins in place of the one that is found by itself.
        uses_netrc: whether any such file is looked at.
        proxy: URL of the one for all servers; None = what the environment says.
        is_verified: whether servers must prove who they are.
        ca_cert: file or directory of the authorities to trust; None = what the environment
            says, or those that requests brings.
        cert: the client's certificate, PEM.
        key: its key, if it is not in the same file.
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
            raise ConfigError("--key: needs --cert, the certificate that it belongs to")
