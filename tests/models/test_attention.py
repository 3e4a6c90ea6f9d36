from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from drugmon.models.attention import NAME, register_attention


def inputs(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, 3, 7, 4, generator=generator).to(dtype).requires_grad_() for _ in range(3)
    ]


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **more: object) -> object:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    return ALL_ATTENTION_FUNCTIONS[register_attention()](None, query, key, value, **more)[0]


@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_torch(masked: bool) -> None:
    mask = torch.zeros(2, 1, 7, 7)
    mask[0, :, :, 5:] = torch.finfo(torch.float32).min
    given = {"attention_mask": mask if masked else None, "scaling": 0.3}
    ours, theirs = inputs(), inputs()
    got = attend(*ours, **given)
    expected = scaled_dot_product_attention(
        *theirs, attn_mask=mask if masked else None, scale=0.3
    ).transpose(1, 2)
    assert isinstance(got, torch.Tensor)
    assert torch.allclose(got, expected, atol=1e-6)
    weight = torch.arange(got.numel()).reshape(got.shape).float().cos()
    for out in (got, expected):
        (out * weight).sum().backward()  # type: ignore[no-untyped-call]
    for own, other in zip(ours, theirs, strict=True):
        assert own.grad is not None
        assert other.grad is not None
        assert torch.allclose(own.grad, other.grad, atol=1e-5)


def test_default_scale_is_that_of_the_head_size() -> None:
    got = attend(*inputs(), attention_mask=None)
    assert isinstance(got, torch.Tensor)
    expected = scaled_dot_product_attention(*inputs()).transpose(1, 2)
    assert torch.allclose(got, expected, atol=1e-6)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(NotImplementedError):
        attend(*inputs(), attention_mask=None, dropout=0.1)


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
            attn_implementation=name,
        )
        model = BertModel(config, add_pooling_layer=False).eval()
        mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
        ids = torch.arange(12).reshape(2, 6)
        states.append(model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()])
    assert torch.allclose(*states, atol=1e-5)
