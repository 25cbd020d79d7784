"""Runs one after another in one directory: a URL keeps its name, its file and its history."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cli import CliResult, RunningCli, run_cli
from tests.support.output_folder import assert_holds, files_of
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from tests.support.without import without
from url_downloader import download
from url_downloader.naming.filenames import with_suffix

AMZ = "X-Amz-Algorithm=A&X-Amz-Date={0}&X-Amz-Signature={0}"
AZURE = "sv=2020&st=1&se={0}&sr=b&sp=r&sig={0}"


class Directory:
    """Output directory that several runs use, one after the other.

    Args:
        server: Server of all files; the body of each is its path.
        path: Path of the directory.
    """

    def __init__(self, server: ScriptedServer, path: Path) -> None:
        self.path = path
        self.server = server

    def serve(self, *targets: str, name: str | None = None) -> None:
        """Let the server have these files, with a name in Content-Disposition."""
        headers = {} if name is None else {"Content-Disposition": f"filename={name}"}
        for target in targets:
            self.server.play(target, Reply(body=target.encode(), headers=headers))

    def run(self, lines: Sequence[str], *options: str | Path) -> CliResult:
        """Run a list of targets and option lines, which must end well."""
        text = "".join(
            f"{self.server.url(line) if line.startswith('/') else line}\n" for line in lines
        )
        result = run_cli("-", "-d", self.path, "-q", *options, stdin=text.encode())
        assert not result.has_traceback, result
        return result

    def suffixed(self, target: str, name: str) -> str:
        """Return the name with the suffix of a target's URL."""
        return with_suffix(name, self.server.url(target))

    def asked(self) -> list[str]:
        """Return the targets that were asked for since the last call."""
        before, self._asked = getattr(self, "_asked", 0), len(self.server.requests())
        return [request.target for request in self.server.requests()[before:]]


@pytest.fixture
def directory(server: ScriptedServer, tmp_path: Path) -> Directory:
    """Return a directory that does not exist yet."""
    return Directory(server, tmp_path / "out")


def test_two_lists_with_the_same_basenames(directory: Directory) -> None:
    """The second list replaces no file of the first, and both lists can be run again."""
    directory.serve("/1/x", "/2/x", "/3/x")
    for lines in (["/1/x", "/2/x"], ["/3/x", "/2/x"], ["/2/x", "/1/x"], ["/3/x"]):
        assert directory.run(lines).status == 0
    wanted = {
        "x": b"/1/x",
        directory.suffixed("/2/x", "x"): b"/2/x",
        directory.suffixed("/3/x", "x"): b"/3/x",
    }
    assert_holds(directory.path, wanted)


def test_the_failed_list_alone(directory: Directory, tmp_path: Path) -> None:
    """What failed gets the names that it would have had, also if the list is run by hand."""
    directory.serve("/1/x", "/3/x")
    failed = tmp_path / "failed"
    assert directory.run(["/1/x", "/2/x", "/3/x"], "--failed-out", failed).status == 1
    directory.serve("/2/x")
    plain = [line for line in failed.read_text().splitlines() if line.startswith("http")]
    assert directory.run(plain).status == 0
    wanted = {"x": b"/1/x"} | {
        directory.suffixed(target, "x"): target.encode() for target in ("/2/x", "/3/x")
    }
    assert_holds(directory.path, wanted)


@pytest.mark.parametrize("second", [["/a", "/b"], ["/b", "/a"], ["/b"], ["/c", "/b", "/a"]])
def test_names_of_servers(directory: Directory, second: list[str]) -> None:
    """A name that a server gave stays with its URL, in any order of the second list."""
    directory.serve("/a", "/b", "/c", name="report.pdf")
    assert directory.run(["/a", "/b"], "--content-disposition", "-w1").status == 0
    before = files_of(directory.path)
    assert directory.run(second, "--content-disposition", "-w1").status == 0
    after = files_of(directory.path)
    assert before == {name: after[name] for name in before}
    assert sorted(after.values()) == sorted({b"/a", b"/b", *map(str.encode, second)})


def test_a_server_names_what_failed_before(directory: Directory) -> None:
    """A URL that failed under the name of its URL gets the server's name later."""
    assert directory.run(["/download.php?id=1"], "--content-disposition").status == 4
    directory.serve("/download.php?id=1", name="report.pdf")
    assert directory.run(["/download.php?id=1"], "--content-disposition").status == 0
    assert_holds(directory.path, {"report.pdf": b"/download.php?id=1"})


@pytest.mark.parametrize("signature", [AMZ, AZURE])
def test_signed_links_of_each_night(directory: Directory, signature: str) -> None:
    """A link that is signed anew is the same file: no second copy, and -c does not ask."""
    for night in range(3):
        target = f"/x.bin?v=1&{signature.format(night)}"
        directory.serve(target)
        option = ["-c"] if night == 2 else []
        assert directory.run([target], *option).status == 0
        assert [path.name for path in directory.path.glob("x*")] == ["x.bin"]
    assert len(directory.asked()) == 2


def test_ignored_fields(directory: Directory) -> None:
    """With --key-ignore, a link with another token is the same file; without, it is another."""
    for token in "123":
        directory.serve(f"/x?token={token}")
    assert directory.run(["/x?token=1"]).status == 0
    assert directory.run(["/x?token=2"], "--key-ignore", "token").status == 0
    assert len(files_of(directory.path)) == 2
    assert directory.run(["/x?token=3"], "--key-ignore", "token").status == 0
    assert len(files_of(directory.path)) == 2


@pytest.mark.parametrize("option", [[], ["-c"], ["-N"]])
def test_the_latest_of_each_week(directory: Directory, option: list[str]) -> None:
    """`out=` hands a name on to another URL, even if the lengths are equal."""
    directory.serve("/week1", "/week2", "/week3")
    for week in ("/week1", "/week2", "/week3", "/week3"):
        assert directory.run([week, " out=latest.zip"], *option).status == 0
        assert_holds(directory.path, {"latest.zip": week.encode()})


def test_continue_by_history(directory: Directory) -> None:
    """-c takes no file for that of another URL, and asks again only for what is not done."""
    for number in range(1, 5):
        directory.serve(f"/download.php?id={number}")
    first = [f"/download.php?id={number}" for number in (1, 2, 9)]
    assert directory.run(first, "-c").status == 1
    directory.asked()
    directory.serve("/download.php?id=9")
    both = [f"/download.php?id={number}" for number in (3, 9, 2, 1)]
    assert directory.run(both, "-c").status == 0
    assert sorted(directory.asked()) == [both[0], both[1]]
    assert sorted(files_of(directory.path).values()) == sorted(map(str.encode, both))
    assert directory.run(both, "-c").status == 0
    assert directory.asked() == []


def test_a_changed_file_is_asked_for(directory: Directory) -> None:
    """-c fetches a file that is missing or shorter than it was, and keeps one of the length."""
    targets = ["/gone", "/short", "/touched"]
    directory.serve(*targets)
    assert directory.run(targets).status == 0
    (directory.path / "gone").unlink()
    (directory.path / "short").write_bytes(b"/s")
    (directory.path / "touched").write_bytes(b"TOUCHED!")
    directory.asked()
    assert directory.run(targets, "-c").status == 0
    assert sorted(directory.asked()) == targets
    wanted = {target[1:]: target.encode() for target in targets[:2]} | {"touched": b"TOUCHED!"}
    assert_holds(directory.path, wanted)
    assert directory.run(targets, "-c").status == 0
    assert directory.asked() == []


def test_retry_failed(directory: Directory) -> None:
    """--retry-failed asks for what failed or is new, also if finished files have gone."""
    directory.serve("/a", "/b")
    assert directory.run(["/a", "/b", "/c"]).status == 1
    (directory.path / "a").unlink()
    directory.serve("/c", "/d")
    directory.asked()
    assert directory.run(["/a", "/b", "/c", "/d"], "--retry-failed").status == 0
    assert sorted(directory.asked()) == ["/c", "/d"]
    assert_holds(directory.path, {name: f"/{name}".encode() for name in "bcd"})


def test_timestamping_by_recorded_validators(
    directory: Directory, server: ScriptedServer
) -> None:
    """-N asks with the recorded tag, also in a run that the tag was not stored for."""
    server.play("/a", Reply(body=b"old", headers={"ETag": '"1"'}))
    assert directory.run(["/a"]).status == 0
    assert directory.run(["/a"], "-N").status == 0
    request = server.requests()[-1]
    assert request.header("If-None-Match") == '"1"'
    assert request.header("If-Modified-Since") is None


def test_without_a_ledger(directory: Directory) -> None:
    """--no-ledger leaves no hidden folder, and forgets what it did."""
    directory.serve("/1/x", "/2/x")
    for target in ("/1/x", "/2/x"):
        assert directory.run([target], "--no-ledger").status == 0
        assert [path.name for path in directory.path.iterdir()] == ["x"]
    assert files_of(directory.path) == {"x": b"/2/x"}


def test_a_ledger_elsewhere(directory: Directory, tmp_path: Path) -> None:
    """--ledger keeps the ledger in a file of the user's choice; the folder goes as before."""
    directory.serve("/1/x", "/2/x")
    for target in ("/1/x", "/2/x"):
        assert directory.run([target], "--ledger", tmp_path / "my.ledger").status == 0
    assert sorted(path.name for path in directory.path.iterdir()) == sorted(
        ["x", directory.suffixed("/2/x", "x")]
    )
    assert (tmp_path / "my.ledger").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_was_moved(directory: Directory, tmp_path: Path) -> None:
    """The ledger moves with its directory, because its paths are relative."""
    directory.serve("/1/x", "/2/x")
    assert directory.run(["/1/x", "/2/x"]).status == 0
    directory.asked()
    directory.path = directory.path.rename(tmp_path / "elsewhere")
    assert directory.run(["/2/x", "/1/x"], "-c").status == 0
    assert directory.asked() == []


def test_the_library_with_what_failed(server: ScriptedServer, tmp_path: Path) -> None:
    """What failed in one call of `download` keeps its name in the next."""
    server.play("/1/x", Reply(body=b"1"))
    urls = [server.url("/1/x"), server.url("/2/x")]
    first = download(urls, directory=tmp_path)
    server.play("/2/x", Reply(body=b"2"))
    second = download([record.job.url for record in first.failures], directory=tmp_path)
    assert (first.is_success, second.is_success) == (False, True)
    assert_holds(tmp_path, {"x": b"1", with_suffix("x", urls[1]): b"2"})


def test_the_summary_says_why(directory: Directory) -> None:
    """The summary counts the names with a suffix, by reason."""
    directory.serve("/1/x", "/2/x", "/3/x", "/1/y", "/2/y")
    directory.run(["/1/x"])
    text = "\n".join(map(directory.server.url, ["/2/x", "/3/x", "/1/y", "/2/y"]))
    result = run_cli("-", "-d", directory.path, stdin=text.encode())
    lines = [line for line in result.stderr.splitlines() if "suffix" in line]
    assert lines == [
        "2 names with a suffix: another URL's file of an earlier run has the plain name",
        "1 name with a suffix: another URL of the list has the plain name",
    ]


def test_two_runs_with_the_same_basenames_at_once(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """Two runs that begin in one new directory at the same moment lose no file of the other."""
    out, lists = tmp_path / "out", [tmp_path / "1", tmp_path / "2"]
    every = [f"/{number}/x" for number in range(20)]
    all_asked = threading.Event()
    for target in every:
        hold = Hold(all_asked, after=1)
        server.play(target, Reply(body=target.encode(), delivery=hold))
    for number, path in enumerate(lists):
        path.write_text("".join(f"{server.url(target)}\n" for target in every[number::2]))
    options = ("-d", out, "-q", "-w10")
    with RunningCli(lists[0], *options) as one, RunningCli(lists[1], *options) as other:
        server.wait_for_requests(len(every))
        all_asked.set()
        results = [one.wait(), other.wait()]
    assert [result.status for result in results] == [0, 0], results
    files = files_of(out)
    assert sorted(files.values()) == sorted(map(str.encode, every))
    # Both have recorded their files: each URL keeps its own.
    for path in lists:
        assert run_cli(path, "-d", out, "-q", "-c").status == 0
    assert files_of(out) == files
    assert len(server.requests()) == len(every)


def test_a_python_without_sqlite(server: ScriptedServer, tmp_path: Path) -> None:
    """Without SQLite one warning says that nothing is remembered, and the run goes on."""
    server.play("/a", Reply(body=b"a"))
    program = without("sqlite3", "_sqlite3")
    url = server.url("/a").encode()
    result = run_cli("-", "-d", tmp_path / "out", program=program, stdin=url)
    assert result.status == 0, result
    assert result.stderr.count("no ledger is kept") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"no ledger\n" * 100])
def test_a_file_that_is_no_ledger(
    server: ScriptedServer, tmp_path: Path, content: bytes
) -> None:
    """Before the first request, such a file is refused by name and left as it is."""
    path = tmp_path / "my.ledger"
    path.write_bytes(content)
    url = server.url("/a").encode()
    result = run_cli("-", "-d", tmp_path / "out", "--ledger", path, stdin=url)
    assert result.status == 3, result
    assert str(path) in result.stderr
    assert "--no-ledger" in result.stderr
    assert (path.read_bytes(), server.requests()) == (content, [])
