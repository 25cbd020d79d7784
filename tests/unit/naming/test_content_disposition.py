"""The name that a server suggests: usual headers are understood, malicious ones are harmless.

The cases follow RFC 6266, its appendix on headers that servers really send, and RFC 8187.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.attempts import Attempts
from tests.support.digests import sha256
from tests.support.fake_disk import FakeFile
from tests.support.fake_network import V1, V2, cut, full
from url_downloader.config.settings import Existing
from url_downloader.naming.content_disposition import suggested_name
from url_downloader.naming.filenames import safe_component
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import ErrorKind, Outcome


def raw(text: str, charset: str = "utf-8") -> str:
    """Return a header with non-ASCII bytes as it is received: one character for each byte."""
    return text.encode(charset).decode("latin-1")


PLAIN: list[tuple[str, str | None]] = [
    # Quoted strings.
    ('attachment; filename="report.pdf"', "report.pdf"),
    ('inline; filename="report.pdf"', "report.pdf"),
    ('x-unknown; filename="report.pdf"', "report.pdf"),
    ('attachment; filename="two words.txt"', "two words.txt"),
    ('attachment; filename="a;b.txt"', "a;b.txt"),
    ('attachment; filename="a; filename=b.txt"', "a; filename=b.txt"),
    ('attachment; filename="a=b,c.txt"', "a=b,c.txt"),
    ('attachment; filename="it\'s.txt"', "it's.txt"),
    ('attachment; filename="%41.txt"', "%41.txt"),
    ('attachment; filename="50%.txt"', "50%.txt"),
    ('attachment; filename=".bashrc"', "_bashrc"),
    ("attachment; filename*=UTF-8''%2essh", "_ssh"),
    ('attachment; filename=" .profile"', "_profile"),
    ('attachment; filename="a\\"b.txt"', "a_b.txt"),
    ('attachment; filename="r\\eport.txt"', "report.txt"),
    ('attachment; filename="a\\;b.txt"', "a;b.txt"),
    ('attachment; filename="\\"q\\".txt"', "_q_.txt"),
    # Tokens.
    ("attachment; filename=report.pdf", "report.pdf"),
    ("attachment; filename=report.pdf; size=3", "report.pdf"),
    ("attachment; filename=report.pdf ;size=3", "report.pdf"),
    ("attachment; filename=it's.txt", "it's.txt"),
    ("attachment; filename=a=b.txt", "a=b.txt"),
    ("attachment; filename=a,b.txt", "a,b.txt"),
    # Blanks and case.
    ('attachment;filename="a.txt"', "a.txt"),
    ('attachment  ;  filename  =  "a.txt"  ', "a.txt"),
    ('attachment;\tfilename\t=\t"a.txt"', "a.txt"),
    ('ATTACHMENT; FILENAME="A.txt"', "A.txt"),
    ('attachment; FileName="a.txt"', "a.txt"),
    ("attachment; FILENAME*=UTF-8''a.txt", "a.txt"),
    ('; filename="a.txt"', "a.txt"),
    # A missing type, or a repeated parameter.
    ('filename="a.txt"', "a.txt"),
    ("filename=a.txt", "a.txt"),
    ("filename*=UTF-8''a.txt", "a.txt"),
    (' filename = "a.txt"', "a.txt"),
    ('filename="a.txt"; attachment', "a.txt"),
    ('attachment; filename="a.txt"; filename="b.txt"', "a.txt"),
    ("attachment; filename*=UTF-8''a.txt; filename*=UTF-8''b.txt", "a.txt"),
    ('attachment; size=3; filename="a.txt"; creation-date="x; y"', "a.txt"),
    ('attachment; note="filename=b.txt"; filename="a.txt"', "a.txt"),
    ('attachment; note="; filename=b.txt"; filename="a.txt"', "a.txt"),
    ('attachment; note="\\"; filename=b.txt"; filename="a.txt"', "a.txt"),
    ('attachment; xfilename="b.txt"; filename="a.txt"', "a.txt"),
    ('attachment; name="b.txt"; filename="a.txt"', "a.txt"),
    # No usable name.
    ("", None),
    ("attachment", None),
    ("attachment;", None),
    (";;;", None),
    ("attachment; filename", None),
    ("attachment; filename=", None),
    ("attachment; filename=;", None),
    ('attachment; filename=""', None),
    ('attachment; filename="   "', None),
    ('attachment; filename="."', None),
    ('attachment; filename=".."', None),
    ('attachment; filename="...."', None),
    ('attachment; filename=". . ."', None),
    ('attachment; xfilename="a.txt"', None),
    ('attachment; filenamex="a.txt"', None),
    ('attachment; name="a.txt"', None),
    ('attachment; note="filename=a.txt"', None),
    ("attachment; filename*=a.txt", None),
    # RFC 2231 continuations are not allowed (RFC 6266 §4.1).
    ('attachment; filename*0="a."; filename*1="txt"', None),
]

EXTENDED: list[tuple[str, str | None]] = [
    ("attachment; filename*=UTF-8''a.txt", "a.txt"),
    ("attachment; filename*=utf-8'en'a.txt", "a.txt"),
    ("attachment; filename*=UTF-8''%e2%82%ac%20rates.txt", "€ rates.txt"),
    ("attachment; filename*=UTF-8''%E2%82%AC.txt", "€.txt"),
    ("attachment; filename*=iso-8859-1'en'%A3%20rates.txt", "£ rates.txt"),
    ("attachment; filename*=ISO-8859-1''%FC.txt", "ü.txt"),
    ("attachment; filename*=UTF-8''e%CC%81.txt", "é.txt"),
    ("attachment; filename*=UTF-8''a%27b.txt", "a'b.txt"),
    ("attachment; filename*=UTF-8''a'b.txt", "a'b.txt"),
    ("attachment; filename*=UTF-8''100%25.txt", "100%.txt"),
    ("attachment; filename*=UTF-8''%2541.txt", "%41.txt"),
    ("attachment; filename* = UTF-8''a.txt", "a.txt"),
    # Of both forms, the extended one wins, in either order (RFC 6266 §4.3).
    ("attachment; filename=\"EUR.txt\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
    ("attachment; filename*=UTF-8''%e2%82%ac.txt; filename=\"EUR.txt\"", "€.txt"),
    # If the extended form is not usable, the plain one is used.
    ("attachment; filename*=UTF-8''; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=UTF-8''..; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=UTF-8''%FF.txt; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=UTF-8''%C3.txt; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=UTF-8''%ED%A0%80.txt; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=koi8-q''b.txt; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=hex''4142; filename=\"a.txt\"", "a.txt"),
    ("attachment; filename*=''b.txt; filename=\"a.txt\"", "a.txt"),
    ('attachment; filename*=b.txt; filename="a.txt"', "a.txt"),
    ('attachment; filename*=UTF-8\'b.txt; filename="a.txt"', "a.txt"),
    ('attachment; filename*=; filename="a.txt"', "a.txt"),
    ("attachment; filename*=UTF-8''%FF", None),
    ("attachment; filename*=UTF-8''", None),
]

BEYOND_ASCII: list[tuple[str, str | None]] = [
    (raw('attachment; filename="ünï.txt"'), "ünï.txt"),
    (raw("attachment; filename=ünï.txt"), "ünï.txt"),
    (raw("attachment; filename=voilà"), "voilà"),
    (raw("attachment; filename=à.txt;size=3"), "à.txt"),
    (raw("attachment; filename=Århus ; size=3"), "Århus"),
    (raw('attachment; filename="日本.txt"'), "日本.txt"),
    (raw('attachment; filename="ü.txt"', "latin-1"), "ü.txt"),
    ('attachment; filename="=?utf-8?Q?=C3=BC.txt?="', "ü.txt"),
    ('attachment; filename="=?UTF-8?B?w7wudHh0?="', "ü.txt"),
    ("attachment; filename==?utf-8?B?w7wudHh0?=", "ü.txt"),
    ('attachment; filename="=?x-unknown?q?a?="', "=_x-unknown_q_a_="),
    ('attachment; filename="=?utf-8?q?"', "=_utf-8_q_"),
]

ATTACKS: list[tuple[str, str | None]] = [
    # Other folders.
    ('attachment; filename="../../etc/passwd"', "passwd"),
    ("attachment; filename=../../etc/passwd", "passwd"),
    ('attachment; filename="/etc/passwd"', "passwd"),
    ('attachment; filename="..\\\\..\\\\evil.exe"', "evil.exe"),
    ("attachment; filename=..\\..\\evil.exe", "evil.exe"),
    ('attachment; filename="C:\\\\Windows\\\\evil.exe"', "evil.exe"),
    ('attachment; filename="\\\\\\\\host\\\\share\\\\a.txt"', "a.txt"),
    ('attachment; filename="a/..\\\\b.txt"', "b.txt"),
    ('attachment; filename="dir/"', None),
    ('attachment; filename="/"', None),
    ('attachment; filename="dir/.."', None),
    ('attachment; filename="C:evil.exe"', "C_evil.exe"),
    ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
    ("attachment; filename*=UTF-8''..%5C..%5Cevil.exe", "evil.exe"),
    ("attachment; filename*=UTF-8''%2e%2e", None),
    ("attachment; filename*=UTF-8''%2e%2e%2f", None),
    ("attachment; filename*=UTF-8''%252e%252e%252fx", "%2e%2e%2fx"),
    ("attachment; filename*=UTF-8''%c0%ae%c0%ae%c0%afx", None),
    ('attachment; filename="=?utf-8?q?../../x?="', "x"),
    ('attachment; filename="=?utf-8?b?Li4vLi4veA==?="', "x"),
    # Characters that end names or lines, or mislead the reader.
    ('attachment; filename="a.txt\0.exe"', "a.txt_.exe"),
    ("attachment; filename*=UTF-8''a%00b", "a_b"),
    ("attachment; filename*=UTF-8''a%0D%0Ab", "a__b"),
    ('attachment; filename="a\r\nb"', "a__b"),
    ('attachment; filename="a\x1b[2Jb"', "a_[2Jb"),
    ("attachment; filename*=UTF-8''gpj.%E2%80%AEexe", "gpj._exe"),
    (raw('attachment; filename="gpj.\u202eexe"'), "gpj._exe"),
    ("attachment; filename*=UTF-8''a%C2%85b", "a_b"),
    ("attachment; filename*=UTF-8''a%EF%BC%8Fb", "a／b"),  # noqa: RUF001  looks like a slash only
    # Names that have a meaning on some system.
    ('attachment; filename="CON"', "_CON"),
    ('attachment; filename="nul.txt"', "_nul.txt"),
    ('attachment; filename="COM1.tar.gz"', "_COM1.tar.gz"),
    ('attachment; filename="a.txt:stream"', "a.txt_stream"),
    ('attachment; filename="a.txt."', "a.txt"),
    ('attachment; filename="a.txt . "', "a.txt"),
    ('attachment; filename="  a.txt"', "a.txt"),
    ('attachment; filename="*?<>|.txt"', "_____.txt"),
    ('attachment; filename="~/.ssh/authorized_keys"', "authorized_keys"),
    ('attachment; filename="$(reboot).txt"', "$(reboot).txt"),
    ('attachment; filename="-rf"', "-rf"),
]

CASES = PLAIN + EXTENDED + BEYOND_ASCII + ATTACKS


@pytest.mark.parametrize(("header", "name"), CASES)
def test_a_suggested_name(header: str, name: str | None) -> None:
    """A header gives the name of the table; None means that the URL names the file."""
    assert suggested_name(header) == name


# The grammar does not define these headers; each reading in the table is allowed.
UNCLEAR: list[tuple[str, set[str | None]]] = [
    ('attachment; filename="=?iso-8859-1?q?=FC?=.txt"', {"ü.txt", "ü .txt"}),
    ('attachment; filename="a.txt', {"a.txt", None}),
    ('attachment; filename="', {None}),
    ('attachment; filename="a.txt\\"', {"a.txt", "a.txt_", None}),
    ('attachment; filename="a.txt; size=3', {"a.txt", "a.txt; size=3", None}),
    ('attachment; filename=a.txt"', {"a.txt", "a.txt_", None}),
    ('attachment; filename="a.txt"b', {"a.txt", "a.txtb", None}),
    ("attachment; filename=two words.txt", {"two", "two words.txt", None}),
    ("attachment; filename='a.txt'", {"'a.txt'", "a.txt"}),
    ('attachment filename="a.txt"', {"a.txt", None}),
    ('attachment, filename="a.txt"', {"a.txt", None}),
    ('"attachment"; filename="a.txt"', {"a.txt", None}),
    ("attachment; filename*=UTF-8''a%.txt", {"a%.txt", None}),
    ("attachment; filename*=UTF-8''a%zz.txt", {"a%zz.txt", None}),
    ("attachment; filename*=\"UTF-8''a.txt\"", {"a.txt", None}),
    ('attachment; filename="..\\..\\evil.exe"', {"evil.exe", "_...evil.exe", None}),
    ('attachment; filename="C:\\dir\\a.txt"', {"a.txt", "C_dira.txt", None}),
]


@pytest.mark.parametrize(("header", "names"), UNCLEAR)
def test_a_header_that_is_not_well_formed(header: str, names: set[str | None]) -> None:
    """A header that is not well-formed gives a plausible name, or none."""
    assert suggested_name(header) in names


@pytest.mark.parametrize(
    "word",
    [
        "=?utf-8?b?A?=",
        "=?utf-8?b?AAAAA?=",
        "=?utf-8?b?\xff?=",
        "=?utf-8?q?=ZZ?=",
        "=?utf-8?q?=FF?=",
        "=?utf-8?q??=",
        "=?\xe9?q?a?=",
        "=?hex?q?41?=",
        "=?a\0b?q?a?=",
        "=?idna?q?xn--?=",
        "=?utf-7?q?+2AA-?=",
        "=?unicode_escape?b?XHVkODAw?=",
        "=?utf-8?b?w7w=?= =?utf-8?b?A?=",
    ],
)
def test_a_word_that_does_not_decode(word: str) -> None:
    """A broken RFC 2047 word, which is not part of this field, gives a safe name."""
    name = suggested_name(f'attachment; filename="{word}.txt"')
    assert name is not None
    assert name.endswith("txt")
    assert safe_component(name) == name


@pytest.mark.parametrize("stem", ["n" * 300, "ü" * 200, "日" * 30_000, "n." * 400])
def test_a_name_that_is_too_long(stem: str) -> None:
    """A name that is too long is cut to fit a file system, and keeps its extension."""
    for header in (f'attachment; filename="{stem}.tar.gz"', f"filename*=UTF-8''{stem}.tar.gz"):
        name = suggested_name(raw(header))
        assert name is not None
        assert name.endswith(".tar.gz")
        assert 200 < len(name.encode()) <= 255


@pytest.mark.parametrize(
    "piece", [";", '"', ";a=", ';a="', ';a="\\', "; ", "=?", "=?a?q?", "%", "\\", ";a*=utf-8''"]
)
def test_a_very_long_header(piece: str) -> None:
    """No header of 16 KiB makes the search backtrack for long."""
    header = f"attachment; filename={piece * (16_384 // len(piece))}"
    name = suggested_name(header)
    assert name is None or safe_component(name) == name


MARKS = ["attachment", "filename", "filename*", "UTF-8''", "iso-8859-1''", "=?utf-8?b?", "?="]
ENDS = [
    "; ",
    "\r\n",
    "..",
    "CON",
    ".txt",
    "%2F",
    "%2e",
    "%00",
    "%5C",
    "\xc3\xbc",
    raw("\u202e"),
]
PIECES = st.sampled_from([*MARKS, *ENDS, *";=\"\\'%?/\0\xff a"])
LATIN = st.text(st.characters(max_codepoint=255), max_size=60)
HEADERS = (
    st.lists(PIECES, max_size=25).map("".join)
    | LATIN
    | LATIN.map('attachment; filename="{}"'.format)
    | LATIN.map("attachment; filename={}".format)
    | LATIN.map("attachment; filename*=UTF-8''{}".format)
    | st.text(max_size=40).map('attachment; filename="{}"'.format).map(raw)
    | LATIN.map('attachment; filename="=?utf-8?b?{}?="'.format)
    | LATIN.map('attachment; filename="=?{}?q?a?="'.format)
    | st.binary(max_size=60).map(
        lambda data: "filename*=UTF-8''" + "".join(f"%{byte:02x}" for byte in data)
    )
)


@given(HEADERS)
@example('attachment; filename="=?utf-8?b?A?="')
@example('attachment; filename="=?\xe9?q?a?="')
def test_any_header(header: str) -> None:
    """Any bytes give one safe component or None, and no exception."""
    name = suggested_name(header)
    if name is None:
        return
    assert safe_component(name) == name
    assert 0 < len(name.encode()) <= 255
    assert name not in (".", "..")
    assert not set(name) & set('/\\:*?"<>|')
    assert not {unicodedata.category(character) for character in name} & {"Cc", "Cf", "Cs"}


@pytest.mark.parametrize(
    ("header", "is_named", "name"),
    [
        ('attachment; filename="a.txt"', False, "a.814520bb.txt"),
        ('attachment; filename="../../b.txt"', False, "b.txt"),
        ('attachment; filename="FILE.bin"', False, "FILE.bin"),
        ('attachment; filename="a.txt"', True, "file.bin"),
        ("attachment", False, "file.bin"),
        ('attachment; filename=".."', False, "file.bin"),
        ("", False, "file.bin"),
    ],
)
@pytest.mark.parametrize("is_wanted", [True, False])
def test_the_name_is_the_server_s(
    header: str, name: str, *, is_named: bool, is_wanted: bool
) -> None:
    """The server's name is made safe and claimed, if it is wanted and the user gave none."""
    claims = NameClaims(taken=["a.txt"])
    claims.claim("file.bin", "http://host/file.bin")
    names = ServerNames(claims, {}) if is_wanted else None
    attempts = Attempts(full(V1, content_disposition=header), names=names)
    path = attempts.attempt(is_named=is_named).path
    expected = name if is_wanted else "file.bin"
    assert (path, attempts.published) == (f"dir/{expected}", {expected: V1})


def test_the_first_name_holds() -> None:
    """A server that names the file differently in each attempt gets one name of the run."""
    claims = NameClaims()
    names = ServerNames(claims, {})
    replies = [
        cut(V1, 20, content_disposition="filename=a"),
        full(V1, content_disposition="filename=b"),
    ]
    attempts = Attempts(*replies, names=names)
    assert attempts.attempt().kind is ErrorKind.TRUNCATED
    assert attempts.attempt().path == "dir/a"
    assert claims.claim("b", "http://host/other") == "b"


@pytest.mark.parametrize("wanted", [V1, V2])
def test_a_checksum_belongs_to_the_final_name(wanted: bytes) -> None:
    """The checksum for the server's name applies, not the one for the URL's name."""
    names = ServerNames(NameClaims(), {"a": sha256(wanted), "file.bin": sha256(b"other")})
    attempts = Attempts(*[full(V1, content_disposition="filename=a")] * 2, names=names)
    result = attempts.attempt()
    assert result.kind is (None if wanted is V1 else ErrorKind.CHECKSUM)
    assert attempts.published == ({"a": V1} if wanted is V1 else {})


@pytest.mark.parametrize(
    ("existing", "there", "checksum", "outcome"),
    [
        (Existing.SKIP, V2, None, Outcome.SKIPPED),
        (Existing.SKIP, b"", None, Outcome.SKIPPED),
        (Existing.SKIP, V1, sha256(V1), Outcome.SKIPPED),
        (Existing.SKIP, V2, sha256(V1), ErrorKind.CHECKSUM),
        (Existing.CONTINUE, V2, None, Outcome.SKIPPED),
        (Existing.CONTINUE, b"", None, Outcome.DOWNLOADED),
        (Existing.CONTINUE, V2, sha256(V1), Outcome.DOWNLOADED),
        (Existing.CONTINUE, V1, sha256(V1), Outcome.SKIPPED),
        (Existing.REPLACE, V2, None, Outcome.DOWNLOADED),
        (Existing.COMPARE, V2, None, Outcome.DOWNLOADED),
    ],
)
def test_an_existing_file_of_the_server_s_name(
    existing: Existing, there: bytes, checksum: Checksum | None, outcome: Outcome | ErrorKind
) -> None:
    """-nc and -c skip it, as they skip a file of the URL's name, and do not read the body."""
    names = ServerNames(NameClaims(), {"a": checksum} if checksum else {})
    replies = [full(V1, content_disposition="filename=a") for _ in range(2)]
    attempts = Attempts(*replies, names=names, existing=existing, there={"a": FakeFile(there)})
    result = attempts.attempt()
    assert outcome in (result.kind, result.outcome)
    assert attempts.published == ({"a": V1} if outcome is Outcome.DOWNLOADED else {})
    assert replies[0].is_read == (outcome is Outcome.DOWNLOADED)
