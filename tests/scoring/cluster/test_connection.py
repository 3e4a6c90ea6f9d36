"""Joining a cluster: what goes wrong is told in one line; no cluster is needed here."""

from __future__ import annotations

import socket
from pathlib import Path
from types import ModuleType

import pytest

from drugmon.config import ClusterConfig, EngineConfig
from drugmon.errors import DrugmonError, UsageError
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


def test_a_ray_without_its_client_is_told_with_the_remedy(
    ray: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_options: object) -> None:
        raise ImportError("Ray Client requires pip package `ray[client]`")

    monkeypatch.setattr(ray, "init", init)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        with (
            pytest.raises(UsageError, match=r"library of its own for such an address: pip install"),
            connected(ClusterConfig("ray", ray_address=address), EngineConfig(), 0),
        ):
            pass
