"""The report and the metrics file as scripts read them, checked against what they promise."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

SCHEMA: dict[str, Any] = json.loads(
    resources.files("url_downloader").joinpath("report.schema.json").read_text("utf-8")
)
_VALIDATOR = Draft202012Validator(SCHEMA)


def read_report(text: str) -> list[dict[str, Any]]:
    """Return the records in the order of their jobs; each line must be whole and valid."""
    assert text == "" or text.endswith("\n"), text[-200:]
    return checked(json.loads(line) for line in text.splitlines())


def checked(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records in the order of their jobs; they must be valid, one for each job."""
    found = sorted(records, key=lambda record: int(record["job"]))
    for record in found:
        _VALIDATOR.validate(record)
    assert len({record["job"] for record in found}) == len(found)
    return found


def samples(path: Path) -> dict[str, float]:
    """Return each value of a metrics file by its short name, with its label if it has one."""
    families = text_string_to_metric_families(path.read_text())
    return {
        "/".join([each.name.removeprefix("url_downloader_"), *each.labels.values()]): each.value
        for family in families
        for each in family.samples
    }
