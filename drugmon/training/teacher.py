"""The section of a recipe that names who teaches, and how it is heeded."""

from __future__ import annotations

from dataclasses import dataclass

from drugmon.checked import optional_texts, within


@dataclass(frozen=True)
class TeacherSection:
    """Adapters, by name or path, whose probabilities are learned beside the labels; none without.

    Of several, the mean is taken. `weight` is their share in the loss of a review that has a label
    as well, the label has the rest. `temperature` softens both sides: `teacher_loss`.
    """

    adapters: tuple[str, ...] = optional_texts()
    weight: float = within(0.7, 0, 1)
    temperature: float = within(1.0, 0.1, 100)
