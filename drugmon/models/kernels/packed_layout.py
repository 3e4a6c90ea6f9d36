"""What the architectures that share BERT's blocks call their parameters, read without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from drugmon.errors import BaseModelError
from drugmon.models.bases.architectures import BEHIND_PADDING
from drugmon.models.bases.bases import Base, BaseConfig
from drugmon.models.bases.weights import read_weights
from drugmon.models.kernels.relative_bias import BUCKETS


@dataclass(frozen=True)
class Layout:
    """Names within a layer and beside the layers.

    Args:
        query, key, value, out: the attention's dense layers.
        types: the table whose first row is added to every token, None where there is none.
        bias: the table of a relative position bias, None where there is none.
        prefixes: what stands before all names in models with a head on top.
    """

    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    out: str = "attention.output.dense"
    after_attention: str = "attention.output.LayerNorm"
    inner: str = "intermediate.dense"
    outer: str = "output.dense"
    after: str = "output.LayerNorm"
    words: str = "embeddings.word_embeddings.weight"
    places: str = "embeddings.position_embeddings.weight"
    types: str | None = "embeddings.token_type_embeddings.weight"
    norm: str = "embeddings.LayerNorm"
    bias: str | None = None
    prefixes: tuple[str, ...] = ("bert.",)

    def layer(self, number: int) -> str:
        """What stands before the names of a layer."""
        return f"encoder.layer.{number}."

    def names(self, layers: int) -> set[str]:
        """All parameters of so many layers and what is beside them."""
        parts = (
            *(self.query, self.key, self.value, self.out, self.after_attention),
            *(self.inner, self.outer, self.after),
        )
        modules = [self.norm]
        modules += [f"{self.layer(number)}{part}" for number in range(layers) for part in parts]
        tables = {name for name in (self.words, self.places, self.types, self.bias) if name}
        return tables | {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}


LAYOUTS: Final[Mapping[str, Layout]] = {
    "bert": Layout(),
    "camembert": Layout(prefixes=("roberta.",)),
    "mpnet": Layout(
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        out="attention.attn.o",
        after_attention="attention.LayerNorm",
        types=None,
        bias="encoder.relative_attention_bias.weight",
        prefixes=("mpnet.",),
    ),
    "roberta": Layout(prefixes=("roberta.",)),
    "xlm-roberta": Layout(prefixes=("roberta.",)),
}
"""By model type."""

_SIZES: Final = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "layer_norm_eps"),
    "pad_token_id",
)


def has_layout(config: BaseConfig) -> bool:
    """Whether a configuration is of a model of plain blocks whose names are known."""
    return (
        config.get("model_type") in LAYOUTS
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        # transformers takes MPNet's number of buckets for granted, whatever the configuration says.
        and config.get("relative_attention_num_buckets", BUCKETS) == BUCKETS
        and all(config.get(name) is not None for name in _SIZES)
    )


def first_position(config: BaseConfig) -> int:
    """The number of a text's first position."""
    return int(config["pad_token_id"]) + 1 if config["model_type"] in BEHIND_PADDING else 0


def bare_parameters(base: Base) -> nn.Module:
    """The parameters of a base in float32, in modules of its names that compute nothing.

    It is what a `PackedBert` is made from, without the machinery that builds a working model.

    Raises:
        BaseModelError: a parameter that every model of the type has is missing.
    """
    config = base.config
    layout, root = LAYOUTS[base.model_type], nn.Module()
    missing = layout.names(int(config["num_hidden_layers"]))
    for key, weight in read_weights(base.folder).items():
        name = key
        for prefix in layout.prefixes:
            name = name.removeprefix(prefix)
        # The oldest models call a norm's weights otherwise.
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        name = name.replace("LayerNorm.beta", "LayerNorm.bias")
        if name in missing:
            missing.remove(name)
            _set(root, name, weight.float())
    if missing:
        raise BaseModelError(f"the weights of base {base.name} lack {min(missing)}: restore them")
    return root


def _set(module: nn.Module, name: str, weight: torch.Tensor) -> None:
    """Put a parameter at a dotted name, making the modules on the way."""
    *path, last = name.split(".")
    for part in path:
        if not hasattr(module, part):
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    module.register_parameter(last, nn.Parameter(weight, requires_grad=False))
