from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from drugmon.errors import AdapterError
from drugmon.grading import Grading, RatingScale
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.manifest import (
    DIGEST_LENGTH,
    Manifest,
    read_manifest,
    rule_of,
    with_files,
)
from drugmon.models.adapters.records import (
    DataRecord,
    EpochRecord,
    SourceRecord,
    TrainingRecord,
)
from drugmon.models.bases.bases import BaseIdentity
from drugmon.models.files import MANIFEST

LABELS = ["negative", "neutral", "positive"]


@pytest.fixture(name="manifest")
def _manifest() -> Manifest:
    return Manifest(
        name="mine",
        created_at="2026-01-01T00:00:00+00:00",
        base=BaseIdentity("tiny", "tiny", "a" * 64, "b" * 64, "bert", "MIT"),
        levels={"comments": LABELS, "overall": LABELS},
        max_length=64,
        calibration={
            target: {**Calibration(2.0, 0.5).to_dict(), "ece_before": 0.2, "ece_after": None}
            for target in ("comments", "overall")
        },
        recipe={"lora": {"r": 4}},
        grading=Grading().with_words({"good": "positive"}),
        seeds=[0],
        versions={"torch": "2"},
        data=DataRecord(
            "mine", "here", "MIT", 3, "ff", sources=(SourceRecord("mine", 3), SourceRecord("b", 2))
        ),
        training=TrainingRecord("cpu", "test split", 1, 2, 0.5, epochs=(EpochRecord(1.5),)),
        metrics={},
        files={"heads.safetensors": "c" * 64, "README.md": "d" * 64},
    )


def edit(folder: Path, **values: Any) -> None:
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**content, **values}), encoding="utf-8")


def test_it_goes_there_and_back(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == dataclasses.replace(
        manifest, calibration=json.loads(json.dumps(manifest.calibration))
    )
    assert manifest.targets == ("comments", "overall")
    assert manifest.identity == f"mine@{manifest.digest}"
    assert len(manifest.digest) == DIGEST_LENGTH
    assert manifest.calibrations()["overall"] == Calibration(2.0, 0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 65},
        {"levels": {"overall": LABELS}},
        {"base": BaseIdentity("tiny", "tiny", "e" * 64, "b" * 64, "bert", "MIT")},
        {"base": BaseIdentity("tiny", "tiny", "a" * 64, "e" * 64, "bert", "MIT")},
        {"recipe": {"lora": {"r": 8}}},
        {"files": {"heads.safetensors": "e" * 64}},
    ],
)
def test_digest_follows_what_decides_verdicts(manifest: Manifest, change: dict[str, Any]) -> None:
    assert dataclasses.replace(manifest, **change).digest != manifest.digest


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"overall": {}}},
        {"created_at": "2027"},
        {"name": "yours"},
        {"versions": {}},
        {"files": {"heads.safetensors": "c" * 64, "README.md": "e" * 64}},
    ],
)
def test_digest_ignores_the_rest(manifest: Manifest, change: dict[str, Any]) -> None:
    assert dataclasses.replace(manifest, **change).digest == manifest.digest


def test_calibration_is_in_the_digest_but_its_errors_are_not(manifest: Manifest) -> None:
    def changed(**values: float) -> str:
        own = {target: {**c, **values} for target, c in manifest.calibration.items()}
        return dataclasses.replace(manifest, calibration=own).digest

    assert changed(temperature=2.1) != manifest.digest
    assert changed(ece_before=0.9) == manifest.digest


def test_altered_manifest_is_told(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path)
    edit(tmp_path, max_length=128)
    with pytest.raises(
        AdapterError, match=r"manifest\.json was altered: it says digest .* restore"
    ):
        read_manifest(tmp_path)


def test_other_format_version_is_told(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path)
    edit(tmp_path, format_version=99)
    with pytest.raises(AdapterError, match=r"has format version 99, this drugmon reads 1: train"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format_version": 1}', "\xff"])
def test_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content, encoding="latin-1")
    with pytest.raises(AdapterError, match=r"cannot read the adapter's manifest .*manifest\.json"):
        read_manifest(tmp_path)


def test_unknown_or_lost_key_is_damage(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path)
    edit(tmp_path, surprise=1)
    with pytest.raises(AdapterError, match="cannot read the adapter's manifest"):
        read_manifest(tmp_path)
    with pytest.raises(AdapterError, match="cannot read the adapter's manifest"):
        read_manifest(tmp_path / "nowhere")


def test_files_are_replaced_whole(manifest: Manifest) -> None:
    assert with_files(manifest, {"a": "b"}).files == {"a": "b"}


def test_a_rule_shows_in_the_identity_and_decides(manifest: Manifest) -> None:
    moved = dataclasses.replace(
        manifest, calibration={"overall": Calibration(offsets=(0.0, 1.0, 0.0)).to_dict()}
    )
    likeliest = moved.under("likeliest")
    assert likeliest.digest == moved.digest
    assert likeliest.identity == f"mine@{moved.digest}+likeliest"
    assert rule_of(likeliest.identity) == "likeliest"
    assert rule_of(moved.identity) == rule_of("") == "balanced"
    assert moved.under("balanced").identity == moved.under(None).identity == moved.identity
    assert moved.calibrations()["overall"].offsets == (0.0, 1.0, 0.0)
    assert likeliest.calibrations()["overall"].offsets == (0.0, 0.0, 0.0)
    with pytest.raises(AdapterError, match="no decision rule 'luck'; there are balanced, likelies"):
        moved.under("luck")


def test_a_manifest_of_an_earlier_version_is_read_as_it_was_meant() -> None:
    """Of an adapter that was shipped once: the grading in the recipe, no single sources."""
    manifest = read_manifest(Path(__file__).with_name("earlier"))
    assert manifest.grading.scale == RatingScale(1, 10)
    assert manifest.grading == Grading()
    assert manifest.base.name == "minilm"
    assert manifest.data is not None
    assert (manifest.data.rows, manifest.data.sources) == (3107, ())
    assert manifest.training is not None
    assert manifest.training.label_counts.before["overall"] == [661, 316, 2130]
    assert [round(epoch.loss, 2) for epoch in manifest.training.epochs] == [6.15, 4.59, 3.22]
    assert manifest.metrics["overall"].macro_f1.value is not None
    written = json.loads(json.dumps(manifest.to_dict()))
    assert Manifest.from_dict({**written}).digest == manifest.digest


def test_keys_that_a_later_version_added_are_left_out(manifest: Manifest) -> None:
    written = json.loads(json.dumps(manifest.to_dict()))
    written["training"]["watts"] = 65
    written["data"]["sources"][0]["colour"] = "red"
    assert Manifest.from_dict(written).data == manifest.data
