"""The program, which prints its peak memory in bytes to stdout at its end."""

from __future__ import annotations

import sys

# Not getrusage: it counts memory of the parent process, too.
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
"""Value of `program` for `run_cli`; needs Linux."""
