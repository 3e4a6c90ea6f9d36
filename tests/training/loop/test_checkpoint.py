from __future__ import annotations

from pathlib import Path

import pytest
import torch

from drugmon.errors import RecipeError
from drugmon.training.loop.checkpoint import Checkpoint, flatten, nested, run_key
from drugmon.training.recipe import load_recipe


def test_it_gives_back_what_was_saved_last(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "new" / "run.safetensors", "key")
    assert checkpoint.load() is None
    checkpoint.save({"a": torch.zeros(2)}, {"step": 1})
    checkpoint.save({"a": torch.arange(3), "b": torch.get_rng_state()}, {"step": 2})
    loaded = checkpoint.load()
    assert loaded is not None
    tensors, state = loaded
    assert state == {"step": 2}
    assert tensors["a"].tolist() == [0, 1, 2]
    assert torch.equal(tensors["b"], torch.get_rng_state())
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["run.safetensors"]
    checkpoint.path.unlink()
    assert checkpoint.load() is None


def test_another_runs_checkpoint_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    Checkpoint(path, "one").save({}, {})
    with pytest.raises(RecipeError, match=r"run\.safetensors is of another recipe, seed, base or"):
        Checkpoint(path, "two").load()


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    Checkpoint(path, "one").save({"a": torch.ones(100)}, {})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RecipeError, match=r"run\.safetensors is damaged .*; remove it"):
        Checkpoint(path, "one").load()


def test_due_follows_the_interval(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "a", "key", every_seconds=0).due()
    assert not Checkpoint(tmp_path / "a", "key", every_seconds=60).due()


def test_the_key_holds_recipe_seed_and_data() -> None:
    keys = {
        run_key(load_recipe("minilm"), "data"),
        run_key(load_recipe("minilm"), "other data"),
        run_key(load_recipe("minilm", ["train.seed=1"]), "data"),
        run_key(load_recipe("minilm", ["lora.r=8"]), "data"),
    }
    assert len(keys) == 4
    assert run_key(load_recipe("minilm"), "data") in keys


def test_names_survive_flattening() -> None:
    tensors = {"a:b": torch.ones(1), "c": torch.zeros(1)}
    assert nested("x", {**flatten("x", tensors), **flatten("xy", tensors)}) == tensors
