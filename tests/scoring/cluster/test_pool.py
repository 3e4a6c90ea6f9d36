"""Workers of a cluster that is gone in the middle: a line, and nothing more is asked of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from drugmon.data.verdicts.parts import Piece
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import ClusterGoneError
from drugmon.scoring.cluster import connection, pool
from drugmon.scoring.cluster.connection import Size
from drugmon.scoring.cluster.pool import Counts, Pool
from drugmon.scoring.cluster.worker import Setup


class _RayError(Exception):
    """As Ray has it."""


class _RayTaskError(_RayError):
    """As Ray has it."""


class _RpcError(Exception):
    """As the library has it that Ray's client speaks through."""

    __module__ = "grpc._channel"


class _Remote:
    """What Ray makes of a class: an actor, and of its methods: what gives a reference."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def options(self, **_options: object) -> _Remote:
        return self

    def remote(self, *_values: object) -> _Remote:
        return _Remote(self._calls)

    def __getattr__(self, name: str) -> _Remote:
        return self


class _Head:
    """A Ray whose head dies when it is asked for the `dies`-th time; then nobody may ask."""

    def __init__(self, dies: int, error: Exception) -> None:
        self.asked: list[str] = []
        self._dies, self._error = dies, error

    def of(self, name: str, answer: Callable[..., object]) -> Callable[..., object]:
        def asked(*values: object, **_options: object) -> object:
            self.asked.append(name)
            if len(self.asked) == self._dies:
                raise self._error
            return answer(*values)

        return asked


def _ray(head: _Head) -> ModuleType:
    ray = ModuleType("ray")
    answers: dict[str, Callable[..., object]] = {
        "put": lambda value: value,
        "remote": lambda _kind: _Remote(head.asked),
        "wait": lambda refs: (refs[:1], refs[1:]),
        "get": lambda _ref: None,
        "kill": lambda _worker: None,
    }
    for name, answer in answers.items():
        setattr(ray, name, head.of(name, answer))
    kinds = SimpleNamespace(RayError=_RayError, RayTaskError=_RayTaskError)
    setattr(ray, "exceptions", kinds)  # noqa: B010
    return ray


def _unheard(_counts: Counts) -> None:
    pytest.fail("nothing has come so far")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("GRPC connection failed: of RPC"),
        _RpcError("Socket closed"),
        Exception("Ray Client is not connected. Please connect by calling `ray.init`."),
    ],
)
@pytest.mark.parametrize(("dies", "at"), [(1, "put"), (4, "remote"), (5, "wait"), (6, "get")])
def test_a_cluster_that_is_gone_is_told_in_a_line_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, error: Exception, dies: int, at: str
) -> None:
    head = _Head(dies, error)
    monkeypatch.setattr(pool, "import_ray", lambda: _ray(head))
    pieces = [cast(Piece, SimpleNamespace(key="a"))]
    says = r"the cluster is gone.*; what is finished is kept: run again"
    with (
        pytest.raises(ClusterGoneError, match=says),
        Pool(cast(Setup, None), cast(Reuse, None), Size(1, 1, 0.0), pytest.fail) as workers,
    ):
        list(workers.scored(pieces, _unheard))
    assert len(head.asked) == dies and head.asked[-1] == at


def test_a_dead_head_is_not_asked_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would end the process, without a word of what is finished."""
    head = _Head(99, ConnectionError("gone"))
    monkeypatch.setattr(pool, "import_ray", lambda: _ray(head))
    monkeypatch.setattr(connection, "_HEAD_SECONDS", 0.1)
    monkeypatch.setattr(connection, "_TICK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"
    nothing: Any = None
    with (
        pytest.raises(ClusterGoneError, match=r"is gone.*\(.*refused\); what is finished is kept"),
        Pool(nothing, nothing, Size(1, 1, 0.0, closed), pytest.fail) as workers,
    ):
        list(workers.scored([cast(Piece, SimpleNamespace(key="a"))], _unheard))
    assert head.asked == ["put", "put", "remote"]


def test_at_its_end_a_run_needs_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the rest of it is there when the workers are ended changes nothing."""
    head = _Head(4, ConnectionError("gone"))
    monkeypatch.setattr(pool, "import_ray", lambda: _ray(head))
    with Pool(cast(Setup, None), cast(Reuse, None), Size(1, 1, 0.0), pytest.fail) as workers:
        assert list(workers.scored([], _unheard)) == []
    assert head.asked == ["put", "put", "remote", "kill"]


def test_what_is_no_fault_of_the_cluster_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where progress is told, the reader may have left: nobody is to be told of a cluster."""
    head = _Head(99, ConnectionError("gone"))
    ray = _ray(head)
    monkeypatch.setattr(pool, "import_ray", lambda: ray)
    monkeypatch.setattr(ray, "wait", lambda _refs, **_options: ([], []))

    def left(_counts: Counts) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Pool, "_counts", lambda _pool: Counts())
    nothing: Any = None
    with (
        pytest.raises(BrokenPipeError),
        Pool(nothing, nothing, Size(1, 1, 0.0), pytest.fail) as workers,
    ):
        list(workers.scored([cast(Piece, SimpleNamespace(key="a"))], left))
    assert head.asked[-2:] == ["kill", "kill"]
