from __future__ import annotations

import pytest
import torch

from drugmon.errors import DeviceError
from drugmon.models.device import choose_compute, has_bf16


def test_format_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("drugmon.models.device.has_bf16", lambda _device, there=there: there)
        assert choose_compute("cpu", "auto").dtype == dtype


def test_forced_format_is_taken() -> None:
    assert str(choose_compute("cpu", "bf16")) == "cpu bf16"
    assert str(choose_compute("cpu", "fp32")) == "cpu fp32"


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(DeviceError, match=r"unknown device 'tpu': auto, cpu, cuda or cuda:N"):
        choose_compute("tpu")
    with pytest.raises(DeviceError, match=r"unknown dtype 'fp16': auto, fp32 or bf16"):
        choose_compute("cpu", "fp16")


def test_missing_card_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(
        DeviceError, match=r"no device cuda:1: this machine has 1 CUDA devices; use"
    ):
        choose_compute("cuda:1")


def test_cpu_can_be_asked() -> None:
    assert has_bf16(torch.device("cpu")) in (True, False)
