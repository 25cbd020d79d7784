"""The options for addresses: the settings that they ask for, and their errors."""

from __future__ import annotations

import pytest

from url_downloader.cli.arguments import argument_parser, run_settings
from url_downloader.cli.command_line import parse_command_line
from url_downloader.config.dial_settings import (
    AddressFamily,
    DialSettings,
    FixedAddress,
    parse_network,
)

SECRET = "s3cret"


def parsed(*arguments: str) -> DialSettings:
    """Return the settings that the arguments ask for."""
    return run_settings(argument_parser().parse_args([*arguments, "list"])).dial


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the last line of the usage error."""
    with pytest.raises(SystemExit) as caught:
        parse_command_line([*arguments, "list"])
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_defaults() -> None:
    """The defaults of the command line are those of the settings."""
    assert parsed() == DialSettings()


def test_each_option_has_its_setting() -> None:
    """Each option reaches its setting, and those that can be repeated keep their order."""
    settings = parsed(
        *("-6", "--resolve", "H:443:[::1],192.0.2.1", "--resolve=*:80:::2", "--only-public"),
        *("--interface", "::A", "--allow-net", "127.0.0.1/8", "--allow-net", "::1"),
        *("--deny-net", "10.0.0.1", "--deny-net", "fd00::/8", "--trust-proxy"),
    )
    assert settings == DialSettings(
        family=AddressFamily.IPV6,
        resolve=(
            FixedAddress("h", 443, ("::1", "192.0.2.1")),
            FixedAddress("*", 80, ("::2",)),
        ),
        interface="::a",
        is_public_only=True,
        allowed_nets=(parse_network("127.0.0.0/8"), parse_network("::1/128")),
        denied_nets=(parse_network("10.0.0.1/32"), parse_network("fd00::/8")),
        is_proxy_trusted=True,
    )


@pytest.mark.parametrize(
    ("flag", "family"),
    [
        *[(flag, AddressFamily.IPV4) for flag in ("-4", "--ipv4")],
        *[(flag, AddressFamily.IPV6) for flag in ("-6", "--ipv6")],
    ],
)
def test_families(flag: str, family: AddressFamily) -> None:
    """One family can be chosen, also beside other letters."""
    assert parsed(flag).family is family
    assert parsed(f"-q{flag[-1]}").family is family


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-4 -6", ["-6/--ipv6", "not allowed with", "-4/--ipv4"]),
        ("--resolve h:80", ["--resolve", "HOST:PORT:ADDRESS[,ADDRESS...]", "'h:80'"]),
        ("--resolve h:80:h2", ["--resolve", "IP address", "'h2'"]),
        ("--resolve h:0:::1", ["--resolve", "from 1 to 65535", "h:0"]),
        ("--interface eth0", ["--interface", "IP address", "'eth0'", "names"]),
        ("--interface host.test", ["--interface", "IP address", "'host.test'", "names"]),
        ("-4 --interface ::1", ["--interface", "IPv4", "::1"]),
        ("--deny-net 10.0.0.0/33", ["--deny-net", "'10.0.0.0/33'", "10.0.0.0/8"]),
        ("--only-public --allow-net x", ["--allow-net", "'x'"]),
        ("--allow-net 10.0.0.0/8", ["--allow-net", "needs --only-public"]),
        ("--allow-net ::1 --deny-net ::2", ["--allow-net", "needs --only-public"]),
        ("--only-public --proxy http://me:s3cret@h", ["--proxy:", "--trust-proxy"]),
        ("--deny-net ::1 --proxy h", ["--proxy:", "--deny-net", "--trust-proxy"]),
        ("--inet4-only", ["--inet4-only", "use -4"]),
        ("--inet6-only", ["--inet6-only", "use -6"]),
        ("--disable-ipv6=true", ["--disable-ipv6", "use -4"]),
        ("--bind-address=::1", ["--bind-address", "use --interface ADDRESS"]),
        ("--public-only", ["--public-only", "did you mean --only-public?"]),
    ],
)
def test_usage_errors(capsys: pytest.CaptureFixture[str], words: str, said: list[str]) -> None:
    """One line has the option, the problem and the remedy."""
    line = refusal(capsys, *words.split())
    assert [part for part in said if part not in line] == []
    assert SECRET not in line


def test_proxy_of_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With forbidden addresses, a proxy of the environment is a usage error, too."""
    monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@h:3128")
    line = refusal(capsys, "--only-public")
    assert "https_proxy: " in line
    assert "NO_PROXY" in line
    assert "--trust-proxy" in line
    assert SECRET not in line
    for words in ([], ["--trust-proxy"], ["--only-public", "--trust-proxy"]):
        parse_command_line([*words, "list"])
    parse_command_line(["--only-public", "--proxy", "socks5://h", "list"])
    monkeypatch.setenv("NO_PROXY", "*")
    parse_command_line(["--only-public", "list"])
