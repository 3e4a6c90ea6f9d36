"""The data card: where training data come from, and under what terms they may be used."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from drugmon.checked import parse_toml
from drugmon.errors import TrainingDataError


@dataclass(frozen=True)
class DataCard:
    """Name, source, licence, notes and citation of a data set."""

    name: str
    source: str = "not stated"
    licence: str = "not stated"
    notes: str = ""
    citation: str = ""

    def to_dict(self) -> dict[str, str]:
        """For the manifest."""
        return asdict(self)


def read_data_card(path: Path) -> DataCard:
    """Read a data card from a TOML file of texts.

    Raises:
        TrainingDataError: it cannot be read, or has other keys than those of `DataCard`.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise TrainingDataError(f"data card {path} cannot be read: {error.strerror}") from error
    values = parse_toml(text, f"data card {path}", TrainingDataError)
    keys = [spec.name for spec in fields(DataCard)]
    if "name" not in values or not set(values) <= set(keys):
        raise TrainingDataError(f"data card {path}: give name, and of other keys only {keys[1:]}")
    return DataCard(**{key: str(value).strip() for key, value in values.items()})
