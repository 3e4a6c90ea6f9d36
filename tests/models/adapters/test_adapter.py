from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from drugmon.config import DEFAULT_ADAPTER
from drugmon.data.reviews import Texts
from drugmon.errors import AdapterError, BaseModelError
from drugmon.hashes import file_sha256
from drugmon.labels import TARGETS
from drugmon.models.adapters import adapter as adapter_module
from drugmon.models.adapters.adapter import (
    Adapter,
    Unreadable,
    adapter_folders,
    folder_digests,
    list_adapters,
    open_adapter,
)
from drugmon.models.device import choose_compute
from drugmon.models.files import (
    CARD,
    HEADS,
    HELD_OUT,
    LEXICON,
    LORA_CONFIG,
    LORA_WEIGHTS,
    MANIFEST,
    RANGES,
    REFERENCE,
    REFERENCE_OF_LIKELIEST,
    SEEN,
)
from drugmon.models.tokens.inputs import collate

FILES = {
    *(LORA_CONFIG, LORA_WEIGHTS, HEADS, LEXICON, RANGES),
    *(REFERENCE, REFERENCE_OF_LIKELIEST, SEEN, HELD_OUT, CARD, MANIFEST),
}


@pytest.fixture(name="copied")
def _copied(adapter: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter, tmp_path / "copied"))


@pytest.fixture(name="place")
def _place(
    monkeypatch: pytest.MonkeyPatch, adapter: Path, tmp_path: Path, nothing_shipped: Sequence[Path]
) -> Path:
    """The folder adapters/ of a working directory, with one adapter; none are shipped."""
    assert not nothing_shipped
    shutil.copytree(adapter, tmp_path / "adapters" / "mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "adapters"


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_folder_has_every_file_and_verifies(adapter: Path) -> None:
    opened = open_adapter(str(adapter))
    opened.verify()
    assert {path.name for path in adapter.iterdir()} == FILES
    assert dict(opened.manifest.files) == folder_digests(adapter)
    modes = {path.stat().st_mode & 0o777 for path in adapter.iterdir()}
    assert modes == {0o644}, "the cron of another user can score with it"
    assert opened.manifest.targets == TARGETS
    assert opened.base().name == "tiny-base"


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_changed_byte_is_told(copied: Path, name: str) -> None:
    flip_last_byte(copied / name)
    with pytest.raises(AdapterError, match=rf"{name} was changed since it was trained .*restore"):
        open_adapter(str(copied)).verify()


def test_lost_file_is_told(copied: Path) -> None:
    (copied / HEADS).unlink()
    with pytest.raises(AdapterError, match=r"heads\.safetensors is missing"):
        open_adapter(str(copied)).load(choose_compute("cpu", "fp32"))


def test_loading_verifies_first(copied: Path) -> None:
    flip_last_byte(copied / LORA_WEIGHTS)
    with pytest.raises(AdapterError, match="was changed since it was trained"):
        open_adapter(str(copied)).load(choose_compute("cpu", "fp32"))


def test_swapped_hash_does_not_hide_a_changed_file(copied: Path) -> None:
    flip_last_byte(copied / LORA_WEIGHTS)
    content = json.loads((copied / MANIFEST).read_text(encoding="utf-8"))
    content["files"] = folder_digests(copied)
    (copied / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AdapterError, match="was altered: it says digest"):
        open_adapter(str(copied))


def test_changed_base_is_told(
    monkeypatch: pytest.MonkeyPatch, adapter: Path, tiny_base: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_base, tmp_path / "tiny-base")
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path))
    opened = open_adapter(str(adapter))
    opened.base()
    flip_last_byte(tmp_path / "tiny-base" / "model.safetensors")
    with pytest.raises(BaseModelError, match="is not what the adapter was trained on"):
        opened.load(choose_compute("cpu", "fp32"))


def test_peft_loads_the_folder_plainly(adapter: Path) -> None:
    """The two files are peft's own: its model gives the token states that drugmon scores from."""
    from peft import PeftModel

    opened = open_adapter(str(adapter))
    loaded = opened.load(choose_compute("cpu", "fp32"))
    plain = PeftModel.from_pretrained(loaded.classifier.load_backbone(), str(adapter)).eval()
    prepared = loaded.classifier.prepare([Texts("useless", "some", "so so", None)])
    batch = collate(prepared.items, 0)
    with torch.inference_mode():
        own, pefts = (
            each(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
            for each in (loaded.model.backbone, plain)
        )
    torch.testing.assert_close(own, pefts, atol=1e-5, rtol=1e-4)


def test_loaded_model_is_merged_cast_and_frozen(adapter: Path) -> None:
    loaded = open_adapter(str(adapter)).load(choose_compute("cpu", "bf16"))
    assert loaded.model.backbone.dtype == torch.bfloat16
    assert {p.dtype for p in loaded.model.heads.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert not any("lora" in name for name, _ in loaded.model.named_parameters())
    assert not loaded.model.training
    assert loaded.lexical is not None
    assert np.isfinite(loaded.lexical.idf).all()


def test_unknown_name_lists_the_known(place: Path) -> None:
    assert open_adapter("mine").folder.resolve() == place / "mine"
    with pytest.raises(AdapterError, match=r"no adapter 'nope': name a folder that .* of: mine$"):
        open_adapter("nope")


def test_folder_without_manifest_is_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"is no adapter: it has no manifest\.json"):
        open_adapter(str(tmp_path))


def test_one_broken_adapter_does_not_hide_the_others(place: Path) -> None:
    shutil.copytree(place / "mine", place / "broken")
    (place / "broken" / MANIFEST).write_text("{", encoding="utf-8")
    assert set(adapter_folders()) == {"mine", "broken"}
    assert open_adapter("mine").manifest.name == "tiny"
    with pytest.raises(AdapterError, match=r"of: broken, mine$"):
        open_adapter("nope")
    broken, mine = list_adapters()
    assert isinstance(broken, Unreadable)
    assert broken.folder.name == "broken"
    assert re.match(r"cannot read the adapter's manifest .*broken/manifest\.json", broken.reason)
    assert isinstance(mine, Adapter)
    assert mine.manifest.name == "tiny"


def test_the_default_adapter_is_shipped_whole() -> None:
    shipped = open_adapter(DEFAULT_ADAPTER)
    shipped.verify()
    assert shipped.manifest.targets == TARGETS
    assert shipped.manifest.metrics["overall"].n > 0


def test_files_are_hashed_once(adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def hashing(path: Path) -> str:
        hashed.append(path.name)
        return file_sha256(path)

    monkeypatch.setattr(adapter_module, "file_sha256", hashing)
    opened = open_adapter(str(adapter))
    assert opened.verify() == opened.verify() == len(FILES) - 1
    assert sorted(hashed) == sorted(FILES - {MANIFEST})
