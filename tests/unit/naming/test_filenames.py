"""Names of files from URLs, and safe names."""

from __future__ import annotations

import hashlib
import unicodedata
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.naming.filenames import (
    DEFAULT_NAME,
    fold,
    name_from_url,
    safe_component,
    safe_relative_path,
    with_suffix,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
NASTY_TEXT = st.text(
    st.sampled_from('./\\ \0\n\x85\u202e\u3000\ud800<>:"|?*e\u0301é😀conCON1¹_~-'), max_size=300
)
NAMES = ANY_TEXT | NASTY_TEXT | st.text("aé😀. ", min_size=240, max_size=300)


def is_safe(name: str) -> bool:
    """Tell whether the name keeps every rule for safe names."""
    return (
        0 < len(name.encode()) <= 255
        and name not in (".", "..")
        and name == name.strip() == name.rstrip(".")
        and not set(name) & set('/\\<>:"|?*')
        and not {unicodedata.category(c) for c in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and unicodedata.is_normalized("NFC", name)
        and name.partition(".")[0].rstrip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1"}
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h", "index.html"),
        ("http://h/", "index.html"),
        ("http://h?a=/b", "index.html"),
        ("http://h/dir/", "index.html"),
        ("http://h/a/..", "index.html"),
        ("http://h/a/%2e%2E", "index.html"),
        ("http://h/%20%20", "index.html"),
        ("http://h/a.txt", "a.txt"),
        ("http://h/d/a.txt?b=/c.txt", "a.txt"),
        ("http://u:p@h:80/a;v=1", "a;v=1"),
        ("http://h/%C3%A9t%C3%A9", "été"),
        ("http://h/e%CC%81", "é"),
        ("http://h/a%FFb", "a\ufffdb"),
        ("http://h/..%2F..%5Cetc%2fpasswd", ".._.._etc_passwd"),
        ("http://h/a%00b", "a_b"),
        ("http://h/NUL", "_NUL"),
        ("http://h/.bashrc", ".bashrc"),
        ("http://h/a%3Fb%23c", "a_b#c"),
    ],
)
def test_name_from_url(url: str, name: str) -> None:
    """The name is the safe form of the last segment of the path, or index.html."""
    assert name_from_url(url) == name


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("", ""),
        (".", ""),
        ("..", ""),
        (". . .", ""),
        (" \u00a0\u3000", ""),
        ("a/b\\c", "a_b_c"),
        ('<>:"|?*', "_______"),
        ("a\0\n\x1b\x7f\x85b", "a_____b"),
        ("gpj.\u202eexe", "gpj._exe"),
        ("a\u2028\ud800b", "a__b"),
        ("  a  b  ", "a  b"),
        ("a. . .", "a"),
        ("...a", "...a"),
        ("e\u0301", "é"),
        ("con", "_con"),
        ("CON.txt", "_CON.txt"),
        ("aux.tar.gz", "_aux.tar.gz"),
        ("nul .txt", "_nul .txt"),
        ("COM¹", "_COM¹"),
        ("lpt9.", "_lpt9"),
        ("CONIN$", "_CONIN$"),
        ("COM10", "COM10"),
        ("console", "console"),
        ("a" * 256, "a" * 255),
        ("a" * 300 + ".txt", "a" * 251 + ".txt"),
        ("a" * 300 + ".tar.gz", "a" * 248 + ".tar.gz"),
        ("é" * 200 + ".txt", "é" * 125 + ".txt"),
        ("😀" * 64, "😀" * 63),
        ("con" + " " * 300 + "x", "_con"),
        ("a" * 254 + " b", "a" * 254),
        ("a." + "b" * 300, "a." + "b" * 253),
    ],
)
def test_safe_component(raw: str, safe: str) -> None:
    """A character that is unsafe on any system is replaced; a long name keeps its extension."""
    assert safe_component(raw) == safe


@given(NAMES)
def test_any_component_is_safe(raw: str) -> None:
    """Any text gives one safe component or nothing, which stays unchanged when made safe."""
    name = safe_component(raw)
    assert name == "" or is_safe(name)
    assert safe_component(name) == name


@pytest.mark.parametrize("ending", ["", ".", ".txt", ".tar.gz", " .txt", "x", "-.txt"])
@pytest.mark.parametrize("stem", ["con", "Prn", "AUX", "nul", "com0", "Lpt9", "con1", "comx"])
def test_names_of_devices(stem: str, ending: str) -> None:
    """The name of a device is replaced, also with an extension; a longer word is not."""
    is_device = stem not in ("con1", "comx") and ending not in ("x", "-.txt")
    name = f"{stem}{ending}"
    assert safe_component(name) == (f"_{name}" if is_device else name).rstrip(".")


@given(st.from_regex(r"[\w.-]{0,3}/?[\w.%~+-]{0,9}[?#]?[\w./?#]{0,9}", fullmatch=True))
def test_the_name_is_the_last_segment_of_the_path(rest: str) -> None:
    """The host, the query and the fragment are not part of the name."""
    url = f"http://{rest}"
    segment = urlsplit(url).path.rpartition("/")[2]
    assert name_from_url(url) == (safe_component(unquote(segment)) or DEFAULT_NAME)


@given(NAMES)
def test_a_url_always_has_a_safe_name(path: str) -> None:
    """Every URL has a safe name, which is the same each time."""
    url = f"http://h/{path}"
    assert is_safe(name_from_url(url))
    assert name_from_url(url) == name_from_url(url)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("x", "x.{}"),
        ("x.txt", "x.{}.txt"),
        ("x.tar.gz", "x.{}.tar.gz"),
        ("x.TAR.xz", "x.{}.TAR.xz"),
        ("v1.2.txt", "v1.2.{}.txt"),
        (".bashrc", ".bashrc.{}"),
        (".tar.gz", ".tar.{}.gz"),
        ("a" * 255, "a" * 246 + ".{}"),
        ("é" * 120 + ".tar.gz", "é" * 119 + ".{}.tar.gz"),
    ],
)
def test_with_suffix(name: str, pattern: str) -> None:
    """The first 8 hex digits of the URL's SHA-256 come before the extension."""
    digest = hashlib.sha256(b"http://h/x").hexdigest()[:8]
    assert with_suffix(name, "http://h/x") == pattern.format(digest)


@given(NAMES, st.text(), st.integers(0, 5))
def test_a_suffixed_name_is_safe_and_deterministic(raw: str, url: str, n: int) -> None:
    """A safe name with a suffix is safe, and depends on the arguments only."""
    name = safe_component(raw) or "x"
    suffixed = with_suffix(name, url, n=n)
    assert is_safe(suffixed)
    assert suffixed == with_suffix(name, url, n=n) != name


def test_variations_differ() -> None:
    """Each variation gives another name."""
    assert len({with_suffix("x", "http://h/", n=n) for n in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", "a"),
        ("a/b.txt", "a/b.txt"),
        ("./a//b/./c", "a/b/c"),
        ("..a/b..", "..a/b.."),
        ("Con: 50%?.txt", "Con: 50%?.txt"),
        (" a ", " a "),
        ("a\\b", "a\\b"),
        ("e\u0301", "e\u0301"),
        ("é" * 127, "é" * 127),
    ],
)
def test_safe_relative_path(text: str, path: str) -> None:
    """The user's path only loses needless dots and slashes."""
    assert safe_relative_path(text) == path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("/a", "relative"),
        ("//", "relative"),
        ("..", r"'\.\.'"),
        ("a/../b", r"'\.\.'"),
        ("a/", "folder"),
        ("a/.", "folder"),
        (".", "folder"),
        ("a\0b", "control"),
        ("a\x9bb", "control"),
        ("a\ud800", "control"),
        ("é" * 128, "255"),
    ],
)
def test_bad_relative_paths(text: str, reason: str) -> None:
    """A path that can't be a file below the output directory is an error with the reason."""
    with pytest.raises(ValueError, match=reason):
        safe_relative_path(text)


@given(ANY_TEXT | st.text("./ab"))
def test_an_accepted_path_stays_inside(text: str) -> None:
    """An accepted path is relative, has no needless part, and is accepted again unchanged."""
    try:
        path = safe_relative_path(text)
    except ValueError:
        return
    assert not {"", ".", ".."} & set(path.split("/"))
    assert safe_relative_path(path) == path


@pytest.mark.parametrize(
    ("one", "other"), [("A.TXT", "a.txt"), ("é", "e\u0301"), ("straße", "STRASSE"), ("É", "é")]
)
def test_fold(one: str, other: str) -> None:
    """Names that differ only in case or in normal form are equal after folding."""
    assert fold(one) == fold(other)
