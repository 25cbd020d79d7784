"""The lines of a list on their way to the parser, of which the plain ones can be left out.

Knows which URLs the parser would take as they stand, and nothing of what else it does.
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
"""URLs asked for as they stand in a list: the origin, and the name that each gives its file."""
_HEADING = "# unfinished: not started, and so are all URLs below without a comment\n"


class ListSkimmer:
    """Gives lines on, until it is told to skim: then it keeps back the plain ones.

    A plain one is a URL that has no options and is written as it will be asked for. To make
    a job of it takes ten times as long.

    Args:
        lines: of the list; None means: nothing yet.
        claim: gives a URL's file a name of its own, as for the other jobs of the list.
        is_known: whether a URL without options came before and has been given on.
        is_valid_origin: tells whether an origin is valid; else the parser says what is wrong.

    Threads: used by the main thread only.
    """

    def __init__(
        self,
        lines: Iterable[bytes | None],
        *,
        claim: Callable[[str, str], str],
        is_known: Callable[[str], bool],
        is_valid_origin: Callable[[str], bool],
    ) -> None:
        self._lines = lines
        self._claim = claim
        self._is_known = is_known
        self._is_valid_origin = is_valid_origin
        self._is_skimming = False
        # Without one, the parser would take what is no text for another kind of file.
        self._has_given_one = False
        self._kept: list[str] = []
        self._seen: set[bytes] = set()
        # Whether the last URL that was given on may still wait for its options.
        self._is_open = True

    def skim(self) -> None:
        """Keep back what is plain, from now on."""
        self._is_skimming = True

    def has(self, url: str) -> bool:
        """Whether it has been kept back."""
        return url.encode() in self._seen

    def take(self) -> list[str]:
        """What has been kept back since the last time, as the text of a list."""
        kept, self._kept = self._kept, []
        return kept

    def __iter__(self) -> Iterator[bytes | None]:
        """All lines, a blank one for each that is kept back."""
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
        has_given_one, self._has_given_one = self._has_given_one, True
        return plain if has_given_one else None

    def _pass_by(self, plain: re.Match[bytes], *, has_options: bool) -> Iterator[bytes | None]:
        if has_options:
            self._is_open = True
            yield plain[0]
            return
        if self._is_open:
            # The parser is to be done with the URL before: the order of the list is kept.
            yield None
        self._is_open = False
        self._keep(plain)
        yield b""

    def _keep(self, plain: re.Match[bytes]) -> None:
        if plain[0] in self._seen:
            return
        url, name = plain[0].decode(), plain[2].decode() or DEFAULT_NAME
        claimed = self._claim(name, url)
        is_taken = claimed != name
        if is_taken and self._is_known(url):
            return
        if not self._seen:
            self._kept.append(_HEADING)
        self._seen.add(plain[0])
        self._kept.append(f"{url}\n  out={claimed}\n" if is_taken else f"{url}\n")


def _is_idle(raw: bytes | None) -> bool:
    """Whether it may stand between a URL and its options without being one."""
    return raw is not None and (not (bare := _bare(raw).strip()) or bare.startswith(b"#"))


def _is_indented(raw: bytes | None) -> bool:
    return raw is not None and _bare(raw).startswith((b" ", b"\t"))


def _bare(raw: bytes) -> bytes:
    return raw.removeprefix(codecs.BOM_UTF8)
