"""The options for requests: the settings that they ask for, and their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from url_downloader.cli.arguments import argument_parser, run_settings
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import Settings
from url_downloader.shared.errors import ConfigError

SECRET = "s3cret"
CONTROLS = (b"\0", b"\r", b"\x1b")


def parsed(*arguments: str) -> Settings:
    """Return the settings that the arguments ask for."""
    return run_settings(argument_parser().parse_args([*arguments, "list"]))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the last line of the usage error."""
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_defaults() -> None:
    """The defaults of the command line are those of the settings."""
    assert parsed() == Settings()


def test_each_option_has_its_setting(tmp_path: Path) -> None:
    """Each option reaches its setting; headers keep their order, in files and options."""
    (tmp_path / "h").write_bytes(b"\xef\xbb\xbf# of a file\r\nB: 2:3\r\n\r\n \t\nC:\n#D: x\n")
    settings = parsed(
        *("-H", "A: 1", "--header", f"@{tmp_path / 'h'}", "-H", "E: 5", "-U", "agent"),
        *("--referer", f"http://me:{SECRET}@r.test/x?y#z", "--cookies", "c", "--netrc", "n"),
        *("--proxy", "h:3128", "-k", "--ca-cert", "a", "--cert", "b", "--key", "k"),
        *("--max-redirects", "0", "--location-trusted"),
    )
    assert settings.server == ServerSettings(
        headers=(("A", "1"), ("B", "2:3"), ("C", ""), ("E", "5")),
        user_agent="agent",
        referer="http://r.test/x?y",
        cookies=Path("c"),
        netrc=Path("n"),
        proxy="h:3128",
        is_verified=False,
        ca_cert=Path("a"),
        cert=Path("b"),
        key=Path("k"),
    )
    assert settings.transfer.max_redirects == 0
    assert settings.transfer.is_location_trusted
    assert not parsed("--no-netrc").server.uses_netrc


def test_secrets_are_in_no_repr() -> None:
    """The repr of settings has no secrets, in case it is logged by mistake."""
    settings = parsed("-H", f"A: {SECRET}", "--proxy", f"socks5h://me:{SECRET}@h")
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("-H", SECRET, "it should read Name: value"),
        ("-H", f"A b: {SECRET}", "it should read Name: value"),
        ("-H", f"A: {SECRET}\r\nB: 2", "it should read Name: value"),
        ("-H", "range: bytes=0-9", "range is set by this program"),
        ("-H", "Content-Length: 5", "Content-Length is set by this program"),
        *[("-H", "@none/x", "none/x: the headers can't be read"), ("-H", "@/", "Is a dir")],
        *[("-U", f"{SECRET}\n", "control"), ("--referer", f"{SECRET}\r", "control")],
        *[("--proxy", f"{scheme}://me:{SECRET}@h", "http, https") for scheme in ("ftp", "x")],
        *[("--proxy", f"me:{SECRET}@{place}", "proxy") for place in ("", "h:0", "h:x")],
        ("--max-redirects", "some", "from 0 to 1000"),
    ],
)
def test_bad_values(
    capsys: pytest.CaptureFixture[str], option: str, value: str, text: str
) -> None:
    """The message has the option and the reason, but no value that may be secret."""
    message = refusal(capsys, option, value)
    assert option in message
    assert text in message
    assert SECRET not in message


def test_bad_line_of_headers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The message has the number of the line, but not its text."""
    (tmp_path / "h").write_text(f"A: 1\n\n{SECRET}\n")
    message = refusal(capsys, "-H", f"@{tmp_path / 'h'}")
    assert f"{tmp_path / 'h'}:3: not a header" in message
    assert SECRET not in message
    for octet, words in ((b"\xff", "not UTF-8"), *((each, "Name: value") for each in CONTROLS)):
        (tmp_path / "h").write_bytes(b"\xef\xbb\xbfA: 1\nB: s3cret%b3\n" % octet)
        message = refusal(capsys, "-H", f"@{tmp_path / 'h'}")
        assert f"{tmp_path / 'h'}:2: " in message
        assert words in message
        assert SECRET not in message


def test_contradictions(capsys: pytest.CaptureFixture[str]) -> None:
    """A key needs its certificate, and --netrc contradicts --no-netrc."""
    with pytest.raises(ConfigError, match="--key: needs --cert"):
        parsed("--key", "k")
    assert "not allowed with" in refusal(capsys, "--netrc", "n", "--no-netrc")
