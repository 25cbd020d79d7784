"""The command that retries what failed: told to people, so without secrets. Pure functions."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Sequence

# Compiled when they are needed: a run that goes well shows no command.
_USERINFO = r"(?<=://)[^/?#\s]*@"
# A password that is not quoted may hold any character, also those that end a URL's authority.
_PROXY_LOGIN = r"(?is)^((?:--proxy=)?(?:[a-z0-9]+://)?).*@"
# curl takes FILE:PASSWORD, and cookies themselves; that no such file is here is found later.
_CERTIFICATE = r"(?s)^((?:--(?:cert|key)=)?[^:]{2,}?:).+"
_COOKIES = r"(?s)^((?:--cookies=)?[^=/]+=)[^/]+$"
_REFERER = r"(?s)^((?:--referer=)?[^?]*\?).+"
_HEADER_FLAG = r"(?a)--header|-\w*H"
_IN_ONE_WORD = r"(?a)--header=|-\w*H"
_HEADER = r"(?as)^((?:-\w*?H|--header=)?[^@\s:][^\s:]*:\s*)\S.*"
_HARMLESS = (
    r"(?ai)(?:-\w*?H|--header=)?=?(?:accept(?:-charset|-encoding|-language)?|user-agent):"
)


def shown_command(words: Sequence[str]) -> str:
    """A command line as it may be shown and pasted: quoted for a shell, secrets as `***`."""
    return " ".join(
        _quoted(_without_secrets(word, before=before))
        for before, word in itertools.pairwise(("", *words))
    )


def retry_words(
    program: Sequence[str],
    arguments: Sequence[str],
    *,
    place: int | None,
    failed_out: str | None,
    is_continuing: bool,
) -> Sequence[str]:
    """The command that downloads what a run of `program` with `arguments` did not.

    Args:
        program: its name, or how it was started.
        arguments: what followed.
        place: which of them is the list that was read; None if that is not known.
        failed_out: the list of what failed, if one was written.
        is_continuing: whether it leaves files that are there alone, as it is.
    """
    if failed_out is not None and place is not None:
        # Not to be taken for an option or a config file.
        source = f"./{failed_out}" if failed_out.startswith(("-", "@")) else failed_out
        return [*program, *arguments[:place], source, *arguments[place + 1 :]]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own = () if is_continuing else ("-c",)
    return [*program, *arguments[:end], *own, *arguments[end:]]


def _quoted(word: str) -> str:
    """Return the word as a shell reads it; where it can't be printed, as bash's $'...'."""
    if word.isprintable():
        return shlex.quote(word)
    octets = word.encode(sys.getfilesystemencoding(), "surrogateescape")
    is_plain = [0x20 <= octet < 0x7F and octet not in b"'\\" for octet in octets]
    shown = (
        chr(octet) if plain else f"\\x{octet:02x}"
        for octet, plain in zip(octets, is_plain, strict=True)
    )
    return f"$'{''.join(shown)}'"


def _without_secrets(word: str, *, before: str) -> str:
    """The word, which stands after `before`, without a password or a header's value."""
    is_header = re.fullmatch(_HEADER_FLAG, before) or re.match(_IN_ONE_WORD, word)
    if is_header and not re.match(_HARMLESS, word):
        return re.sub(_HEADER, r"\1***", word)
    option, has_value, _ = word.partition("=")
    match option if has_value and word.startswith("--") else before:
        case "--proxy":
            word = re.sub(_PROXY_LOGIN, r"\1***@", word)
        case "--cert" | "--key":
            word = re.sub(_CERTIFICATE, r"\1***", word)
        case "--cookies":
            word = re.sub(_COOKIES, r"\1***", word)
        case "--referer":
            word = re.sub(_REFERER, r"\1***", word)
    return re.sub(_USERINFO, "***@", word)
