"""Joining a cluster: what goes wrong is told in one line; no cluster is needed here."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from drugmon.config import ClusterConfig, EngineConfig
from drugmon.errors import DrugmonError
from drugmon.scoring.cluster import connection
from drugmon.scoring.cluster.connection import connected


@pytest.fixture(name="ray")
def _ray(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A Ray that does not start, and no trace of the folder of its session."""

    def init(**_options: object) -> None:
        raise Exception("The current node timed out during startup. This could be so\nor so.")

    ray = ModuleType("ray")
    calls: dict[str, object] = {"is_initialized": bool, "init": init, "shutdown": bool}
    for name, call in calls.items():
        setattr(ray, name, call)
    monkeypatch.setattr(connection, "import_ray", lambda: ray)
    return ray


def test_processes_that_do_not_come_up_are_told_in_a_line(
    ray: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ray
    monkeypatch.setattr(connection, "_SESSIONS", tmp_path / "ray")
    with (
        pytest.raises(DrugmonError, match=r"did not come up on this machine") as raised,
        connected(ClusterConfig("ray"), EngineConfig(), 0),
    ):
        pass
    assert str(raised.value).endswith("(The current node timed out during startup)")
    assert list(tmp_path.iterdir()) == []
