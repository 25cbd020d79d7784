"""The floors, the seams and the numbers of the house, kept by looking at the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "url_downloader"
ROOT = Path(__file__).parents[2] / PACKAGE

ROOMS = {
    # Words: what everybody may say.
    0: "__init__ shared.__init__ shared.errors shared.models shared.packed_records"
    " shared.notices shared.threads"
    " shared.unexpected",
    # Rules: pure functions and values.
    1: "acceptance checksums config content_codings cookie_rules decoding disposition filenames"
    " header_fields inflating list_entry local_errors netrc_text origins policy proxies"
    " reply_facts resume retry_command seams server_settings units urls",
    # Hands: one outside thing or one lock each.
    2: "body_pipe claims connections cookies descriptors dialer existing_file failed_list"
    " finish folder folder_tree free_space http_client http_errors http_head http_reply"
    " http_wire input_parser lifeline line_reader line_writer list_skimmer log_file logins"
    " metrics metrics_file moving part_file part_note parts_folder patient_pipe report routes"
    " run_limits run_lock server_names shared.job_registry shortcomings socks_dialer storage"
    " summary summary_text trust turn user_files",
    # The attempt.
    3: "attempt_meter downloader existing_files transfer transfer_context",
    # Threads.
    4: "downloader_factory monitor process_jobs resolver retry_scheduler watchdog worker",
    # The door.
    5: "__main__ arguments closing_words command command_line dry_run library list_source logs"
    " main message_arguments option_types outputs own_files progress progress_rows"
    " report_arguments screen server_arguments signals streams watching",
}
FLOORS = {room: floor for floor, rooms in ROOMS.items() for room in rooms.split()}

SIDEWAYS = {
    ("shared.errors", "shared.models"),
    ("shared.packed_records", "shared.models"),
    ("shared.threads", "shared.unexpected"),
    ("config", "server_settings"),
    ("line_writer", "descriptors"),
    ("run_lock", "descriptors"),
    ("failed_list", "shortcomings"),
    ("failed_list", "descriptors"),
    ("http_reply", "header_fields"),
    ("process_jobs", "downloader_factory"),
    ("log_file", "patient_pipe"),
    ("failed_list", "patient_pipe"),
    ("downloader", "transfer_context"),
    ("transfer", "transfer_context"),
    ("transfer_context", "attempt_meter"),
    ("transfer_context", "existing_files"),
    ("resume", "content_codings"),
    ("inflating", "seams"),
    ("decoding", "inflating"),
    ("decoding", "content_codings"),
    ("list_source", "own_files"),
    ("downloader", "existing_files"),
    ("transfer", "existing_files"),
    ("server_names", "claims"),
    ("acceptance", "units"),
    ("acceptance", "seams"),
    ("acceptance", "reply_facts"),
    ("acceptance", "config"),
    ("checksums", "seams"),
    ("decoding", "seams"),
    ("disposition", "filenames"),
    ("header_fields", "seams"),
    ("list_entry", "checksums"),
    ("list_entry", "config"),
    ("list_entry", "filenames"),
    ("list_entry", "header_fields"),
    ("list_entry", "units"),
    ("policy", "config"),
    ("policy", "units"),
    ("reply_facts", "resume"),
    ("reply_facts", "seams"),
    ("reply_facts", "units"),
    ("resume", "units"),
    ("seams", "resume"),
    ("dialer", "http_head"),
    ("dialer", "http_wire"),
    ("dialer", "lifeline"),
    ("dialer", "turn"),
    ("cookie_rules", "units"),
    ("cookies", "user_files"),
    ("connections", "dialer"),
    ("connections", "http_wire"),
    ("connections", "lifeline"),
    ("connections", "socks_dialer"),
    ("connections", "trust"),
    ("http_client", "connections"),
    ("http_client", "cookies"),
    ("http_client", "http_errors"),
    ("http_client", "http_reply"),
    ("http_client", "lifeline"),
    ("http_client", "logins"),
    ("http_client", "routes"),
    ("http_client", "trust"),
    ("http_errors", "http_head"),
    ("http_reply", "body_pipe"),
    ("http_reply", "http_errors"),
    ("http_reply", "http_wire"),
    ("http_reply", "lifeline"),
    ("http_reply", "turn"),
    ("http_wire", "body_pipe"),
    ("http_wire", "http_head"),
    ("http_wire", "turn"),
    ("input_parser", "claims"),
    ("logins", "user_files"),
    ("proxies", "origins"),
    ("server_settings", "header_fields"),
    ("server_settings", "proxies"),
    ("socks_dialer", "dialer"),
    ("socks_dialer", "http_head"),
    ("user_files", "line_reader"),
    ("input_parser", "line_reader"),
    ("existing_file", "finish"),
    ("existing_file", "folder"),
    ("existing_file", "part_file"),
    ("finish", "shortcomings"),
    ("finish", "turn"),
    ("folder", "turn"),
    ("folder_tree", "folder"),
    ("folder_tree", "shortcomings"),
    ("free_space", "folder"),
    ("free_space", "shortcomings"),
    ("moving", "body_pipe"),
    ("moving", "finish"),
    ("moving", "folder"),
    ("moving", "part_file"),
    ("moving", "shortcomings"),
    ("moving", "turn"),
    ("part_file", "body_pipe"),
    ("part_file", "finish"),
    ("part_file", "free_space"),
    ("part_file", "part_note"),
    ("part_file", "parts_folder"),
    ("part_file", "shortcomings"),
    ("part_note", "body_pipe"),
    ("parts_folder", "folder"),
    ("parts_folder", "part_note"),
    ("parts_folder", "shortcomings"),
    ("storage", "existing_file"),
    ("storage", "finish"),
    ("storage", "folder_tree"),
    ("storage", "moving"),
    ("storage", "part_file"),
    ("storage", "parts_folder"),
    ("storage", "shortcomings"),
    ("metrics_file", "metrics"),
    ("summary", "metrics"),
    ("summary_text", "summary"),
    ("downloader", "attempt_meter"),
    ("downloader", "transfer"),
    ("process_jobs", "monitor"),
    ("process_jobs", "resolver"),
    ("arguments", "option_types"),
    ("arguments", "server_arguments"),
    ("server_arguments", "option_types"),
    ("arguments", "report_arguments"),
    ("report_arguments", "option_types"),
    ("command", "outputs"),
    ("main", "report_arguments"),
    ("arguments", "message_arguments"),
    ("message_arguments", "option_types"),
    ("message_arguments", "report_arguments"),
    ("closing_words", "progress"),
    ("closing_words", "streams"),
    ("command", "closing_words"),
    ("command", "logs"),
    ("arguments", "report_arguments"),
    ("report_arguments", "option_types"),
    ("command", "outputs"),
    ("main", "report_arguments"),
    ("command", "dry_run"),
    ("command", "list_source"),
    ("command_line", "message_arguments"),
    ("command_line", "report_arguments"),
    ("command", "signals"),
    ("command", "streams"),
    ("command", "watching"),
    ("main", "message_arguments"),
    ("progress", "logs"),
    ("progress", "progress_rows"),
    ("progress", "screen"),
    ("watching", "logs"),
    ("watching", "message_arguments"),
    ("watching", "progress"),
    ("watching", "signals"),
    ("main", "command"),
    ("main", "streams"),
    ("storage", "free_space"),
    ("storage", "part_note"),
    ("process_jobs", "retry_scheduler"),
    ("process_jobs", "watchdog"),
    ("process_jobs", "worker"),
    ("worker", "retry_scheduler"),
    ("__main__", "main"),
    ("main", "command_line"),
    ("command_line", "arguments"),
    ("library", "signals"),
}
"""Who may import whom on the same floor."""

HANDING_OUT = "__init__"
"""Names what others may use, and imports it when it is asked for."""
HANDS = 2
ATTEMPT = 3
"""An attempt gets its hands through Protocols and imports none."""

LIBRARIES = {
    "requests": {"http_client", "http_errors", "trust"},
    "socks": {"socks_dialer"},
    "urllib3": {
        *("connections", "dialer", "http_errors", "http_wire", "socks_dialer", "trust"),
    },
    "validators": {"input_parser"},
    "idna": {"urls"},
    "rich": {"progress", "progress_rows", "screen"},
    "prometheus_client": {"metrics_file"},
    "brotli": {"inflating"},
    "backports": {"inflating"},
    "argparse": set(ROOMS[5].split()),
    "signal": {"__main__", "command", "signals"},
}
"""Each outside thing has one room."""

LATE_IMPORTS = {
    ("main", "_main"),
    ("main", "main"),
    ("__init__", "__getattr__"),
    ("logs", "logging_to"),
    ("socks_dialer", "SocksConnection._socket_for"),
    ("inflating", "Brotli.__init__"),
    ("transfer_context", "TransferContext.decoder"),
    ("inflating", "Zstandard.__init__"),
    ("socks_dialer", "_explain"),
    ("failed_list", "_number"),
    # The doors of the extras.
    ("closing_words", "say_account"),
    ("watching", "MetricsWatch.__init__"),
    ("watching", "display_observers"),
}
"""Functions that may import: what takes long, or is not there, and is not always needed."""
PURE = {0, 1}
IMPURE_LIBRARIES = {"io", "os", "queue", "random", "select", "shutil", "socket", "subprocess"}
IMPURE_LIBRARIES |= {"tempfile", "threading", "time"}
"""Words and rules do no I/O, know no clock and no luck, and hold no lock."""

THREAD_FLOOR = 4
OTHER_CONCURRENCY = {"_thread", "asyncio", "concurrent", "multiprocessing"}
MAY_NAME_THREAD = {"shared.threads", "process_jobs", "monitor"}

MAX_LINES = 300
MAX_LINES_OF = {"process_jobs": 400}
MAX_FUNCTION_LINES = 30
MAX_ARGUMENTS = 6
MAX_POSITIONAL = 2
MAX_NESTING = 3
MAX_LINES_WITHOUT_DOCSTRING = 5

FIXED_SIGNATURES = {
    # urllib3's has these.
    ("dialer", "AbortableConnection.request"),
    # Exceptions are pickled by position.
    ("shared.errors", "TransitionError.__init__"),
}

BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
FoundFunction = tuple[str, Function, bool]
"""Qualified name, node, and whether the first argument is self or cls."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the package: its name without the package's, and its source."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.source)


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """A name that a module imports, in full."""

    line: int
    target: str

    @property
    def library(self) -> str:
        """The first part of its name."""
        return self.target.partition(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether it comes from this package."""
        return self.library == PACKAGE


Check = Callable[[Module], Iterator[str]]


def modules_of_package() -> list[Module]:
    """All modules, read from the disk."""
    return [
        Module(".".join(path.relative_to(ROOT).with_suffix("").parts), path.read_text("utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    ]


def imports(module: Module) -> list[Import]:
    """Everything that is imported anywhere in the module; `from a import b` is `a.b`."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            found += [Import(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
    return sorted(found)


def rooms(module: Module) -> list[tuple[int, str]]:
    """Line and name of each module of the package that this one imports."""
    found = {(each.line, room_of(each.target)) for each in imports(module) if each.is_ours}
    return sorted(found)


def room_of(target: str) -> str:
    """The module that holds a name: `url_downloader.config.Settings` is in `config`."""
    inner = target.removeprefix(PACKAGE).removeprefix(".")
    if not inner or inner == "__version__":
        return "__init__"
    parts = inner.split(".")
    depth = 2 if parts[0] == "shared" else 1
    return ".".join(parts[:depth]) if parts != ["shared"] else "shared.__init__"


def functions(module: Module) -> Iterator[FoundFunction]:
    """All functions, also those inside of others."""
    yield from _functions_in(module.tree, "", in_class=False)


def _functions_in(node: ast.AST, prefix: str, *, in_class: bool) -> Iterator[FoundFunction]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            names = {ast.unparse(decorator) for decorator in child.decorator_list}
            yield prefix + child.name, child, in_class and "staticmethod" not in names
            yield from _functions_in(child, f"{prefix}{child.name}.", in_class=False)
        elif isinstance(child, ast.ClassDef):
            yield from _functions_in(child, f"{prefix}{child.name}.", in_class=True)
        else:
            yield from _functions_in(child, prefix, in_class=in_class)


def check_known(module: Module) -> Iterator[str]:
    """A new room has a floor, and whoever builds it has thought about which."""
    if module.name not in FLOORS:
        yield (
            f"{module.name}: has no floor yet; give it one in ROOMS of {Path(__file__).name}: 0"
            " words, 1 rules (pure), 2 hands (one outside thing), 3 attempt, 4 threads, 5 door"
        )


def check_floors(module: Module) -> Iterator[str]:
    """Imports go down, or sideways in listed pairs; an attempt sees no hands."""
    own = FLOORS.get(module.name, max(FLOORS.values()))
    if module.name == HANDING_OUT:
        return
    for line, room in rooms(module):
        floor = FLOORS.get(room)
        if floor is None:
            yield f"{module.name}:{line}: imports {room}, which has no floor"
        elif floor > own:
            yield f"{module.name}:{line}: imports {room} from above (floor {floor} > {own})"
        elif floor == own and (module.name, room) not in SIDEWAYS:
            yield f"{module.name}:{line}: imports {room} beside it, no pair of SIDEWAYS"
        elif own == ATTEMPT and floor == HANDS:
            yield f"{module.name}:{line}: imports {room}; say what it needs in a Protocol"


def check_libraries(module: Module) -> Iterator[str]:
    """Each outside library is known in its own room only; words and rules are pure."""
    is_pure = FLOORS.get(module.name) in PURE and module.name != "shared.threads"
    for each in imports(module):
        allowed = LIBRARIES.get(each.library)
        if allowed is not None and module.name not in allowed:
            owners = " and ".join(sorted(allowed))
            yield f"{module.name}:{each.line}: {each.library} is for {owners} only"
        if is_pure and each.library in IMPURE_LIBRARIES:
            yield f"{module.name}:{each.line}: {each.library} on a floor that is pure"
        if each.target.startswith("."):
            yield f"{module.name}:{each.line}: a relative import hides the floor it leads to"


def check_imports_on_top(module: Module) -> Iterator[str]:
    """No import hides in a function, nor behind a call."""
    for name, function, _ in functions(module):
        for node in ast.walk(function):
            is_late = (module.name, name) in LATE_IMPORTS
            if isinstance(node, (ast.Import, ast.ImportFrom)) and not is_late:
                yield f"{module.name}:{node.lineno}: import inside {name}"
    for node in calls(module):
        if called(node).rpartition(".")[2] in ("__import__", "import_module"):
            yield f"{module.name}:{node.lineno}: import by a call"


def check_no_guessing(module: Module) -> Iterator[str]:
    """Nobody sleeps, and nobody asks a queue whether it is empty or full."""
    for node in calls(module):
        name = called(node)
        if name in ("sleep", "time.sleep"):
            yield f"{module.name}:{node.lineno}: sleeps; wait for an Event"
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("empty", "full"):
            yield f"{module.name}:{node.lineno}: {name}() is out of date when it returns"
    for each in imports(module):
        if each.target == "time.sleep":
            yield f"{module.name}:{each.line}: imports sleep; wait for an Event"


def check_threads(module: Module) -> Iterator[str]:
    """Threads are StoppableThreads, and floor 4 alone has them."""
    for each in imports(module):
        if each.library in OTHER_CONCURRENCY:
            yield f"{module.name}:{each.line}: {each.library}; threads are StoppableThreads"
        if each.target in ("threading.Thread", "threading.Timer"):
            yield f"{module.name}:{each.line}: write threading.Thread, so that it is seen"
    for line, room in rooms(module):
        if room == "shared.threads" and FLOORS.get(module.name) != THREAD_FLOOR:
            yield f"{module.name}:{line}: threads live on floor {THREAD_FLOOR}"


def check_thread_names(module: Module) -> Iterator[str]:
    """The bare class is named where a type needs it, and a Timer nowhere."""
    allowed = {"Thread"} if module.name in MAY_NAME_THREAD else set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"Thread", "Timer"} - allowed:
            yield f"{module.name}:{node.lineno}: names {ast.unparse(node)}"


def check_sizes(module: Module) -> Iterator[str]:
    """Modules and functions stay small enough to be read in one go."""
    lines = len(module.source.splitlines())
    allowed = MAX_LINES_OF.get(module.name, MAX_LINES)
    if lines > allowed:
        yield f"{module.name}: {lines} lines, over {allowed}: find the second thing in it"
    for name, function, _ in functions(module):
        if length(function) > MAX_FUNCTION_LINES:
            yield f"{module.name}:{function.lineno}: {name} has {length(function)} lines"
        depth = nesting(function.body)
        if depth > MAX_NESTING:
            yield f"{module.name}:{function.lineno}: {name} nests {depth} deep"


def check_arguments(module: Module) -> Iterator[str]:
    """Few arguments, and names for all but the first two."""
    for name, function, is_method in functions(module):
        given = function.args
        by_position = len(given.posonlyargs) + len(given.args) - is_method
        every = by_position + len(given.kwonlyargs)
        is_fixed = (module.name, name) in FIXED_SIGNATURES
        if every > MAX_ARGUMENTS:
            yield f"{module.name}:{function.lineno}: {name} takes {every} arguments"
        if by_position > MAX_POSITIONAL and not is_fixed:
            yield f"{module.name}:{function.lineno}: {name} takes {by_position} by position"


def check_docstrings(module: Module) -> Iterator[str]:
    """Public functions of more than a few lines say what they do."""
    for name, function, _ in functions(module):
        is_public = not any(part.startswith("_") for part in name.split("."))
        is_bare = ast.get_docstring(function) is None
        if is_public and is_bare and length(function) > MAX_LINES_WITHOUT_DOCSTRING:
            yield f"{module.name}:{function.lineno}: {name} has no docstring"


def calls(module: Module) -> Iterator[ast.Call]:
    """All calls."""
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def called(node: ast.Call) -> str:
    """What is called, as it is written."""
    return ast.unparse(node.func)


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def nesting(body: Iterable[ast.AST]) -> int:
    """How deep blocks stand in one another; an elif is no deeper than its if."""
    return max((_depth(node) for node in body), default=0)


def _depth(node: ast.AST) -> int:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return 0
    children = list(ast.iter_child_nodes(node))
    if (
        isinstance(node, ast.If)
        and len(node.orelse) == 1
        and isinstance(node.orelse[0], ast.If)
    ):
        children.remove(node.orelse[0])
        return max(1 + nesting(children), _depth(node.orelse[0]))
    return nesting(children) + isinstance(node, BLOCKS)


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Modules that import each other in a circle, or an empty list."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for following in graph.get(name, ()):
            if found := search(following, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := search(name, []))), [])


CHECKS: list[Check] = [
    check_known,
    check_floors,
    check_libraries,
    check_imports_on_top,
    check_no_guessing,
    check_threads,
    check_thread_names,
    check_sizes,
    check_arguments,
    check_docstrings,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rules(check: Check) -> None:
    """No module of the package breaks any rule."""
    broken = [message for module in modules_of_package() for message in check(module)]
    assert not broken, "\n".join(broken)


def test_no_import_cycle() -> None:
    """Modules can be read from the ground up."""
    graph = {each.name: [room for _, room in rooms(each)] for each in modules_of_package()}
    del graph[HANDING_OUT]
    assert {"main", "shared.models"} <= set(graph)
    assert cycle(graph) == []


LONG = "def _f():\n" + " x = 1\n" * 30
DEEP = "def _f():\n for a in b:\n  while c:\n   with d:\n    if e:\n     f\n"
DEEP_AFTER_ELIF = (
    "def _f():\n if a:\n  b\n elif c:\n  if d:\n   while e:\n    for f in g:\n     h\n"
)
FLAT_ELIF = "def _f():\n for a in b:\n  if c:\n   d\n  elif e:\n   if f:\n    g\n"

BAD: dict[Check, list[tuple[str, str, str]]] = {
    check_known: [("new_room", "", "has no floor yet")],
    check_floors: [
        ("policy", "import url_downloader.storage", "from above (floor 2 > 1)"),
        ("policy", "from url_downloader import storage", "from above"),
        ("policy", "from url_downloader.storage import X", "from above"),
        ("policy", "if T:\n    from url_downloader import main", "from above"),
        ("shared.models", "from url_downloader.shared import job_registry", "from above"),
        ("shared.models", "import url_downloader.shared.errors", "beside it"),
        ("storage", "from url_downloader.metrics import X", "beside it"),
        ("config", "from url_downloader.policy import X", "beside it"),
        ("downloader", "from url_downloader.storage import X", "Protocol"),
        ("main", "from url_downloader.new_room import X", "which has no floor"),
    ],
    check_libraries: [
        ("downloader", "import requests", "http_client and http_errors and trust only"),
        ("storage", "from urllib3.util import Retry", "urllib3 is for"),
        ("http_wire", "import requests.adapters as a", "requests is for"),
        ("policy", "from validators import url", "input_parser only"),
        ("config", "import argparse", "argparse is for __main__ and arguments and"),
        ("process_jobs", "import signal", "__main__ and command and signals only"),
        ("policy", "import time", "pure"),
        ("shared.models", "from os import path", "pure"),
        ("policy", "from .config import X", "relative"),
    ],
    check_imports_on_top: [
        ("main", "def f():\n    import json", "import inside f"),
        ("main", "class A:\n def f(self):\n  from a import b", "inside A.f"),
        ("main", "importlib.import_module('json')", "by a call"),
        ("main", "__import__('json')", "by a call"),
    ],
    check_no_guessing: [
        ("main", "import time\ntime.sleep(1)", "main:2: sleeps"),
        ("main", "from time import sleep as nap", "imports sleep"),
        ("worker", "while not self.tasks.empty(): pass", "out of date"),
        ("worker", "if q.full(): pass", "out of date"),
    ],
    check_threads: [
        ("monitor", "from threading import Thread", "write threading.Thread"),
        ("metrics", "from url_downloader.shared.threads import T", "floor 4"),
        ("main", "from url_downloader.shared import threads", "floor 4"),
        ("worker", "from concurrent.futures import Executor", "StoppableThreads"),
    ],
    check_thread_names: [
        ("storage", "import threading\nthreading.Thread()", "names threading.Thread"),
        ("worker", "import threading as t\nt.Thread()", "names t.Thread"),
        ("monitor", "threading.Timer(1, f)", "names threading.Timer"),
    ],
    check_sizes: [
        ("policy", "\n" * 301, "301 lines, over 300"),
        ("process_jobs", "\n" * 401, "401 lines, over 400"),
        ("policy", LONG, "_f has 31 lines"),
        ("policy", "class A:\n async def f(self):\n" + "  x\n" * 30, "A.f has 31"),
        ("policy", DEEP, "nests 4 deep"),
        ("policy", DEEP_AFTER_ELIF, "nests 4 deep"),
    ],
    check_arguments: [
        ("policy", "def f(a, b, *, c, d, e, f, g): ...", "takes 7 arguments"),
        ("policy", "def f(a, b, c): ...", "takes 3 by position"),
        ("policy", "def f(a, b=1, c=2, /): ...", "takes 3 by position"),
        ("policy", "class A:\n def f(self, a, b, c): ...", "A.f takes 3 by"),
        ("policy", "class A:\n @staticmethod\n def f(a, b, c): ...", "takes 3"),
        ("policy", "def f():\n def g(a, b, c): ...", "f.g takes 3"),
    ],
    check_docstrings: [
        ("policy", "class A:\n def f(self):\n" + "  x\n" * 5, "A.f has no docstring"),
    ],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_broken_rule_is_seen(check: Check) -> None:
    """Each check can fail, and says where and why."""
    for name, source, message in BAD[check]:
        (found,) = check(Module(name, source))
        assert found.startswith(name)
        assert message in found


GOOD = [
    ("command", "from url_downloader import __version__\nimport argparse, signal"),
    ("process_jobs", "import threading\ndef f(threads: list[threading.Thread]) -> None: ..."),
    ("process_jobs", "\n" * 400),
    ("shared.errors", "from url_downloader.shared.models import JobStatus"),
    ("storage", "import os\nfrom url_downloader.config import Settings"),
    ("worker", "event.wait(1)\nqueue.qsize()\nfull = empty = True"),
    ("policy", LONG.removesuffix(" x = 1\n")),
    ("policy", FLAT_ELIF),
    ("policy", "class A:\n def f(self, a, b, *, c, d, e, f): ..."),
    ("policy", "class A:\n @classmethod\n def f(cls, a, b): ..."),
    ("policy", "def _f():\n" + " x\n" * 20),
]


@pytest.mark.parametrize(("name", "source"), GOOD)
def test_what_is_allowed_passes(name: str, source: str) -> None:
    """The checks forbid no more than the rules do."""
    assert [message for check in CHECKS for message in check(Module(name, source))] == []


def test_a_cycle_is_seen() -> None:
    """The search finds circles wherever they begin, and nothing where there is none."""
    assert cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert cycle({"a": ["a"]}) == ["a", "a"]
    assert cycle({"a": ["b", "c"], "b": ["c"], "c": []}) == []
