"""The engine of this machine: reviews in, calibrated verdicts out, in length-sorted batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.errors import DeviceError, DrugmonError
from drugmon.labels import LABELS
from drugmon.models.adapter import Adapter
from drugmon.models.bases import Base
from drugmon.models.device import Compute, choose_compute, is_out_of_memory
from drugmon.models.inputs import token_batches
from drugmon.models.prepared import Prepared
from drugmon.scoring.scores import Evidence, Scores, judge

DEFAULT_BATCH_TOKENS: Final = {"cpu": 4_096, "cuda": 65_536}
"""On a CPU the activations of 4,096 tokens still fit the caches; a GPU wants its units filled."""


class Engine:
    """An adapter loaded on a device.

    Args:
        adapter: what scores.
        config: how to compute.
        warn: is told, in one sentence, when the batches had to shrink.
        base: the adapter's base where it is at hand already.

    Raises:
        AdapterError, BaseModelError, DeviceError: it cannot be loaded.
    """

    def __init__(
        self,
        adapter: Adapter,
        config: EngineConfig,
        warn: Callable[[str], None],
        base: Base | None = None,
    ) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        self.compute: Compute = choose_compute(config.device, config.dtype)
        self.batch_tokens = config.batch_tokens or DEFAULT_BATCH_TOKENS[self.compute.device.type]
        self._warned = False
        self._loaded = adapter.load(self.compute, base)
        self._calibrations = adapter.manifest.calibrations()
        self._warn = warn

    def score(
        self, reviews: Sequence[Texts], on_batch: Callable[[int], None] | None = None
    ) -> Scores:
        """Verdicts of `reviews`, in their order; `on_batch` is told each batch's size when done.

        A target whose text is empty, or that the adapter was not trained on, gets no verdict.

        Raises:
            DeviceError: a single review does not fit the memory.
            DrugmonError: the model gave a number that is none.
        """
        return judge(reviews, self.evidence(reviews, on_batch), self._calibrations)

    def evidence(
        self, reviews: Sequence[Texts], on_batch: Callable[[int], None] | None = None
    ) -> Evidence:
        """What the models say of every trained target, before calibration."""
        prepared = self._loaded.classifier.prepare(reviews)
        lexical = self._loaded.lexical
        return Evidence(
            prepared.by_review(self._log_probs(prepared, on_batch or (lambda _size: None))),
            lexical.log_probs(prepared.tokens) if lexical else None,
        )

    def _log_probs(
        self, prepared: Prepared, on_batch: Callable[[int], None]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Label log-probabilities float32 (items, 3) of every item for every trained target."""
        items = prepared.items
        found = {
            target: np.zeros((len(items), len(LABELS)), dtype=np.float32)
            for target in self._loaded.model.levels
        }
        done = 0
        # The plan is lazy: a budget lowered by one batch holds for those after it.
        for rows in token_batches(prepared.lengths, lambda: self.batch_tokens):
            for part, result in self._forward(items, rows):
                for target, values in result.items():
                    found[target][part] = values
            before, done = done, done + len(rows)
            # In reviews, of which each may have several items.
            on_batch(done * len(prepared) // len(items) - before * len(prepared) // len(items))
        for target, values in found.items():
            if not np.isfinite(values).all():
                raise DrugmonError(
                    f"the model gave {target} probabilities that are not numbers on "
                    f"{self.compute}; try --dtype fp32, or another --device"
                )
        return found

    def _forward(
        self, items: Sequence[Any], rows: npt.NDArray[np.int64]
    ) -> list[tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float32]]]]:
        """One batch; in halves where the memory does not hold it."""
        try:
            return [(rows, self._run([items[row] for row in rows]))]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(rows) == 1:
                raise DeviceError(
                    f"one review of {len(items[rows[0]])} tokens does not fit the memory of "
                    f"{self.compute.device}: free some, or use another --device"
                ) from None
        # Outside the except block: the error holds the failed batch's tensors until it is gone.
        if self.compute.device.type == "cuda":
            torch.cuda.empty_cache()
        half = (len(rows) + 1) // 2
        self._lower_budget(half * max(len(items[row]) for row in rows))
        return self._forward(items, rows[:half]) + self._forward(items, rows[half:])

    def _run(self, items: Sequence[Any]) -> dict[str, npt.NDArray[np.float32]]:
        with torch.inference_mode():
            batch = self._loaded.classifier.collate(items).to(self.compute.device)
            logits = self._loaded.model(batch)
            return {
                target: self._loaded.model.label_log_probs(values, target).cpu().numpy()
                for target, values in logits.items()
            }

    def _lower_budget(self, tokens: int) -> None:
        """Keep later batches within what fits; the user is told once."""
        if not self._warned:
            self._warn(
                f"out of memory on {self.compute.device}: going on with smaller batches "
                f"(--batch-tokens {tokens} avoids the first failure)"
            )
        self._warned = True
        self.batch_tokens = min(tokens, self.batch_tokens)
