"""The judge of the fault matrix: it reports each broken promise, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.fault_judge import Ended, Outcome, violations

SUMMARY = "1 downloaded, 1 failed of 2; 0 retries\n"
A, B, AB = frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})
GOOD = Outcome(
    faulty=Ended(status=0, output=""), wanted=AB, right=AB, clean=Ended(status=0, output="")
)
HALF = replace(GOOD, faulty=Ended(status=3, output=SUMMARY), right=A, reported=AB, listed=B)


def said(text: str, status: int | None = 3) -> Ended:
    """Return a run that ended with this output and status."""
    return Ended(status=status, output=text)


@pytest.mark.parametrize(
    "outcome",
    [
        GOOD,
        HALF,
        replace(GOOD, lost=frozenset({"c"}), faulty=said(SUMMARY, 1)),
        replace(GOOD, right=frozenset(), faulty=said("x ERROR MainThread: can't be used\n")),
        replace(HALF, reported=A, faulty=said(f"x ERROR w: --report: is full\n{SUMMARY}")),
        replace(
            HALF, report_fault="cut", faulty=said(f"x ERROR w: --report: is full\n{SUMMARY}")
        ),
        replace(HALF, listed=A, faulty=said(f"x ERROR w: /d/failed.txt: is full\n{SUMMARY}")),
        replace(HALF, listed=A, faulty=said(f"x ERROR w: --failed-out: is full\n{SUMMARY}")),
        replace(HALF, listed=A, faulty=said(f"x ERROR w: /d/urls.txt: unreadable\n{SUMMARY}")),
        replace(HALF, right=AB, listed=frozenset()),
    ],
)
def test_no_promise_is_broken(outcome: Outcome) -> None:
    """A run may fail if it says so, and need not leave a report that it could not write."""
    assert list(violations(outcome)) == []


@pytest.mark.parametrize(
    ("good", "fields", "broken"),
    [
        (GOOD, {"faulty": said("", None)}, "the run does not end"),
        (GOOD, {"faulty": said("", 70)}, "status 70"),
        (GOOD, {"faulty": said("", -11)}, "status -11"),
        (GOOD, {"faulty": said("", 1)}, "status 1 without a summary"),
        (
            GOOD,
            {"faulty": said("CRITICAL a bug of this program")},
            "it says 'bug of this program'",
        ),
        (HALF, {"faulty": said(f"bug of ours: X\n{SUMMARY}")}, "it says 'bug of ours'"),
        (
            HALF,
            {"faulty": said(f"Traceback (most recent call last):\n{SUMMARY}")},
            "it says 'Traceback (most recent call last)'",
        ),
        (GOOD, {"right": A}, "status 0 without b"),
        (GOOD, {"lost": frozenset({"c"})}, "status 0 without c"),
        (
            HALF,
            {"right": frozenset(), "listed": AB, "faulty": said(SUMMARY, 1)},
            "status 1, and no file is there",
        ),
        (GOOD, {"wrong": A}, "wrong files: a"),
        (HALF, {"reported": A}, "not in the report: b"),
        (HALF, {"report_fault": "cut"}, "the report can't be read: cut"),
        (HALF, {"listed": A}, "neither there nor in the list of failed URLs: b"),
        (GOOD, {"strays": AB}, "left behind: a, b"),
        (GOOD, {"clean": said("", 1)}, "a clean run afterwards ends with status 1"),
        (GOOD, {"clean_missing": A}, "a clean run afterwards leaves these missing: a"),
        (GOOD, {"clean_strays": B}, "a clean run afterwards leaves b"),
    ],
)
def test_a_promise_is_broken(good: Outcome, fields: dict[str, Any], broken: str) -> None:
    """Each broken promise is reported, and that one alone."""
    assert list(violations(replace(good, **fields))) == [broken]
