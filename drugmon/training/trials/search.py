"""What a search tries: listed settings, every combination of a grid, or draws from ranges."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from drugmon.errors import UsageError
from drugmon.training.settings import setting_value

Settings: TypeAlias = Mapping[str, Any]
Value: TypeAlias = bool | int | float | str
"""Keys of a recipe, such as `lora.r`, and the values that a trial gives them."""

FIXED: Final = ("split.", "labels.", "train.seed", "lexical.", "teacher.adapters")
"""Keys that a search may not vary.

They change what dev is, are not seen by dev's figures, or are asked once for all trials.
"""

_COMMA: Final = re.compile(r",(?![^\[]*\])")
"""A comma outside of brackets: `lora.target_modules=[q,v],[q,v,o]` are two values."""

_RANGE: Final = re.compile(r"(?P<low>[^:]+):(?P<high>[^:]+?)(?P<log>:log)?")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, drawn evenly, or evenly in their logarithms."""

    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole ones."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Search:
    """`listed` trials, then `count` draws from `ranges`: at random, or `guided` by what came out.

    A range is a `Range`, or the values to choose from.
    """

    listed: tuple[Settings, ...] = ()
    ranges: Mapping[str, Range | tuple[Value, ...]] | None = None
    count: int = 0
    guided: bool = False

    def __post_init__(self) -> None:
        if not self.listed and not self.count:
            raise UsageError(
                "nothing to try: give --grid or --trial, or --range with --random N or --tpe N"
            )
        if bool(self.ranges) != bool(self.count):
            raise UsageError("--range goes with --random N or --tpe N, and these with --range")
        keys = {key for settings in self.listed for key in settings} | set(self.ranges or ())
        for key in sorted(keys):
            if key.startswith(FIXED):
                raise UsageError(
                    f"{key} cannot be searched: trials are compared on the same dev reviews by "
                    "what the trained model says of them, and have the same teachers; set it for "
                    "all with --set"
                )


def parse_grid(texts: Sequence[str]) -> tuple[Settings, ...]:
    """Every combination of `key=value,value` texts, the last key changing fastest.

    Raises:
        UsageError: a text is not of that form, or a key is given twice.
    """
    axes: dict[str, tuple[Value, ...]] = {}
    for text in texts:
        key, values = _key_and(text, "--grid", "key=value,value")
        if key in axes:
            raise UsageError(f"--grid {key} is given twice: put its values into one")
        axes[key] = _values(values)
    if not axes:
        return ()
    return tuple(dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values()))


def parse_trial(text: str) -> Settings:
    """The settings of a `key=value,key=value` text.

    Raises:
        UsageError: the text is not of that form.
    """
    pairs = [_key_and(part, "--trial", "key=value,key=value") for part in _COMMA.split(text)]
    return {key: _value(value) for key, value in pairs}


def parse_ranges(texts: Sequence[str]) -> dict[str, Range | tuple[Value, ...]]:
    """Ranges of `key=low:high`, `key=low:high:log` or `key=value,value` texts.

    Raises:
        UsageError: a text is none of these, or its ends are no numbers in order.
    """
    return dict(_range(text) for text in texts)


def setting_texts(settings: Settings) -> tuple[str, ...]:
    """The settings as `--set` takes them."""
    return tuple(f"{key}={_text(value)}" for key, value in settings.items())


def _range(text: str) -> tuple[str, Range | tuple[Value, ...]]:
    key, values = _key_and(text, "--range", "key=low:high, key=low:high:log or key=value,value")
    match = _RANGE.fullmatch(values)
    if not match:
        return key, _values(values)
    low, high = setting_value(match["low"]), setting_value(match["high"])
    numbers = all(type(end) in (int, float) for end in (low, high))
    if not numbers or not low < high or (match["log"] and low <= 0):
        raise UsageError(
            f"--range {text}: give two numbers, the smaller first"
            + (", both above 0 for :log" if match["log"] else "")
        )
    return key, Range(low, high, bool(match["log"]))


def _key_and(text: str, option: str, form: str) -> tuple[str, str]:
    key, equals, rest = text.partition("=")
    if not equals or "." not in key or not rest.strip():
        raise UsageError(f"{option} {text!r} is not of the form {form}, with keys like lora.r")
    return key.strip(), rest.strip()


def _values(text: str) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(_value(part) for part in _COMMA.split(text)))


def _value(text: str) -> Value:
    """A value; a list stays the text `q,v`, which recipes read as one."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return ",".join(part.strip(" \"'") for part in text[1:-1].split(","))
    value: Value = setting_value(text)
    return value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
