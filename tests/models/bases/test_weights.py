from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from drugmon.errors import BaseModelError
from drugmon.models.bases.bases import resolve_base
from drugmon.models.bases.weights import INDEX, WHOLE, read_weights, weight_files, weights_sha256
from drugmon.models.classifiers.encoder import Encoder
from drugmon.models.device import Compute


@pytest.fixture(name="copied")
def _copied(tiny_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "copied"))


@pytest.fixture(name="sharded")
def _sharded(copied: Path) -> Path:
    """The base with its weights in two files."""
    weights = load_file(copied / WHOLE)
    (copied / WHOLE).unlink()
    names = sorted(weights)
    parts = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, copied / file)
    index = {"weight_map": {name: file for file, own in parts.items() for name in own}}
    (copied / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return copied


def test_other_tensors_beside_the_weights_change_nothing(copied: Path) -> None:
    """Neither what is hashed, nor trained on, nor scored with, though they are sorted before."""
    before = weights_sha256(copied)
    other = {name: torch.zeros_like(w) for name, w in load_file(copied / WHOLE).items()}
    save_file(other, copied / "a.safetensors")
    (copied / "adapter_config.json").write_text('{"base_model_name_or_path": "other"}', "utf-8")
    assert weight_files(copied) == [copied / WHOLE]
    assert weights_sha256(copied) == before
    encoder = Encoder(resolve_base(str(copied)), 64)
    batch = encoder.collate(encoder.prepare([]).items or [encoder.tokenizer.layout([[7], [], []])])
    compute = Compute(torch.device("cpu"), torch.float32)
    states = [
        model.eval()(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        for model in (
            encoder.load_backbone(),
            encoder.load_for_scoring(compute, lambda _backbone: None),
        )
    ]
    mask = batch.mask > 0
    torch.testing.assert_close(states[0][mask], states[1][mask], atol=1e-5, rtol=0)


def test_shards_are_those_of_the_index(sharded: Path) -> None:
    before = weights_sha256(sharded)
    save_file({"extra": torch.zeros(1)}, sharded / "extra.safetensors")
    assert [path.name for path in weight_files(sharded)] == [
        "model-1-of-2.safetensors",
        "model-2-of-2.safetensors",
    ]
    assert weights_sha256(sharded) == before
    assert "extra" not in read_weights(sharded)
    Encoder(resolve_base(str(sharded)), 64).load_backbone()


def test_missing_shard_is_named(sharded: Path) -> None:
    (sharded / "model-2-of-2.safetensors").unlink()
    with pytest.raises(BaseModelError, match=r"lacks model-2-of-2\.safetensors, which .* names"):
        weight_files(sharded)


@pytest.mark.parametrize("index", ["{", "{}", '{"weight_map": {"a": "../x.safetensors"}}'])
def test_damaged_index_is_told(sharded: Path, index: str) -> None:
    (sharded / INDEX).write_text(index, encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"model\.safetensors\.index\.json.*: restore it"):
        weight_files(sharded)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pytorch_model.bin", r"only pytorch_model\.bin, a pickle, which can run code"),
        ("weights.safetensors", r"weights\.safetensors, but not under the name that transformers"),
    ],
)
def test_weights_under_another_name_are_refused(copied: Path, name: str, says: str) -> None:
    (copied / WHOLE).rename(copied / name)
    with pytest.raises(BaseModelError, match=says):
        resolve_base(str(copied))


def test_folder_without_weights_is_refused(copied: Path) -> None:
    (copied / WHOLE).unlink()
    with pytest.raises(BaseModelError, match=r"has no weights: drugmon loads model\.safetensors"):
        resolve_base(str(copied))


def test_damaged_weights_are_told(copied: Path) -> None:
    (copied / WHOLE).write_bytes(b"damaged")
    with pytest.raises(BaseModelError, match=r"model\.safetensors is damaged .*: restore it"):
        read_weights(copied)


def test_missing_weights_are_told_and_not_drawn_at_random(copied: Path) -> None:
    weights = load_file(copied / WHOLE)
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, copied / WHOLE)
    with pytest.raises(BaseModelError, match=r"copied lack encoder\.layer\.1\.output\.dense\.bias"):
        Encoder(resolve_base(str(copied)), 64).load_backbone()
