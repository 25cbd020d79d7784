"""The parser of a list: jobs, options, repetitions, and the messages for bad lines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

import pytest
import validators
from hypothesis import given, settings
from hypothesis import strategies as st

from url_downloader.input_parser import InputParser, is_valid_origin, normal_url
from url_downloader.naming.filenames import (
    DEFAULT_NAME,
    fold,
    name_from_url,
    safe_component,
    with_suffix,
)
from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.line_reader import MAX_LINE
from url_downloader.shared.models import AttemptLimits, DownloadJob, Rejection
from url_downloader.shared.urls import PLAIN_URL, split_url


class Parsed:
    """A parser that has parsed the lines, with its jobs and messages."""

    def __init__(
        self, *lines: bytes | None, stream: Iterable[bytes | None] | None = None
    ) -> None:
        self.rejections: list[Rejection] = []
        self.notes: list[str] = []
        self.parser = InputParser(
            source="list.txt",
            claims=NameClaims(reserved=[".parts"]),
            limits=AttemptLimits(),
            max_retries=4,
            on_rejected=self.rejections.append,
            on_note=self.notes.append,
        )
        self.stream = list(self.parser.parse(lines if stream is None else stream))
        self.jobs = [job for job in self.stream if job is not None]

    @property
    def reasons(self) -> list[str]:
        return [str(rejection) for rejection in self.rejections]

    @property
    def outputs(self) -> list[str]:
        return [job.output for job in self.jobs]


def parsed(text: str) -> Parsed:
    """Parse the lines of a text."""
    return Parsed(*text.encode().split(b"\n"))


def test_options_of_a_job() -> None:
    """A URL and its options become one job, and the defaults hold without options."""
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
        DownloadJob(job_id=1, url="http://h/a.txt", output="a.txt", max_retries=4),
        DownloadJob(
            job_id=2,
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
def test_kinds_of_lines(line: str, urls: list[str]) -> None:
    """Blanks around a line, comments, byte order marks and mirrors are ignored."""
    result = parsed(line)
    assert [job.url for job in result.jobs] == urls
    assert result.rejections == []


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTP://H.Example/A", "http://h.example/A"),
        ("http://h", "http://h/"),
        ("http://h?q", "http://h/?q"),
        ("http://h/?a&b=c;d", "http://h/?a&b=c;d"),
        ("http://h/a#b?c", "http://h/a"),
        ("http://h/?#", "http://h/?"),
        ('http://h/a b|c{d}"<>`^', "http://h/a%20b|c%7Bd%7D%22%3C%3E%60%5E"),
        ("http://h/a\\b?c\\d", "http://h/a/b?c\\d"),
        ("http://good\\@evil/", "http://good/@evil/"),
        ("http://h/é?ü", "http://h/%C3%A9?%C3%BC"),
        ("http://h/%41%zz%?%", "http://h/%41%zz%?%"),
        ("http://h/%2f%7E?%2f=%7e+%20", "http://h/%2f%7E?%2f=%7e+%20"),
        ("http://h/[a]?b[c]", "http://h/[a]?b[c]"),
        ("http://h/a?", "http://h/a?"),
        ("http://h/a/../b/%2E/c/.%2e/d/..", "http://h/b/"),
        ("http://h/a;b=c@d:!$&'()*+,~", "http://h/a;b=c@d:!$&'()*+,~"),
        ("http://localhost:8080/", "http://localhost:8080/"),
        ("http://127.0.0.1:65535/", "http://127.0.0.1:65535/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("http://h.example./", "http://h.example./"),
        ("http://my_server:80/a_b", "http://my_server/a_b"),
        ("https://h:443/a", "https://h/a"),
        ("https://h:80/a", "https://h:80/a"),
        ("http://h:/", "http://h/"),
        ("http://h:0080/", "http://h/"),
        ("http://h:08080/", "http://h:8080/"),
        ("http://h%41/", "http://ha/"),
        ("http://[0:0::1]/", "http://[::1]/"),
        ("http://_a.b__c.example/", "http://_a.b__c.example/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example:80/", "http://xn--bcher-kva.example/"),
        ("http://faß.de/", "http://xn--fa-hia.de/"),
        ("http://u:p@h/", "http://u:p@h/"),
        ("http://u@x:p:q@r s%@h/", "http://u%40x:p%3Aq%40r%20s%25@h/"),
        ("http://@h/", "http://h/"),
        ("http://h/" + "a" * 60_000, "http://h/" + "a" * 60_000),
    ],
)
def test_normal_url(text: str, url: str) -> None:
    """A URL that browsers accept is accepted and escaped as they do; its escapes stay."""
    assert normal_url(text) == url
    assert normal_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "h.example/a",
        "ftp://h/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//h/",
        "http:/h/",
        "http:h/",
        "http://http://h/",
        "http://",
        "http:///a",
        "http://u:p@/",
        "http://h:0/",
        "http://h:000/",
        "http://h:99999/",
        "http://h:80:80/",
        "http://-h/",
        "http://a..b/",
        "http://256.1.1.1/",
        "http://[::1",
        "http://a b/",
        "http://h%20/",
        "http://h%2f/",
        "http://[fe80::1%25eth0]/",
        "http://h\u3000i/",
        "http://h/a\0b",
        "http://h/a\x1bb",
        "http://h\u2100/",
        f"http://{'a' * 300}.example/",
        "http://" + "ü" * 64 + ".example/",
    ],
)
def test_bad_urls(text: str) -> None:
    """A line that is not an http(s) URL is rejected with its number."""
    result = parsed(f"\n{text}\nhttp://h/")
    assert len(result.jobs) == 1
    assert result.parser.rejected == 1
    assert result.reasons[0].startswith("list.txt:2: not a valid http(s) URL: ")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://user:secret@h/",
        "http://user:secret@h:99999/",
        "http://user:sec@secret@a b/",
        "http://user:secret/secret@h/",
        "http://user:#secret@h/",
        "http://http://user:secret@h/",
        "http:\\\\user:secret@-h/",
        "http:/user:secret@h/",
        "http:user:secret@h/",
        "user:secret@h/",
        "http://[user:secret@[h/",
        "http://user:secret@h/\0",
    ],
)
def test_no_message_shows_a_password(text: str) -> None:
    """No message has a user name or password, even of a malformed URL."""
    (reason,) = parsed(text).reasons
    assert "user" not in reason
    assert "secret" not in reason


@pytest.mark.parametrize(
    "option",
    ["header=Authorization secret", "header=A: secret\0", "Authorization: secret=", "secret"],
)
def test_no_message_shows_a_header(option: str) -> None:
    """The rejection of an option does not show its text, which may be secret."""
    result = parsed(f"http://h/\n {option}")
    assert result.jobs == []
    assert "secret" not in result.reasons[0]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("header=Authorization: Bearer secret", "the option 'header' must begin with a blank"),
        ("checksum = secret", "the option 'checksum' must begin with a blank"),
        ("Authorization: Bearer secret", "it must begin with http:// or https://"),
        ("TOKEN=secret", "it must begin with http:// or https://"),
        ("machine h login me password secret", "it must begin with http:// or https://"),
        ("--header Cookie: secret", "it must begin with http:// or https://"),
        ("curl -u me:secret http://h/", "it must begin with http:// or https://"),
        ('{"url": "http://h/", "token": "secret"}', "it must begin with http:// or https://"),
        ("secret", "it must begin with http:// or https://"),
        ("secret/secret+secret==", "it must begin with http:// or https://"),
        ("data:secret", "it must begin with http:// or https://"),
    ],
)
def test_no_message_shows_a_line_unlike_a_url(line: str, hint: str) -> None:
    """A line that does not begin as a URL may be a secret; its message has only advice."""
    for text in (line, f"http://h/\n{line}"):
        assert parsed(text).reasons[0].endswith(f": not a valid http(s) URL: {hint}")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"h://\x1b[2J\xc2\x9b\xe2\x80\xae", r"not a valid http(s) URL: h://\x1b[2J\x9b\u202e"),
        (b"http://h/\xff", "not UTF-8"),
        (b"http://h/" + b"a" * MAX_LINE, "longer than 65536 bytes"),
    ],
)
def test_a_reason_can_be_shown(line: bytes, reason: str) -> None:
    """A reason is short and printable, whatever the line is."""
    assert Parsed(line).reasons == [f"list.txt:1: {reason}"]


def test_a_reason_is_cut() -> None:
    """A message shows only the beginning of a long line."""
    (rejection,) = parsed(f"ftp://{'x' * 5000}").rejections
    assert rejection.reason.endswith("xxx...")
    assert len(rejection.reason) < 210


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
    """A URL with a bad option is not downloaded, and has one message at the option."""
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
def test_a_bad_path_rejects_its_url(path: str, reason: str, after: bytes | None) -> None:
    """A URL whose path can't be claimed is not downloaded, and has a message at the option."""
    option = f" out={path}".encode()
    result = Parsed(b"http://h/first", b"http://h/a", option, b"", after, b" timeout=1")
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
def test_values_of_options(
    option: str, values: tuple[float, int, tuple[tuple[str, str], ...]]
) -> None:
    """Values at the ends of their range are accepted, and unknown options are ignored."""
    (job,) = parsed(f"http://h/a\n {option}").jobs
    assert (job.limits.timeout, job.max_retries, job.headers) == values


def test_an_option_before_the_first_url_is_rejected() -> None:
    """Each option without a URL above is rejected."""
    result = parsed(" out=a\n# c\n timeout=1\nhttp://h/b")
    assert result.outputs == ["b"]
    assert result.reasons == [
        "list.txt:1: an option before the first URL",
        "list.txt:3: an option before the first URL",
    ]


def test_options_of_a_bad_url_go_with_it() -> None:
    """The options of a rejected URL are ignored, and do not apply to the URL before."""
    result = parsed("http://h/a\nnonsense\n out=b\nhttp://h/c")
    assert result.outputs == ["a", "c"]
    assert result.parser.rejected == 1


def test_unknown_keys_and_mirrors_are_noted_once() -> None:
    """Unknown options and mirrors, as in an aria2 session, are skipped with one note each."""
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
    """Two spellings of a URL that give the same request are a repetition."""
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
def test_different_requests_are_different_urls(first: str, second: str) -> None:
    """URLs that a server may tell apart are separate jobs with separate files."""
    result = parsed(f"{first}\n{second}\n")
    assert [job.url for job in result.jobs] == [first, second]
    assert len(set(result.outputs)) == 2


def test_a_repeated_url_is_one_job() -> None:
    """The same URL with the same options is one job; a note has both lines."""
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
    """The same URL with another option is a separate job."""
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
"""Options, and how they differ from the defaults."""
OPTION_SETS = st.lists(
    st.sampled_from(sorted(OPTIONS)), max_size=3, unique_by=lambda each: each.partition("=")[0]
)


@given(st.lists(st.tuples(st.sampled_from(["http://h/a", "http://h/ab"]), OPTION_SETS)))
def test_repetitions(entries: list[tuple[str, list[str]]]) -> None:
    """Entries are one job exactly if their URLs and the effects of their options are equal."""
    result = parsed("".join("\n ".join([url, *options]) + "\n" for url, options in entries))
    asked = {
        (url, *sorted({OPTIONS[each] for each in options} - {""})) for url, options in entries
    }
    assert len(result.jobs) == len(asked)
    assert result.parser.repeated == len(entries) - len(asked)


def test_names_are_claimed_in_list_order() -> None:
    """Of two equal names the first is kept, and the second gets the hash of its URL."""
    second = with_suffix("A.tar.gz", "http://h/2/A.tar.gz")
    assert parsed("http://h/1/a.tar.gz\nhttp://h/2/A.tar.gz").outputs == ["a.tar.gz", second]


def test_a_pause_lets_the_url_start() -> None:
    """At a pause in the input the current URL becomes a job, without waiting for options."""
    result = Parsed(None, b"http://h/a", None, None, b"http://h/b", b" out=c")
    outputs = [job and job.output for job in result.stream]
    assert outputs == [None, "a", None, None, "c"]


@pytest.mark.parametrize("line", [b"", b"# no URL", b"nonsense", b" x=1", b"http://h/a"])
def test_lines_without_a_job_do_not_block(line: bytes) -> None:
    """Among many lines that lead to no job, the parser yields None now and then."""
    endless = Parsed(stream=itertools.chain([b"http://h/a"], itertools.repeat(line, 1000)))
    assert endless.outputs == ["a"]
    assert endless.stream.count(None) >= 10


def test_that_none_ends_no_entry() -> None:
    """Options may follow their URL at any line number, even where the parser yields None."""
    for count in range(95, 105):
        assert Parsed(*[b""] * count, b"http://h/a", b" out=b").outputs == ["b"]


def test_an_option_after_the_pause_is_rejected() -> None:
    """An option that comes after its URL was started is rejected, and the URL is not."""
    result = Parsed(b"http://h/a", None, b" out=b", b" out=c", b"http://h/d", b" out=e")
    assert result.outputs == ["a", "e"]
    assert [rejection.line for rejection in result.rejections] == [2, 3]
    assert "after its URL was started" in result.reasons[0]


@pytest.mark.parametrize("first", ["http://h/a", "\u4e2d"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_rejected_once(encoding: str, first: str) -> None:
    """A list in UTF-16 is rejected with one message, which has the remedy."""
    data = f"\ufeff{first}\nhttp://h/b\n".removeprefix("\ufeff" * (encoding == "utf-16"))
    result = Parsed(*data.encode(encoding).split(b"\n"))
    assert result.jobs == []
    assert result.reasons == [
        "list.txt:1: the list is UTF-16 and was not read: save it as UTF-8"
    ]


@pytest.mark.parametrize("before", [0, 1])
def test_binary_files_are_rejected_once(before: int) -> None:
    """A binary file is rejected with one message; a file with a URL before is a list."""
    result = Parsed(*[b""] * before, b"\x7fELF\0\1", b"\0\2", b"http://h/a")
    assert result.jobs == []
    assert result.reasons == [
        f"list.txt:{before + 1}: the list is not text, so the rest was not read"
    ]
    assert Parsed(b"http://h/a", b"\0", b"http://h/b").outputs == ["a", "b"]


def test_an_unreadable_list_ends_in_order() -> None:
    """When reading fails, the jobs so far are yielded and the error is kept."""

    def broken() -> Iterator[bytes]:
        yield b"http://h/a"
        raise OSError(5, "Input/output error")

    result = Parsed(stream=broken())
    assert result.outputs == ["a"]
    assert str(result.parser.error) == (
        "list.txt: can't be read after line 1: Input/output error; the rest is not downloaded"
    )


def test_an_error_of_a_listener_is_not_the_lists() -> None:
    """Only an error of reading means that the list can't be read."""

    def on_rejected(rejection: Rejection) -> None:
        raise BrokenPipeError(str(rejection))

    parser = InputParser(
        source="-",
        claims=NameClaims(),
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


URL_TEXTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP:\\\\", "ftp://", ""]),
    st.sampled_from(
        [
            "h",
            "h.example.",
            "my_server:80",
            "u:p@h",
            "é.example",
            "[::1]:8",
            "-h",
            "h:0",
            "1.2.3",
        ]
    )
    | st.text(max_size=8),
    st.text(max_size=12) | st.text("/?#&;=%[]:@._~+ a1\u3000\U0001f600\ufdd0", max_size=20),
)


@given(st.from_regex(PLAIN_URL, fullmatch=True))
def test_a_plain_url_needs_no_quoting(url: str) -> None:
    """A plain URL equals its quoted form, and so does its name."""
    match = PLAIN_URL.fullmatch(url)
    assert match is not None
    if is_valid_origin(match[1]):
        assert split_url(url) == (match[1], url.removeprefix(match[1]))
    segment = urlsplit(url).path.rpartition("/")[2]
    assert name_from_url(url) == (safe_component(unquote(segment)) or DEFAULT_NAME)


@given(st.from_regex(PLAIN_URL, fullmatch=True))
def test_a_plain_url_is_valid_where_its_origin_is(url: str) -> None:
    """A plain URL is valid only if its origin is."""
    match = PLAIN_URL.fullmatch(url)
    assert match is not None
    if is_valid_origin(match[1]):
        origin, rest = split_url(url)
        assert normal_url(url) == origin + rest
    else:
        with pytest.raises(ValueError, match="not a valid"):
            normal_url(url)


@given(URL_TEXTS)
@settings(max_examples=1000)
def test_a_valid_origin_makes_a_valid_url(text: str) -> None:
    """The verdict on an origin is the one of the validator on each URL with it."""
    try:
        origin, rest = split_url(text)
    except ValueError:
        return
    escaped = quote(re.sub("%(?![0-9a-fA-F]{2})", "%25", rest), safe="%!$&'()*+,;=/:@?")
    probe = f"{origin}{escaped}".replace("_", "x")
    verdict = validators.url(
        probe, simple_host=True, rfc_2782=True, rfc_1034=True, strict_query=False
    )
    is_web = origin.startswith(("http://", "https://"))
    assert is_valid_origin(origin) is (is_web and bool(verdict))


@given(ANY_LINES)
def test_no_line_makes_the_parser_raise(lines: list[bytes | None]) -> None:
    """Any lines give jobs with ids in order, unique files and printable messages."""
    result = Parsed(*lines)
    assert [job.job_id for job in result.jobs] == list(range(1, len(result.jobs) + 1))
    assert len({fold(output) for output in result.outputs}) == len(result.outputs)
    assert all(text.isprintable() for text in result.reasons + result.notes)
    if not any("not text" in text or "UTF-16" in text for text in result.reasons):
        assert result.stream.count(None) >= lines.count(None)
    assert result.outputs == Parsed(*lines).outputs


@given(st.lists(URL_LINES | OPTION_LINES | st.sampled_from([b"", b"# c"])))
def test_each_url_is_accounted_for(lines: list[bytes]) -> None:
    """Each URL of a list becomes exactly one of job, rejection and repetition."""
    urls = [n for n, line in enumerate(lines) if line.strip() and line[0] not in b" \t#"]
    result = Parsed(*lines[urls[0] if urls else len(lines) :])
    assert len(result.jobs) + result.parser.rejected + result.parser.repeated == len(urls)
    assert result.parser.rejected == len(result.rejections)
