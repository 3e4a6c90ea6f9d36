from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from drugmon.models.kernels.attention import NAME, attend_mpnet, register_attention


def inputs(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, 3, 7, 4, generator=generator).to(dtype).requires_grad_() for _ in range(3)
    ]


def attend(inputs: list[torch.Tensor], **more: Any) -> torch.Tensor:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    attended = ALL_ATTENTION_FUNCTIONS[register_attention()](None, *inputs, **more)[0]
    assert isinstance(attended, torch.Tensor)
    return attended


def reference(inputs: list[torch.Tensor], **more: Any) -> torch.Tensor:
    """The same by torch's own kernel."""
    query, key, value = inputs
    return scaled_dot_product_attention(query, key, value, **more).transpose(1, 2)


@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_torch(masked: bool) -> None:
    mask = torch.zeros(2, 1, 7, 7)
    mask[0, :, :, 5:] = torch.finfo(torch.float32).min
    ours, theirs = inputs(), inputs()
    given = mask if masked else None
    got = attend(ours, attention_mask=given, scaling=0.3)
    expected = reference(theirs, attn_mask=given, scale=0.3)
    assert torch.allclose(got, expected, atol=1e-6)
    weight = torch.arange(got.numel()).reshape(got.shape).float().cos()
    for out in (got, expected):
        (out * weight).sum().backward()  # type: ignore[no-untyped-call]
    for own, other in zip(ours, theirs, strict=True):
        assert own.grad is not None
        assert other.grad is not None
        assert torch.allclose(own.grad, other.grad, atol=1e-5)


def test_default_scale_is_that_of_the_head_size() -> None:
    got = attend(inputs(), attention_mask=None)
    assert torch.allclose(got, reference(inputs()), atol=1e-6)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(NotImplementedError):
        attend(inputs(), attention_mask=None, dropout=0.1)


def test_a_backbone_gives_the_same_states_with_it() -> None:
    from transformers import BertConfig, BertModel

    states = []
    for name in (NAME, "sdpa"):
        register_attention()
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=50,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
        )
        config._attn_implementation = name
        model = BertModel(config, add_pooling_layer=False)
        model.train(False)
        mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
        ids = torch.arange(12).reshape(2, 6)
        states.append(model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()])
    assert torch.allclose(states[0], states[1], atol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
def test_mpnet_gives_the_same_states_and_gradients_with_it(padded: bool) -> None:
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(0)
    config = MPNetConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=30,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    theirs: Any = MPNetModel(config, add_pooling_layer=False)
    with torch.no_grad():
        theirs.encoder.relative_attention_bias.weight.mul_(50)
    ours = copy.deepcopy(theirs)
    attend_mpnet(ours)
    assert dict(ours.named_parameters()).keys() == dict(theirs.named_parameters()).keys()
    mask = torch.ones(2, 20, dtype=torch.int64)
    mask[0, 13:] = 1 - padded
    ids = torch.arange(2, 42).reshape(2, 20)
    states = [model(input_ids=ids, attention_mask=mask)[0][mask.bool()] for model in (ours, theirs)]
    torch.testing.assert_close(states[0], states[1], atol=1e-5, rtol=1e-4)
    for own in states:
        (own * torch.arange(own.numel()).view(own.shape).cos()).sum().backward()
    for (name, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if other.grad is not None:  # the trained position bias included
            torch.testing.assert_close(own.grad, other.grad, atol=1e-4, rtol=1e-3, msg=name)
    assert ours.encoder.relative_attention_bias.weight.grad is not None
