"""The program on a system where some packages are not installed."""

from __future__ import annotations

import sys

_HIDING = """
import runpy, sys
for package in sys.argv.pop(1).split(","):
    sys.modules[package] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, "")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def without(*packages: str) -> tuple[str, ...]:
    """Return the command of the program, which can't import these packages."""
    return (sys.executable, "-c", _HIDING, ",".join(packages), "main.py")
