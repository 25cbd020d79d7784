"""The syntax trees of the package: modules, imports, functions, calls."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "url_downloader"
ROOT = Path(__file__).parents[2] / PACKAGE

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.TryStar, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef
FoundFunction = tuple[str, Function, bool]
"""A qualified name, its node, and whether the first argument is self or cls."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its name without that of the package, and its source."""

    name: str
    source: str

    @property
    def package(self) -> str:
        """The first part of its name: a package, or a module at the top level."""
        return self.name.partition(".")[0]

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.source)


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """A full name that a module imports."""

    line: int
    target: str

    @property
    def library(self) -> str:
        """The first part of its name."""
        return self.target.partition(".")[0]

    @property
    def package(self) -> str | None:
        """The package of this project that it comes from; None if it comes from elsewhere."""
        if self.library != PACKAGE:
            return None
        inner = self.target.split(".")[1:]
        return inner[0] if inner else "__init__"


def modules_of_package() -> list[Module]:
    """Read all modules from the disk."""
    return [
        Module(".".join(path.relative_to(ROOT).with_suffix("").parts), path.read_text("utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    ]


def imports(module: Module) -> list[Import]:
    """Return the imports anywhere in the module; `from a import b` is `a.b`."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            found += [Import(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
    return sorted(found)


def functions(module: Module) -> Iterator[FoundFunction]:
    """Yield all functions, also those inside other functions."""
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


def calls(module: Module) -> Iterator[ast.Call]:
    """Return all calls."""
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def called(node: ast.Call) -> str:
    """Return the called function as it is written in the source."""
    return ast.unparse(node.func)


def length(function: Function) -> int:
    """Count the lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def nesting(body: Iterable[ast.AST]) -> int:
    """Return the depth of nested blocks; an elif is no deeper than its if."""
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
    return nesting(children) + isinstance(node, _BLOCKS)


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a cycle of modules that import each other, or an empty list."""
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


Check = Callable[[Module], Iterator[str]]
"""A rule: it yields a message for each place of a module that breaks it."""
Examples = Mapping[Check, Sequence[tuple[str, str, str]]]
"""For each rule: names of modules, sources that break it, and a part of the message."""


def violations(check: Check) -> str:
    """Return what breaks the rule in the package, one message a line."""
    return "\n".join(message for module in modules_of_package() for message in check(module))


def assert_seen(check: Check, examples: Examples) -> None:
    """Check that the rule sees each example, and names the module and the reason."""
    for name, source, reason in examples[check]:
        (found,) = check(Module(name, source))
        assert found.startswith(name)
        assert reason in found
