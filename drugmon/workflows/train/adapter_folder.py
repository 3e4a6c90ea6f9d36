"""Writing an adapter folder: weights, reference, card and manifest, moved into place whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from drugmon.config import RULES
from drugmon.labels import LABELS
from drugmon.models.adapters.adapter import Adapter, folder_digests
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.manifest import Manifest, with_files
from drugmon.models.adapters.records import (
    DataRecord,
    EpochRecord,
    LabelCounts,
    TrainingRecord,
)
from drugmon.models.files import CARD, REFERENCE, REFERENCE_OF_LIKELIEST
from drugmon.monitoring.profiles.profile import write_profile
from drugmon.reports.card import render_card
from drugmon.statistics.figures import Quality
from drugmon.training.reviews.seen import write_seen
from drugmon.version import __version__
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.fitted import Models
from drugmon.workflows.train.held_out import HeldOut, Measured
from drugmon.workflows.train.ranges import write_ranges

LIBRARIES: Final = ("torch", "transformers", "peft", "tokenizers", "scikit-learn", "numpy")


def provisional(folder: Path, fit: Fit, models: Models) -> Adapter:
    """An adapter that is not calibrated yet, made to be scored with on the path that scores."""
    _make_empty(folder)
    models.save(folder, fit.base)
    calibrations = {target: Calibration().to_dict() for target in models.model.levels}
    manifest = _manifest(folder.name, fit, calibrations, data=None, training=None, metrics={})
    return _sealed(folder, manifest)


def finished(
    folder: Path,
    name: str,
    fit: Fit,
    *,
    measured: Measured,
    data: DataRecord,
    command: str,
    hashes: bool = True,
) -> Adapter:
    """The whole adapter in `folder`, with `hashes` of its reviews: learned from, and held out.

    Args:
        folder: of the weights, and of all else from now on.
        name: the adapter's.
        fit: the training.
        measured: the models and their figures.
        data: where the reviews are from.
        command: the line that trains it again.
        hashes: whether it keeps short hashes of its reviews.
    """
    _make_empty(folder)
    held = measured.held
    measured.kept.save(folder, fit.base)
    write_profile(held.profile(), folder / REFERENCE)
    write_profile(held.profile("likeliest"), folder / REFERENCE_OF_LIKELIEST)
    learned = fit.reviews.take(measured.kept.record.learned)
    if hashes:
        write_seen(
            folder, learned.joined(fit.helping) if fit.helping else learned, data.fingerprint
        )
        measured.evidence.save(folder)
    manifest = _manifest(
        name,
        fit,
        _calibrations(measured),
        data=data,
        training=_training(fit, measured),
        metrics=held.qualities(),
        metrics_likeliest=held.qualities("likeliest"),
        metrics_lone={rule: measured.lone.qualities(rule)["overall"] for rule in RULES}
        if measured.lone
        else {},
    )
    write_ranges(_sealed(folder, manifest), learned.texts)
    _write_card(folder, manifest, held, command)
    adapter = _sealed(folder, manifest)
    for path in folder.rglob("*"):  # safetensors makes files that only their owner reads
        path.chmod(0o755 if path.is_dir() else 0o644)
    return adapter


def _make_empty(folder: Path) -> None:
    """Whatever lies in it becomes part of the adapter, also what a killed run left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _calibrations(measured: Measured) -> dict[str, dict[str, Any]]:
    """What the manifest says of each target's calibration, with its errors on held-out reviews."""
    errors = measured.held.calibration_errors()
    told: dict[str, dict[str, Any]] = {
        target: {**c.to_dict(), **errors[target]} for target, c in measured.calibrations.items()
    }
    if measured.lone:
        told["overall"]["lone"] |= measured.lone.calibration_errors()["overall"]
    return told


def _write_card(folder: Path, manifest: Manifest, held: HeldOut, command: str) -> None:
    """The card cannot hold its own hash, so it names the other files only."""
    described = with_files(manifest, folder_digests(folder))
    # The recipe may name the base by a path of this machine, which is nobody's business.
    recipe = {**described.recipe, "base": {"name": described.base.name}}
    facts = {
        **described.to_dict(),
        "recipe": recipe,
        "labels": list(LABELS),
        "targets": list(described.targets),
        "digests": described.files,
    }
    (folder / CARD).write_text(
        render_card(
            facts,
            held.qualities(),
            command,
            held.qualities("likeliest"),
            described.metrics_lone,
        ),
        encoding="utf-8",
    )


def _sealed(folder: Path, manifest: Manifest) -> Adapter:
    sealed = with_files(manifest, folder_digests(folder))
    sealed.write(folder)
    return Adapter(folder, sealed)


def _manifest(
    name: str,
    fit: Fit,
    calibration: Mapping[str, Mapping[str, object]],
    *,
    data: DataRecord | None,
    training: TrainingRecord | None,
    metrics: Mapping[str, Quality],
    metrics_likeliest: Mapping[str, Quality] | None = None,
    metrics_lone: Mapping[str, Quality] | None = None,
) -> Manifest:
    recipe = fit.recipe
    return Manifest(
        name=name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base=fit.base.identity(),
        levels={target: list(labels) for target, labels in fit.levels.items()},
        max_length=recipe.model.max_length,
        calibration=calibration,
        recipe=recipe.to_dict(),
        grading=recipe.target_grading,
        seeds=[recipe.train.seed],
        versions={"drugmon": __version__, **{library: version(library) for library in LIBRARIES}},
        data=data,
        training=training,
        metrics=metrics,
        metrics_likeliest=metrics_likeliest or {},
        metrics_lone=metrics_lone or {},
        rule=recipe.decision.rule,
        prompt=fit.prompt,
    )


def _training(fit: Fit, measured: Measured) -> TrainingRecord:
    """How it was trained; where several siblings were measured, the epochs are the first one's."""
    kept, sibling = measured.kept.record, measured.siblings[0]
    trainings = {id(training): training for training in (kept, *measured.siblings)}.values()
    trained, whole = kept.parameters
    return TrainingRecord(
        device=str(fit.compute),
        measured_on=measured.held.name,
        lora_layers=tuple(fit.lora_layers),
        trainable_parameters=trained,
        all_parameters=whole,
        seconds=round(fit.help_seconds + sum(training.seconds for training in trainings), 1),
        peak_memory=max(training.peak_memory for training in trainings),
        measured_models=len(measured.siblings),
        rows_measured=sibling.examples,
        rows_kept=kept.examples,
        rows_help=len(fit.helping) if fit.helping else 0,
        help_epochs=fit.recipe.help.epochs if fit.helping else 0,
        label_counts=LabelCounts(**kept.label_counts),
        best_epoch=sibling.outcome.best + 1,
        epochs=tuple(
            EpochRecord(epoch.loss, epoch.macro_f1, epoch.mean_macro_f1)
            for epoch in sibling.outcome.epochs
        ),
        teachers=fit.teaching.records if fit.teaching else (),
        taught_measured=sibling.taught,
        taught_kept=kept.taught,
    )
