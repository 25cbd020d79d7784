"""The pages name only what is there: files, modules, classes, options, words of the program."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.jobs import make_record
from tests.support.reference import BEGIN, DOCS, END, ROOT, ledger_parsers
from tests.support.run_view import make_state
from tests.support.syntax import FUNCTIONS, modules_of_package
from url_downloader.cli import exit_status
from url_downloader.cli.arguments import argument_parser
from url_downloader.cli.status_command import as_json
from url_downloader.config.host_patterns import parse_host_pattern
from url_downloader.config.host_rules import parse_host_rules
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.retry_policy import RetryIn, decide
from url_downloader.inputs.list_entry import OPTIONS
from url_downloader.ledger.schema import State
from url_downloader.ledger.status import Ranking, RunFacts, Totals
from url_downloader.metrics import MetricsSnapshot
from url_downloader.reports.metrics_file import MetricsFile
from url_downloader.shared.models import ErrorKind, JobResult, JobStatus

README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
ARCHITECTURE, COMING_FROM = DOCS / "architecture.md", DOCS / "coming-from.md"
PAGES = (README, CONTRIBUTING, ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))
OUR_PAGES = [
    page
    for page in PAGES
    if page.name not in (CONTRIBUTING.name, COMING_FROM.name, "benchmarks.md")
]
"""Pages that name no options of other programs."""
BY_SIGNAL = {2, 130, 143}
"""Statuses of argparse, and of signals."""


def text_of(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text("utf-8")


def prose_of(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def code_in(page: Path) -> list[str]:
    """Return the words between single backticks."""
    return re.findall(r"`([^`\n]+)`", prose_of(page))


def rows_of(page: Path) -> list[list[str]]:
    """Return the cells of each row of each table."""
    rows = re.findall(r"^\| (.*) \|$", text_of(page), re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def anchors_of(page: Path) -> set[str]:
    """Return what links can name in a page: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def options() -> frozenset[str]:
    """Return all options of the program, in all their spellings."""
    parsers = (argument_parser(), *ledger_parsers())
    return frozenset(flag for each in parsers for flag in each._option_string_actions)


@cache
def names_of_package() -> frozenset[str]:
    """Return the names that modules and classes of the package define."""
    return frozenset(name for module in modules_of_package() for name in _defined(module.tree))


def _defined(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for child in node.body:
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield prefix + child.name
        if isinstance(child, ast.ClassDef):
            yield from _defined(child)
            yield from _defined(child, f"{child.name}.")
        targets = getattr(child, "targets", [getattr(child, "target", None)])
        yield from (prefix + each.id for each in targets if isinstance(each, ast.Name))


def is_known(word: str) -> bool:
    """Tell whether a page's word between backticks is there, or is none that can be missed."""
    if " " in word or re.fullmatch(r"[A-Z]\w+-\w+|url_downloader", word):
        return True  # a command, or a header field
    if word.startswith("-"):
        return word in options()
    if "/" in word or re.search(r"\.(md|py|toml|json)$", word):
        return (ROOT / word).exists()
    package = ROOT / "url_downloader" / word.replace(".", "/")
    is_module = package.is_dir() or package.with_suffix(".py").exists()
    return is_module or word.removesuffix("()") in names_of_package()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of the checkout, and to a heading in it, finds it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match("https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_short(page: Path) -> None:
    """No line has more than 100 characters but a row of a table, which can't be broken."""
    lines = text_of(page).splitlines()
    assert not [line for line in lines if len(line) > 100 and not line.startswith("|")]


def test_the_readme_is_read_in_two_minutes() -> None:
    """It has at most 150 lines, and links to each page."""
    text = text_of(README)
    assert len(text.splitlines()) <= 150
    assert [page.name for page in DOCS.iterdir() if f"](docs/{page.name})" not in text] == []


def test_the_picture_stands_alone() -> None:
    """It has the text of the display, and loads nothing from elsewhere."""
    picture = (DOCS / "display.svg").read_text("utf-8")
    assert "url-downloader" in picture
    assert "&#160;done,&#160;" in picture
    assert "@font-face" not in picture
    assert not re.search(r"(href=|url\()[\"']?https?:", picture)


@pytest.mark.parametrize("page", [ARCHITECTURE, CONTRIBUTING], ids=lambda page: page.name)
def test_what_is_named_is_there(page: Path) -> None:
    """Each path, module, class, function, constant and option exists."""
    words = code_in(page)
    assert len(words) > 20
    assert [word for word in words if not is_known(word)] == []


@pytest.mark.parametrize(
    "word",
    ["engine.no", "Nonsense", "nonsense()", "tests/nonsense.py", "--nonsense", "Cutoff.on()"],
)
def test_what_is_not_there_is_seen(word: str) -> None:
    """The test above can fail."""
    assert not is_known(word)


def test_the_tree_has_all_packages() -> None:
    """The tree of packages has each package and each module of the top level, and no other."""
    tree = re.search(r"```text\nurl_downloader/\n(.*?)```", text_of(ARCHITECTURE), re.DOTALL)
    assert tree is not None
    names = re.findall(r"^  ((?:\w+(?:\.py|/) *)+)", tree[1], re.MULTILINE)
    tops = {module.package for module in modules_of_package()} - {"__init__"}
    words = " ".join(names).split()
    assert {word.rstrip("/").removesuffix(".py") for word in words} == tops


@pytest.mark.parametrize("page", OUR_PAGES, ids=lambda page: page.name)
def test_options_are_there(page: Path) -> None:
    """Each long option that a page names is one of the parser."""
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", text_of(page)))
    assert named - options() == set()


def test_options_for_users_of_other_tools() -> None:
    """Each option of ours, in the last column of the tables, is one of the parser."""
    cells = [row[-1] for row in rows_of(COMING_FROM)]
    named = {word for cell in cells for word in re.findall(r"`(--?[\w-]+)", cell)}
    assert len(named) > 40
    assert named - options() == set()


def test_options_of_a_list() -> None:
    """The page on lists has each option of a URL, and no other."""
    named = [re.findall(r"`([\w-]+)`", row[0]) for row in rows_of(DOCS / "list-format.md")]
    assert {name for names in named for name in names} == OPTIONS


def test_host_rules() -> None:
    """The example on the page on hosts is a valid file, and so is each pattern of its table."""
    page = DOCS / "hosts.md"
    example = re.search(r"```text\n(# hosts.txt\n.*?)```", text_of(page), re.DOTALL)
    assert example is not None
    rules = parse_host_rules(example[1].encode().splitlines(), source=page.name)
    assert len(rules) == 5
    patterns = [match[1] for row in rows_of(page) if (match := re.fullmatch("`(.+)`", row[0]))]
    assert len(patterns) == 8
    for pattern in patterns:
        parse_host_pattern(pattern)


def test_kinds_of_failures() -> None:
    """The page on reports has each kind, and says whether another attempt follows."""
    written = text_of(DOCS / "reports.md").partition(END)[2]
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| (yes|no) \|$", written, re.MULTILINE)
    follows = {
        str(kind): decide(
            RetrySettings(),
            make_record(JobStatus.RUNNING),
            result=JobResult(kind=kind, http_status=200),
            jitter=lambda low, _: low,
        )
        for kind in ErrorKind
    }
    assert BEGIN not in written
    assert dict(rows) == {
        kind: "yes" if isinstance(decision, RetryIn) else "no"
        for kind, decision in follows.items()
    }


def test_metrics(tmp_path: Path) -> None:
    """The page on monitoring has each metric with its label, and no other."""
    rows = [row[0] for row in rows_of(DOCS / "monitoring.md")]
    named = {match[1] for row in rows if (match := re.fullmatch(r"`(\w+)(\{\w+\})?`", row))}
    path = tmp_path / "metrics.prom"
    snapshot = MetricsSnapshot(failures={"dns": 1}, http_statuses={200: 1})
    MetricsFile(path).write(make_state(metrics=snapshot), exit_status=0)
    families = text_string_to_metric_families(path.read_text("utf-8"))
    samples = {sample.name for family in families for sample in family.samples}
    assert {f"url_downloader_{name}" for name in named} == samples


def test_fields_of_the_status() -> None:
    """The page on the ledger has each field of the object of JSON, and no other."""
    ranking = Ranking([("http-404", 1)], 0, 0)
    states = {state.name.lower().replace("_", "-"): 0 for state in State}
    totals = Totals(states, size=0, causes=ranking, hosts=ranking)
    (line,) = as_json("ledger.db", totals, runs=[RunFacts(1, 0, None, None, {}, {})])
    rows = [row[0] for row in rows_of(DOCS / "ledger.md")]
    named = {match[1] for row in rows if (match := re.fullmatch(r"`([\w.\[\]-]+)`", row))}
    assert named == {*_fields(json.loads(line))}


def _fields(found: object, name: str = "") -> Iterator[str]:
    """Yield the full name of each field of a value of JSON; empty objects have no fields."""
    match found:
        case [first, *_]:
            yield from _fields(first, f"{name}[]")
        case dict() if found:
            for key, value in found.items():
                yield from _fields(value, f"{name}.{key}".lstrip("."))
        case _:
            yield name


def test_exit_statuses() -> None:
    """The README has each exit status, and no other."""
    rows = [row[0] for row in rows_of(README)]
    statuses = {int(each) for row in rows for each in row.split(", ") if each.isdigit()}
    ours = {value for name, value in vars(exit_status).items() if name.startswith("EXIT_")}
    assert statuses == ours | BY_SIGNAL


def test_no_one_is_sent_to_an_index() -> None:
    """No page or message says to install this program from an index: another has its name."""
    sources = [module.source for module in modules_of_package()]
    for text in (*map(text_of, PAGES), *sources):
        assert not re.search(r"pip install [^\n]*url[-_]downloader", text)
