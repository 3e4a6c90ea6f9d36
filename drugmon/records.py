"""Frozen dataclasses that are kept as JSON: filled from what a file or a table holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")


def filled(kind: type[T], content: Mapping[str, object]) -> T:
    """Return `kind` of plain dicts, lists, texts and numbers; keys that it lacks are left out.

    Those are of a later version. The dataclasses within are filled likewise.

    Raises:
        ValueError: a value is missing or of another type, or a dataclass refuses it; it says where.
    """
    try:
        return msgspec.convert(content, kind, str_keys=True)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
