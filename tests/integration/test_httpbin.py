"""Replies of a real httpbin, and the kinds of their results."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CliResult, run_cli
from tests.support.output_folder import visible

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


def download(base: str, path: str, target: Path) -> CliResult:
    """Run the program for one URL of httpbin, with one quick retry."""
    options = ("--max-retries", "1", "--retry-delay", "0.05")
    return run_cli("-", "-d", target, *options, stdin=f"{base}{path}\n".encode())


def downloaded(base: str, path: str, target: Path) -> bytes:
    """Download one URL at the first attempt; return the content of its file."""
    result = download(base, path, target)
    assert result.status == 0, result
    assert result.totals
    assert (result.totals.downloaded, result.totals.retries) == (1, 0)
    (file,) = visible(target)
    return file.read_bytes()


def downloaded_json(base: str, path: str, target: Path) -> dict[str, Any]:
    """Download one URL; return the object in its file."""
    content: dict[str, Any] = json.loads(downloaded(base, path, target))
    return content


@pytest.mark.parametrize(
    ("path", "name", "content"),
    [
        ("/status/200", "200", b""),
        ("/status/204", "204", b""),
        ("/status/205", "205", b""),
        ("/bytes/0", "0", b""),
        ("/range/1000", "1000", (ALPHABET * 39)[:1000]),
        ("/range/100000?chunk_size=777", "100000", (ALPHABET * 3847)[:100_000]),
        ("/drip?numbytes=20&duration=0.2", "drip", b"*" * 20),
        ("/base64/aGVsbG8=", "aGVsbG8=", b"hello"),
    ],
)
def test_success(httpbin: str, tmp_path: Path, path: str, name: str, content: bytes) -> None:
    """A whole 2xx becomes a file with its body, named after the URL's path."""
    assert downloaded(httpbin, path, tmp_path) == content
    assert [file.name for file in visible(tmp_path)] == [name]


def test_chunked_body_is_the_same(httpbin: str, tmp_path: Path) -> None:
    """A chunked body of unknown length equals the same body with a length."""
    plain = downloaded(httpbin, "/bytes/100000?seed=7", tmp_path / "plain")
    stream = "/stream-bytes/100000?seed=7&chunk_size=999"
    assert downloaded(httpbin, stream, tmp_path / "chunked") == plain
    assert len(plain) == 100_000


@pytest.mark.parametrize(
    "path",
    [
        "/redirect/3",
        "/relative-redirect/3",
        "/absolute-redirect/2",
        "/redirect-to?url=/get",
        "/status/302",
        "/redirect/20",
    ],
)
def test_redirects_are_followed(httpbin: str, tmp_path: Path, path: str) -> None:
    """The file is the target of the redirects, under the name of the listed URL."""
    assert downloaded_json(httpbin, path, tmp_path)["url"] == f"{httpbin}/get"
    (file,) = visible(tmp_path)
    assert file.name == path.partition("?")[0].rpartition("/")[2]


@pytest.mark.parametrize(
    ("path", "mark"), [("/gzip", "gzipped"), ("/deflate", "deflated"), ("/brotli", "brotli")]
)
def test_encoded_though_not_asked(httpbin: str, tmp_path: Path, path: str, mark: str) -> None:
    """No coding is asked for; a body that comes encoded is stored decoded."""
    content = downloaded_json(httpbin, path, tmp_path)
    assert content[mark] is True
    assert content["headers"]["Accept-Encoding"] == "identity"


def test_compressed_name_stays_compressed(httpbin: str, tmp_path: Path) -> None:
    """A file whose name is compressed is stored as it came."""
    (tmp_path / "list").write_text(f"{httpbin}/gzip\n  out=data.json.gz\n")
    result = run_cli(tmp_path / "list", "-d", tmp_path / "out")
    assert result.status == 0, result
    content = (tmp_path / "out" / "data.json.gz").read_bytes()
    assert json.loads(zlib.decompress(content, 31))["gzipped"] is True


def test_delay(httpbin: str, tmp_path: Path) -> None:
    """A slow reply is waited for."""
    assert downloaded_json(httpbin, "/delay/1", tmp_path)["url"] == f"{httpbin}/delay/1"


@pytest.mark.parametrize(
    ("path", "cause", "retries"),
    [
        ("/status/400", "http-400", 0),
        ("/status/404", "http-404", 0),
        ("/status/418", "http-418", 0),
        ("/status/429", "http-429", 0),
        ("/status/500", "http-500", 1),
        ("/status/503", "http-503", 1),
        ("/status/206", "unexpected-status", 0),
        ("/status/304", "unexpected-status", 0),
        ("/redirect/21", "redirect", 0),
        ("/redirect-to?url=ftp://127.0.0.1/file", "redirect", 0),
        ("/redirect-to?url=file:///etc/passwd", "redirect", 0),
        ("/drip?code=500&numbytes=1&duration=0", "http-500", 1),
    ],
)
def test_failure(httpbin: str, tmp_path: Path, path: str, cause: str, retries: int) -> None:
    """A failure has its cause, is retried where that can help, and leaves no file."""
    result = download(httpbin, path, tmp_path)
    assert result.status == 4, result
    assert not result.has_traceback, result
    assert result.causes == {cause: 1}
    assert result.totals
    assert (result.totals.failed, result.totals.retries) == (1, retries)
    assert visible(tmp_path) == []


def test_stall_is_a_timeout(httpbin: str, tmp_path: Path) -> None:
    """A server that is silent for longer than the URL's own timeout fails the job."""
    (tmp_path / "list").write_text(f"{httpbin}/delay/10\n  timeout=0.3\n  max-retries=0\n")
    result = run_cli(tmp_path / "list", "-d", tmp_path / "out", "--timeout", "60")
    assert result.status == 4, result
    assert result.causes == {"timeout": 1}


def test_headers_of_the_list(httpbin: str, tmp_path: Path) -> None:
    """Header lines of the list are sent for their URL only."""
    entries = (
        f"{httpbin}/headers\n  header=X-Token: one two\n{httpbin}/headers?plain\n  out=b\n"
    )
    (tmp_path / "list").write_text(entries)
    result = run_cli(tmp_path / "list", "-d", tmp_path / "out")
    assert result.status == 0, result
    sent, plain = (
        json.loads((tmp_path / "out" / name).read_text())["headers"]
        for name in ("headers", "b")
    )
    assert sent["X-Token"] == "one two"
    assert "X-Token" not in plain
