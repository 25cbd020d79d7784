"""A concurrent downloader of URLs, as a command and as a library.

    from url_downloader import download

The names in `__all__` are for other programs. Everything else may change at any time.
"""

from url_downloader.shared.version import __version__

__all__ = [
    "AddressFamily",
    "ConfigError",
    "DownloadJob",
    "ErrorKind",
    "EventListener",
    "Existing",
    "FailureLimit",
    "FixedAddress",
    "HostRule",
    "InputError",
    "JobEvent",
    "JobRecord",
    "JobResult",
    "JobStatus",
    "Outcome",
    "OutputError",
    "Rejection",
    "RunSummary",
    "StopReason",
    "Url",
    "UrlDownloaderError",
    "__version__",
    "download",
]

# Type checkers treat this as True. Importing it from typing would take longer than all the rest
# of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from url_downloader.api import Url, download
    from url_downloader.config.dial_settings import AddressFamily, FixedAddress
    from url_downloader.config.host_settings import HostRule
    from url_downloader.config.settings import Existing, FailureLimit
    from url_downloader.engine.run_limits import StopReason
    from url_downloader.engine.run_summary import RunSummary
    from url_downloader.shared.errors import (
        ConfigError,
        InputError,
        OutputError,
        Rejection,
        UrlDownloaderError,
    )
    from url_downloader.shared.models import (
        DownloadJob,
        ErrorKind,
        EventListener,
        JobEvent,
        JobRecord,
        JobResult,
        JobStatus,
        Outcome,
    )


def __getattr__(name: str) -> object:
    """Return a name of the library, which is imported at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from url_downloader import api  # noqa: PLC0415

    return getattr(api, name)
