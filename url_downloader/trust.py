"""Whom this program trusts, and as whom it is known itself: TLS contexts, read once."""

from __future__ import annotations

import functools
import os
import ssl
import threading
from pathlib import Path
from typing import NamedTuple

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util.ssl_ import create_urllib3_context

from url_downloader.server_settings import ServerSettings
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError, InputError
from url_downloader.shared.models import ErrorKind

# Guards the cache of _ssl_context; held while a bundle is read, so that it is read once.
_ssl_context_lock = threading.Lock()


class Trust(NamedTuple):
    """Whom to trust, and what to show.

    Args:
        bundle: file or directory with authorities.
        is_verified: whether servers must prove who they are.
        cert: the client's certificate.
        key: its key, if it is not in the same file.
    """

    bundle: Path = Path(DEFAULT_CA_BUNDLE_PATH)
    is_verified: bool = True
    cert: Path | None = None
    key: Path | None = None

    @property
    def anonymous(self) -> Trust:
        """The same without a certificate of one's own."""
        return Trust(bundle=self.bundle, is_verified=self.is_verified)


def trust_of(settings: ServerSettings) -> Trust:
    """What the settings say, and then the environment, as requests reads it.

    Raises:
        InputError: a file that the settings name can't be used.
    """
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    trust = Trust(
        bundle=settings.ca_cert or Path(environment or DEFAULT_CA_BUNDLE_PATH),
        is_verified=settings.is_verified,
        cert=settings.cert,
        key=settings.key,
    )
    # The others are read when they are needed: that takes a while.
    if settings.ca_cert or settings.cert:
        try:
            ssl_context(trust)
        except AttemptError as error:
            raise InputError(str(error)) from error
    if not settings.is_verified:
        urllib3.disable_warnings(InsecureRequestWarning)
    return trust


def ssl_context(trust: Trust) -> ssl.SSLContext:
    """One context per trust for all workers: reading a CA bundle is dear.

    A second one, made at the same time, would be another key in the pools of connections.

    Raises:
        AttemptError: a file can't be used.
    """
    with _ssl_context_lock:
        return _ssl_context(trust)


@functools.lru_cache(maxsize=16)
def _ssl_context(trust: Trust) -> ssl.SSLContext:
    context = create_urllib3_context()
    try:
        if trust.bundle.is_dir():
            context.load_verify_locations(capath=trust.bundle)
        else:
            context.load_verify_locations(cafile=trust.bundle)
    except OSError as error:
        raise _failure(f"the CA bundle {trust.bundle} can't be read", error) from error
    if not trust.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if trust.cert is not None:
        _load_certificate(context, trust.cert, key=trust.key or trust.cert)
    return context


def _load_certificate(context: ssl.SSLContext, cert: Path, *, key: Path) -> None:
    def refuse() -> str:
        raise ValueError(
            f"the key in {key} is encrypted; openssl pkey -in {key} -out FILE makes a plain one"
        )

    for path in {cert, key}:
        try:
            path.open("rb").close()
        except OSError as error:
            raise _failure(f"{path} can't be read", error) from error
    try:
        # Without `refuse`, OpenSSL would ask on the terminal.
        context.load_cert_chain(cert, key, password=refuse)
    except ValueError as error:
        raise AttemptError(ErrorKind.CERTIFICATE, str(error)) from error
    except OSError as error:
        message = f"no certificate with its key, in PEM format, is in {cert} and {key}"
        raise _failure(message, error) from error


def _failure(message: str, error: OSError) -> Exception:
    """What to raise: a lack of descriptors is no fault of the file's."""
    if error.errno in NO_DESCRIPTORS:
        return error
    return AttemptError(ErrorKind.CERTIFICATE, f"{message}: {error.strerror}")
