"""The library: what `download` does, and what it leaves unchanged."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import url_downloader
from tests.support.cli import ROOT, clean_environment
from tests.support.output_folder import visible
from tests.support.racing import frequent_switches
from tests.support.scripted_server import Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until
from url_downloader import (
    ConfigError,
    ErrorKind,
    Existing,
    HostRule,
    JobEvent,
    JobStatus,
    OutputError,
    RunSummary,
    Url,
    config,
    download,
)
from url_downloader import (
    api as library,
)
from url_downloader.config.host_settings import HostLimits
from url_downloader.config.overrides import settings_of, settings_with
from url_downloader.config.settings import Settings

PATIENT = 60.0


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, in another folder, where the package can be imported."""
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENT,
        check=False,
    )


def test_the_package_imports_little(tmp_path: Path) -> None:
    """A program that only needs the version imports no other module of the package."""
    code = (
        "import sys; before = set(sys.modules); import url_downloader;"
        "url_downloader.__version__; print(*sorted(set(sys.modules) - before))"
    )
    assert python(code, tmp_path).stdout.split() == [
        "url_downloader",
        "url_downloader.shared",
        "url_downloader.shared.version",
    ]


def test_exported_names() -> None:
    """Each name of `__all__` can be used, and another name is the usual error."""
    for name in url_downloader.__all__:
        assert getattr(url_downloader, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        url_downloader.nonsense  # noqa: B018


def examples(page: str) -> list[str]:
    """Return the Python programs of a page of the documentation."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_first_example(server: ScriptedServer, tmp_path: Path, page: str) -> None:
    """The example runs unchanged: it downloads one file, and prints one failure and no more."""
    server.play("/a.pdf", Reply(body=b"%PDF"))
    example = examples(page)[0]
    result = python(example.replace("https://example.org/", server.url("/")), tmp_path)
    assert (tmp_path / "papers" / "a.pdf").read_bytes() == b"%PDF"
    assert "404" in result.stdout
    assert server.url("/b.pdf") in result.stdout
    assert (result.returncode, result.stderr) == (1, "")


@pytest.mark.parametrize("example", examples("docs/library.md")[1:])
def test_other_examples(server: ScriptedServer, tmp_path: Path, example: str) -> None:
    """Each runs as it stands, and its files come."""
    server.play("/a.pdf", Reply(body=b"%PDF"))
    server.play("/b.pdf", Reply(body=b"%PDF"))
    result = python(example.replace("https://example.org/", server.url("/")), tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    (folder,) = tmp_path.iterdir()
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.pdf")}
    assert files >= {"a.pdf"} | ({"reports/b.pdf"} if "b.pdf" in example else set())


def test_files_and_options(server: ScriptedServer, tmp_path: Path) -> None:
    """URLs may have options, and listeners get the path of each file."""
    server.play("/a", Reply(body=b"1"))
    server.play("/b", Reply(body=b"2"))
    paths: list[str | None] = []

    def listen(event: JobEvent) -> None:
        if event.record.status is JobStatus.SUCCESS and event.record.result:
            paths.append(event.record.result.path)

    options: dict[str, object] = {
        "out": "c/d",
        "header": ["X-One: 1", "X-Two: 2"],
        "max_retries": 0,
    }
    urls: list[Url] = [
        server.url("/a"),
        (server.url("/b"), options),
        server.url("/a"),
        "",
        "# none",
    ]
    summary = download(urls, directory=str(tmp_path), listeners=[listen], max_workers=1)
    assert summary.is_success
    assert paths == [str(tmp_path / "a"), str(tmp_path / "c" / "d")]
    assert (tmp_path / "c" / "d").read_bytes() == b"2"
    (request,) = server.requests("/b")
    assert {("X-One", "1"), ("X-Two", "2")} <= set(request.headers)
    assert server.count() == 2


def test_rejected_urls(server: ScriptedServer, tmp_path: Path) -> None:
    """An invalid URL does not stop the run; the summary has its position and reason."""
    server.play("/a", Reply(body=b"1"))
    bad_out = (server.url("/b"), {"out": "../b"})
    urls: list[Url] = [
        "ftp://h/x",
        server.url("/a"),
        " out=../x",
        bad_out,
        "http://h/\n out=x",
        "\udce9",
    ]
    summary = download(urls, directory=tmp_path)
    assert summary.counts[JobStatus.SUCCESS] == 1
    assert not summary.is_success
    assert [each.line for each in summary.rejected] == [1, 3, 4, 5, 6]
    assert str(summary.rejected[0]).startswith("urls:1: not a valid http(s) URL")
    assert "'..'" in summary.rejected[2].reason


def test_failures_have_reasons(server: ScriptedServer, tmp_path: Path) -> None:
    """The summary has URL, kind and reason of each failed job."""
    summary = download([server.url("/gone")], directory=tmp_path)
    (record,) = summary.failures
    assert record.job.shown_url == server.url("/gone")
    assert record.result is not None
    assert record.result.kind is ErrorKind.CLIENT_ERROR
    assert "404" in record.reason
    assert not summary.is_success


def test_urls_are_read_lazily(server: ScriptedServer, tmp_path: Path) -> None:
    """A URL is downloaded before the caller yields the next one."""
    server.play("/a", Reply(body=b"1"))
    ended = threading.Event()

    def urls() -> Iterator[str]:
        yield server.url("/a")
        assert ended.wait(PATIENT)

    def listen(event: JobEvent) -> None:
        if event.record.status.is_terminal:
            ended.set()

    assert download(urls(), directory=tmp_path, listeners=[listen]).is_success


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_worker": 3}, "no setting 'max_worker'; did you mean 'max_workers'?"),
        ({"retry": None}, "no setting 'retry'"),
        ({"monitor": None}, "no setting 'monitor'"),
    ],
)
def test_unknown_settings(settings: dict[str, object], message: str) -> None:
    """An unknown setting is an error, which names the most similar one."""
    with pytest.raises(TypeError, match=re.escape(message)):
        download([], **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ("http://h/a", "put a single one into a list"),
        ([b"http://h/a"], "not bytes"),
        ([("http://h/a", {"outt": "b"})], "no option 'outt'; did you mean 'out'?"),
    ],
)
def test_wrong_urls(tmp_path: Path, urls: object, message: str) -> None:
    """A URL of the wrong type is a TypeError, not a failed download."""
    with pytest.raises(TypeError, match=re.escape(message)):
        download(urls, directory=tmp_path)  # type: ignore[arg-type]


def test_wrong_values(tmp_path: Path) -> None:
    """A value out of range is a ConfigError, an unusable directory an OutputError."""
    with pytest.raises(ConfigError, match="from 1 to 1024"):
        download([], max_workers=0)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        download([], directory=tmp_path / "file")


def test_settings_are_flat() -> None:
    """The names of settings are unique, and each value reaches its part."""
    names = [field.name for _, field in settings_of(Settings())]
    assert len(names) == len(set(names))
    changed = settings_with({"timeout": 5, "max_workers": 2, "existing": Existing.SKIP})
    assert changed.transfer.limits.timeout == 5
    assert (changed.pool.max_workers, changed.output.existing) == (2, Existing.SKIP)
    assert {field.name for field in fields(Settings())}.isdisjoint(names)


def test_settings_of_hosts() -> None:
    """Limits of hosts, and rules for some, are settings like others."""
    rule = HostRule(pattern="*.test", connections=0)
    settings = settings_with({"connections": 2, "rules": [rule], "outage_wait": 0}).hosts
    assert settings.limits_for(("http", "h", 80)) == HostLimits(connections=2)
    assert settings.limits_for(("http", "h.test", 80)) == HostLimits()
    assert settings.outage_wait == 0


def test_the_package_of_settings() -> None:
    """`url_downloader.config` hands out the classes of all settings under their old names."""
    values = {"AddressFamily", "Existing", "FixedAddress"}
    for name in config.__all__:
        assert is_dataclass(getattr(config, name)) or name in values
    assert config.Settings is Settings


def test_paths_of_settings() -> None:
    """Wherever a setting is a path, a string will do."""
    paths = settings_with({"directory": "d", "ca_cert": "a", "cert": "c", "key": "k"})
    assert paths.output.directory == Path("d")
    server = paths.server
    assert (server.ca_cert, server.cert, server.key) == (Path("a"), Path("c"), Path("k"))


def test_errors_of_the_urls(server: ScriptedServer, tmp_path: Path) -> None:
    """An exception of the caller's generator is raised after the run has ended in order."""
    server.play("/a", Reply(body=b"1", delivery=Stall(0)))

    def urls() -> Iterator[str]:
        yield server.url("/a")
        server.wait_for_requests(1)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        download(urls(), directory=tmp_path)


def interrupt_after_request(server: ScriptedServer) -> threading.Thread:
    """Start a thread that sends SIGINT once the server has a request."""
    main = threading.get_ident()

    def press() -> None:
        server.wait_for_requests(1)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.parametrize("is_reading", [False, True], ids=["downloading", "reading"])
def test_interrupt(server: ScriptedServer, tmp_path: Path, *, is_reading: bool) -> None:
    """Ctrl-C ends the run in order and is then raised, also while the caller's code blocks."""
    server.play("/a", Reply(body=b"1" * 9, delivery=Stall(4)))
    handler = signal.getsignal(signal.SIGINT)
    threads = set(threading.enumerate())
    ended: list[ErrorKind | None] = []

    def urls() -> Iterator[str]:
        yield server.url("/a")
        if is_reading:
            # In short waits: CPython misses a signal just before a long one begins.
            wait_until(lambda: False, what="Ctrl-C")

    def listen(event: JobEvent) -> None:
        if event.record.status.is_terminal and event.record.result:
            ended.append(event.record.result.kind)

    threads.add(presser := interrupt_after_request(server))
    with pytest.raises(KeyboardInterrupt):
        download(urls(), directory=tmp_path, listeners=[listen])
    presser.join()
    assert ended == [ErrorKind.INTERRUPTED]
    assert signal.getsignal(signal.SIGINT) is handler
    own = [each for each in set(threading.enumerate()) - threads if "scripted" not in each.name]
    assert own == []


@pytest.mark.parametrize("is_in_thread", [False, True], ids=["main", "thread"])
def test_a_program_ends_a_run(
    server: ScriptedServer, tmp_path: Path, *, is_in_thread: bool
) -> None:
    """`should_stop` ends the run in order; the summary says so, and finished files stay."""
    server.play("/a", Reply(body=b"whole"))
    server.play("/b", Reply(body=b"1" * 9, delivery=Stall(4)))
    urls = [server.url(path) for path in ("/a", "/b", *(f"/{n}" for n in range(100)))]
    stop = threading.Event()
    summaries: list[RunSummary] = []

    def run() -> None:
        summaries.append(
            download(urls, directory=tmp_path, max_workers=1, should_stop=stop.is_set)
        )

    def end() -> None:
        server.wait_for_requests(2)
        stop.set()

    other = threading.Thread(target=run if is_in_thread else end)
    other.start()
    (end if is_in_thread else run)()
    other.join()
    [summary] = summaries
    assert (summary.was_stopped, summary.is_success, summary.crash) == (True, False, None)
    assert (summary.counts[JobStatus.SUCCESS], summary.counts[JobStatus.FAILED]) == (1, 1)
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_an_asyncio_program_ends_a_run(server: ScriptedServer, tmp_path: Path) -> None:
    """A coroutine that runs `download` in a thread can end it."""
    server.play("/a", Reply(body=b"1" * 9, delivery=Stall(4)))
    stop = threading.Event()

    async def main() -> RunSummary:
        run = asyncio.to_thread(
            download, [server.url("/a")], directory=tmp_path, should_stop=stop.is_set
        )
        task = asyncio.create_task(run)
        await asyncio.to_thread(server.wait_for_requests, 1)
        stop.set()
        return await task

    summary = asyncio.run(main())
    assert summary.was_stopped


@pytest.mark.parametrize("calls", [1, 2, 7])
def test_should_stop_is_true_once(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """A `should_stop` that is True a single time has stopped the run, which is no success."""
    monkeypatch.setattr(library, "STOP_CHECK_INTERVAL", 0.0)
    urls = [server.url(f"/{n}") for n in range(30)]
    for n in range(30):
        server.play(f"/{n}", Reply(body=b"1"))
    answers = iter([False] * (calls - 1) + [True])
    summary = download(urls, directory=tmp_path, should_stop=lambda: next(answers, False))
    assert (summary.was_stopped, summary.is_success) == (True, False)
    assert summary.counts[JobStatus.SUCCESS] < 30


def test_should_stop_may_be_slow(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`should_stop` is called at intervals, not for each URL."""
    monkeypatch.setattr(library, "STOP_CHECK_INTERVAL", 3600.0)
    calls: list[None] = []
    urls = [server.url(f"/{n}") for n in range(30)]
    for n in range(30):
        server.play(f"/{n}", Reply(body=b"1"))

    def never() -> bool:
        calls.append(None)
        return False

    assert download(urls, directory=tmp_path, should_stop=never).is_success
    assert len(calls) == 1


def test_errors_of_should_stop(tmp_path: Path, server: ScriptedServer) -> None:
    """An exception of `should_stop` is raised after the run has ended in order."""
    server.play("/a", Reply(body=b"1"))

    def raising() -> bool:
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        download([server.url("/a")], directory=tmp_path, should_stop=raising)


def test_two_threads(server: ScriptedServer, tmp_path: Path) -> None:
    """Downloads in several threads are independent, and do not change signal handlers."""
    handler = signal.getsignal(signal.SIGINT)
    both = threading.Barrier(2)
    for path in ("/1", "/2"):
        server.play(path, Reply(body=path.encode()))
    results: dict[str, bool] = {}

    def urls(path: str) -> Iterator[str]:
        both.wait(PATIENT)
        assert signal.getsignal(signal.SIGINT) is handler
        yield server.url(path)
        both.wait(PATIENT)

    def run(path: str) -> None:
        results[path] = download(urls(path), directory=tmp_path).is_success

    threads = [threading.Thread(target=run, args=(path,)) for path in ("/1", "/2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {"/1": True, "/2": True}
    assert [path.name for path in visible(tmp_path)] == ["1", "2"]


def test_one_directory_for_many(tmp_path: Path) -> None:
    """Several downloads can begin and end in one new directory at the same time."""
    rounds, each = 40, 4
    at_once = threading.Barrier(each)
    results: list[bool | Exception] = []

    def run() -> None:
        for _ in range(rounds):
            at_once.wait(PATIENT)
            try:
                results.append(download([], directory=tmp_path / "new").is_success)
            except OutputError as error:
                results.append(error)

    threads = [threading.Thread(target=run) for _ in range(each)]
    with frequent_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * (rounds * each)


def test_logging_is_the_callers(tmp_path: Path, server: ScriptedServer) -> None:
    """A failure is logged, but handlers and levels of the program are not changed."""
    code = (
        "import logging; from url_downloader import download;"
        f"download([{server.url('/gone')!r}], directory='d');"
        "print(logging.getLogger().handlers, logging.getLogger('url_downloader').level)"
    )
    result = python(code, tmp_path)
    assert (result.stdout, result.stderr) == ("[] 0\n", "")
    assert logging.getLogger("url_downloader").propagate


def test_forbidden_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A proxy that would evade the check of addresses is an error before any request."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    unread = iter(["http://h.test/a"])
    with pytest.raises(ConfigError, match=r"http_proxy: .*NO_PROXY"):
        download(unread, directory=tmp_path / "d", is_public_only=True)
    with pytest.raises(ConfigError, match="--proxy: "):
        download(unread, directory=tmp_path / "d", proxy="h:1", is_public_only=True)
    assert [*unread] == ["http://h.test/a"]
    assert not (tmp_path / "d").exists()
    run = download([], directory=tmp_path / "d", is_public_only=True, is_proxy_trusted=True)
    assert run.is_success
