"""Settings by name: the keyword arguments of `download`."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from pathlib import Path
from typing import TypeVar

from url_downloader.config.settings import FailureLimit, MonitorSettings, Settings

SettingsPart = TypeVar("SettingsPart")
_VALUES = (FailureLimit,)
"""Dataclasses that are a single setting, not a part with several settings."""
_UNUSED = (MonitorSettings,)
"""Parts whose settings `download` does not take, because it starts no observers."""


def settings_with(values: Mapping[str, object]) -> Settings:
    """Return the default settings, some of them replaced by these values.

    Args:
        values: Values by the names of settings, which are unique over all parts.

    Raises:
        TypeError: A name is not that of a setting.
        ConfigError: A value is out of its range.
    """
    check_names(values, [field.name for _, field in settings_of(Settings())], what="setting")
    return _changed(Settings(), values)


def settings_of(part: object) -> Iterator[tuple[object, Field[object]]]:
    """Yield all settings of a part, its own parts included, each with the part that has it."""
    for field in fields(part):  # type: ignore[arg-type]
        value = getattr(part, field.name)
        if _is_part(value):
            yield from settings_of(value)
        elif not isinstance(value, _UNUSED):
            yield part, field


def _changed(part: SettingsPart, values: Mapping[str, object]) -> SettingsPart:
    changes = {}
    for field in fields(part):  # type: ignore[arg-type]
        value = getattr(part, field.name)
        if _is_part(value):
            changes[field.name] = _changed(value, values)
        elif field.name in values:
            value = values[field.name]
            is_path = isinstance(value, str) and "Path" in str(field.type)
            changes[field.name] = Path(str(value)) if is_path else value
    return replace(part, **changes)  # type: ignore[type-var]


def _is_part(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, (*_VALUES, *_UNUSED))


def check_names(given: Iterable[str], known: Collection[str], *, what: str) -> None:
    """Check that all names are known.

    Args:
        given: Names that the caller gave.
        known: Names that exist.
        what: Kind of the names, for the message.

    Raises:
        TypeError: A name is not known. The message has the most similar known name.
    """
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TypeError(f"download() knows no {what} {name!r}{hint}")
