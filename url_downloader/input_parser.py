"""From a list of URLs, as people and aria2 write it, to jobs.

Knows nothing of files, nor of what becomes of a job.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator

import validators

from url_downloader.inputs.list_entry import OPTIONS, ListEntry, parse_option
from url_downloader.naming.filenames import name_from_url
from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.errors import InputError
from url_downloader.shared.line_reader import MAX_LINE
from url_downloader.shared.models import AttemptLimits, DownloadJob, Rejection
from url_downloader.shared.urls import PLAIN_URL, split_url, without_secrets

_SHOWN = 200
_LOOK_EVERY = 100
"""Lines after which whoever takes the jobs may look around, even if there are none."""

_IDLE = (b"", b"#")
"""How a line begins that says nothing."""
_URL_START = re.compile(rb"[a-z][a-z0-9+.-]*:[/\\]", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_LIKE_A_URL = r"(?i)([a-z][a-z0-9+.-]{0,31}:)?[/\\]"
"""Lines that begin otherwise are not shown: they may be a header, a login or a token."""

_NO_URL_YET = "an option before the first URL"
_TOO_LATE = "an option that came after its URL was started: write both without a pause"


class InputParser:
    """Turns the lines of one list into jobs, and says which lines it could not.

    Args:
        source: the list's name in messages.
        claims: what gives each job a file name of its own.
        limits, max_retries: of a job without such options.
        on_rejected: called with each line that led to no job.
        on_note: called with what else the user should hear of, one line each.

    Attributes:
        rejected: how many lines led to no job.
        repeated: how many URLs were listed again, with the same options.
        error: why the list could not be read to its end.

    Threads: used by the main thread only.
    """

    def __init__(
        self,
        *,
        source: str,
        claims: NameClaims,
        limits: AttemptLimits,
        max_retries: int,
        on_rejected: Callable[[Rejection], None],
        on_note: Callable[[str], None],
    ) -> None:
        self.rejected = 0
        self.repeated = 0
        self.error: InputError | None = None
        self._source = _printable(source)
        self._claims = claims
        self._limits = limits
        self._max_retries = max_retries
        self._on_rejected = on_rejected
        self._on_note = on_note
        self._line = 0
        self._jobs = 0
        self._entry: ListEntry | None = None
        # A line was a URL, so the file is a list, whatever follows.
        self._is_list = False
        self._without_url = _NO_URL_YET
        self._first_lines: dict[bytes, int] = {}
        self._noted: set[str] = set()
        self._no_options = ListEntry(0, "", limits, max_retries).options

    def parse(self, lines: Iterable[bytes | None]) -> Iterator[DownloadJob | None]:
        """The jobs in the order of the list; None, as in `lines`, means: nothing yet.

        It also comes now and then between lines, so that those without a job hold nobody up.
        A job comes when the next URL, a None of `lines` or the end shows that no option
        follows.
        """
        for raw in self._readable(lines):
            if raw is None:
                yield from self._finish()
                yield None
                continue
            self._line += 1
            if (self._line == 1 or b"\0" in raw) and self._is_foreign(raw):
                return
            # Lists that were joined by cat have one in their middle, too.
            line = raw.removeprefix(codecs.BOM_UTF8)
            bare = line.strip()
            if bare[:1] in _IDLE:
                pass
            elif line[0] in b" \t" and not _URL_START.match(bare):
                self._take_option(bare)
            else:
                yield from self._finish()
                self._take_url(bare)
            if self._line % _LOOK_EVERY == 0:
                yield None
        yield from self._finish()

    def is_known(self, url: str) -> bool:
        """Whether the list had this URL before, without options."""
        entry = ListEntry(self._line, url, self._limits, self._max_retries)
        return self._key(entry) in self._first_lines

    def _is_foreign(self, raw: bytes) -> bool:
        """Whether the line shows that this is no list; then it is told why."""
        if self._line == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._reject(1, "the list is UTF-16 and was not read: save it as UTF-8")
            return True
        if b"\0" in raw and not (self._is_list or _URL_START.match(raw)):
            self._reject(self._line, "the list is not text, and no more of it was read")
            return True
        return False

    def _readable(self, lines: Iterable[bytes | None]) -> Iterator[bytes | None]:
        try:
            yield from lines
        except OSError as error:
            self.error = InputError(
                f"{self._source}: can't be read after line {self._line}: "
                f"{error.strerror or error}; what follows there is not downloaded"
            )

    def _take_url(self, bare: bytes) -> None:
        try:
            self._entry = self._new_entry(_decoded(bare))
            self._is_list = True
        except ValueError as error:
            self._drop(self._line, str(error))

    def _new_entry(self, text: str) -> ListEntry:
        first, *mirrors = text.split("\t")
        if mirrors:
            self._note_once("only the first URL of a line is used, mirrors are not")
        return ListEntry(
            self._line, normal_url(first.rstrip()), self._limits, self._max_retries
        )

    def _take_option(self, bare: bytes) -> None:
        if self._entry is None:
            if self._without_url:
                self._reject(self._line, self._without_url)
            return
        try:
            key, value = parse_option(_decoded(bare))
            if key in OPTIONS:
                self._entry.set(key, value, line=self._line)
            else:
                self._note_once(f"unknown option '{key}' is skipped")
        except ValueError as error:
            self._drop(self._line, str(error))

    def _finish(self) -> Iterable[DownloadJob]:
        """The job of the entry at hand, if there is one and it is not a repetition."""
        entry, self._entry = self._entry, None
        if entry is None:
            return ()
        self._without_url = _TOO_LATE
        key = self._key(entry)
        if key in self._first_lines:
            self.repeated += 1
            self._note(entry.line, f"repeated, first seen in line {self._first_lines[key]}")
            return ()
        try:
            output = self._claims.claim(entry.output or name_from_url(entry.url), entry.url)
        except ValueError as error:
            self._drop(entry.output_line, f"out: {error}")
            return ()
        self._first_lines[key] = entry.line
        self._jobs += 1
        return (entry.job(self._jobs, output=output),)

    def _key(self, entry: ListEntry) -> bytes:
        """15 bytes, equal for equal URLs with equal options."""
        asked = entry.url
        if entry.has_options:
            asked = f"{entry.options}{entry.url}".removeprefix(self._no_options)
        # One byte more, and each would take 16 bytes more of memory.
        return hashlib.blake2b(asked.encode(), digest_size=15).digest()

    def _drop(self, line: int, reason: str) -> None:
        """Rejects the URL at hand, and with it what options it has still to come."""
        self._entry = None
        self._without_url = ""
        self._reject(line, reason)

    def _reject(self, line: int, reason: str) -> None:
        self.rejected += 1
        self._on_rejected(Rejection(self._source, line, _printable(reason)))

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._note(self._line, text)

    def _note(self, line: int, text: str) -> None:
        self._on_note(f"{self._source}:{line}: {text}")


def normal_url(text: str) -> str:
    """Return the URL as it is asked for; see `urls`.

    Raises:
        ValueError: it is not an http(s) URL that has a host; the text without secrets.
    """
    plain = PLAIN_URL.fullmatch(text)
    if plain and is_valid_origin(plain[1]):
        return text
    try:
        origin, rest = ("", "") if _CONTROL.search(text) else split_url(text)
    except ValueError:
        origin = rest = ""
    if is_valid_origin(origin):
        return origin + rest
    raise ValueError(_what_is_wrong(text))


def _what_is_wrong(text: str) -> str:
    """Return why a line that should be a URL is rejected, without secrets in it."""
    if re.match(_LIKE_A_URL, text):
        return f"not a valid http(s) URL: {without_secrets(text)}"
    with contextlib.suppress(ValueError):
        key, _ = parse_option(text)
        if key in OPTIONS:
            return f"not a valid http(s) URL: the option '{key}' must begin with a blank"
    return "not a valid http(s) URL: it must begin with http:// or https://"


@functools.lru_cache(maxsize=1000)
def is_valid_origin(origin: str) -> bool:
    """Tell whether all URLs in normal form that begin so, up to their path, are valid.

    The path decides nothing; so the validator, which takes its time, is asked once.
    """
    # It refuses what networks at home and at work have: http://my_server.
    probe = origin.replace("_", "x")
    return origin.startswith(("http://", "https://")) and bool(
        validators.url(probe, simple_host=True, rfc_2782=True, rfc_1034=True)
    )


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    try:
        return raw.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def _printable(text: str) -> str:
    """One line that a terminal can show: escaped and cut."""
    escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_SHOWN])
    return escaped if len(text) <= _SHOWN >= len(escaped) else f"{escaped[:_SHOWN]}..."
