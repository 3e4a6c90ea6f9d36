"""Teachers: the adapters that a recipe names, found, verified, and of the same mind on labels."""

from __future__ import annotations

from drugmon.errors import AdapterError, RecipeError
from drugmon.grading import Grading
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.files import SEEN
from drugmon.training.recipe import Recipe
from drugmon.training.sources import UNLABELLED


def open_teachers(recipe: Recipe) -> tuple[Adapter, ...]:
    """Find and verify the adapters that teach; none where the recipe names none.

    Raises:
        AdapterError: there is no such adapter, a file of it was changed, or it keeps no hashes of
            the reviews that it learned from.
        RecipeError: two are the same, a grade means another label to one of them, or there are
            unlabelled reviews and nobody to say anything of them.
    """
    lacking = [source.title for source in recipe.sources if source.role == UNLABELLED]
    if lacking and not recipe.teacher.adapters:
        raise RecipeError(
            f"source {lacking[0]} is unlabelled, and nobody says anything of its reviews: name a "
            "teacher (--set teacher.adapters=NAME), or leave the source out"
        )
    adapters = tuple(open_adapter(name) for name in recipe.teacher.adapters)
    for number, adapter in enumerate(adapters):
        if adapter.manifest.digest in [other.manifest.digest for other in adapters[:number]]:
            raise RecipeError(
                f"teacher.adapters names {adapter.manifest.identity} twice; once will do"
            )
        _check(adapter, recipe.target_grading)
    return adapters


def _check(adapter: Adapter, grading: Grading) -> None:
    name = adapter.manifest.name
    adapter.verify()
    if adapter.manifest.data is None or SEEN not in adapter.manifest.files:
        raise AdapterError(
            f"adapter {name} cannot teach: it has no {SEEN}, so that nobody knows which reviews it "
            "learned from; train it again without --no-hashes"
        )
    if difference := _difference(grading, adapter.manifest.grading):
        raise RecipeError(
            f"adapter {name} cannot teach: {difference}; train it with the same labels, or name "
            "another teacher"
        )


def _difference(grading: Grading, other: Grading) -> str:
    """What the first level that means something else to both means; "" where there is none."""
    columns = ["effectiveness", "side_effects_grade", "words"]
    if grading.scale == other.scale:
        columns.insert(0, "rating")
    # Levels of two scales are different things, thirds of them are not.
    elif any(side.rating != side.scale.labels() for side in (grading, other)):
        return (
            f"its ratings are of the scale {other.scale}, those here of {grading.scale}, and "
            "labels do not go by the thirds of both"
        )
    for column in columns:
        ours, theirs = grading.of(column), other.of(column)
        for level in ours:
            if ours[level] != theirs.get(level, ours[level]):
                noun = "word" if column == "words" else column.replace("_", " ")
                return f"the {noun} {level} is {theirs[level]} to it, {ours[level]} here"
    return ""
