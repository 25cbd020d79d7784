"""The picture of the live display: `python -m tests.support.display_picture` makes it anew.

The program runs at a terminal. Its proxy is a server on the loopback address that answers for
all hosts, at a fixed pace, so that two pictures differ in times and in little else.
"""

from __future__ import annotations

import io
import itertools
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.support.cli import ROOT
from tests.support.replies import Wire
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.terminal import Terminal

PICTURE = ROOT / "docs" / "display.svg"
COMMAND = "url-downloader urls.txt -w 5"
COLUMNS, ROWS = 96, 24
MIB = 1 << 20
_PIECES = 20
"""Pieces per second in which the server sends."""


@dataclass(frozen=True, slots=True)
class Paced:
    """The body at so many bytes per second."""

    rate: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head)
        step = self.rate // _PIECES
        for start in range(0, len(body), step):
            if not wire.pause(1 / _PIECES):
                return False
            wire.send(body[start : start + step])
        return True


SITE: Mapping[str, tuple[Reply, ...]] = {
    "/index.json": (Reply(body=bytes(48_213)),),
    "/maps/legend.pdf": (Reply(body=bytes(611_840)),),
    "/maps/north.tif": (Reply(body=bytes(48 * MIB), delivery=Paced(14 * MIB)),),
    "/maps/south.tif": (Reply(body=bytes(64 * MIB), delivery=Paced(11 * MIB)),),
    "/old.csv": (Reply(status=404),),
    "/survey-2024.csv.gz": (Reply(body=bytes(40 * MIB), delivery=Paced(6 * MIB)),),
    "/survey-2025.csv.gz": (Reply(status=503, headers={"Retry-After": "30"}),),
    "/photos.tar": (Reply(body=bytes(120 * MIB), delivery=Paced(23 * MIB)),),
    "/notes.txt": (Reply(body=bytes(9_402)),),
    "/readings.parquet": (Reply(body=bytes(24 * MIB), delivery=Paced(2 * MIB)),),
    "/later-1.tar": (Reply(body=bytes(MIB)),),
    "/later-2.tar": (Reply(body=bytes(MIB)),),
}
"""Replies of the server, in the order of the list."""
ENOUGH = re.compile(r"photos\.tar +6\d\.\d MiB of")
"""A row of the display that is worth a picture."""


def screen_of_a_run(folder: Path) -> pyte.Screen:
    """Return the terminal as it is in the middle of a run.

    Args:
        folder: an empty one, for the list and the files.
    """
    with ScriptedServer() as server:
        urls = [f"http://example.org{path}" for path in SITE]
        for url, path in zip(urls, SITE, strict=True):
            server.play(url, *SITE[path])
        (folder / "urls.txt").write_text("".join(f"{url}\n" for url in urls))
        program = ("env", "-C", str(folder), sys.executable, "-m", "url_downloader")
        environment = {"PYTHONPATH": str(ROOT), "http_proxy": server.url()}
        with Terminal(
            *COMMAND.split()[1:], program=program, size=(COLUMNS, ROWS), env=environment
        ) as terminal:
            terminal.wait_for(
                lambda rows: any(map(ENOUGH.match, rows)),
                what="a download that has come far",
            )
            screen = pyte.Screen(COLUMNS, ROWS)
            pyte.ByteStream(screen).feed(terminal.written)
            return screen


def text_of(screen: pyte.Screen) -> Text:
    """Return what is on the screen, below the command that was typed."""
    text = Text(f"$ {COMMAND}\n")
    used = max(row for row in range(ROWS) if screen.display[row].strip())
    for row in range(used + 1):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        for color, group in itertools.groupby(cells, key=lambda cell: cell.fg):
            text.append("".join(cell.data for cell in group), Style(color=_color(color)))
        text.append("\n")
    text.rstrip()
    return text


def _color(name: str) -> str | None:
    """Return rich's name of a color of pyte's."""
    if name == "default":
        return None
    return f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else name


def svg_of(text: Text) -> str:
    """Return the picture; it refers to no fonts elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(text, end="", overflow="crop", no_wrap=True)
    svg = console.export_svg(title="url-downloader", theme=MONOKAI, unique_id="display")
    svg = re.sub(r" *@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+\n", "\n", svg)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(svg_of(text_of(screen_of_a_run(Path(scratch)))), "utf-8")
