"""Passwords, header values and cookies are in no output, whatever the trouble of a run."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.cli import CliResult, RunningCli, run_cli
from tests.support.output_folder import HIDDEN
from tests.support.proxies import http_proxy, socks_proxy
from tests.support.replies import Raw, Reply
from tests.support.scripted_server import ScriptedServer

SECRET = "S3CRET"
LATIN = SECRET.encode() + b"\xfc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A kind of trouble.

    Args:
        options: Options; `{dir}` is the test's folder, `{port}` the server's port.
        url: URL to download.
        env: Variables.
        file: Content of the file `{dir}/file`.
        status: Exit status of the run.
        words: Words of the message.
    """

    options: tuple[str, ...] = ()
    url: str = "http://127.0.0.1:{port}/a"
    env: dict[str, str] = field(default_factory=dict)
    file: bytes = b""
    status: int = 4
    words: str


TROUBLES = {
    "netrc": Trouble(
        options=("--netrc", "{dir}/file"),
        file=b"machine h login u\npassword x " + LATIN,
        status=3,
        words="file:2: the logins can't be read",
    ),
    "netrc-found": Trouble(
        env={"NETRC": "{dir}/file"}, file=LATIN, status=0, words="file:1: the logins can't be"
    ),
    "netrc-latin-1": Trouble(
        options=("--netrc", "{dir}/file"),
        file=b"machine h password " + LATIN,
        status=0,
        words="1 downloaded",
    ),
    "cookies": Trouble(
        options=("--cookies", "{dir}/file"), file=LATIN, status=3, words="Netscape's format"
    ),
    "cookies-line": Trouble(
        options=("--cookies", "{dir}/file"),
        file=b"127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t" + LATIN + b"\n" + LATIN,
        status=0,
        words="file: not in Netscape's format, skipped: lines 2",
    ),
    "headers": Trouble(
        options=("-H", "@{dir}/file"),
        file=b"A: 1\nB: " + LATIN,
        status=2,
        words="file:2: the header is not UTF-8",
    ),
    "headers-nul": Trouble(
        options=("-H", "@{dir}/file"),
        file=b"A: " + SECRET.encode() + b"\0",
        status=2,
        words="file:1: not a header",
    ),
    "header": Trouble(
        options=("-H", os.fsdecode(b"A: " + LATIN)), status=2, words="not a header"
    ),
    "agent": Trouble(options=("-U", os.fsdecode(LATIN)), status=2, words="-U"),
    "proxy": Trouble(
        options=("--proxy", f"http://u:{SECRET}#x@h"),
        status=2,
        words="--proxy: the proxy's URL",
    ),
    "proxy-variable": Trouble(
        env={"http_proxy": f"http://u:{SECRET}#x@h"}, words="http_proxy: the proxy's URL"
    ),
    "proxy-not-there": Trouble(
        env={"http_proxy": f"http://u:{SECRET}@127.0.0.1:9"}, words="the proxy 127.0.0.1:"
    ),
    "proxy-socks-not-there": Trouble(
        env={"all_proxy": f"socks5h://u:{SECRET}@127.0.0.1:9"}, words="the proxy 127.0.0.1:"
    ),
    "proxy-unknown-host": Trouble(
        env={"http_proxy": f"http://u:{SECRET}@no-such-host.invalid:9"},
        words="the proxy no-such-host.invalid:9 failed",
    ),
    "login": Trouble(url=f"http://u:{SECRET}@127.0.0.1:9/a", words="connection refused"),
    "login-tls": Trouble(url=f"https://u:{SECRET}@127.0.0.1:{{port}}/a", words="1 failed"),
    "login-bad-host": Trouble(url=f"http://u:{SECRET}@{'a' * 64}.test/a", words="list.txt:1"),
    "redirect": Trouble(url="http://127.0.0.1:{port}/redirect", words="redirect"),
    "redirect-host": Trouble(url="http://127.0.0.1:{port}/redirect-host", words="1 failed"),
    "set-cookie": Trouble(
        url="http://127.0.0.1:{port}/set-cookie", status=0, words="1 downloaded"
    ),
    "set-cookie-nul": Trouble(
        url="http://127.0.0.1:{port}/set-cookie-nul", words="not a header line"
    ),
    "redirect-login-cut": Trouble(
        url="http://127.0.0.1:{port}/redirect-login-cut", words="redirect to an unusable URL"
    ),
    "redirect-signature": Trouble(
        url="http://127.0.0.1:{port}/redirect-signature", words="redirect to an unusable URL"
    ),
    "cookies-themselves": Trouble(
        options=("--cookies", f"session={SECRET}"), status=3, words="--cookies: the cookies"
    ),
    "certificate-password": Trouble(
        options=("--cert", f"{{dir}}/file:{SECRET}"), status=3, words="password is not taken"
    ),
    "key-password": Trouble(
        options=("--cert", "{dir}/file", "--key", f"{{dir}}/file:{SECRET}"),
        status=3,
        words="password is not taken",
    ),
    "bundle": Trouble(
        options=("--ca-cert", "{dir}/file"), file=LATIN, status=3, words="file can't be read"
    ),
    "certificate": Trouble(
        options=("--cert", "{dir}/file"), file=LATIN, status=3, words="no certificate"
    ),
}


@pytest.fixture
def site(server: ScriptedServer) -> ScriptedServer:
    """Return a server that sends secrets."""
    server.play("/a", Reply(body=b"x"))
    server.play("/redirect", Reply(status=302, headers={"Location": f"ftp://u:{SECRET}@h/"}))
    long_host = f"http://u:{SECRET}@{'a' * 64}.test/"
    server.play("/redirect-host", Reply(status=302, headers={"Location": long_host}))
    cut_login = f"http://u:a/{SECRET}@h/"
    server.play("/redirect-login-cut", Reply(status=302, headers={"Location": cut_login}))
    signed = f"https://a b/c?X-Amz-Signature={SECRET}"
    server.play("/redirect-signature", Reply(status=302, headers={"Location": signed}))
    absurd = f"a={SECRET}; Max-Age={'9' * 5000}; Expires=Fri, 01 Jan 99999999 00:00:00 GMT"
    server.play("/set-cookie", Reply(body=b"x", headers={"Set-Cookie": absurd}))
    cut = f"HTTP/1.1 200 OK\r\nSet-Cookie: a={SECRET}\0\r\n\r\n".encode()
    server.play("/set-cookie-nul", Raw(cut))
    return server


@pytest.mark.parametrize("name", TROUBLES)
def test_no_secret_is_shown(site: ScriptedServer, tmp_path: Path, name: str) -> None:
    """Neither the screen with -v nor log, report, lock and ledger have a secret."""
    trouble = TROUBLES[name]

    def filled(text: str) -> str:
        return text.replace("{dir}", str(tmp_path)).replace("{port}", str(site.port))

    (tmp_path / "file").write_bytes(trouble.file)
    (tmp_path / "list.txt").write_text(filled(trouble.url))
    result = run_logged(
        tmp_path,
        *[filled(option) for option in trouble.options],
        env={key: filled(value) for key, value in trouble.env.items()},
    )
    assert result.status == trouble.status, result
    assert trouble.words in result.stderr


@pytest.mark.parametrize("kind", ["http", "socks"])
def test_the_login_of_a_proxy(site: ScriptedServer, tmp_path: Path, kind: str) -> None:
    """A refused login is sent once; the message says where to put the right one."""
    (tmp_path / "list.txt").write_text(site.url("/a"))
    with http_proxy() if kind == "http" else socks_proxy() as proxy:
        env = {"all_proxy": proxy.url(password=SECRET)}
        result = run_logged(tmp_path, "--max-retries", "3", env=env)
    assert len(proxy.asked) == 1
    assert (result.status, result.causes) == (4, {"proxy-refused": 1})
    assert "--proxy" in result.stderr


def run_logged(tmp_path: Path, *options: str, env: dict[str, str]) -> CliResult:
    """Run list.txt with all outputs, and check that none has a secret."""
    result = run_cli(
        *("-v", "-d", str(tmp_path / "out"), "--max-retries", "0"),
        *(f"--{each}={tmp_path / each}" for each in ("log-file", "report", "lock")),
        *options,
        tmp_path / "list.txt",
        env=env,
    )
    assert not result.has_traceback, result
    said = {"screen": result.stdout + result.stderr}
    for written in ("log-file", "report", "lock"):
        if (tmp_path / written).exists():
            said[written] = (tmp_path / written).read_text("utf-8", "replace")
    for path in (tmp_path / "out" / HIDDEN).glob("*"):
        said[path.name] = path.read_text("utf-8", "replace")
    assert {place for place, text in said.items() if SECRET in text} == set(), result
    assert "Warning" not in said["screen"]
    return result


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Return a FIFO without a writer."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@pytest.mark.parametrize("option", ["--netrc", "--cookies", "NETRC"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_a_fifo(
    site: ScriptedServer, tmp_path: Path, fifo: Path, option: str, number: signal.Signals
) -> None:
    """The first signal ends the run in order, though the FIFO has no writer."""
    (tmp_path / "list.txt").write_text(site.url("/a"))
    named = () if option == "NETRC" else (option, fifo)
    env = {"NETRC": str(fifo)} if option == "NETRC" else {}
    arguments = ("-v", "-d", tmp_path / "out", *named, tmp_path / "list.txt")
    with RunningCli(*arguments, env=env) as run:
        # This returns once the program has opened the FIFO; nothing is written to it.
        writer = os.open(fifo, os.O_WRONLY)
        run.signal(number)
        result = run.wait()
        os.close(writer)
    assert result.status == 128 + number
    assert site.count() == 0


def test_secrets_out_of_a_pipe(site: ScriptedServer, tmp_path: Path) -> None:
    """Each file may be the `<(...)` of a shell."""
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login u password {SECRET}")
    (tmp_path / "cookies").write_text(f"127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t{SECRET}")
    (tmp_path / "headers").write_text(f"X-Key: {SECRET}")
    script = (
        f'python="$1"; shift; exec "$python" main.py "$@" --netrc <(cat {tmp_path}/netrc)'
        f" --cookies <(cat {tmp_path}/cookies) -H @<(cat {tmp_path}/headers)"
    )
    program = ("bash", "-c", script, "bash", sys.executable)
    result = run_cli(
        "-d", tmp_path / "out", "-", program=program, stdin=site.url("/a").encode()
    )
    assert result.status == 0, result
    (request,) = site.requests()
    assert request.header("Cookie") == f"a={SECRET}"
    assert request.header("X-Key") == SECRET
    assert str(request.header("Authorization")).startswith("Basic ")


def test_cookies_are_the_runs(server: ScriptedServer, tmp_path: Path) -> None:
    """A cookie that one URL sets is sent with all that follow, unless it is forbidden."""
    server.play("/gate", Reply(status=302, headers={"Location": "/0", "Set-Cookie": "in=1"}))
    for name in range(4):
        server.play(f"/{name}", Reply(body=b"x"))
    urls = "\n".join([server.url("/gate"), *(server.url(f"/{name}") for name in range(1, 4))])
    for options, expected in (((), "in=1"), (("--no-cookies",), None)):
        before = server.count()
        arguments = ("-w", "1", "-d", tmp_path / "out", *options, "-")
        assert run_cli(*arguments, stdin=urls.encode()).status == 0
        sent = [request.header("Cookie") for request in server.requests()[before:]]
        assert sent == [None, *[expected] * 4]
