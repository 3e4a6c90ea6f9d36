"""A student learns from an adapter, never from its word on a review that it learned from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from drugmon.data.reviews import Texts
from drugmon.errors import RecipeError, UsageError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.files import CARD, SEEN
from drugmon.options import build
from drugmon.scoring.engine import Engine
from drugmon.scoring.held_out import HeldOutEvidence, review_hashes
from drugmon.training.loop.progress import Progress
from drugmon.training.reviews.examples import has_word
from drugmon.training.reviews.gathered import gather
from drugmon.training.sources import Source
from drugmon.training.trials.search import Search, parse_grid
from drugmon.workflows.compare.config import EvaluateConfig
from drugmon.workflows.compare.evaluate import evaluate
from drugmon.workflows.train.teaching.lessons import lesson_of
from drugmon.workflows.train.teaching.out_of_fold import out_of_fold
from drugmon.workflows.train.train import TrainConfig, train
from drugmon.workflows.train.tune import TuneConfig, tune
from tests.teaching import CPU, SETTINGS, WORDS, asked, fit, lone, sources, words_of


def test_a_teacher_never_judges_what_it_learned_from(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    gathered = gather(sources(labelled, tmp_path), None)
    told: list[str] = []
    judged: list[int] = []
    less, teaching = asked(
        [teacher],
        gathered,
        tmp_path / "work",
        lambda _stage, progress: judged.append(progress.steps),
        told.append,
    )
    targets, helping = words_of(teaching)
    overall = targets["overall"]
    evidence = HeldOutEvidence.load(teacher.folder)
    rows = evidence.rows_of(review_hashes(gathered.targets.texts))
    assert (rows[:78] >= 0).all()
    assert np.array_equal(overall[:78], out_of_fold(evidence)[rows[:78], -1])
    live = Engine(teacher, CPU, print).score(gathered.targets.texts).probabilities
    assert np.allclose(overall[78:], live[78:, -1], atol=1e-5)
    assert not np.isclose(overall[:78], live[:78, -1]).all(axis=1).any(), "none from memory"
    # Of the lone texts: 30 it learned from, 10 not; of those without labels 20 were copies of help
    # and the last 20 are new.
    assert helping is not None
    of_help = helping["overall"]
    assert np.isnan(of_help).all(axis=1).tolist() == [True] * 30 + [False] * 30
    assert np.array_equal(helping["comments"], of_help, equal_nan=True)
    assert np.isnan(helping["benefits"]).all()
    assert judged == [42 + 10 + 20]
    (record,) = teaching.records
    assert (record.out_of_fold, record.live, record.labels_alone) == (78, 72, 30)
    assert record.identity == teacher.manifest.identity
    assert "Old reviews" in record.data
    assert record.licence == "CC BY 4.0; not stated"
    assert record.citation == "Somebody 2020"
    assert len(less.help or ()) == 60
    assert told == []


def test_unlabelled_reviews_that_a_teacher_learned_from_are_left_out(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    unlabelled = Source(path=str(lone(tmp_path / "more.csv", 20, 40, False)), role="unlabelled")
    gathered = gather([Source(path=str(labelled)), unlabelled], None)
    told: list[str] = []
    less, teaching = asked([teacher], gathered, tmp_path / "work", warn=told.append)
    assert told == [
        "10 unlabelled reviews are left out: the teachers learned from them, so nobody says "
        "anything of them"
    ]
    assert less.help is not None
    _, helping = words_of(teaching)
    assert helping is not None
    assert len(less.help) == len(helping["overall"]) == 30
    assert (less.records[1].rows, less.records[1].left_out) == (30, 10)
    assert not np.isnan(helping["overall"]).any()


def test_copies_in_another_form_are_known_too(teacher: Adapter) -> None:
    known = f"{WORDS[1]} lone 3"
    held_out = Texts("useless number 0", "awful number 0", "never again number 0", None)
    reviews = [
        Texts(None, None, known, None),
        Texts(None, None, None, known.upper() + "!"),
        Texts(None, None, None, known),
        Texts(None, None, "Something else", None),
        held_out,
        Texts(None, None, None, " ".join(filter(None, held_out))),
        Texts(None, None, None, " "),
    ]
    lesson = lesson_of(teacher, reviews)
    assert lesson.learned.tolist() == [True, True, True, False, True, True, False]
    assert lesson.held_out.tolist() == [False] * 4 + [True, False, False]
    assert lesson.live.tolist() == [False] * 3 + [True] + [False] * 3
    assert not np.isnan(lesson.words[4]).any()


def test_several_teachers_say_their_mean(
    teacher: Adapter, adapter: Path, labelled: Path, tmp_path: Path
) -> None:
    other = open_adapter(str(adapter))  # it learned from a part of the reviews, and held out 72
    gathered = gather([Source(path=str(labelled))], None)
    first = words_of(asked([teacher], gathered, tmp_path / "a")[1])[0]["overall"]
    second = words_of(asked([other], gathered, tmp_path / "b")[1])[0]["overall"]
    both = asked([teacher, other], gathered, tmp_path / "c")[1]
    silent = ~has_word(second)
    assert silent.sum() == 48
    mean = np.where(silent[:, None], first, (first + second) / 2)
    assert np.allclose(words_of(both)[0]["overall"], mean, atol=1e-6)
    assert [record.labels_alone for record in both.records] == [0, 48]
    assert both.key != asked([teacher], gathered, tmp_path / "a")[1].key


def test_judging_goes_on_where_it_was_killed(
    teacher: Adapter, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.scoring import engine
    from drugmon.training.loop import checkpoint

    monkeypatch.setitem(engine.CHUNK, "cpu", 16)
    monkeypatch.setattr(checkpoint.Checkpoint, "due", lambda _self: True)
    gathered = gather([Source(path=str(labelled))], None)
    steps: list[int] = []

    def stop(_stage: str, progress: Progress) -> None:
        steps.append(progress.step)
        if len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked([teacher], gathered, tmp_path / "work", stop)
    resumed = asked([teacher], gathered, tmp_path / "work", stop)[1]
    assert steps == [16, 32, 42]
    whole = asked([teacher], gathered, tmp_path / "other")[1]
    expected = words_of(whole)[0]["overall"]
    assert np.array_equal(words_of(resumed)[0]["overall"], expected)
    again = asked([teacher], gathered, tmp_path / "work", stop)[1]
    assert steps == [16, 32, 42], "what was judged is not judged again"
    assert np.array_equal(words_of(again)[0]["overall"], expected)


def test_card_manifest_and_command_name_the_teacher(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    target, *others = sources(labelled, tmp_path)
    setting = f"teacher.adapters={teacher.folder}"
    made = fit(
        tmp_path / "small", target.path, setting, "teacher.weight=0.6", sources=tuple(others)
    ).adapter
    training = made.manifest.training
    assert training is not None
    assert training.rows_help == 60
    (record,) = training.teachers
    assert (record.weight, record.temperature) == (0.6, 1.0)
    assert (record.out_of_fold, record.live, record.labels_alone) == (78, 72, 30)
    assert made.manifest.recipe["teacher"]["adapters"] == ["large"]
    card = (made.folder / CARD).read_text(encoding="utf-8")
    assert "## Teachers" in card
    assert f"| `{teacher.manifest.identity}` | 78 | 72 | 30 | tiny-base |" in card
    assert "| CC BY 4.0; not stated | Somebody 2020 |" in card
    assert "--set teacher.adapters=large" in card
    assert "| more.csv (not stated) | unlabelled | 20 | 0 | 20 | none | 1.0 |" in card
    assert str(teacher.folder) not in card
    seen = (made.folder / SEEN).read_text(encoding="ascii").split()
    assert len(seen) == 120 + 60, "what was learned by a teacher's word was learned"
    # A student that teaches carries on whose data its teacher learned from.
    gathered = gather([Source(path=str(labelled))], None)
    record = asked([made], gathered, tmp_path / "work")[1].records[0]
    assert "Old reviews" in record.data


def test_a_run_goes_on_with_the_same_teacher_alone(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    """Its identity and how it is heeded are in the key of every checkpoint."""

    class Stop:
        def __init__(self, stage: str, step: int) -> None:
            self.at, self.stages = (stage, step), list[str]()

        def __call__(self, stage: str, progress: Progress) -> None:
            self.stages.append(stage)
            if (stage, progress.step) == self.at:
                raise KeyboardInterrupt

    setting = f"teacher.adapters={teacher.folder}"
    moved = shutil.copytree(teacher.folder, tmp_path / "elsewhere")
    whole = fit(tmp_path / "whole", labelled, setting).adapter
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "cut", labelled, setting, on_progress=Stop("fold-2", 2))
    for other in (("teacher.temperature=3",), ("teacher.weight=0.1",)):
        with pytest.raises(RecipeError, match="is of another recipe, seed, base or training data"):
            fit(tmp_path / "cut", labelled, setting, *other)
    with pytest.raises(RecipeError, match="is of another recipe, seed, base or training data"):
        fit(tmp_path / "cut", labelled)
    last = Stop("", 0)
    resumed = fit(tmp_path / "cut", labelled, f"teacher.adapters={moved}", on_progress=last).adapter
    assert set(last.stages) == {"fold-2", "refit"}, "nothing is judged or trained twice"
    assert resumed.manifest.digest == whole.manifest.digest
    assert fit(tmp_path / "plain", labelled).adapter.manifest.digest != whole.manifest.digest


def test_trials_have_a_teacher(teacher: Adapter, labelled: Path, tmp_path: Path) -> None:
    """One that has never seen their reviews; one that learned dev says nothing, which is told."""
    new = tmp_path / "new.csv"
    header, *rows = labelled.read_text(encoding="utf-8").splitlines(keepends=True)
    new.write_text(header + "".join(rows[78:]), encoding="utf-8")
    told: list[str] = []
    settings = (*SETTINGS, "split.folds=0", "split.dev=0.3", f"teacher.adapters={teacher.folder}")
    search = Search(parse_grid(["teacher.weight=0,1"]))
    result = tune(
        TuneConfig(str(new), tmp_path / "trials", search, settings=settings), warn=told.append
    )
    losses = [own.measured.average_loss for own in result.trials if own.measured]
    assert len(losses) == 2
    assert losses[0] != losses[1]
    assert told == []
    known = TuneConfig(str(labelled), tmp_path / "known", search, settings=settings)
    losses = [
        trial.measured.average_loss
        for trial in tune(known, warn=told.append).trials
        if trial.measured
    ]
    assert losses[0] == losses[1]
    assert [doubt for doubt in told if "teachers" in doubt] == [
        "the teachers learned from reviews that the measured models leave out, and say nothing to "
        "them, nor to the one that is kept: it learns from labels alone; with twice as many "
        "split.folds as the teachers have, or more, they may speak of a part"
    ]
    with pytest.raises(UsageError, match=r"teacher.adapters cannot be searched: .* same teachers"):
        Search(parse_grid(["teacher.adapters=a,b"]))


def test_held_out_lone_texts_that_a_teacher_learned_are_told(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    helping = Source(path=str(lone(tmp_path / "help.csv", 0, 30)), role="help", held_out=0.5)
    setting = f"teacher.adapters={teacher.folder}"
    made = fit(tmp_path / "small", labelled, setting, sources=(helping,), warn=told.append).adapter
    assert made.manifest.data is not None
    held_out = made.manifest.data.sources[1].held_out
    assert held_out
    assert (
        f"teacher large learned from {held_out} of the lone texts that are held out: figures of "
        "what it teaches may be better than on new reviews"
    ) in told


def test_figures_on_reviews_that_a_teacher_knows_are_doubted(
    teacher: Adapter, part: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    new = Source(path=str(lone(tmp_path / "new.csv", 90, 30)))
    train(
        TrainConfig(
            None,
            tmp_path / "out",
            settings=(*SETTINGS, "split.folds=0", f"teacher.adapters={teacher.folder}"),
            sources=(new,),
            eval_source=str(part),
        ),
        warn=told.append,
    )
    assert told == [
        "teacher large learned from 78 of the reviews of --eval: figures of what it teaches may "
        "be better than on new reviews"
    ]


def test_what_was_taught_is_doubted_on_reviews_that_its_teacher_knows(
    teacher: Adapter, part: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The student saw none of them, and heard of their labels in every word of its teacher."""
    shutil.copytree(teacher.folder, tmp_path / "adapters" / "large")
    monkeypatch.chdir(tmp_path)
    new = Source(path=str(lone(tmp_path / "new.csv", 90, 30)))
    settings = (*SETTINGS, "split.folds=0", "teacher.adapters=large")
    student = train(
        TrainConfig(None, tmp_path / "out", settings=settings, sources=(new,))
    ).adapter.folder

    def told(source: Path) -> list[str]:
        doubts: list[str] = []
        evaluate(
            build(EvaluateConfig, source=str(source), adapter=str(student)), warn=doubts.append
        )
        return doubts

    assert told(part) == [
        f"78 of the 78 reviews of {part} are among those that large, a teacher of adapter out, was "
        "trained on: figures of what it taught may be better than on new reviews"
    ]
    assert told(labelled)[0].startswith("78 of the 120 reviews of ")
    shutil.rmtree(tmp_path / "adapters")
    assert told(part) == [], "nobody knows"
