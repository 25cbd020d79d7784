"""The parser of a list: from its lines, as users and aria2 write them, to jobs.

`inputs.list_entry` parses the options of an entry. `inputs.job_maker` makes the jobs of a block
of entries: all that can be read without waiting, up to BLOCK_SIZE. This module is independent
of files on the disk and of the run.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import validators

from url_downloader.inputs.job_maker import JobMaker, JobRules
from url_downloader.inputs.list_entry import OPTIONS, ListEntry, parse_option
from url_downloader.shared.errors import InputError, Rejection
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.line_reader import GAP, MAX_LINE
from url_downloader.shared.models import DownloadJob, ListItem
from url_downloader.shared.urls import PLAIN_URL, split_url, without_secrets

_MAX_SHOWN = 200
"""Characters of a line that a message shows, at most."""
BLOCK_SIZE = 500
"""Entries of a block, at most: for larger ones, look-ups in the ledger are no faster."""
_YIELD_EVERY = 100
"""Lines after which `parse` yields even without a job, so that it does not block its caller."""

_IDLE = (b"", b"#")
"""First characters of blank lines and comments."""
_URL_START = re.compile(rb"[a-z][a-z0-9+.-]*:[/\\]", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_LIKE_A_URL = r"(?i)([a-z][a-z0-9+.-]{0,31}:)?[/\\]"
"""Pattern of the lines that messages may show. Other lines may be a header, login or token."""

_NO_URL_YET = "an option before the first URL"
_TOO_LATE = "an option that came too late, after its URL was started: write both lines at once"


class InputParser:
    """Parser of one list, which reports the lines that led to no job.

    Args:
        source: Name of the list, for messages.
        rules: Rules for the jobs.
        limits: Limits of the attempts of a job whose options set none.
        max_retries: Number of retries of a job whose options set none.
        on_rejected: Called with each line that led to no job, but not with repetitions.
        on_note: Called with other messages for the user.

    Attributes:
        rejected: Number of lines that led to no job, without repetitions.
        repeated: Number of URLs that were listed again with the same options.
        error: Error that ended the reading of the list early; None if none did.

    Threads: one.
    """

    def __init__(
        self,
        *,
        source: str,
        rules: JobRules,
        limits: AttemptLimits,
        max_retries: int,
        on_rejected: Callable[[Rejection], None],
        on_note: Callable[[str], None],
    ) -> None:
        self.rejected = self.repeated = 0
        self.error: InputError | None = None
        self._source = _printable(source)
        self._limits = limits
        self._max_retries = max_retries
        self._on_rejected = on_rejected
        self._on_note = on_note
        self._line = 0
        self._entry: ListEntry | None = None
        self._block: list[ListEntry] = []
        # After a valid URL the file counts as a list, even if a later line has a NUL.
        self._is_list = False
        self._without_url = _NO_URL_YET
        self._noted: set[str] = set()
        self._maker = JobMaker(
            rules,
            no_options=ListEntry(0, "", limits, max_retries).options,
            on_repeated=self._note_repeated,
            on_rejected=self._reject_path,
        )

    def parse(self, lines: Iterable[bytes | None]) -> Iterator[ListItem]:
        """Yield the jobs in the order of the list; None means that there is no job yet.

        A job is yielded when no option can follow, and no more lines can be read without
        waiting: at a GAP or None in `lines`, at the end of a block, or at the end. A None now
        and then keeps the caller responsive. If `lines` raises OSError, the iteration ends, and
        `error` is set.
        """
        for raw in self._readable(lines):
            if self.error is not None:
                return
            if raw is GAP:
                yield from self._jobs()
                continue
            if raw is None:
                self._finish()
                yield from self._jobs()
                yield None
                continue
            self._line += 1
            if (self._line == 1 or b"\0" in raw) and self._is_foreign(raw):
                break
            self._take_line(raw)
            if len(self._block) == BLOCK_SIZE:
                yield from self._jobs()
            if self._line % _YIELD_EVERY == 0:
                yield None
        self._finish()
        yield from self._jobs()

    @property
    def suffixes(self) -> Mapping[str, int]:
        """Return the number of files whose names got a suffix, by reason."""
        return self._maker.suffixes

    def is_known(self, url: str) -> bool:
        """Tell whether a job was yielded for this URL, in normal form and without options."""
        return self._maker.is_known(ListEntry(self._line, url, self._limits, self._max_retries))

    def release(self, job: DownloadJob) -> None:
        """Forget the name and the entry of a job, because the ledger has them now.

        Call it from any thread.
        """
        self._maker.release(job)

    def _is_foreign(self, raw: bytes) -> bool:
        """Tell whether the line shows that the file is not a list; if so, reject the line."""
        if self._line == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._reject(1, "the list is UTF-16 and was not read: save it as UTF-8")
            return True
        if b"\0" in raw and not (self._is_list or _URL_START.match(raw)):
            self._reject(self._line, "the list is not text, so the rest was not read")
            return True
        return False

    def _readable(self, lines: Iterable[bytes | None]) -> Iterator[bytes | None]:
        try:
            yield from lines
        except OSError as error:
            self.error = InputError(
                f"{self._source}: can't be read after line {self._line}: "
                f"{error.strerror or error}; the rest is not downloaded"
            )

    def _take_line(self, raw: bytes) -> None:
        # Lists that were joined by cat have a byte order mark in their middle, too.
        line = raw.removeprefix(codecs.BOM_UTF8)
        bare = line.strip()
        if bare[:1] in _IDLE:
            return
        if line[0] in b" \t" and not _URL_START.match(bare):
            self._take_option(bare)
        else:
            self._finish()
            self._take_url(bare)

    def _take_url(self, bare: bytes) -> None:
        try:
            self._entry = self._new_entry(_decoded(bare))
            self._is_list = True
        except ValueError as error:
            self._drop(self._line, str(error))

    def _new_entry(self, text: str) -> ListEntry:
        first, *mirrors = text.split("\t")
        if mirrors:
            self._note_once("only the first URL of a line is used; mirrors are ignored")
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

    def _finish(self) -> None:
        """Add the current entry, if any, to the block."""
        if self._entry is not None:
            self._without_url = _TOO_LATE
            self._block.append(self._entry)
            self._entry = None

    def _jobs(self) -> Iterator[ListItem]:
        """Yield the jobs of the block, and begin a new one."""
        block, self._block = self._block, []
        try:
            yield from self._maker.make(block)
        except InputError as error:
            # The ledger can't be read, so no further name is safe.
            self.error = error

    def _reject_path(self, entry: ListEntry, reason: str) -> None:
        if self._entry is None:
            # Options that follow belong to the rejected entry.
            self._without_url = ""
        self._reject(entry.output_line, reason)

    def _note_repeated(self, entry: ListEntry, line: int | None) -> None:
        self.repeated += 1
        first = "" if line is None else f", first seen in line {line}"
        self._note(entry.line, f"repeated{first}")

    def _drop(self, line: int, reason: str) -> None:
        """Reject the current entry; its further options are skipped without a report."""
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
    """Return the URL in normal form, in which it is requested; see `shared.urls`.

    Raises:
        ValueError: The text is not a valid http(s) URL. The message has no secrets.
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
    raise ValueError(_url_error(text))


def _url_error(text: str) -> str:
    """Return the message, without secrets, for a line that is not a valid URL."""
    if re.match(_LIKE_A_URL, text):
        return f"not a valid http(s) URL: {without_secrets(text)}"
    with contextlib.suppress(ValueError):
        key, _ = parse_option(text)
        if key in OPTIONS:
            return f"not a valid http(s) URL: the option '{key}' must begin with a blank"
    return "not a valid http(s) URL: it must begin with http:// or https://"


@functools.lru_cache(maxsize=1000)
def is_valid_origin(origin: str) -> bool:
    """Tell whether URLs in normal form with this origin are valid.

    Paths make no difference, so the slow validator is called only once for each origin.
    """
    # The validator rejects underscores, which local networks use: http://my_server.
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
    """Return the text as a terminal can show it: escaped, and cut to _MAX_SHOWN characters."""
    escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_MAX_SHOWN])
    return escaped if len(text) <= _MAX_SHOWN >= len(escaped) else f"{escaped[:_MAX_SHOWN]}..."
