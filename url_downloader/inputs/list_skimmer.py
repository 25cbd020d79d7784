"""A filter for the lines of a list, which copies plain URLs to save the parser's time.

It copies URLs that the parser would take unchanged. It leaves all other lines to the parser.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from url_downloader.naming.filenames import DEFAULT_NAME
from url_downloader.shared.urls import PLAIN_START

PLAIN_URL = re.compile(
    rb"(" + PLAIN_START.encode() + rb")/(?:(?!\.\.?/)[\w.~-]{0,250}/){0,50}"
    rb"(?!(?i:con|prn|aux|nul|com.|lpt.)(?:\.|\?|\Z))((?:[\w.-]{0,150}[\w-])?)"
    rb"(?:\?[\w.~&=+,;:/@-]{0,2000})?",
    re.ASCII,
)
"""Pattern of plain URLs, which are in normal form; its groups are origin and file name."""
_HEADING = "# unfinished: not started, and so are all URLs below without a comment\n"


class ListSkimmer:
    """Iterable of a list's lines that leaves out plain entries after a call of `skim`.

    A plain entry is a URL in normal form without options. To make a job of it would take ten
    times as long as to copy it.

    Args:
        lines: Lines of the list; None means that no line has come yet.
        claim: Claims a file name for a URL, as for jobs; returns the name, or a free one. None
            if the next run knows the names and finds the repetitions itself, by the ledger.
        is_known: Tells whether the parser had this URL before, without options.
        is_valid_origin: Tells whether an origin is valid; the parser rejects other ones.

    Threads: one, the one that reads the list.
    """

    def __init__(
        self,
        lines: Iterable[bytes | None],
        *,
        claim: Callable[[str, str], str] | None,
        is_known: Callable[[str], bool],
        is_valid_origin: Callable[[str], bool],
    ) -> None:
        self._lines = lines
        self._claim = claim
        self._is_known = is_known
        self._is_valid_origin = is_valid_origin
        self._is_skimming = False
        # The first plain URL goes to the parser: until the parser has a URL, it takes a line
        # with a NUL for a binary file.
        self._has_passed_one = False
        self._has_heading = False
        self._kept: list[str] = []
        self._seen: set[bytes] = set()
        # Whether the parser may still wait for options of the last URL that it got.
        self._is_open = True

    def skim(self) -> None:
        """Leave out plain entries from now on, and keep their text for `take`."""
        self._is_skimming = True

    def has(self, url: str) -> bool:
        """Tell whether the URL has been left out."""
        return url.encode() in self._seen

    def take(self) -> list[str]:
        """Return the entries left out since the last call, as pieces of the text of a list."""
        kept, self._kept = self._kept, []
        return kept

    def __iter__(self) -> Iterator[bytes | None]:
        """Yield all lines, with a blank line in place of each that is left out."""
        held = None
        for raw in self._lines:
            if held is not None and not _is_idle(raw):
                yield from self._pass_by(held, has_options=_is_indented(raw))
                held = None
            if held is None and (held := self._plain(raw)):
                continue
            self._is_open = True
            yield raw
        if held is not None:
            yield from self._pass_by(held, has_options=False)

    def _plain(self, raw: bytes | None) -> re.Match[bytes] | None:
        plain = PLAIN_URL.fullmatch(raw) if self._is_skimming and raw else None
        if plain is None or not self._is_valid_origin(plain[1].decode()):
            return None
        has_passed_one, self._has_passed_one = self._has_passed_one, True
        return plain if has_passed_one else None

    def _pass_by(self, plain: re.Match[bytes], *, has_options: bool) -> Iterator[bytes | None]:
        if has_options:
            self._is_open = True
            yield plain[0]
            return
        if self._is_open:
            # The parser must finish the URL before, to keep the order of the list.
            yield None
        self._is_open = False
        self._keep(plain)
        yield b""

    def _keep(self, plain: re.Match[bytes]) -> None:
        url, name = plain[0].decode(), plain[2].decode() or DEFAULT_NAME
        claimed = name
        if self._claim is not None:
            if plain[0] in self._seen:
                return
            claimed = self._claim(name, url)
            if claimed != name and self._is_known(url):
                return
            self._seen.add(plain[0])
        if not self._has_heading:
            self._has_heading = True
            self._kept.append(_HEADING)
        self._kept.append(f"{url}\n" if claimed == name else f"{url}\n  out={claimed}\n")


def _is_idle(raw: bytes | None) -> bool:
    """Tell whether the line is blank or a comment, which may come before options."""
    return raw is not None and (not (bare := _bare(raw).strip()) or bare.startswith(b"#"))


def _is_indented(raw: bytes | None) -> bool:
    return raw is not None and _bare(raw).startswith((b" ", b"\t"))


def _bare(raw: bytes) -> bytes:
    return raw.removeprefix(codecs.BOM_UTF8)
