"""Sources: which reviews a training takes, what the grades of each mean, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from drugmon.checked import check_keys, checked, one_of, optional, shown, within
from drugmon.data.columns import FIELDS
from drugmon.data.textformat import CHECKED, QUOTING, TextFormat
from drugmon.errors import RecipeError, UsageError
from drugmon.grading import Grading, fold_word
from drugmon.labels import LABELS

TARGET: Final = "target"
HELP: Final = "help"
UNLABELLED: Final = "unlabelled"
ROLES: Final = (TARGET, HELP, UNLABELLED)

_NUMBERS: Final = ("weight", "held_out")
_PLAIN: Final = ("name", "role", *_NUMBERS, "scale", "encoding", "quoting", "delimiter")


@dataclass(frozen=True)
class Source:
    """Reviews to learn from.

    Attributes:
        path: a file, folder or glob; in a recipe's file relative to its folder.
        name: what card and messages call it; "" for the file's name.
        role: `target` reviews are split, calibrated and measured on; `help` is only learned from,
            and so is `unlabelled`, by what a teacher says of it alone.
        weight: what the loss of one of its reviews is multiplied by.
        held_out: of a help source, the share of its lone texts that is not learned from: on these
            the verdicts of lone texts are calibrated and measured.
        scale: of its ratings, such as "1-5"; "" for 1-10 unless the ratings look otherwise.
        columns: column names by field, as `--column` gives them.
        labels: the labels of its levels and words where they differ: `rating.7 = "neutral"`,
            `words.good = "positive"`.
        encoding: of text files, as `quoting` and `delimiter`; "" to recognise it.
        card: a TOML file with name, source, licence, notes and citation of the reviews.
    """

    path: str = optional()
    name: str = optional()
    role: str = one_of(TARGET, ROLES)
    weight: float = within(1.0, 0.0001, 1000)
    held_out: float = within(0.0, 0, 0.9)
    scale: str = optional()
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict, metadata={"optional": True})
    encoding: str = optional()
    quoting: str = one_of(CHECKED, QUOTING)
    delimiter: str = optional()
    card: str = optional()

    @property
    def title(self) -> str:
        """What card and messages call it."""
        return self.name or Path(self.path).name

    @property
    def text_format(self) -> TextFormat:
        """How its text files are written.

        Raises:
            UsageError: there is no such encoding, or no such delimiter.
        """
        return TextFormat(self.encoding or None, self.quoting, self.delimiter or None)

    @property
    def grading(self) -> Grading:
        """What its graded columns mean.

        Raises:
            RecipeError: its scale or a label will not do.
        """
        return grading_of(self.scale, self.labels, f"source {self.title}")

    def to_text(self) -> str:
        """Return what `parse_source` reads, the files without their folders."""
        parts = [Path(self.path).name]
        for name in _PLAIN:
            value = getattr(self, name)
            if value != getattr(Source(), name):
                parts.append(f"{name}={value}")
        parts += [f"card={Path(self.card).name}"] if self.card else []
        parts += [f"{field_name}={column}" for field_name, column in self.columns.items()]
        words = self.labels.get("words", {})
        return ",".join([*parts, *(f"label.{word}={label}" for word, label in words.items())])

    def to_dict(self) -> dict[str, object]:
        """Return what a manifest may tell: the files' names, not where this machine has them."""
        labels = {
            column: dict(words)
            for column, words in self.labels.items()
            if isinstance(words, Mapping)
        }
        return {
            **self.__dict__,
            "path": Path(self.path).name,
            "card": Path(self.card).name if self.card else "",
            "columns": dict(self.columns),
            "labels": labels,
        }


def make_sources(tables: object, where: str, folder: Path | None) -> tuple[Source, ...]:
    """Check a recipe's `[[source]]` tables; their paths are relative to `folder`.

    Raises:
        RecipeError: unknown key, a value out of range, no path, or no source that is a target.
    """
    if not isinstance(tables, list):
        raise RecipeError(f"{where}: source is a list of tables; write [[source]] above its keys")
    sources = []
    for number, table in enumerate(tables, start=1):
        place = f"{where}: source {number}"
        source = checked(Source, table, place, RecipeError)
        if not source.path:
            raise RecipeError(f'{place} has no path; give path = "reviews.tsv"')
        check_keys(dict(source.columns), FIELDS, f"{place}.columns", RecipeError)
        _check_settings(source, place)
        sources.append(_beside(source, folder) if folder else source)
    roles = list(dict.fromkeys(source.role for source in sources))
    if roles and TARGET not in roles:
        raise RecipeError(
            f"{where}: no source is a target, all are {' or '.join(roles)}; one must be, to be "
            "measured on"
        )
    return tuple(sources)


def parse_source(text: str) -> Source:
    """Return the source that `--source` names: `PATH,KEY=VALUE,...`.

    Keys are those of `Source`, the fields of `--column`, and `label.WORD` for a word's label.

    Raises:
        UsageError: it is of another form, or a key or value will not do.
    """
    path, *settings = text.split(",")
    table: dict[str, Any] = {"path": path.strip(), "columns": {}, "labels": {}}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not (equals and value):
            raise UsageError(f"--source {text}: {setting!r} is not of the form KEY=VALUE")
        if key in FIELDS:
            table["columns"][key] = value
        elif key.startswith("label."):
            table["labels"].setdefault("words", {})[key.removeprefix("label.")] = value
        elif key in ("columns", "labels", "path"):
            raise UsageError(f"--source {text}: give fields such as rating=NAME, not {key}")
        else:
            table[key] = _number(value) if key in _NUMBERS else value
    try:
        source = checked(Source, table, f"--source {path}", RecipeError)
        _check_settings(source, f"--source {path}")
    except RecipeError as error:
        raise UsageError(str(error)) from error
    if not source.path:
        raise UsageError(f"--source {text}: begins with the path of the reviews")
    return source


def grading_of(scale: str, labels: object, where: str) -> Grading:
    """Return the grading for `scale`, with the labels that a TOML table changes.

    Args:
        scale: such as "1-5"; "" for 1-10, not declared.
        labels: by column (or `words`), the label of a level (or word).
        where: the table, for messages.

    Raises:
        RecipeError: it is no scale, or there is no such column, level or label.
    """
    try:
        grading = Grading().with_scale(scale)
    except UsageError as error:
        raise RecipeError(f"{where}: {error}") from error
    whole = grading.to_dict()
    for column, levels in check_keys(labels, whole, f"{where}: labels", RecipeError).items():
        named = levels if column == "words" and isinstance(levels, Mapping) else whole[column]
        levels = check_keys(levels, named, f"{where}: labels.{column}", RecipeError)
        for level, label in levels.items():
            if not isinstance(label, str) or label not in LABELS:
                raise RecipeError(
                    f"{where}: labels.{column}.{level} = {shown(label)} will not do: "
                    f"give one of {', '.join(LABELS)}"
                )
            whole[column][fold_word(level) if column == "words" else level] = label
    return replace(Grading.from_dict(whole), declared=grading.declared)


def _check_settings(source: Source, where: str) -> None:
    """What the values of several keys have to fit together."""
    grading_of(source.scale, source.labels, where)
    if source.held_out and source.role != HELP:
        raise RecipeError(
            f"{where}: held_out is for help sources; which target reviews are held out is said by "
            "the recipe's [split], and unlabelled ones measure nothing"
        )


def _beside(source: Source, folder: Path) -> Source:
    card = str(folder / source.card) if source.card else ""
    return replace(source, path=str(folder / source.path), card=card)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
