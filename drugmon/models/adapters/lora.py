"""LoRA: adding it to a backbone for training, and folding it into the weights for scoring.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021: W' = W + (alpha / r) * B A.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from drugmon.errors import AdapterError
from drugmon.models import internals
from drugmon.models.files import LORA_CONFIG, LORA_WEIGHTS

AUTO: Final = "auto"
"""In a recipe's `lora.target_modules`: every linear layer that a review goes through."""

_PREFIX: Final = "base_model.model."
_BLOCK: Final = re.compile(r"(?P<stack>.*?)\.(?P<number>\d+)\.")
"""The block that a layer stands in: the first number of its dotted name."""

# What changes the formula above; such an adapter is refused instead of being merged wrongly.
_UNSUPPORTED: Final = (
    "use_dora",
    "fan_in_fan_out",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
)


def find_targets(
    backbone: nn.Module, run: Callable[[], object], wanted: Sequence[str], blocks: int = 0
) -> tuple[str, ...]:
    """The names of the layers that LoRA is to change, as peft takes them.

    Args:
        backbone: without LoRA.
        run: sends something through it. A layer that it does not reach would learn nothing.
        wanted: names of linear layers, or the ends of dotted names; `(AUTO,)` for all of them.
        blocks: only those in so many of the uppermost blocks, by their whole names; 0 for all.

    Raises:
        AdapterError: one of the wanted names is that of no linear layer that is reached, or the
            base has fewer blocks.
    """
    layers = _reached(backbone, run)
    names = _wanted(layers, wanted)
    if not blocks:
        return names
    chosen = layers if tuple(wanted) == (AUTO,) else _ending(layers, names)
    return _uppermost(chosen, blocks)


def _wanted(layers: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The wanted names, or with AUTO the last parts of all."""
    if tuple(wanted) == (AUTO,):
        return tuple(sorted({name.rpartition(".")[2] for name in layers}))
    for name in wanted:
        if not any(f".{layer}".endswith(f".{name}") for layer in layers):
            there = ", ".join(sorted({layer.rpartition(".")[2] for layer in layers})) or "none"
            raise AdapterError(
                f"the base has no layers named {name} that LoRA can change: set "
                f"lora.target_modules to some of {there}, or to {AUTO}"
            )
    return tuple(wanted)


def _ending(layers: Sequence[str], names: Sequence[str]) -> list[str]:
    return [layer for layer in layers if any(f".{layer}".endswith(f".{name}") for name in names)]


def _uppermost(layers: Sequence[str], blocks: int) -> tuple[str, ...]:
    """The layers that stand in so many of the highest blocks of their stack."""
    places = [match for layer in layers if (match := _BLOCK.match(layer))]
    highest: dict[str, int] = {}
    for place in places:
        stack, number = place["stack"], int(place["number"])
        highest[stack] = max(highest.get(stack, 0), number)
    if not places or blocks > min(highest.values()) + 1:
        there = f"it has {min(highest.values()) + 1}" if places else "its blocks have no numbers"
        raise AdapterError(f"lora.blocks is {blocks}, more than the base can give: {there}")
    return tuple(
        sorted(p.string for p in places if int(p["number"]) > highest[p["stack"]] - blocks)
    )


def _reached(backbone: nn.Module, run: Callable[[], object]) -> list[str]:
    """The linear layers that `run` goes through, without the one that gives words."""
    reached: list[str] = []
    words = getattr(backbone, "get_output_embeddings", lambda: None)()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: reached.append(name))
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Linear) and module is not words
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return reached


def add_lora(
    backbone: nn.Module,
    *,
    r: int,
    alpha: int,
    dropout: float,
    target_modules: Sequence[str],
    bias: bool = False,
) -> nn.Module:
    """Wrap `backbone` so that only LoRA matrices train, and with `bias` a bias behind each pair.

    No task type is given: for a seq2seq base, peft's SEQ_CLS would leave the heads out in silence.

    Args:
        backbone: the base, frozen by this.
        r: the matrices' rank.
        alpha: the product is scaled by alpha / r.
        dropout: of what goes into the matrices, 0 to 1.
        target_modules: endings of the names of the layers that get matrices.
        bias: whether a bias trains behind each pair.

    Raises:
        AdapterError: no module of the backbone has one of the names in `target_modules`.
    """
    from peft import LoraConfig, get_peft_model

    from drugmon.models.kernels.lora_linear import LoraLinear

    config = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(target_modules),
        lora_bias=bias,
    )
    if not bias:  # which peft's own layer adds
        internals.put_layers(config, {nn.Linear: LoraLinear})
    try:
        with warnings.catch_warnings():
            # peft asks transformers for a property that has been renamed.
            warnings.simplefilter("ignore", FutureWarning)
            # It could not merge a bias into a layer that has none; merge_lora can.
            warnings.filterwarnings("ignore", message="`lora_bias=True`")
            return get_peft_model(backbone, config)
    except ValueError as error:
        raise AdapterError(
            f"the base has no modules named {', '.join(target_modules)}: see lora.target_modules"
        ) from error


def is_lora(backbone: nn.Module) -> bool:
    """Whether `add_lora` made it."""
    return hasattr(backbone, "peft_config")


def save_lora(model: Any, folder: Path, base_source: str) -> None:
    """Write peft's two files, which `PeftModel.from_pretrained` loads.

    `base_source` is the base's public source, see `Base.source`.
    """
    repo, _, revision = base_source.partition("@")
    config = model.peft_config["default"]
    # A set otherwise, which would be written in another order every time.
    config.target_modules = sorted(config.target_modules)
    config.base_model_name_or_path = repo
    config.revision = revision or None
    with warnings.catch_warnings():
        # peft takes LoRA's biases for matrices that a cluster has not gathered.
        warnings.filterwarnings("ignore", message=".*have invalid shape")
        # Without save_embedding_layers=False peft may ask the hub for the vocabulary.
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)


def merge_lora(backbone: nn.Module, folder: Path) -> None:
    """Add the adapter in `folder` to the weights of `backbone`, in place, in float32.

    Raises:
        AdapterError: the adapter is not plain LoRA, or does not fit the backbone.
    """
    from safetensors.torch import load_file

    config = json.loads((folder / LORA_CONFIG).read_text(encoding="utf-8"))
    other = [key for key in _UNSUPPORTED if config.get(key)]
    other += [
        f"{key} {config[key]}"
        for key, plain in (("peft_type", "LORA"), ("bias", "none"))
        if config.get(key, plain) != plain
    ]
    if other:
        raise AdapterError(
            f"{folder} is not plain LoRA ({', '.join(other)}): train one with `drugmon train`"
        )
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])
    weights = load_file(folder / LORA_WEIGHTS)
    parameters = dict(backbone.named_parameters())
    for module, (down, up, bias) in _pairs(weights, folder).items():
        weight = parameters.get(f"{module}.weight")
        if weight is None or weight.shape != (up.shape[0], down.shape[1]):
            raise AdapterError(f"{folder / LORA_WEIGHTS} does not fit its base: {module}.weight")
        with torch.no_grad():
            weight.add_(up.float() @ down.float(), alpha=scale)
        if bias is not None:
            _add_bias(backbone.get_submodule(module), scale * bias.float())


def _add_bias(layer: Any, bias: torch.Tensor) -> None:
    """Add to a layer's bias, or give it one: T5's layers have none."""
    of_layer = layer.bias.detach() if layer.bias is not None else 0.0
    layer.bias = nn.Parameter(of_layer + bias, requires_grad=False)


def _pairs(
    weights: Mapping[str, torch.Tensor], folder: Path
) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
    """Module name -> (A (r, in), B (out, r), bias (out,) where there is one)."""
    pairs, used = {}, 0
    for key, down in weights.items():
        module, marker, _ = key.removeprefix(_PREFIX).partition(".lora_A.weight")
        up = weights.get(key.replace("lora_A", "lora_B"))
        if marker and up is not None:
            bias = weights.get(key.replace("lora_A.weight", "lora_B.bias"))
            pairs[module] = (down, up, bias)
            used += 2 if bias is None else 3
    if used != len(weights):
        raise AdapterError(f"{folder / LORA_WEIGHTS} holds tensors that are not LoRA's")
    return pairs
