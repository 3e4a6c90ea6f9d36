"""The plan of an experiment: stages that are trained and compared on the same reviews, in TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from drugmon.checked import check_keys, checked, parse_toml, within
from drugmon.errors import RecipeError
from drugmon.training.recipe import Recipe, load_recipe
from drugmon.training.trials.search import Search, parse_trial

_KEYS: Final = ("source", "out", "base", "settings", "split", "stage")
_STAGE_KEYS: Final = ("title", "recipe", "settings", "trials", "zero_shot")

_SHARED: Final = ("split.", "train.seed")
"""Keys that decide which reviews are held out: the plan's, or a stage would learn from some."""

_ENCODER_LAYERS: Final[Mapping[str, str]] = {
    "q": "query",
    "k": "key",
    "v": "value",
    "o": "attention.output.dense",
    "wi": "intermediate.dense",
    "wi_0": "intermediate.dense",
    "wi_1": "intermediate.dense",
    "wo": "output.dense",
}
"""What BERT calls the layers that T5's recipes name."""

_ENCODER_TARGETS: Final = ("loss.benefits=1", "loss.side_effects=1", "loss.comments=1")
"""An encoder judges each target by a head of its own, which has to learn."""


@dataclass(frozen=True)
class HeldOutShares:
    """The shares of the reviews that choose (dev) and measure (test), and the seed of all draws."""

    dev: float = within(0.1, 0.001, 0.5)
    test: float = within(0.15, 0.001, 0.5)
    seed: int = within(0, 0, 2**31 - 1)


@dataclass(frozen=True)
class PlannedStage:
    """One stage: the base by itself (no `recipe`), a recipe, or the best of `trials` of one."""

    title: str
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    trials: Search | None = None

    @property
    def slug(self) -> str:
        """Its title as the name of a folder."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Plan:
    """A whole experiment; `base` None leaves each recipe its own, `settings` are for all stages."""

    source: str
    out: Path
    base: str | None
    stages: tuple[PlannedStage, ...]
    settings: tuple[str, ...] = ()
    split: HeldOutShares = field(default_factory=HeldOutShares)

    def stage_settings(self, stage: PlannedStage, model_type: str) -> tuple[str, ...]:
        """All that is put over the stage's recipe, for a base of `model_type`.

        The recipes' layers are renamed where the base is an encoder.
        """
        assert stage.recipe is not None
        shared = [
            f"split.dev={self.split.dev}",
            f"split.test={self.split.test}",
            "split.folds=0",
            "split.refit=false",
            f"train.seed={self.split.seed}",
        ]
        if self.base:
            shared.append(f"base.name={self.base}")
            shared += _translated(load_recipe(stage.recipe, stage.settings), model_type)
        return (*stage.settings, *shared, *self.settings)


def read_plan(path: Path, **changes: Any) -> Plan:
    """Read a plan; `changes` (source, out, base, settings) that are not None or empty win.

    Raises:
        RecipeError: broken TOML, an unknown key, a value that will not do, or two stages whose
            titles make one folder.
    """
    where = f"experiment {path}"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{where} cannot be read ({error.strerror}); check the path") from error
    values = parse_toml(text, where, RecipeError)
    check_keys(values, _KEYS, where, RecipeError)
    stages = values.get("stage")
    if not isinstance(stages, list) or not stages:
        raise RecipeError(f"{where} has no stages; give them as [[stage]] with a title")
    plan = Plan(
        source=_text(values, "source", where),
        out=Path(_text(values, "out", where)),
        base=_text(values, "base", where) if "base" in values else None,
        stages=tuple(_stage(stage, number, where) for number, stage in enumerate(stages, start=1)),
        settings=_texts(values, "settings", where),
        split=checked(HeldOutShares, values.get("split", {}), f"{where}: split", RecipeError),
    )
    slugs = [stage.slug for stage in plan.stages]
    if twice := [slug for slug in slugs if slugs.count(slug) > 1]:
        raise RecipeError(f"{where}: two stages are called {twice[0]!r}; give each its own title")
    more = changes.pop("settings", None) or ()
    plan = replace(plan, **{name: value for name, value in changes.items() if value is not None})
    plan = replace(plan, settings=(*plan.settings, *more))
    _check_shared(plan, where)
    return plan


def _check_shared(plan: Plan, where: str) -> None:
    for setting in (*plan.settings, *(text for stage in plan.stages for text in stage.settings)):
        if setting.strip().startswith(_SHARED):
            key = setting.partition("=")[0].strip()
            raise RecipeError(
                f"{where}: {key} cannot be set: all stages share one split, or one would learn "
                "from reviews that it is compared on; [split] has its dev, test and seed"
            )


def _stage(table: object, number: int, where: str) -> PlannedStage:
    here = f"{where}: stage {number}"
    values = check_keys(table, _STAGE_KEYS, here, RecipeError)
    title = _text(values, "title", here)
    if values.get("zero_shot") is True:
        if set(values) != {"title", "zero_shot"}:
            raise RecipeError(f"{here} ({title}): a zero-shot stage has no recipe to train")
        return PlannedStage(title)
    trials = _texts(values, "trials", here)
    stage = PlannedStage(
        title,
        _text(values, "recipe", here),
        _texts(values, "settings", here),
        Search(tuple(map(parse_trial, trials))) if trials else None,
    )
    load_recipe(str(stage.recipe), stage.settings)
    return stage


def _translated(recipe: Recipe, model_type: str) -> list[str]:
    """Settings that fit a recipe for T5 to an encoder."""
    if model_type not in ("bert", "roberta") or not recipe.base.name.startswith("flan-t5"):
        return []
    layers = [_ENCODER_LAYERS.get(name, name) for name in recipe.lora.target_modules]
    return [f"lora.target_modules={','.join(dict.fromkeys(layers))}", *_ENCODER_TARGETS]


def _text(values: Mapping[str, object], key: str, where: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise RecipeError(f"{where} needs a text under {key!r}")
    return value


def _texts(values: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    texts = values.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(item, str) for item in texts):
        raise RecipeError(f"{where}: {key} is a list of texts")
    return tuple(texts)
