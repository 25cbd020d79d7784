"""SIGKILL at any moment: no published file is wrong, and parts stay usable."""

from __future__ import annotations

import filecmp
import hashlib
import json
import random
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.support.cli import CliResult, RunningCli, run_cli
from tests.support.nginx import LogEntry, Nginx, running_nginx
from tests.support.output_folder import HIDDEN, visible
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.sizes import sizes_of
from tests.support.waiting import wait_until

SEED = 20_240_605
KIB, MIB = 1 << 10, 1 << 20
KILLS = 20
WORKERS = 4
UNSAVED = 1 * MIB
"""Bytes from which on a part survives a kill."""
BUFFERS = 8 * MIB
"""Bytes that the system may buffer for one connection, at both ends."""
SIZES = (
    *(0, 0, 1, 4095, 4096, 100 * KIB, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB, 5 * MIB),
    *(8 * MIB, 12 * MIB, 16 * MIB, 24 * MIB, 32 * MIB),
)
SMALL = 60
KILLED_SHARE = 0.7
"""The share of all bytes that come in killed runs."""

# Slow for requests that ask for it, so that kills hit in mid-body.
LOCATIONS = "location /files/ { if ($http_x_slow) { set $limit_rate 2m; } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledDownloads:
    """Files that nginx serves, and the output directory of runs that are killed.

    Args:
        nginx: Server of the files.
        sizes: Bytes by file name.
        target: Output directory.
        folder: Folder for the lists.
    """

    nginx: Nginx
    sizes: Mapping[str, int]
    target: Path
    folder: Path

    def url(self, name: str) -> str:
        """Return the URL of a file."""
        return self.nginx.url(f"/files/{name}")

    def url_list(self, *, is_slow: bool) -> Path:
        """Write a list of all files; return its path."""
        option = "  header=X-Slow: 1\n" if is_slow else ""
        path = self.folder / "list"
        path.write_text("".join(f"{self.url(name)}\n{option}" for name in self.sizes))
        return path

    def on_disk(self) -> int:
        """Return the number of bytes in the output directory, parts included."""
        if not self.target.exists():
            return 0
        return sum(sizes_of(path for path in self.target.glob("**/*") if _is_data(path)))

    def finished(self) -> list[str]:
        """Return the names of the finished files."""
        return [path.name for path in self.target.iterdir() if path.name != HIDDEN]

    def assert_none_is_wrong(self) -> None:
        """Check that each finished file equals the original."""
        originals = self.nginx.root / "files"
        wrong = [
            name
            for name in self.finished()
            if not filecmp.cmp(originals / name, self.target / name, shallow=False)
        ]
        assert not wrong

    def kept(self) -> dict[str, int]:
        """Return the size of each usable part by the path of its URL."""
        found = {}
        for note in (self.target / HIDDEN).glob("*.json"):
            part = note.with_suffix(".part")
            if part.exists() and part.stat().st_size:
                url = json.loads(note.read_text())["url"]
                found[url.removeprefix(self.nginx.url(""))] = part.stat().st_size
        return found


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix in (".bin", ".part")


@pytest.fixture
def site(ca: trustme.CA, tmp_path: Path) -> Iterator[KilledDownloads]:
    """Yield files from 0 B to 32 MiB, the same in each run, in an arbitrary order."""
    luck = random.Random(SEED)
    sizes = [*SIZES, *(luck.randint(0, 64 * KIB) for _ in range(SMALL))]
    luck.shuffle(sizes)
    root, prefix = tmp_path / "www", tmp_path / "nginx"
    (root / "files").mkdir(parents=True)
    prefix.mkdir()
    names = {f"{number:02}.bin": size for number, size in enumerate(sizes)}
    for name, size in names.items():
        (root / "files" / name).write_bytes(luck.randbytes(size))
    target = tmp_path / "downloads"
    with running_nginx(root, prefix, ca, locations=LOCATIONS) as nginx:
        yield KilledDownloads(nginx=nginx, sizes=names, target=target, folder=tmp_path)
    shutil.rmtree(root)
    shutil.rmtree(target, ignore_errors=True)


def run_and_kill(site: KilledDownloads, *, after: int) -> CliResult:
    """Run the program, and kill it once `after` more bytes are on the disk."""
    began_with = site.on_disk()
    arguments = (site.url_list(is_slow=True), "-d", site.target, "-c", f"-w{WORKERS}")
    with RunningCli(*arguments) as run:
        wait_until(
            lambda: (
                not run.is_running
                or (site.target.exists() and site.on_disk() >= began_with + after)
            ),
            what="bytes on the disk",
        )
        run.signal(signal.SIGKILL)
        return run.wait()


def assert_kept_is_not_asked_again(
    kept: Mapping[str, int], site: KilledDownloads, requests: Sequence[LogEntry]
) -> None:
    """Check that for each kept part at most the missing bytes were sent."""
    for entry in requests:
        if entry.target in kept:
            missing = site.sizes[Path(entry.target).name] - kept[entry.target]
            assert entry.status in (206, 416)
            assert entry.status == 416 or entry.body_bytes <= missing


def moments(site: KilledDownloads) -> Iterator[int]:
    """Yield the numbers of new bytes after which runs are killed, from none to many."""
    luck = random.Random(SEED)
    wanted = int(sum(site.sizes.values()) * KILLED_SHARE)
    for left in range(KILLS, 0, -1):
        missing = max(0, wanted - site.on_disk())
        yield int(missing / left * 3 * luck.random() ** 2)


def test_killed_at_random(site: KilledDownloads) -> None:
    """In twenty killed runs no published file is wrong, and no kept byte comes twice."""
    total, sent, has_kept = sum(site.sizes.values()), 0, False
    for moment in moments(site):
        kept = site.kept()
        has_kept = has_kept or bool(kept)
        killed = run_and_kill(site, after=moment)
        assert killed.status == -signal.SIGKILL, killed
        site.assert_none_is_wrong()
        log = site.nginx.log_when_quiet()
        assert_kept_is_not_asked_again(kept, site, log[sent:])
        sent = len(log)
    kept = site.kept()
    assert has_kept or kept, "no kill hit in mid-body, so that the test proves nothing"
    last = run_cli(site.url_list(is_slow=False), "-d", site.target, "-c", f"-w{WORKERS}")
    assert last.status == 0, last
    assert [path.name for path in visible(site.target)] == sorted(site.sizes)
    site.assert_none_is_wrong()
    log = site.nginx.log_when_quiet()
    assert_kept_is_not_asked_again(kept, site, log[sent:])
    assert any(entry.status == 206 for entry in log)
    served = sum(entry.body_bytes for entry in log)
    assert served <= total + KILLS * WORKERS * (UNSAVED + BUFFERS)


@pytest.mark.parametrize("option", ["-c", "--no-continue"])
@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".draft", b'{"url": "http://'),
        (".json", b'{"url": "%s", "validator": "\\"old\\"", "total": 9000000}'),
        (".part", b"x" * MIB),
        ("-0123abcd.part", b"x" * MIB),
    ],
    ids=["draft-of-a-note", "note-without-part", "part-without-note", "private-part"],
)
def test_what_a_kill_may_leave(
    server: ScriptedServer, tmp_path: Path, option: str, suffix: str, content: bytes
) -> None:
    """Each leftover of a kill between two steps is gone after the next run."""
    body = random.Random(SEED).randbytes(2 * MIB)
    server.play("/file", Reply(body=body, headers={"ETag": '"new"'}))
    url, target = server.url("/file"), tmp_path / "downloads"
    (target / HIDDEN).mkdir(parents=True)
    if option == "-c":
        (target / "file").write_bytes(body)
    key = hashlib.sha256(url.encode()).hexdigest()[:32]
    leftover = target / HIDDEN / f"{key}{suffix}"
    leftover.write_bytes(content.replace(b"%s", url.encode()))
    result = run_cli("-", "-d", target, option, stdin=f"{url}\n".encode())
    assert result.status == 0, result
    assert [path.name for path in visible(target)] == ["file"]
    assert (target / "file").read_bytes() == body
