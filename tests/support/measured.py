"""The program, telling at its end on stdout how much memory it took at most, in bytes."""

from __future__ import annotations

import sys

# Not getrusage: of a process that was just started it tells the memory of the one that
# started it.
_SCRIPT = """
import sys
from pathlib import Path
from url_downloader.main import main
status = main()
fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(fields["VmHWM"].split()[0]) * 1024)
sys.exit(status)
"""
MEASURED = (sys.executable, "-c", _SCRIPT)
"""For `run_cli`; needs Linux."""
