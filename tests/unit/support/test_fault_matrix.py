"""The fault matrix: its cells, and the calls that fail in each."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.fault_matrix import arguments, cells_of
from tests.support.fault_runs import ERRORS, GROUPS, IMPOSSIBLE, POSITIONS, Baseline, when
from tests.support.fault_scenes import Scene


def test_the_matrix() -> None:
    """Each group meets each error that it can have, at each position, in alternating scenes."""
    scene = Scene(name="fresh", template=Path("x"), options=())
    calls = dict.fromkeys(GROUPS, 4)
    baselines = [Baseline(scene=scene, paths=frozenset(), calls=each) for each in (calls, {})]
    cells = list(cells_of(baselines, arguments([])))
    made = [(cell.group, cell.error, cell.position) for cell in cells]
    every = itertools.product(GROUPS, ERRORS, POSITIONS)
    assert made == [each for each in every if each[:2] != IMPOSSIBLE]
    assert len(made) >= 17 * 7 * 3
    assert 0 < len(list(cells_of(baselines, arguments(["--quick"])))) < len(made) / 10


@pytest.mark.parametrize(
    ("calls", "expected"),
    [(1, ["1", "1", "1+", "1+"]), (2, ["1", "2", "1+", "1+"]), (40, ["1", "21", "30+", "1+"])],
)
def test_the_calls_that_fail(calls: int, expected: list[str]) -> None:
    """The first call fails, one in the middle, the last quarter, or all calls."""
    assert [when(position, calls) for position in POSITIONS] == expected
