"""The compiled kernels compute what torch does; skipped where they cannot run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from drugmon.models.kernels import amx
from drugmon.models.kernels.packed_amx import AmxAttend, Packing
from drugmon.models.kernels.packed_attention import TorchAttend
from drugmon.models.kernels.relative_bias import RelativeBias

runs = pytest.mark.skipif(
    not amx.computes(torch.bfloat16, 64, 2),
    reason="this CPU has no AMX, or no compiler was at hand",
)


def batch(lengths: list[int], heads: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """qkv bf16 (b * L, 3 * heads * size) and kept bool (b, L)."""
    generator = torch.Generator().manual_seed(len(lengths))
    longest = max(lengths)
    qkv = torch.randn(len(lengths) * longest, 3 * heads * size, generator=generator)
    kept = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return qkv.to(torch.bfloat16), kept


def attend(
    qkv: torch.Tensor, kept: torch.Tensor, heads: int, bias: RelativeBias | None = None
) -> torch.Tensor:
    """(b * L, hidden), 0 at padding."""
    kernel = AmxAttend(heads, bias)
    plan = kernel.plan(kept)
    columns = [plan.pack(column.reshape(kept.shape)) for column in qkv.unbind(dim=1)]
    found: torch.Tensor = kernel(torch.stack(columns, dim=1), plan)
    assert (found[kept.sum() :] == 0).all()
    return plan.unpack(found).view(len(qkv), -1)


def exact(
    qkv: torch.Tensor, kept: torch.Tensor, heads: int, bias: RelativeBias | None = None
) -> torch.Tensor:
    """torch's attention in float32, as (b * L, hidden)."""
    b, longest = kept.shape
    q, k, v = qkv.float().view(b, longest, 3, heads, -1).permute(2, 0, 3, 1, 4)
    mask = torch.zeros(b, 1, 1, longest).masked_fill_(~kept[:, None, None], -torch.inf)
    if bias:
        mask = mask + bias.by_position(longest, torch.float32)
    found = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
    return found.transpose(1, 2).reshape(len(qkv), -1)


@runs
@pytest.mark.parametrize("size", [32, 64, 96])
@pytest.mark.parametrize(
    "lengths",
    [[1], [16], [17, 1], [31, 32, 33], [48, 5, 40], [200, 193], [512], [64, 0]],
    ids=str,
)
def test_it_is_torchs_attention(lengths: list[int], size: int) -> None:
    heads = 3
    qkv, kept = batch(lengths, heads, size)
    found = attend(qkv, kept, heads).float()
    there = kept.flatten()
    torch.testing.assert_close(
        found[there], exact(qkv, kept, heads)[there], atol=0.02, rtol=0.02, equal_nan=False
    )
    assert (found[~there] == 0).all()


@runs
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("lengths", [[1], [17, 1], [31, 32, 33], [48, 5, 40], [200, 193]], ids=str)
def test_a_position_bias_is_added(lengths: list[int], size: int) -> None:
    heads = 3
    bias = RelativeBias(3 * torch.randn(32, heads, generator=torch.Generator().manual_seed(size)))
    qkv, kept = batch(lengths, heads, size)
    there = kept.flatten()
    found, expected = attend(qkv, kept, heads, bias).float(), exact(qkv, kept, heads, bias)
    torch.testing.assert_close(found[there], expected[there], atol=0.02, rtol=0.02)


@runs
def test_errors_are_bfloat16s() -> None:
    qkv, kept = batch([120, 100], 4, 32)
    expected = exact(qkv, kept, 4)[kept.flatten()]
    own = attend(qkv, kept, 4)[kept.flatten()].float()
    plain = TorchAttend(4)
    theirs = plain(qkv, plain.plan(kept))[kept.flatten()].float()
    assert (own - expected).abs().mean() <= 1.05 * (theirs - expected).abs().mean()


@runs
@pytest.mark.parametrize("factor", [1e-3, 30.0, 1e4])
def test_scores_of_any_size_are_weighed(factor: float) -> None:
    qkv, kept = batch([50, 20], 2, 32)
    qkv[:, :64] *= factor
    there = kept.flatten()
    found, expected = attend(qkv, kept, 2)[there].float(), exact(qkv, kept, 2)[there]
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.02)


@runs
def test_what_stands_at_padding_is_not_looked_at() -> None:
    qkv, kept = batch([40, 7], 2, 32)
    expected = attend(qkv, kept, 2)
    qkv[~kept.flatten()] = torch.nan
    torch.testing.assert_close(attend(qkv, kept, 2), expected, rtol=0, atol=0)


@runs
def test_numbers_that_are_none_are_not_hidden() -> None:
    qkv, kept = batch([40, 7], 2, 32)
    qkv[3] = torch.nan
    found = attend(qkv, kept, 2).view(2, 40, -1)
    assert found[0].isnan().any()
    assert not found[1].isnan().any()


@runs
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads: int) -> None:
    qkv, kept = batch([90, 61, 17], 6, 32)
    expected, before = attend(qkv, kept, 6), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.testing.assert_close(attend(qkv, kept, 6), expected, rtol=0, atol=0)
    finally:
        torch.set_num_threads(before)


@runs
@pytest.mark.parametrize("size", [16, 384, 1024, 4096])
def test_sums_are_normalised_as_torch_does(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    x, other = (
        (3 * torch.randn(70, size, generator=generator) + shift).to(torch.bfloat16)
        for shift in (2, -50)
    )
    weight, bias = torch.randn(2, size, generator=generator)
    found = amx.add_norm(x, other, weight, bias, 1e-12)
    expected = functional.layer_norm(x.float() + other.float(), (size,), weight, bias, 1e-12)
    torch.testing.assert_close(found, expected.to(torch.bfloat16), atol=1e-4, rtol=2**-7)


@runs
def test_gelu_is_that_of_erf_for_every_number_of_bfloat16() -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    expected = functional.gelu(every.double())
    found = amx.gelu_(every.clone()).double()
    there = every.isfinite()
    torch.testing.assert_close(found[there], expected[there], atol=2e-4, rtol=2**-8)
    assert found[every.isnan()].isnan().all()
    assert found[every == torch.inf].isposinf().all()
    assert found[every == -torch.inf].abs() < 2e-4


@runs
def test_numbers_that_are_none_stay_none_when_normalised() -> None:
    x = torch.ones(3, 64, dtype=torch.bfloat16)
    x[1, 5] = torch.nan
    found = amx.add_norm(x, torch.zeros_like(x), torch.ones(64), torch.zeros(64), 1e-12)
    assert found[1].isnan().all()
    assert not found[[0, 2]].isnan().any()


def test_a_batch_is_packed_and_unpacked() -> None:
    kept = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0]]) > 0
    packing = Packing(kept)
    assert packing.starts.tolist() == [0, 2, 5, 6]
    packed = packing.pack(torch.arange(1, 10).view(3, 3))
    assert packed.tolist() == [1, 2, 4, 5, 6, 7] + [0] * 250
    assert packing.unpack(packed[:, None]).squeeze(2).tolist() == [[1, 2, 0], [4, 5, 6], [7, 0, 0]]


@runs
def test_layers_of_whole_tiles_in_bfloat16_are_computed() -> None:
    assert amx.computes(torch.bfloat16, 768, 12)
    assert not amx.computes(torch.bfloat16, 240, 12)
    assert not amx.computes(torch.bfloat16, 8192, 64)
    assert not amx.computes(torch.float32, 768, 12)


@pytest.mark.parametrize("lacks", ["library", "units"])
def test_nothing_is_computed_without(monkeypatch: pytest.MonkeyPatch, lacks: str) -> None:
    if lacks == "library":
        monkeypatch.setattr(amx, "_library", lambda: None)
    else:
        monkeypatch.setattr(amx, "cpu_has_amx", lambda: False)
    assert not amx.computes(torch.bfloat16, 768, 12)


def test_a_library_that_is_not_there_or_broken_is_none(tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    for path in (tmp_path / "missing.so", broken):
        assert amx._library(path) is None


@pytest.mark.skipif(not amx.LIBRARY.exists(), reason="no compiler was at hand")
def test_openmp_is_torchs() -> None:
    """Two runtimes would keep workers each, which compete for the cores."""
    code = (
        "from drugmon.models.kernels.amx import is_built; print(is_built()); "
        "print({line.split()[-1] for line in open('/proc/self/maps') if 'libgomp' in line})"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    built, runtimes = done.stdout.splitlines()
    assert built == "True"
    assert runtimes.count("libgomp") == 1, runtimes
