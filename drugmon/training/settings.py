"""Settings: single keys of a recipe, as the command line gives them."""

from __future__ import annotations

from typing import Any

from drugmon.checked import parse_toml
from drugmon.errors import RecipeError


def setting_value(text: str) -> Any:
    """Return what a setting's text means: a TOML value, a number such as .05, else the text."""
    try:
        return parse_toml(f"value = {text}", "it", RecipeError)["value"]
    except RecipeError:
        try:
            return float(text)
        except ValueError:
            return text.strip()


def put_setting(values: dict[str, Any], setting: str) -> None:
    """Put a setting such as "lora.r=32" over a recipe's `values`.

    Raises:
        RecipeError: it is of another form.
    """
    key, equals, text = setting.partition("=")
    if not equals or "." not in key:
        raise RecipeError(f"setting {setting!r} is not of the form section.key=value")
    value = setting_value(text)
    *path, last = key.strip().split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise RecipeError(f"setting {setting!r}: {part} is no section")
    values[last] = value
