"""The judge of the fault matrix: the promises that a run with faults has broken.

Pure: it gets the findings, and does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SUMMARY = re.compile(r"^\d+ downloaded, ", re.MULTILINE)
_STATUSES = frozenset({0, 1, 3, 4, 5})
_SOME_FAILED, _LOCAL = 1, 3
_BUG = re.compile(r"Traceback \(most recent call last\)|\bbug of (?:ours|this program)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a run of the program.

    Args:
        status: Exit status; None if the run did not end in time and was killed.
        output: All output.
    """

    status: int | None
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The findings after a run with faults, and after the clean run that followed.

    Args:
        faulty: The run with faults.
        wanted: Names of the files of its list that the server has.
        lost: Names of the other files of its list.
        right: Names of files that have the server's bytes.
        wrong: Names of files with bytes that neither the server nor an earlier run gave, and
            of files that the list does not have.
        reported: Names in the report; None without a report.
        report_fault: Reason why the report is unreadable; empty if it is readable.
        listed: Names in the list of failed URLs; None without such a list.
        strays: Drafts, and parts that no run can use.
        clean: The clean run.
        clean_missing: Names of the files that were missing or wrong after it.
        clean_strays: Other files that it left.
    """

    faulty: Ended
    wanted: frozenset[str]
    lost: frozenset[str] = frozenset()
    right: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()
    reported: frozenset[str] | None = None
    report_fault: str = ""
    listed: frozenset[str] | None = None
    strays: frozenset[str] = frozenset()
    clean: Ended
    clean_missing: frozenset[str] = frozenset()
    clean_strays: frozenset[str] = frozenset()


def violations(outcome: Outcome) -> Iterator[str]:
    """Yield each broken promise in a few words."""
    if outcome.faulty.status is None:
        yield "the run does not end"
        return
    yield from _ending(outcome.faulty)
    yield from _status(outcome)
    if outcome.wrong:
        yield f"wrong files: {_names(outcome.wrong)}"
    if outcome.faulty.status in _STATUSES:
        yield from _account(outcome)
    if outcome.strays:
        yield f"left behind: {_names(outcome.strays)}"
    yield from _clean(outcome)


def _ending(run: Ended) -> Iterator[str]:
    if (bug := _BUG.search(run.output)) is not None:
        yield f"it says {bug[0]!r}"
    if run.status not in _STATUSES:
        yield f"status {run.status}"
    elif run.status not in (0, _LOCAL) and SUMMARY.search(run.output) is None:
        yield f"status {run.status} without a summary"


def _status(outcome: Outcome) -> Iterator[str]:
    """Compare the exit status with the files."""
    status, missing = outcome.faulty.status, outcome.wanted - outcome.right
    if status == 0 and (missing or outcome.lost):
        yield f"status 0 without {_names(missing | outcome.lost)}"
    if status == _SOME_FAILED and not outcome.right:
        yield "status 1, and no file is there"


def _account(outcome: Outcome) -> Iterator[str]:
    """Look for each job in the report, and for each job without a file in the failed URLs."""
    output, jobs = outcome.faulty.output, outcome.wanted | outcome.lost
    if SUMMARY.search(output) is None or _complains(output, "urls.txt"):
        return
    if outcome.reported is not None and not _complains(output, "--report"):
        if outcome.report_fault:
            yield f"the report can't be read: {outcome.report_fault}"
        elif missing := jobs - outcome.reported:
            yield f"not in the report: {_names(missing)}"
    complains = _complains(output, "failed.txt") or _complains(output, "--failed-out")
    if outcome.listed is None or complains:
        return
    if missing := jobs - outcome.right - outcome.listed:
        yield f"neither there nor in the list of failed URLs: {_names(missing)}"


def _complains(output: str, name: str) -> bool:
    """Return whether the run logged an error about this file or option."""
    return any(" ERROR " in line and name in line for line in output.splitlines())


def _clean(outcome: Outcome) -> Iterator[str]:
    if outcome.clean.status != 0:
        yield f"a clean run afterwards ends with status {outcome.clean.status}"
    if outcome.clean_missing:
        yield f"a clean run afterwards leaves these missing: {_names(outcome.clean_missing)}"
    if outcome.clean_strays:
        yield f"a clean run afterwards leaves {_names(outcome.clean_strays)}"


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
