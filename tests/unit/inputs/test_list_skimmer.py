"""The rest of a list, copied without making jobs: it gives the same jobs later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.settings import Settings
from url_downloader.input_parser import BLOCK_SIZE, InputParser, is_valid_origin, normal_url
from url_downloader.inputs.job_maker import JobRules
from url_downloader.inputs.list_skimmer import PLAIN_URL, ListSkimmer
from url_downloader.naming.filenames import DEFAULT_NAME, name_from_url
from url_downloader.naming.name_claims import NameClaims
from url_downloader.reports.failed_list import has_options, list_text
from url_downloader.shared.models import DownloadJob, PassedOver

SETTINGS = Settings()
ENTRIES = [
    "http://h/a/x.txt",
    "http://h/b/x.txt",
    "http://h/c/X.TXT",
    "http://h/d/x.txt?q=1",
    "http://h/",
    "http://i/",
    "http://h/nul",
    "http://h/a%20b",
    "HTTP://H/upper",
    "http://h/fragment#here",
    "http://h:80/d/x.txt?q=1",
    "http://h/d/e/../x.txt",
    "http://0x7f.1/x.txt",
    "http://h/caf\u00e9",
    "http://h/crlf \r",
    "\ufeffhttp://h/bom",
    "  http://h/indented",
    "http://user:secret@h/secret",
    "http://o/x.txt\n  header=A: b",
    "http://o/out\n  out=y/x.txt",
    "http://o/y\n# a comment\n\n\tmax-retries=1\n timeout=7",
    "http://o/bad-option\n  timeout=never",
    "# a comment",
    "",
    "no URL",
    "x\0y",
    "http://h/fragment",
    "http://127.0.0.1:99999/x.txt",
    "http://a..b/x.txt",
    "http://o/bom\n\ufeff  out=z",
]


class Reading:
    """A list that is read as the program reads it, and the messages of its parser."""

    def __init__(self, text: str) -> None:
        self.messages: list[str] = []
        claims = NameClaims(reserved=[".parts"])
        parser = InputParser(
            source="list",
            rules=JobRules(claims=claims),
            limits=SETTINGS.transfer.limits,
            max_retries=SETTINGS.retry.max_retries,
            on_rejected=lambda rejection: self.messages.append(str(rejection)),
            on_note=self.messages.append,
        )
        lines: Iterable[bytes] = text.encode().split(b"\n")
        self.skimmer = ListSkimmer(
            lines,
            claim=claims.claim,
            is_known=parser.is_known,
            is_valid_origin=is_valid_origin,
        )
        self._jobs = parser.parse(self.skimmer)

    def read(self, count: int) -> list[DownloadJob]:
        """Return so many jobs, or all that follow if there are fewer."""
        found: list[DownloadJob] = []
        while len(found) < count and (job := next(self._jobs, self)) is not self:
            assert not isinstance(job, Reading)
            found += [job] if isinstance(job, DownloadJob) else []
        return found

    def skim(self) -> str:
        """Return the rest of the list as text."""
        text: list[str] = []
        self.skimmer.skim()
        for job in self._jobs:
            text += self.skimmer.take()
            assert not isinstance(job, PassedOver)
            if job and not (self.skimmer.has(job.url) and not has_options(job, SETTINGS)):
                text += list_text([(job, "not started")], SETTINGS)
        return "".join([*text, *self.skimmer.take()])


def essence(jobs: Sequence[DownloadJob]) -> list[tuple[object, ...]]:
    """Return what the jobs ask for, without their ids."""
    return [
        (each.url, each.output, each.headers, each.limits, each.max_retries) for each in jobs
    ]


@given(entries=st.lists(st.sampled_from(ENTRIES), max_size=12), count=st.integers(0, 6))
def test_the_rest_gives_the_same_jobs(entries: list[str], count: int) -> None:
    """Wherever the reading stops, the rest gives the same jobs, names and order."""
    text = "\n".join(entries)
    whole, parted = Reading(text), Reading(text)
    begun = parted.read(count)
    rest = Reading(parted.skim())
    assert essence([*begun, *rest.read(99)]) == essence(whole.read(99))
    assert rest.messages == []
    assert {line for line in whole.messages if "repeated" not in line} == {
        line for line in parted.messages if "repeated" not in line
    }


@given(url=st.from_regex(PLAIN_URL, fullmatch=True))
def test_a_plain_url_is_in_normal_form(url: bytes) -> None:
    """A plain URL equals its normal form, and the pattern finds the right file name."""
    text, match = url.decode(), PLAIN_URL.fullmatch(url)
    assert match is not None
    assert name_from_url(text) == (match[2].decode() or DEFAULT_NAME)
    try:
        normal = normal_url(text)
    except ValueError:
        return
    if is_valid_origin(match[1].decode()):
        assert normal == text


@pytest.mark.parametrize(
    "url",
    [
        *(b"http://h", b"http://h:80/", b"https://h:443/", b"http://h:0080/", b"http://h:/"),
        *(b"http://0x7f.1/", b"http://2130706433/", b"http://1.2.3.4./", b"http://[0::1]/"),
        *(b"http://h/a/../b", b"http://h/./b", b"http://h/..", b"http://h/a/.", b"http://H/"),
        *(b"http://h/a b", b"http://h/a\\b", b"http://@h/", b"http://h/#f"),
    ],
)
def test_another_normal_form_is_not_plain(url: bytes) -> None:
    """A URL with another normal form is left to the parser."""
    assert normal_url(url.decode()) != url.decode()
    assert not PLAIN_URL.fullmatch(url)


@pytest.mark.parametrize(
    "url",
    [
        b"http://h/a.txt",
        b"https://h.example:8443/a/b.c/~d/e-f_1.tar.gz?x=1&y=a,b",
        b"http://127.0.0.1:8080/",
        b"http://h/.well-known/a..b/c?",
    ],
)
def test_common_urls_are_plain(url: bytes) -> None:
    """The URLs of usual lists are plain."""
    assert PLAIN_URL.fullmatch(url)


def test_one_comment_for_all() -> None:
    """All copied URLs are below one comment."""
    urls = [f"http://h/{number}\n" for number in range(BLOCK_SIZE + 250)]
    reading = Reading("".join(urls))
    assert len(reading.read(10)) == 10
    text = reading.skim()
    # The first block was parsed as a whole. The two URLs after it become jobs, too.
    assert re.sub(r"^#.*\n", "", text, flags=re.MULTILINE) == "".join(urls[10:])
    assert text.count("#") == BLOCK_SIZE - 10 + 3
