"""Peers: other ways to give the same four verdicts a review, each at settings that suit it.

Two are what people write today (a classification pipeline asked four times, sentence embeddings
with heads); their heads are random, as speed does not depend on them, so they have no labels to
compare. The others run the very model of drugmon's adapter, merged, in one pass over length-sorted
batches, and share drugmon's tokens, calibration and n-gram model, so that their labels can be
compared and only the runtime differs.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from drugmon.data.reviews import Texts
from drugmon.labels import ASPECTS, LABELS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.lora import merge_lora
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.classifiers.lexical import LexicalModel
from drugmon.models.files import HEADS
from drugmon.models.tokens.inputs import collate, token_batches
from drugmon.scoring.scores import Evidence, Scores, judge

Labels = npt.NDArray[np.int8]
PEOPLES_BATCH: Final = 32
_INPUTS: Final = ("ids", "mask", "segments")


class Peer(ABC):
    """One way to score; `dtype` is that of its matrix products."""

    name: str
    dtype: str = "fp32"

    @abstractmethod
    def score(self, reviews: Sequence[Texts]) -> Labels | None:
        """Labels int8 (n, 4), -1 for no verdict; None where they mean nothing."""


def four_texts(reviews: Sequence[Texts]) -> list[list[str]]:
    """For each target, the text of every review: the aspects, and all of them together."""
    aspects = [[getattr(review, aspect) or "" for review in reviews] for aspect in ASPECTS]
    return [*aspects, [" ".join(parts) for parts in zip(*aspects, strict=True)]]


class Pipeline(Peer):
    """`transformers.pipeline("text-classification")`, batch 32, one call a target."""

    name = "transformers pipeline, four passes"

    def __init__(self, folder: Path, max_length: int) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(LABELS), dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._pipeline = pipeline(
            "text-classification", model=model, tokenizer=tokenizer, device="cpu"
        )
        self._options: dict[str, Any] = {
            "batch_size": PEOPLES_BATCH,
            "truncation": True,
            "max_length": max_length,
        }

    def score(self, reviews: Sequence[Texts]) -> None:
        """Classify the four texts of each review."""
        for texts in four_texts(reviews):
            self._pipeline(texts, **self._options)


class Embeddings(Peer):
    """sentence-transformers: the four texts of a review embedded, a linear head on each."""

    name = "sentence-transformers and heads"

    def __init__(self, folder: Path, max_length: int) -> None:
        from sentence_transformers import SentenceTransformer

        self._model: Any = SentenceTransformer(str(folder), device="cpu")
        self._model.max_seq_length = max_length
        width = len(self._model.encode("a review", show_progress_bar=False))
        self._heads = np.random.default_rng(0).normal(size=(4, width, len(LABELS)))

    def score(self, reviews: Sequence[Texts]) -> None:
        """Embed, then multiply by the heads."""
        for texts, head in zip(four_texts(reviews), self._heads, strict=True):
            embedded = self._model.encode(
                texts, batch_size=PEOPLES_BATCH, show_progress_bar=False, convert_to_numpy=True
            )
            (embedded @ head).argmax(axis=1)


class OnePass(nn.Module):
    """The adapter's model as runtimes take it: three int64 (b, L) in, float32 (b, targets, 3) out.

    The backbone is transformers' own, LoRA merged.
    """

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        from safetensors.torch import load_model

        manifest = adapter.manifest
        self.classifier: Any = make_classifier(adapter.base(), manifest.max_length)
        backbone = self.classifier.load_backbone()
        merge_lora(backbone, adapter.folder)
        self.model = self.classifier.model(backbone, manifest.levels)
        load_model(self.model.heads, str(adapter.folder / HEADS))
        self.train(False).requires_grad_(False)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor
    ) -> torch.Tensor:
        """Label log-probabilities of every trained target."""
        from drugmon.models.tokens.inputs import TokenBatch

        logits = self.model(TokenBatch(ids, mask, segments))
        return torch.stack(
            [
                self.model.label_log_probs(logits_of_target, t)
                for t, logits_of_target in logits.items()
            ],
            dim=1,
        )

    def example(self) -> tuple[torch.Tensor, ...]:
        """Two short reviews, for tracing."""
        reviews = [Texts("it works", "none", "good", None), Texts("no", "bad", "never again", None)]
        batch = collate(self.classifier.prepare(reviews).items, self.classifier.pad_id)
        return batch.ids, batch.mask, batch.segments

    def save_onnx(self, path: Path) -> None:
        """Write it as ONNX with free batch size and length."""
        axes = {name: {0: "batch", 1: "length"} for name in _INPUTS}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what tracing fixes: nothing that varies here
            torch.onnx.export(
                self,
                self.example(),
                str(path),
                input_names=list(_INPUTS),
                output_names=["log_probs"],
                dynamic_axes={**axes, "log_probs": {0: "batch"}},
                dynamo=False,
            )


class Runtime(Peer):
    """drugmon's model in one pass through another runtime, in batches of so many tokens."""

    def __init__(self, adapter: Adapter, model: OnePass, tokens: int) -> None:
        self._adapter, self._classifier, self._tokens = adapter, model.classifier, tokens
        self._targets = list(adapter.manifest.levels)
        self._lexical = LexicalModel.load(adapter.folder)
        self._calibrations = adapter.manifest.calibrations()

    @abstractmethod
    def run(self, inputs: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
        """Label log-probabilities (b, targets, 3) of one batch."""

    def score(self, reviews: Sequence[Texts]) -> Labels:
        """Texts in, labels out."""
        return self.judge(reviews).labels

    def judge(self, reviews: Sequence[Texts]) -> Scores:
        """Texts in, verdicts out, as `Engine.score` does it."""
        prepared = self._classifier.prepare(reviews)
        log_probs = np.zeros((len(reviews), len(self._targets), len(LABELS)), np.float32)
        for rows in token_batches(prepared.lengths, self._tokens):
            batch = collate([prepared.items[row] for row in rows], self._classifier.pad_id)
            log_probs[rows] = self.run({name: getattr(batch, name).numpy() for name in _INPUTS})
        model = {target: log_probs[:, k] for k, target in enumerate(self._targets)}
        evidence = Evidence(model, self._lexical.log_probs(prepared.tokens))
        return judge(reviews, evidence, self._calibrations)


class Torch(Runtime):
    """torch as it comes: transformers' BERT, SDPA, in fp32."""

    name = "torch, transformers' BERT, one pass"

    def __init__(self, adapter: Adapter, model: OnePass, tokens: int) -> None:
        super().__init__(adapter, model, tokens)
        self._model = model

    def run(self, inputs: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
        """One forward pass."""
        with torch.inference_mode():
            log_probs: npt.NDArray[np.float32] = (
                self._model(*(torch.from_numpy(inputs[name]) for name in _INPUTS)).float().numpy()
            )
        return log_probs


class OnnxRuntime(Runtime):
    """ONNX Runtime on the CPU; int8 is its dynamic quantisation of the dense layers."""

    def __init__(
        self, adapter: Adapter, model: OnePass, tokens: int, threads: int, int8: bool = False
    ) -> None:
        super().__init__(adapter, model, tokens)
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic

        self.name = f"ONNX Runtime {'int8' if int8 else 'fp32'}, one pass"
        self.dtype = "int8" if int8 else "fp32"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            path, small = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
            model.save_onnx(path)
            if int8:
                quantize_dynamic(str(path), str(small), weight_type=QuantType.QInt8)
            self._session = onnxruntime.InferenceSession(
                str(small if int8 else path), options, providers=["CPUExecutionProvider"]
            )

    def run(self, inputs: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
        """One call of the session."""
        log_probs: npt.NDArray[np.float32] = self._session.run(None, inputs)[0]
        return log_probs


class OpenVino(Runtime):
    """OpenVINO on the CPU in bf16."""

    name = "OpenVINO bf16, one pass"
    dtype = "bf16"

    def __init__(self, adapter: Adapter, model: OnePass, tokens: int, threads: int) -> None:
        super().__init__(adapter, model, tokens)
        os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")
        import openvino

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            model.save_onnx(path)
            converted = openvino.Core().read_model(path)
            hints = {
                "INFERENCE_PRECISION_HINT": "bf16",
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
            }
            self._request = openvino.Core().compile_model(converted, "CPU", hints)

    def run(self, inputs: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
        """One inference."""
        log_probs: npt.NDArray[np.float32] = self._request(inputs)[0].copy()
        return log_probs
