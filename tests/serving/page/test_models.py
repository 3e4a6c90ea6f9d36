"""The models that the page can judge with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from drugmon.config import EngineConfig
from drugmon.errors import DrugmonError
from drugmon.serving.page.models import LoadedModels

ENGINE = EngineConfig(device="cpu", dtype="fp32", threads=1)


@pytest.mark.parametrize("rule", ["balanced", "likeliest"])
def test_a_model_judges_by_its_own_rule_at_first(adapter: Path, tmp_path: Path, rule: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(adapter, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"rule": rule}), encoding="utf-8")
    models = LoadedModels(str(folder), ENGINE)
    assert models.rule_of(models.first) == rule
    assert ("mine", str(folder)) in models.choices


def test_what_is_not_there_is_told_when_it_is_to_judge(tmp_path: Path) -> None:
    models = LoadedModels(str(tmp_path / "none"), ENGINE)
    assert models.rule_of(models.first) == "balanced"
    with pytest.raises(DrugmonError, match="none"):
        models.get(models.first, "balanced")
