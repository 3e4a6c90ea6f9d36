"""The weights of a base: which files they are, their hash, and the one way to read them.

A folder may hold more safetensors than the model's own (other formats, an adapter's). What is
trained on, hashed and scored with has to be the same, so nobody else lists or opens them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drugmon.errors import BaseModelError
from drugmon.hashes import file_sha256

if TYPE_CHECKING:
    import torch

WHOLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"


def weight_files(folder: Path) -> list[Path]:
    """The one file, or else the shards that the index names, as transformers takes them.

    Raises:
        BaseModelError: there are none, or a shard is missing.
    """
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if (folder / INDEX).is_file():
        return _shards(folder)
    others = [*sorted(folder.glob("*.safetensors")), *sorted(folder.glob("*.bin"))]
    if not others:
        raise BaseModelError(f"{folder} has no weights: drugmon loads {WHOLE}")
    if others[0].suffix == ".bin":
        reason = f"only {others[0].name}, a pickle, which can run code"
    else:
        reason = f"{others[0].name}, but not under the name that transformers loads"
    raise BaseModelError(f"{folder} has {reason}: drugmon loads {WHOLE}, or the files of {INDEX}")


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the one file, or of the list of the shards' names and hashes.

    Raises:
        BaseModelError: there are no weights, see `weight_files`.
    """
    digests = [(path.name, file_sha256(path)) for path in weight_files(folder)]
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256("\n".join(f"{n} {d}" for n, d in digests).encode()).hexdigest()


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of the weights, by name, in the format that they have in the files.

    Raises:
        BaseModelError: there are none, or a file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    tensors = {}
    for path in weight_files(folder):
        try:
            tensors.update(load_file(path))
        except SafetensorError as error:
            raise BaseModelError(f"{path} is damaged ({error}): restore it") from error
    return tensors


def _shards(folder: Path) -> list[Path]:
    path = folder / INDEX
    try:
        names = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaseModelError(f"cannot read {path} ({error!r}): restore it") from error
    for name in names:
        # A path would lead out of the folder whose hash is known.
        if not isinstance(name, str) or Path(name).name != name:
            raise BaseModelError(f"{path} names {name!r}, which is no file beside it: restore it")
        if not (folder / name).is_file():
            raise BaseModelError(f"{folder} lacks {name}, which {INDEX} names: restore it")
    return [folder / name for name in names]
