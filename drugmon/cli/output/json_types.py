"""What every command prints with --json, as types.

Nothing that runs needs them: `schemas` makes JSON Schemas of them, and tests hold what commands
print against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

from drugmon.data.history.records import ReportRecord, RunRecord
from drugmon.models.bases.bases import BaseIdentity
from drugmon.models.bases.inventory import BaseEntry
from drugmon.monitoring.checks.summary import Summary, TargetQuality
from drugmon.reports.comparison import Training
from drugmon.reports.evaluation import LeftOut
from drugmon.statistics.figures import Quality
from drugmon.statistics.significance import Difference
from drugmon.workflows.doctor import Diagnosis
from drugmon.workflows.explain import Explanation
from drugmon.workflows.nightly.check import Checked
from drugmon.workflows.score.score import ScoreResult


class VerdictJson(TypedDict):
    """A target's verdict by `adapter`; `likeliest` is the label with the largest probability."""

    target: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    adapter: str
    likeliest: str


class PredictJson(TypedDict):
    """The verdicts of one review, in the order of targets."""

    verdicts: list[VerdictJson]


class ShowJson(TypedDict):
    """Rows of a scored source.

    Each row has the columns that were shown, and per target `{"label", "confidence"}` or null.
    `counts` are of all rows that were chosen, per target and label; `total` is how many they are.
    """

    total: int
    counts: dict[str, dict[str, int]]
    adapters: list[str]
    rows: list[dict[str, Any]]


class TrainJson(TypedDict):
    """A new adapter and its held-out figures by target."""

    adapter: str
    folder: str
    measured_on: str
    seconds: float
    targets: dict[str, Quality]


class EvaluateJson(TypedDict):
    """How good an adapter is on labelled reviews, by target."""

    source: str
    adapter: str
    base: str
    evaluated_at: str
    rows: int
    left_out: list[LeftOut]
    targets: dict[str, Quality]


@dataclass(frozen=True)
class ComparedDifference(Difference):
    """How a model differs from the first one, with the p-value corrected for the models."""

    mcnemar_p_adjusted: float | None = None


@dataclass(frozen=True)
class TrainingCost(Training):
    """What training a compared model took, with the share of its parameters that was trained."""

    trainable_share: float | None = None


class StageJson(TypedDict):
    """One compared model; `against_first` is by target, and empty for the first."""

    title: str
    model: str
    base: str
    reviews_per_second: float
    training: TrainingCost | None
    targets: dict[str, Quality]
    against_first: dict[str, ComparedDifference]


class CascadePointJson(TypedDict):
    """A share, in fact `sent` of the held-out reviews, and the figures with it sent on."""

    share: float
    sent: float
    reviews_per_second: float
    targets: dict[str, Quality]


class CascadeJson(TypedDict):
    """What the second adapter gains behind the first, on `rows` reviews that both held out."""

    first: str
    second: str
    rows: int
    points: list[CascadePointJson]


class CompareJson(TypedDict):
    """Models on the same reviews; `best` is the title of the best one, by target.

    `cascade` is null where no `--then` was given.
    """

    source: str
    rows: int
    compute: str
    compared_at: str
    best: dict[str, str]
    stages: list[StageJson]
    missing: dict[str, str]
    warnings: list[str]
    cascade: CascadeJson | None


class TuneJson(TypedDict):
    """The trials: a trial's settings are keys of its own beside these; None without a best one."""

    trials: list[dict[str, Any]]
    command: str | None


@dataclass(frozen=True)
class TargetQualityJson(TargetQuality):
    """A target's quality; `baseline` has the figures of a `Quality` or of an `Estimate`."""

    baseline: dict[str, Any] | None  # type: ignore[assignment]


@dataclass(frozen=True)
class ReportJson(Summary):
    """A report, all numbers of its page; `summary.json` beside the page is the same without `page`.

    `reasons` are the sentences behind a status of warn or fail, the worst first.
    """

    quality: tuple[TargetQualityJson, ...] = ()
    format_version: int = 0
    reasons: tuple[str, ...] = ()
    page: str = ""


class SourceNightJson(TypedDict):
    """What became of one source in a night; `status` and `page` are null where it has no report."""

    name: str
    status: str | None
    page: str | None
    failures: list[str]
    scored_run: str | None


class NightlyJson(TypedDict):
    """A night."""

    outcome: str
    exit_code: int
    gate: str | None
    pages: str
    seconds: float
    sources: list[SourceNightJson]


class CheckedJson(TypedDict):
    """What a night needs, and whether it is there (`drugmon nightly --check`)."""

    ok: bool
    checked: list[Checked]


class HistoryJson(TypedDict):
    """The score runs and reports that were recorded, oldest first; no nights with --runs."""

    history: str
    runs: list[RunRecord]
    nights: NotRequired[list[ReportRecord]]


class RatingsFound(TypedDict):
    """What ratings were found; `scale` is null where none suits."""

    count: int
    low: float | None
    high: float | None
    unreadable: int
    scale: str | None


class InitJson(TypedDict):
    """What a source holds, and the settings that were written for it."""

    settings: str
    files: int
    rows: int
    columns: dict[str, str | None]
    unread: list[str] | None
    other_columns: int
    without_text: int
    repeated: int
    ids: dict[str, int] | None
    ratings: RatingsFound | None
    dates: dict[str, Any] | None
    language: str | None
    prefix: str
    advice: list[str]
    next: str


class AdapterEntry(TypedDict):
    """An adapter at hand; `error` says why one cannot be read."""

    name: str
    folder: str
    error: NotRequired[str]


class AdaptersJson(TypedDict):
    """The adapters at hand."""

    adapters: list[AdapterEntry]


class AdapterJson(TypedDict):
    """An adapter's manifest."""

    digest: str
    name: str
    created_at: str
    base: BaseIdentity
    levels: dict[str, list[str]]
    max_length: int
    calibration: dict[str, dict[str, Any]]
    recipe: dict[str, Any]
    grading: dict[str, Any]
    seeds: list[int]
    versions: dict[str, str]
    data: dict[str, Any] | None
    training: dict[str, Any] | None
    metrics: dict[str, Quality]
    metrics_likeliest: dict[str, Quality]
    metrics_lone: dict[str, Quality]
    files: dict[str, str]
    prompt: str | None
    rule: str
    format_version: int


class BasesJson(TypedDict):
    """The known bases."""

    bases: list[BaseEntry]


@dataclass(frozen=True)
class BaseJson(BaseIdentity):
    """A base that was fetched or verified."""

    folder: str = ""


class DoctorJson(TypedDict):
    """What was looked at; `ok` null is a fact that is neither good nor bad."""

    findings: list[Diagnosis]


TYPES: Final[Mapping[str, Any]] = {
    "score": ScoreResult,
    "predict": PredictJson,
    "explain": dict[str, Explanation],
    "show": ShowJson,
    "report": ReportJson,
    "nightly": NightlyJson,
    "nightly --check": CheckedJson,
    "init": InitJson,
    "history": HistoryJson,
    "train": TrainJson,
    "evaluate": EvaluateJson,
    "compare": CompareJson,
    "experiment": CompareJson,
    "tune": TuneJson,
    "adapters list": AdaptersJson,
    "adapters show": AdapterJson,
    "bases list": BasesJson,
    "bases fetch": BaseJson,
    "bases verify": BaseJson,
    "doctor": DoctorJson,
}
"""By command, what its JSON holds beside `schema_version`."""
