"""Where a training run is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where training is after a step; `dev_macro_f1` is that of the last whole epoch.

    While a teacher judges reviews these are the steps, and there is no loss.
    """

    step: int
    steps: int
    loss: float | None
    dev_macro_f1: float | None
    seconds_left: float

    @property
    def note(self) -> str:
        """What there is to tell of the step."""
        return "reviews judged" if self.loss is None else f"loss {self.loss:.2f}"


@dataclass(frozen=True)
class Epoch:
    """A whole epoch: the mean of its batch losses; macro-F1 on dev by target and their mean.

    The mean is None where there is no dev.
    """

    loss: float
    macro_f1: Mapping[str, float]
    mean_macro_f1: float | None


@dataclass(frozen=True)
class Outcome:
    """All epochs that were run, and which of them (from 0) the model now has the weights of.

    `seconds` are those of all processes that ran them.
    """

    epochs: tuple[Epoch, ...]
    best: int
    seconds: float = field(compare=False)


@dataclass
class Position:
    """The whole epochs so far, and of the current one the steps and the sum of their losses.

    `seconds` were spent on it, by processes that were killed as well.
    """

    epochs: list[Epoch] = field(default_factory=list)
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of_json(cls, state: Mapping[str, Any]) -> Position:
        """Return the position that `to_json` gave."""
        epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        # Checkpoints of before do not tell how long they took.
        return cls(epochs, state["step"], state["loss"], state.get("seconds", 0.0))

    def to_json(self) -> dict[str, object]:
        """Return plain dicts, lists and numbers."""
        return asdict(self)

    @property
    def best(self) -> int:
        """The first epoch with the highest mean macro-F1, from 0; without dev, the last."""
        scores = [epoch.mean_macro_f1 for epoch in self.epochs]
        measured = [score for score in scores if score is not None]
        return scores.index(max(measured)) if measured else len(scores) - 1

    def finished(self, epochs: int, patience: int) -> bool:
        """Tell whether all `epochs` are run, or the last `patience` of them were no better."""
        done = len(self.epochs)
        return done >= epochs or (done > 0 and done - 1 - self.best >= patience)
