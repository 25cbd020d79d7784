"""Many URLs of a host name that does not exist."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import make_job
from url_downloader.config.settings import OutputSettings, PoolSettings, Settings
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.models import JobStatus

URLS = 6000
NAME = "no-such.example"


@pytest.mark.usefixtures("bare_environment")
def test_a_dead_name_is_looked_up_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of URLs, more than are read ahead, cost a few look-ups; each URL is named."""
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **options: Any) -> object:
        if host != NAME or options.get("flags"):
            return real(host, port, **options)
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    jobs = (make_job(n, url=f"http://{NAME}/{n}") for n in range(1, URLS + 1))
    settings = Settings(
        pool=PoolSettings(max_workers=8), output=OutputSettings(directory=tmp_path)
    )
    summary = process_jobs(jobs, settings)
    assert summary.counts[JobStatus.FAILED] == URLS
    causes = Counter(record.result.cause for record in summary.failures if record.result)
    assert causes["host-down"] + causes["dns"] == URLS
    assert causes["dns"] <= 8
    assert 2 <= len(looked_up) <= 8
