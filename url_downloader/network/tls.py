"""Whom this program trusts, and as whom it is known itself: TLS contexts, read once."""

from __future__ import annotations

import functools
import os
import re
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util.ssl_ import create_urllib3_context

from url_downloader.config.server_settings import ServerSettings
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError, InputError
from url_downloader.shared.models import ErrorKind

# Guards the cache of _ssl_context; held while a bundle is read, so that it is read once.
_ssl_context_lock = threading.Lock()


class TlsConfig(NamedTuple):
    """Whom to trust, and what to show.

    Args:
        bundle: file or directory with authorities; None if there is `folders` alone.
        folders: more directories with authorities, with colons between.
        source: what names them in the environment, if it does.
        is_verified: whether servers must prove who they are.
        cert: the client's certificate.
        key: its key, if it is not in the same file.
    """

    bundle: Path | None = Path(DEFAULT_CA_BUNDLE_PATH)
    folders: str | None = None
    source: str | None = None
    is_verified: bool = True
    cert: Path | None = None
    key: Path | None = None

    @property
    def anonymous(self) -> TlsConfig:
        """The same without a certificate of one's own."""
        return self._replace(cert=None, key=None)


def tls_config(
    settings: ServerSettings, *, should_stop: Callable[[], bool] = lambda: False
) -> TlsConfig:
    """Return the settings' choice, and else that of the environment.

    Args:
        settings: for the talk with servers.
        should_stop: True means that a signal, which ends the run, ended the wait for a FIFO.

    Raises:
        InputError: a file that the settings name can't be used.
    """
    known = (
        TlsConfig(bundle=settings.ca_cert) if settings.ca_cert else _tls_config_of_environment()
    )
    tls = known._replace(is_verified=settings.is_verified, cert=settings.cert, key=settings.key)
    # The others are read when they are needed: that takes a while.
    if settings.ca_cert or settings.cert:
        try:
            ssl_context(tls)
        except AttemptError as error:
            if not should_stop():
                raise InputError(str(error)) from error
    if not settings.is_verified:
        urllib3.disable_warnings(InsecureRequestWarning)
    return tls


def _tls_config_of_environment() -> TlsConfig:
    """Return what the variables of requests and curl say, else OpenSSL's, a pair."""
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
    """One context per trust for all workers: reading a CA bundle is dear.

    A second one, made at the same time, would be another key in the pools of connections.

    Raises:
        AttemptError: a file can't be used.
    """
    with _ssl_context_lock:
        return _ssl_context(tls)


@functools.lru_cache(maxsize=16)
def _ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    context = create_urllib3_context()
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
    # OpenSSL takes what is not there for an empty directory.
    if tls.bundle is None and not any(map(os.path.isdir, tls.folders.split(os.pathsep))):
        message = f"SSL_CERT_DIR: {tls.folders} is no directory"
        raise AttemptError(ErrorKind.CERTIFICATE, message)
    context.load_verify_locations(capath=tls.folders)


def _load_certificate(context: ssl.SSLContext, cert: Path, *, key: Path) -> None:
    def refuse() -> str:
        raise ValueError(
            f"the key in {key} is encrypted; openssl pkey -in {key} -out FILE makes a plain one"
        )

    for path in {cert, key}:
        try:
            # Whoever is about to write to a FIFO would be left without a reader.
            if not path.is_fifo():
                path.open("rb").close()
        except OSError as error:
            raise _failure(f"{_without_password(path)} can't be read", error) from error
    try:
        # Without `refuse`, OpenSSL would ask on the terminal.
        context.load_cert_chain(cert, key, password=refuse)
    except ValueError as error:
        raise AttemptError(ErrorKind.CERTIFICATE, str(error)) from error
    except OSError as error:
        message = f"no certificate with its key, in PEM format, is in {cert} and {key}"
        raise _failure(message, error) from error


def _without_password(path: Path) -> str:
    """Return how a path is shown that is none: what curl takes is FILE:PASSWORD."""
    return re.sub(r"(?s)(?<=..):.+", ":*** (a password is not taken)", str(path), count=1)


def _failure(message: str, error: OSError) -> Exception:
    """What to raise: a lack of descriptors is no fault of the file's."""
    if error.errno in NO_DESCRIPTORS:
        return error
    return AttemptError(ErrorKind.CERTIFICATE, f"{message}: {error.strerror}")
