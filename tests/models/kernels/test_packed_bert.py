"""PackedBert computes what transformers' BertModel does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from drugmon.errors import AdapterError, BaseModelError
from drugmon.models.bases.bases import BaseConfig, resolve_base
from drugmon.models.classifiers.encoder import Encoder
from drugmon.models.device import Compute, has_int8
from drugmon.models.kernels import packed_attention
from drugmon.models.kernels.packed_attention import TorchAttend
from drugmon.models.kernels.packed_bert import PackedBert, packs
from drugmon.models.kernels.packed_layout import LAYOUTS, bare_parameters
from drugmon.models.kernels.ranges import ActivationRange
from tests.tiny_encoders import make_encoder

LENGTHS = (17, 9, 4)


@pytest.fixture(name="folder", params=["bert", "mpnet"])
def _folder(request: pytest.FixtureRequest, tiny_base: Path, tmp_path: Path) -> Path:
    """A base of two layers: a BERT, or an MPNet whose position bias is large enough to matter."""
    if request.param == "bert":
        return tiny_base
    folder = make_encoder("mpnet", tmp_path / "mpnet", num_hidden_layers=2, vocab_size=600)
    weights = load_file(folder / "model.safetensors")
    weights["encoder.relative_attention_bias.weight"].mul_(50)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(name="backbone")
def _backbone(folder: Path) -> nn.Module:
    return Encoder(resolve_base(str(folder)), 48).load_backbone().eval()


@pytest.fixture(name="config")
def _config(folder: Path) -> BaseConfig:
    config: BaseConfig = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


@pytest.fixture(name="batch")
def _batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 600, (len(LENGTHS), max(LENGTHS)), generator=generator)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


def packed(backbone: nn.Module, config: BaseConfig, dtype: torch.dtype) -> PackedBert:
    return PackedBert(backbone, config, dtype)


def states(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """States of the tokens that are no padding (tokens, hidden)."""
    with torch.inference_mode():
        found: torch.Tensor = model(**batch).last_hidden_state
    return found[batch["attention_mask"] > 0].float()


def attending(model: PackedBert) -> list[TorchAttend]:
    """Attention proper of each layer."""
    found = [layer.attention.attend for layer in model._layers]
    assert all(isinstance(own, TorchAttend) for own in found)
    return cast(list[TorchAttend], found)


def query_and_key(backbone: nn.Module) -> tuple[str, str]:
    layout = LAYOUTS[backbone.config.model_type]  # type: ignore[union-attr, index]
    return layout.query, layout.key


def scale_queries(backbone: nn.Module, factor: float) -> None:
    with torch.no_grad():
        for name, weight in backbone.named_parameters():
            if any(part in name for part in (".query.", ".key.", ".q.", ".k.")):
                weight.mul_(factor)


@pytest.mark.parametrize("factor", [1, 10, 60], ids=["small", "large", "overflowing"])
def test_states_are_those_of_bert_model(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor], factor: float
) -> None:
    scale_queries(backbone, factor)
    model = packed(backbone, config, torch.float32)
    torch.testing.assert_close(states(model, batch), states(backbone, batch), atol=1e-4, rtol=1e-4)


def test_scores_too_large_for_exp_are_shifted_from_then_on(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> None:
    with torch.no_grad():
        for layer in range(2):
            for part in query_and_key(backbone):
                backbone.get_parameter(f"encoder.layer.{layer}.{part}.bias").fill_(12)
    expected = states(backbone, batch)
    model = packed(backbone, config, torch.float32)
    for _ in range(2):
        torch.testing.assert_close(states(model, batch), expected, atol=1e-4, rtol=1e-4)
    assert all(own._shift is not None and not own._by_row for own in attending(model))


def test_scores_that_no_shift_of_a_head_fits_are_shifted_by_row(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> None:
    scale_queries(backbone, 120)
    expected = states(backbone, batch)
    model = packed(backbone, config, torch.float32)
    for _ in range(2):
        torch.testing.assert_close(states(model, batch), expected, atol=1e-4, rtol=1e-4)
    assert all(own._by_row for own in attending(model))


def test_bfloat16_stays_close(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> None:
    found = states(packed(backbone, config, torch.bfloat16), batch)
    expected = states(backbone, batch)
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_neighbours_and_padding_change_nothing(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor], dtype: torch.dtype
) -> None:
    model = packed(backbone, config, dtype)
    together = torch.split(states(model, batch), list(LENGTHS))
    for row, length in enumerate(LENGTHS):
        alone = {name: part[row : row + 1, :length] for name, part in batch.items()}
        atol = 1e-5 if dtype == torch.float32 else 0.03
        torch.testing.assert_close(states(model, alone), together[row], atol=atol, rtol=0)


def test_attention_of_many_reviews_is_computed_in_groups(
    backbone: nn.Module,
    config: BaseConfig,
    batch: dict[str, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = states(packed(backbone, config, torch.float32), batch)
    heads = int(config["num_attention_heads"])
    monkeypatch.setattr(packed_attention, "_SCORES", 2 * heads * max(LENGTHS) ** 2)
    groups = packed_attention.groups_of(batch["attention_mask"] > 0, heads)
    assert [(own.reviews, own.shortest) for own in groups] == [
        (slice(0, 2), LENGTHS[1]),
        (slice(2, 3), LENGTHS[2]),
    ]
    found = states(packed(backbone, config, torch.float32), batch)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def recorded(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> dict[str, ActivationRange]:
    model = packed(backbone, config, torch.float32)
    watched = model.watch()
    states(model, batch)
    return {name: own.range for name, own in watched.items() if own.range}


def test_watching_changes_nothing(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> None:
    model = packed(backbone, config, torch.float32)
    before = states(model, batch)
    assert set(model.watch()) == {
        f"{layer}.{part}" for layer in range(2) for part in ("qkv", "out", "inner", "outer")
    }
    torch.testing.assert_close(states(model, batch), before)


@pytest.mark.skipif(not has_int8(torch.device("cpu")), reason="this CPU has no int8 units")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_stays_close(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor], dtype: torch.dtype
) -> None:
    model = PackedBert(backbone, config, dtype, recorded(backbone, config, batch))
    found, expected = states(model, batch), states(backbone, batch)
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


def test_ranges_of_another_model_are_refused(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> None:
    ranges = recorded(backbone, config, batch)
    del ranges["1.out"]
    with pytest.raises(AdapterError, match=r"no ranges of layer '1\.out': train .*--dtype bf16 or"):
        PackedBert(backbone, config, torch.float32, ranges)


def test_numbers_that_are_none_are_not_hidden(
    backbone: nn.Module, config: BaseConfig, batch: dict[str, torch.Tensor]
) -> None:
    with torch.no_grad():
        part = query_and_key(backbone)[1]
        backbone.get_parameter(f"encoder.layer.0.{part}.weight")[0, 0] = torch.nan
    assert states(packed(backbone, config, torch.float32), batch).isnan().any()


@pytest.fixture(name="copied")
def _copied(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base, to be changed."""
    return Path(shutil.copytree(tiny_base, tmp_path / "copied"))


def test_only_plain_bert_on_a_cpu_is_packed(copied: Path) -> None:
    cpu, gpu = (Compute(torch.device(name), torch.bfloat16) for name in ("cpu", "cuda"))
    assert packs(resolve_base(str(copied)), cpu)
    assert not packs(resolve_base(str(copied)), gpu)
    path = copied / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for change in (
        {"hidden_act": "relu"},
        {"position_embedding_type": "relative_key"},
        {"model_type": "electra"},
    ):
        path.write_text(json.dumps({**config, **change}), encoding="utf-8")
        assert not packs(resolve_base(str(copied)), cpu)


def test_weights_are_read_as_transformers_reads_them(tiny_base: Path, copied: Path) -> None:
    """Also where they are half precision, under a head's prefix, with the oldest names of norms."""
    backbone = Encoder(resolve_base(str(tiny_base)), 64).load_backbone()
    path = copied / "model.safetensors"
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    changed = {"cls.predictions.bias": torch.zeros(3)}
    for name, weight in load_file(path).items():
        for new, before in old.items():
            name = name.replace(new, before)
        changed[f"bert.{name}"] = weight.bfloat16()
    save_file(changed, path)
    found = dict(bare_parameters(resolve_base(str(copied))).named_parameters())
    assert found.keys() == dict(backbone.named_parameters()).keys()
    for name, weight in backbone.named_parameters():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], weight.bfloat16().float())


def test_missing_weights_are_told(copied: Path) -> None:
    path = copied / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, path)
    with pytest.raises(BaseModelError, match=r"copied lack encoder\.layer\.1\.output\.dense\.bias"):
        bare_parameters(resolve_base(str(copied)))
