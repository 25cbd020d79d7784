"""The command that retries what failed: told to people, so without secrets. Pure functions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET_HEADER = re.compile(
    r"^((?:-H|--header=)?[\w-]*(?:auth|cookie|token|key|secret|passw|session)[\w-]*:\s*).*",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)


def shown_command(words: Sequence[str]) -> str:
    """A command line as it may be shown and pasted: quoted for a shell, secrets as `***`."""
    return shlex.join(map(_without_secrets, words))


def retry_words(
    program: Sequence[str],
    arguments: Sequence[str],
    *,
    source: str,
    failed_out: str | None,
    is_continuing: bool,
) -> Sequence[str]:
    """The command that downloads what a run of `program` with `arguments` did not.

    Args:
        program: its name, or how it was started.
        arguments: what followed.
        source: the list that was read, a file.
        failed_out: the list of what failed, if one was written.
        is_continuing: whether it leaves files that are there alone, as it is.
    """
    # A list that comes from an @file, or whose name is an option's value too, stays.
    is_plain = not any(word.startswith("@") for word in arguments)
    if failed_out is not None and is_plain and arguments.count(source) == 1:
        return [*program, *(failed_out if word == source else word for word in arguments)]
    return [*program, *(() if is_continuing else ("-c",)), *arguments]


def _without_secrets(word: str) -> str:
    return _SECRET_HEADER.sub(r"\1***", _USERINFO.sub("***@", word))
