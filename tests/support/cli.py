"""The program as users run it: a process with arguments, streams, signals and a status."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
MAIN = (sys.executable, "main.py")
TIMEOUT = 90.0
_DUMP_TIMEOUT = 10.0
_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The numbers in the summary.

    Args:
        downloaded, failed, unfinished, total: Numbers of jobs.
        retries: Number of attempts after the first one of each job.
    """

    downloaded: int
    failed: int
    unfinished: int
    total: int
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CliResult:
    """The end of a run of the program.

    Args:
        status: Exit status; negative if a signal killed the program.
        stdout, stderr: All output.
    """

    status: int
    stdout: str
    stderr: str

    @property
    def has_traceback(self) -> bool:
        """True if the output has a Python traceback."""
        return "Traceback (most recent call last)" in self.stdout + self.stderr

    @property
    def totals(self) -> Totals | None:
        """The numbers in the summary; None without a summary."""
        line = re.search(r"^\d+ downloaded, .*$", self.stderr, re.MULTILINE)
        if line is None:
            return None

        def number(pattern: str) -> int:
            match = re.search(pattern, line[0])
            return int(match[1]) if match else 0

        return Totals(
            downloaded=number(r"(\d+) downloaded"),
            failed=number(r"(\d+) failed"),
            unfinished=number(r"(\d+) unfinished"),
            total=number(r" of (\d+)"),
            retries=number(r"(\d+) retries"),
        )

    @property
    def causes(self) -> dict[str, int]:
        """Numbers of failed jobs by cause, as in the summary."""
        lines = re.findall(r"^(\d+) x ([\w-]+)", self.stderr, re.MULTILINE)
        return {cause: int(count) for count, cause in lines}

    def __str__(self) -> str:
        return f"status {self.status}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"


def run_cli(
    *arguments: str | Path,
    program: Sequence[str] = MAIN,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> CliResult:
    """Run the program to its end, with this input; see `RunningCli`."""
    with RunningCli(*arguments, program=program, env=env) as run:
        run.send(stdin)
        return run.wait(timeout)


class RunningCli:
    """A run of the program in the checkout, killed at the end of the `with` block.

    Args:
        arguments: Arguments of the command line.
        program: Command that gets the arguments.
        env: Variables beside those of `clean_environment`.
    """

    def __init__(
        self,
        *arguments: str | Path,
        program: Sequence[str] = MAIN,
        env: Mapping[str, str] | None = None,
    ) -> None:
        # Files instead of pipes need no reader, and can be read during the run.
        self._files = ExitStack()  # closed by __exit__
        self._stdout = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._stderr = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._process = subprocess.Popen(
            [*program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=self._stdout,
            stderr=self._stderr,
            env={**clean_environment(), **(env or {})},
            cwd=ROOT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill_group()
        self.close_stdin()
        self._process.wait()
        self._files.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    def send(self, data: bytes) -> None:
        """Write to its standard input, which stays open, even if the program has ended."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def close_stdin(self) -> None:
        """Close its standard input."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its group."""
        self._process.send_signal(number)

    def stderr_so_far(self) -> str:
        """Return what it has written to stderr so far."""
        return _text(self._stderr.fileno())

    def wait(self, timeout: float = TIMEOUT) -> CliResult:
        """Close its standard input and wait for its end; see `wait_with_open_stdin`."""
        self.close_stdin()
        return self.wait_with_open_stdin(timeout)

    def wait_with_open_stdin(self, timeout: float = TIMEOUT) -> CliResult:
        """Wait for its end.

        Raises:
            TimeoutError: It did not end in time; the message has the stacks of its threads.
        """
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._dump_and_kill()
            raise TimeoutError(f"still ran after {timeout:g} s; {self._result()}") from None
        return self._result()

    def _dump_and_kill(self) -> None:
        # Python's faulthandler answers SIGABRT with the stacks of all threads.
        self._process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_DUMP_TIMEOUT)
        self._kill_group()
        self._process.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _result(self) -> CliResult:
        return CliResult(
            status=self._process.returncode,
            stdout=_text(self._stdout.fileno()),
            stderr=self.stderr_so_far(),
        )


def ask_for_state(run: RunningCli) -> str:
    """Send SIGUSR1; return the text of the log from the first line of the reply on."""

    def replies() -> list[str]:
        return run.stderr_so_far().split("state: ")[1:]

    count = len(replies())
    run.signal(signal.SIGUSR1)
    wait_until(lambda: len(replies()) > count, what="the state")
    return replies()[count]


def numbers(result: CliResult) -> tuple[int, int, int]:
    """Return the numbers of downloaded, failed and unfinished jobs in the summary."""
    totals = result.totals
    assert totals is not None, result
    return totals.downloaded, totals.failed, totals.unfinished


def assert_local(result: CliResult, **causes: int) -> None:
    """Check that the run ended with status 3, and that its jobs failed for these causes."""
    assert result.status == 3, result
    assert not result.has_traceback, result
    assert result.causes == {name.replace("_", "-"): n for name, n in causes.items()}, result


def clean_environment() -> dict[str, str]:
    """Return few variables: no proxies, certificates, terminal and settings of Python."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONFAULTHANDLER": "1", "TERM": "dumb"}


def _text(descriptor: int) -> str:
    # The process shares the position of the file, which must not change.
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode("utf-8", "backslashreplace")
