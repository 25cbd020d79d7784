"""Digests: how lists, sha256sum and servers write them, and how they are compared."""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.attempts import Attempts
from tests.support.fake_network import V1, V2, FakeReply, cut, full, piece
from url_downloader.shared.checksums import (
    ALGORITHMS,
    Digester,
    digests_of,
    parse_checksum,
    parse_sums,
)
from url_downloader.shared.models import Checksum, ErrorKind, Outcome

DATA = b"The quick brown fox jumps over the lazy dog"
HEX = {name: hashlib.new(known, DATA).hexdigest() for name, known in ALGORITHMS.items()}
SHA256 = HEX["sha-256"]
OTHER = "0" * 64


def field(name: str, data: bytes = DATA) -> str:
    """One member of a Repr-Digest field."""
    digest = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


def checksum(name: str, data: bytes = DATA) -> Checksum:
    """What `data` must have."""
    return Checksum(name, hashlib.new(name.replace("-", ""), data).hexdigest())


GOOD_FIELD = field("sha-256")
GOOD_DIGITS = GOOD_FIELD.split(":")[1]


@pytest.mark.parametrize("name", ["md5", "sha-1", "sha-256", "sha-512"])
@pytest.mark.parametrize("form", ["{}={}", "  {}={}\t", "{} = {}"])
def test_a_checksum_of_a_list(name: str, form: str) -> None:
    """Each of the four algorithms, blanks around, and digits in either case."""
    expected = Checksum(name, HEX[name])
    assert parse_checksum(form.format(name, HEX[name])) == expected
    assert parse_checksum(form.format(name.upper(), HEX[name].upper())) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "one of md5, sha-1, sha-256, sha-512, not ''"),
        (SHA256, "one of"),
        (f"={SHA256}", "one of"),
        (f"sha256={SHA256}", "one of md5, sha-1, sha-256, sha-512, not 'sha256'"),
        (f"sha-256:{SHA256}", "one of"),
        (f"sha-224={'0' * 56}", "one of"),
        (f"crc32={'0' * 8}", "one of"),
        ("sha-256", "sha-256 has 64 hexadecimal digits"),
        ("sha-256=", "64 hex"),
        (f"sha-256={'0' * 63}", "64 hex"),
        (f"sha-256={'0' * 65}", "64 hex"),
        (f"sha-256={HEX['md5']}", "64 hex"),
        (f"md5={SHA256}", "md5 has 32 hexadecimal digits"),
        (f"sha-1={SHA256}", "sha-1 has 40 hexadecimal digits"),
        (f"sha-512={SHA256}", "sha-512 has 128 hexadecimal digits"),
        (f"sha-256={'g' * 64}", "64 hex"),
        (f"sha-256={'0x' + '0' * 62}", "64 hex"),
        (f"sha-256={'-' + '0' * 63}", "64 hex"),
        (f"sha-256={'0' * 32} {'0' * 31}", "64 hex"),
        (f"sha-256=={'0' * 64}", "64 hex"),
        (f"sha-256={chr(0x660) * 64}", "64 hex"),
        (f"sha-256={'0' * 64}\n{'0' * 64}", "64 hex"),
    ],
)
def test_what_is_no_checksum(text: str, reason: str) -> None:
    """It is refused, with what is expected instead."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_checksum(text)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"{SHA256}  file.bin", "file.bin"),
        (f"{SHA256} *file.bin", "file.bin"),
        (f"{SHA256}  file.bin\n", "file.bin"),
        (f"{SHA256}  file.bin\r\n", "file.bin"),
        (f"{SHA256} *file.bin\r\n", "file.bin"),
        (f"{SHA256.upper()}  file.bin\n", "file.bin"),
        (f"{SHA256}  ./file.bin\n", "file.bin"),
        (f"{SHA256}  a/b.bin\n", "a/b.bin"),
        (f"{SHA256}  two  blanks\n", "two  blanks"),
        (f"{SHA256}   leading\n", " leading"),
        (f"{SHA256}  *star\n", "*star"),
        (f"{SHA256} **star\n", "*star"),
        (f"{SHA256}  ünï.bin\n", "ünï.bin"),
        (f"{SHA256}  back\\nslash\n", "back\\nslash"),
        (f"\\{SHA256}  new\\nline\n", "new\nline"),
        (f"\\{SHA256} *new\\nline\r\n", "new\nline"),
        (f"\\{SHA256}  car\\rriage\n", "car\rriage"),
        (f"\\{SHA256}  back\\\\slash\n", "back\\slash"),
        (f"\\{SHA256}  back\\\\nslash\n", "back\\nslash"),
    ],
)
def test_a_line_of_sha256sum(line: str, name: str) -> None:
    """Text and binary mode, escaped names, either line end: the name as on the disk."""
    assert list(parse_sums([line])) == [(name, Checksum("sha-256", SHA256))]


def test_lines_that_say_nothing_are_skipped() -> None:
    """Comments, blank lines; all others come in their order, a name as often as it stands."""
    lines = ["# made by hand\n", "\n", f"{SHA256}  a\n", "\r\n", f"{OTHER}  b\n", f"{OTHER}  a"]
    assert [(name, found.digest) for name, found in parse_sums(lines)] == [
        ("a", SHA256),
        ("b", OTHER),
        ("a", OTHER),
    ]
    assert list(parse_sums([])) == []


@pytest.mark.parametrize(
    "line",
    [
        "file.bin",
        SHA256,
        f"{SHA256} ",
        f"{SHA256}  ",
        f"{SHA256} file.bin",
        f"{SHA256}\tfile.bin",
        f" {SHA256}  file.bin",
        f"{SHA256[:-1]}  file.bin",
        f"{SHA256}0  file.bin",
        f"{HEX['md5']}  file.bin",
        f"{HEX['sha-1']}  file.bin",
        f"{HEX['sha-512']}  file.bin",
        f"{'g' * 64}  file.bin",
        f"SHA256 (file.bin) = {SHA256}",
        f"\\\\{SHA256}  file.bin",
        "   ",
    ],
)
def test_a_broken_line_of_sums(line: str) -> None:
    """A line of another form is refused by its number: what else is it to protect?"""
    sums = parse_sums([f"{OTHER}  good\n", "\n", f"{line}\n"])
    assert next(sums)[0] == "good"
    with pytest.raises(ValueError, match=r"^line 3 "):
        next(sums)


def test_sums_are_read_line_by_line() -> None:
    """A long file is never held as a whole: a line is read when it is asked for."""
    left = iter([f"{SHA256}  a\n", f"{SHA256}  b\n"])
    assert next(parse_sums(left))[0] == "a"
    assert next(left).endswith("  b\n")


def escaped(name: str) -> str:
    """A line of sha256sum for a file of this name."""
    text = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{chr(92) if text != name else ''}{SHA256}  {text}\n"


@given(st.text(st.sampled_from("\\nr\n\r *a./"), min_size=1, max_size=12))
def test_a_name_comes_back_as_it_was(name: str) -> None:
    """What sha256sum escapes is unescaped, whatever the name is made of."""
    [(found, _)] = parse_sums([escaped(name)])
    assert found == name.removeprefix("./")


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (GOOD_FIELD, ["sha-256"]),
        (field("sha-512"), ["sha-512"]),
        (f"{GOOD_FIELD}, {field('sha-512')}", ["sha-256", "sha-512"]),
        (f"{field('sha-512')},{GOOD_FIELD}", ["sha-512", "sha-256"]),
        (f"\t{GOOD_FIELD} ,\t {field('sha-512')}  ", ["sha-256", "sha-512"]),
        (f"{GOOD_FIELD};note=1", ["sha-256"]),
        (f"{GOOD_FIELD};a;b=?1, {field('sha-512')}", ["sha-256", "sha-512"]),
        # Of other algorithms: RFC 9530 §5 deprecates some, and some are nobody's.
        (f"md5=:{base64.b64encode(b'0' * 16).decode()}:", []),
        (f"sha=:{base64.b64encode(b'0' * 20).decode()}:", []),
        ("unixsum=:AAA=:", []),
        ("crc32c=:AAAAAA==:", []),
        (f"unknown=:{GOOD_DIGITS}:, {GOOD_FIELD}", ["sha-256"]),
        (f"{GOOD_FIELD}, unknown", ["sha-256"]),
        # Of another form.
        ("", []),
        (",,,", []),
        ("sha-256", []),
        ("sha-256=", []),
        ("sha-256=::", []),
        (f"sha-256={GOOD_DIGITS}", []),
        (f"sha-256=:{GOOD_DIGITS}", []),
        (f'sha-256="{GOOD_DIGITS}"', []),
        (f"sha-256=:{SHA256}:", []),
        (f"sha-256=:{GOOD_DIGITS[:-4]}:", []),
        (f"sha-256=:{GOOD_DIGITS[:-1]}:", []),
        (f"sha-256=:AAAA{GOOD_DIGITS}:", []),
        (f"sha-256=:{GOOD_DIGITS}====:", ["sha-256"]),
        (f"sha-256=:{GOOD_DIGITS[:-2]}*=:", []),
        (f"sha-512=:{GOOD_DIGITS}:", []),
        (f"SHA-256=:{GOOD_DIGITS}:", []),
        (f"sha-256 =:{GOOD_DIGITS}:", []),
        (f"sha-256=:{GOOD_DIGITS}: x", []),
        (f"id-sha-256=:{GOOD_DIGITS}:", []),
    ],
)
def test_the_digests_of_a_field(value: str, names: list[str]) -> None:
    """What can be verified is; what can't is as if it weren't there, and never an error."""
    if "====" in value:
        assert set(digests_of(value)) <= {checksum("sha-256")}
        return
    assert list(digests_of(value)) == [checksum(name) for name in names]


@given(st.text(st.sampled_from("sha-256512=:,;AB+/ \t\"'") | st.characters(), max_size=120))
def test_a_field_never_raises(value: str) -> None:
    """Whatever a server says, only sha-256 and sha-512 of the right lengths come out."""
    lengths = {"sha-256": 64, "sha-512": 128}
    for found in digests_of(f"sha-256=:{value}:, {value}, {GOOD_FIELD}"):
        assert re.fullmatch(rf"[0-9a-f]{{{lengths[found.algorithm]}}}", found.digest)


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_digest_that_fits(name: str) -> None:
    """Of all bytes, in the pieces in which they came."""
    digester = Digester([Checksum(name, HEX[name])])
    assert digester
    for chunk in (DATA[:1], b"", DATA[1:20], DATA[20:]):
        digester.update(chunk)
    assert digester.mismatch() is None


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_digest_that_does_not_fit(name: str) -> None:
    """The reason names the algorithm, what it is and what it should be."""
    digester = Digester([Checksum(name, HEX[name])])
    digester.update(DATA + b"!")
    reason = digester.mismatch()
    actual = hashlib.new(ALGORITHMS[name], DATA + b"!").hexdigest()
    assert reason is not None
    assert all(part in reason for part in (name, actual, HEX[name]))


def test_nothing_wanted_costs_nothing() -> None:
    """With no checksum there is no hash to feed, and nothing can be wrong."""
    digester = Digester([])
    assert not digester
    digester.update(DATA)
    assert digester.mismatch() is None


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ([checksum("md5"), checksum("sha-512")], True),
        ([checksum("sha-256"), checksum("sha-256")], True),
        ([checksum("md5"), checksum("sha-512", b"")], False),
        ([checksum("md5", b""), checksum("sha-512")], False),
        ([checksum("sha-256"), checksum("sha-256", b"")], False),
        ([checksum("sha-256", b""), checksum("sha-256")], False),
    ],
)
def test_all_that_is_wanted_must_fit(wanted: list[Checksum], fits: bool) -> None:
    """The user's checksum and the server's: one that doesn't fit is enough."""
    digester = Digester(iter(wanted))
    digester.update(DATA)
    assert (digester.mismatch() is None) is fits


def test_no_bytes_have_a_digest_too() -> None:
    """An empty file can be verified as well."""
    assert Digester([checksum("sha-256", b"")]).mismatch() is None
    assert Digester([checksum("sha-256")]).mismatch() is not None


@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_pieces_do_not_matter(data: bytes, luck: random.Random) -> None:
    """Cut anywhere, the bytes have the digest of the whole."""
    digester = Digester([checksum("sha-256", data)])
    left = data
    while left:
        cut = luck.randint(1, len(left))
        digester.update(left[:cut])
        left = left[cut:]
    assert digester.mismatch() is None


@pytest.mark.parametrize(
    ("second", "kind", "published"),
    [
        (full(V1), None, {"file.bin": V1}),
        (full(V2), ErrorKind.CHECKSUM, {}),
        (cut(V1, 16), ErrorKind.TRUNCATED, {}),
        (FakeReply(404), ErrorKind.CLIENT_ERROR, {}),
    ],
)
@pytest.mark.parametrize("part", [b"", V1[:15] + b"!"])
def test_a_mismatch_is_one_fresh_download(
    second: FakeReply, kind: ErrorKind | None, *, published: dict[str, bytes], part: bytes
) -> None:
    """The next attempt asks for all of it; what has not the checksum is never published."""
    attempts = Attempts(piece(V1, 16) if part else full(V2), second, part=part)
    results = [attempts.attempt(checksum=checksum("sha-256", V1)) for _ in range(2)]
    assert [result.kind for result in results] == [ErrorKind.CHECKSUM, kind]
    assert attempts.published == published
    assert attempts.ranges == [len(part), 0]
    if kind is ErrorKind.CHECKSUM:
        assert attempts.part is None


def test_a_checksum_over_a_resume() -> None:
    """The first bytes are read from the part, once; from the network only the others come."""
    attempts = Attempts(cut(V1, 16), piece(V1, 16, 30), piece(V1, 30))
    results = [attempts.attempt(checksum=checksum("sha-256", V1)) for _ in range(2)]
    assert [result.kind for result in results] == [ErrorKind.TRUNCATED, None]
    assert results[-1].outcome is Outcome.RESUMED
    assert (attempts.published, sum(attempts.counted)) == ({"file.bin": V1}, len(V1))
    assert attempts.disk.read_back == [16]


def test_what_nobody_asked_for_is_not_hashed() -> None:
    """Without a checksum the part isn't read again."""
    attempts = Attempts(piece(V1, 16), part=V1[:16])
    assert attempts.attempt().kind is None
    assert attempts.disk.read_back == []


@pytest.mark.parametrize(
    ("reply", "part", "fits"),
    [
        (full(V1, repr_digest=field("sha-256", V1)), b"", True),
        (full(V1, repr_digest=field("sha-512", V1)), b"", True),
        (full(V1, repr_digest=field("sha-256", V2)), b"", False),
        (full(V1, repr_digest=f"{field('sha-256', V1)}, {field('sha-512', V2)}"), b"", False),
        (full(V1, repr_digest="md5=:AAAAAAAAAAAAAAAAAAAAAA==:, what=:AAAA:"), b"", True),
        (full(V1, repr_digest="sha-256=:AAAA:"), b"", True),
        (
            FakeReply(
                200,
                gzip.compress(V1),
                repr_digest=field("sha-256", V2),
                content_encoding="gzip",
            ),
            b"",
            True,
        ),
        (piece(V1, 16, repr_digest=field("sha-256", V1)), V1[:16], True),
        (piece(V1, 16, repr_digest=field("sha-256", V1[16:])), V1[:16], False),
    ],
)
def test_what_a_server_says_of_its_file(reply: FakeReply, part: bytes, *, fits: bool) -> None:
    """A Repr-Digest that can be verified must fit; any other is as if it weren't there."""
    attempts = Attempts(reply, FakeReply(404), part=part)
    assert (attempts.attempt().kind is None) is fits
    assert attempts.published == ({"file.bin": V1} if fits else {})


def test_a_digest_of_a_416_is_of_its_own_body() -> None:
    """In an error reply Repr-Digest is of the error's text (RFC 9530, B): the part is whole."""
    headers = {"content_range": "bytes */40", "repr_digest": field("sha-256", b"too far")}
    attempts = Attempts(FakeReply(416, b"too far", **headers), part=V1)
    assert attempts.attempt().kind is None
    assert attempts.published == {"file.bin": V1}
