"""Name claims: no two URLs get the same file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.naming.filenames import fold, with_suffix
from url_downloader.naming.name_claims import NameClaims

PATHS = st.lists(st.sampled_from(["a", "A", "b.txt", "é", "e\u0301"]), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.txt", "a.txt"),
        ("a.txt", "A.TXT"),
        ("é", "e\u0301"),
        ("d/a.txt", "D/a.txt"),
    ],
)
def test_a_taken_name_gets_the_suffix(first: str, second: str) -> None:
    """The first claim gets its name; a later one that a file system takes for it, a suffix."""
    claims = NameClaims()
    assert claims.claim(first, "http://h/1") == first
    folder, slash, name = second.rpartition("/")
    assert claims.claim(second, "http://h/2") == folder + slash + with_suffix(
        name, "http://h/2"
    )


def test_a_suffixed_name_can_be_taken_too() -> None:
    """A URL that claims the same name again gets another variation each time."""
    claims = NameClaims()
    names = [claims.claim("a", "http://h/") for _ in range(3)]
    assert names == ["a", with_suffix("a", "http://h/"), with_suffix("a", "http://h/", n=1)]


def test_a_folder_keeps_its_name() -> None:
    """No file gets the path of a folder that another claim needs."""
    claims = NameClaims()
    assert claims.claim("a/b/c", "http://h/1") == "a/b/c"
    assert claims.claim("A", "http://h/2") == with_suffix("A", "http://h/2")
    assert claims.claim("a/b", "http://h/3") == "a/" + with_suffix("b", "http://h/3")


def test_a_file_is_no_folder() -> None:
    """A path through a claimed file is an error, and other claims still work."""
    claims = NameClaims()
    claims.claim("x/a", "http://h/1")
    with pytest.raises(ValueError, match="a file of this run is already named 'x/a'"):
        claims.claim("X/A/b/c", "http://h/2")
    assert claims.claim("x/a.b", "http://h/3") == "x/a.b"


def test_reserved_names_are_never_claimed() -> None:
    """No file and no folder gets a reserved name, in any spelling."""
    claims = NameClaims(reserved=[".Parts"])
    assert claims.claim(".parts", "http://h/") == with_suffix(".parts", "http://h/")
    with pytest.raises(ValueError, match=r"'\.parts' is reserved"):
        claims.claim(".PARTS/a", "http://h/")


@given(st.lists(st.tuples(PATHS.map("/".join), st.sampled_from("xyz"))))
def test_claims_never_clash(wanted: list[tuple[str, str]]) -> None:
    """No path is claimed twice or lies inside another; the same claims give the same paths."""

    def run() -> list[str]:
        claims, claimed = NameClaims(), []
        for path, url in wanted:
            try:
                claimed.append(fold(claims.claim(path, url)))
            except ValueError:
                claimed.append(f"{len(claimed)}!")
        return claimed

    paths = run()
    assert len(set(paths)) == len(paths)
    assert not any(other.startswith(f"{path}/") for path in paths for other in paths)
    assert paths == run()
