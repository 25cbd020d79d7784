"""Checksums as lists, sha256sum and servers write them, and their comparison."""

from __future__ import annotations

import base64
import hashlib
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.checksums import (
    ALGORITHMS,
    Digester,
    digests_of,
    parse_checksum,
    parse_sums,
)
from url_downloader.shared.job_options import Checksum

DATA = b"The quick brown fox jumps over the lazy dog"
HEX = {name: hashlib.new(known, DATA).hexdigest() for name, known in ALGORITHMS.items()}
SHA256 = HEX["sha-256"]
OTHER = "0" * 64


def field(name: str, data: bytes = DATA) -> str:
    """Return one member of a Repr-Digest field."""
    digest = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


def checksum(name: str, data: bytes = DATA) -> Checksum:
    """Return the checksum of `data`."""
    return Checksum(name, hashlib.new(name.replace("-", ""), data).hexdigest())


GOOD_FIELD = field("sha-256")
GOOD_DIGITS = GOOD_FIELD.split(":")[1]


@pytest.mark.parametrize("name", ["md5", "sha-1", "sha-256", "sha-512"])
@pytest.mark.parametrize("form", ["{}={}", "  {}={}\t", "{} = {}"])
def test_a_checksum_of_a_list(name: str, form: str) -> None:
    """Each of the four algorithms is read, with blanks around, and digits in either case."""
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
    """Another text is refused, with the form that is expected."""
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
    """Text and binary mode, escaped names and both line ends give the name on the disk."""
    assert list(parse_sums([line])) == [(name, Checksum("sha-256", SHA256))]


def test_lines_that_say_nothing_are_skipped() -> None:
    """Comments and blank lines are skipped; other lines come in order, repeated names too."""
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
    """A line of another form is refused by its number, as its file is unknown."""
    sums = parse_sums([f"{OTHER}  good\n", "\n", f"{line}\n"])
    assert next(sums)[0] == "good"
    with pytest.raises(ValueError, match=r"^line 3 "):
        next(sums)


def test_sums_are_read_line_by_line() -> None:
    """A line is read when it is asked for, so that a long file is never held as a whole."""
    left = iter([f"{SHA256}  a\n", f"{SHA256}  b\n"])
    assert next(parse_sums(left))[0] == "a"
    assert next(left).endswith("  b\n")


def escaped(name: str) -> str:
    """Return a line of sha256sum for a file of this name."""
    text = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{chr(92) if text != name else ''}{SHA256}  {text}\n"


@given(st.text(st.sampled_from("\\nr\n\r *a./"), min_size=1, max_size=12))
def test_a_name_comes_back_as_it_was(name: str) -> None:
    """Any name that sha256sum escapes is unescaped."""
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
        # Other algorithms: RFC 9530 §5 deprecates some, others do not exist.
        (f"md5=:{base64.b64encode(b'0' * 16).decode()}:", []),
        (f"sha=:{base64.b64encode(b'0' * 20).decode()}:", []),
        ("unixsum=:AAA=:", []),
        ("crc32c=:AAAAAA==:", []),
        (f"unknown=:{GOOD_DIGITS}:, {GOOD_FIELD}", ["sha-256"]),
        (f"{GOOD_FIELD}, unknown", ["sha-256"]),
        # Another form.
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
    """Digests that can be verified are returned; others are ignored, and none is an error."""
    if "====" in value:
        assert set(digests_of(value)) <= {checksum("sha-256")}
        return
    assert list(digests_of(value)) == [checksum(name) for name in names]


@given(st.text(st.sampled_from("sha-256512=:,;AB+/ \t\"'") | st.characters(), max_size=120))
def test_a_field_never_raises(value: str) -> None:
    """Any field gives only sha-256 and sha-512 digests of the right lengths."""
    lengths = {"sha-256": 64, "sha-512": 128}
    for found in digests_of(f"sha-256=:{value}:, {value}, {GOOD_FIELD}"):
        assert re.fullmatch(rf"[0-9a-f]{{{lengths[found.algorithm]}}}", found.digest)


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_digest_that_fits(name: str) -> None:
    """The right digest of all bytes is accepted, in whatever pieces they came."""
    digester = Digester([Checksum(name, HEX[name])])
    assert digester
    for chunk in (DATA[:1], b"", DATA[1:20], DATA[20:]):
        digester.update(chunk)
    assert digester.mismatch() is None


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_digest_that_does_not_fit(name: str) -> None:
    """The reason names the algorithm, the digest of the bytes and the one that is expected."""
    digester = Digester([Checksum(name, HEX[name])])
    digester.update(DATA + b"!")
    reason = digester.mismatch()
    actual = hashlib.new(ALGORITHMS[name], DATA + b"!").hexdigest()
    assert reason is not None
    assert all(part in reason for part in (name, actual, HEX[name]))


def test_nothing_wanted_costs_nothing() -> None:
    """Without a checksum there is no hash to feed, and no mismatch."""
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
    """Of the user's and the server's checksums one that does not fit is enough."""
    digester = Digester(iter(wanted))
    digester.update(DATA)
    assert (digester.mismatch() is None) is fits


def test_no_bytes_have_a_digest_too() -> None:
    """An empty file can be verified as well."""
    assert Digester([checksum("sha-256", b"")]).mismatch() is None
    assert Digester([checksum("sha-256")]).mismatch() is not None


@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_pieces_do_not_matter(data: bytes, luck: random.Random) -> None:
    """Cut into any pieces, the bytes have the digest of the whole."""
    digester = Digester([checksum("sha-256", data)])
    left = data
    while left:
        cut = luck.randint(1, len(left))
        digester.update(left[:cut])
        left = left[cut:]
    assert digester.mismatch() is None
