"""Zero-shot: a base that answers in words and scores as it is, as if it were an adapter."""

from __future__ import annotations

from typing import Final

from drugmon.config import DEFAULT_ADAPTER, ModelOptions
from drugmon.errors import BaseModelError, UsageError
from drugmon.grading import Grading
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.manifest import Manifest
from drugmon.models.bases.bases import resolve_base
from drugmon.models.tokens.prompts import PROMPT, PROMPTED

MAX_LENGTH: Final = 512
"""Tokens of a prompt: what T5 was trained on."""


def open_model(options: ModelOptions) -> Adapter:
    """What scores: the adapter, or the base by itself, or the default adapter.

    Raises:
        UsageError: both are named.
        AdapterError, BaseModelError: it is not to be had.
    """
    if options.adapter and options.base:
        raise UsageError(
            "--base scores with a base by itself, without an adapter; name one of them"
        )
    if options.base:
        return open_base(options.base).under(options.rule)
    return open_adapter(options.adapter or DEFAULT_ADAPTER).under(options.rule)


def open_base(name: str) -> Adapter:
    """The base called `name`, uncalibrated, for all targets.

    Raises:
        BaseModelError: it is not to be had, or it cannot answer in words.
    """
    base = resolve_base(name)
    if base.model_type not in PROMPTED:
        raise BaseModelError(
            f"base {name} ({base.model_type or 'unknown type'}) gives no verdicts without an "
            f"adapter; a base of the T5 family does ({', '.join(PROMPTED)})"
        )
    manifest = Manifest(
        name=f"{base.name.partition('@')[0]}-zero-shot",
        created_at="",
        base=base.identity(),
        levels={target: list(LABELS) for target in TARGETS},
        max_length=MAX_LENGTH,
        calibration=dict.fromkeys(TARGETS, Calibration().to_dict()),
        recipe={},
        grading=Grading(),
        seeds=[],
        versions={},
        data=None,
        training=None,
        metrics={},
        prompt=PROMPT,
    )
    return Adapter(base.folder, manifest, base)
