"""What would fail at the end of a training ends it before its first step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drugmon.errors import AdapterError, BaseModelError, SinkError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.files import CARD
from drugmon.training.loop.progress import Progress
from drugmon.workflows.train import adapter_folder, preflight
from drugmon.workflows.train.train import TrainConfig, train
from tests.tiny_encoders import make_encoder

SETTINGS = (
    *("lora.r=2", "model.max_length=32", "train.epochs=1", "train.batch_size=16"),
    *("lexical.min_df=1", "split.folds=0", "split.dev=0.4", "split.test=0", "split.refit=false"),
)


def never(_stage: str, _progress: Progress) -> None:
    raise AssertionError("a step was taken")


@pytest.fixture(name="fit")
def _fit(labelled: Path, models: Path, tmp_path: Path) -> Callable[..., Adapter]:
    assert models.is_dir()

    def run(*settings: str, out: Path | None = None, on_progress: Any = never) -> Adapter:
        settings = (*SETTINGS, *settings)
        config = TrainConfig(str(labelled), out or tmp_path / "made", settings=settings)
        return train(config, on_progress=on_progress).adapter

    return run


def test_layers_that_the_base_lacks(fit: Callable[..., Adapter], tmp_path: Path) -> None:
    settings = ("base.name=tiny-base", "lora.target_modules=query,dense,wq")
    with pytest.raises(AdapterError) as error:
        fit(*settings)
    assert "no layers named wq that LoRA can change" in str(error.value)
    assert "to some of dense, key, query, value, or to auto" in str(error.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["word_embeddings", "LayerNorm", "embeddings"])
def test_layers_that_are_not_linear(fit: Callable[..., Adapter], name: str) -> None:
    with pytest.raises(AdapterError, match=f"no layers named {name} that LoRA can change"):
        fit("base.name=tiny-base", f"lora.target_modules={name}")


def test_place_that_cannot_be_written(fit: Callable[..., Adapter], labelled: Path) -> None:
    with pytest.raises(
        SinkError, match=r"labelled\.csv/made: .*labelled\.csv is a file; name another --out"
    ):
        fit("base.name=tiny-base", out=labelled / "made")


def test_disk_without_room(fit: Callable[..., Adapter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=2 * 10**7))
    with pytest.raises(SinkError, match=r"training writes up to 0\.1 GB into .* has 0\.0 GB left"):
        fit("base.name=tiny-base")


def test_base_that_is_not_found_by_the_name_that_the_manifest_holds(
    fit: Callable[..., Adapter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = make_encoder("bert", tmp_path / "base")
    monkeypatch.setattr("drugmon.training.recipe.absolute_name", lambda name: name)
    monkeypatch.chdir(tmp_path)
    build = adapter_folder.provisional

    def and_move(*arguments: Any) -> Adapter:
        made = build(*arguments)
        base.rename(tmp_path / "elsewhere")
        return made

    monkeypatch.setattr(preflight, "provisional", and_move)
    with pytest.raises(BaseModelError, match=r"base base \(weights of SHA-256 .*copy its folder"):
        fit("base.name=base")


def test_base_given_by_a_relative_path_is_found_again_wherever_adapter_and_reader_go(
    fit: Callable[..., Adapter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = make_encoder("bert", tmp_path / "models here" / "base")
    monkeypatch.chdir(tmp_path)
    adapter = fit("base.name=models here/base", on_progress=lambda _stage, _progress: None)
    card = (adapter.folder / CARD).read_text(encoding="utf-8")
    assert str(tmp_path) not in card, "no path of this machine"
    assert "base.name=base" in card
    moved = shutil.move(adapter.folder, tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    assert open_adapter(str(moved)).base().folder == base
    (tmp_path / "place").mkdir()
    renamed = shutil.move(base, tmp_path / "place" / "renamed")
    with pytest.raises(BaseModelError, match=f"looked in .*, {base}: copy its folder"):
        open_adapter(str(moved)).base()
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path / "place"))
    assert open_adapter(str(moved)).base().folder == Path(renamed)
