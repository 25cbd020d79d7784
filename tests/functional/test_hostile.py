"""Hostile servers: each ends in an error of its kind, and never in the next URL's reply."""

from __future__ import annotations

import gzip
import random
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cli import run_cli
from tests.support.hostile import MIB, Afterthought, Over, Stay, endless, squeezed
from tests.support.in_process import PATIENT, Run
from tests.support.measured import MEASURED
from tests.support.output_folder import visible
from tests.support.raw_tcp import Talker, says
from tests.support.scripted_server import (
    Answer,
    Endless,
    Framing,
    Raw,
    Reply,
    Request,
    ScriptedServer,
    chunked,
)
from tests.support.waiting import wait_until
from url_downloader.config.settings import TransferSettings
from url_downloader.shared.models import DownloadJob, ErrorKind, JobRecord

KIB = 1 << 10
LIMIT = 100 * KIB
GOOD = b"the next file"
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = Reply(body=b"0123456789")
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture
def run(tmp_path: Path, ca_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return runs without a proxy, which trust the tests' own authority."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_bundle))
    return Run(tmp_path / "out")


def meet(run: Run, server: ScriptedServer, answer: Answer, *, stays: bool) -> ErrorKind | None:
    """Run a job with this answer, and one that must succeed; return the kind of the failure.

    Args:
        run: Runs for the jobs.
        server: Server of both jobs.
        answer: Answer to the first job.
        stays: Whether the server waits for the client to close the connection, which must
            happen before the second job begins.
    """
    left, was_left = threading.Event(), [not stays]
    delivery = Stay(answer.delivery, left) if stays else answer.delivery
    server.play("/bad", replace(answer, delivery=delivery))
    server.play("/good", Reply(body=GOOD))

    def jobs() -> Iterator[DownloadJob]:
        yield run.job("0", server.url("/bad"))
        was_left.append(left.wait(PATIENT) if stays else True)
        yield run.job("1", server.url("/good"))

    run.work(jobs())
    assert was_left[-1], "the client has not closed the connection"
    assert run.files == {"1": GOOD}
    return kind_of(run.ended["0"])


def kind_of(record: JobRecord) -> ErrorKind | None:
    """Return the kind of the failure of a job."""
    assert record.result is not None
    return record.result.kind


INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
HEADERS: Mapping[str, Raw] = {
    "headers without end": endless(OK, b"X-Header: 0123456789\r\n"),
    "one header without end": endless(OK + b"X-Header: ", b"x" * 4096),
    "a folded header without end": endless(OK + b"X-Header: x\r\n", b" x\r\n"),
    "a header name without end": endless(OK, b"x" * 4096),
    "a status line without end": endless(b"HTTP/1.1 200 ", b"x" * 4096),
    "a header of 300 KB": Raw(OK + b"X: " + b"x" * 300_000 + b"\r\n" + b"\r\n"),
    "a Location of 300 KB": Raw(
        b"HTTP/1.1 302 Found\r\nLocation: /" + b"x" * 300_000 + b"\r\n\r\n"
    ),
    "many headers": Raw(OK + b"X: x\r\n" * 50_000 + b"\r\n"),
    "10000 interim replies": Raw(INTERIM * 10_000 + WHOLE.message),
    "10000 times 100": Raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + WHOLE.message),
    "interim replies without end": endless(b"", INTERIM),
}
MALFORMED: Mapping[str, Raw] = {
    "NUL in a header": Raw(OK + b"X: a\0b\r\n\r\n"),
    "NUL in a header name": Raw(OK + b"X\0Y: a\r\n\r\n"),
    "ESC in a header name": Raw(OK + b"X\x1b[31m: a\r\n\r\n"),
    "BEL in a header name": Raw(OK + b"\x07X: a\r\n\r\n"),
    "a blank in a header name": Raw(OK + b"X Y: a\r\n\r\n"),
    "beyond ASCII in a header name": Raw(OK + b"X\xff: a\r\n\r\n"),
    "no name": Raw(OK + b": a\r\n\r\n"),
    "a reply inside the headers": Raw(OK + OK + b"\r\n"),
    "two lengths": Raw(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
    "an unknown coding": Raw(OK + b"Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n"),
    "a chunk size without end": endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 4096
    ),
    "a chunk extension without end": endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * 4096
    ),
    "trailers without end": endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-Trailer: x\r\n"
    ),
}
OTHERS: Mapping[str, Raw] = {
    "SSH": Raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "SMTP": Raw(b"220 mail.example.org ESMTP\r\n"),
    "FTP": Raw(b"220-welcome\r\n220 ready\r\n"),
    "ICY": Raw(b"ICY 200 OK\r\nicy-name: radio\r\n\r\n0123456789"),
    "RTSP": Raw(b"RTSP/1.0 200 OK\r\n\r\n"),
    "HTTP/0.9": Raw(b"<html>\r\n<body>hello</body>\r\n</html>\r\n"),
    "HTTP/2 preface": Raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2 status line": Raw(b"HTTP/2 200 OK\r\n\r\n"),
    "lower case": Raw(b"http/1.1 200 OK\r\n\r\n"),
    "no status": Raw(b"HTTP/1.1 OK\r\n\r\n"),
    "a status of four digits": Raw(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "a status below 100": Raw(b"HTTP/1.1 099 OK\r\n\r\n"),
    "NUL in the reason": Raw(b"HTTP/1.1 200 O\0K\r\n\r\n"),
    "an interim reply, then garbage": Raw(INTERIM + b"garbage\r\n"),
    "garbage without end": endless(b"\xfe", random.Random(1).randbytes(4096)),
    "a line without end": endless(b"", b"x" * 4096),
}
# Only the close of the connection shows that no more of the first line will come.
CUT_SHORT: Mapping[str, tuple[Raw, ErrorKind]] = {
    "nothing": (Raw(b""), ErrorKind.RESET),
    "garbage": (Raw(random.Random(2).randbytes(10_000)), ErrorKind.NOT_HTTP),
    "one byte": (Raw(b"\xff"), ErrorKind.NOT_HTTP),
    "a TLS alert": (Raw(b"\x15\x03\x01\x00\x02\x02\x46"), ErrorKind.NOT_HTTP),
    "HTTP/2 settings": (Raw(b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\xff\xff"), ErrorKind.NOT_HTTP),
    "headers": (Raw(OK + b"X: y\r\n"), ErrorKind.TRUNCATED),
}
KINDS = {
    ErrorKind.HEADERS_TOO_LARGE: HEADERS,
    ErrorKind.MALFORMED: MALFORMED,
    ErrorKind.NOT_HTTP: OTHERS,
}
REPLIES = {
    name: (raw, kind) for kind, replies in KINDS.items() for name, raw in replies.items()
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_is_no_reply(run: Run, server: ScriptedServer, name: str) -> None:
    """The failure has its kind, the client closes the connection, and the next job succeeds."""
    answer, kind = REPLIES[name]
    assert meet(run, server, answer, stays=True) is kind


@pytest.mark.parametrize("name", CUT_SHORT)
def test_what_ends_too_soon(run: Run, server: ScriptedServer, name: str) -> None:
    """A close within an invalid reply has another kind than a lost connection."""
    answer, kind = CUT_SHORT[name]
    assert meet(run, server, answer, stays=False) is kind


def test_redirects_without_end(run: Run, server: ScriptedServer) -> None:
    """Redirects to ever new URLs are followed up to their bound."""

    def further(request: Request) -> Answer:
        return Reply(status=302, headers={"Location": f"/bad?{request.ordinal}"})

    server.play("/bad", further)
    assert kind_of(run.fetch(server.url("/bad"))) is ErrorKind.REDIRECT
    assert server.count() == 1 + run.transfer.max_redirects


@pytest.mark.parametrize("hops", [1, 2, 5])
def test_redirects_in_a_circle(run: Run, server: ScriptedServer, hops: int) -> None:
    """A cycle of redirects ends at their bound, as one may lead back to its URL."""
    for hop in range(hops):
        target = f"/{(hop + 1) % hops}"
        server.play(f"/{hop}", Reply(status=302, headers={"Location": target}))
    assert kind_of(run.fetch(server.url("/0"))) is ErrorKind.REDIRECT
    assert server.count() == 1 + run.transfer.max_redirects


@pytest.mark.parametrize("digits", [18, 19, 5000])
def test_a_length_of_many_digits(run: Run, server: ScriptedServer, digits: int) -> None:
    """Any length is accepted of a reply that has no body."""
    head = b"HTTP/1.1 204 No Content\r\nContent-Length: %b\r\n\r\n" % (b"9" * digits)
    server.play("/a", Raw(head))
    assert kind_of(run.fetch(server.url("/a"))) is None
    assert run.files == {"0": b""}


BLOCK = bytes(64 * KIB)
CHUNK = chunked(BLOCK).removesuffix(b"0\r\n\r\n")
CHUNKED_HEAD = Reply(framing=Framing.CHUNKED).head
TOO_LARGE: Mapping[str, Answer] = {
    "said": Reply(
        body=BLOCK,
        framing=Framing.CLOSE,
        headers={"Content-Length": f"{1 << 50}"},
        delivery=Endless(),
    ),
    "not said": Reply(body=BLOCK, framing=Framing.CLOSE, delivery=Endless()),
    "chunks": endless(CHUNKED_HEAD, CHUNK),
    "a huge chunk": endless(CHUNKED_HEAD + b"fffffffffffffff\r\n", BLOCK),
    "tiny chunks": endless(CHUNKED_HEAD, b"1\r\nx\r\n" * 10_000),
    "decoded": Reply(body=gzip.compress(bytes(LIMIT + 1)), framing=Framing.CLOSE, headers=GZIP),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_body_without_end(run: Run, server: ScriptedServer, name: str) -> None:
    """A body is read up to --max-filesize, and nothing of it is kept."""
    run.transfer = TransferSettings(max_filesize=LIMIT)
    assert meet(run, server, TOO_LARGE[name], stays=True) is ErrorKind.TOO_LARGE


MEMBER = squeezed(10)
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "gzip": lambda: squeezed(80),
    "gzip, many members": lambda: MEMBER * 8,
    "gzip, small members": lambda: squeezed(1) * 80,
    "X-GZip": lambda: MEMBER * 8,
    "deflate": lambda: squeezed(80, bits=15),
    "deflate, raw": lambda: squeezed(80, bits=-15),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb(run: Run, server: ScriptedServer, name: str) -> None:
    """A bomb is detected long before it fills a disk, and nothing of it is kept."""
    coding = {"Content-Encoding": name.partition(",")[0]}
    reply = Reply(body=BOMBS[name](), headers=coding, framing=Framing.CLOSE)
    assert meet(run, server, reply, stays=True) is ErrorKind.BOMB


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_a_framed_bomb(run: Run, server: ScriptedServer, framing: Framing) -> None:
    """A bomb is detected with any framing."""
    reply = Reply(body=MEMBER * 8, headers=GZIP, framing=framing)
    assert meet(run, server, reply, stays=False) is ErrorKind.BOMB


def test_a_bomb_without_end(run: Run, server: ScriptedServer) -> None:
    """A bomb that never ends is detected as soon as any other."""
    reply = Reply(body=MEMBER, headers=GZIP, framing=Framing.CLOSE, delivery=Endless())
    assert meet(run, server, reply, stays=True) is ErrorKind.BOMB


@pytest.mark.parametrize(
    ("body", "times"),
    [
        pytest.param(MEMBER, 6, id="below 64 MiB, whatever the ratio"),
        pytest.param(
            gzip.compress(random.Random(3).randbytes(12 * KIB) + bytes(MIB), 6),
            70,
            id="above 64 MiB, but less than a hundredfold",
        ),
    ],
)
def test_what_is_no_bomb(run: Run, server: ScriptedServer, body: bytes, times: int) -> None:
    """A body that is only compressed well is decoded."""
    server.play("/a", Reply(body=body * times, headers=GZIP))
    result = run.fetch(server.url("/a")).result
    assert result is not None
    assert (result.kind, result.size) == (None, len(gzip.decompress(body)) * times)


TALKS = {
    "a whole reply": WHOLE.message,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "SMTP": b"220 mail.example.org ESMTP\r\n",
    "garbage": random.Random(4).randbytes(1000),
}


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each connection wait until its server has sent something."""
    connect = socket.socket.connect_ex

    def connect_and_wait(self: socket.socket, address: tuple[str, int]) -> int:
        code = connect(self, address)
        select.select([self], [], [], PATIENT)
        return code

    monkeypatch.setattr(socket.socket, "connect_ex", connect_and_wait)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("stays", [True, False], ids=["stays", "closes"])
@pytest.mark.parametrize("talk", TALKS)
def test_a_reply_before_the_request(run: Run, talk: str, *, stays: bool) -> None:
    """Bytes that come before the request are no reply to it, even if they are valid."""
    with Talker(says(TALKS[talk], stays=stays)) as talker:
        kind = kind_of(run.fetch(talker.url("/a")))
    assert kind is ErrorKind.PREMATURE_REPLY
    assert run.files == {}


@pytest.mark.parametrize("talk", ["SSH", "SMTP"])
def test_a_banner(run: Run, talk: str) -> None:
    """A banner is recognized as another protocol, whichever side sends first."""
    with Talker(says(TALKS[talk])) as talker:
        kind = kind_of(run.fetch(talker.url("/a")))
    assert kind in (ErrorKind.PREMATURE_REPLY, ErrorKind.NOT_HTTP)


STOLEN = Reply(body=b"not what was asked for").message


@pytest.mark.parametrize("extra", [STOLEN, STOLEN[:30], b"\r\n", b"x", bytes(20_000)])
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_more_than_one_reply(
    run: Run, server: ScriptedServer, extra: bytes, framing: Framing
) -> None:
    """Bytes that come with a reply, after its end, are not the reply to the next URL."""
    reply = Reply(body=b"first", framing=framing)
    server.play("/0", Raw(reply.message + extra, keep_alive=True))
    server.play("/1", Reply(body=GOOD))
    run.fetch(server.url("/0"), server.url("/1"))
    assert run.files == {"0": b"first", "1": GOOD}


@pytest.mark.parametrize("extra", [STOLEN, STOLEN[:30], b"\r\n", b"x"])
def test_a_reply_that_nobody_asked_for(run: Run, server: ScriptedServer, extra: bytes) -> None:
    """Bytes that come on an idle connection are not the reply to the next URL."""
    may_go_on, said = threading.Event(), threading.Event()
    server.play("/0", Reply(body=b"first", delivery=Afterthought(extra, may_go_on, said)))
    server.play("/1", Reply(body=GOOD))

    def jobs() -> Iterator[DownloadJob]:
        yield run.job("0", server.url("/0"))
        wait_until(lambda: "0" in run.ended, what="the end of the first job")
        may_go_on.set()
        said.wait(PATIENT)
        yield run.job("1", server.url("/1"))

    run.work(jobs())
    assert said.is_set()
    assert run.files == {"0": b"first", "1": GOOD}
    assert server.connections == 2


ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
NO_TLS = {
    "HTTP": says(Reply(status=400, body=b"what?").message, waits=True, stays=False),
    "HTTP at once": says(WHOLE.message),
    "SSH": says(TALKS["SSH"]),
    "garbage": says(TALKS["garbage"]),
    "an alert": says(ALERT, waits=True, stays=False),
    "the start of a record": says(b"\x16\x03\x01\xff\xff" + bytes(100), stays=False),
}


@pytest.mark.parametrize("talk", NO_TLS)
def test_no_tls_where_it_should_be(run: Run, talk: str) -> None:
    """An https port that does not speak TLS gives an error of TLS."""
    with Talker(NO_TLS[talk]) as talker:
        kind = kind_of(run.fetch(talker.url("/a", scheme="https")))
    assert kind is ErrorKind.TLS


def test_tls_where_none_should_be(run: Run, tls_server: ScriptedServer) -> None:
    """An http URL of a TLS port is no HTTP, if the server sends at least an alert."""
    with Talker(says(ALERT, waits=True, stays=False)) as talker:
        record = run.fetch(talker.url("/a"))
    assert kind_of(record) is ErrorKind.NOT_HTTP
    assert "https" in str(record.result)
    other = run.fetch(tls_server.url("/a").replace("https:", "http:"))
    assert kind_of(other) in (ErrorKind.NOT_HTTP, ErrorKind.RESET)


EVIL = "\x1b]0;title\x07\x1b[31m\x9b31m\x7f"
EVIL_BYTES = EVIL.encode("latin-1")
EVIL_REPLIES: Mapping[str, Answer] = {
    "reason": Raw(b"HTTP/1.1 404 " + EVIL_BYTES + b"\r\nContent-Length: 0\r\n\r\n"),
    "status": Raw(EVIL_BYTES + b"\r\n"),
    "header": Raw(OK + EVIL_BYTES + b"\r\n\r\n"),
    "chunk": Raw(CHUNKED_HEAD + EVIL_BYTES + b"\r\n"),
    "location": Reply(status=302, headers={"Location": f"ftp://{EVIL}/{EVIL}"}),
    "missing": Reply(status=302, headers={"Location": f"/{EVIL}"}),
    "cookie": Reply(status=404, headers={"Set-Cookie": f"{EVIL}={EVIL}"}),
    "wait": Reply(status=503, headers={"Retry-After": EVIL}),
    "type": Reply(headers={"Content-Type": f"text/{EVIL}"}),
    "coding": Reply(headers={"Content-Type": "text/x", "Content-Encoding": EVIL}),
    "transfer": Reply(headers={"Transfer-Encoding": EVIL}),
    "length": Reply(framing=Framing.CLOSE, headers={"Content-Length": EVIL}),
    "range": Reply(status=206, headers={"Content-Range": EVIL}),
    "bytes": Reply(status=206, headers={"Content-Range": f"bytes 0-1/{EVIL}"}),
}
EVIL_NAME = Reply(
    body=GOOD,
    headers={
        "Content-Type": "text/x",
        "Content-Disposition": f'attachment; filename="{EVIL}.txt"',
    },
)


def test_nothing_steers_the_terminal(server: ScriptedServer, tmp_path: Path) -> None:
    """No control character of a reply reaches stderr or a file name, even with -v."""
    for name, answer in {**EVIL_REPLIES, "name": EVIL_NAME}.items():
        server.play(f"/{name}", answer)
    urls = "".join(f"{server.url(f'/{name}')}\n" for name in [*EVIL_REPLIES, "name"])
    options = ("-v", "--content-disposition", "--expect-type=text/x", "--max-retries=0")
    result = run_cli("-", "-d", tmp_path / "out", *options, stdin=urls.encode())
    assert result.totals is not None, result
    assert (result.totals.downloaded, result.totals.failed) == (1, len(EVIL_REPLIES)), result
    shown = result.stdout + result.stderr
    assert {c for c in shown if not c.isprintable()} <= {"\n"}, result
    (file,) = visible(tmp_path / "out")
    assert file.name.isprintable()


@pytest.mark.parametrize("is_trusted", [False, True], ids=["", "--location-trusted"])
@pytest.mark.parametrize("login", ["", "user:p4ssw0rd@"], ids=["header", "URL"])
def test_whom_secrets_are_told(
    server: ScriptedServer, tmp_path: Path, *, login: str, is_trusted: bool
) -> None:
    """Headers and credentials follow a redirect to another origin only if it is trusted."""
    own = {"X-Key": "k", "Cookie": "c=1"} | ({} if login else {"Authorization": "Bearer t"})
    wanted = {**own, "Authorization": "Basic dXNlcjpwNHNzdzByZA=="} if login else own
    lines = "".join(f"  header={name}: {value}\n" for name, value in own.items())
    entry = f"{server.url('/a').replace('//', f'//{login}')}\n{lines}"
    flags = ["--location-trusted"] if is_trusted else []
    with ScriptedServer({"/b": Reply(body=GOOD)}) as other:
        server.play("/a", Reply(status=302, headers={"Location": other.url("/b")}))
        result = run_cli("-", "-d", tmp_path / "out", "-v", *flags, stdin=entry.encode())
        requests = [*server.requests(), *other.requests()]
    assert result.status == 0, result
    assert "p4ssw0rd" not in result.stderr
    sent = [{name: request.header(name) for name in wanted} for request in requests]
    assert sent == [wanted, wanted if is_trusted else dict.fromkeys(wanted)]


FLOODS: Mapping[str, Answer] = {
    **{name: raw for name, (raw, _) in REPLIES.items() if isinstance(raw.delivery, Over)},
    **{name: TOO_LARGE[name] for name in ("said", "not said", "chunks", "a huge chunk")},
    "a bomb": Reply(body=MEMBER, headers=GZIP, framing=Framing.CLOSE, delivery=Endless()),
    "an error page": Reply(status=404, body=BLOCK, framing=Framing.CLOSE, delivery=Endless()),
}


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the peak")
def test_memory_is_bounded(server: ScriptedServer, tmp_path: Path) -> None:
    """Floods of all kinds at once take about as much memory as many small files."""
    peaks = []
    for answers in (dict.fromkeys(FLOODS, WHOLE), FLOODS):
        for number, answer in enumerate(answers.values()):
            server.play(f"/{number}", answer)
        urls = "".join(f"{server.url(f'/{number}')}\n" for number in range(len(FLOODS)))
        options = ("-q", f"-w{len(FLOODS)}", "--max-filesize=70M", "--max-retries=0")
        result = run_cli(
            *("-", "-d", tmp_path / "out", *options), program=MEASURED, stdin=urls.encode()
        )
        assert result.status in (0, 4), result
        peaks.append(int(result.stdout))
    assert peaks[1] - peaks[0] < 24 * MIB
