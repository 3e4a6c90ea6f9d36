"""evidently's reports on samples of both sides: column by column, and target by target.

evidently decides nothing here, it is the drill-down behind the morning page. One column or label
that it cannot take kills its whole report, so that they are looked at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from drugmon.labels import LABELS
from drugmon.reports.pages import count, target_title

if TYPE_CHECKING:
    import pandas as pd

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

    `reference` is None where there are no rows to compare with. The columns of `numerical` hold
    numbers, those of `categorical` strings; a missing value is NaN or None. Columns that are named
    nowhere are not looked at.
    """

    current: pd.DataFrame
    reference: pd.DataFrame | None
    numerical: tuple[str, ...]
    categorical: tuple[str, ...]
    tasks: tuple[ClassTask, ...] = ()


class NotMadeError(Exception):
    """A report that cannot be made of these rows; the message is for the page."""


def drift_widgets(data: EvidentlyInput) -> tuple[list[Any], str]:
    """The widgets of DataDriftPreset, and what they are made from."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    reference = _reference(data)
    numerical = [name for name in data.numerical if _has_values(data, name)]
    categorical = [name for name in data.categorical if _has_values(data, name)]
    if not numerical and not categorical:
        raise NotMadeError("No column has values on both sides.")
    columns = [*numerical, *categorical]
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    current, before = (
        Dataset.from_pandas(frame[columns], data_definition=definition)
        for frame in (data.current, reference)
    )
    snapshot = Report([DataDriftPreset()], include_tests=True).run(current, before)
    missing = sorted({*data.numerical, *data.categorical} - {*columns})
    left_out = f" Left out for want of values: {', '.join(missing)}." if missing else ""
    model = snapshot.to_snapshot_model()
    return [*model.widgets, *model.tests_widgets], f"{_sizes(data.current, reference)}.{left_out}"


def quality_widgets(data: EvidentlyInput) -> tuple[list[Any], str]:
    """The widgets of ClassificationPreset for each target that can be judged."""
    from evidently import DataDefinition, Dataset, MulticlassClassification, Report
    from evidently.legacy.renderers.html_widgets import group_widget
    from evidently.presets import ClassificationPreset

    widgets, told, left_out = [], [], []
    for task in data.tasks:
        columns = [task.true, task.predicted]
        definition = DataDefinition(
            categorical_columns=columns,
            classification=[
                MulticlassClassification(
                    name=task.target, target=task.true, prediction_labels=task.predicted
                )
            ],
        )
        current, before = _labelled(data.current, columns), _labelled(data.reference, columns)
        title = target_title(task.target)
        if current is None:
            left_out.append(title)
            continue
        snapshot = Report(
            [ClassificationPreset(classification_name=task.target)], include_tests=False
        ).run(
            Dataset.from_pandas(current, data_definition=definition),
            Dataset.from_pandas(before, data_definition=definition) if before is not None else None,
        )
        widgets.append(group_widget(title=title, widgets=snapshot.to_snapshot_model().widgets))
        told.append(f"{title}: {_sizes(current, before)}")
    why = f"needs each of {', '.join(LABELS)} among true and predicted labels"
    if not widgets:
        raise NotMadeError(f"evidently {why}." if left_out else "There are no true labels.")
    return widgets, "; ".join(told) + "." + (
        f" Left out, as evidently {why}: {', '.join(left_out)}." if left_out else ""
    )


def _reference(data: EvidentlyInput) -> pd.DataFrame:
    if data.reference is None or data.reference.empty:
        raise NotMadeError("There are no rows to compare with: the reference has only totals.")
    if data.current.empty:
        raise NotMadeError("There are no reviews now.")
    return data.reference


def _has_values(data: EvidentlyInput, name: str) -> bool:
    sides = [frame for frame in (data.current, data.reference) if frame is not None]
    return all(name in frame and frame[name].notna().any() for frame in sides)


def _labelled(frame: pd.DataFrame | None, columns: Sequence[str]) -> pd.DataFrame | None:
    """Rows with both labels, or None where a label is absent, on which the preset breaks."""
    if frame is None or not {*columns} <= {*frame.columns}:
        return None
    rows = frame[list(columns)].dropna()
    return rows if all(set(rows[name]) == set(LABELS) for name in columns) else None


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
            ClassTask(*map(_without_brackets, (each.target, each.true, each.predicted)))
            for each in data.tasks
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
