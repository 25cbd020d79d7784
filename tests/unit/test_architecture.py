"""The rules for packages: who imports whom, and which package each library belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest

from tests.support.syntax import (
    ROOT,
    Check,
    Examples,
    Import,
    Module,
    assert_seen,
    cycle,
    imports,
    modules_of_package,
    violations,
)

LAYERS = (
    {"__main__": "main"},
    {"main": "cli shared"},
    {
        "cli": "run_history process_jobs reports display input_parser engine ledger storage"
        " inputs config metrics shared",
        "api": "run_history process_jobs input_parser engine inputs config shared",
    },
    {"run_history": "input_parser ledger storage inputs config naming shared"},
    {
        "process_jobs": "engine attempt network storage config shared",
        "reports": "engine storage inputs config naming shared",
        "display": "engine shared",
        "input_parser": "inputs shared",
    },
    {
        "engine": "config metrics shared",
        "attempt": "config naming shared",
        "network": "config shared",
        "storage": "config shared",
        "ledger": "naming shared",
        "inputs": "config naming shared",
    },
    {"config": "shared", "metrics": "shared"},
    {"naming": "shared"},
    {"shared": ""},
)
"""Each package, or module of the top level, with the packages that it imports: lower ones."""

LIBRARIES = {
    "requests urllib3 ssl": "network",
    "validators": "input_parser",
    "idna": "shared",
    "rich": "display",
    "prometheus_client": "reports",
    "brotli backports": "attempt",
    "argparse": "cli",
    "signal": "__main__ api cli",
    "queue": "engine",
}
"""Libraries, and the packages that alone import them."""

IMPURE = {"io", "os", "queue", "random", "select", "shutil", "socket", "subprocess", "tempfile"}
IMPURE |= {"threading", "time"}
"""Libraries that a pure module must not import: it has no I/O, clock, chance or lock."""
PURE_PACKAGES = {"config", "inputs"}
"""Packages of which each module is pure; elsewhere a module that is pure says so."""

THREADS = {"engine", "network", "ledger"}
"""Packages that have threads: the pool's, the look-ups of host names, the ledger's writer."""
HANDING_OUT = "__init__"
"""It names what others may use, and imports it when it is asked for."""

RULES = {name: set(row.split()) for layer in LAYERS for name, row in layer.items()}
LEVELS = {name: level for level, layer in enumerate(LAYERS) for name in layer}
OWNERS = {
    library: set(packages.split())
    for libraries, packages in LIBRARIES.items()
    for library in libraries.split()
}


def foreign(module: Module) -> Iterator[tuple[Import, str]]:
    """Yield the module's imports from other packages of ours."""
    for each in imports(module):
        if each.package not in (None, HANDING_OUT, module.package):
            yield each, str(each.package)


def check_packages(module: Module) -> Iterator[str]:
    """A package imports from those that its rule names."""
    if module.name == HANDING_OUT:
        return
    if module.package not in RULES:
        yield f"{module.name}: the package {module.package} has no rule in LAYERS"
    for each, package in foreign(module):
        if package not in RULES.get(module.package, RULES):
            yield f"{module.name}:{each.line}: {module.package} must not import {package}"


def check_libraries(module: Module) -> Iterator[str]:
    """A library is imported by the packages that own it."""
    for each in imports(module):
        owners = OWNERS.get(each.library)
        if owners is not None and module.package not in owners:
            names = " and ".join(sorted(owners))
            yield f"{module.name}:{each.line}: {each.library} is for {names} only"
        if each.target.startswith("."):
            yield f"{module.name}:{each.line}: a relative import hides the package it leads to"


def check_pure(module: Module) -> Iterator[str]:
    """A module that says it is pure does no I/O and uses no clock, chance or lock."""
    says_so = re.match(r'"""[^"]*\bPure\b', module.source)
    if says_so or module.package in PURE_PACKAGES:
        for each in imports(module):
            if each.library in IMPURE:
                yield f"{module.name}:{each.line}: {each.library} in a module that is pure"


def check_threads(module: Module) -> Iterator[str]:
    """Threads are StoppableThreads, and live in the packages that have threads."""
    for each in imports(module):
        if each.library in ("_thread", "asyncio", "concurrent", "multiprocessing"):
            yield f"{module.name}:{each.line}: {each.library}; threads are StoppableThreads"
        if each.target in ("threading.Thread", "threading.Timer"):
            yield f"{module.name}:{each.line}: write threading.Thread, so that it is seen"
        is_thread = each.target.startswith("url_downloader.shared.threads")
        if is_thread and module.package not in THREADS:
            yield f"{module.name}:{each.line}: threads live in {' and '.join(sorted(THREADS))}"


CHECKS: list[Check] = [check_packages, check_libraries, check_pure, check_threads]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rules(check: Check) -> None:
    """No module of the package breaks any rule."""
    assert not violations(check)


def test_rules_lead_down() -> None:
    """A package's rule names packages of lower layers only: none beside it, none above it."""
    for name, packages in RULES.items():
        for package in packages:
            assert LEVELS[package] > LEVELS[name], f"{name} > {package}"


def test_every_rule_is_used() -> None:
    """A package or an import that is gone is gone from the rules."""
    modules = modules_of_package()
    found: set[tuple[str, str]] = set()
    for module in modules:
        found |= {(module.package, package) for _, package in foreign(module)}
        found |= {(module.package, each.library) for each in imports(module)}
    rules = {(name, package) for name, packages in RULES.items() for package in packages}
    rules |= {(owner, library) for library, owners in OWNERS.items() for owner in owners}
    assert rules - found == set()
    assert {module.package for module in modules} == {*RULES, HANDING_OUT}


def test_each_package_says_what_it_is_for() -> None:
    """The docstring of a package names its main entry and what it must not import."""
    for path in ROOT.glob("*/__init__.py"):
        text = path.read_text("utf-8")
        for word in ("Entry point", "import"):
            assert word in text, f"{path.parent.name}/__init__.py: says nothing of {word!r}"


def test_no_import_cycle() -> None:
    """Modules can be read from the ground up."""
    modules = {each.name for each in modules_of_package()}
    graph = {each.name: [*modules_in(each, modules)] for each in modules_of_package()}
    del graph[HANDING_OUT]
    assert "shared.models" in graph["shared.job_registry"]
    assert cycle(graph) == []


def modules_in(module: Module, modules: Iterable[str]) -> Iterator[str]:
    """Yield the modules of the package that this one imports."""
    for each in imports(module):
        name = each.target.partition(".")[2]
        for candidate in (name, name.rpartition(".")[0]):
            if each.package and candidate in modules:
                yield candidate


BAD: Examples = {
    check_packages: [
        ("novelty.module", "", "has no rule"),
        ("novelty", "", "has no rule"),
        ("engine.pool", "import url_downloader.storage", "must not import storage"),
        ("engine.pool", "from url_downloader import storage", "must not import storage"),
        ("engine.pool", "from url_downloader.storage.folder import F", "import storage"),
        ("engine.pool", "if T:\n    from url_downloader import main", "must not import main"),
        ("attempt.resume", "from url_downloader.network.errors import X", "import network"),
        ("shared.models", "from url_downloader.config import values", "must not import config"),
        ("cli.command", "from url_downloader.api import download", "must not import api"),
        ("cli.command", "from url_downloader.novelty import X", "must not import novelty"),
    ],
    check_libraries: [
        ("attempt.downloader", "import requests", "is for network only"),
        ("storage.folder", "from urllib3.util import Retry", "urllib3 is for network"),
        ("inputs.list_entry", "from validators import url", "input_parser only"),
        ("config.settings", "import argparse", "argparse is for cli only"),
        ("process_jobs", "import signal", "is for __main__ and api and cli only"),
        ("engine.pool", "from .worker import X", "relative"),
    ],
    check_pure: [
        ("shared.text", '"""Times. Pure functions."""\nimport time', "time in a module"),
        ("config.settings", "from os import path", "os in a module that is pure"),
    ],
    check_threads: [
        ("engine.monitor", "from threading import Thread", "write threading.Thread"),
        ("storage.folder", "from url_downloader.shared.threads import T", "threads live in"),
        ("cli.main", "from url_downloader.shared import threads", "threads live in"),
        ("engine.worker", "from concurrent.futures import Executor", "StoppableThreads"),
    ],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_broken_rule_is_seen(check: Check) -> None:
    """Each check can fail, and says where and why."""
    assert_seen(check, BAD)


GOOD = [
    ("cli.command", "import argparse, signal\nfrom url_downloader import shared"),
    ("shared.errors", "from url_downloader.shared.models import JobStatus"),
    ("storage.folder", "import os\nfrom url_downloader.config.settings import Settings"),
    ("network.resolver", "from url_downloader.shared.threads import StoppableThread"),
    ("shared.text", '"""Times, purely."""\nimport time'),
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
