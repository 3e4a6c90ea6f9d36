"""The engine, loaded when the first review needs it: a night with nothing new needs no torch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from drugmon.closing import Closing
from drugmon.config import EngineConfig

if TYPE_CHECKING:
    from drugmon.models.adapters.adapter import Adapter
    from drugmon.scoring.cascade.cascade import Cascade
    from drugmon.scoring.cascade.engine import CascadeEngine
    from drugmon.scoring.engine import Engine

AnyEngine: TypeAlias = "Engine | CascadeEngine"
"""What scores: one adapter, or two of which the second sees what the first is not sure of."""


class LazyEngine(Closing):
    """Gives the engine of `adapter`, loading it at the first call, from whichever thread.

    Use it as a context manager: leaving it closes the engine.

    Args:
        adapter: what scores.
        config: how to compute.
        warn: told, in one sentence, when the batches had to shrink.
        cascade: the adapter and the second one behind it; None where it scores alone.
    """

    def __init__(
        self,
        adapter: Adapter,
        config: EngineConfig,
        warn: Callable[[str], None],
        cascade: Cascade | None = None,
    ) -> None:
        self._adapter, self._config, self._warn = adapter, config, warn
        self._cascade = cascade
        self._engine: AnyEngine | None = None
        self._loading = threading.Lock()

    def close(self) -> None:
        """End what the engine has started."""
        if self._engine:
            self._engine.close()

    def get(self) -> AnyEngine:
        """The engine.

        Raises:
            AdapterError, BaseModelError, DeviceError: it cannot be loaded.
        """
        with self._loading:
            if self._engine is None:
                self._engine = open_engine(self._adapter, self._config, self._warn, self._cascade)
            return self._engine

    @property
    def compute(self) -> str | None:
        """Device and number format, None where the engine was never needed."""
        return str(self._engine.compute) if self._engine else None


def open_engine(
    adapter: Adapter,
    config: EngineConfig,
    warn: Callable[[str], None],
    cascade: Cascade | None,
) -> AnyEngine:
    """The engine of an adapter, or of the cascade that it is the first of.

    Args:
        adapter: what scores.
        config: how to compute.
        warn: told, in one sentence, when the batches had to shrink.
        cascade: the adapter and the second one behind it; None where it scores alone.

    Raises:
        AdapterError, BaseModelError, DeviceError: it cannot be loaded.
    """
    from drugmon.scoring.cascade.engine import CascadeEngine
    from drugmon.scoring.engine import Engine

    return CascadeEngine(cascade, config, warn) if cascade else Engine(adapter, config, warn)
