"""Settings that differ from the defaults, as plain values without secrets."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Set
from dataclasses import Field
from pathlib import Path

from url_downloader.config.overrides import settings_of
from url_downloader.config.settings import Settings

HIDDEN = "***"
"""Text that stands for a value that may hold a secret."""


def changed_settings(settings: Settings) -> Mapping[str, object]:
    """Return the settings that differ from the defaults, by name, as JSON can have them.

    The values of fields that are left out of a repr are secret.
    """
    defaults = {
        field.name: getattr(part, field.name) for part, field in settings_of(Settings())
    }
    return {
        field.name: _shown(getattr(part, field.name), field)
        for part, field in settings_of(settings)
        if getattr(part, field.name) != defaults[field.name]
    }


def _shown(value: object, field: Field[object]) -> object:
    if not field.repr:
        return HIDDEN
    match value:
        case enum.Enum():
            return value.name.lower()
        case bool() | int() | float() | str() | None:
            return value
        case Path():
            return str(value)
        case Set():
            return sorted(value, key=str)
        case _:
            return str(value)
