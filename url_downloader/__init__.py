"""A concurrent URL downloader: a list of URLs becomes files."""

__version__ = "0.1.0"
