"""The checkpoint of a training run: one safetensors file that holds all state, replaced whole."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from drugmon.data.verdicts.atomic import make_folder, replacing
from drugmon.errors import RecipeError
from drugmon.training.recipe import Recipe

EVERY_SECONDS: Final = 120.0


def run_key(recipe: Recipe, *parts: str) -> str:
    """Return 32 hex characters over the recipe and `parts` (training data, base, ...).

    Runs with the same key give the same weights, so one may continue the other's checkpoint.
    """
    whole = json.dumps([recipe.decides_weights(), torch.__version__, *parts], sort_keys=True)
    return blake2b(whole.encode(), digest_size=16, person=b"drugmon-run-key").hexdigest()


class Checkpoint:
    """Keeps the newest state of the run that `key` stands for in the file `path`."""

    def __init__(self, path: Path, key: str, every_seconds: float = EVERY_SECONDS) -> None:
        self.path = path
        self._key = key
        self._every_seconds = every_seconds
        self._saved_at = time.monotonic()

    def due(self) -> bool:
        """Tell whether the newest state is older than `every_seconds`."""
        return time.monotonic() - self._saved_at >= self._every_seconds

    def save(self, tensors: Mapping[str, Tensor], state: Mapping[str, object]) -> None:
        """Replace the file by `tensors` and the JSON-able `state`; a kill leaves the old one.

        Raises:
            SinkError: the file cannot be written.
        """
        make_folder(self.path.parent)
        metadata = {"key": self._key, "state": json.dumps(state)}
        with replacing(self.path) as temporary:
            save_file({name: t.detach().cpu() for name, t in tensors.items()}, temporary, metadata)
        self._saved_at = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return tensors and state, None where there is no checkpoint yet.

        Raises:
            RecipeError: the file is damaged, or of another recipe, seed, data or base.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise RecipeError(f"checkpoint {self.path} is damaged ({error}); remove it") from error
        if metadata.get("key") != self._key:
            raise RecipeError(
                f"checkpoint {self.path} is of another recipe, seed, base or training data; "
                "repeat the command that began it, or remove it to start afresh"
            )
        return tensors, json.loads(metadata["state"])


def flatten(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `tensors` with `prefix:` before each name."""
    return {f"{prefix}:{name}": tensor for name, tensor in tensors.items()}


def nested(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that `flatten` gave this `prefix`, under their own names."""
    start = f"{prefix}:"
    return {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random generators that training on `device` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `random_tensors` gave."""
    torch.set_rng_state(tensors["cpu"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)
