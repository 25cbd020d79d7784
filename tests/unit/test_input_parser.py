"""Lists of URLs that become jobs: lines, options, repetitions, pauses and bad lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs import make_job
from tests.support.parsed_list import ParsedList, parsed
from url_downloader.input_parser import InputParser, normal_url
from url_downloader.inputs.job_maker import JobRules
from url_downloader.naming.filenames import fold, with_suffix
from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.errors import Rejection
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import DownloadJob


def test_a_job_holds_what_was_asked() -> None:
    """A URL and its options are one job; missing options have their defaults."""
    jobs = parsed(
        "http://h/a.txt\n"
        "http://h/b.txt\n"
        "  out=d//c.txt \n"
        "\theader=X-One: 1\n"
        " header = x-two:a=b: c \n"
        " timeout=1.5m\n"
        " max-retries=0\n"
    ).jobs
    assert jobs == [
        make_job(1, url="http://h/a.txt", output="a.txt"),
        make_job(
            2,
            url="http://h/b.txt",
            output="d/c.txt",
            limits=AttemptLimits(timeout=90),
            max_retries=0,
            headers=(("X-One", "1"), ("x-two", "a=b: c")),
            is_named=True,
        ),
    ]


@pytest.mark.parametrize(
    ("line", "urls"),
    [
        ("", []),
        (" \t ", []),
        ("# http://h/", []),
        ("  # out=a", []),
        ("http://h/a ", ["http://h/a"]),
        ("  http://h/?a=b", ["http://h/?a=b"]),
        ("\ufeffhttp://h/", ["http://h/"]),
        ("http://h/\r", ["http://h/"]),
        ("http://h/a \thttp://i/a\thttp://j/", ["http://h/a"]),
    ],
)
def test_what_a_line_is(line: str, urls: list[str]) -> None:
    """Blanks around, comments, byte order marks and mirrors are ignored."""
    result = parsed(line)
    assert [job.url for job in result.jobs] == urls
    assert result.rejections == []


SIZES = "(bytes, or a number with k, M, G or T)"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("out=", "out: the path is empty"),
        ("out=../a", "out: the path must not contain '..'"),
        ("out=/a", "out: the path must be relative to the output directory"),
        ("timeout=-1", "timeout: not a time: '-1' (seconds, or a number with s, m, h or d)"),
        ("max-retries=1001", "max-retries: must be from 0 to 1000, not 1001"),
        ("max-retries=٣", "max-retries: not a whole number: '٣'"),
        ("max-retries=-1", "max-retries: not a whole number: '-1'"),
        ("max-time=x", "max-time: not a time: 'x' (seconds, or a number with s, m, h or d)"),
        ("timeout=2d", "timeout: must be from 0 to 86400, not 172800"),
        ("speed-time=0", "speed-time: must be from 1 to 86400, not 0"),
        ("speed-limit=-1", f"speed-limit: not a size: '-1' {SIZES}"),
        ("header=X", "header: not a header: it should read Name: value"),
        ("header=X : 1", "header: not a header: it should read Name: value"),
        ("header=X: a\rb", "header: not a header: it should read Name: value"),
        ("out", "not an option: it should read key=value"),
        ("=a", "not an option: it should read key=value"),
    ],
)
def test_a_bad_option_rejects_its_url(option: str, reason: str) -> None:
    """A URL with a bad option is not downloaded; one message names the option."""
    result = parsed(f"http://h/first\nhttp://h/a\n {option}\n max-retries=x\nhttp://h/b")
    assert result.outputs == ["first", "b"]
    assert result.reasons == [f"list.txt:3: {reason}"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".parts/a", "the folder '.parts' is reserved for unfinished files"),
        ("First/a", "a file of this run is already named 'first'"),
    ],
)
@pytest.mark.parametrize("after", [b"http://h/b", None])
def test_a_path_that_is_taken_rejects_its_url(
    path: str, reason: str, after: bytes | None
) -> None:
    """A URL whose path is taken is not downloaded; one message names the option."""
    option = f" out={path}".encode()
    result = ParsedList(b"http://h/first", b"http://h/a", option, b"", after, b" timeout=1")
    assert result.outputs == ["first", "b"][: 2 if after else 1]
    assert result.reasons == [f"list.txt:3: out: {reason}"]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("timeout=0", (0.0, 4, ())),
        ("timeout=1h", (3600.0, 4, ())),
        ("max-retries=1000", (30.0, 1000, ())),
        ("header=X:", (30.0, 4, (("X", ""),))),
        ("header=X:\té ☃\t", (30.0, 4, (("X", "é ☃"),))),
        ("gid=1", (30.0, 4, ())),
    ],
)
def test_an_option_is_followed(
    option: str, values: tuple[float, int, tuple[tuple[str, str], ...]]
) -> None:
    """Values at the limits of their range are accepted."""
    (job,) = parsed(f"http://h/a\n {option}").jobs
    assert (job.limits.timeout, job.max_retries, job.headers) == values


def test_an_option_before_the_first_url_is_rejected() -> None:
    """Each option above the first URL is rejected."""
    result = parsed(" out=a\n# c\n timeout=1\nhttp://h/b")
    assert result.outputs == ["b"]
    assert result.reasons == [
        "list.txt:1: an option before the first URL",
        "list.txt:3: an option before the first URL",
    ]


def test_options_of_a_bad_url_go_with_it() -> None:
    """The options of a rejected URL are ignored, and not given to the URL before."""
    result = parsed("http://h/a\nnonsense\n out=b\nhttp://h/c")
    assert result.outputs == ["a", "c"]
    assert result.parser.rejected == 1


def test_unknown_keys_and_mirrors_are_noted_once() -> None:
    """Other options of aria2 are skipped, with one message each."""
    result = parsed("http://h/a\thttp://i/a\n gid=1\n gid=2\nhttp://h/b\thttp://i/b\n gid=3\n")
    assert result.outputs == ["a", "b"]
    assert result.rejections == []
    assert result.notes == [
        "list.txt:1: only the first URL of a line is used; mirrors are ignored",
        "list.txt:2: unknown option 'gid' is skipped",
    ]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("http://host/a", "HTTP://HOST:80/a"),
        ("https://b\u00fccher.example/", "https://XN--BCHER-KVA.example:0443"),
        ("http://127.0.0.1/", "http://0x7f.1:/./a/%2e%2E/"),
        ("http://[::1]/?", "http://[0:0::0001]?#f"),
    ],
)
def test_urls_are_compared_in_normal_form(first: str, again: str) -> None:
    """Two spellings of a URL that make the same request are a repetition."""
    result = parsed(f"{first}\n{again}\n")
    assert [job.url for job in result.jobs] == [normal_url(first)]
    assert result.parser.repeated == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://h/~a", "http://h/%7Ea"),
        ("http://h/%2f", "http://h/%2F"),
        ("http://h/a", "http://h/a?"),
        ("http://h/a", "http://h//a"),
        ("http://h/?a&b", "http://h/?b&a"),
        ("http://h/", "https://h/"),
        ("http://h/", "http://h:443/"),
        ("http://h/", "http://h./"),
    ],
)
def test_what_is_asked_for_otherwise_is_another_url(first: str, second: str) -> None:
    """URLs that a server may tell apart are jobs with files of their own."""
    result = parsed(f"{first}\n{second}\n")
    assert [job.url for job in result.jobs] == [first, second]
    assert len(set(result.outputs)) == 2


def test_a_repeated_url_is_one_job() -> None:
    """The same URL with the same options is one job; the message has both lines."""
    result = parsed(
        "http://h/a\nHTTP://H/a#x\n timeout=30\nhttp://h/a\n out=a\nhttp://h/a\n out=./a\nhttp://h/a"
    )
    assert result.outputs == ["a", with_suffix("a", "http://h/a")]
    assert result.parser.repeated == 3
    assert result.notes == [
        "list.txt:2: repeated, first seen in line 1",
        "list.txt:6: repeated, first seen in line 4",
        "list.txt:8: repeated, first seen in line 1",
    ]


@pytest.mark.parametrize(
    "option",
    [
        "timeout=1",
        "max-retries=1",
        "out=b",
        "header=A: b",
        "header=B: a",
        f"checksum=md5={'0' * 32}",
    ],
)
def test_another_option_makes_another_job(option: str) -> None:
    """The same URL with another option is a job of its own."""
    result = parsed(f"http://h/a\nhttp://h/a\n {option}\nhttp://h/a\n header=C: d")
    assert [job.job_id for job in result.jobs] == [1, 2, 3]


OPTIONS = {
    "timeout=30": "",
    "timeout=0.5m": "",
    "max-retries=4": "",
    "connect-timeout=5": "connect-timeout=5",
    "max-retries=1": "max-retries=1",
    "header=A: b": "header=A: b",
    "header=B: a": "header=B: a",
    "out=b": "out=b",
    "out=./b": "out=b",
}
"""Options, and what they change; an empty text is the default."""
OPTION_SETS = st.lists(
    st.sampled_from(sorted(OPTIONS)), max_size=3, unique_by=lambda each: each.partition("=")[0]
)


@given(st.lists(st.tuples(st.sampled_from(["http://h/a", "http://h/ab"]), OPTION_SETS)))
def test_the_same_is_what_asks_for_the_same(entries: list[tuple[str, list[str]]]) -> None:
    """Entries are one job exactly if their URLs and the meaning of their options are equal."""
    result = parsed("".join("\n ".join([url, *options]) + "\n" for url, options in entries))
    asked = {
        (url, *sorted({OPTIONS[each] for each in options} - {""})) for url, options in entries
    }
    assert len(result.jobs) == len(asked)
    assert result.parser.repeated == len(entries) - len(asked)


def test_names_are_given_out_in_list_order() -> None:
    """The first of two equal names is kept; the second gets a hash of its URL."""
    second = with_suffix("A.tar.gz", "http://h/2/A.tar.gz")
    assert parsed("http://h/1/a.tar.gz\nhttp://h/2/A.tar.gz").outputs == ["a.tar.gz", second]


def test_a_pause_lets_the_url_start() -> None:
    """A pause in the input ends the entry, so that its URL starts at once."""
    result = ParsedList(None, b"http://h/a", None, None, b"http://h/b", b" out=c")
    outputs = [isinstance(job, DownloadJob) and job.output for job in result.stream]
    assert outputs == [False, "a", False, False, "c"]


@pytest.mark.parametrize("line", [b"", b"# no URL", b"nonsense", b" x=1", b"http://h/a"])
def test_lines_without_a_job_hold_nobody(line: bytes) -> None:
    """Among lines without a job the parser yields None, so that its caller can act."""
    endless = ParsedList(stream=itertools.chain([b"http://h/a"], itertools.repeat(line, 1000)))
    assert endless.outputs == ["a"]
    assert endless.stream.count(None) >= 10


def test_a_look_around_ends_no_entry() -> None:
    """Options may follow their URL, however many lines come before it."""
    for count in range(95, 105):
        assert ParsedList(*[b""] * count, b"http://h/a", b" out=b").outputs == ["b"]


def test_an_option_after_the_pause_is_rejected() -> None:
    """An option that comes after its URL was started is rejected."""
    result = ParsedList(b"http://h/a", None, b" out=b", b" out=c", b"http://h/d", b" out=e")
    assert result.outputs == ["a", "e"]
    assert [rejection.line for rejection in result.rejections] == [2, 3]
    assert "after its URL was started" in result.reasons[0]


@pytest.mark.parametrize("first", ["http://h/a", "\u4e2d"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_told_of_once(encoding: str, first: str) -> None:
    """A list in UTF-16 is rejected with one message, which names the remedy."""
    data = f"\ufeff{first}\nhttp://h/b\n".removeprefix("\ufeff" * (encoding == "utf-16"))
    result = ParsedList(*data.encode(encoding).split(b"\n"))
    assert result.jobs == []
    assert result.reasons == [
        "list.txt:1: the list is UTF-16 and was not read: save it as UTF-8"
    ]


@pytest.mark.parametrize("before", [0, 1])
def test_what_is_not_text_is_told_of_once(before: int) -> None:
    """A binary file is rejected with one message; after a URL only the bad line is."""
    result = ParsedList(*[b""] * before, b"\x7fELF\0\1", b"\0\2", b"http://h/a")
    assert result.jobs == []
    assert result.reasons == [
        f"list.txt:{before + 1}: the list is not text, so the rest was not read"
    ]
    assert ParsedList(b"http://h/a", b"\0", b"http://h/b").outputs == ["a", "b"]


def test_an_unreadable_list_ends_in_order() -> None:
    """If reading fails, the jobs so far are downloaded and the error is kept."""

    def broken() -> Iterator[bytes]:
        yield b"http://h/a"
        raise OSError(5, "Input/output error")

    result = ParsedList(stream=broken())
    assert result.outputs == ["a"]
    assert str(result.parser.error) == (
        "list.txt: can't be read after line 1: Input/output error; the rest is not downloaded"
    )


def test_an_error_of_a_listener_is_not_the_lists() -> None:
    """An error of a callback is not taken for an unreadable list."""

    def on_rejected(rejection: Rejection) -> None:
        raise BrokenPipeError(str(rejection))

    parser = InputParser(
        source="-",
        rules=JobRules(claims=NameClaims()),
        limits=AttemptLimits(timeout=1),
        max_retries=1,
        on_rejected=on_rejected,
        on_note=print,
    )
    with pytest.raises(BrokenPipeError):
        list(parser.parse([b"nonsense"]))
    assert parser.error is None


PIECES = st.sampled_from(
    [
        "http://",
        "https://",
        "u:p@",
        "h",
        "é",
        "[::1]",
        ":",
        "80",
        "/",
        "?",
        "#",
        "a",
        "%",
        "\\",
        "@",
    ]
)
URL_LINES = st.lists(PIECES, max_size=8).map("".join).map(str.encode)
OPTION_LINES = st.sampled_from(
    [b" out=a", b" out=a/b", b"\tout=../a", b" x=1", b" timeout=1", b" ="]
)
ANY_LINES = st.lists(st.none() | st.binary() | URL_LINES | OPTION_LINES)


@given(ANY_LINES)
def test_no_line_makes_the_parser_raise(lines: list[bytes | None]) -> None:
    """Jobs are numbered in order, no path is used twice, messages are printable."""
    result = ParsedList(*lines)
    assert [job.job_id for job in result.jobs] == list(range(1, len(result.jobs) + 1))
    assert len({fold(output) for output in result.outputs}) == len(result.outputs)
    assert all(text.isprintable() for text in result.reasons + result.notes)
    if not any("not text" in text or "UTF-16" in text for text in result.reasons):
        assert result.stream.count(None) >= lines.count(None)
    assert result.outputs == ParsedList(*lines).outputs


@given(st.lists(URL_LINES | OPTION_LINES | st.sampled_from([b"", b"# c"])))
def test_each_url_comes_to_exactly_one_thing(lines: list[bytes]) -> None:
    """Each URL of a list becomes a job, a rejection or a repetition."""
    urls = [n for n, line in enumerate(lines) if line.strip() and line[0] not in b" \t#"]
    result = ParsedList(*lines[urls[0] if urls else len(lines) :])
    assert len(result.jobs) + result.parser.rejected + result.parser.repeated == len(urls)
    assert result.parser.rejected == len(result.rejections)
