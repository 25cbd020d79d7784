"""Locales without UTF-8: names are written as UTF-8 all the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.cli import MAIN, ROOT, clean_environment
from tests.support.output_folder import visible
from tests.support.scripted_server import Reply, ScriptedServer

NAMES = ("文件.txt", "résumé.txt", "naïve ☃.txt", "plain.txt")


@pytest.fixture(scope="session")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment variables of a system whose locale is ISO 8859-1."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1"]
    command.append(str(folder / "en_US.ISO-8859-1"))
    subprocess.run(command, check=False, capture_output=True)
    if not (folder / "en_US.ISO-8859-1").exists():
        pytest.skip("localedef has no sources of locales here: install the package locales")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


@pytest.fixture(params=["latin-1", "C", "POSIX without UTF-8 mode"])
def locale(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the environment variables of a system without UTF-8."""
    if request.param == "latin-1":
        found: dict[str, str] = request.getfixturevalue("latin_1")
        return found
    if request.param == "C":
        return {"LC_ALL": "C"}
    return {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(
    *arguments: bytes, locale: dict[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run the program with arguments that are bytes."""
    return subprocess.run(
        [*map(os.fsencode, MAIN), *arguments],
        input=stdin,
        check=False,
        capture_output=True,
        env=clean_environment() | locale,
        cwd=ROOT,
        timeout=60,
    )


@pytest.mark.parametrize("folder", [b"out", "été".encode(), b"\xe9t\xe9", "出".encode()])
def test_names_are_utf_8(
    server: ScriptedServer, tmp_path: Path, locale: dict[str, str], folder: bytes
) -> None:
    """Files, printed paths, report and dry run have the same bytes as under UTF-8."""
    for name in NAMES:
        server.play(f"/{quote(name)}", Reply(body=name.encode()))
    urls = "".join(server.url(f"/{quote(name)}\n") for name in NAMES)
    urls += server.url("/fail") + "\n  out=名/失败.txt\n"
    server.play("/fail", Reply(status=404))
    base = os.fsencode(tmp_path)
    out, report, failed = base + b"/" + folder, base + b"/report", base + b"/failed"
    options = (b"-d", out, b"-w1", b"--report", report, b"--failed-out", failed)
    result = run(b"-", *options, b"--print", b"paths", locale=locale, stdin=urls.encode())
    assert result.returncode == 1, result
    assert b"bug of this program" not in result.stderr
    names = [os.fsencode(each.name) for each in visible(Path(os.fsdecode(out)))]
    assert sorted(names) == sorted(name.encode() for name in NAMES)
    paths = [out + b"/" + name.encode() for name in NAMES]
    assert result.stdout.splitlines() == paths
    records = [json.loads(line) for line in Path(os.fsdecode(report)).read_text().splitlines()]
    assert [each["path"] for each in records[:-1]] == [
        path.decode("utf-8", "surrogateescape") for path in paths
    ]
    assert "  out=名/失败.txt" in Path(os.fsdecode(failed)).read_text("utf-8").splitlines()
    again = run(b"-", *options[:2], b"-c", locale=locale, stdin=urls.encode())
    assert again.returncode == 1, again
    assert server.count(f"/{quote(NAMES[0])}") == 1
    plan = run(b"-", *options[:2], b"--dry-run", locale=locale, stdin=urls.encode())
    assert [line.partition(b"\t")[2] for line in plan.stdout.splitlines()[:-1]] == paths


def test_the_command_that_retries_can_be_pasted(
    server: ScriptedServer, tmp_path: Path, locale: dict[str, str]
) -> None:
    """A shell reads the same bytes from the names in `to retry:`."""
    server.play("/fail", Reply(status=404))
    source = os.fsencode(tmp_path) + "/名 é.txt".encode()
    Path(os.fsdecode(source)).write_text(server.url("/fail"))
    result = run(source, b"-d", os.fsencode(tmp_path) + b"/out", locale=locale)
    assert result.returncode == 4, result
    command = result.stderr.splitlines()[-1].removeprefix(b"to retry: ")
    pasted = subprocess.run(
        ["bash", "-c", b"printf '%s\\0' " + command], capture_output=True, check=True
    )
    assert source in pasted.stdout.split(b"\0")
