"""The text of a .netrc, read in bytes, as curl, wget and Python read it."""

from __future__ import annotations

import pytest

from url_downloader.config.netrc import NetrcEntry, NetrcError, parse_netrc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"machine h login u password p", [NetrcEntry(b"h", b"u", b"p")]),
        (b"machine H.Test\n\tuser u\r\n\tpassword p\r\n", [NetrcEntry(b"h.test", b"u", b"p")]),
        (b"machine\nh\nlogin\nu\npassword\np\n", [NetrcEntry(b"h", b"u", b"p")]),
        (b"machine h password p", [NetrcEntry(b"h", b"", b"p")]),
        (b"machine h account a password p", [NetrcEntry(b"h", b"a", b"p")]),
        (b"machine h login u account a password p", [NetrcEntry(b"h", b"u", b"p")]),
        (b"default login u password p", [NetrcEntry(None, b"u", b"p")]),
        (b"machine default login u password p", [NetrcEntry(b"default", b"u", b"p")]),
        (b"machine h login u password gr\xfc\xdfe", [NetrcEntry(b"h", b"u", b"gr\xfc\xdfe")]),
        (b"machine h login u password p#s", [NetrcEntry(b"h", b"u", b"p#s")]),
        (b"machine h login u password #ps", [NetrcEntry(b"h", b"u", b"#ps")]),
        (b'machine h login "u v" password "p\\"\\\\#"', [NetrcEntry(b"h", b"u v", b'p"\\#')]),
        (b'machine h login u password ""', [NetrcEntry(b"h", b"u", b"")]),
        (b'machine h login u password p"s', [NetrcEntry(b"h", b"u", b'p"s')]),
        (b'machine h login u password "ps', [NetrcEntry(b"h", b"u", b'"ps')]),
        (b"machine h login u password machine", [NetrcEntry(b"h", b"u", b"machine")]),
        (b"# machine x\n#y\nmachine h # z password q\nlogin u", [NetrcEntry(b"h", b"u", b"")]),
        (b"macdef m\nput x\nmachine x\n\nmachine h login u", [NetrcEntry(b"h", b"u", b"")]),
        (
            b"machine h login u\nmacdef init\ncd x\n\ndefault login v",
            [NetrcEntry(b"h", b"u", b""), NetrcEntry(None, b"v", b"")],
        ),
        (b"macdef m\nput x", []),
    ],
)
def test_a_file(text: bytes, expected: list[NetrcEntry]) -> None:
    """Entries come in their order, whatever their line breaks."""
    assert parse_netrc(text.split(b"\n")) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"S3CRET", 1),
        (b"machine h login u\npasswort S3CRET", 2),
        (b"machine h login u password S3CRET more", 1),
        (b"login u password S3CRET", 1),
        (b"machine h login u\n\npassword", 3),
        (b"machine", 1),
        (b'<html>\n"S3CRET"', 1),
    ],
)
def test_something_else(text: bytes, line: int) -> None:
    """The error has the number of the line, and nothing of its content."""
    with pytest.raises(NetrcError) as caught:
        parse_netrc(text.split(b"\n"))
    assert caught.value.line == line
    assert "S3CRET" not in repr(caught.value)
