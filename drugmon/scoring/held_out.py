"""Held-out evidence: what models that had not seen a review said of it, kept beside the adapter.

Two adapters that held out the same reviews can be combined or teach each other by it, without
training anything again. A review is named by a hash of its texts: no text can be read from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drugmon.data.reviews import Texts, clean, with_text
from drugmon.errors import AdapterError
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.files import HELD_OUT
from drugmon.scoring.scores import Evidence, Floats

_BYTES: Final = 16
_MODEL, _LEXICAL, _LABELS = "model", "lexical", "labels"


@dataclass(frozen=True)
class HeldOutEvidence:
    """Of `n` reviews, none of which the model that judged it had seen, nor a copy of it.

    `hashes` are those of `review_hashes`, uint8 (n, 16). `fold` int16 (n,) numbers the models: rows
    of one number were judged by the same. `texts` bool (n, 4) tells which texts there are. `labels`
    has per target the true label indices int8 (n,), -1 where unknown.
    """

    hashes: npt.NDArray[np.uint8]
    fold: npt.NDArray[np.int16]
    texts: npt.NDArray[np.bool_]
    evidence: Evidence
    labels: dict[str, npt.NDArray[np.int8]]

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def of(
        cls,
        reviews: Sequence[Texts],
        evidence: Evidence,
        labels: dict[str, npt.NDArray[np.int64]],
        fold: int,
    ) -> HeldOutEvidence:
        """That of reviews that one model judged.

        Args:
            reviews: n of them.
            evidence: of these.
            labels: per target (n,), -1 where unknown.
            fold: the model's number.
        """
        return cls(
            review_hashes(reviews),
            np.full(len(reviews), fold, np.int16),
            with_text(reviews),
            evidence,
            {target: target_labels.astype(np.int8) for target, target_labels in labels.items()},
        )

    def take(self, rows: npt.NDArray[np.integer | np.bool_]) -> HeldOutEvidence:
        """That of some rows, indices (k,) or a mask (n,)."""
        labels = {target: target_labels[rows] for target, target_labels in self.labels.items()}
        evidence = self.evidence.take(rows)
        return HeldOutEvidence(
            self.hashes[rows], self.fold[rows], self.texts[rows], evidence, labels
        )

    def rows_of(self, hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Where each of `hashes` (m, 16) stands: int64 (m,), -1 for one that is not here."""
        places = {review_hash.tobytes(): row for row, review_hash in enumerate(self.hashes)}
        return np.array([places.get(review_hash.tobytes(), -1) for review_hash in hashes], np.int64)

    def save(self, folder: Path) -> None:
        """Write one safetensors file into `folder`."""
        from safetensors.numpy import save_file

        lexical = self.evidence.lexical or {}
        tensors: dict[str, npt.NDArray[Any]] = {
            "hashes": self.hashes,
            "fold": self.fold,
            "texts": self.texts,
            **{
                f"{_MODEL}.{target}": log_probs for target, log_probs in self.evidence.model.items()
            },
            **{f"{_LEXICAL}.{target}": log_probs for target, log_probs in lexical.items()},
            **{
                f"{_LABELS}.{target}": target_labels
                for target, target_labels in self.labels.items()
            },
        }
        save_file(
            {k: np.ascontiguousarray(tensor) for k, tensor in tensors.items()}, folder / HELD_OUT
        )

    @classmethod
    def of_adapter(cls, adapter: Adapter) -> HeldOutEvidence:
        """What is kept beside an adapter, which is verified.

        Raises:
            AdapterError: nothing is, or only what was put there later; or a file was changed.
        """
        if HELD_OUT not in adapter.manifest.files:
            raise _lacking(adapter.folder)
        adapter.verify()
        return cls.load(adapter.folder)

    @classmethod
    def load(cls, folder: Path) -> HeldOutEvidence:
        """Read what `save` wrote.

        Raises:
            AdapterError: there is no such file, or it is no such thing.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = folder / HELD_OUT
        if not path.is_file():
            raise _lacking(folder)
        try:
            tensors = load_file(path)
            evidence = Evidence(_named(tensors, _MODEL), _named(tensors, _LEXICAL) or None)
            labels = _named(tensors, _LABELS)
            made = cls(tensors["hashes"], tensors["fold"], tensors["texts"], evidence, labels)
            made._check()
        except (SafetensorError, KeyError, ValueError) as error:
            raise AdapterError(f"{path} is damaged ({error}); restore it") from error
        return made

    def _check(self) -> None:
        """See that every part is of the same reviews, and that its numbers are some."""
        n, models = len(self), [self.evidence.model, self.evidence.lexical or {}]
        if (
            not models[0]
            or not set(models[0]) <= set(TARGETS)
            or models[1].keys() - models[0].keys()
        ):
            raise ValueError("its targets are none")
        parts: list[tuple[npt.NDArray[Any], tuple[int, ...], str]] = [
            (self.hashes, (n, _BYTES), "u"),
            (self.fold, (n,), "i"),
            (self.texts, (n, len(TARGETS)), "b"),
            *(
                (log_probs, (n, len(LABELS)), "f")
                for of_model in models
                for log_probs in of_model.values()
            ),
            *((labels, (n,), "i") for labels in self.labels.values()),
        ]
        for part, shape, kind in parts:
            if part.shape != shape or part.dtype.kind != kind:
                raise ValueError(f"{part.dtype} {part.shape} where {shape} is meant")
            if kind == "f" and not np.isfinite(part).all():
                raise ValueError("a number is none")
        for labels in self.labels.values():
            if n and not -1 <= labels.min() <= labels.max() < len(LABELS):
                raise ValueError("a label is none")


def _lacking(folder: Path) -> AdapterError:
    return AdapterError(
        f"adapter {folder.name} has no {HELD_OUT}: it was trained without hashes, or by an "
        "earlier drugmon; train it again"
    )


def review_hashes(reviews: Sequence[Texts]) -> npt.NDArray[np.uint8]:
    """A hash of each review's cleaned texts, uint8 (n, 16): the same for copies, and everywhere."""
    start = blake2b(digest_size=_BYTES, person=b"drugmon-held-out")
    hashes = np.zeros((len(reviews), _BYTES), np.uint8)
    for row, texts in enumerate(reviews):
        review_hash = start.copy()
        review_hash.update(repr(tuple(map(clean, texts))).encode("utf-8", "surrogatepass"))
        hashes[row] = np.frombuffer(review_hash.digest(), np.uint8)
    return hashes


def joined_evidence(parts: Sequence[HeldOutEvidence]) -> HeldOutEvidence:
    """All parts, which judge the same targets, one after the other; unknown labels are -1."""
    first = parts[0].evidence
    targets = sorted({target for part in parts for target in part.labels})
    lexical = {
        target: np.concatenate([(part.evidence.lexical or {})[target] for part in parts])
        for target in first.lexical or {}
    }
    model: dict[str, Floats] = {
        target: np.concatenate([part.evidence.model[target] for part in parts])
        for target in first.model
    }
    return HeldOutEvidence(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.fold for part in parts]),
        np.concatenate([part.texts for part in parts]),
        Evidence(model, lexical or None),
        {
            target: np.concatenate(
                [part.labels.get(target, np.full(len(part), -1, np.int8)) for part in parts]
            )
            for target in targets
        },
    )


def _named(tensors: dict[str, npt.NDArray[Any]], kind: str) -> dict[str, npt.NDArray[Any]]:
    """The tensors of one kind, by target."""
    start = f"{kind}."
    return {
        key.removeprefix(start): tensor for key, tensor in tensors.items() if key.startswith(start)
    }
