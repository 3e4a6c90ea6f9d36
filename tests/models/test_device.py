from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from unittest.mock import MagicMock, call

import pytest
import torch

from drugmon.errors import DeviceError
from drugmon.models import internals
from drugmon.models.device import (
    Units,
    choose_compute,
    cpu_has_amx,
    gains_by_bf16,
    has_int8,
    keep_few_kernels,
    keep_freed_memory,
    release_freed_memory,
)


def test_format_follows_the_hardware() -> None:
    for there, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        assert choose_compute("cpu", "auto", units=Units(bf16=there)).dtype == dtype


@pytest.mark.parametrize(
    ("supported", "seconds", "gains"),
    [(True, 0.5, True), (True, 2.0, False), (False, 0.5, False)],
    ids=["faster", "slower", "emulated"],
)
def test_bf16_has_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, supported: bool, seconds: float, gains: bool
) -> None:
    monkeypatch.setattr(internals, "multiplies_bf16", lambda: supported)
    taken = {torch.bfloat16: seconds, torch.float32: 1.0}
    monkeypatch.setattr("drugmon.models.device._product_seconds", taken.__getitem__)
    assert gains_by_bf16.__wrapped__(torch.device("cpu")) is gains


def test_forced_format_is_taken() -> None:
    assert str(choose_compute("cpu", "bf16")) == "cpu bf16"
    assert str(choose_compute("cpu", "fp32")) == "cpu fp32"


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(DeviceError, match=r"unknown device 'tpu': auto, cpu, cuda or cuda:N"):
        choose_compute("tpu")
    with pytest.raises(DeviceError, match=r"unknown dtype 'fp16': auto, fp32, bf16 or int8"):
        choose_compute("cpu", "fp16")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("bf16", [True, False])
def test_int8_is_chosen_where_model_and_hardware_have_it(there: bool, bf16: bool) -> None:
    units = Units(bf16=bf16, int8=there)
    assert choose_compute("cpu", "auto", True, units).int8 is there
    assert not choose_compute("cpu", "auto", False, units).int8
    assert not choose_compute("cpu", "bf16", True, units).int8
    if there:
        assert str(choose_compute("cpu", "int8", True, units)) == "cpu int8"


@pytest.mark.parametrize("gains", [True, False])
def test_int8_is_left_where_amx_gains_by_bf16(gains: bool) -> None:
    units = Units(bf16=gains, int8=True, amx=True)
    assert choose_compute("cpu", "auto", True, units).int8 is not gains
    assert choose_compute("cpu", "int8", True, units).int8


def test_int8_that_cannot_be_had_is_told() -> None:
    with pytest.raises(DeviceError, match=r"needs the ranges .* or train the adapter again"):
        choose_compute("cpu", "int8", units=Units(bf16=True, int8=True))
    with pytest.raises(DeviceError, match=r"cpu does not multiply int8 .* use --dtype auto"):
        choose_compute("cpu", "int8", quantises=True, units=Units(bf16=True))


def test_missing_card_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(
        DeviceError, match=r"no device cuda:1: this machine has 1 CUDA devices; use"
    ):
        choose_compute("cuda:1")


def test_cpu_can_be_asked() -> None:
    assert gains_by_bf16(torch.device("cpu")) in (True, False)
    assert has_int8(torch.device("cpu")) in (True, False)
    assert cpu_has_amx() in (True, False)
    assert not has_int8(torch.device("cuda"))
    cpu = torch.device("cpu")
    assert Units.of(cpu) == Units(gains_by_bf16(cpu), has_int8(cpu), cpu_has_amx())


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def test_what_is_kept_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    library = MagicMock()
    monkeypatch.setattr("drugmon.models.device._c_library", lambda: library)
    keep_freed_memory(largest=2**25, most=2**28)
    trim_threshold, mmap_threshold = -1, -3
    assert library.mallopt.call_args_list == [
        call(trim_threshold, 2**28),
        call(mmap_threshold, 2**25),
    ]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps and releases")
def test_freed_memory_is_kept_and_then_released_with_its_holes() -> None:
    keep_freed_memory()
    tensors = [torch.ones(2**20) for _ in range(64)]
    full = resident()
    others = tensors[::2]
    del tensors
    assert resident() > full - 2**23, "kept for the next tensors"
    release_freed_memory()
    assert resident() < full - 2**26, "128 MiB of holes"
    assert all(bool((own == 1).all()) for own in others)


def test_kernels_are_few_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.delenv(name, raising=False)
    keep_few_kernels()
    assert os.environ[name] == "64"
    monkeypatch.setenv(name, "7")
    keep_few_kernels()
    assert os.environ[name] == "7"
