"""The live display, the log and the summary, as the user sees them at a terminal."""

from __future__ import annotations

import re
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.support.cli import MAIN, run_cli
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from tests.support.terminal import Terminal
from tests.support.without import without

MIB = 1 << 20
COLOR = re.compile(rb"\x1b\[(\d+;)*[349][0-9]")
HIDDEN_CURSOR = b"\x1b[?25l"
ERASURE = b"\x1b[2K"


class HeldSite:
    """A server that sends half of each file, and the rest after an event.

    Args:
        server: Server of the files.
        folder: Folder for list and downloads.
        count: Number of files.
    """

    def __init__(self, server: ScriptedServer, folder: Path, count: int) -> None:
        self.release = threading.Event()
        self.names = [f"file{n}.bin" for n in range(count)]
        for name in self.names:
            reply = Reply(body=b"x" * 2 * MIB, delivery=Hold(self.release, MIB))
            server.play(f"/{name}", reply)
        self.list = folder / "urls.txt"
        self.list.write_text("".join(f"{server.url(f'/{n}')}\n" for n in self.names))
        self.target = folder / "out"

    @property
    def arguments(self) -> tuple[str | Path, ...]:
        """Return the arguments that download all files."""
        return self.list, "-d", self.target, "--retry-delay=0", f"-w{len(self.names) + 1}"


def is_held(rows: list[str], count: int) -> bool:
    """Tell whether so many downloads are shown at their half."""
    amounts = (" 1.0 MiB of 2.0 MiB ", " 50% ")
    return sum(any(each in row for each in amounts) for row in rows) == count


def bars(rows: list[str]) -> list[int]:
    """Return the positions of the rows that are an overall bar."""
    return [n for n, row in enumerate(rows) if row and not row.strip("━╸╺")]


def unfolded(text: str) -> str:
    """Return the text without blanks, which are lost at the edge of a narrow window."""
    return "".join(text.split())


def assert_no_residue(rows: list[str]) -> None:
    """Check that no row of the display is on the screen."""
    assert not bars(rows), rows
    assert not [row for row in rows if re.search(r" done, |KiB/s  |more downloads", row)], rows


@pytest.mark.parametrize("columns", [80, 40])
def test_the_display(server: ScriptedServer, tmp_path: Path, columns: int) -> None:
    """The display has the log, the downloads and the run; at the end a table replaces it."""
    site = HeldSite(server, tmp_path, 3)
    with site.list.open("a") as lines:
        lines.write(server.url("/missing\n"))
    with Terminal(*site.arguments, size=(columns, 24)) as terminal:
        rows = terminal.wait_for(
            lambda rows: (
                is_held(rows, 3) and any("1 failed" in row for row in rows) and "/s" in rows[-1]
            ),
            what="the display",
        )
        (bar,) = bars(rows)
        assert "ERROR worker-" in rows[0]
        shown = {row.split()[0] for row in rows[bar - 3 : bar]}
        assert shown == set(site.names)
        assert "0 done, 1 failed, 0 retrying of 4" in rows[bar + 1]
        assert "3.0 MiB, " in " ".join(rows[bar + 1 :])
        assert len(rows) == bar + (2 if columns == 80 else 3)
        site.release.set()
        assert terminal.wait() == 1
        assert_no_residue(terminal.rows)
        text = terminal.text
    assert HIDDEN_CURSOR not in terminal.written
    assert re.search(r"^downloaded +3 of 4$", text, re.MULTILINE), text
    assert re.search(r"^failed +1$", text, re.MULTILINE), text
    assert re.search(r"http-404 +1 x, for example", text), text
    command = f"main.py {site.list} -d {site.target} --retry-delay=0 -w4 -c"
    assert unfolded(command) in unfolded(text), text


def test_another_size(server: ScriptedServer, tmp_path: Path) -> None:
    """The display follows the size of the window, and erases the rows of the old size."""
    site = HeldSite(server, tmp_path, 3)
    with Terminal(*site.arguments) as terminal:
        for columns, lines in ((80, 24), (40, 24), (80, 30), (50, 12)):
            terminal.resize(columns, lines)
            rows = terminal.wait_for(
                partial(is_as_wide, columns=columns),
                what=f"{columns} columns",
            )
            assert len(bars(rows)) == 1, rows
            assert sum(" done, " in row for row in rows) == 1, rows
        site.release.set()
        assert terminal.wait() == 0
        assert_no_residue(terminal.rows)


def is_as_wide(rows: list[str], *, columns: int) -> bool:
    """Tell whether the whole display is shown, in so many columns."""
    is_whole = is_held(rows, 3) and rows[-1].endswith("/s")
    return is_whole and any(len(rows[n]) == columns for n in bars(rows))


def test_many_workers(server: ScriptedServer, tmp_path: Path) -> None:
    """Of 64 downloads, as many are shown as fit below the log, and the others are counted."""
    site = HeldSite(server, tmp_path, 64)
    with Terminal(*site.arguments) as terminal:
        rows = terminal.wait_for(
            lambda rows: is_held(rows, 12) and "and 52 more downloads" in rows, what="the rest"
        )
        assert len(rows) <= 16
        site.release.set()
        assert terminal.wait() == 0
        assert_no_residue(terminal.rows)


@pytest.mark.parametrize(
    ("env", "has_color"), [({"NO_COLOR": "1"}, False), ({}, True)], ids=["NO_COLOR", "color"]
)
def test_color(
    server: ScriptedServer, tmp_path: Path, env: dict[str, str], *, has_color: bool
) -> None:
    """The display has colors, unless NO_COLOR is set."""
    site = HeldSite(server, tmp_path, 1)
    with Terminal(*site.arguments, env=env) as terminal:
        terminal.wait_for(lambda rows: is_held(rows, 1), what="the display")
        site.release.set()
        assert terminal.wait() == 0
        assert (COLOR.search(terminal.written) is not None) is has_color


@pytest.mark.parametrize(
    ("option", "env", "program"),
    [
        ("--progress=auto", {"TERM": "dumb"}, MAIN),
        ("--progress=never", {}, MAIN),
        ("--progress=auto", {}, without("rich")),
        ("--print=paths", {}, MAIN),
    ],
    ids=["dumb", "never", "not installed", "stdout is the terminal, too"],
)
def test_plain_lines(
    server: ScriptedServer,
    tmp_path: Path,
    *,
    option: str,
    env: dict[str, str],
    program: tuple[str, ...],
) -> None:
    """Without a display, the log has status lines, and no escape sequence is written."""
    site = HeldSite(server, tmp_path, 1)
    with Terminal(*site.arguments, option, program=program, env=env) as terminal:
        terminal.wait_for(lambda rows: any("INFO monitor: " in row for row in rows), what="log")
        site.release.set()
        assert terminal.wait() == 0
        assert "1 downloaded, 0 failed of 1" in terminal.text
    assert b"\x1b" not in terminal.written


def test_names_are_not_markup(server: ScriptedServer, tmp_path: Path) -> None:
    """A name that looks like markup is shown unchanged; a long name shows its end."""
    site = HeldSite(server, tmp_path, 2)
    first, second = site.list.read_text().splitlines()
    name = "[red]x[/red]"
    site.list.write_text(f"{first}\n out={name}\n{second}\n out={'y' * 99}{name}\n")
    with Terminal(*site.arguments) as terminal:
        rows = terminal.wait_for(lambda rows: is_held(rows, 2), what="the display")
        site.release.set()
        assert terminal.wait() == 0
    shown = sorted(row.split()[0] for row in rows[:2])
    assert shown[1] == name
    assert re.fullmatch(r"\.\.y+\[red\]x\[/red\]", shown[0])


def test_interrupt(server: ScriptedServer, tmp_path: Path) -> None:
    """Ctrl-C erases the display; the summary has the number of unfinished jobs."""
    site = HeldSite(server, tmp_path, 2)
    with Terminal(*site.arguments, "-w1") as terminal:
        terminal.wait_for(lambda rows: is_held(rows, 1), what="the display")
        terminal.type(b"\x03")
        assert terminal.wait() == 130
        assert_no_residue(terminal.rows)
        assert re.search(r"^unfinished +1$", terminal.text, re.MULTILINE), terminal.text
        assert unfolded(f"main.py {site.list} ") in unfolded(terminal.text)


def test_hang_up(server: ScriptedServer, tmp_path: Path) -> None:
    """Under nohup, a terminal that hangs up does not end the run."""
    site = HeldSite(server, tmp_path, 1)
    program = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *MAIN)
    with Terminal(*site.arguments, program=program) as terminal:
        terminal.wait_for(lambda rows: is_held(rows, 1), what="the display")
        terminal.hang_up()
        site.release.set()
        assert terminal.wait() == 0
    assert (site.target / "file0.bin").stat().st_size == 2 * MIB


def test_in_the_background(server: ScriptedServer, tmp_path: Path) -> None:
    """A run in the background logs, and paints no display."""
    site = HeldSite(server, tmp_path, 1)
    site.release.set()
    program = ("sh", "-c", 'set -m; "$@" & wait $!', "sh", *MAIN)
    with Terminal(*site.arguments, program=program) as terminal:
        assert terminal.wait() == 0
    assert b"downloaded" in terminal.written
    assert ERASURE not in terminal.written
    assert " done, " not in terminal.text


def test_quiet(server: ScriptedServer, tmp_path: Path) -> None:
    """With -q, a run without failures writes nothing to the terminal."""
    site = HeldSite(server, tmp_path, 1)
    site.release.set()
    with Terminal(*site.arguments, "-q") as terminal:
        assert terminal.wait() == 0
    assert terminal.written == b""


def test_always(server: ScriptedServer, tmp_path: Path) -> None:
    """With --progress always, the display is painted even if stderr is no terminal."""
    site = HeldSite(server, tmp_path, 1)
    site.release.set()
    result = run_cli(*site.arguments, "--progress=always")
    assert result.status == 0, result
    assert ERASURE.decode() in result.stderr, result
    assert "━" in result.stderr, result


@pytest.mark.parametrize(
    "packages", [["requests"], ["validators"], ["requests", "validators"]], ids=" ".join
)
def test_missing_requirements(packages: list[str]) -> None:
    """Without packages that every run needs, the program says what to install; status 3."""
    result = run_cli("-", program=without(*packages))
    assert (result.status, result.stdout) == (3, ""), result
    needed = " ".join(packages)
    assert result.stderr == f"url-downloader: needs other packages: pip install {needed}\n"


@pytest.mark.parametrize(
    ("option", "package"),
    [("--progress=always", "rich"), ("--metrics-file=x.prom", "prometheus-client")],
)
def test_a_missing_package(option: str, package: str) -> None:
    """An option that needs a missing package is a usage error, which says what to install."""
    result = run_cli("-", option, program=without(package.replace("-", "_")))
    assert result.status == 2, result
    assert f"pip install {package}\n" in result.stderr, result
