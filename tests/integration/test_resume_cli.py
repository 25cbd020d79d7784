"""Parts and files of earlier runs: they are resumed, skipped, compared or replaced."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import trustme

from tests.support.cli import CliResult, RunningCli, run_cli
from tests.support.jobs import make_job
from tests.support.nginx import Nginx, running_nginx
from tests.support.output_folder import assert_holds, bytes_in_parts, files_of, visible
from tests.support.scripted_server import Cut, Hold, Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until
from url_downloader.config.settings import OutputSettings
from url_downloader.storage import part_file
from url_downloader.storage.output_directory import OutputDirectory

MIB = 1 << 20
SIZE = 4 * MIB
LONG_AGO = 1_600_000_000
OLD, NEW = b"the old content", b"the new content, longer"
SAME = NEW.upper()
QUICK = ("--max-retries", "1", "--retry-delay", "0.01")

# The first half of a large file comes at once, the rest slowly.
LOCATIONS = "location /slow/ { limit_rate 2m; }"


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxDownloads:
    """Downloads of files that nginx serves.

    Args:
        nginx: Server of the files.
        target: Output directory.
    """

    nginx: Nginx
    target: Path

    def serve(self, path: str, content: bytes, *, modified: int = LONG_AGO) -> str:
        """Put a file with this time on the server; return its URL."""
        file = self.nginx.root / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (modified, modified))
        return self.nginx.url(f"/{path}")

    def run(self, url_list: str, *options: str) -> tuple[CliResult, list[tuple[str, int, int]]]:
        """Run the program; return its result, and target, status and bytes of each reply."""
        seen = self.nginx.log_when_quiet()
        result = download(url_list, self.target, *options)
        requests = self.nginx.log_when_quiet()[len(seen) :]
        return result, [(e.target, e.status, e.body_bytes) for e in requests]

    def statuses(self, url_list: str, *options: str) -> list[tuple[str, int]]:
        """Run the program, which must succeed; return its sorted replies: target and status."""
        result, requests = self.run(url_list, *options)
        assert result.status == 0, result
        return sorted((target, status) for target, status, _ in requests)

    def interrupt(self, url: str) -> int:
        """Interrupt a run in mid-body; return the size of its part."""
        with RunningCli("-", "-d", self.target) as run:
            run.send(f"{url}\n".encode())
            wait_until(lambda: bytes_in_parts(self.target) > MIB, what="a MiB of the file")
            run.signal(signal.SIGINT)
            assert run.wait().status == 130
        assert files_of(self.target) == {}
        return bytes_in_parts(self.target)


def download(url_list: str, target: Path, *options: str) -> CliResult:
    """Run the program for a list."""
    result = run_cli("-", "-d", target, *options, stdin=url_list.encode())
    assert not result.has_traceback, result
    return result


def digest(content: bytes) -> str:
    """Return the SHA-256 digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def slow_nginx(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Yield an nginx with a folder that it serves slowly."""
    root, prefix = (tmp_path_factory.mktemp(name) for name in ("slow-www", "slow-nginx"))
    with running_nginx(root, prefix, ca, locations=LOCATIONS) as running:
        yield running
    shutil.rmtree(root)


@pytest.fixture
def site(slow_nginx: Nginx, tmp_path: Path) -> Iterator[NginxDownloads]:
    """Yield downloads from an empty site."""
    yield NginxDownloads(nginx=slow_nginx, target=tmp_path / "downloads")
    for path in slow_nginx.root.iterdir():
        shutil.rmtree(path)


@pytest.mark.parametrize(
    ("options", "is_resumed"),
    [((), True), (("-c",), True), (("-N",), True), (("--no-continue",), False)],
)
def test_after_an_interrupt(
    site: NginxDownloads, options: Sequence[str], is_resumed: bool
) -> None:
    """The next run gets the missing bytes alone; with --no-continue it gets all."""
    content = Random(1).randbytes(SIZE)
    url = site.serve("slow/file.bin", content)
    kept = site.interrupt(url)
    result, requests = site.run(url, *options)
    assert result.status == 0, result
    expected = (206, SIZE - kept) if is_resumed else (200, SIZE)
    assert requests == [("/slow/file.bin", *expected)]
    assert_holds(site.target, {"file.bin": content})


@pytest.mark.parametrize("size", [SIZE, SIZE // 2, 1000, 0])
def test_changed_after_an_interrupt(site: NginxDownloads, size: int) -> None:
    """A file that changed since the last run is downloaded whole, whatever its size."""
    url = site.serve("slow/file.bin", Random(1).randbytes(SIZE))
    site.interrupt(url)
    content = Random(2).randbytes(size)
    site.serve("slow/file.bin", content, modified=LONG_AGO + 5)
    result, requests = site.run(url)
    assert result.status == 0, result
    assert requests[-1] == ("/slow/file.bin", 200, size)
    assert_holds(site.target, {"file.bin": content})


def test_checksum_over_an_interrupt(site: NginxDownloads) -> None:
    """A checksum covers the bytes of an earlier run, which are not fetched again."""
    content = Random(1).randbytes(SIZE)
    url = site.serve("slow/file.bin", content)
    kept = site.interrupt(url)
    result, requests = site.run(f"{url}\n checksum=sha-256={digest(content)}\n")
    assert result.status == 0, result
    assert requests == [("/slow/file.bin", 206, SIZE - kept)]
    assert_holds(site.target, {"file.bin": content})


def test_asks_for_the_rest_of_one_version(server: ScriptedServer, tmp_path: Path) -> None:
    """The next attempt asks for the missing bytes of the version that it knows."""
    body = Random(1).randbytes(2 * MIB)
    kept = 3 * MIB // 2
    rest = {"ETag": '"one"', "Content-Range": f"bytes {kept}-{len(body) - 1}/{len(body)}"}
    server.play(
        "/file",
        Reply(body=body, headers={"ETag": '"one"'}, delivery=Cut(kept)),
        Reply(status=206, body=body[kept:], headers=rest),
    )
    result = download(server.url("/file"), tmp_path / "out", *QUICK)
    assert result.status == 0, result
    first, second = server.requests()
    assert (first.header("Range"), first.header("If-Range")) == (None, None)
    assert (second.header("Range"), second.header("If-Range")) == (f"bytes={kept}-", '"one"')
    assert_holds(tmp_path / "out", {"file": body})


@pytest.fixture
def four(site: NginxDownloads) -> str:
    """Return a list of four URLs; their files have its length, are short, empty, missing."""
    names = ("same", "short", "empty", "none")
    urls = [site.serve(f"files/{name}", NEW) for name in names]
    site.target.mkdir()
    (site.target / "same").write_bytes(SAME)
    (site.target / "short").write_bytes(OLD)
    (site.target / "empty").touch()
    return "\n".join(urls)


@pytest.mark.parametrize(
    ("option", "asked", "left"),
    [
        ("-c", ["empty", "none", "same", "short"], {"same": SAME}),
        ("-nc", ["none"], {"same": SAME, "short": OLD, "empty": b""}),
        ("--no-mtime", ["empty", "none", "same", "short"], {}),
    ],
)
def test_what_exists(
    site: NginxDownloads, four: str, option: str, asked: list[str], left: dict[str, bytes]
) -> None:
    """-c leaves files of the right length, -nc any file; by default files are replaced."""
    assert site.statuses(four, option) == [(f"/files/{name}", 200) for name in asked]
    new = dict.fromkeys(("same", "short", "empty", "none"), NEW)
    assert_holds(site.target, {**new, **left})


@pytest.mark.parametrize("first", [(), ("-c",), ("-N",)])
def test_what_a_run_has_recorded(site: NginxDownloads, four: str, first: Sequence[str]) -> None:
    """-c sends no request for a file that a run recorded, until the file changes."""
    site.statuses(four, *first)
    files = files_of(site.target)
    assert site.statuses(four, "-c") == []
    assert_holds(site.target, files)
    (site.target / "short").write_bytes(OLD)
    assert site.statuses(four, "-c") == [("/files/short", 200)]
    assert_holds(site.target, files)


@pytest.mark.parametrize("first", ["-N", "--no-continue"], ids=["entity-tag", "only-date"])
def test_timestamping(site: NginxDownloads, first: str) -> None:
    """With -N a file is left alone until it changes on the server; then it is replaced."""
    url = site.serve("files/file", OLD)
    file = site.target / "file"
    assert site.statuses(url, first) == [("/files/file", 200)]
    before = file.stat()
    assert before.st_mtime == LONG_AGO
    assert site.statuses(url, "-N") == [("/files/file", 304)]
    assert file.stat() == before
    assert_holds(site.target, {"file": OLD})
    site.serve("files/file", NEW, modified=LONG_AGO + 5)
    assert site.statuses(url, "-N") == [("/files/file", 200)]
    assert_holds(site.target, {"file": NEW})
    assert file.stat().st_mtime == LONG_AGO + 5


def test_no_mtime(site: NginxDownloads) -> None:
    """With --no-mtime a file has the time of its download."""
    began = int(time.time())
    site.statuses(site.serve("files/file", OLD), "--no-mtime")
    assert (site.target / "file").stat().st_mtime >= began


@pytest.mark.parametrize(
    ("reply", "options"),
    [
        pytest.param(Reply(status=404), (), id="404"),
        pytest.param(Reply(status=503), (), id="503"),
        pytest.param(Reply(body=NEW, delivery=Cut(10)), (), id="cut"),
        pytest.param(Reply(body=NEW, delivery=Stall(10)), ("-T", "0.2"), id="stall"),
        pytest.param(Reply(body=NEW, headers={"Content-Encoding": "br"}), (), id="coding"),
        pytest.param(Reply(body=NEW), ("--max-filesize", "20"), id="too-large"),
        pytest.param(
            Reply(body=NEW, headers={"Content-Type": "text/html"}),
            ("--expect-type", "application/pdf"),
            id="wrong-type",
        ),
    ],
)
def test_failed_download_leaves_the_old_file(
    server: ScriptedServer, tmp_path: Path, reply: Reply, options: Sequence[str]
) -> None:
    """If a download fails, the existing file stays as it was."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_bytes(OLD)
    before = (tmp_path / "out" / "file").stat()
    server.play("/file", reply)
    result = download(server.url("/file"), tmp_path / "out", *QUICK, *options)
    assert result.status == 4, result
    assert_holds(tmp_path / "out", {"file": OLD})
    assert (tmp_path / "out" / "file").stat().st_mtime_ns == before.st_mtime_ns


def test_checksum_mismatch(server: ScriptedServer, tmp_path: Path) -> None:
    """After a mismatch the file is requested once more, then failed, and never published."""
    server.play("/good", Reply(body=OLD))
    server.play("/bad", Reply(body=NEW, headers={"ETag": '"one"'}))
    lines = [f"{server.url(p)}\n checksum=sha-256={digest(OLD)}" for p in ("/good", "/bad")]
    result = download("\n".join(lines), tmp_path / "out")
    assert result.status == 1, result
    assert result.causes == {"checksum-mismatch": 1}
    assert [server.count("/good"), server.count("/bad")] == [1, 2]
    assert all(request.header("Range") is None for request in server.requests())
    assert_holds(tmp_path / "out", {"good": OLD})


def test_second_copy_matches(server: ScriptedServer, tmp_path: Path) -> None:
    """A copy that was damaged on its way is replaced by the next one."""
    server.play("/file", Reply(body=NEW), Reply(body=OLD))
    entry = f"{server.url('/file')}\n checksum=sha-256={digest(OLD)}"
    assert download(entry, tmp_path / "out").status == 0
    assert_holds(tmp_path / "out", {"file": OLD})


def test_checksums_file(site: NginxDownloads, tmp_path: Path) -> None:
    """The output of sha256sum verifies each file that it names, by its name on the disk."""
    urls = [site.serve(f"files/{name}", OLD) for name in ("good", "bad", "unnamed")]
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{digest(OLD)}  good\n{digest(NEW)} *bad\n")
    result, _ = site.run("\n".join(urls), "--checksums", str(sums))
    assert result.status == 1, result
    assert result.causes == {"checksum-mismatch": 1}
    assert_holds(site.target, {"good": OLD, "unnamed": OLD})


def test_limits(site: NginxDownloads) -> None:
    """--max-filesize and --expect-type accept files within their limits."""
    urls = [site.serve(f"files/{name}", OLD) for name in ("a.txt", "b.html", "c.bin")]
    url_list = "\n".join([*urls, site.serve("files/large.txt", bytes(1025))])
    result, _ = site.run(url_list, "--max-filesize", "1k", "--expect-type", "text/*")
    assert result.status == 1, result
    assert result.causes == {"wrong-type": 1, "too-large": 1}
    assert_holds(site.target, {"a.txt": OLD, "b.html": OLD})


def test_content_disposition(httpbin: str, tmp_path: Path) -> None:
    """The server's name is used, made safe and unique; a name in the list beats it."""
    url = f"{httpbin}/response-headers?Content-Disposition=attachment%3B%20filename%3D"
    entries = (
        f"{url}report.json\n{url}report.json&second\n"
        f"{url}..%2F..%2Fescape.json\n{url}ignored.json\n  out=mine.json\n"
    )
    result = download(entries, tmp_path / "out", "--content-disposition", "-w1")
    assert result.status == 0, result
    names = {path.name for path in visible(tmp_path / "out")}
    (suffixed,) = names - {"report.json", "escape.json", "mine.json"}
    assert len(names) == 4
    assert re.fullmatch(r"report\.[0-9a-f]{8}\.json", suffixed)
    assert not (tmp_path / "escape.json").exists()


def test_names_of_the_urls(httpbin: str, tmp_path: Path) -> None:
    """By default the server's name is ignored."""
    url = f"{httpbin}/response-headers?Content-Disposition=attachment%3B%20filename%3Da.json"
    assert download(url, tmp_path / "out").status == 0
    assert list(files_of(tmp_path / "out")) == ["response-headers"]


def test_httpbin_range(httpbin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is dropped where the server sends ranges, but no valid entity tag."""
    content = (b"abcdefghijklmnopqrstuvwxyz" * 4000)[:100_000]
    url = f"{httpbin}/range/100000"
    seed_part(url, tmp_path / "out", b"?" * 40_000, monkeypatch)
    result = download(url, tmp_path / "out")
    assert result.status == 0, result
    assert_holds(tmp_path / "out", {"100000": content})


def seed_part(url: str, target: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave `data` as the part of httpbin's range, as an earlier run would."""
    monkeypatch.setattr(part_file, "WORTH_RESUMING", 1)
    directory = OutputDirectory(OutputSettings(directory=target))
    directory.prepare()
    part = directory.create(make_job(url=url, output="100000"))
    part.begin('"range100000"', 100_000)
    part.write(data)
    assert part.keep()


def test_httpbin_etag(httpbin: str, tmp_path: Path) -> None:
    """With -N the request has the entity tag of the existing file."""
    target = tmp_path / "out"
    first = download(f"{httpbin}/etag/one", target, "-N")
    assert first.status == 0, first
    if not os.listxattr(target / "one"):
        pytest.skip("this file system keeps no extended attributes")
    before = (target / "one").stat()
    assert download(f"{httpbin}/etag/one", target, "-N").status == 0
    assert (target / "one").stat() == before


def test_fsync(site: NginxDownloads) -> None:
    """With --fsync files arrive as without."""
    content = Random(1).randbytes(2 * MIB)
    urls = [site.serve("files/large", content), site.serve("files/small", OLD)]
    result, _ = site.run("\n".join(urls), "--fsync")
    assert result.status == 0, result
    assert_holds(site.target, {"large": content, "small": OLD})


def test_two_runs_at_once(server: ScriptedServer, tmp_path: Path) -> None:
    """Two runs of one list in one directory both succeed, with right files."""
    bodies = {f"file{n}": Random(n).randbytes(2 * MIB) for n in range(3)}
    both_asked = threading.Event()
    for name, body in bodies.items():
        hold = Hold(both_asked, after=3 * MIB // 2)
        server.play(f"/{name}", Reply(body=body, headers={"ETag": '"one"'}, delivery=hold))
    url_list = tmp_path / "list"
    url_list.write_text("".join(f"{server.url(f'/{name}')}\n" for name in bodies))
    arguments = (url_list, "-d", tmp_path / "out", "-w3")
    with RunningCli(*arguments) as one, RunningCli(*arguments) as other:
        server.wait_for_requests(2 * len(bodies))
        both_asked.set()
        results = [one.wait(), other.wait()]
    assert [result.status for result in results] == [0, 0], results
    assert all(request.header("Range") is None for request in server.requests())
    assert_holds(tmp_path / "out", bodies)


# The first and the last step of a run with its directory, many times.
BEGIN_AND_END = """
import sys
from pathlib import Path
from url_downloader.config import OutputSettings
from url_downloader.storage.output_directory import OutputDirectory
for _ in range(500):
    directory = OutputDirectory(OutputSettings(directory=Path(sys.argv[1])))
    directory.prepare()
    directory.tidy()
"""


def test_runs_that_begin_as_others_end(tmp_path: Path) -> None:
    """A run that tidies up removes no folder that another run is about to use."""
    program = (sys.executable, "-c", BEGIN_AND_END)
    with (
        RunningCli(tmp_path / "out", program=program) as one,
        RunningCli(tmp_path / "out", program=program) as other,
    ):
        results = [one.wait(), other.wait()]
    assert [result.status for result in results] == [0, 0], results
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0, 0o666)])
def test_permissions(server: ScriptedServer, tmp_path: Path, mask: int, mode: int) -> None:
    """Files have the permissions that the umask leaves to any new file."""
    server.play("/file", Reply(body=OLD))
    previous = os.umask(mask)
    try:
        result = download(server.url("/file"), tmp_path / "out")
    finally:
        os.umask(previous)
    assert result.status == 0, result
    assert stat.S_IMODE((tmp_path / "out" / "file").stat().st_mode) == mode


def test_gzip(server: ScriptedServer, tmp_path: Path) -> None:
    """A body that came compressed unasked is decoded, but an archive stays as it is."""
    packed = gzip.compress(OLD)
    for path in ("/page.html", "/data.tar.gz"):
        headers = {"Content-Encoding": "gzip", "ETag": '"one"'}
        server.play(path, Reply(body=packed, headers=headers))
    urls = f"{server.url('/page.html')}\n{server.url('/data.tar.gz')}\n"
    assert download(urls, tmp_path / "out").status == 0
    assert all(r.header("Accept-Encoding") == "identity" for r in server.requests())
    assert_holds(tmp_path / "out", {"page.html": OLD, "data.tar.gz": packed})
