"""Output directories for the tests of storage: parts, notes and published files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import make_job
from url_downloader.config.settings import OutputSettings
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.file_facts import FileVersion, SavedPart
from url_downloader.shared.models import DownloadJob
from url_downloader.storage.output_directory import PARTS_FOLDER, OutputDirectory
from url_downloader.storage.part_file import WORTH_RESUMING, PartFile
from url_downloader.storage.part_note import part_name

URL = "http://host/file.bin"
JOB = make_job(url=URL, output="file.bin")
MIB = WORTH_RESUMING
"""Bytes from which on a part gets a note."""
V1 = bytes(range(256)) * (MIB // 128)
V2 = bytes(reversed(V1)) + b"!"
"""Two versions of a file, of 2 MiB each."""
ETAG = '"v1"'
VERSIONS = {ETAG: V1, '"v2"': V2}
"""The versions by their validators."""


def prepared(directory: Path, **settings: Any) -> OutputDirectory:
    """Return the output directory of a new run, ready for parts."""
    output = OutputDirectory(OutputSettings(directory=directory, **settings))
    output.prepare()
    return output


def begun(output: OutputDirectory, job: DownloadJob = JOB) -> PartFile:
    """Return a new, empty part for a version that can't be resumed."""
    part = output.create(job)
    part.begin(None, None)
    return part


def publish(output: OutputDirectory, part: PartFile, name: str = "file.bin") -> Path:
    """Publish a part; return the path of the file."""
    return Path(output.publish(part, name, version=FileVersion(None, None), replaces=True).path)


def store(output: OutputDirectory, name: str = "file.bin", *, data: bytes = b"new") -> Path:
    """Write and publish a file; after a failure, keep or remove its part as a transfer does."""
    part = begun(output, make_job(output=name))
    try:
        part.write(data)
        return publish(output, part, name)
    except AttemptError:
        part.keep()
        raise


def reopened(directory: Path, url: str = URL) -> PartFile:
    """Return the part that a new run uses for a URL: the one that was kept, or a new one."""
    output, job = prepared(directory), JOB._replace(url=url)
    return output.reopen(job) or output.create(job)


def keep_part(directory: Path, size: int = MIB + 5) -> Path:
    """Keep a part with bytes of V1, as an aborted attempt does; return the path of its note."""
    part = reopened(directory)
    part.begin(ETAG, len(V1))
    part.write(V1[:size])
    assert part.keep()
    return known_part(directory).with_suffix(".json")


def assert_starts_over(directory: Path) -> None:
    """Check that a new run does not resume a part, but keeps, resumes and publishes its own."""
    part = reopened(directory)
    assert (part.saved, part.size) == (None, 0)
    part.begin('"v2"', len(V2))
    part.write(V2[: MIB + 9])
    assert part.saved == SavedPart(validator='"v2"', total=len(V2), size=MIB + 9)
    if part.keep():
        part = reopened(directory)
        assert part.saved == SavedPart(validator='"v2"', total=len(V2), size=MIB + 9)
    else:
        part = reopened(directory)
        part.begin('"v2"', len(V2))
    part.write(V2[part.size :])
    assert publish(prepared(directory), part).read_bytes() == V2


def known_part(directory: Path) -> Path:
    """Return the path that a resumable part of URL has in every run."""
    return directory / PARTS_FOLDER / part_name(URL)


def content(part: PartFile) -> bytes:
    """Return all bytes of a part."""
    data = bytearray()
    part.read_into(data.extend)
    return bytes(data)


def visible_files(directory: Path) -> list[str]:
    """Return the names of all files and folders, except the hidden folder for parts."""
    paths = (path.relative_to(directory) for path in directory.rglob("*"))
    return sorted(str(path) for path in paths if path.parts[0] != PARTS_FOLDER)


def hidden_files(directory: Path) -> list[Path]:
    """Return the paths of all files in the hidden folder for parts."""
    return [path for path in (directory / PARTS_FOLDER).rglob("*") if not path.is_dir()]


def descriptor_count() -> int:
    """Return the number of descriptors that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def refuse(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int, *, of: Callable[..., bool]
) -> None:
    """Have a function of `os` fail for some arguments.

    Args:
        monkeypatch: Patch that the failure lasts as long as.
        call: Name of the function.
        number: Error number of the failure.
        of: Function that gets the positional arguments, and tells whether the call fails.
    """
    real = getattr(os, call)

    def refusing(*args: Any, **named: Any) -> Any:
        if of(*args):
            raise OSError(number, os.strerror(number))
        return real(*args, **named)

    monkeypatch.setattr(os, call, refusing)
