"""Disks that lack a feature, go away, or are shared with malicious users."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.cli import MAIN, CliResult, RunningCli, run_cli
from tests.support.hardship import small_disk, without_calls, without_rights
from tests.support.output_folder import HIDDEN, LEDGER_FILES, hidden_files, visible
from tests.support.ranges import content, urls
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from tests.support.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
QUICK = ("--max-retries", "2", "--retry-delay", "0.01")
MODIFIED = "Tue, 01 Oct 2024 10:00:00 GMT"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of the output directory, which does not exist yet."""
    return tmp_path / "downloads"


def tree_of(target: Path) -> dict[str, bytes]:
    """Return all files below the directory, but no ledger, by their relative paths."""
    ledger = {target / HIDDEN / name for name in LEDGER_FILES}
    found = (path for path in target.rglob("*") if path.is_file() and path not in ledger)
    return {str(path.relative_to(target)): path.read_bytes() for path in found}


def warnings_of(result: CliResult) -> list[str]:
    """Return the warnings about the file system."""
    return [line for line in result.stderr.splitlines() if "the file system" in line]


def play(server: ScriptedServer, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """Have the server serve files with an entity tag and a time; return their contents."""
    bodies = {name: content(size) for name, size in sizes.items()}
    for name, body in bodies.items():
        headers = {"ETag": '"one"', "Last-Modified": MODIFIED}
        server.play(f"/{name}", Reply(body=body, headers=headers))
    return bodies


# Features that a file system lacks.

LACKING = {
    "flock": ("has no locks", ("ENOSYS", "ENOLCK", "EOPNOTSUPP", "EINVAL", "EPERM"), ()),
    "utimensat": (
        "can't set file times",
        ("EPERM", "ENOSYS", "EOPNOTSUPP", "EACCES", "EIO"),
        (),
    ),
    "fstatfs": ("free space", ("ENOSYS", "EIO", "EACCES"), ()),
    "fsetxattr": ("extended attributes", ("EOPNOTSUPP", "EPERM", "ENOSYS"), ("-N",)),
    "fsync": ("can't sync", ("EINVAL", "ENOSYS", "EOPNOTSUPP"), ("--fsync",)),
}
WITHOUT_LEDGER = ("flock",)
"""Features that the ledger needs; a second warning says so."""
ROWS = [
    (call, error, word, options)
    for call, (word, errors, options) in LACKING.items()
    for error in errors
]


@pytest.mark.parametrize(("call", "error", "word", "options"), ROWS)
def test_what_a_file_system_lacks(
    server: ScriptedServer,
    target: Path,
    *,
    call: str,
    error: str,
    word: str,
    options: tuple[str, ...],
) -> None:
    """Files arrive without the feature, and one warning of the run names it."""
    bodies = play(server, {"small": 10, "other": 20, "large": 2 * MIB})
    program = without_calls(MAIN, f"{call}:error={error}")
    url_list = urls(server, bodies)
    result = run_cli("-", "-d", target, *options, *QUICK, program=program, stdin=url_list)
    assert result.status == 0, result
    assert tree_of(target) == bodies
    has_ledger = call not in WITHOUT_LEDGER
    assert hidden_files(target) == (LEDGER_FILES if has_ledger else set())
    assert ("no ledger can be kept there" in result.stderr) != has_ledger, result
    [warning] = warnings_of(result)
    assert word in warning


@pytest.mark.parametrize(
    ("injection", "cause", "options"),
    [
        ("renameat,renameat2:error=EIO", "local", ()),
        ("renameat,renameat2:error=EACCES", "local", ()),
        ("renameat,renameat2:error=ENOSPC", "disk-full", ()),
        ("fsync:error=EIO", "local", ("--fsync",)),
        ("fsync:error=ENOSPC", "disk-full", ("--fsync",)),
        ("fsync:error=EDQUOT", "disk-full", ("--fsync",)),
        ("utimensat:error=EDQUOT", "disk-full", ()),
    ],
)
def test_what_fails_a_file(
    server: ScriptedServer,
    target: Path,
    *,
    injection: str,
    cause: str,
    options: tuple[str, ...],
) -> None:
    """A file that the disk refuses is not published; one plain message tells the failure."""
    bodies = play(server, {"small": 10, "large": 2 * MIB})
    target.mkdir()
    program = without_calls(MAIN, injection)
    url_list = urls(server, ["large"])
    result = run_cli("-", "-d", target, *options, *QUICK, program=program, stdin=url_list)
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert result.causes == {cause: 1}
    assert server.count("/large") == 1
    assert [name for name in tree_of(target) if HIDDEN not in name] == []
    again = run_cli("-", "-d", target, *QUICK, stdin=urls(server, bodies))
    assert again.status == 0, again
    assert tree_of(target) == bodies


@pytest.fixture
def other_disk(target: Path) -> Iterator[Path]:
    """Yield a folder of the output directory that is a file system of 4 MiB."""
    target.mkdir()
    with small_disk(target / "other", "size=4m") as mounted:
        yield mounted.path


def test_folder_on_another_disk(server: ScriptedServer, target: Path, other_disk: Path) -> None:
    """Files arrive there whole, with their times and nothing beside them; one warning."""
    bodies = play(server, {"a": 10, "b": 2 * MIB, "c": 20})
    (other_disk / "a").write_bytes(b"older")
    lines = [f"{server.url(f'/{name}')}\n  out=other/{name}\n" for name in bodies]
    url_list = "".join(lines).encode() + urls(server, ["a"])
    result = run_cli("-", "-d", target, "--fsync", *QUICK, stdin=url_list)
    assert result.status == 0, result
    assert tree_of(other_disk) == bodies
    assert {path.stat().st_mtime for path in other_disk.iterdir()} == {1727776800.0}
    assert [path.name for path in visible(target)] == ["a", "other"]
    [warning] = warnings_of(result)
    assert "another file system" in warning


def test_other_disk_is_full(server: ScriptedServer, target: Path, other_disk: Path) -> None:
    """A copy without room is not published, and the existing file stays."""
    play(server, {"large": 5 * MIB})
    (other_disk / "large").write_bytes(b"older")
    url_list = urls(server, ["large"]) + b"  out=other/large\n"
    result = run_cli("-", "-d", target, *QUICK, stdin=url_list)
    assert (result.status, result.causes) == (3, {"disk-full": 1}), result
    assert tree_of(other_disk) == {"large": b"older"}


# A directory that goes away.


def play_held(server: ScriptedServer, name: str, body: bytes) -> Callable[[], None]:
    """Have the server stop in mid-body; return a function that lets it go on."""
    event = threading.Event()
    server.play(f"/{name}", Reply(body=body, delivery=Hold(event, after=MIB)))
    return event.set


def move(target: Path) -> None:
    """Move the directory away."""
    target.rename(target.with_name("moved"))


def replace(target: Path) -> None:
    """Put another directory in its place."""
    move(target)
    target.mkdir()


def link(target: Path) -> None:
    """Put a link to another directory in its place."""
    move(target)
    elsewhere = target.with_name("elsewhere")
    elsewhere.mkdir()
    target.symlink_to(elsewhere)


def unmount(target: Path) -> None:
    """Unmount its disk, which is in use."""
    subprocess.run(["umount", "--lazy", str(target)], check=True)


@pytest.fixture
def mounted(target: Path) -> Iterator[Path]:
    """Yield an output directory that is a file system."""
    with small_disk(target, "size=16m"):
        yield target
        # A mount in place of the one that the test removed, for the end of the block.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(target)], check=True)


@pytest.mark.parametrize("take_away", [move, replace, link, shutil.rmtree, unmount])
def test_directory_that_goes_away(
    server: ScriptedServer,
    target: Path,
    request: pytest.FixtureRequest,
    *,
    take_away: Callable[[Path], None],
) -> None:
    """The run ends with 3 and its reason; nothing is created in its place.

    The list of failed URLs has all that is missing.
    """
    if take_away is unmount:
        request.getfixturevalue("mounted")
    failed = target.with_name("failed")
    bodies = play(server, {"first": 10, "slow": 2 * MIB, "next": 10, "last": 10})
    go_on = play_held(server, "slow", bodies["slow"])
    arguments = ("-d", target, "-w1", "--failed-out", failed, *QUICK)
    with RunningCli("-", *arguments) as run:
        run.send(urls(server, bodies))
        wait_until((target / "first").exists, what="the first file")
        server.wait_for_requests(2)
        take_away(target)
        go_on()
        result = run.wait()
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert "stopped early: the output directory is gone" in result.stderr
    assert result.totals is not None
    numbers = (result.totals.downloaded, result.totals.failed, result.totals.unfinished)
    assert numbers == (1, 0, 3), result
    assert server.count("/next") == 0
    assert not target.exists() or tree_of(target) == {}
    left = [line for line in failed.read_text().splitlines() if not line.startswith("#")]
    assert left == urls(server, ["slow", "next", "last"]).decode().splitlines()


# Directories that other users may write to.


def hidden_link(place: Path) -> None:
    """Put a link to a folder there."""
    elsewhere = place.parent.parent / "elsewhere"
    elsewhere.mkdir()
    place.symlink_to(elsewhere)


def hidden_nowhere(place: Path) -> None:
    """Put a broken link there."""
    place.symlink_to("nowhere")


def hidden_foreign(place: Path) -> None:
    """Put a folder of another user there, to which all users may write."""
    place.mkdir()
    place.chmod(0o777)
    os.chown(place, 12345, 12345)


def hidden_closed(place: Path) -> None:
    """Put a folder of another user there, to which only that user may write."""
    place.mkdir()
    os.chown(place, 12345, 12345)


@pytest.mark.parametrize(
    ("plant", "word"),
    [
        (hidden_link, "is a link"),
        (hidden_nowhere, "is a link"),
        (Path.touch, "is a link or a file"),
        (os.mkfifo, "is a link or a file"),
        (hidden_foreign, "another user (user ID 12345)"),
        (hidden_closed, "another user (user ID 12345)"),
    ],
)
def test_planted_hidden_folder(
    server: ScriptedServer, target: Path, *, plant: Callable[[Path], None], word: str
) -> None:
    """It is refused before the first request; the message has problem, place and remedy."""
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    play(server, {"file": 10})
    target.mkdir()
    plant(target / HIDDEN)
    program = without_rights(MAIN)
    result = run_cli("-", "-d", target, program=program, stdin=urls(server, ["file"]))
    assert result.status == 3, result
    [line] = result.stderr.splitlines()
    assert all(text in line for text in (str(target / HIDDEN), word, "--dir")), line
    assert server.count() == 0
    assert [path.name for path in target.iterdir()] == [HIDDEN]
    assert list(target.parent.glob("elsewhere/*")) == []


def test_hidden_link_to_a_ledger(server: ScriptedServer, target: Path) -> None:
    """A link to the hidden folder of another directory is refused; nothing is made there."""
    play(server, {"file": 10})
    other = target.with_name("other")
    assert run_cli("-", "-d", other, stdin=urls(server, ["file"])).status == 0
    (other / HIDDEN / "ledger.lock").unlink()
    target.mkdir()
    (target / HIDDEN).symlink_to(other / HIDDEN)
    result = run_cli("-", "-d", target, stdin=urls(server, ["file"]))
    assert result.status == 3, result
    assert f"{target / HIDDEN}: is a link or a file" in result.stderr
    assert hidden_files(other) == {"ledger.db"}
    assert server.count() == 1


def test_folder_is_swapped_for_a_link(server: ScriptedServer, target: Path) -> None:
    """A link that replaces a folder in mid-run, and leads out, gets no file written."""
    outside = target.with_name("outside")
    outside.mkdir()
    bodies = play(server, {"first": 10, "second": 20, "third": 30})
    lines = [f"{server.url(f'/{name}')}\n  out=folder/{name}\n" for name in bodies]
    with RunningCli("-", "-d", target, "-w1", *QUICK) as run:
        run.send(lines[0].encode())
        run.send(b"# the line above has ended\n")
        wait_until((target / "folder/first").exists, what="the first file")
        (target / "folder").rename(target / "moved")
        (target / "folder").symlink_to(outside)
        run.send("".join(lines[1:]).encode())
        result = run.wait()
    assert (result.status, result.causes) == (3, {"local": 2}), result
    assert "leads out of the output directory" in result.stderr
    assert list(outside.iterdir()) == []
    assert tree_of(target) == {"moved/first": bodies["first"]}


# Locales.


@pytest.fixture(scope="module")
def locale_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the locale en_US.ISO-8859-1."""
    path = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1"]
    done = subprocess.run([*command, str(path / "en_US.ISO-8859-1")], check=False)
    if done.returncode > 1:
        pytest.skip("locales can't be made here")
    return path


@pytest.mark.parametrize("name", ["文件.txt", "é.txt", "папка/файл", "plain"])
@pytest.mark.parametrize("folder", [b"plain", b"caf\xe9", "文件".encode()])
def test_latin_1(
    server: ScriptedServer, tmp_path: Path, locale_path: Path, *, name: str, folder: bytes
) -> None:
    """Names are written as UTF-8 in any locale; the directory has the bytes that were given."""
    server.play("/file", Reply(body=b"body"))
    environment = {"LOCPATH": str(locale_path), "LC_ALL": "en_US.ISO-8859-1"}
    target = os.path.join(os.fsencode(tmp_path), folder)  # noqa: PTH118
    url_list = f"{server.url('/file')}\n  out={name}\n".encode()
    command = [arg.encode() for arg in MAIN] + [b"-", b"-d", target, b"-q"]
    for _ in range(2):
        done = subprocess.run(
            command,
            input=url_list,
            env=os.environ | environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(target)) == sorted(  # noqa: PTH208
        [HIDDEN.encode(), name.partition("/")[0].encode()]
    )
    with open(os.path.join(target, name.encode()), "rb") as file:  # noqa: PTH118, PTH123
        assert file.read() == b"body"
