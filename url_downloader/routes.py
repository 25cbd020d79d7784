"""How an origin is reached: what the settings, and then the environment, say of it."""

from __future__ import annotations

import functools
import netrc
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from requests.utils import get_environ_proxies, get_netrc_auth, select_proxy

from url_downloader.origins import Login, Origin, url_of
from url_downloader.server_settings import ServerSettings
from url_downloader.shared.errors import InputError


class Route(NamedTuple):
    """Through what an origin is reached, and as whom.

    Args:
        proxies: by scheme; none if the way is direct.
        login: for a request that has none.
    """

    proxies: Mapping[str, str]
    login: Login | None


class Routes:
    """Finds routes, each once: that costs more than a request.

    Args:
        settings: what the user asked for.

    Raises:
        InputError: the file with the logins can't be used.

    Threads: any.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._proxy = settings.proxy
        self._uses_netrc = settings.uses_netrc
        self._netrc = _read_netrc(settings.netrc) if settings.netrc else None
        self.route_to = functools.lru_cache(maxsize=1024)(self._find)

    def _find(self, origin: Origin) -> Route:
        url = url_of(origin)
        proxies = (
            {"http": self._proxy, "https": self._proxy}
            if self._proxy
            else get_environ_proxies(url)
        )
        is_direct = select_proxy(url, proxies) is None
        return Route(proxies={} if is_direct else proxies, login=self._login(origin))

    def _login(self, origin: Origin) -> Login | None:
        if not self._uses_netrc:
            return None
        if self._netrc is None:
            return get_netrc_auth(url_of(origin))
        found = self._netrc.authenticators(origin[1] or "")
        if not found:
            return None
        name, account, password = found
        return name or account or "", password or ""


def _read_netrc(path: Path) -> netrc.netrc:
    try:
        return netrc.netrc(str(path))
    except netrc.NetrcParseError as error:
        # Its message is not shown: it may hold a password.
        message = f"{path}:{error.lineno}: the logins can't be read: not the format of .netrc"
        raise InputError(message) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: the logins can't be read: not UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: the logins can't be read: {error.strerror}") from error
