"""Joining a Ray cluster, or starting one on this machine that ends with the run."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, TextIO

from drugmon.config import ClusterConfig, EngineConfig
from drugmon.data.verdicts.atomic import folder_beside
from drugmon.errors import DeviceError, DrugmonError, UsageError

STORE_BYTES: Final = 256 << 20
"""The object store of a cluster of our own: through it go only verdicts that are reused."""

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_KNOCK_SECONDS: Final = 5.0
_MOST_LETTERS: Final = 200
_SESSIONS: Final = Path("/tmp/ray")
"""Beside it lie the logs and sockets of a session, for this user alone. The name of a socket may
have some hundred bytes in all, which leaves no room for a longer one."""


@dataclass(frozen=True)
class Size:
    """How many workers there are to be, and what each takes of the cluster."""

    workers: int
    cpus: int
    gpus: float


def import_ray() -> ModuleType:
    """Return the module.

    Raises:
        UsageError: it is not installed.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UsageError(
            "--engine ray needs a library of its own: pip install 'drugmon[ray]'"
        ) from None


@contextlib.contextmanager
def connected(config: ClusterConfig, engine: EngineConfig, store: int) -> Iterator[Size]:
    """Join the cluster, and leave it at the end; one that was started here ends with the block.

    Where this process is in a cluster already, that one is used, and it stays.

    Args:
        config: which cluster.
        engine: how a worker computes: its threads are the cores that it takes.
        store: bytes that the object store has to hold.

    Raises:
        DrugmonError: there is no such cluster, or it is of another version of Ray or Python.
        DeviceError: it has no GPU, and one is asked for.
    """
    ray = import_ray()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        if not ray.is_initialized():
            # The folder goes when the processes that use it have ended.
            folder = stack.enter_context(folder_beside(_SESSIONS))
            stack.callback(ray.shutdown)
            with _signals_kept():
                if config.ray_address is None:
                    _start(ray, config, engine, store, folder)
                else:
                    _join(ray, config.ray_address)
        yield _size(ray.cluster_resources(), config, engine)


def _start(
    ray: ModuleType, config: ClusterConfig, engine: EngineConfig, store: int, folder: Path
) -> None:
    try:
        _init(ray, config, engine, store, folder)
    except Exception as error:  # Ray raises no other kind where its processes do not come up
        raise DrugmonError(
            "--engine ray: the processes of Ray did not come up on this machine (is it very busy, "
            f"or out of memory?); run again, or leave --engine ray out ({_first_of(error)})"
        ) from error


def _first_of(error: Exception) -> str:
    """Its first sentence."""
    return " ".join(str(error).split()).partition(". ")[0][:_MOST_LETTERS] or type(error).__name__


def _init(
    ray: ModuleType, config: ClusterConfig, engine: EngineConfig, store: int, folder: Path
) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ray.init(
        address="local",
        num_cpus=max(cores or 1, (config.workers or 1) * (engine.threads or 1)),
        object_store_memory=max(STORE_BYTES, store),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder),
    )


def _join(ray: ModuleType, address: str) -> None:
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError) as error:  # a ConnectionError where Ray finds none itself
        raise DrugmonError(
            f"--ray-address {address}: no Ray cluster answers there; start one (ray start --head), "
            "or leave the address out to use this machine"
        ) from error
    except ImportError:  # it was installed without its client
        raise UsageError(
            f"--ray-address {address}: Ray needs a library of its own for such an address: pip "
            "install 'drugmon[ray]'"
        ) from None
    except RuntimeError as error:  # of another version of Ray or Python
        raise DrugmonError(f"--ray-address {address}: {' '.join(str(error).split())}") from error


def _knock(address: str) -> None:
    """See that something listens there: Ray would ask for a minute.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


def _size(there: dict[str, float], config: ClusterConfig, engine: EngineConfig) -> Size:
    gpus = config.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if there.get("GPU") and engine.device != "cpu" else 0.0
    if gpus and not there.get("GPU") and config.ray_address is None:
        raise DeviceError(f"--gpus-per-worker {gpus:g}: this machine has no GPU that Ray finds")
    cpus = engine.threads or 1
    room = int(there.get("CPU", 1) // cpus)
    if gpus:
        room = min(room, int(there.get("GPU", 0) / gpus))
    return Size(config.workers or max(1, room), cpus, gpus)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and would end the process without unwinding it."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


class _WithoutRay(io.TextIOBase):
    """Standard output without what Ray's threads print there about workers: results go there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Pass on what others write."""
        if threading.current_thread().name.startswith("ray"):
            return len(text)
        return int(self._stream.write(text))

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(_WithoutRay(sys.stdout)):
        yield
