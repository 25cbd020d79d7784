"""The options for hosts: the settings that they ask for, their file, and their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from url_downloader.cli.arguments import argument_parser, run_settings
from url_downloader.cli.command_line import parse_command_line
from url_downloader.cli.host_arguments import with_host_rules
from url_downloader.cli.own_files import own_files
from url_downloader.config.host_settings import HostLimits, HostRule, HostSettings
from url_downloader.config.settings import OutputSettings, PoolSettings, Settings
from url_downloader.shared.errors import InputError


def parsed(*arguments: str) -> HostSettings:
    """Return the settings that the arguments ask for."""
    return run_settings(argument_parser().parse_args([*arguments, "list"])).hosts


def test_defaults() -> None:
    """The defaults of the command line are those of the settings, without any limit."""
    assert parsed() == HostSettings(
        limits=HostLimits(connections=0, interval=0), backoff_on=frozenset(), outage_wait=600
    )


def test_each_option_has_its_setting() -> None:
    """Each option reaches its setting."""
    arguments = ("--per-host", "3", "--host-rate", "30/m", "--backoff-on", "403,520")
    assert parsed(*arguments, "--outage-wait", "1h") == HostSettings(
        limits=HostLimits(connections=3, interval=2),
        backoff_on=frozenset({403, 520}),
        outage_wait=3600,
    )
    assert parsed("--host-rate=0", "--outage-wait=0") == HostSettings(outage_wait=0)


def test_config_files(tmp_path: Path) -> None:
    """The options can be in a config file, and later ones override them."""
    config = tmp_path / "config"
    config.write_text("--per-host 2\n--host-rate 0.5/s\n--host-rules my rules\nlist\n")
    command, settings = parse_command_line([f"@{config}", "--per-host", "4"])
    assert settings.hosts.limits == HostLimits(connections=4, interval=2)
    assert command.host_rules == Path("my rules")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--per-host -1", ["--per-host", "from 0 to 1024", "-1"]),
        ("--per-host 1025", ["--per-host", "from 0 to 1024", "1025"]),
        ("--per-host many", ["--per-host", "from 0 to 1024", "'many'"]),
        ("--host-rate 5", ["--host-rate", "unit", "5/s or 5/m", "'5'"]),
        ("--host-rate 5/w", ["--host-rate", "N/s, N/m, N/h or N/d", "0.5/s", "'5/w'"]),
        ("--host-rate=-1/s", ["--host-rate", "N/s", "'-1/s'"]),
        ("--host-rate 0.5/d", ["--host-rate", "at least 1/d", "'0.5/d'"]),
        ("--backoff-on 399", ["--backoff-on", "from 400 to 599", "399"]),
        ("--backoff-on 403,x", ["--backoff-on", "from 400 to 599", "'403,x'"]),
        ("--outage-wait 31d", ["--outage-wait", "from 0 to 2592000"]),
        ("--outage-wait never", ["--outage-wait", "from 0 to 2592000", "'never'"]),
        ("--host-rule f", ["--host-rule", "did you mean --host-rules?"]),
        *[
            (
                f"--look-ahead 0 {option}",
                ["--look-ahead: must not be 0 with", option.split()[0]],
            )
            for option in (
                "--per-host 1",
                "--host-rate 1/s",
                "--host-rules f",
                "--backoff-on 403",
            )
        ],
        ("-x8", ["-x", "--per-host N", "--proxy URL"]),
        ("-x http://h", ["-x", "--per-host N", "--proxy URL"]),
        ("-Q 1g", ["-Q", "use --max-total-size SIZE"]),
        ("--quota=1g", ["--quota", "use --max-total-size SIZE"]),
        ("--max-connection-per-server=8", ["--max-connection-per-server", "use --per-host N"]),
        ("--parallel-max-host 8", ["--parallel-max-host", "use --per-host N"]),
        ("--parallel-max 8", ["--parallel-max:", "use -w N"]),
        ("--max-threads=8", ["--max-threads", "use -w N"]),
        ("--max-concurrent-downloads=8", ["--max-concurrent-downloads", "use -w N"]),
        ("--rate 2/s", ["--rate", "use --host-rate N/s"]),
        ("--wait=2", ["--wait", "use --host-rate N/s: 0.5/s"]),
        ("--random-wait", ["--random-wait", "use --host-rate N/s"]),
        ("--max-download-limit=1M", ["--max-download-limit", "use --limit-rate RATE"]),
        (
            "--max-overall-download-limit=1M",
            ["--max-overall-download-limit", "use --limit-rate RATE"],
        ),
    ],
)
def test_usage_errors(capsys: pytest.CaptureFixture[str], words: str, said: list[str]) -> None:
    """One line has the option, the problem and the remedy."""
    with pytest.raises(SystemExit) as caught:
        parse_command_line([*words.split(), "list"])
    assert caught.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert [part for part in said if part not in line] == []


@pytest.mark.parametrize(
    "data",
    [
        b"h per-host=2\n*.test rate=1/s\n",
        b"\xef\xbb\xbfh per-host=2\r\n\r\n*.test rate=1/s",
        b"# limits\n\nh per-host=2 # two\n*.test rate=1/s",
    ],
    ids=["LF", "BOM and CRLF", "comments"],
)
def test_rules_of_a_file(tmp_path: Path, data: bytes) -> None:
    """The rules of the file are added to the other settings, which stay."""
    path = tmp_path / "rules"
    path.write_bytes(data)
    before = Settings(
        hosts=HostSettings(outage_wait=5, limits=HostLimits(connections=9)),
        pool=PoolSettings(max_workers=7),
    )
    settings = with_host_rules(before, path)
    assert settings.pool is before.pool
    assert settings.hosts == HostSettings(
        outage_wait=5,
        limits=HostLimits(connections=9),
        rules=(HostRule(pattern="h", connections=2), HostRule(pattern="*.test", interval=1)),
    )


def test_no_file() -> None:
    """Without the option, the settings stay."""
    settings = Settings()
    assert with_host_rules(settings, None) is settings


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "{}: the host rules can't be read: No such file or directory"),
        ("folder", "{}: the host rules can't be read: Is a directory"),
        ("bad", "{}:2: h has no limit"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, reason: str) -> None:
    """A file that can't be read, or has a bad line, is an error that names it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad").write_text("h per-host=1\nh\n")
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        with_host_rules(Settings(), path)
    assert str(caught.value).startswith(reason.format(path))


def test_no_download_replaces_the_file(tmp_path: Path) -> None:
    """The name of the file is taken, if it is in the output directory."""
    command, _ = parse_command_line(["--host-rules", str(tmp_path / "rules"), "list"])
    settings = Settings(output=OutputSettings(directory=tmp_path))
    assert "rules" in own_files(command, settings)
