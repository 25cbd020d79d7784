"""Files that change while they are downloaded: each stored file is exactly one version."""

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
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import JobStatus, Outcome
from url_downloader.storage import part_file

SEED = 20_240_603
KIB, MIB = 1 << 10, 1 << 20
FILES, SOME = 500, 80
"""Files of the large test, and of each small one."""
UNRULY_REQUESTS = 6
"""First requests for a file, in which the server may change it, truncate it or fail."""
RETRIES = 40
LIMITS = AttemptLimits(timeout=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """The way in which a server handles ranges and names versions.

    Args:
        headers: Header fields that name the version. `{number}` is its number, `{past}` a past
            date that differs for each version, `{now}` the date of the reply.
        respects_if_range: Whether the whole file is sent if If-Range names another version
            (RFC 9110 §13.1.5).
        can_repeat_size: Whether two versions may have the same size.
        longest_span: Largest number of bytes of a 206.
        framing: Framing of bodies.
    """

    headers: tuple[tuple[str, str], ...]
    respects_if_range: bool = True
    can_repeat_size: bool = True
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
        versions: Digests of all its versions.
        statuses: Numbers of replies by status.

    Threads: any, but one at a time.
    """

    name: str
    size: int
    manners: Manners
    versions: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    _chance: random.Random = field(init=False)
    _number: int = 0
    _body: bytes = b""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{SEED} {self.name}")
        self._change()

    def answer(self, request: Request) -> Answer:
        """Return the reply to one request."""
        is_unruly = request.ordinal <= UNRULY_REQUESTS
        if is_unruly and self._chance.random() < 0.3:
            self._change()
        if is_unruly and self._chance.random() < 0.1:
            self.statuses[503] += 1
            return Reply(status=503)
        status, body, headers = self._select(request)
        self.statuses[status] += 1
        reply = Reply(status=status, body=body, headers=headers, framing=self.manners.framing)
        return self._truncated(reply) if is_unruly and self._chance.random() < 0.7 else reply

    def _truncated(self, reply: Reply) -> Answer:
        """Return the reply truncated at a random place, which is seldom within its head."""
        if self._chance.random() < 0.05:
            return Raw(reply.message, Cut(self._chance.randrange(len(reply.head))))
        way = self._chance.choice((Cut, Cut, Reset))
        return replace(reply, delivery=way(self._chance.randint(0, len(reply.payload))))

    def _change(self) -> None:
        self._number += 1
        if not self._body or not self.manners.can_repeat_size or self._chance.random() < 0.4:
            size = self._chance.randint(self.size // 2, self.size)
            # The remainder by 64 makes sure that sizes of two versions differ.
            self._body = bytes(size - size % 64 + self._number % 64)
        self._body = self._chance.randbytes(len(self._body))
        self.versions.add(hashlib.sha256(self._body).hexdigest())

    def _select(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        """Return status, body and headers for the requested range (RFC 9110 §14.2)."""
        headers = self._version_headers()
        match = re.fullmatch(r"bytes=(\d+)-", request.header("Range") or "")
        condition = request.header("If-Range")
        is_same = condition in [value for _, value in headers]
        if match is None or (self.manners.respects_if_range and not is_same):
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
    """A server whose files change, and the downloads of its files.

    Args:
        resources: Files of the server by name.
        run: Runs that download the files.

    Attributes:
        outcomes: Numbers of successful jobs by outcome.
        range_requests: Requests for a range.
    """

    resources: dict[str, Resource]
    run: Run
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    range_requests: list[Request] = field(default_factory=list)

    def download(self, *, retries: int = RETRIES, runs: int = 1) -> None:
        """Download all files; start another run after a failure, up to `runs` runs.

        Args:
            retries: Number of retries of each job in a run.
            runs: Largest number of runs.
        """
        with ScriptedServer({f"/{n}": r.answer for n, r in self.resources.items()}) as server:
            for _ in range(runs):
                if self._download(server, retries=retries):
                    break
            self.range_requests = [each for each in server.requests() if each.header("Range")]

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

    def assert_one_version_each(self) -> None:
        """Check that the directory has all files, and that each is exactly one version."""
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
    """Return a site of `count` files; `large` of them have megabytes."""
    chance = random.Random(SEED)
    sizes = [chance.randint(1 * KIB, 64 * KIB) for _ in range(count - large)]
    sizes += [chance.randint(2 * MIB, 3 * MIB) for _ in range(large)]
    chance.shuffle(sizes)
    names = [f"{number:03}.bin" for number in range(count)]
    resources = {n: Resource(n, s, manners) for n, s in zip(names, sizes, strict=True)}
    run = Run(
        directory,
        workers=8,
        existing=Existing.CONTINUE,
        retry=RetrySettings(delay=0.001, max_delay=0.01),
    )
    return ChangingSite(resources, run)


@pytest.fixture(autouse=True)
def small_parts(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have parts of 1 KiB and more kept and resumed."""
    monkeypatch.setattr(part_file, "WORTH_RESUMING", KIB)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Yield an output directory that is removed at the end."""
    yield tmp_path / "downloads"
    shutil.rmtree(tmp_path / "downloads", ignore_errors=True)


@pytest.mark.parametrize(
    ("retries", "runs"), [(RETRIES, 1), (0, RETRIES)], ids=["retries", "runs"]
)
def test_500_changing_files(directory: Path, retries: int, runs: int) -> None:
    """Each file is one version, both after retries in one run and after many runs."""
    site = make_site(directory, Manners(headers=STRONG), count=FILES, large=25)
    site.download(retries=retries, runs=runs)
    site.assert_one_version_each()
    assert site.replies(206) > FILES / 4
    assert site.outcomes[Outcome.RESUMED] > FILES / 10
    assert all(each.header("If-Range") for each in site.range_requests)


def test_large_changing_files(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is one version if only parts of 1 MiB and more are resumed, as in real runs."""
    monkeypatch.undo()
    site = make_site(directory, Manners(headers=STRONG), count=60, large=40)
    site.download()
    site.assert_one_version_each()
    assert site.replies(206) > 0
    assert all(int(str(each.header("Range"))[6:-1]) >= MIB for each in site.range_requests)


@pytest.mark.parametrize(
    "manners",
    [
        pytest.param(Manners(headers=OLD_ENOUGH), id="only-last-modified"),
        pytest.param(Manners(headers=(*STRONG, *TOO_YOUNG)), id="etag-and-young-date"),
        pytest.param(Manners(headers=STRONG, longest_span=3000), id="short-206"),
        pytest.param(Manners(headers=STRONG, framing=Framing.CHUNKED), id="chunked"),
    ],
)
def test_a_server_that_respects_if_range(directory: Path, manners: Manners) -> None:
    """Files are resumed, and each is one version."""
    site = make_site(
        directory, manners, count=SOME, large=4 if manners.longest_span > MIB else 0
    )
    site.download()
    site.assert_one_version_each()
    assert site.replies(206) > SOME / 4
    assert site.outcomes[Outcome.RESUMED] > SOME / 10


@pytest.mark.parametrize(
    "manners",
    [
        pytest.param(
            Manners(headers=STRONG, respects_if_range=False, can_repeat_size=True),
            id="new-etag",
        ),
        pytest.param(
            Manners(headers=STRONG, respects_if_range=False, can_repeat_size=False),
            id="new-etag-and-total",
        ),
        pytest.param(
            Manners(headers=OLD_ENOUGH, respects_if_range=False), id="new-last-modified"
        ),
        pytest.param(
            Manners(headers=STRONG, respects_if_range=False, longest_span=3000),
            id="new-etag-in-short-206",
        ),
        pytest.param(
            Manners(headers=STRONG, respects_if_range=False, framing=Framing.CHUNKED),
            id="new-etag-chunked",
        ),
    ],
)
def test_a_server_that_ignores_if_range(directory: Path, manners: Manners) -> None:
    """A 206 whose validator names another version is not appended."""
    site = make_site(directory, manners, count=SOME, large=0)
    site.download()
    site.assert_one_version_each()
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
def test_files_without_a_strong_validator(
    directory: Path, headers: tuple[tuple[str, str], ...]
) -> None:
    """Without a strong validator, no file is resumed: no range is requested."""
    manners = Manners(headers=headers, respects_if_range=False)
    site = make_site(directory, manners, count=SOME, large=0)
    site.download()
    site.assert_one_version_each()
    assert site.range_requests == []
    assert site.outcomes == {Outcome.DOWNLOADED: SOME}
