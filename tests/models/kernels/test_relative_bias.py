"""Buckets and biases are those of transformers' MPNet and T5."""

from __future__ import annotations

import pytest
import torch

from drugmon.models.kernels.relative_bias import RelativeBias, by_position, distance_buckets


def relative(length: int) -> torch.Tensor:
    at = torch.arange(length)
    return at[None] - at[:, None]


@pytest.mark.parametrize("length", [1, 2, 9, 300])
def test_buckets_are_those_of_mpnet(length: int) -> None:
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    expected = MPNetEncoder.relative_position_bucket(relative(length))  # type: ignore[no-untyped-call]
    assert torch.equal(by_position(distance_buckets(length)[None])[0], expected)


@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (16, 20), (8, 1000)])
def test_buckets_are_those_of_t5(buckets: int, farthest: int) -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    expected = T5Attention._relative_position_bucket(relative(260), True, buckets, farthest)  # type: ignore[no-untyped-call]
    assert torch.equal(by_position(distance_buckets(260, buckets, farthest)[None])[0], expected)


def test_each_head_has_its_own_numbers_in_both_directions() -> None:
    table = torch.arange(64.0).view(32, 2)
    bias = RelativeBias(table).by_position(3, torch.float32)
    assert bias.shape == (2, 3, 3)
    assert bias[0].tolist() == [[0, 34, 36], [2, 0, 34], [4, 2, 0]]
    assert torch.equal(bias[1], bias[0] + 1)
