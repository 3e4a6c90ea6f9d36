"""Trainings of the tiny base on labelled reviews."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drugmon.workflows.train.train import TrainConfig, TrainResult, train
from tests.tiny_recipe import TINY_SPLIT

SETTINGS = (*TINY_SPLIT, "train.epochs=2", "lexical.min_df=1", "split.refit=false")


@pytest.fixture(name="fit")
def _fit(labelled: Path, models: Path, tmp_path: Path) -> Callable[..., TrainResult]:
    """Trains on the labelled reviews: `fit("name", "lora.r=3", seed..., source=...)`."""
    assert models.is_dir()

    def run(name: str, *settings: str, **options: Any) -> TrainResult:
        told = {key: options.pop(key) for key in ("on_progress", "warn") if key in options}
        source = str(options.pop("source", labelled))
        config = TrainConfig(source, tmp_path / name, settings=SETTINGS + settings, **options)
        return train(config, **told)

    return run


@pytest.fixture(name="rows")
def _rows(labelled: Path) -> list[dict[str, str]]:
    with labelled.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] | None = None) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns or tuple(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path
