"""The rules for modules and functions: sizes, arguments, docstrings, and calls that guess."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.syntax import (
    FUNCTIONS,
    Check,
    Examples,
    Module,
    assert_seen,
    called,
    calls,
    functions,
    imports,
    length,
    modules_of_package,
    nesting,
    violations,
)

MAX_LINES = 300
MAX_TEST_LINES = 500
MAX_FUNCTION_LINES = 30
MAX_ARGUMENTS = 6
MAX_POSITIONAL = 2
MAX_NESTING = 3
MAX_LINES_WITHOUT_DOCSTRING = 5

VAGUE_WORDS = {"What", "Who", "Whose", "Those", "Whether", "Where", "How", "Why", "That"}

FIXED_SIGNATURES = {
    # Exceptions are pickled by position.
    "TransitionError.__init__",
    # As in queue.Queue.
    "HostQueue.put",
}
MAY_NAME_THREAD = {"engine", "shared"}
"""Packages that name the bare class: a StoppableThread is one, and the pool joins them."""


def check_no_guessing(module: Module) -> Iterator[str]:
    """Nothing sleeps, imports by a call, or asks a queue whether it is empty or full."""
    for node in calls(module):
        name = called(node)
        last = name.rpartition(".")[2]
        if last == "sleep":
            yield f"{module.name}:{node.lineno}: sleeps; wait for an Event"
        if last in ("__import__", "import_module"):
            yield f"{module.name}:{node.lineno}: import by a call"
        if isinstance(node.func, ast.Attribute) and last in ("empty", "full"):
            yield f"{module.name}:{node.lineno}: {name}() is out of date when it returns"
    for each in imports(module):
        if each.target == "time.sleep":
            yield f"{module.name}:{each.line}: imports sleep; wait for an Event"


def check_thread_names(module: Module) -> Iterator[str]:
    """The bare class is named where a type needs it, and a Timer nowhere."""
    allowed = {"Thread"} if module.package in MAY_NAME_THREAD else set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"Thread", "Timer"} - allowed:
            yield f"{module.name}:{node.lineno}: names {ast.unparse(node)}"


def check_sizes(module: Module) -> Iterator[str]:
    """Modules and functions stay small enough to be read in one go."""
    lines = len(module.source.splitlines())
    if lines > MAX_LINES:
        yield f"{module.name}: {lines} lines, over {MAX_LINES}: find the second thing in it"
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
        if every > MAX_ARGUMENTS:
            yield f"{module.name}:{function.lineno}: {name} takes {every} arguments"
        if by_position > MAX_POSITIONAL and name not in FIXED_SIGNATURES:
            yield f"{module.name}:{function.lineno}: {name} takes {by_position} by position"


def check_docstrings(module: Module) -> Iterator[str]:
    """Public functions of more than a few lines have a docstring."""
    for name, function, _ in functions(module):
        is_public = not any(part.startswith("_") for part in name.split("."))
        is_bare = ast.get_docstring(function) is None
        if is_public and is_bare and length(function) > MAX_LINES_WITHOUT_DOCSTRING:
            yield f"{module.name}:{function.lineno}: {name} has no docstring"


def check_first_words(module: Module) -> Iterator[str]:
    """A docstring begins with a verb or a noun, so that it says what it is about."""
    for node in ast.walk(module.tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Module)):
            words = (ast.get_docstring(node) or "").split()
            if words and words[0] in VAGUE_WORDS:
                name = getattr(node, "name", "the module")
                yield f"{module.name}: the docstring of {name} begins with {words[0]}"


CHECKS: list[Check] = [
    check_first_words,
    check_no_guessing,
    check_thread_names,
    check_sizes,
    check_arguments,
    check_docstrings,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rules(check: Check) -> None:
    """No module of the package breaks any rule."""
    assert not violations(check)


def test_no_test_module_is_long() -> None:
    """A test module that outgrows its number is split along the seams of its source."""
    tests = Path(__file__).parents[1]
    lines = {each: len(each.read_text("utf-8").splitlines()) for each in tests.rglob("*.py")}
    assert [path.name for path, count in lines.items() if count > MAX_TEST_LINES] == []
    assert len(lines) > 100


def test_every_exception_is_used() -> None:
    """A function that may take more by position is there, and takes more."""
    found = {
        name
        for module in modules_of_package()
        for name, function, _ in functions(module)
        if len(function.args.args) > MAX_POSITIONAL + 1
    }
    assert found >= FIXED_SIGNATURES


LONG = "def _f():\n" + " x = 1\n" * 30
DEEP = "def _f():\n for a in b:\n  while c:\n   with d:\n    if e:\n     f\n"
DEEP_AFTER_ELIF = (
    "def _f():\n if a:\n  b\n elif c:\n  if d:\n   while e:\n    for f in g:\n     h\n"
)
FLAT_ELIF = "def _f():\n for a in b:\n  if c:\n   d\n  elif e:\n   if f:\n    g\n"

BAD: Examples = {
    check_first_words: [
        ("main", '"""What it does."""', "docstring of the module begins with What"),
        ("main", 'class A:\n """Who asks."""', "docstring of A begins with Who"),
        ("main", 'def f():\n """Whether it is so."""', "of f begins with Whether"),
    ],
    check_no_guessing: [
        ("main", "import time\ntime.sleep(1)", "main:2: sleeps"),
        ("main", "from time import sleep as nap", "imports sleep"),
        ("main", "importlib.import_module('json')", "by a call"),
        ("main", "__import__('json')", "by a call"),
        ("engine.worker", "while not self.tasks.empty(): pass", "out of date"),
        ("engine.worker", "if q.full(): pass", "out of date"),
    ],
    check_thread_names: [
        ("storage.folder", "import threading\nthreading.Thread()", "names threading.Thread"),
        ("network.reply", "import threading as t\nt.Thread()", "names t.Thread"),
        ("engine.monitor", "threading.Timer(1, f)", "names threading.Timer"),
    ],
    check_sizes: [
        ("main", "\n" * 301, "301 lines, over 300"),
        ("main", LONG, "_f has 31 lines"),
        ("main", "class A:\n async def f(self):\n" + "  x\n" * 30, "A.f has 31"),
        ("main", DEEP, "nests 4 deep"),
        ("main", DEEP_AFTER_ELIF, "nests 4 deep"),
    ],
    check_arguments: [
        ("main", "def f(a, b, *, c, d, e, f, g): ...", "takes 7 arguments"),
        ("main", "def f(a, b, c): ...", "takes 3 by position"),
        ("main", "def f(a, b=1, c=2, /): ...", "takes 3 by position"),
        ("main", "class A:\n def f(self, a, b, c): ...", "A.f takes 3 by"),
        ("main", "class A:\n @staticmethod\n def f(a, b, c): ...", "takes 3"),
        ("main", "def f():\n def g(a, b, c): ...", "f.g takes 3"),
    ],
    check_docstrings: [
        ("main", "class A:\n def f(self):\n" + "  x\n" * 5, "A.f has no docstring"),
    ],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_broken_rule_is_seen(check: Check) -> None:
    """Each check can fail, and says where and why."""
    assert_seen(check, BAD)


GOOD = [
    ("engine.pool", "import threading\ndef f(threads: list[threading.Thread]) -> None: ..."),
    ("main", "\n" * 300),
    ("engine.worker", "event.wait(1)\nqueue.qsize()\nfull = empty = True"),
    ("main", LONG.removesuffix(" x = 1\n")),
    ("main", FLAT_ELIF),
    ("main", "class A:\n def f(self, a, b, *, c, d, e, f): ..."),
    ("main", "class A:\n @classmethod\n def f(cls, a, b): ..."),
    ("main", "def _f():\n" + " x\n" * 20),
]


@pytest.mark.parametrize(("name", "source"), GOOD)
def test_what_is_allowed_passes(name: str, source: str) -> None:
    """The checks forbid no more than the rules do."""
    assert [message for check in CHECKS for message in check(Module(name, source))] == []
