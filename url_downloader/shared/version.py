"""Version of this program, in a module that every package may import."""

__version__ = "0.1.0"

PROGRAM = f"url-downloader {__version__} from {__file__.rpartition('/shared/')[0]}"
"""Name, version and path of this package, for `--version` and for reports of bugs.

Another package on an index has the same import name, so that the name alone is ambiguous.
"""
