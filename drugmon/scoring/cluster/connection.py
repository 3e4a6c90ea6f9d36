"""Joining a Ray cluster, or starting one on this machine that ends with the run."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import secrets
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Final, TextIO

from drugmon.config import AUTO, ClusterConfig, EngineConfig
from drugmon.data.verdicts.atomic import folder_beside
from drugmon.errors import ClusterGoneError, DeviceError, DrugmonError, UsageError
from drugmon.scoring.cluster.internals import address_of_this_machine, forget_token

STORE_BYTES: Final = 256 << 20
"""The object store of a cluster of our own: through it go only verdicts that are reused."""

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_TOKEN: Final = "RAY_AUTH_TOKEN"  # the name of a variable, which Ray asks for first
_KNOCK_SECONDS: Final = 5.0
_HEAD_SECONDS: Final = 40.0  # for a head to be started anew; after 60 Ray ends the process
_JOINS: Final = 3
_TICK_SECONDS: Final = 1.0
_MOST_LETTERS: Final = 200
_SESSIONS: Final = Path("/tmp/ray")
"""Beside it lie the logs and sockets of a session, for this user alone. The name of a socket may
have some hundred bytes in all, which leaves no room for a longer one."""


@dataclass(frozen=True)
class Size:
    """How many workers there are to be, and what each takes of the cluster.

    `head` is where its head answers this process, `host:port`; empty where Ray's client asks it,
    which tells when it is gone.
    """

    workers: int
    cpus: int
    gpus: float
    head: str = ""


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
        ClusterGoneError: it has died since it let in.
        DeviceError: it has no GPU, and one is asked for.
    """
    ray = import_ray()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        if not ray.is_initialized():
            # Folder and token go when the processes that use them have ended.
            folder = stack.enter_context(folder_beside(_SESSIONS))
            if config.ray_address is None:
                stack.enter_context(_own_token())
                stack.callback(ray.shutdown)
            else:
                stack.callback(_leave, ray)
            with _signals_kept():
                if config.ray_address is None:
                    _start(ray, config, engine, store, folder)
                else:
                    _join(ray, config.ray_address)
        with reached(ray):
            there = ray.cluster_resources()
            through_client = (config.ray_address or "").startswith("ray://")
            head = "" if through_client else str(ray.get_runtime_context().gcs_address)
        yield replace(_size(there, config, engine), head=head)


@contextlib.contextmanager
def reached(ray: ModuleType) -> Iterator[None]:
    """Ask something of a cluster that was joined, and tell in a line where it is gone.

    Nothing may be asked then any more: Ray would start another cluster for it.

    Args:
        ray: the module; its own errors, which may be those of a worker, are passed on.

    Raises:
        ClusterGoneError: it does not answer.
    """
    try:
        yield
    except ray.exceptions.RayError:
        raise
    except Exception as error:
        # Ray's client raises plain ones too, and those of the library that it speaks through.
        of_client = type(error) is Exception or type(error).__module__.startswith("grpc")
        if not of_client and not isinstance(error, ConnectionError):
            raise
        raise _gone(_first_of(error)) from error


def wait_for_head(head: str) -> None:
    """Wait until the head answers: where it is gone, Ray ends the process that asks it for more.

    Args:
        head: as `Size` has it.

    Raises:
        ClusterGoneError: it has not answered for a while.
    """
    end = time.monotonic() + _HEAD_SECONDS
    while head:
        try:
            _knock(head)
            return
        except OSError as error:
            if time.monotonic() >= end:
                raise _gone(str(error)) from error
            time.sleep(_TICK_SECONDS)


def _gone(says: str) -> ClusterGoneError:
    return ClusterGoneError(
        f"--engine ray: the cluster is gone, or out of reach ({says}); what is finished is kept: "
        "run again once it is there"
    )


def _leave(ray: ModuleType) -> None:
    """Leave a cluster, which may be gone."""
    with contextlib.suppress(Exception):
        ray.shutdown()


@contextlib.contextmanager
def _own_token() -> Iterator[None]:
    """Only who knows the token gets work done by a cluster of our own: one that this run makes up.

    Ray would make one for all runs to come, and leave it in the home directory, which the user of
    a nightly job may not have.
    """
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", _TOKEN)}
    os.environ[_TOKEN] = secrets.token_hex()
    forget_token()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        forget_token()


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


def _last_of(error: Exception) -> str:
    """Its last line, which of a traceback is what went wrong."""
    lines = [line for line in map(str.strip, str(error).splitlines()) if line]
    return lines[-1][:_MOST_LETTERS] if lines else type(error).__name__


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
    except OSError as error:
        raise _nobody(address) from error
    try:
        _init_there(ray, address)
    except ImportError:  # it was installed without its client
        raise UsageError(
            f"--ray-address {address}: Ray needs a library of its own for such an address: pip "
            "install 'drugmon[ray]'"
        ) from None
    except ConnectionAbortedError as error:
        raise DrugmonError(
            f"--ray-address {address}: the cluster could not start what serves this process (is "
            f"its head very busy, or out of memory?); run again ({_last_of(error)})"
        ) from error
    except RuntimeError as error:  # of another version of Ray or Python
        raise DrugmonError(f"--ray-address {address}: {' '.join(str(error).split())}") from error
    except Exception as error:  # Ray has a kind for each of its layers, and some for tokens
        if address == AUTO:
            raise _nobody(address) from error
        raise DrugmonError(
            f"--ray-address {address}: what answers there does not let this process in "
            f"({_first_of(error)}); a machine of the cluster names auto or its head's host:6379, "
            "any other one ray://host:10001, and where a token is wanted, set RAY_AUTH_MODE=token"
        ) from error


def _nobody(address: str) -> DrugmonError:
    return DrugmonError(
        f"--ray-address {address}: no Ray cluster answers there; start one (ray start --head), "
        "or leave the address out to use this machine"
    )


def _init_there(ray: ModuleType, address: str) -> None:
    """Join; on a busy head the process that is to serve this one may not come up at first."""
    for left in reversed(range(_JOINS)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what goes wrong is raised, too
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
                return
        except ConnectionAbortedError:
            if not left:
                raise


def _knock(address: str) -> None:
    """See that something listens there: Ray would ask for a minute, and of a dead one for ever.

    Raises:
        OSError: nothing does.
    """
    place = _found() if address == AUTO else address
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


def _found() -> str:
    """Where Ray would look for the cluster of this machine; empty if it does not tell.

    Raises:
        OSError: there is none.
    """
    named = os.environ.get("RAY_ADDRESS")
    if named and named != AUTO:
        return named
    return address_of_this_machine()


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
