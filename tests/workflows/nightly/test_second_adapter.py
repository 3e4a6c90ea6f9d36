"""A night with a second adapter: its settings, what is checked before, and its verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from drugmon.config import CascadeOptions
from drugmon.errors import SettingsError
from drugmon.workflows.nightly.check import check_night
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.score.score import score
from tests.cascades import held_out, with_held_out


@pytest.fixture(name="settings")
def _settings(tmp_path: Path, adapter: Path, reviews: Any, to_csv: Any) -> Path:
    """A job with the adapter `small`, and `large` beside it."""
    to_csv(tmp_path / "r.csv", reviews(5))
    places = tmp_path / "adapters"
    with_held_out(adapter, places / "small", held_out(1, 0.5, lone=0), temperature=1.5)
    with_held_out(adapter, places / "large", held_out(2, 3.0, lone=0), temperature=0.7)
    path = tmp_path / "job.toml"
    path.write_text('[[source]]\nsource = "r.csv"\nadapter = "small"\nthen = "large"\n')
    return path


@pytest.mark.usefixtures("coarse")
def test_a_night_sends_on_what_the_first_doubts(settings: Path) -> None:
    settings.write_text(settings.read_text() + 'below = 1.0\nout = "r.parquet"\n')
    config = load_nightly(settings)
    (task,) = config.tasks
    large = settings.parent / "adapters" / "large"
    assert task.score.cascade == CascadeOptions(then=str(large), below=1.0)
    (said,) = [each for each in check_night(config) if each.what == "adapter"]
    assert said.ok, said.says
    assert said.says.endswith("and held 400 of the same reviews out")
    result = score(task.score)
    judged = pq.read_table(settings.parent / "r.parquet")["drugmon_adapter"].to_pylist()
    assert judged == [result.adapter] * 5
    assert result.adapter.startswith("small@")
    assert "+large@" in result.adapter
    assert score(load_nightly(settings).tasks[0].score).reused == 5


def test_what_will_not_do_is_found_before_the_night(settings: Path) -> None:
    (settings.parent / "adapters/large/held-out.safetensors").unlink()
    (wrong,) = [each for each in check_night(load_nightly(settings)) if each.what == "adapter"]
    assert not wrong.ok
    assert "held-out.safetensors is missing" in wrong.says
    settings.write_text(settings.read_text() + "share = 0.3\nbelow = 0.6\n")
    with pytest.raises(SettingsError, match=r"source 1: --share and --below say two things"):
        load_nightly(settings)
