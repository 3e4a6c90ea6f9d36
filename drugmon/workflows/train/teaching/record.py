"""What manifest and card tell of a teacher: its word's share, and whose data it learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import TARGETS
from drugmon.models.adapters.manifest import Manifest
from drugmon.models.adapters.records import TeacherRecord
from drugmon.training.reviews.examples import has_word
from drugmon.training.reviews.gathered import Gathered
from drugmon.training.teacher import TeacherSection
from drugmon.wording import each_once
from drugmon.workflows.train.teaching.lessons import Lesson


def record_of(
    lesson: Lesson, words: NDArray[np.float32], gathered: Gathered, settings: TeacherSection
) -> TeacherRecord:
    """Return the record of a teacher.

    Args:
        lesson: which reviews it may speak of.
        words: what it said of n target and help reviews, (n, 4, 3).
        gathered: these reviews.
        settings: how it is heeded.
    """
    manifest = lesson.adapter.manifest
    spoken = spoken_of(words, gathered.targets.targets)
    parts = [part for part in (gathered.targets, gathered.help) if part]
    labelled = np.concatenate(
        [
            np.any([target_labels >= 0 for target_labels in part.labels.values()], axis=0)
            for part in parts
        ]
    )
    return TeacherRecord(
        f"{manifest.name}@{manifest.digest}",  # probabilities are the same under every rule
        settings.weight,
        settings.temperature,
        out_of_fold=int((spoken & lesson.held_out).sum()),
        live=int((spoken & lesson.live).sum()),
        labels_alone=int((labelled & ~spoken).sum()),
        base=manifest.base.name,
        base_licence=manifest.base.licence,
        **_provenance(manifest),
    )


def spoken_of(words: NDArray[np.float32], targets: Sequence[str]) -> NDArray[np.bool_]:
    """Of which reviews something is said on one of `targets`: bool (n,), of words (n, 4, 3)."""
    spoken = [has_word(words[:, TARGETS.index(target)]) for target in targets]
    return np.asarray(np.any(spoken, axis=0), dtype=bool)


def _provenance(manifest: Manifest) -> dict[str, str]:
    """Data, licence and citation of what a teacher learned from, and of what taught it."""
    data, own_teachers = manifest.data, manifest.training.teachers if manifest.training else ()
    assert data is not None  # it could not teach
    return {
        "data": each_once([data.name, *(teacher.data for teacher in own_teachers)]),
        "licence": each_once([data.licence, *(teacher.licence for teacher in own_teachers)]),
        "citation": each_once([data.citation, *(teacher.citation for teacher in own_teachers)]),
    }
