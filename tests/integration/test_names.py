"""Names that servers give, and existing files: no file of another purpose is replaced."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cli import run_cli
from tests.support.scripted_server import Cut, Reply, ScriptedServer

PRECIOUS = b"precious"


def named(name: str, body: bytes) -> Reply:
    """Return a reply whose Content-Disposition names the file."""
    return Reply(body=body, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def sums(folder: Path, **files: bytes) -> Path:
    """Write a file as sha256sum does; two underscores in a keyword stand for a dot."""
    path = folder / "sums"
    lines = [
        f"{hashlib.sha256(body).hexdigest()}  {name.replace('__', '.')}\n"
        for name, body in files.items()
    ]
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("option", ["-nc", "-c"])
def test_an_existing_file_of_the_server_s_name(
    server: ScriptedServer, tmp_path: Path, option: str
) -> None:
    """-nc and -c skip a job if a file of the server's name exists."""
    server.play("/a", named("files.zip", b"new"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "files.zip").write_bytes(PRECIOUS)
    result = run_cli(
        "-", "-d", out, option, "--content-disposition", stdin=server.url("/a").encode()
    )
    assert (result.status, contents(out)) == (0, {"files.zip": PRECIOUS}), result


def test_the_failed_list_keeps_names(server: ScriptedServer, tmp_path: Path) -> None:
    """In the next run, no URL of the failed list gets a name of a file of the first run.

    That holds for a URL that failed before it had a name, for one that failed after, and for
    URLs that were not started.
    """
    out, failed = tmp_path / "out", tmp_path / "failed"
    whole = {path: named("files.zip", path.encode()) for path in ("/a", "/b", "/c", "/d")}
    server.play("/a", whole["/a"])
    server.play("/b", Reply(status=404))
    server.play("/c", replace(whole["/c"], delivery=Cut(1)))
    server.play("/d", whole["/d"])
    urls = "\n".join(server.url(path) for path in whole).encode()
    options = ("-d", out, "--content-disposition", "--failed-out", failed, "-w1")
    first = run_cli("-", *options, "--max-retries=0", "--max-failures=2", stdin=urls)
    assert first.status == 5, first
    assert contents(out) == {"files.zip": b"/a"}
    for path, reply in whole.items():
        server.play(path, reply)
    second = run_cli(failed, *options)
    assert second.status == 0, second
    assert sorted(contents(out).values()) == [b"/a", b"/b", b"/c", b"/d"]


@pytest.mark.parametrize("is_right", [True, False])
def test_checksums_of_the_final_name(
    server: ScriptedServer, tmp_path: Path, *, is_right: bool
) -> None:
    """--checksums applies to the server's name, not to the URL's name."""
    server.play("/download", named("good.bin", b"good"))
    wanted = sums(tmp_path, good__bin=b"good" if is_right else b"bad", download=b"other")
    out = tmp_path / "out"
    result = run_cli(
        *("-", "-d", out, "--content-disposition", "--checksums", wanted),
        stdin=server.url("/download").encode(),
    )
    assert (result.status == 0) == is_right, result
    assert contents(out) == ({"good.bin": b"good"} if is_right else {})


def test_a_failed_checksum_is_listed(server: ScriptedServer, tmp_path: Path) -> None:
    """The failed list has the server's name, and the checksum of that name."""
    server.play("/download", named("good.bin", b"evil"))
    failed = tmp_path / "failed"
    result = run_cli(
        *("-", "-d", tmp_path / "out", "--content-disposition"),
        *("--checksums", sums(tmp_path, good__bin=b"good"), "--failed-out", failed),
        stdin=server.url("/download").encode(),
    )
    assert result.status == 4, result
    digest = hashlib.sha256(b"good").hexdigest()
    assert failed.read_text().splitlines()[1:] == [
        server.url("/download"),
        "  out=good.bin",
        f"  checksum=sha-256={digest}",
    ]


@pytest.mark.parametrize("option", ["-N", "-c", "-nc"])
@pytest.mark.parametrize("is_listed", [True, False], ids=["checksum=", "--checksums"])
def test_a_spoilt_file_is_no_success(
    server: ScriptedServer, tmp_path: Path, option: str, *, is_listed: bool
) -> None:
    """An existing file with a wrong checksum is downloaded again, or is a failure."""
    server.play("/a", lambda r: _unless_asked_for_changes(r.header("If-Modified-Since")))
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_bytes(PRECIOUS)
    text = server.url("/a")
    options: tuple[str | Path, ...] = ()
    if is_listed:
        text += f"\n  checksum=sha-256={hashlib.sha256(b'good').hexdigest()}"
    else:
        options = ("--checksums", sums(tmp_path, a=b"good"))
    result = run_cli("-", "-d", out, option, *options, stdin=text.encode())
    left = option == "-nc"
    assert result.status == (4 if left else 0), result
    assert contents(out) == {"a": PRECIOUS if left else b"good"}
    assert ("--no-clobber" in result.stderr) == left


def _unless_asked_for_changes(condition: str | None) -> Reply:
    return Reply(body=b"good") if condition is None else Reply(status=304)


@pytest.mark.parametrize("is_server_s", [True, False], ids=["server's name", "URL's name"])
def test_no_file_of_the_run_is_replaced(
    server: ScriptedServer, tmp_path: Path, *, is_server_s: bool
) -> None:
    """No download takes the name of a file or link that the run itself reads or writes."""
    own = ["list", "report", "failed", "log", "lock", "options", "headers", "sums", "link"]
    for name in own:
        body = f"not {name}".encode()
        server.play(f"/{name}", named(f"NEW-{name}", b"") if is_server_s else Reply(body=body))
        server.play(f"/x/{name}", named(name.upper(), body))
    prefix = "/x/" if is_server_s else "/"
    (tmp_path / "real list").write_text("".join(server.url(f"{prefix}{n}\n") for n in own))
    (tmp_path / "link").symlink_to("real list")
    (tmp_path / "list").write_text("mine")
    (tmp_path / "options").write_text(f"--header=@{tmp_path}/headers\n")
    (tmp_path / "headers").write_text("X-Mine: yes\n")
    (tmp_path / "sums").write_text("")
    written = (("report", "report"), ("failed-out", "failed"), ("log-file", "log"))
    result = run_cli(
        *(tmp_path / "link", "-d", tmp_path, f"@{tmp_path}/options", "--content-disposition"),
        *(f"--{option}={tmp_path / name}" for option, name in written),
        *(f"--lock={tmp_path / 'lock'}", f"--checksums={tmp_path / 'sums'}"),
    )
    assert result.status == 0, result
    files = contents(tmp_path)
    for name in set(own) - {"list"}:
        assert files[name] != f"not {name}".encode(), name
        assert f"not {name}".encode() in files.values()
    assert (tmp_path / "link").is_symlink()


def test_a_server_hides_no_file(server: ScriptedServer, tmp_path: Path) -> None:
    """A leading dot in a server's name becomes an underscore."""
    server.play("/a", named(".bashrc", b"evil"))
    run_cli("-", "-d", tmp_path, "--content-disposition", stdin=server.url("/a").encode())
    assert contents(tmp_path) == {"_bashrc": b"evil"}
