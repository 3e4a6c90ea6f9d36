"""OneStepT5 computes what transformers' T5ForConditionalGeneration does at its first position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    MT5Config,
    MT5ForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from drugmon.labels import LABELS, TARGETS
from drugmon.models import internals
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.zero_shot import open_base
from drugmon.models.bases.bases import resolve_base
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.device import Compute
from drugmon.models.kernels.one_step_t5 import OneStepT5, takes

pytestmark = pytest.mark.usefixtures("one_thread")

LENGTHS = (33, 17, 9, 2)
WORDS = [7, 300, 41]
START = 0
FP32, BF16 = (Compute(torch.device("cpu"), dtype) for dtype in (torch.float32, torch.bfloat16))
GATED = "gated-gelu"


def make(feed_forward: str = GATED, tied: bool = False, mt5: bool = False, **more: Any) -> Any:
    """A random model; every norm has a gain, so that a forgotten one shows."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 600, "d_model": 32, "d_kv": 12, "d_ff": 64, "num_heads": 4}
    sizes |= {"num_layers": 3, "num_decoder_layers": 2, "decoder_start_token_id": START}
    kind: Any = MT5Config if mt5 else T5Config
    config = kind(
        **sizes,
        feed_forward_proj=feed_forward,
        tie_word_embeddings=tied,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
        **more,
    )
    assert getattr(config, "scale_decoder_outputs", False) is (tied and not mt5)
    model: Any = (MT5ForConditionalGeneration if mt5 else T5ForConditionalGeneration)(config)
    for name, parameter in model.named_parameters():
        if "layer_norm" in name:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return model.eval().requires_grad_(False)


def biased(model: Any) -> Any:
    """As merged LoRA with a bias leaves it: a bias on some layers of each kind, not on others."""
    for number, (name, layer) in enumerate(model.named_modules()):
        if isinstance(layer, nn.Linear) and name != "lm_head" and number % 4:
            layer.bias = nn.Parameter(torch.randn(layer.out_features) * 0.5, requires_grad=False)
    return model


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 600, (len(LENGTHS), max(LENGTHS)), generator=generator)
    return ids, (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()


def expected(model: Any) -> torch.Tensor:
    """Transformers' own logits, each prompt alone and without padding."""
    start = torch.tensor([[START]])
    return torch.cat(
        [
            model(input_ids=row[None, :length], decoder_input_ids=start).logits[:, 0, WORDS]
            for row, length in zip(batch()[0], LENGTHS, strict=True)
        ]
    )


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
@pytest.mark.parametrize(
    ("feed_forward", "tied", "bias"),
    [
        pytest.param(GATED, False, False, id="flan"),
        pytest.param(GATED, False, True, id="flan with a bias"),
        pytest.param("relu", True, False, id="t5"),
        pytest.param("relu", True, True, id="t5 with a bias"),
        pytest.param("gated-silu", True, True, id="gated silu"),
        pytest.param("gelu", False, False, id="gelu"),
    ],
)
def test_logits_are_transformers_own(
    feed_forward: str, tied: bool, bias: bool, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed is a CPU's way; the plain one is a GPU's."""
    monkeypatch.setattr(internals, "packs_dense", lambda _dtype: packed)
    model = make(feed_forward, tied)
    model = biased(model) if bias else model
    assert takes(model)
    found = OneStepT5(model, WORDS, START, FP32)(*batch())
    assert found.dtype == torch.float32
    close(found, expected(model))


def test_mt5_is_taken_too() -> None:
    model = make(mt5=True)
    assert takes(model)
    close(OneStepT5(model, WORDS, START, FP32)(*batch()), expected(model))


@pytest.mark.slow
def test_each_bias_matters() -> None:
    """So the comparison above would see one that is left out."""
    ids, mask = batch()
    plain = OneStepT5(make(), WORDS, START, FP32)(ids, mask)
    linear = [name for name, layer in make().named_modules() if isinstance(layer, nn.Linear)]
    names = [name for name in linear if name != "lm_head"]
    for name in names:
        model = make()
        layer = model.get_submodule(name)
        torch.manual_seed(2)
        layer.bias = nn.Parameter(torch.randn(layer.out_features), requires_grad=False)
        moved = OneStepT5(model, WORDS, START, FP32)(ids, mask)
        close(moved, expected(model))
        # A key's moves all scores of a query alike; the decoder's first position sees itself alone.
        idle = name.endswith(".k") or ("decoder" in name and name.endswith("SelfAttention.q"))
        assert ((moved - plain).abs().max() < 1e-4) == idle, name


def test_bf16_is_as_near_as_transformers_bf16() -> None:
    model = make()
    exact = expected(model)
    found = OneStepT5(model, WORDS, START, BF16)(*batch())
    assert found.dtype == torch.float32
    theirs = (expected(make().to(torch.bfloat16)).float() - exact).abs().max()
    assert (found - exact).abs().max() < max(2 * theirs.item(), 0.02 * exact.abs().max().item())


@pytest.mark.parametrize("to", [FP32, BF16], ids=str)
def test_a_prompt_does_not_depend_on_its_batch(to: Compute) -> None:
    model = OneStepT5(make(), WORDS, START, to)
    ids, mask = batch()
    together = model(ids, mask)
    tolerance = 2e-5 if to is FP32 else 0.02 * together.abs().max().item()
    close(model(ids.flip(0), mask.flip(0)).flip(0), together, tolerance)
    for row, length in enumerate(LENGTHS):
        alone = model(ids[row, None, :length], mask[row, None, :length])[0]
        close(alone, together[row], tolerance)


def test_what_padding_holds_does_not_matter() -> None:
    model = OneStepT5(make(), WORDS, START, FP32)
    ids, mask = batch()
    assert torch.equal(model(ids.masked_fill(mask == 0, 77), mask), model(ids, mask))


def test_the_model_it_was_made_from_stays_as_it_was() -> None:
    model = make()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    OneStepT5(model, WORDS, START, FP32)(*batch())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_an_unknown_activation_is_not_taken() -> None:
    assert not takes(make("gated-tanh"))


def zero_shot(tiny_t5: Path) -> Adapter:
    return open_base(str(tiny_t5))


@pytest.mark.parametrize("to", [FP32, BF16], ids=str)
def test_a_base_scores_by_it(tiny_t5: Path, to: Compute) -> None:
    loaded = zero_shot(tiny_t5).load(to)
    assert isinstance(loaded.model.backbone, OneStepT5)


def test_others_score_by_transformers(tiny_t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same verdicts: what `takes` refuses is computed as transformers has it."""
    texts = make_classifier(resolve_base(str(tiny_t5)), 64)
    ours = zero_shot(tiny_t5).load(FP32)
    monkeypatch.setattr("drugmon.models.classifiers.seq2seq.takes", lambda _model: False)
    theirs = zero_shot(tiny_t5).load(FP32)
    assert isinstance(theirs.model.backbone, T5ForConditionalGeneration)
    items: Any = [tuple(range(3, 3 + length)) for length in LENGTHS]
    with torch.inference_mode():
        found, wanted = (own.model(texts.collate(items)) for own in (ours, theirs))
    assert set(found) == set(TARGETS)
    assert found["overall"].shape == (len(LENGTHS), len(LABELS))
    close(found["overall"], wanted["overall"])
