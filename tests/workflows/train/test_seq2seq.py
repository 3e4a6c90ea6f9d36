"""A seq2seq base from recipe to verdicts: every recipe, both ways of training, zero-shot."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import torch

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.lora import add_lora
from drugmon.models.bases.bases import resolve_base
from drugmon.models.device import choose_compute
from drugmon.models.files import (
    CARD,
    CHECKPOINT,
    HEADS,
    HELD_OUT,
    LEXICON,
    LORA_CONFIG,
    LORA_WEIGHTS,
    MANIFEST,
    REFERENCE,
    REFERENCE_OF_LIKELIEST,
    SEEN,
)
from drugmon.models.tokens.prompts import PROMPT
from drugmon.scoring.engine import CHUNK, Engine
from drugmon.training.loop.checkpoint import Checkpoint
from drugmon.training.loop.progress import Progress
from drugmon.training.recipe import list_recipes, load_recipe
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.workflows.train.adapter_folder import provisional
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.fitted import Fitted
from drugmon.workflows.train.train import TrainConfig, train

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPES = [name for name in list_recipes() if name.startswith("flan-t5")]
CPU = EngineConfig(device="cpu", dtype="fp32")
TINY = ("base.name=tiny-t5", "model.max_length=64", "lexical.min_df=1", "balance.per_class=8")
FEW = (*TINY, "train.epochs=1", "train.batch_size=8", "split.dev=0.3", "split.test=0.3")
REVIEWS = [
    Texts("useless", "awful", "never again", None),
    Texts("wonderful", None, "so so", None),
    Texts(None, None, None, "mixed feelings"),
    Texts(None, None, None, None),
]


def take(source: Path, count: int) -> LabelledReviews:
    return read_labelled(str(source), load_recipe("minilm").grading).take(np.arange(count))


def fit(work: Path, reviews: LabelledReviews, recipe: str, *settings: str) -> tuple[Fit, Fitted]:
    """Train on all of `reviews`, which are their own dev."""
    loaded = load_recipe(recipe, settings)
    made = Fit(loaded, resolve_base(loaded.base.name), reviews, work, CPU, lambda *_: None)
    rows = np.arange(len(reviews))
    return made, made.run("measured", rows, rows)


def scores_of(adapter: Adapter, reviews: list[Texts] = REVIEWS) -> Any:
    return Engine(adapter, CPU, pytest.fail).score(reviews)


@pytest.fixture(name="t5", scope="module")
def _t5(labelled: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter on the tiny T5, with LoRA everywhere and the lexical model."""
    assert models.is_dir()
    out = tmp_path_factory.mktemp("t5") / "tiny-flan"
    settings = (*FEW, "split.refit=false", "lora.r=2", "lora.bias=true")
    train(TrainConfig(str(labelled), out, recipe="flan-t5-lora-all", settings=settings, engine=CPU))
    return out


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_trains_is_saved_and_scores(
    recipe: str, labelled: Path, models: Path, tmp_path: Path
) -> None:
    assert models.is_dir()
    made, fitted = fit(tmp_path, take(labelled, 24), recipe, *FEW)
    trained, whole = fitted.record.parameters
    full = load_recipe(recipe).train.method == "full"
    assert (trained == whole) is full
    adapter = provisional(tmp_path / "made", made, fitted)
    assert ({CHECKPOINT} if full else {LORA_CONFIG, LORA_WEIGHTS}) <= set(adapter.manifest.files)
    assert (LEXICON in adapter.manifest.files) is (recipe == "flan-t5-lora-all")
    assert adapter.manifest.prompt == PROMPT
    scores = scores_of(open_adapter(str(adapter.folder)))
    there = [[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert (scores.labels >= 0).astype(int).tolist() == there
    np.testing.assert_allclose(np.nansum(scores.probabilities, axis=2), there, atol=1e-5)


def test_what_was_trained_is_what_scores(labelled: Path, models: Path, tmp_path: Path) -> None:
    """The model in training and the adapter loaded from its folder say the same."""
    assert models.is_dir()
    reviews = take(labelled, 24)
    for recipe, settings in {
        "flan-t5-lora-all": ("lora.r=2", "lora.bias=true"),
        "flan-t5-full-2": (),
    }.items():
        work = tmp_path / recipe
        made, fitted = fit(work, reviews, recipe, *FEW, *settings, "lexical.enabled=false")
        engine = Engine(provisional(work / "made", made, fitted), CPU, pytest.fail)
        found = engine.evidence(reviews.texts).model["overall"]
        prepared = made._classifier.prepare(reviews.texts)
        with torch.inference_mode():
            logits = fitted.model.eval()(made._classifier.collate(prepared.items))["overall"]
        expected = fitted.model.label_log_probs(logits, "overall")[prepared.places["overall"]]
        np.testing.assert_allclose(found, expected.numpy(), atol=2e-4)


def test_lora_learns_32_reviews_by_heart(labelled: Path, models: Path, tmp_path: Path) -> None:
    assert models.is_dir()
    reviews = take(labelled, 32)
    settings = (*TINY, "train.epochs=30", "train.batch_size=8", "train.learning_rate=1e-2")
    made, fitted = fit(
        tmp_path,
        reviews,
        "flan-t5-lora-all",
        *settings,
        "lexical.enabled=false",
        "train.patience=3",
    )
    scores = scores_of(provisional(tmp_path / "made", made, fitted), list(reviews.texts))
    for target, labels in reviews.labels.items():
        assert scores.labels[:, TARGETS.index(target)].tolist() == labels.tolist(), target


def test_peft_loads_the_folder_plainly(t5: Path, tiny_t5: Path) -> None:
    """peft's model on the plain base gives the logits that drugmon's merged one scores from."""
    from peft import PeftModel
    from transformers import AutoModelForSeq2SeqLM

    assert json.loads((t5 / LORA_CONFIG).read_text(encoding="utf-8"))["task_type"] is None
    loaded = open_adapter(str(t5)).load(choose_compute("cpu", "fp32"))
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5, dtype=torch.float32)
    plain: Any = PeftModel.from_pretrained(base, str(t5)).eval()
    batch: Any = loaded.classifier.collate(loaded.classifier.prepare(REVIEWS).items)
    with torch.inference_mode():
        found = loaded.model(batch)["overall"]
        start = torch.zeros(len(batch.ids), 1, dtype=torch.long)
        logits = plain(
            input_ids=batch.ids, attention_mask=batch.mask, decoder_input_ids=start
        ).logits
    words = loaded.model.get_buffer("label_ids")
    torch.testing.assert_close(found, logits[:, 0, words], atol=1e-3, rtol=1e-3)


def test_adapter_has_its_card_figures_and_files(t5: Path) -> None:
    adapter = open_adapter(str(t5))
    adapter.verify()
    assert {path.name for path in t5.iterdir()} == {
        *(LORA_CONFIG, LORA_WEIGHTS, LEXICON),
        *(REFERENCE, REFERENCE_OF_LIKELIEST, SEEN, HELD_OUT, CARD, MANIFEST),
    }
    manifest = adapter.manifest
    assert manifest.levels == {target: list(LABELS) for target in TARGETS}
    assert manifest.base.model_type == "t5"
    assert manifest.metrics["overall"].n == 36
    card = (t5 / CARD).read_text(encoding="utf-8")
    assert PROMPT.split("\n")[0] in card
    assert "A LoRA adapter of `tiny-t5`" in card


def test_interrupted_training_ends_where_an_uninterrupted_one_does(
    t5: Path, labelled: Path, tmp_path: Path
) -> None:
    seen: list[int] = []

    def interrupt(_stage: str, progress: Progress) -> None:
        seen.append(progress.step)
        if len(seen) == 3:
            raise KeyboardInterrupt

    settings = (*FEW, "split.refit=false", "lora.r=2", "lora.bias=true")
    config = TrainConfig(
        str(labelled), tmp_path / "tiny-flan", "flan-t5-lora-all", settings, engine=CPU
    )
    with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "due", lambda _self: True)
        train(config, on_progress=interrupt)
    resumed = train(config, on_progress=interrupt).adapter
    assert seen[:4] == [1, 2, 3, 4], "it goes on where it was"
    assert resumed.manifest.digest == open_adapter(str(t5)).manifest.digest


def test_score_a_file_and_only_what_is_new(
    t5: Path, labelled: Path, tmp_path: Path, drugmon: Callable[..., Any]
) -> None:
    source = Path(shutil.copy(labelled, tmp_path / "reviews.csv"))
    arguments = ("score", source, "--adapter", t5, "--device", "cpu", "--dtype", "fp32", "--json")
    first, again = (json.loads(drugmon(*arguments).out) for _ in range(2))
    assert (first["scored"], first["reused"]) == (120, 0)
    assert (again["scored"], again["reused"]) == (0, 120)
    with (tmp_path / "reviews.scored.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    scores = scores_of(
        open_adapter(str(t5)),
        [
            Texts(row["benefitsReview"], row["sideEffectsReview"], row["commentsReview"], None)
            for row in rows
        ],
    )
    for column, target in enumerate(TARGETS):
        expected = [LABELS[label] for label in scores.labels[:, column]]
        assert [row[f"{target}_sentiment"] for row in rows] == expected


def test_score_a_table(
    t5: Path, labelled: Path, tmp_path: Path, drugmon: Callable[..., Any]
) -> None:
    database = tmp_path / "reviews.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE reviews AS SELECT * FROM read_csv(?)", [str(labelled)])
    done = drugmon("score", database, "--table", "reviews", "--adapter", t5, "--device", "cpu")
    assert done.code == 0, done.err
    with duckdb.connect(str(database), read_only=True) as connection:
        counted = connection.execute(
            "SELECT count(*), count(overall_sentiment) FROM reviews_scored"
        ).fetchone()
    assert counted == (120, 120)


def test_killed_scoring_goes_on(
    t5: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drugmon: Any
) -> None:
    source = Path(shutil.copy(labelled, tmp_path / "reviews.csv"))
    monkeypatch.setitem(CHUNK, "cpu", 50)
    original = Engine.scores

    def interrupted(self: Engine, *arguments: Any) -> Any:
        yield next(original(self, *arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "scores", interrupted)
    arguments = ("score", source, "--adapter", t5, "--device", "cpu", "--json")
    assert drugmon(*arguments).code == 130
    assert not (tmp_path / "reviews.scored.csv").exists()
    monkeypatch.setattr(Engine, "scores", original)
    resumed = json.loads(drugmon(*arguments).out)
    assert (resumed["scored"], resumed["reused"]) == (70, 50)


def test_zero_shot_is_measured_and_predicts(
    labelled: Path, models: Path, tmp_path: Path, drugmon: Callable[..., Any]
) -> None:
    assert models.is_dir()
    page = tmp_path / "zero.html"
    done = drugmon("evaluate", labelled, "--base", "tiny-t5", "--html", page, "--device", "cpu")
    assert done.code == 0, done.err
    assert "drugmon evaluate: ok adapter=tiny-t5-zero-shot@" in done.out
    assert "tiny-t5-zero-shot@" in page.read_text(encoding="utf-8")
    texts = ("--benefits", "wonderful", "--side-effects", "none at all", "--comments", "so so")
    done = drugmon("predict", "--base", "tiny-t5", *texts, "--device", "cpu")
    lines = [line.split()[:2] for line in done.out.splitlines() if line.strip()][1:]
    assert [target for target, _ in lines] == list(TARGETS)
    assert {label for _, label in lines} <= set(LABELS)


def test_base_that_cannot_answer_needs_an_adapter(
    labelled: Path, models: Path, drugmon: Callable[..., Any]
) -> None:
    assert models.is_dir()
    done = drugmon("evaluate", labelled, "--base", "tiny-base")
    assert done.code == 1
    assert "base tiny-base (bert) gives no verdicts without an adapter" in done.err
    done = drugmon("predict", "--text", "a", "--base", "tiny-t5", "--adapter", "mine")
    assert done.code == 2
    assert "name one of them" in done.err


@pytest.mark.parametrize("recipe", ["minilm", "flan-t5-full-1"])
def test_full_checkpoint_needs_no_base(
    recipe: str, labelled: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both bases: the folder holds all weights, is verified whole, and scores by itself."""
    assert models.is_dir()
    base = "tiny-base" if recipe == "minilm" else "tiny-t5"
    settings = (*FEW, f"base.name={base}", "train.method=full", "lexical.enabled=false")
    made, fitted = fit(tmp_path, take(labelled, 24), recipe, *settings)
    folder = provisional(tmp_path / "made", made, fitted).folder
    expected = scores_of(open_adapter(str(folder)))
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path / "nowhere"))
    alone = open_adapter(str(folder))
    alone.verify()
    assert alone.is_checkpoint
    assert (HEADS in alone.manifest.files) is (recipe == "minilm")
    np.testing.assert_array_equal(scores_of(alone).probabilities, expected.probabilities)


def test_full_checkpoint_is_one_that_transformers_loads(
    labelled: Path, models: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForSeq2SeqLM

    assert models.is_dir()
    made, fitted = fit(tmp_path, take(labelled, 24), "flan-t5-full-1", *FEW)
    folder = provisional(tmp_path / "made", made, fitted).folder
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    assert plain.config.scale_decoder_outputs is False
    for name, value in fitted.model.backbone.state_dict().items():
        assert torch.equal(plain.state_dict()[name], value), name


def test_lora_on_q_and_v_trains_less_than_a_hundredth_of_flan_t5_base() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    untied: dict[str, Any] = {"tie_word_embeddings": False}
    config = T5Config(
        d_model=768,
        d_ff=2048,
        num_layers=12,
        num_heads=12,
        feed_forward_proj="gated-gelu",
        **untied,
    )
    with torch.device("meta"):
        backbone = T5ForConditionalGeneration(config)
        backbone.lm_head.weight = torch.nn.Parameter(torch.empty(32128, 768))
        lora = load_recipe("flan-t5-lora-312").lora
        model = add_lora(
            backbone,
            r=lora.r,
            alpha=lora.alpha,
            dropout=lora.dropout,
            target_modules=lora.target_modules,
        )
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    trained = sum(size for size, requires in sizes if requires)
    whole = sum(size for size, _ in sizes)
    assert trained == 36 * 2 * 2 * 8 * 768, "q and v of 12 + 24 attentions, A and B"
    assert whole - trained == 247_577_856, "flan-t5-base"
    assert trained / whole < 0.01
