"""The making of jobs: names across runs, repetitions, and URLs that are passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_ledger import KEYS, FakeLedger
from url_downloader.input_parser import InputParser
from url_downloader.inputs.job_maker import JobRules
from url_downloader.inputs.known_urls import KnownUrls
from url_downloader.inputs.passing_rule import PassingRule
from url_downloader.naming.filenames import with_suffix
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.recorded_names import RecordedNames, SuffixReason
from url_downloader.shared.file_facts import FileState
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import DownloadJob, Outcome, PassedOver

X1, X2, X3 = "http://h/1/x", "http://h/2/x", "http://h/3/x"


class Rules(NamedTuple):
    """Rules of a run that a test may set."""

    passes_complete: bool = False
    passes_successes: bool = False
    takes_server_names: bool = False
    wants_results: bool = True
    checksums: Mapping[str, Checksum] = {}


class Listing:
    """Lists that are read in one run, with a ledger of earlier runs and files on a disk.

    Args:
        rules: Rules of the run.

    Attributes:
        ledger: Ledger, without entries at first.
        files: States of the existing files by name.
        claims: Claims of the run.
        notes: Messages and rejections.
    """

    def __init__(self, rules: Rules = Rules()) -> None:  # noqa: B008 - a value
        self.ledger = FakeLedger()
        self.files: dict[str, FileState] = {}
        self.notes: list[str] = []
        recorded = RecordedNames(self.ledger, self.is_there)
        self.claims = NameClaims([".parts"], recorded=recorded)
        passing = PassingRule(
            rules.passes_complete, rules.passes_successes, self.files.get, "dir/{}".format
        )
        known = KnownUrls(
            self.ledger, keys=KEYS, recorded=recorded, claims=self.claims, passing=passing
        )
        self.parser = InputParser(
            source="list",
            rules=JobRules(
                claims=self.claims,
                known=known,
                checksums=rules.checksums,
                takes_server_names=rules.takes_server_names,
                wants_results=rules.wants_results,
            ),
            limits=AttemptLimits(),
            max_retries=4,
            on_rejected=lambda rejection: self.notes.append(str(rejection)),
            on_note=self.notes.append,
        )

    def is_there(self, name: str) -> bool:
        """Tell whether a file or a folder has this path."""
        return name in self.files or any(each.startswith(f"{name}/") for each in self.files)

    def add(self, url: str, name: str, *, has_file: bool = True, **facts: Any) -> None:
        """Add an entry to the ledger, and a file of 5 bytes if it has one."""
        self.ledger.add(url, name, **facts)
        if has_file:
            self.files[name] = (5, 7)

    def read(self, *lines: str) -> list[DownloadJob | PassedOver]:
        """Read a list; return its items."""
        items = self.parser.parse(line.encode() for line in lines)
        return [item for item in items if item is not None]

    def names(self, *lines: str) -> list[str]:
        """Read a list; return the names of its jobs."""
        return [item.output for item in self.read(*lines) if isinstance(item, DownloadJob)]

    def end(self, job: DownloadJob, *, is_success: bool = True) -> None:
        """Commit a job to the ledger, as its writer does when the job has ended."""
        assert job.history is not None
        mark, run = job.history.mark, self.ledger.run
        self.ledger.add(job.url, job.output, run=run, is_success=is_success, mark=mark)
        if is_success:
            self.files[job.output] = (5, 7)
        self.parser.release(job)


def suffixed(url: str, name: str = "x") -> str:
    """Return the name with the suffix of its URL."""
    return with_suffix(name, url)


def test_another_list_with_the_same_basename() -> None:
    """A URL gets a suffix if its name is that of another URL's file."""
    listing = Listing()
    listing.add(X1, "x")
    assert listing.names(X2) == [suffixed(X2)]
    assert listing.claims.suffixes == {SuffixReason.RECORDED: 1}


@pytest.mark.parametrize(
    "lines",
    [(X1, X2, X3), (X3, X2, X1), (X2,), (X3, X1), ("http://h/9/x", X2, X1, X3), (X2, X1, X2)],
)
def test_an_edited_list(lines: tuple[str, ...]) -> None:
    """A known URL keeps its name, wherever it is in the list and whatever is before it."""
    listing = Listing()
    old = {X1: "x", X2: suffixed(X2), X3: "given by a server.pdf"}
    for url, name in old.items():
        listing.add(url, name)
    jobs = [item for item in listing.read(*lines) if isinstance(item, DownloadJob)]
    assert {job.url: job.output for job in jobs if job.url in old} == {
        url: name for url, name in old.items() if url in lines
    }
    assert len({job.output for job in jobs}) == len(jobs)


def test_the_name_of_a_file_that_is_gone() -> None:
    """Another URL gets a recorded name if its file is gone, or if its URL failed."""
    listing = Listing()
    listing.add(X1, "x", has_file=False)
    listing.add("http://h/y", "y", has_file=False, is_success=False)
    assert listing.names(X2, "http://h/2/y") == ["x", "y"]


def test_a_failed_url_keeps_its_name() -> None:
    """A URL that failed has the same name again, and its job knows the entry."""
    listing = Listing()
    listing.add(X2, suffixed(X2), has_file=False, is_success=False)
    [job] = listing.read(X2)
    assert isinstance(job, DownloadJob)
    assert job.output == suffixed(X2)
    assert job.history is not None
    assert job.history.entry == listing.ledger.entries[0]


@pytest.mark.parametrize("is_success", [True, False])
def test_names_that_were_given_in_this_run(is_success: bool) -> None:
    """A name that was given in this run is taken, even if its URL failed and left memory."""
    listing = Listing()
    [job] = listing.read(X1)
    assert isinstance(job, DownloadJob)
    listing.end(job, is_success=is_success)
    assert listing.names(X2, f"{X3}?", f"{X3}#", " out=x") == [
        *(suffixed(X2), suffixed(f"{X3}?"), suffixed(X3))
    ]
    assert listing.claims.suffixes == {SuffixReason.LISTED: 3}


def test_the_name_that_the_user_chose() -> None:
    """`out=` gets its name even if another URL's file has it; the job knows that."""
    listing = Listing()
    listing.add(X1, "latest.zip")
    [job] = listing.read(X2, " out=latest.zip")
    assert isinstance(job, DownloadJob)
    assert (job.output, job.is_named) == ("latest.zip", True)
    assert job.history is not None
    assert job.history.is_taken_over


def test_the_same_name_chosen_again() -> None:
    """An `out=` that equals the recorded name changes nothing."""
    listing = Listing()
    listing.add(X1, "latest.zip")
    [job] = listing.read(X1, " out=latest.zip")
    assert isinstance(job, DownloadJob)
    assert job.history is not None
    assert (job.history.entry, job.history.is_taken_over) == (
        listing.ledger.entries[0],
        False,
    )


def test_a_url_with_two_files() -> None:
    """Two entries of one URL keep their names in any order of the list."""
    for order in ((X1, X1, " out=b"), (X1, " out=b", X1)):
        listing = Listing()
        listing.add(X1, "b")
        listing.add(X1, "x")
        assert sorted(listing.names(*order)) == ["b", "x"]


def test_a_file_where_a_folder_is_wanted() -> None:
    """A path through the file of an earlier run is rejected; so is no folder's name given."""
    listing = Listing()
    listing.add("http://h/a", "a")
    listing.add("http://h/c", "b/c")
    assert listing.names("http://h/z", " out=a/z", "http://h/2/b") == [
        suffixed("http://h/2/b", "b")
    ]
    assert listing.notes == [
        "list:2: out: a file of an earlier run is already named 'a'",
    ]


def test_repetitions_after_the_first_has_ended() -> None:
    """A repeated URL is one job, also after it left memory; other options make another job."""
    listing = Listing()
    [job] = listing.read(X1)
    assert isinstance(job, DownloadJob)
    listing.end(job)
    jobs = listing.read(X1, X1, " timeout=7")
    assert [item.job_id for item in jobs if isinstance(item, DownloadJob)] == [2]
    assert listing.parser.repeated == 1
    assert listing.notes == ["list:2: repeated"]


def test_a_url_of_an_earlier_run_is_not_repeated() -> None:
    """The mark of an earlier run means nothing in this one."""
    listing = Listing()
    [job] = Listing().read(X1)
    assert isinstance(job, DownloadJob)
    assert job.history is not None
    listing.add(X1, "x", mark=job.history.mark)
    assert listing.names(X1) == ["x"]


@pytest.mark.parametrize(
    ("takes_names", "is_success", "is_settled"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_a_server_changes_no_known_name(
    takes_names: bool, is_success: bool, *, is_settled: bool
) -> None:
    """A server can't rename a finished file of an earlier run, but one that failed."""
    listing = Listing(Rules(takes_server_names=takes_names))
    listing.add(X1, "report.pdf", is_success=is_success)
    [job] = listing.read(X1)
    assert isinstance(job, DownloadJob)
    assert (job.output, job.is_named) == ("report.pdf", is_settled)


SUM = Checksum("sha-256", "ab" * 32)
COMPLETE = {"size": 5, "mtime_ns": 7}


def complete(listing: Listing, url: str = X1, name: str = "x", **facts: Any) -> None:
    """Add a URL whose file is as it was recorded."""
    listing.add(url, name, **(COMPLETE | facts))


@pytest.mark.parametrize(
    ("change", "is_passed"),
    [
        (lambda _: None, True),
        (lambda listing: listing.files.update(x=(6, 7)), False),
        (lambda listing: listing.files.update(x=(5, 8)), False),
        (lambda listing: listing.files.clear(), False),
    ],
)
def test_continue_passes_complete_files(
    change: Callable[[Listing], None], *, is_passed: bool
) -> None:
    """With -c a URL needs no attempt if its file has the recorded size and time."""
    listing = Listing(Rules(passes_complete=True))
    complete(listing)
    change(listing)
    [item] = listing.read(X1)
    assert isinstance(item, PassedOver) is is_passed


@pytest.mark.parametrize(
    "facts",
    [{"is_success": False, **COMPLETE}, {}, {"size": 5}],
)
def test_continue_asks_for_the_rest(facts: dict[str, Any]) -> None:
    """With -c a URL that failed is tried, and so is one whose file may be incomplete."""
    listing = Listing(Rules(passes_complete=True))
    listing.add(X1, "x", **facts)
    assert listing.names(X1) == ["x"]


@pytest.mark.parametrize(
    ("digest", "is_passed"),
    [(f"sha-256={'ab' * 32}", True), (f"sha-256={'cd' * 32}", False), ("", False)],
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_continue_with_a_checksum(digest: str, *, is_passed: bool, is_listed: bool) -> None:
    """A known checksum must be the recorded digest; otherwise the file has to be read."""
    listing = Listing(Rules(passes_complete=True, checksums={} if is_listed else {"x": SUM}))
    complete(listing, digest=digest)
    option = [f" checksum=sha-256={'ab' * 32}"] if is_listed else []
    [item] = listing.read(X1, *option)
    assert isinstance(item, PassedOver) is is_passed


def test_continue_after_a_name_was_handed_on() -> None:
    """A complete file is not passed over if an `out=` before it has handed its name on."""
    listing = Listing(Rules(passes_complete=True))
    complete(listing)
    assert listing.names(X2, " out=x", X1) == ["x", suffixed(X1)]


def test_retry_failed_passes_successes() -> None:
    """With --retry-failed a URL that succeeded is passed over, even if its file is gone."""
    listing = Listing(Rules(passes_successes=True))
    listing.add(X1, "x", has_file=False)
    listing.add(X2, suffixed(X2), has_file=False, is_success=False)
    items = listing.read(X1, X2, X3)
    assert [type(item) for item in items] == [PassedOver, DownloadJob, DownloadJob]


def test_numbers_of_jobs() -> None:
    """A URL that is passed over takes a number; results are there only if they are wanted."""
    for wants_results in (True, False):
        listing = Listing(Rules(passes_complete=True, wants_results=wants_results))
        for number in (1, 2, 4):
            complete(listing, f"http://h/{number}", str(number))
        items = listing.read(*(f"http://h/{number}" for number in range(1, 6)))
        passed = [item.number for item in items if isinstance(item, PassedOver)]
        assert passed == [2, 1]
        assert [item.job_id for item in items if isinstance(item, DownloadJob)] == [3, 5]
        results = [
            (job.job_id, result.outcome, result.path, result.size)
            for item in items
            if isinstance(item, PassedOver)
            for job, result in item.results
        ]
        wanted = [(n, Outcome.SKIPPED, f"dir/{n}", 5) for n in (1, 2, 4)]
        assert results == (wanted if wants_results else [])


def test_a_block_takes_few_look_ups() -> None:
    """A block of 500 lines is looked up with a few queries, whatever is in it."""
    listing = Listing()
    for number in range(100):
        listing.add(f"http://h/{number}/x", suffixed(f"http://h/{number}/x"))
    listing.read(*(f"http://h/{number}/x" for number in range(50, 550)))
    assert listing.ledger.queries < 10


LISTS = st.lists(st.sampled_from([X1, X2, X3, "http://h/x?1", "http://h/X"]), max_size=6)


@given(LISTS, LISTS, st.sets(st.integers(0, 5)))
def test_names_never_clash(first: list[str], second: list[str], failed: set[int]) -> None:
    """Two lists one after the other: no name for two URLs, and each URL keeps its file."""
    listing = Listing()
    for number, job in enumerate(listing.read(*first)):
        assert isinstance(job, DownloadJob)
        listing.end(job, is_success=number not in failed)
    files = {each.name: each.identity for each in listing.ledger.entries if each.is_success}
    later = Listing()
    later.ledger.entries = [each._replace(run=1) for each in listing.ledger.entries]
    later.files.update(listing.files)
    names = later.names(*second)
    assert len(set(names)) == len(names)
    for url, name in zip(dict.fromkeys(second), names, strict=True):
        assert files.get(name, KEYS.identity(url)) == KEYS.identity(url)
        if KEYS.identity(url) in files.values():
            assert files[name] == KEYS.identity(url)
