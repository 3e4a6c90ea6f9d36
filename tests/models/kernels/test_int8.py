"""int8 products are close to those in float32, and say so where they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from drugmon.errors import AdapterError
from drugmon.models.device import has_int8
from drugmon.models.files import RANGES
from drugmon.models.kernels.dense import Dense
from drugmon.models.kernels.int8 import Int8Dense, Int8FeedForward, Int8Projection, Parameters
from drugmon.models.kernels.ranges import ActivationRange, WatchedLayer, load_ranges, save_ranges

HIDDEN, INNER, ROWS = 64, 192, 300
DTYPES = [torch.float32, torch.bfloat16]

needs_int8 = pytest.mark.skipif(
    not has_int8(torch.device("cpu")), reason="this CPU has no int8 units"
)


def layer(inputs: int, outputs: int, seed: int) -> Parameters:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator) * inputs**-0.5
    return weight, torch.randn(outputs, generator=generator)


def states() -> torch.Tensor:
    """Like those behind a layer norm: a few channels are far wider than the others."""
    x = torch.randn(ROWS, HIDDEN, generator=torch.Generator().manual_seed(9))
    x[:, 5] *= 20
    x[:, 40] -= 12
    return x


def range_of(x: torch.Tensor) -> ActivationRange:
    return ActivationRange(x.amin(0), x.amax(0))


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The root mean square of the difference, as a share of that of what is expected."""
    return float((found.float() - expected).square().mean().sqrt() / expected.std())


@needs_int8
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_is_close(dtype: torch.dtype) -> None:
    x, (weight, bias) = states(), layer(HIDDEN, 96, 1)
    found = Int8Dense((weight, bias), range_of(x), dtype)(x)
    assert found.dtype == dtype
    assert error(found, functional.linear(x, weight, bias)) < 0.02


@needs_int8
@pytest.mark.parametrize("dtype", DTYPES)
def test_averages_of_values_come_in_the_steps_of_the_projection(dtype: torch.dtype) -> None:
    x, values, out = states(), layer(HIDDEN, HIDDEN, 1), layer(HIDDEN, HIDDEN, 2)
    shares = torch.rand(ROWS, ROWS, generator=torch.Generator().manual_seed(3)).softmax(1)
    averages = shares @ functional.linear(x, *values)
    other = torch.randn(ROWS, HIDDEN, generator=torch.Generator().manual_seed(4))
    expected = functional.linear(averages, *out) + other
    projection = Int8Projection(out, range_of(averages))
    steps = shares @ functional.linear(x, *projection.values(values))
    found = projection.plus(steps.to(dtype), other)
    assert found.data_ptr() == other.data_ptr()
    assert error(found, expected) < 0.02


@needs_int8
def test_inputs_far_from_zero_have_their_own_middle() -> None:
    x, (weight, bias) = torch.rand(ROWS, HIDDEN), layer(HIDDEN, 96, 1)
    x[:, ::2] += 40
    x[:, 7] = 3  # always the same: a range of nothing
    product = Int8Dense((weight, bias), range_of(x), torch.float32)
    expected = functional.linear(x, weight, bias)
    assert error(product(x), expected) < 0.02


@needs_int8
def test_feed_forward_is_close() -> None:
    x, inner, outer = states(), layer(HIDDEN, INNER, 2), layer(INNER, HIDDEN, 3)
    inner[1][7] += 60  # what comes out of GELU has a channel that would leave the others no steps
    between = functional.gelu(functional.linear(x, *inner))
    given = x.clone()
    block = Int8FeedForward(inner, outer, range_of(x), range_of(between), torch.neg)
    found = -block(given) - given
    assert error(found, functional.linear(between, *outer)) < 0.02
    torch.testing.assert_close(given, x, msg="the input is left as it was")


@needs_int8
def test_inputs_beyond_the_range_are_taken_for_its_end() -> None:
    x, parameters = states(), layer(HIDDEN, 96, 1)
    product = Int8Dense(parameters, range_of(x), torch.float32)
    far, end = x[:1].clone(), x[:1].clone()
    far[0, 5], end[0, 5] = 1e6, x[:, 5].abs().max() * 1.2
    torch.testing.assert_close(product(far), product(end))


@needs_int8
def test_a_row_does_not_depend_on_its_neighbours() -> None:
    x = states()
    product = Int8Dense(layer(HIDDEN, 96, 1), range_of(x), torch.bfloat16)
    torch.testing.assert_close(product(x)[7:8], product(x[7:8].clone()), rtol=0, atol=0)


@needs_int8
def test_what_does_not_fit_is_refused() -> None:
    weight, bias = layer(HIDDEN, 96, 1)
    with pytest.raises(AdapterError, match=r"ranges\.safetensors has 3 inputs for a layer of 64"):
        Int8Dense((weight, bias), range_of(torch.ones(2, 3)), torch.float32)
    weight[3, 3] = torch.nan
    with pytest.raises(AdapterError, match="numbers that are none"):
        Int8Dense((weight, bias), range_of(states()), torch.float32)


def test_ranges_are_recorded_and_kept(tmp_path: Path) -> None:
    x, (weight, bias) = states(), layer(HIDDEN, HIDDEN, 1)
    watched = {
        "0.qkv": WatchedLayer(Dense(weight, bias)),
        "0.outer": WatchedLayer(Dense(weight, bias)),
    }
    expected = functional.linear(x, weight, bias)
    for part in (x[:100], x[100:]):
        watched["0.qkv"](part)
    found = watched["0.outer"].plus(x, x)
    torch.testing.assert_close(found, expected + x, rtol=1e-4, atol=1e-4)
    save_ranges(watched, tmp_path)
    ranges = load_ranges(tmp_path)
    assert ranges.keys() == watched.keys()
    for own in ranges.values():
        torch.testing.assert_close(own.low, x.amin(0))
        torch.testing.assert_close(own.high, x.amax(0))


@pytest.mark.parametrize("lacking", ["0.qkv.low", "0.qkv.high"])
def test_other_files_are_no_ranges(tmp_path: Path, lacking: str) -> None:
    values = {"0.qkv.low": torch.zeros(3), "0.qkv.high": torch.ones(3)}
    save_file({**values, lacking: torch.full((3,), torch.nan)}, tmp_path / RANGES)
    with pytest.raises(AdapterError, match="numbers that are none: train"):
        load_ranges(tmp_path)
    del values[lacking]
    save_file(values, tmp_path / RANGES)
    with pytest.raises(AdapterError, match=rf"holds no ranges .*{lacking}.*: train"):
        load_ranges(tmp_path)
    (tmp_path / RANGES).write_bytes(b"other")
    with pytest.raises(AdapterError, match=r"ranges\.safetensors holds no ranges"):
        load_ranges(tmp_path)
