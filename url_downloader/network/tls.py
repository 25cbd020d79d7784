"""TLS contexts: the trusted authorities and the client's certificate, each read once."""

from __future__ import annotations

import functools
import os
import re
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.ssltransport import SSLTransport

from url_downloader.config.server_settings import ServerSettings
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError, InputError
from url_downloader.shared.models import ErrorKind

# Guards the cache of _ssl_context. It is held while a CA bundle is read, so that no second
# thread reads the same bundle.
_ssl_context_lock = threading.Lock()


class TlsConfig(NamedTuple):
    """TLS configuration: trusted authorities, and the client's certificate.

    Args:
        bundle: File or directory with authorities; None if only `folders` is set.
        folders: More directories with authorities, separated by colons.
        source: Environment variable that names the authorities, for messages; None if no
            variable does.
        is_verified: Whether the certificates of servers are checked.
        cert: File with the client's certificate; None without one.
        key: File with the key of this certificate; None if it is in the same file.
    """

    bundle: Path | None = Path(DEFAULT_CA_BUNDLE_PATH)
    folders: str | None = None
    source: str | None = None
    is_verified: bool = True
    cert: Path | None = None
    key: Path | None = None

    @property
    def anonymous(self) -> TlsConfig:
        """Return the same configuration without the client's certificate."""
        return self._replace(cert=None, key=None)


class TlsWithinTls(SSLTransport):
    """TLS to a server within the TLS of a proxy. The handshake is done when it is made.

    Args:
        outer: TLS connection to the proxy, in which a tunnel to the server begins.
        context: TLS context for the server.
        name: Name of the server, as its certificate has it.

    Threads: one at a time.
    """

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, *, name: str) -> None:
        super().__init__(outer, context, server_hostname=name, suppress_ragged_eofs=False)
        self._outer = outer

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        """Wait for bytes and return at most `size`; none at the end of the stream."""
        # Without a buffer to fill, the result is never a number.
        return cast("bytes", super().recv(size, flags))

    def pending(self) -> int:
        """Return the number of bytes that were taken from the socket, and not read yet."""
        return self.sslobj.pending() + self.incoming.pending + self._outer.pending()


def tls_config(
    settings: ServerSettings, *, should_stop: Callable[[], bool] = lambda: False
) -> TlsConfig:
    """Return the TLS configuration of the settings, completed by the environment.

    Args:
        settings: Settings for the communication with servers.
        should_stop: Returns whether the run has to end; if so, errors of files are ignored,
            because a signal may have interrupted the reading.

    Raises:
        InputError: A file that the settings name can't be used.
    """
    base = (
        TlsConfig(bundle=settings.ca_cert) if settings.ca_cert else _tls_config_of_environment()
    )
    tls = base._replace(is_verified=settings.is_verified, cert=settings.cert, key=settings.key)
    # Files of the user are checked now. The default bundle is read on first use: it is large.
    if settings.ca_cert or settings.cert:
        try:
            ssl_context(tls)
        except AttemptError as error:
            if not should_stop():
                raise InputError(str(error)) from error
        except OSError as error:
            raise InputError(f"the certificates can't be read: {error.strerror}") from error
    return tls


def _tls_config_of_environment() -> TlsConfig:
    """Return the authorities that the environment names.

    The variables of `requests` and curl have priority over the two of OpenSSL.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := os.environ.get(name):
            return TlsConfig(bundle=Path(bundle), source=name)
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folders:
        return TlsConfig()
    source = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
    return TlsConfig(
        bundle=Path(file) if file else None, folders=folders or None, source=source
    )


def ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    """Return the TLS context for a configuration, shared by all workers.

    It is cached, because reading a CA bundle takes long.

    Raises:
        AttemptError: A file can't be used.
        OSError: A file can't be opened now, because too many are open.
    """
    with _ssl_context_lock:
        return _ssl_context(tls)


@functools.lru_cache(maxsize=16)
def _ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.set_alpn_protocols(["http/1.1"])
    if tls.is_verified:
        _load_authorities(context, tls)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        _load_certificate(context, tls.cert, key=tls.key or tls.cert)
    return context


def _load_authorities(context: ssl.SSLContext, tls: TlsConfig) -> None:
    named = f"{tls.source}: " if tls.source else ""
    try:
        if tls.bundle is not None and tls.bundle.is_dir():
            context.load_verify_locations(capath=tls.bundle)
        elif tls.bundle is not None:
            context.load_verify_locations(cafile=tls.bundle)
    except OSError as error:
        message = f"{named}the CA bundle {tls.bundle} can't be read"
        raise _failure(message, error) from error
    if tls.folders is None:
        return
    # OpenSSL treats a missing directory as an empty one.
    if tls.bundle is None and not any(map(os.path.isdir, tls.folders.split(os.pathsep))):
        message = f"SSL_CERT_DIR: {tls.folders} is not a directory"
        raise AttemptError(ErrorKind.CERTIFICATE, message)
    context.load_verify_locations(capath=tls.folders)


def _load_certificate(context: ssl.SSLContext, cert: Path, *, key: Path) -> None:
    def refuse() -> str:
        raise ValueError(
            f"the key in {key} is encrypted; openssl pkey -in {key} -out FILE makes a plain one"
        )

    for path in {cert, key}:
        try:
            # A FIFO is left out, because its writer would fail when it is closed here.
            if not path.is_fifo():
                path.open("rb").close()
        except OSError as error:
            raise _failure(f"{_without_password(path)} can't be read", error) from error
    try:
        # Without `refuse`, OpenSSL would ask for a password on the terminal.
        context.load_cert_chain(cert, key, password=refuse)
    except ValueError as error:
        raise AttemptError(ErrorKind.CERTIFICATE, str(error)) from error
    except OSError as error:
        message = f"no certificate with its key, in PEM format, is in {cert} and {key}"
        raise _failure(message, error) from error


def _without_password(path: Path) -> str:
    """Return the path for a message; of curl's notation FILE:PASSWORD only FILE is shown."""
    return re.sub(r"(?s)(?<=..):.+", ":*** (a password is not taken)", str(path), count=1)


def _failure(message: str, error: OSError) -> Exception:
    """Return the error to raise: the OSError itself if the cause is too many open files."""
    if error.errno in NO_DESCRIPTORS:
        return error
    return AttemptError(ErrorKind.CERTIFICATE, f"{message}: {error.strerror}")
