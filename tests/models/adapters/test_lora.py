from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from drugmon.errors import AdapterError
from drugmon.models.adapters.lora import add_lora, find_targets, merge_lora, save_lora
from drugmon.models.bases.bases import resolve_base
from drugmon.models.classifiers.encoder import Encoder
from drugmon.models.files import LORA_CONFIG, LORA_WEIGHTS

MODULES = ("query", "key", "value", "dense")


@pytest.fixture(name="backbone")
def _backbone(tiny_base: Path) -> torch.nn.Module:
    return Encoder(resolve_base(str(tiny_base)), 64).load_backbone()


@pytest.fixture(name="lora")
def _lora(adapter: Path, tmp_path: Path) -> Path:
    for name in (LORA_CONFIG, LORA_WEIGHTS):
        shutil.copy(adapter / name, tmp_path / name)
    return tmp_path


def change(folder: Path, **values: Any) -> None:
    config = json.loads((folder / LORA_CONFIG).read_text(encoding="utf-8"))
    (folder / LORA_CONFIG).write_text(json.dumps({**config, **values}), encoding="utf-8")


def pefts(backbone: torch.nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    """The weights that peft itself merges from the folder."""
    from peft import PeftModel

    merged = PeftModel.from_pretrained(backbone, str(folder)).merge_and_unload()
    return dict(merged.state_dict())


def test_merging_is_what_peft_does(tiny_base: Path, backbone: torch.nn.Module, lora: Path) -> None:
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    merge_lora(backbone, lora)
    expected = pefts(Encoder(resolve_base(str(tiny_base)), 64).load_backbone(), lora)
    found = backbone.state_dict()
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)
    changed = [name for name in found if not torch.equal(found[name], before[name])]
    assert len(changed) == 2 * 6, "query, key, value and three dense layers of both layers"


def test_rank_stabilised_scale_is_pefts_too(
    tiny_base: Path, backbone: torch.nn.Module, lora: Path
) -> None:
    change(lora, use_rslora=True)
    merge_lora(backbone, lora)
    expected = pefts(Encoder(resolve_base(str(tiny_base)), 64).load_backbone(), lora)
    for name, value in backbone.state_dict().items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"bias": "lora_only"}, "bias lora_only"),
        ({"rank_pattern": {"query": 2}}, "rank_pattern"),
        ({"alpha_pattern": {"query": 2}}, "alpha_pattern"),
        ({"modules_to_save": ["classifier"]}, "modules_to_save"),
        ({"peft_type": "IA3"}, "peft_type IA3"),
    ],
)
def test_other_kinds_are_refused(
    backbone: torch.nn.Module, lora: Path, values: dict[str, Any], reason: str
) -> None:
    change(lora, **values)
    with pytest.raises(AdapterError, match=rf"is not plain LoRA \({reason}\): train one with"):
        merge_lora(backbone, lora)


def test_tensors_of_another_kind_are_refused(backbone: torch.nn.Module, lora: Path) -> None:
    weights = load_file(lora / LORA_WEIGHTS)
    first = next(name for name in weights if "lora_B" in name)
    save_file({**weights, f"{first}.magnitude": weights[first].clone()}, lora / LORA_WEIGHTS)
    with pytest.raises(AdapterError, match="holds tensors that are not LoRA's"):
        merge_lora(backbone, lora)
    del weights[first]
    save_file(weights, lora / LORA_WEIGHTS)
    with pytest.raises(AdapterError, match="holds tensors that are not LoRA's"):
        merge_lora(backbone, lora)


def test_weights_of_another_base_are_refused(backbone: torch.nn.Module, lora: Path) -> None:
    weights = load_file(lora / LORA_WEIGHTS)
    name = next(name for name in weights if "layer.0.attention.self.query.lora_A" in name)
    weights[name] = weights[name][:, :-1].contiguous()
    save_file(weights, lora / LORA_WEIGHTS)
    with pytest.raises(AdapterError, match=r"does not fit its base: .*query\.weight"):
        merge_lora(backbone, lora)


def test_layers_are_found_by_what_a_text_goes_through(backbone: torch.nn.Module) -> None:
    def run() -> None:
        ids = torch.tensor([[2, 7, 3]])
        backbone(input_ids=ids, attention_mask=torch.ones_like(ids))

    backbone.add_module("unused", torch.nn.Linear(4, 4))
    assert find_targets(backbone, run, ("auto",)) == ("dense", "key", "query", "value")
    assert find_targets(backbone, run, ("output.dense", "key")) == ("output.dense", "key")
    for name in ("unused", "uery", "LayerNorm"):
        with pytest.raises(AdapterError) as error:
            find_targets(backbone, run, ("query", name))
        assert (
            f"no layers named {name} that LoRA can change: set lora.target_modules to some of"
            in (str(error.value))
        )
    assert not any(module._forward_hooks for module in backbone.modules())


def test_only_the_uppermost_blocks_may_be_changed(backbone: torch.nn.Module) -> None:
    def run() -> None:
        ids = torch.tensor([[2, 7, 3]])
        backbone(input_ids=ids, attention_mask=torch.ones_like(ids))

    encoder = backbone.get_submodule("encoder.layer")
    assert isinstance(encoder, torch.nn.ModuleList)
    blocks = len(encoder)
    assert blocks > 1
    uppermost = find_targets(backbone, run, ("auto",), 1)
    start = f"encoder.layer.{blocks - 1}."
    assert set(uppermost) == {
        f"{start}{name}"
        for name in (
            *(f"attention.self.{name}" for name in ("query", "key", "value")),
            *("attention.output.dense", "intermediate.dense", "output.dense"),
        )
    }
    assert find_targets(backbone, run, ("key",), 1) == (f"{start}attention.self.key",)
    assert len(find_targets(backbone, run, ("auto",), blocks)) == 6 * blocks
    with pytest.raises(AdapterError, match=rf"lora\.blocks is {blocks + 1}, .* it has {blocks}"):
        find_targets(backbone, run, ("auto",), blocks + 1)
    model = add_lora(backbone, r=2, alpha=4, dropout=0, target_modules=uppermost)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 12
    assert all(start in name for name in trained)


def test_only_lora_trains_and_the_base_is_named_by_its_source(
    backbone: torch.nn.Module, tmp_path: Path
) -> None:
    model = add_lora(backbone, r=2, alpha=4, dropout=0, target_modules=MODULES)
    assert all("lora_" in name for name, p in model.named_parameters() if p.requires_grad)
    save_lora(model, tmp_path, f"org/name@{'a' * 40}")
    config = json.loads((tmp_path / LORA_CONFIG).read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["revision"]) == ("org/name", "a" * 40)
    assert config["target_modules"] == sorted(MODULES)
    assert {path.name for path in tmp_path.iterdir()} == {LORA_CONFIG, LORA_WEIGHTS}
