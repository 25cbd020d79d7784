"""The file of host rules: its lines, and the errors of bad ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.host_rules import parse_host_rules
from url_downloader.config.host_settings import HostRule
from url_downloader.shared.errors import InputError

COUNTS = st.none() | st.integers(0, 1024)
SECONDS = st.none() | st.sampled_from(
    [("0", 0.0), ("4/s", 0.25), ("30/m", 2.0), ("1/d", 86400.0)]
)


def parsed(*lines: str) -> tuple[HostRule, ...]:
    """Return the rules in the lines."""
    return parse_host_rules([line.encode() for line in lines], source="rules")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("h per-host=2", HostRule(pattern="h", connections=2)),
        ("h per-host=0", HostRule(pattern="h", connections=0)),
        ("h rate=0", HostRule(pattern="h", interval=0)),
        ("h rate=0.5/s", HostRule(pattern="h", interval=2)),
        (
            "\t*.H.test:080  per-host=1024\trate=30/m ",
            HostRule(pattern="*.h.test:80", connections=1024, interval=2),
        ),
        ("h rate=1/h per-host=1", HostRule(pattern="h", connections=1, interval=3600)),
        ("h per-host=1 # rate=1/s", HostRule(pattern="h", connections=1)),
        ("h per-host=1 #rate=1/s", HostRule(pattern="h", connections=1)),
        ("bücher.test per-host=1", HostRule(pattern="xn--bcher-kva.test", connections=1)),
        ("[::1] per-host=1\r", HostRule(pattern="[::1]", connections=1)),
    ],
)
def test_a_line(line: str, rule: HostRule) -> None:
    """A line is a pattern and its limits."""
    assert parsed(line) == (rule,)


@pytest.mark.parametrize("line", ["", "  ", "\r", "# h per-host=1", "  #h", "#"])
def test_a_line_without_a_rule(line: str) -> None:
    """Blank lines and comments are skipped."""
    assert parsed(line) == ()


def test_the_order_of_rules() -> None:
    """Rules keep the order of their lines, also where a host comes twice."""
    rules = parsed("b per-host=1", "# a", "a rate=1/s", "b per-host=2")
    assert [(rule.pattern, rule.connections) for rule in rules] == [
        *[("b", 1), ("a", None), ("b", 2)]
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("h", "h has no limit: add per-host=N or rate=N/s"),
        ("h # per-host=1", "h has no limit: add per-host=N or rate=N/s"),
        ("per-host=1", "per-host=1 has no limit: add per-host=N or rate=N/s"),
        ("h x=1", "unknown key 'x': must be per-host=N or rate=N/s"),
        ("h PER-HOST=1", "unknown key 'PER-HOST': must be per-host=N or rate=N/s"),
        ("h i per-host=1", "unknown key 'i': must be per-host=N or rate=N/s"),
        ("h per-host", "per-host: needs = and a value without blanks, as in per-host=2"),
        ("h per-host = 1", "per-host: needs = and a value without blanks, as in per-host=2"),
        ("h per-host= 1", "per-host: needs = and a value without blanks, as in per-host=2"),
        ("h per-host=1 per-host=1", "per-host: comes twice in the line; keep one of them"),
        ("h rate=0 rate=1/s", "rate: comes twice in the line; keep one of them"),
        *[
            (f"h per-host={value}", f"per-host: must be from 0 to 1024, not '{value}'")
            for value in ("-1", "1025", "1.5", "x", "1_0", "\u0663", "9" * 5000)
        ],
        ("h rate=5", "rate: must have a unit, as in 5/s or 5/m, not '5'"),
        ("h rate=5/x", "rate: must be N/s, N/m, N/h or N/d, such as 0.5/s"),
        ("h rate=0.5/d", "rate: must be at least 1/d, or 0 for no limit, not '0.5/d'"),
        ("http://h per-host=1", "must be a host without scheme, path or prefix length"),
        ("h/a per-host=1", "must be a host without scheme, path or prefix length, not 'h/a'"),
        ("h:0 per-host=1", "the port must be from 1 to 65535, not 0"),
        ("::1 per-host=1", "an IPv6 address in brackets, not '::1'"),
    ],
)
def test_a_bad_line(line: str, message: str) -> None:
    """The error has file, line, value and remedy."""
    with pytest.raises(InputError) as caught:
        parsed("# comment", line, "h per-host=1")
    assert str(caught.value).startswith("rules:2: ")
    assert message in str(caught.value)


def test_a_line_that_is_no_text() -> None:
    """A line that is not UTF-8 is an error, which has its number."""
    with pytest.raises(InputError, match=r"^rules:1: not UTF-8"):
        parse_host_rules([b"b\xfccher.test per-host=1"], source="rules")


@given(count=COUNTS, seconds=SECONDS)
def test_what_is_written_is_read(count: int | None, seconds: tuple[str, float] | None) -> None:
    """Each combination of limits is read as it was written; a line without any is refused."""
    text, interval = seconds or ("", None)
    words = ["h.test"]
    words += [] if count is None else [f"per-host={count}"]
    words += [] if interval is None else [f"rate={text}"]
    if len(words) == 1:
        with pytest.raises(InputError):
            parsed(" ".join(words))
    else:
        rule = HostRule(pattern="h.test", connections=count, interval=interval)
        assert parsed(" ".join(words)) == (rule,)


@given(
    st.lists(
        st.binary(max_size=30)
        | st.from_regex(rb"[a-zA-Z0-9.*?:\[\]/@ -]{1,8} (per-host|rate)=[0-9./smhd]{0,6}")
    )
)
def test_any_file(lines: list[bytes]) -> None:
    """Any bytes are rules, or an InputError; a file is good if each line alone is."""

    def is_good(*some: bytes) -> bool:
        try:
            return len(parse_host_rules(some, source="rules")) <= len(some)
        except InputError:
            return False

    assert is_good(*lines) == all(map(is_good, lines))
