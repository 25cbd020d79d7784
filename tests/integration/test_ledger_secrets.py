"""Secrets and the ledger: no login, token, cookie or signature is in its files."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import run_cli
from tests.support.output_folder import HIDDEN
from tests.support.scripted_server import Reply, ScriptedServer

SIGNATURES = (
    "X-Amz-Algorithm=A&X-Amz-Credential=S3CR3T1&X-Amz-Signature=S3CR3T2",
    "X-Goog-Algorithm=A&X-Goog-Credential=S3CR3T3&X-Goog-Signature=S3CR3T4",
    "AWSAccessKeyId=S3CR3T5&Expires=1&Signature=S3CR3T6",
    "sv=2020&se=2&sp=r&sig=S3CR3T7",
    "Policy=S3CR3T8&Signature=S3CR3T9&Key-Pair-Id=S3CR3T10",
)


def test_no_secret_is_in_the_ledger(server: ScriptedServer, tmp_path: Path) -> None:
    """After a run with every kind of secret, the bytes of the ledger have none of them."""
    out, cookies = tmp_path / "out", tmp_path / "cookies"
    cookies.write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tS3CR3T11\n")
    targets = [f"/{number}?{fields}" for number, fields in enumerate(SIGNATURES)]
    lines = [server.url(target) for target in targets]
    lines += [server.url("/a").replace("://", "://S3CR3T12:S3CR3T13@")]
    lines += [server.url("/b"), "  header=Authorization: Bearer S3CR3T14"]
    lines += [f"{server.url('/c')}#S3CR3T15", server.url("/gone?token=known")]
    for target in [*targets, "/a", "/b", "/c"]:
        headers = {"Set-Cookie": "session=S3CR3T16", "ETag": '"tag"'}
        server.play(target, Reply(body=b"x", headers=headers))
    options = (
        "-H",
        "X-Token: S3CR3T17",
        "--cookies",
        cookies,
        "--referer",
        "http://h/?S3CR3T18",
    )
    result = run_cli("-", "-d", out, *options, stdin="\n".join(lines).encode())
    assert result.status == 1, result
    files = {path.name: path.read_bytes() for path in (out / HIDDEN).iterdir()}
    assert sorted(files) == ["ledger.db", "ledger.lock"]
    assert b"S3CR3T" not in b"".join(files.values())
    # What is no secret is there, so that the test can fail.
    for known in (b"token=known", b'"tag"', b"***", b"/2", b"/3"):
        assert known in files["ledger.db"]
    for path in (out / HIDDEN).iterdir():
        assert path.stat().st_mode & 0o077 == 0
