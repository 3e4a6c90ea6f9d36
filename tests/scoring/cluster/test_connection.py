"""Joining a cluster: what goes wrong is told in one line; no cluster is needed here."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

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
    calls["cluster_resources"] = lambda: {"CPU": 2.0}
    calls["get_runtime_context"] = lambda: SimpleNamespace(gcs_address="127.0.0.1:6379")
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


def test_a_cluster_of_our_own_has_a_token_that_is_kept_nowhere(
    ray: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def init(**_options: object) -> None:
        told.append(os.environ["RAY_AUTH_TOKEN"])
        os.environ["RAY_AUTH_MODE"] = "token"  # as Ray does

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(connection, "_SESSIONS", tmp_path / "ray")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of another cluster")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    for _ in range(2):
        with connected(ClusterConfig("ray", workers=1), EngineConfig(), 0):
            pass
        assert os.environ["RAY_AUTH_TOKEN"] == "of another cluster"
        assert "RAY_AUTH_MODE" not in os.environ
    assert len(set(told)) == 2 and min(map(len, told)) == 64


@pytest.mark.parametrize("address", ["auto", "host", "ray"])
def test_what_does_not_let_in_is_told_with_the_other_ways(
    ray: ModuleType, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def init(**_options: object) -> None:
        warnings.warn("several lines about ports", stacklevel=1)
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "init", init)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        address = {"auto": "auto", "host": place, "ray": f"ray://{place}"}[address]
        says = {"auto": "no Ray cluster answers there"}.get(
            address, r"let this process in \(ray client connection timeout\); a machine of the clu"
        )
        with (
            warnings.catch_warnings(action="error"),
            pytest.raises(DrugmonError, match=says),
            connected(ClusterConfig("ray", ray_address=address), EngineConfig(), 0),
        ):
            pass


@pytest.mark.parametrize("named", [True, False])
def test_no_dead_cluster_is_waited_for(
    ray: ModuleType, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """What names this machine's cluster outlives one that was killed."""
    services = pytest.importorskip("ray._private.services")
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if named:
        monkeypatch.setenv("RAY_ADDRESS", f"ray://{closed}")
    monkeypatch.setattr(services, "canonicalize_bootstrap_address", lambda _address: closed)
    monkeypatch.setattr(ray, "init", lambda **_options: pytest.fail("it would wait for ever"))
    with (
        pytest.raises(DrugmonError, match="auto: no Ray cluster answers there"),
        connected(ClusterConfig("ray", ray_address="auto"), EngineConfig(), 0),
    ):
        pass


@pytest.mark.parametrize(("refusals", "joined"), [(2, True), (3, False)])
def test_a_busy_head_is_asked_again(
    ray: ModuleType, monkeypatch: pytest.MonkeyPatch, refusals: int, joined: bool
) -> None:
    tries = iter([*[False] * refusals, True])

    def init(**_options: object) -> None:
        if not next(tries):
            raise ConnectionAbortedError(
                "of a server:\nTraceback\nRuntimeError: it did not start\n"
            )

    monkeypatch.setattr(ray, "init", init)
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        if not joined:
            stack.enter_context(
                pytest.raises(DrugmonError, match=r"busy.*run again \(RuntimeError: it did")
            )
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        config = ClusterConfig("ray", ray_address=address)
        size = stack.enter_context(connected(config, EngineConfig(), 0))
        assert size.workers == 2


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
