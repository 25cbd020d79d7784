"""Thousands of files of all sizes from a real nginx, over HTTP and HTTPS."""

from __future__ import annotations

import filecmp
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cli import CliResult, Totals, run_cli
from tests.support.nginx import LogEntry, Nginx
from tests.support.output_folder import visible

KIB, MIB = 1 << 10, 1 << 20
SEED = 20_240_601
EDGES = (0, 0, 0, 1, 2, 4095, 4096, 4097, 64 * KIB)
SMALL, MEDIUM = 2500, 40
SPARE_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class ServedFiles:
    """Files that nginx serves.

    Args:
        nginx: Server of the files.
        files: Paths relative to nginx's root; all names differ.
    """

    nginx: Nginx
    files: Sequence[Path]

    def url_list(self, files: Sequence[Path], *, tls: bool) -> bytes:
        """Return the list of these files."""
        urls = [self.nginx.url(f"/{file.as_posix()}", tls=tls) for file in files]
        return "".join(f"{url}\n" for url in urls).encode()

    def some(self, step: int) -> list[Path]:
        """Return each `step`th file, of all sizes but the largest."""
        return list(self.files[:-1:step])


@pytest.fixture(scope="module")
def site(nginx: Nginx) -> Iterator[ServedFiles]:
    """Yield files from 0 B to 64 MiB, the same in each run; the largest one is the last."""
    luck = random.Random(SEED)
    sizes = [*EDGES, *(luck.randint(0, 64 * KIB) for _ in range(SMALL - len(EDGES)))]
    luck.shuffle(sizes)
    sizes += [luck.randint(128 * KIB, 4 * MIB) for _ in range(MEDIUM)]
    sizes.append(64 * MIB)
    folder = Path("site")
    (nginx.root / folder).mkdir()
    files = [folder / f"{number:04}.bin" for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        (nginx.root / file).write_bytes(luck.randbytes(size))
    yield ServedFiles(nginx, files)
    shutil.rmtree(nginx.root / folder)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """Yield an output directory that is removed with its hundreds of megabytes."""
    yield tmp_path / "downloads"
    shutil.rmtree(tmp_path / "downloads", ignore_errors=True)


def assert_identical(site: ServedFiles, files: Sequence[Path], target: Path) -> None:
    """Check that `target` has exactly these files, each equal to the original."""
    assert [path.name for path in visible(target)] == sorted(f.name for f in files)
    differing = [
        file.name
        for file in files
        if not filecmp.cmp(site.nginx.root / file, target / file.name, shallow=False)
    ]
    assert not differing


def assert_all_downloaded(result: CliResult, count: int) -> None:
    """Check that the summary has all files downloaded at the first attempt."""
    assert result.status == 0, result
    assert not result.has_traceback, result
    assert result.totals == Totals(
        downloaded=count, failed=0, unfinished=0, total=count, retries=0
    )


def download(
    site: ServedFiles,
    files: Sequence[Path],
    target: Path,
    *options: str,
    bundle: Path | None = None,
) -> tuple[CliResult, list[LogEntry]]:
    """Run the program for `files`; return its result, and the requests that nginx got."""
    seen = len(site.nginx.access_log())
    result = run_cli(
        "-",
        "--dir",
        target,
        *options,
        stdin=site.url_list(files, tls=bundle is not None),
        env={"REQUESTS_CA_BUNDLE": str(bundle)} if bundle else {},
    )
    return result, site.nginx.wait_for_requests(seen + len(files))[seen:]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("workers", "step"), [(1, 8), (8, 1), (64, 4)])
def test_every_file(
    site: ServedFiles, target: Path, ca_bundle: Path, tls: bool, workers: int, step: int
) -> None:
    """Every file arrives whole and is requested once; connections are kept alive."""
    files = [*site.some(step), site.files[-1]]
    bundle = ca_bundle if tls else None
    result, requests = download(site, files, target, f"-w{workers}", bundle=bundle)
    assert_all_downloaded(result, len(files))
    assert_identical(site, files, target)
    asked = Counter(entry.target for entry in requests)
    assert asked == Counter(f"/{file.as_posix()}" for file in files)
    assert {(entry.scheme, entry.status) for entry in requests} == {
        ("https" if tls else "http", 200)
    }
    connections = {entry.connection for entry in requests}
    assert len(connections) <= workers + SPARE_CONNECTIONS


def test_failures_do_not_cost_the_connection(site: ServedFiles, target: Path) -> None:
    """Missing files fail alone, on the same connections."""
    files = site.some(20)
    missing = [file.with_name(f"no-{file.name}") for file in files[::2]]
    asked = [*files, *missing]
    result, requests = download(site, asked, target, "-w2")
    assert result.status == 1, result
    assert result.totals == Totals(
        downloaded=len(files), failed=len(missing), unfinished=0, total=len(asked), retries=0
    )
    assert result.causes == {"http-404": len(missing)}
    assert_identical(site, files, target)
    assert len({entry.connection for entry in requests}) <= 2 + SPARE_CONNECTIONS


def test_unknown_authority(site: ServedFiles, target: Path) -> None:
    """An untrusted certificate fails the job at once, and nothing is downloaded."""
    seen = len(site.nginx.access_log())
    result = run_cli("-", "--dir", target, stdin=site.url_list(site.files[:1], tls=True))
    assert result.status == 4, result
    assert result.causes == {"certificate": 1}
    assert result.totals
    assert result.totals.retries == 0
    assert len(site.nginx.access_log()) == seen
    assert visible(target) == []


def test_small_queue(site: ServedFiles, target: Path) -> None:
    """A task queue for one job is enough for many workers."""
    files = site.some(5)
    result, _ = download(site, files, target, "-w16", "--queue-size=1")
    assert_all_downloaded(result, len(files))
    assert_identical(site, files, target)
