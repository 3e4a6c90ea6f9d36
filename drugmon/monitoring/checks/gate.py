"""The gate: thresholds that turn statistics into pass, warn and fail."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from drugmon.checked import check_keys, checked, parse_toml, shown, within
from drugmon.errors import SettingsError, UsageError
from drugmon.monitoring.checks.summary import AREAS, Status

DEFAULT: Final = Path(__file__).with_name("gate.toml")
"""The packaged thresholds."""

NOTHING: Final = "none"
"""What `--fail-on` takes for no area at all."""


@dataclass(frozen=True)
class Limits:
    """The sizes of change from which a check warns and fails."""

    warn: float = within(0.05, 0.0, 1.0)
    fail: float = within(0.1, 0.0, 1.0)


@dataclass(frozen=True)
class Hours:
    """Ages from which a check warns and fails."""

    warn: float = within(36.0, 0.0, 100_000.0)
    fail: float = within(72.0, 0.0, 100_000.0)


@dataclass(frozen=True)
class VolumeLimits:
    """Shares of the usual number of rows below which a check warns and fails."""

    warn: float = within(0.5, 0.0, 1.0)
    fail: float = within(0.25, 0.0, 1.0)
    nights: int = within(5, 2, 1000)


@dataclass(frozen=True)
class Gate:
    """All thresholds, as `gate.toml` tells of them."""

    fail_on: tuple[str, ...] = AREAS
    alpha: float = within(0.05, 1e-6, 0.5)
    min_reviews: int = within(30, 2, 1_000_000)
    freshness: Hours = field(default_factory=Hours)
    volume: VolumeLimits = field(default_factory=VolumeLimits)
    balance: Limits = field(default_factory=Limits)
    slices: Limits = field(default_factory=Limits)
    probabilities: Limits = field(default_factory=Limits)
    lengths: Limits = field(default_factory=Limits)
    empty: Limits = field(default_factory=Limits)
    repeats: Limits = field(default_factory=Limits)
    unknown_words: Limits = field(default_factory=Limits)
    names: Limits = field(default_factory=Limits)
    words: Limits = field(default_factory=Limits)
    texts: Limits = field(default_factory=Limits)
    quality: Limits = field(default_factory=Limits)
    estimate: Limits = field(default_factory=Limits)

    def status(self, limits: Limits, effect: float | None, p_adjusted: float) -> Status:
        """What a change of size `effect` comes to."""
        if effect is None:
            return Status.UNJUDGED
        if effect < limits.warn:
            return Status.PASS
        if p_adjusted >= self.alpha:
            return Status.UNCLEAR
        return Status.FAIL if effect >= limits.fail else Status.WARN


def read_gate(path: Path | None = None, fail_on: tuple[str, ...] | None = None) -> Gate:
    """Read thresholds from a TOML file over the packaged ones; `fail_on` goes before its own.

    Raises:
        SettingsError: the file cannot be read, a key is unknown, or a value out of range.
        UsageError: `fail_on` names what is no area.
    """
    given = _read(DEFAULT)
    if path is not None:
        given = _over(given, _read(path), str(path))
    gate = _build(given, str(path or DEFAULT.name))
    if fail_on is not None:
        gate = _build({**given, "fail_on": list(fail_on)}, "--fail-on", UsageError)
    return gate


def _read(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file of thresholds") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_toml(text, str(path))


def _over(base: dict[str, object], changes: dict[str, object], where: str) -> dict[str, object]:
    check_keys(changes, [spec.name for spec in fields(Gate)], where)
    merged = dict(base)
    for key, value in changes.items():
        of_base = base.get(key)
        if isinstance(value, dict) and isinstance(of_base, dict):
            value = {**of_base, **value}
        merged[key] = value
    return merged


def _build(
    table: dict[str, object],
    where: str,
    error: type[SettingsError] | type[UsageError] = SettingsError,
) -> Gate:
    sections: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        section = checked(kind, table[name], f"{where}: {name}")
        falling = kind is VolumeLimits
        if section.warn < section.fail if falling else section.warn > section.fail:
            raise SettingsError(f"{where}: {name}: it would fail before it warns")
        sections[name] = section
    given = table["fail_on"]
    if not isinstance(given, list | tuple) or not all(isinstance(area, str) for area in given):
        raise error(f"{where}: fail_on = {shown(given)} will not do: give a list of areas")
    areas = tuple(given)
    areas = () if areas == (NOTHING,) else areas
    for area in areas:
        if area not in AREAS:
            raise error(f"{where}: no area {shown(area)}; valid: {', '.join((*AREAS, NOTHING))}")
    numbers = {name: table[name] for name in ("alpha", "min_reviews")}
    return replace(checked(Gate, numbers, where), fail_on=areas, **sections)


_SECTIONS: Final[dict[str, type[Any]]] = {
    spec.name: type(getattr(Gate(), spec.name))
    for spec in fields(Gate)
    if spec.default_factory is not MISSING
}
"""The kind of each section."""
