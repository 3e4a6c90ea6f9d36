"""Where and in which number format to compute."""

from __future__ import annotations

import ctypes
import os
import re
import timeit
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch

from drugmon.errors import DeviceError
from drugmon.models import internals

CPU_TOKENS: Final = 4_096
"""The activations of so many tokens, padding included, still fit a CPU's caches."""

BEGIN_TOKENS: Final = {"cpu": 32, "cuda": None}
"""In how many tokens' time one more batch is begun. A GPU is not filled by what a batch could be
parted into, so there it is not."""

_TRIED: Final = 512
"""Rows and columns of the matrices by which a CPU's formats are compared."""


@dataclass(frozen=True)
class Compute:
    """A device and the number format of the model's weights on it.

    With `int8`, the large products are in int8, and `dtype` is the format of everything else.
    """

    device: torch.device
    dtype: torch.dtype
    int8: bool = False

    def __str__(self) -> str:
        wide = "bf16" if self.dtype == torch.bfloat16 else "fp32"
        return f"{self.device} {'int8' if self.int8 else wide}"


@dataclass(frozen=True)
class Units:
    """What a device has units for: `bf16` faster than float32, `int8` without loss, `amx` for both.

    Args:
        bf16: as `gains_by_bf16`.
        int8: as `has_int8`.
        amx: as `cpu_has_amx`, of a CPU.
    """

    bf16: bool
    int8: bool = False
    amx: bool = False

    @classmethod
    def of(cls, device: torch.device) -> Units:
        """Ask a device of this machine."""
        return cls(gains_by_bf16(device), has_int8(device), device.type == "cpu" and cpu_has_amx())

    @property
    def gains_by_int8(self) -> bool:
        """Whether products in int8 save more than it takes to bring numbers to 8 bits.

        They do not beside AMX in bf16, where products are a third of the time.
        """
        return self.int8 and not (self.amx and self.bf16)


def choose_compute(
    device: str = "auto", dtype: str = "auto", quantises: bool = False, units: Units | None = None
) -> Compute:
    """Resolve `auto|cpu|cuda|cuda:N` and `auto|fp32|bf16|int8` to what this machine has.

    auto is the fastest that the hardware multiplies: emulated, bf16 is tens of times slower, and
    int8 is less exact.

    Args:
        device: where to compute.
        dtype: in which format.
        quantises: whether the model has what int8 needs.
        units: what the device has units for; None to ask it.

    Raises:
        DeviceError: the device is unknown or not there, or int8 is asked for and cannot be had.
    """
    where = _device(device)
    units = units or Units.of(where)
    formats = {"fp32": torch.float32, "bf16": torch.bfloat16}
    fastest = formats["bf16" if units.bf16 else "fp32"]
    if dtype == "auto":
        return Compute(where, fastest, quantises and units.gains_by_int8)
    if dtype == "int8":
        if not units.int8:
            raise DeviceError(
                f"{where} does not multiply int8 (that takes a CPU with AVX-512 VNNI): "
                "use --dtype auto"
            )
        if not quantises:
            raise DeviceError(
                "int8 is for scoring and needs the ranges that training records with a BERT base: "
                "use --dtype auto, or train the adapter again"
            )
        return Compute(where, fastest, int8=True)
    if dtype not in formats:
        raise DeviceError(
            f"unknown dtype {dtype!r}: auto, fp32, bf16 or int8 (fp16 overflows in T5)"
        )
    return Compute(where, formats[dtype])


@cache
def gains_by_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bf16 matrices in hardware, and faster than in float32.

    CPUs are tried: Intel's with AVX-512 bf16, but without AMX, take twice as long in bf16.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not internals.multiplies_bf16():
        return False
    # OpenMP keeps workers for every thread that once multiplied, and those that score would have to
    # share the cores with them. This thread ends.
    with ThreadPoolExecutor(1) as pool:
        half, full = pool.map(_product_seconds, (torch.bfloat16, torch.float32))
    return half < full


def has_int8(device: torch.device) -> bool:
    """Whether `device` multiplies int8 without loss; older CPUs saturate the sums of two."""
    return device.type == "cpu" and internals.multiplies_int8() and internals.quantised_products()


def cpu_has_amx() -> bool:
    """Whether this CPU has AMX and the system lets this process use it."""
    return internals.uses_amx()


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor of any shape to `device`; a GPU takes it while the host goes on."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # from other memory, the host would have to wait
    return tensor.to(device, non_blocking=True)


def keep_freed_memory(largest: int = 2**31 - 1, most: int = 2**31 - 1) -> None:
    """Let the C library keep freed memory for the next large tensor.

    By default glibc returns it to the system, which then clears it page by page for the next one:
    up to a third of the time of a training step, or of scoring. As tensors of ever other sizes
    leave holes that no later one fits, what is kept grows: `release_freed_memory` ends that.

    Args:
        largest: bytes of a tensor whose memory is kept.
        most: bytes that are kept, where they lie together.
    """
    library = _c_library()
    if hasattr(library, "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # from malloc.h
        library.mallopt(trim_threshold, most)
        library.mallopt(mmap_threshold, largest)


def keep_few_kernels() -> None:
    """Let oneDNN keep the kernels of the newest shapes only; call it before the first product.

    It keeps a thousand by default, one for every shape of every product: hundreds of megabytes. A
    step of training needs fewer than this, and the next batch hardly ever has the same shapes.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def release_freed_memory() -> None:
    """Return what `keep_freed_memory` has kept, holes between tensors included."""
    library = _c_library()
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


@cache
def _c_library() -> ctypes.CDLL:
    """The C library of this process; only glibc has both functions."""
    return ctypes.CDLL(None)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise DeviceError(f"unknown device {name!r}: auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"no device {name}: this machine has {torch.cuda.device_count()} CUDA devices; "
            "use --device cpu"
        )
    return device


def _product_seconds(dtype: torch.dtype) -> float:
    """What a matrix product takes that is long enough to tell, and short enough for every start."""
    matrix = torch.ones(_TRIED, _TRIED, dtype=dtype)
    torch.mm(matrix, matrix)
    return min(timeit.repeat(lambda: torch.mm(matrix, matrix), number=1, repeat=5))
