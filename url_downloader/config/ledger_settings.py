"""Settings of the ledger, which remembers URLs and files from run to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from url_downloader.shared.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """Settings of the ledger.

    Args:
        uses_ledger: Whether the run reads and writes the ledger.
        ledger_file: Path of the ledger; None = in the output directory.
        key_ignore: Names of query fields that change from run to run, and so do not count when
            a URL is looked up in the ledger.
        retry_failed: Whether URLs that succeeded in an earlier run are passed over.
    """

    uses_ledger: bool = True
    ledger_file: Path | None = None
    key_ignore: frozenset[str] = frozenset()
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.uses_ledger:
            return
        if self.ledger_file is not None:
            raise ConfigError("--ledger: can't be used together with --no-ledger")
        if self.retry_failed:
            raise ConfigError("--retry-failed: needs the ledger, so drop --no-ledger")
