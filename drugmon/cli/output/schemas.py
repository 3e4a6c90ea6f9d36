"""JSON Schemas of what commands print with --json; docs/schemas/ holds them.

`python -m drugmon.cli.output.schemas` writes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from drugmon.cli.output.json_types import TYPES
from drugmon.cli.output.lines import SCHEMA_VERSION
from drugmon.data.history.database import path_from
from drugmon.data.stores.uri import Location


def json_schema(command: str) -> dict[str, object]:
    """The JSON Schema of what a command prints with --json.

    Raises:
        KeyError: there is no such command.
    """
    (schema,), definitions = msgspec.json.schema_components(
        [TYPES[command]], schema_hook=_of_other_types, ref_template="#/$defs/{name}"
    )
    if "$ref" in schema:
        schema = definitions.pop(schema["$ref"].rpartition("/")[2])
    described, _, _ = schema.get("description", "").partition("\n\n    Example:")  # of Python
    if described:
        schema["description"] = described
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"drugmon {command} --json",
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION},
            **schema.get("properties", {}),
        },
        "required": ["schema_version", *schema.get("required", [])],
        "$defs": definitions,
    }


def misfit(command: str, printed: Mapping[str, object]) -> str | None:
    """What in a command's JSON does not fit its schema; None where all does.

    Raises:
        KeyError: there is no such command.
    """
    if printed.get("schema_version") != SCHEMA_VERSION:
        return f"schema_version is not {SCHEMA_VERSION}"
    content = {key: value for key, value in printed.items() if key != "schema_version"}
    described = json_schema(command)
    properties = described["properties"]
    if isinstance(properties, dict) and "additionalProperties" not in described:
        for key in content.keys() - properties.keys():
            return f"{key} is not described"
    try:
        msgspec.convert(content, TYPES[command], dec_hook=path_from)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def file_name(command: str) -> str:
    """The file in docs/schemas/ that holds a command's schema."""
    return f"{command.replace(' --', '-').replace(' ', '-')}.json"


def schema_text(command: str) -> str:
    """A command's schema as its file has it."""
    return json.dumps(json_schema(command), indent=1, ensure_ascii=False) + "\n"


def _of_other_types(kind: type) -> dict[str, object]:
    """Types that msgspec does not know: paths and URIs are texts, others objects of their own."""
    is_place = kind is Location or issubclass(kind, Path)
    return {"type": "string" if is_place else "object"}


if __name__ == "__main__":
    for printed_type in TYPES:
        Path("docs", "schemas", file_name(printed_type)).write_text(
            schema_text(printed_type), encoding="utf-8"
        )
