"""Compiled kernels for scoring in bf16 on CPUs with AMX; `amx.c` says how they do it.

Each takes a third to two thirds of the time of torch's operations for the same.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import torch
from torch.nn import functional

from drugmon.models.device import cpu_has_amx

LIBRARY: Final = Path(__file__).with_name("libamx.so")
"""Compiled when drugmon is installed, where there is a C compiler."""

_WIDTH: Final = 32
"""bf16 numbers in a row of an AMX tile."""

_BEYOND: Final = 16

_LARGEST: Final = 4096
"""Numbers of a token's states, at most."""


def is_built() -> bool:
    """Whether the kernels were compiled and load."""
    return _library() is not None


def computes(dtype: torch.dtype, hidden: int, heads: int) -> bool:
    """Whether the kernels compute layers of `hidden` numbers with so many heads, here."""
    fits = hidden % (heads * _WIDTH) == 0 and hidden <= _LARGEST
    return dtype == torch.bfloat16 and fits and cpu_has_amx() and is_built()


def attend(
    qkv: torch.Tensor,
    starts: torch.Tensor,
    longest: int,
    heads: int,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention within each review: softmax(q k' + bias) v.

    Args:
        qkv: queries, keys and values of all heads, bf16 (n, 3 * hidden), reviews one behind the
            other.
        starts: the first token of each review and the one behind the last, int64 (b + 1,).
        longest: tokens of the longest review, or more.
        heads: how many.
        bias: of every distance, key less query, float32 (heads, 2 * longest - 1); None for none.

    Returns bf16 (n, hidden), 0 behind the last review.
    """
    tokens, hidden = len(qkv), qkv.shape[1] // 3
    library, size, threads = _loaded(), hidden // heads, torch.get_num_threads()
    memory = torch.empty(threads * library.space_of_thread(longest, size), dtype=torch.uint8)
    qkv, attended = qkv.contiguous(), qkv.new_empty(tokens, hidden)
    # The kernel takes 16 scores at a time, and so reads a little beyond the farthest distance.
    padded = None if bias is None else functional.pad(bias, (0, _BEYOND)).contiguous()
    library.attend_biased(
        *(qkv.data_ptr(), tokens),
        *(starts.data_ptr(), len(starts) - 1, longest),
        *(heads, size),
        *((None, 0) if padded is None else (padded.data_ptr(), padded.shape[1])),
        *(threads, memory.data_ptr(), attended.data_ptr()),
    )
    return attended


def add_norm(
    x: torch.Tensor, other: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float
) -> torch.Tensor:
    """Layer norm of x + `other`, both bf16 (n, size); `weight` and `bias` are float32 (size,).

    Args:
        x: bf16 (n, size).
        other: bf16 (n, size).
        weight: float32 (size,).
        bias: float32 (size,).
        eps: added to the variance.
    """
    x, other = x.contiguous(), other.contiguous()
    normed = torch.empty_like(x)
    _loaded().add_norm(
        *(x.data_ptr(), other.data_ptr(), *x.shape),
        *(weight.data_ptr(), bias.data_ptr(), eps),
        *(torch.get_num_threads(), normed.data_ptr()),
    )
    return normed


def gelu_(x: torch.Tensor) -> torch.Tensor:
    """GELU of bf16 numbers of any shape, contiguous and a multiple of 16, in place."""
    _loaded().gelu(x.data_ptr(), x.numel(), torch.get_num_threads())
    return x


def _loaded() -> ctypes.CDLL:
    library = _library()
    assert library is not None, "ask `computes` first"
    return library


@cache
def _library(path: Path = LIBRARY) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(path))  # OpenMP's symbols are those of torch, which is loaded
    except OSError:
        return None
    if not hasattr(library, "attend_biased"):  # compiled from an older source
        return None
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    library.space_of_thread.argtypes = [number, number]
    library.space_of_thread.restype = number
    library.attend_biased.argtypes = [
        *(pointer, number),
        *(pointer, number, number),
        *(number, number),
        *(pointer, number),
        *(number, pointer, pointer),
    ]
    library.add_norm.argtypes = [
        *(pointer, pointer, number, number),
        *(pointer, pointer, ctypes.c_float),
        *(number, pointer),
    ]
    library.gelu.argtypes = [pointer, number, number]
    for kernel in (library.attend_biased, library.add_norm, library.gelu):
        kernel.restype = None
    return library
