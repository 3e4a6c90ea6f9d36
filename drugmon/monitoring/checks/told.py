"""How effects and limits are written: in their unit, with digits enough to tell them apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from drugmon.monitoring.checks.measures import Unit
from drugmon.monitoring.checks.summary import Check
from drugmon.statistics.figures import Interval

_MOST_DIGITS: Final = 4


def told_effect(check: Check) -> str:
    """The effect with its interval: `+3.9 points (-0.2 to +8.0)`, `0.046 (0.020 to 0.071)`.

    An effect that is not the limit does not look like it: there are as many digits as it takes.
    """
    effect = check.effect
    if effect is None or effect.value is None:
        return ""
    write = _writer(check.measure.unit, _digits(check, effect))
    unit = " points" if check.measure.unit is Unit.POINTS else ""
    if effect.low is None or effect.high is None or effect.high - effect.low < 1e-9:
        return f"{write(effect.value)}{unit}"
    return f"{write(effect.value)}{unit} ({write(effect.low)} to {write(effect.high)})"


def told_limit(check: Check, limit: float | None) -> str:
    """A limit of the check in the effect's unit: `5 points`, `0.55`; "" where there is none."""
    if limit is None:
        return ""
    if check.measure.unit is Unit.POINTS:
        return f"{100 * limit:.6g} points"
    return f"{limit:.6g}"


def _digits(check: Check, effect: Interval) -> int:
    """Decimals as the interval's width deserves, more where the value would look like a limit."""
    value = effect.value or 0.0
    scale = 100 if check.measure.unit is Unit.POINTS else 1
    width = scale * ((effect.high or 0.0) - (effect.low or 0.0))
    if check.measure.unit is Unit.POINTS or check.measure.unit is Unit.HOURS:
        digits = 1
    elif width < 1e-9:
        digits = 2
    else:
        digits = min(max(2, -math.floor(math.log10(width / 4))), _MOST_DIGITS)
    for limit in (check.warn_at, check.fail_at):
        if limit is None:
            continue
        for size in (value, abs(value)):
            while (
                digits < _MOST_DIGITS
                and round(scale * size, digits) == round(scale * limit, digits)
                and not math.isclose(size, limit)
            ):
                digits += 1
    return digits


def _writer(unit: Unit, digits: int) -> Callable[[float], str]:
    def write(value: float) -> str:
        if unit is Unit.POINTS:
            text = f"{100 * value:+.{digits}f}"
            return text if float(text) else text[1:]
        text = f"{value:,.{digits}f}"
        return text if float(text.replace(",", "")) else text.removeprefix("-")

    return write
