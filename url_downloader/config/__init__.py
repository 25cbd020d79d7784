"""The settings of a run, and the parsing of the values that users write for them.

Entry point: `settings.Settings`. Each module is pure. This package may import only `shared`.
"""

from url_downloader.config.dial_settings import AddressFamily, DialSettings, FixedAddress
from url_downloader.config.host_settings import HostLimits, HostRule, HostSettings
from url_downloader.config.ledger_settings import LedgerSettings
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import (
    Existing,
    FailureLimit,
    MonitorSettings,
    OutputSettings,
    PoolSettings,
    RetrySettings,
    RunSettings,
    Settings,
    TransferSettings,
)

__all__ = [
    "AddressFamily",
    "DialSettings",
    "Existing",
    "FailureLimit",
    "FixedAddress",
    "HostLimits",
    "HostRule",
    "HostSettings",
    "LedgerSettings",
    "MonitorSettings",
    "OutputSettings",
    "PoolSettings",
    "RetrySettings",
    "RunSettings",
    "ServerSettings",
    "Settings",
    "TransferSettings",
]
