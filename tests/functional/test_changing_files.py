"""Files that change while they are downloaded: each ends on the disk as one whole version."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.in_process import Run
from tests.support.replies import Framing
from tests.support.scripted_server import (
    Answer,
    Cut,
    Raw,
    Reply,
    Request,
    Reset,
    ScriptedServer,
)
from url_downloader.config.settings import Existing, RetrySettings
from url_downloader.shared.models import AttemptLimits, JobStatus, Outcome
from url_downloader.storage import part_file

SEED = 20_240_603
KIB, MIB = 1 << 10, 1 << 20
FILES, SOME = 500, 80
UNRULY_REQUESTS = 6
"""Requests for one file during which the server changes it, cuts and fails."""
RETRIES = 40
LIMITS = AttemptLimits(timeout=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """The way a server treats ranges and names its versions.

    Args:
        headers: Fields that name the version. `{number}` is its number, `{past}` a past date
            that differs for each version, `{now}` the date of the reply.
        heeds_if_range: Whether a range of another version is refused (RFC 9110 §13.1.5).
        has_one_size: Whether two versions may have one size.
        longest_span: Bytes of a 206 at most.
        framing: Framing of bodies.
    """

    headers: tuple[tuple[str, str], ...]
    heeds_if_range: bool = True
    has_one_size: bool = True
    longest_span: int = 1 << 40
    framing: Framing = Framing.LENGTH


STRONG = (("ETag", '"v{number}"'),)
WEAK = (("ETag", 'W/"v{number}"'),)
OLD_ENOUGH = (("Last-Modified", "{past}"), ("Date", "{now}"))
TOO_YOUNG = (("Last-Modified", "{now}"), ("Date", "{now}"))
NO_DATE = (("Last-Modified", "{past}"),)


@dataclass(slots=True)
class Resource:
    """A file on the server that changes at random between requests.

    Args:
        name: Name of the file; with SEED it decides all that happens.
        size: Approximate number of bytes.
        manners: Manners of the server.

    Attributes:
        versions: Digests of all bodies that it has had.
        statuses: Statuses of all replies.

    Threads: requests for one file come one after the other.
    """

    name: str
    size: int
    manners: Manners
    versions: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    _luck: random.Random = field(init=False)
    _number: int = 0
    _body: bytes = b""

    def __post_init__(self) -> None:
        self._luck = random.Random(f"{SEED} {self.name}")
        self._change()

    def answer(self, request: Request) -> Answer:
        """Return the reply to one request."""
        is_unruly = request.ordinal <= UNRULY_REQUESTS
        if is_unruly and self._luck.random() < 0.3:
            self._change()
        if is_unruly and self._luck.random() < 0.1:
            self.statuses[503] += 1
            return Reply(status=503)
        status, body, headers = self._select(request)
        self.statuses[status] += 1
        reply = Reply(status=status, body=body, headers=headers, framing=self.manners.framing)
        return self._spoilt(reply) if is_unruly and self._luck.random() < 0.7 else reply

    def _spoilt(self, reply: Reply) -> Answer:
        """Return the reply cut at a random place, seldom within its head."""
        if self._luck.random() < 0.05:
            return Raw(reply.message, Cut(self._luck.randrange(len(reply.head))))
        way = self._luck.choice((Cut, Cut, Reset))
        return replace(reply, delivery=way(self._luck.randint(0, len(reply.payload))))

    def _change(self) -> None:
        self._number += 1
        if not self._body or not self.manners.has_one_size or self._luck.random() < 0.4:
            size = self._luck.randint(self.size // 2, self.size)
            # Sizes of one residue belong to one version only.
            self._body = bytes(size - size % 64 + self._number % 64)
        self._body = self._luck.randbytes(len(self._body))
        self.versions.add(hashlib.sha256(self._body).hexdigest())

    def _select(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        """Return status, body and headers for the requested range (RFC 9110 §14.2)."""
        headers = self._version_headers()
        match = re.fullmatch(r"bytes=(\d+)-", request.header("Range") or "")
        condition = request.header("If-Range")
        is_same = condition in [value for _, value in headers]
        if match is None or (self.manners.heeds_if_range and not is_same):
            return 200, self._body, headers
        first, total = int(match[1]), len(self._body)
        if first >= total:
            return 416, b"", [*headers, ("Content-Range", f"bytes */{total}")]
        body = self._body[first : first + self.manners.longest_span]
        span = f"bytes {first}-{first + len(body) - 1}/{total}"
        return 206, body, [*headers, ("Content-Range", span)]

    def _version_headers(self) -> list[tuple[str, str]]:
        past = formatdate(1_700_000_000 + 60 * self._number, usegmt=True)
        now = formatdate(time.time(), usegmt=True)
        return [
            (name, value.format(number=self._number, past=past, now=now))
            for name, value in self.manners.headers
        ]


@dataclass(slots=True)
class ChangingSite:
    """Changing files of a server, and their downloads.

    Args:
        resources: Files by name.
        run: Runs that download them.

    Attributes:
        outcomes: Outcomes of the jobs that succeeded.
        asked: Requests for a range.
    """

    resources: dict[str, Resource]
    run: Run
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    asked: list[Request] = field(default_factory=list)

    def download(self, *, retries: int = RETRIES, runs: int = 1) -> None:
        """Download all files, with so many retries in each of up to `runs` runs."""
        with ScriptedServer({f"/{n}": r.answer for n, r in self.resources.items()}) as server:
            for _ in range(runs):
                if self._download(server, retries=retries):
                    break
            self.asked = [each for each in server.requests() if each.header("Range")]

    def _download(self, server: ScriptedServer, *, retries: int) -> bool:
        jobs = [
            self.run.job(name, server.url(f"/{name}"), limits=LIMITS, max_retries=retries)
            for name in self.resources
        ]
        self.run.ended.clear()
        summary = self.run.work(jobs)
        ended = self.run.ended.values()
        self.outcomes.update(
            record.result.outcome
            for record in ended
            if record.status is JobStatus.SUCCESS and record.result is not None
        )
        return summary.counts[JobStatus.SUCCESS] == len(jobs)

    def replies(self, status: int) -> int:
        """Return the number of replies with this status."""
        return sum(each.statuses[status] for each in self.resources.values())

    def assert_unspliced(self) -> None:
        """Check that the directory has these files alone, each of them exactly one version."""
        directory = self.run.directory
        assert sorted(path.name for path in directory.iterdir()) == sorted(self.resources)
        wrong = [
            name
            for name, resource in self.resources.items()
            if digest_of(directory / name) not in resource.versions
        ]
        assert not wrong


def digest_of(path: Path) -> str:
    """Return the digest that identifies the version of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_site(directory: Path, manners: Manners, *, count: int, large: int) -> ChangingSite:
    """Return a site of `count` files, of which `large` have megabytes."""
    luck = random.Random(SEED)
    sizes = [luck.randint(1 * KIB, 64 * KIB) for _ in range(count - large)]
    sizes += [luck.randint(2 * MIB, 3 * MIB) for _ in range(large)]
    luck.shuffle(sizes)
    names = [f"{number:03}.bin" for number in range(count)]
    resources = {n: Resource(n, s, manners) for n, s in zip(names, sizes, strict=True)}
    run = Run(
        directory,
        workers=8,
        existing=Existing.SKIP_FILLED,
        retry=RetrySettings(delay=0.001, max_delay=0.01),
    )
    return ChangingSite(resources, run)


@pytest.fixture(autouse=True)
def small_parts(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts worth resuming from their first KiB on."""
    monkeypatch.setattr(part_file, "WORTH_RESUMING", KIB)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Yield an output directory that is removed at the end."""
    yield tmp_path / "downloads"
    shutil.rmtree(tmp_path / "downloads", ignore_errors=True)


@pytest.mark.parametrize(
    ("retries", "runs"), [(RETRIES, 1), (0, RETRIES)], ids=["retries", "runs"]
)
def test_five_hundred_files(directory: Path, retries: int, runs: int) -> None:
    """Each file is one version, whether attempts follow within one run or in many runs."""
    site = make_site(directory, Manners(headers=STRONG), count=FILES, large=25)
    site.download(retries=retries, runs=runs)
    site.assert_unspliced()
    assert site.replies(206) > FILES / 4
    assert site.outcomes[Outcome.RESUMED] > FILES / 10
    assert all(each.header("If-Range") for each in site.asked)


def test_large_files_as_they_are(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is one version, also with the real size from which parts are resumed."""
    monkeypatch.undo()
    site = make_site(directory, Manners(headers=STRONG), count=60, large=40)
    site.download()
    site.assert_unspliced()
    assert site.replies(206) > 0
    assert all(int(str(each.header("Range"))[6:-1]) >= MIB for each in site.asked)


@pytest.mark.parametrize(
    "manners",
    [
        pytest.param(Manners(headers=OLD_ENOUGH), id="only-last-modified"),
        pytest.param(Manners(headers=(*STRONG, *TOO_YOUNG)), id="etag-and-young-date"),
        pytest.param(Manners(headers=STRONG, longest_span=3000), id="short-206"),
        pytest.param(Manners(headers=STRONG, framing=Framing.CHUNKED), id="chunked"),
    ],
)
def test_resumed(directory: Path, manners: Manners) -> None:
    """A server that respects If-Range has its files resumed, and none of them is mixed."""
    site = make_site(
        directory, manners, count=SOME, large=4 if manners.longest_span > MIB else 0
    )
    site.download()
    site.assert_unspliced()
    assert site.replies(206) > SOME / 4
    assert site.outcomes[Outcome.RESUMED] > SOME / 10


@pytest.mark.parametrize(
    "manners",
    [
        pytest.param(
            Manners(headers=STRONG, heeds_if_range=False, has_one_size=True), id="new-etag"
        ),
        pytest.param(
            Manners(headers=STRONG, heeds_if_range=False, has_one_size=False),
            id="new-etag-and-total",
        ),
        pytest.param(Manners(headers=OLD_ENOUGH, heeds_if_range=False), id="new-last-modified"),
        pytest.param(
            Manners(headers=STRONG, heeds_if_range=False, longest_span=3000),
            id="new-etag-in-short-206",
        ),
        pytest.param(
            Manners(headers=STRONG, heeds_if_range=False, framing=Framing.CHUNKED),
            id="new-etag-chunked",
        ),
    ],
)
def test_206_of_another_version(directory: Path, manners: Manners) -> None:
    """A 206 whose validator names another version is never appended."""
    site = make_site(directory, manners, count=SOME, large=0)
    site.download()
    site.assert_unspliced()
    assert site.replies(206) > SOME / 4


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(WEAK, id="weak-etag"),
        pytest.param((*WEAK, *OLD_ENOUGH), id="weak-etag-and-date"),
        pytest.param(TOO_YOUNG, id="too-young-date"),
        pytest.param(NO_DATE, id="no-date"),
        pytest.param((), id="no-validator"),
    ],
)
def test_nothing_to_tell_versions_by(
    directory: Path, headers: tuple[tuple[str, str], ...]
) -> None:
    """Without a strong validator nothing is resumed: no range is asked for."""
    manners = Manners(headers=headers, heeds_if_range=False)
    site = make_site(directory, manners, count=SOME, large=0)
    site.download()
    site.assert_unspliced()
    assert site.asked == []
    assert site.outcomes == {Outcome.DOWNLOADED: SOME}
