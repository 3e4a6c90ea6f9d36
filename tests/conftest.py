"""A tiny random base and an adapter trained on it, made once a session: no network needed."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import string
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

from tests.cascades import Pair, fit_coarsely

# How long an example takes on a busy machine says nothing of what is tested.
settings.register_profile("drugmon", deadline=None)
settings.load_profile("drugmon")

SETTINGS = (
    "base.name=tiny-base",
    "lora.r=4",
    "lora.alpha=8",
    "model.max_length=64",
    "train.epochs=2",
    "train.batch_size=8",
    "lexical.min_df=1",
    "split.dev=0.3",
    "split.test=0.3",
    "split.refit=false",
    "split.folds=0",
)


@pytest.fixture(scope="session", autouse=True)
def _no_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing may be read from or written to the home directory, and no hub may be asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, named by DRUGMON_MODELS, with two random models of two layers.

    `tiny-base` is a BERT, `tiny-t5` a Flan-T5: gated, its embeddings untied.
    """
    folder = tmp_path_factory.mktemp("models")
    _make_base(folder / "tiny-base")
    _make_t5(folder / "tiny-t5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRUGMON_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_base(models: Path) -> Path:
    """The folder of the tiny base."""
    return models / "tiny-base"


@pytest.fixture(scope="session")
def tiny_t5(models: Path) -> Path:
    """The folder of the tiny T5."""
    return models / "tiny-t5"


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv of 120 invented reviews with all three graded columns; words tell the grades."""
    path = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    lines = [
        "id,drug,condition,rating,effectiveness,sideEffects,benefitsReview,sideEffectsReview,commentsReview"
    ]
    grades = (
        (2, "Ineffective", "Severe Side Effects", "useless", "awful", "never again"),
        (5, "Moderately Effective", "Moderate Side Effects", "so so", "some", "mixed feelings"),
        (9, "Highly Effective", "No Side Effects", "wonderful", "none at all", "recommended"),
    )
    for number in range(120):
        rating, effect, side, *texts = grades[number % 3]
        words = ",".join(f"{text} number {number}" for text in texts)
        lines.append(f"{number},drug{number % 4},pain,{rating},{effect},{side},{words}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def adapter(labelled: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an adapter on the tiny base, with all four targets, trained for two epochs."""
    assert os.environ["DRUGMON_MODELS"] == str(models)
    from drugmon.workflows.train.train import TrainConfig, train

    out = tmp_path_factory.mktemp("adapters") / "tiny"
    train(TrainConfig(str(labelled), out, settings=SETTINGS))
    return out


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """More threads only get in each other's way with tensors as small as those of tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pair(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two adapters that held the same reviews out."""
    return Pair.of(adapter, tmp_path_factory.mktemp("pair"))


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decision rules of few trials, in a fraction of the time."""
    fit_coarsely(monkeypatch)


def _make_base(folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    tokenizer = Tokenizer(models.WordPiece(_vocabulary(600), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=600,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
        ),
        add_pooling_layer=False,
    )
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def _vocabulary(size: int) -> dict[str, int]:
    """Letters and the sample's most common words; a trainer gives other ones each time."""
    letters = [f"{mark}{letter}" for letter in string.printable[:36] for mark in ("", "##")]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *letters, *_common_words()]
    return {piece: number for number, piece in enumerate(pieces[:size])}


def _common_words() -> list[str]:
    """The words and marks of the sample, most common first."""
    from drugmon.data.sample import sample_reviews

    said = " ".join(str(cell) for review in sample_reviews() for cell in review.values()).lower()
    return [word for word, _ in Counter(re.findall(r"[a-z]{2,}|[^\w\s]", said)).most_common()]


def _make_t5(folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import T5Config, T5ForConditionalGeneration

    prompt = ("Classify", "sentiment", "of", "review", "as", "positive", "neutral", "negative")
    words = [*prompt, *_common_words()]
    pieces = [*string.printable[:94], "▁", *(f"▁{word}" for word in dict.fromkeys(words))][:597]
    # A long piece that is known beats its letters, as in a trained Unigram model.
    scored = [(piece, -10.0) for piece in pieces]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), *scored]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", 1)])
    torch.manual_seed(0)
    untyped: dict[str, Any] = {"tie_word_embeddings": False, "decoder_start_token_id": 0}
    config = T5Config(
        vocab_size=600,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_heads=4,
        num_layers=2,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
        **untyped,
    )
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(torch.randn(600, 32))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(name="nothing_shipped")
def _nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> Sequence[Path]:
    """The places of shipped adapters: none, so that those of the working directory stand alone."""
    places: tuple[Path, ...] = ()
    monkeypatch.setattr("drugmon.models.adapters.adapter._SHIPPED", places)
    return places


class Run(NamedTuple):
    """How a command line ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(name="drugmon")
def _drugmon(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Run]]:
    """Runs a command line in this process, up to its exit code: `drugmon("score", path)`."""
    from drugmon.cli import errors as cli_errors
    from drugmon.cli import main as cli

    def run(*arguments: object, stdin: bytes = b"") -> Run:
        monkeypatch.setattr(sys, "argv", ["drugmon", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = cli_errors.run(cli.cli)
        return Run(code, *capfd.readouterr())

    before = {which: signal.getsignal(which) for which in (signal.SIGTERM, signal.SIGINT)}
    yield run
    for which, handler in before.items():
        signal.signal(which, handler)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a stand-in for S3 on this machine; skips where `moto` is missing."""
    server = pytest.importorskip("moto.server", reason="needs the test extra")
    pytest.importorskip("s3fs", reason="needs the extra s3")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        # moto itself asks AWS for nothing, and must not find anybody's keys.
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        running.start()
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
        running.stop()


class Bucket:
    """A bucket of its own: `put`, `get` and `keys` go around drugmon."""

    def __init__(self, name: str) -> None:
        import s3fs

        self.name, self.uri = name, f"s3://{name}"
        self.store = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
        self.store.mkdir(name)

    def put(self, key: str, content: bytes) -> str:
        """Put an object, and return its URI."""
        self.store.pipe_file(f"{self.name}/{key}", content)
        return f"{self.uri}/{key}"

    def get(self, key: str) -> bytes:
        """What an object holds."""
        content: bytes = self.store.cat_file(f"{self.name}/{key}")
        return content

    def keys(self) -> set[str]:
        """The keys of all objects."""
        return {name.partition("/")[2] for name in self.store.find(self.name)}


@pytest.fixture(name="bucket")
def _bucket(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and a folder of this test's own for what drugmon keeps on this machine."""
    import fsspec

    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "not-to-be-told",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_EC2_METADATA_DISABLED": "true",
        "DRUGMON_STATE": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    fsspec.filesystem("s3").clear_instance_cache()
    return Bucket(f"reviews-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session", name="scored_reviews")
def _scored_reviews() -> Callable[..., pa.Table]:
    """Makes `n` scored reviews with texts, ratings and verdicts: `scored_reviews(200, seed=1)`."""
    return make_scored


def make_scored(
    n: int,
    seed: int = 0,
    *,
    negative: float = 0.2,
    word: str = "",
    drugs: int = 12,
    identity: str = "nobody@0",
    at: datetime = datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
) -> pa.Table:
    """Invented scored reviews: their true labels follow their probabilities.

    `negative` is about their share of negative verdicts; `word` stands in all texts; drugs follow
    Zipf's law over `drugs` names.
    """
    from drugmon.data.verdicts.columns import make_verdicts
    from drugmon.labels import ASPECTS, LABELS, TARGETS

    random = np.random.default_rng(seed)
    vocabulary = [f"{a}{b}" for a in ("hel", "pai", "sle", "nau", "wor") for b in "abcdefghijkl"]
    mood = random.choice(3, size=n, p=[negative, 0.1, 0.9 - negative])
    probabilities = random.dirichlet([0.3] * 3, size=(n, len(TARGETS))) * 0.3
    probabilities[np.arange(n)[:, None], np.arange(len(TARGETS)), mood[:, None]] += 0.7
    labels = probabilities.argmax(axis=2).astype(np.int8)
    truth = (probabilities[:, -1].cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, 2)
    texts = {
        aspect: [" ".join([word, *random.choice(vocabulary, size=12)]).strip() for _ in range(n)]
        for aspect in ASPECTS
    }
    share = 1 / np.arange(1, drugs + 1)
    columns = {
        "id": [str(number) for number in range(n)],
        "drug": [f"drug {k}" for k in random.choice(drugs, size=n, p=share / share.sum())],
        "condition": [f"condition {k}" for k in random.choice(5, size=n)],
        "rating": [str((2, 5, 9)[label]) for label in truth],
        **texts,
    }
    fingerprints = [f"{seed:08}{number:024}" for number in range(n)]
    verdicts = make_verdicts(labels, probabilities.astype(np.float32), identity, at, fingerprints)
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})
    for field, column in zip(verdicts.schema, verdicts.columns, strict=True):
        table = table.append_column(field, pa.chunked_array([column]))
    assert set(table["overall_sentiment"].to_pylist()) <= set(LABELS)
    return table
