"""What a manifest records of an adapter's training data and its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class SourceRecord:
    """One source of training reviews: how many rows, on which scale, what for, on what terms.

    `role` is `target` (split, calibrated and measured on), `help` (only learned from) or
    `unlabelled` (by a teacher's word alone); `scale` is "" where no rating teaches; `left_out` rows
    were copies of reviews that are measured, or unlabelled and known to every teacher; `held_out`
    are those that verdicts of lone texts were calibrated and measured on.
    """

    name: str
    rows: int
    role: str = "target"
    scale: str = ""
    weight: float = 1.0
    left_out: int = 0
    held_out: int = 0
    source: str = "not stated"
    licence: str = "not stated"
    notes: str = ""
    citation: str = ""


@dataclass(frozen=True)
class DataRecord:
    """The training data as a whole, and each source; `rows` and `fingerprint` are the targets'."""

    name: str
    source: str
    licence: str
    rows: int
    fingerprint: str
    notes: str = ""
    citation: str = ""
    sources: tuple[SourceRecord, ...] = ()


@dataclass(frozen=True)
class EpochRecord:
    """The mean loss of an epoch's batches; macro-F1 on dev per target and their mean, or none."""

    loss: float
    macro_f1: Mapping[str, float] = field(default_factory=dict)
    mean_macro_f1: float | None = None


@dataclass(frozen=True)
class LabelCounts:
    """Per target how often each label occurs, `before` and `after` balancing and augmentation."""

    before: Mapping[str, Sequence[int]] = field(default_factory=dict)
    after: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class TeacherRecord:
    """An adapter whose probabilities were learned, and on what terms it and its data may be used.

    Attributes:
        identity: its name and digest.
        weight: the share of the teachers' word in the loss of a review that has a label as well.
        temperature: that both sides were softened by.
        out_of_fold: reviews of which a model of it spoke that had held them out.
        live: reviews that it had neither held out nor learned from, judged by itself.
        labels_alone: reviews with labels of which it said nothing, as it had learned from them.
        base: its base.
        base_licence: of its base.
        data: the reviews that it learned from; those of its own teachers, too.
        licence: of these.
        citation: of these.
    """

    identity: str
    weight: float
    temperature: float
    out_of_fold: int
    live: int
    labels_alone: int
    base: str = "not stated"
    base_licence: str = "not stated"
    data: str = "not stated"
    licence: str = "not stated"
    citation: str = ""


@dataclass(frozen=True)
class TrainingRecord:
    """How an adapter was trained; where several models were measured, epochs are the first one's.

    Attributes:
        device: where, and in which number format.
        measured_on: what the metrics are of.
        trainable_parameters: how many were trained.
        all_parameters: how many there are.
        seconds: of all trainings together.
        peak_memory: in bytes.
        lora_layers: the layers that LoRA changes.
        measured_models: how many models like it were measured.
        rows_measured: examples in an epoch of the first of these.
        rows_kept: examples in an epoch of the model that is kept.
        rows_help: help reviews that it learned from beside them.
        help_epochs: epochs of the first stage, on help reviews alone.
        label_counts: of the model that is kept.
        best_epoch: from 1.
        epochs: all of them.
        teachers: the adapters that taught it.
        taught_measured: reviews of which a teacher spoke to the first of the measured models.
        taught_kept: reviews of which one spoke to the model that is kept.
    """

    device: str
    measured_on: str
    trainable_parameters: int
    all_parameters: int
    seconds: float
    peak_memory: int | None = None
    lora_layers: tuple[str, ...] = ()
    measured_models: int = 1
    rows_measured: int = 0
    rows_kept: int = 0
    rows_help: int = 0
    help_epochs: int = 0
    label_counts: LabelCounts = field(default_factory=LabelCounts)
    best_epoch: int | None = None
    epochs: tuple[EpochRecord, ...] = ()
    teachers: tuple[TeacherRecord, ...] = ()
    taught_measured: int = 0
    taught_kept: int = 0


def to_dict(record: DataRecord | TrainingRecord | None) -> dict[str, object]:
    """Return what the manifest's JSON holds; nothing for what was not trained."""
    return asdict(record) if record else {}
