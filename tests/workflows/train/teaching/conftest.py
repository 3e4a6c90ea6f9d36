"""The teacher of these tests, trained once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drugmon.models.adapters.adapter import Adapter
from drugmon.training.sources import Source
from tests.teaching import fit, lone


@pytest.fixture(scope="session", name="part")
def _part(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 78 of the 120 labelled reviews."""
    path = tmp_path_factory.mktemp("part") / "part.csv"
    lines = labelled.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:79]), encoding="utf-8")
    return path


@pytest.fixture(scope="session", name="teacher")
def _teacher(part: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    """It held out the 78 reviews in turns, and learned from these and from 30 lone texts."""
    assert os.environ["DRUGMON_MODELS"] == str(models)
    folder = tmp_path_factory.mktemp("teachers")
    helping = Source(path=str(lone(folder / "help.csv", 0, 30)), role="help")
    card = folder / "card.toml"
    card.write_text(
        'name = "Old reviews"\nlicence = "CC BY 4.0"\ncitation = "Somebody 2020"\n',
        encoding="utf-8",
    )
    return fit(folder / "large", part, "train.epochs=3", sources=(helping,), data_card=card).adapter
