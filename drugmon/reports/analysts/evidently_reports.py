"""evidently's reports on samples of both sides: column by column, and target by target.

evidently decides nothing here, it is the drill-down behind the morning page. One column or label
that it cannot take kills its whole report, so that they are looked at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from drugmon.labels import LABELS
from drugmon.monitoring.profiles.reference import Profile
from drugmon.reports.analysts.profile_rows import rebuilt_sides
from drugmon.reports.pages import count, target_title

if TYPE_CHECKING:
    import pandas as pd
    from evidently.legacy.model.widget import BaseWidgetInfo

BRACKETS: Final = str.maketrans(
    "<>",
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
)
"""Stand-ins that cannot open or end an element."""


@dataclass(frozen=True)
class ClassTask:
    """A target to be judged: the columns of its true and of its predicted labels."""

    target: str
    true: str
    predicted: str


@dataclass(frozen=True)
class EvidentlyInput:
    """Samples of both sides, without texts, and what their columns are.

    `reference` is None where there are no rows to compare with; `profile` are the totals that there
    are instead. The columns of `numerical` hold numbers, those of `categorical` strings; a missing
    value is NaN or None. Columns that are named nowhere are not looked at.
    """

    current: pd.DataFrame
    reference: pd.DataFrame | None
    numerical: tuple[str, ...]
    categorical: tuple[str, ...]
    tasks: tuple[ClassTask, ...] = ()
    profile: Profile | None = None


class NotMadeError(Exception):
    """A report that cannot be made of these rows; the message is for the page."""


def drift_widgets(data: EvidentlyInput) -> tuple[list[BaseWidgetInfo], str]:
    """The widgets of DataDriftPreset, and what they are made from."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    current, reference, note = _sides(data)
    numerical = [name for name in data.numerical if _has_values(name, current, reference)]
    categorical = [name for name in data.categorical if _has_values(name, current, reference)]
    columns = [*numerical, *categorical]
    if not columns:
        raise NotMadeError("No column has values on both sides.")
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    datasets = (
        Dataset.from_pandas(side[columns], data_definition=definition)
        for side in (current, reference)
    )
    snapshot = Report([DataDriftPreset()], include_tests=True).run(*datasets)
    missing = sorted({*data.numerical, *data.categorical} - {*columns})
    left_out = f" Left out for want of values: {', '.join(missing)}." if missing else ""
    model = snapshot.to_snapshot_model()
    told = f"{_sizes(current, reference)}.{note}{left_out}"
    return [*model.widgets, *model.tests_widgets], told


def quality_widgets(data: EvidentlyInput) -> tuple[list[BaseWidgetInfo], str]:
    """The widgets of ClassificationPreset for each target that can be judged."""
    widgets: list[BaseWidgetInfo] = []
    told, left_out = [], []
    for task in data.tasks:
        current, before = (_labelled(side, task) for side in (data.current, data.reference))
        title = target_title(task.target)
        if current is None:
            left_out.append(title)
        else:
            widgets += _task_widgets(title, task, current, before)
            told.append(f"{title}: {_sizes(current, before)}")
    why = f"needs each of {', '.join(LABELS)} among true and predicted labels"
    if not widgets:
        raise NotMadeError(f"evidently {why}." if left_out else "There are no true labels.")
    missing = f" Left out, as evidently {why}: {', '.join(left_out)}." if left_out else ""
    return widgets, f"{'; '.join(told)}.{missing}"


def _task_widgets(
    title: str, task: ClassTask, current: pd.DataFrame, reference: pd.DataFrame | None
) -> list[BaseWidgetInfo]:
    from evidently import DataDefinition, Dataset, MulticlassClassification, Report
    from evidently.presets import ClassificationPreset

    definition = DataDefinition(
        categorical_columns=[task.true, task.predicted],
        classification=[
            MulticlassClassification(
                name=task.target, target=task.true, prediction_labels=task.predicted
            )
        ],
    )
    datasets = (
        None if side is None else Dataset.from_pandas(side, data_definition=definition)
        for side in (current, reference)
    )
    preset = ClassificationPreset(classification_name=task.target)
    snapshot = Report([preset], include_tests=False).run(*datasets)
    return _group(title, snapshot.to_snapshot_model().widgets)


def _group(title: str, widgets: Sequence[BaseWidgetInfo]) -> list[BaseWidgetInfo]:
    """Widgets under a title.

    evidently has this only among what it calls legacy, so it may go with any release: then the
    widgets stand one behind the other, and the first has the title.
    """
    try:
        from evidently.legacy.renderers.html_widgets import group_widget

        return [group_widget(title=title, widgets=list(widgets))]
    except (ImportError, TypeError, ValueError):
        first, *others = widgets
        first.title = f"{title}: {first.title}"
        return [first, *others]


def _sides(data: EvidentlyInput) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Rows of both sides, those of the reference rebuilt where only its totals are known."""
    if data.current.empty:
        raise NotMadeError("There are no reviews now.")
    if data.reference is not None and not data.reference.empty:
        return data.current, data.reference, ""
    if data.profile is None or not data.profile.n:
        raise NotMadeError("There are no rows to compare with.")
    note = " The reference is rebuilt from its totals, column by column, and both sides are binned."
    return *rebuilt_sides(data.current, data.profile), note


def _has_values(name: str, *sides: pd.DataFrame) -> bool:
    return all(name in side and side[name].notna().any() for side in sides)


def _labelled(side: pd.DataFrame | None, task: ClassTask) -> pd.DataFrame | None:
    """Rows with both labels, or None where a label is absent, on which the preset breaks."""
    columns = [task.true, task.predicted]
    if side is None or not {*columns} <= {*side.columns}:
        return None
    rows = side[columns].dropna()
    return rows if all({*rows[name]} == {*LABELS} for name in columns) else None


def harmless(data: EvidentlyInput) -> EvidentlyInput:
    """Without angle brackets in names and strings: evidently writes them as they are into a script.

    A drug named `</script>...` would end it and become part of the page.
    """
    reference = None if data.reference is None else _plain(data.reference, data.categorical)
    return replace(
        data,
        current=_plain(data.current, data.categorical),
        reference=reference,
        numerical=tuple(map(_without_brackets, data.numerical)),
        categorical=tuple(map(_without_brackets, data.categorical)),
        tasks=tuple(
            ClassTask(*map(_without_brackets, (task.target, task.true, task.predicted)))
            for task in data.tasks
        ),
    )


def _plain(frame: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    safe = {
        name: frame[name].map(_without_brackets, na_action="ignore").astype(object)
        for name in categorical
        if name in frame
    }
    return frame.assign(**safe).rename(columns=_without_brackets)


def _without_brackets(value: object) -> str:
    return str(value).translate(BRACKETS)


def _sizes(current: pd.DataFrame, reference: pd.DataFrame | None) -> str:
    before = f" against {count(len(reference))}" if reference is not None else ""
    return f"{count(len(current))} rows{before}"
