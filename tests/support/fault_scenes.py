"""The scenes of the fault matrix: folders and options of its runs, and what the runs leave.

Each scene is prepared once by clean runs; every run of the matrix gets a copy of it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.fault_judge import Ended, Outcome
from tests.support.output_folder import HIDDEN, LEDGER_FILES, hidden_files
from tests.support.ranges import ETAG, content, ranged
from tests.support.replies import Cut, Framing, Reply, Request
from tests.support.reports import read_report
from tests.support.scripted_server import ScriptedServer

KIB, MIB = 1 << 10, 1 << 20
INNER = "inner.bin"
BIG, CHUNKED, LOST = "big.bin", "chunked.bin", "lost.bin"
SIZES = {
    **{f"small{n}.bin": n * 3 * KIB + n for n in range(8)},
    INNER: 7 * KIB,
    BIG: 5 * MIB,
    CHUNKED: 2 * MIB,
}
"""Sizes by name. One file is empty; the big ones have part notes, and can be resumed."""
_PATHS = {INNER: f"a/folder/{INNER}"}
_MODIFIED = "Wed, 01 Jan 2020 00:00:00 GMT"
_REST = 3 * MIB
_OF_OPEN_LEDGER = frozenset({"ledger.db-wal", "ledger.db-shm"})
"""Files beside a ledger that a fault has kept from being closed; the next run removes them."""
_DELAYS = ("--max-retries=1", "--retry-delay=0.01", "--retry-max-delay=0.05")
_LIMITS = (*_DELAYS, "-w3", "-q", "--progress=never")

Run = Callable[[Sequence[str]], Ended]
"""A function that runs the program with these arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A folder, and the options of a run of the matrix that begins there.

    Args:
        name: Name of the scene.
        template: Folder to copy.
        options: Options of the run with faults; `{}` stands for the copy.
        clean_options: Options of the clean run that follows.
        has_lost: Whether the list has a URL that the server does not have.
    """

    name: str
    template: Path
    options: Sequence[str]
    clean_options: Sequence[str] = ("-c",)
    has_lost: bool = False

    def arguments(self, folder: Path) -> list[str]:
        """Return the arguments of the run with faults, in a copy of the template."""
        return _arguments("urls.txt", folder, self.options)

    def clean_arguments(self, folder: Path) -> list[str]:
        """Return the arguments of the clean run that follows."""
        return _arguments("clean.txt", folder, self.clean_options)


def _arguments(name: str, folder: Path, options: Sequence[str]) -> list[str]:
    filled = [option.format(folder) for option in options]
    return [str(folder / name), "-d", str(folder / "out"), *_LIMITS, *filled]


def make_scenes(server: ScriptedServer, folder: Path, *, run: Run) -> Sequence[Scene]:
    """Prepare and return all scenes, in folders below this one."""
    for name in SIZES:
        server.play(f"/{name}", _stored(name))
    server.play(f"/{LOST}", Reply(status=404))
    makers = (_fresh, _again, _resumed)
    return [make(server, folder / make.__name__.strip("_"), run) for make in makers]


def _stored(name: str) -> Callable[[Request], Reply]:
    """Return an action that answers as a good server of stored files does."""
    framing = Framing.CHUNKED if name == CHUNKED else Framing.LENGTH
    whole = ranged(content(SIZES[name]), framing=framing)

    def answer(request: Request) -> Reply:
        if request.header("If-None-Match") == ETAG:
            return Reply(status=304, headers={"ETag": ETAG})
        reply = whole(request)
        headers = {**dict(reply.headers), "Last-Modified": _MODIFIED}
        return replace(reply, headers=headers)

    return answer


def _fresh(server: ScriptedServer, template: Path, _: Run) -> Scene:
    """Return a scene whose output directory does not exist yet."""
    _write_lists(server, template, has_lost=True)
    reports = ("--report={}/report.jsonl", "--failed-out={}/failed.txt", "--fsync")
    return Scene(name="fresh", template=template, options=reports, has_lost=True)


def _again(server: ScriptedServer, template: Path, run: Run) -> Scene:
    """Return a scene with a finished download, of which one file changed and two are gone."""
    _write_lists(server, template)
    _check(run(_arguments("urls.txt", template, ["-N"])), {0})
    out = template / "out"
    (out / "small1.bin").write_bytes(b"older")
    for name in ("small2.bin", BIG):
        (out / name).unlink()
    options = ("-N", "--report={}/report.jsonl", "--log-file={}/run.log")
    return Scene(name="again", template=template, options=options, clean_options=["-N"])


def _resumed(server: ScriptedServer, template: Path, run: Run) -> Scene:
    """Return a scene with an interrupted download: a usable part, and few files."""
    _write_lists(server, template, checked=(BIG, "small5.bin"))
    whole = ranged(content(SIZES[BIG]), delivery=Cut(SIZES[BIG] - _REST))
    server.play(f"/{BIG}", whole)
    (template / "part.txt").write_text(_list_text(server, [BIG, "small3.bin", INNER], ()))
    _check(run(_arguments("part.txt", template, ["--max-retries=0"])), {1})
    server.play(f"/{BIG}", _stored(BIG))
    (template / "part.txt").unlink()
    options = ("-c", "--failed-out={}/failed.txt", "--lock={}/run.lock")
    return Scene(name="resumed", template=template, options=options)


def _check(ended: Ended, statuses: set[int]) -> None:
    if ended.status not in statuses:
        message = f"a scene can't be prepared: status {ended.status}\n{ended.output}"
        raise SystemExit(message)


def _write_lists(
    server: ScriptedServer,
    template: Path,
    *,
    has_lost: bool = False,
    checked: Sequence[str] = (CHUNKED, "small5.bin"),
) -> None:
    template.mkdir(parents=True)
    (template / "clean.txt").write_text(_list_text(server, SIZES, checked))
    names = [LOST, *SIZES] if has_lost else [*SIZES]
    (template / "urls.txt").write_text(_list_text(server, names, checked))


def _list_text(server: ScriptedServer, names: Iterable[str], checked: Sequence[str]) -> str:
    """Return a list of these files; one has a folder, and some have a checksum."""
    lines = []
    for name in names:
        lines.append(server.url(f"/{name}"))
        if name in _PATHS:
            lines.append(f"  out={_PATHS[name]}")
        if name in checked:
            digest = hashlib.sha256(content(SIZES[name])).hexdigest()
            lines.append(f"  checksum=sha-256={digest}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The contents of a copy of a scene.

    Args:
        right: Names of files that have the server's bytes.
        wrong: Names of files with other bytes, or of files that the list does not have.
        strays: Other files that are left.
    """

    right: frozenset[str]
    wrong: frozenset[str]
    strays: frozenset[str]


def look(scene: Scene, folder: Path) -> Found:
    """Return the contents of a copy of a scene."""
    out, right, wrong = folder / "out", set(), set()
    for path in (each for each in out.rglob("*") if each.is_file()):
        if HIDDEN in path.parts:
            continue
        name, data = path.name, path.read_bytes()
        if str(path.relative_to(out)) == _PATHS.get(name, name) and name in SIZES:
            if data == content(SIZES[name]):
                right.add(name)
                continue
            before = scene.template / path.relative_to(folder)
            if before.exists() and data == before.read_bytes():
                continue
        wrong.add(name)
    return Found(right=frozenset(right), wrong=frozenset(wrong), strays=_strays(folder))


def _strays(folder: Path) -> frozenset[str]:
    """Return drafts, and parts that no run can resume."""
    known = {
        "urls.txt",
        "clean.txt",
        "report.jsonl",
        "failed.txt",
        "run.log",
        "run.lock",
        "out",
    }
    strays = {path.name for path in folder.iterdir() if path.name not in known}
    hidden = folder / "out" / HIDDEN
    if hidden.is_dir():
        names = {path.name for path in hidden.iterdir()} - LEDGER_FILES - _OF_OPEN_LEDGER
        usable = {f"{Path(name).stem}.part" for name in names if name.endswith(".json")}
        notes = {f"{Path(name).stem}.json" for name in names if name.endswith(".part")}
        strays |= names - (usable | notes)
    return frozenset(strays)


def outcome_of(scene: Scene, folder: Path, faulty: Ended, *, run: Run) -> Outcome:
    """Return what a run with faults left, and what a clean run made of it."""
    found = look(scene, folder)
    reported, report_fault = _reported(folder) if _asks(scene, "--report") else (None, "")
    listed = _listed(folder) if _asks(scene, "--failed-out") else None
    clean = run(scene.clean_arguments(folder))
    after = look(scene, folder)
    left = hidden_files(folder / "out") - LEDGER_FILES
    return Outcome(
        faulty=faulty,
        wanted=frozenset(SIZES),
        lost=frozenset({LOST} if scene.has_lost else ()),
        right=found.right,
        wrong=found.wrong,
        reported=reported,
        report_fault=report_fault,
        listed=listed,
        strays=found.strays,
        clean=clean,
        clean_missing=frozenset(SIZES) - after.right,
        clean_strays=after.wrong | left,
    )


def _asks(scene: Scene, option: str) -> bool:
    return any(each.startswith(option) for each in scene.options)


def _reported(folder: Path) -> tuple[frozenset[str], str]:
    """Return the names in the report, and the reason if it is unreadable."""
    try:
        text = (folder / "report.jsonl").read_text()
        records = read_report(text)
    except FileNotFoundError:
        return frozenset(), ""
    except (ValueError, AssertionError) as error:
        return frozenset(), str(error).partition("\n")[0]
    return frozenset(_name(record["url"]) for record in records), ""


def _listed(folder: Path) -> frozenset[str]:
    path = folder / "failed.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return frozenset(_name(line) for line in lines if re.match(r"https?://", line))


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def copy_of(scene: Scene, folder: Path) -> None:
    """Copy the template of the scene to the folder, with times and attributes."""
    shutil.copytree(scene.template, folder)
