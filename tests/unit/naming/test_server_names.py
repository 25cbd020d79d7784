"""Files that have appeared at the path of a job's file: whose are they?"""

from __future__ import annotations

import pytest

from tests.support.fake_ledger import KEYS, FakeLedger
from tests.support.jobs import make_job
from url_downloader.naming.filenames import with_suffix
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.recorded_names import RecordedNames
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared.file_facts import RECORDING_TIME, FileAge
from url_downloader.shared.ledger_entries import UrlHistory

MINE, OTHER = "http://h/1/x", "http://h/2/x"


@pytest.mark.parametrize(
    ("owner", "is_older", "is_others"),
    [
        (None, True, False),
        (None, False, True),
        (MINE, True, False),
        (MINE, False, False),
        (OTHER, True, True),
        (OTHER, False, True),
    ],
)
def test_the_owner_of_a_recent_file(
    owner: str | None, *, is_older: bool, is_others: bool
) -> None:
    """The ledger says whose a file is; a file that no run records is old, or another run's."""
    ledger = FakeLedger()
    recorded = RecordedNames(ledger, lambda _: True)
    names = ServerNames(NameClaims(recorded=recorded), {})
    if owner:
        ledger.add(owner, "X", run=3)
    job = make_job(url=MINE, output="x", history=UrlHistory(KEYS.identity(MINE), 0))
    age = FileAge(seconds=RECORDING_TIME, is_older=is_older)
    assert names.is_others(job, "x", age=age) is is_others
    # A file that will not be recorded any more is not waited for.
    assert ledger.queries == 1


def test_other_names_of_a_job() -> None:
    """Each attempt gets the same other name, and a new one if that is another URL's, too."""
    claims = NameClaims()
    names, job = ServerNames(claims, {}), make_job(url=MINE, output="x")
    claims.claim("x", MINE)
    first = [names.other_name(job, "x") for _ in range(2)]
    assert first == [with_suffix("x", MINE)] * 2
    assert names.other_name(job, first[0]) not in ("x", first[0])


def test_another_name_than_the_server_s() -> None:
    """The name that a server gave changes, too, if another URL's file has it."""
    names, job = ServerNames(NameClaims(), {}), make_job(url=MINE, output="x")
    assert names.name(job, "report.pdf") == "report.pdf"
    other = with_suffix("report.pdf", MINE)
    assert names.other_name(job, "report.pdf") == other
    assert names.name(job, "report.pdf") == other
