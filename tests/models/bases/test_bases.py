from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from drugmon.errors import BaseModelError
from drugmon.models.bases import bases
from drugmon.models.bases.bases import resolve_base, weights_sha256
from drugmon.models.bases.folders import KNOWN_BASES


@pytest.fixture(name="copied")
def _copied(tiny_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "copied"))


def test_base_is_found_by_name_and_by_path(tiny_base: Path, copied: Path) -> None:
    by_name, by_path = resolve_base("tiny-base"), resolve_base(str(copied))
    assert by_name.folder == tiny_base.resolve()
    assert (by_path.name, by_path.source) == ("copied", "copied"), "no path of this machine"
    assert by_name.sha256 == by_path.sha256
    assert by_name.tokenizer_sha256 == by_path.tokenizer_sha256
    assert by_name.model_type == "bert"


def test_embedded_base_is_the_original() -> None:
    base = resolve_base("minilm")
    assert base.sha256 == KNOWN_BASES["minilm"].sha256
    assert base.source == "sentence-transformers/all-MiniLM-L6-v2@" + KNOWN_BASES["minilm"].revision


def test_embedded_base_that_was_changed_is_refused(
    monkeypatch: pytest.MonkeyPatch, copied: Path
) -> None:
    monkeypatch.setattr(bases, "find_folder", lambda _name, _known: copied)
    with pytest.raises(BaseModelError, match=r"weights of base minilm in .* but the original's is"):
        resolve_base("minilm")


def test_fetched_base_in_a_folder_is_named_by_its_hub_id_alone(
    tiny_t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing vouches for its revision; the adapter's manifest keeps the hash of what was found."""
    shutil.copytree(tiny_t5, tmp_path / "flan-t5-base")
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path))
    base = resolve_base("flan-t5-base")
    assert (base.name, base.source) == ("flan-t5-base", "google/flan-t5-base")
    assert base.licence == "Apache-2.0"
    assert base.identity()["sha256"] == weights_sha256(tiny_t5)


def test_fetched_base_that_is_missing_tells_how_to_get_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.is_dir()

    def offline(*_arguments: object, **_options: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(BaseModelError) as error:
        resolve_base("flan-t5-base")
    for part in (
        "hf download google/flan-t5-base --revision 7bcac572ce56db69c1ea7c8af255c5d7c9672fc2",
        "--local-dir $DRUGMON_MODELS/flan-t5-base",
        "huggingface-cli download",
        "or name the folder with config.json, tokenizer.json",
    ):
        assert part in str(error.value)


def test_unknown_name_lists_the_ways(models: Path) -> None:
    assert models.is_dir()
    with pytest.raises(BaseModelError, match=r"no base .nope.: name one of minilm, flan-t5-"):
        resolve_base("nope")


def test_hub_id_needs_its_revision() -> None:
    with pytest.raises(BaseModelError, match=r"pin its revision: org/name@<40 hex digits>"):
        resolve_base("org/name")


def test_hub_that_gives_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_arguments: object, **_options: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(
        BaseModelError, match=r"hub did not give it \(OSError\): on a machine that has"
    ):
        resolve_base(f"org/name@{'0' * 40}")


def test_hub_is_asked_for_the_pinned_revision(
    monkeypatch: pytest.MonkeyPatch, copied: Path
) -> None:
    asked: dict[str, object] = {}

    def snapshot(repo: str, **options: object) -> str:
        asked.update(repo=repo, **options)
        return str(copied)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    base = resolve_base(f"org/name@{'a' * 40}")
    assert (asked["repo"], asked["revision"]) == ("org/name", "a" * 40)
    assert "*.safetensors.index.json" in str(asked["allow_patterns"])
    assert base.name == base.source == f"org/name@{'a' * 40}"


def test_pickled_weights_are_refused(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(
        BaseModelError, match=r"only pytorch_model\.bin, a pickle.*safetensors only"
    ):
        resolve_base(str(copied))


def test_base_without_weights_is_refused(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match="has no weights"):
        resolve_base(str(copied))


def test_base_without_fast_tokenizer_is_refused(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    with pytest.raises(BaseModelError, match=r"has no tokenizer\.json: save the base's fast"):
        resolve_base(str(copied))


@pytest.mark.parametrize(
    ("content", "message"), [("{", "cannot read"), ("[]", "not a JSON object")]
)
def test_damaged_configuration_is_named(copied: Path, content: str, message: str) -> None:
    (copied / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(BaseModelError, match=message):
        resolve_base(str(copied))


def test_weights_in_several_files_have_one_hash(copied: Path) -> None:
    one = weights_sha256(copied)
    shutil.copy(copied / "model.safetensors", copied / "model-2.safetensors")
    two = weights_sha256(copied)
    assert len(one) == len(two) == 64
    assert one != two


def test_changed_weights_are_not_what_the_adapter_was_trained_on(copied: Path) -> None:
    expected = resolve_base(str(copied)).identity()
    weights = copied / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BaseModelError, match=r"weight file of base .* is not what the adapter was"):
        resolve_base(str(copied), expected=expected)


def test_changed_vocabulary_is_noticed_but_not_other_settings(copied: Path) -> None:
    expected = resolve_base(str(copied)).identity()
    path = copied / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["truncation"] = {"max_length": 5}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    resolve_base(str(copied), expected=expected)
    tokenizer["model"]["vocab"]["zebra"] = 599
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"tokenizer of base .* is not what the adapter was"):
        resolve_base(str(copied), expected=expected)
