"""What the end of a training needs, looked at before its first step.

Training takes hours. What can only fail at its end, where the adapter is written and read again, is
tried beforehand with a model that has learned nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

import torch

from drugmon.data.reviews import Texts
from drugmon.data.verdicts.atomic import make_folder, sink_errors
from drugmon.errors import SinkError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.bases.bases import Base, resolve_base
from drugmon.models.classifiers.classifier import ClassifierModel
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.device import choose_compute
from drugmon.training.loop.weights import count_weights
from drugmon.training.recipe import Recipe
from drugmon.workflows.train.adapter_folder import provisional
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.fitted import Models

_STATE: Final = 16
"""Bytes that a checkpoint keeps for a trained parameter: it, the best so far, and two moments."""

_WEIGHT: Final = 4
_BESIDE: Final = 2**26
"""Bytes of what an adapter holds beside its weights, at most: n-grams, reference, hashes."""


def check_base(recipe: Recipe) -> Base:
    """The verified base of a recipe, which can read reviews as the recipe has it.

    Raises:
        BaseModelError: it is not there, or of a kind or a size that does not do.
        RecipeError: the prompt will not do.
    """
    base = resolve_base(recipe.base.name)
    make_classifier(base, recipe.model.max_length, recipe.model.prompt)
    return base


def check_writable(out: Path) -> None:
    """Make the folder that `out` is to stand in, and write into it.

    Raises:
        SinkError: that cannot be done.
    """
    with sink_errors(out):
        make_folder(out.parent)
        with tempfile.TemporaryFile(dir=out.parent):
            pass


def rehearse(fit: Fit, folder: Path) -> None:
    """Save the model that training starts with, find its base again, and score a review with it.

    Args:
        fit: what is going to train.
        folder: where the rehearsal is written, and removed again; beside what is to come.

    Raises:
        SinkError: there is no room for what training writes.
        DrugmonError: whatever the end of the training would raise.
    """
    model = fit.build()
    _check_room(fit, model, folder.parent)
    if fit.recipe.train.method == "full":  # a whole checkpoint is its own base, and large
        return
    try:
        provisional(folder, fit, Models(model, None))
        del model
        loaded = open_adapter(str(folder)).load(choose_compute("cpu"))
        text = "good " * fit.recipe.model.max_length
        with torch.inference_mode():
            loaded.model(
                loaded.classifier.collate(
                    loaded.classifier.prepare([Texts(text, text, text, None)]).items
                )
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_room(fit: Fit, model: ClassifierModel, folder: Path) -> None:
    """Checkpoints stay until the end, as do the models of all stages and what is made of them."""
    recipe = fit.recipe
    stages = (recipe.split.folds or 1) + bool(recipe.split.folds or recipe.split.refit)
    stages += bool(fit.helping and recipe.help.epochs)
    trained, every = count_weights(model)
    saved = every if recipe.train.method == "full" else trained
    needed = (stages + 1) * (_STATE * trained + _WEIGHT * saved) + _BESIDE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SinkError(
            f"training writes up to {needed / 1e9:.1f} GB into {folder}, which has "
            f"{free / 1e9:.1f} GB left: make room there, or name another --out"
        )
