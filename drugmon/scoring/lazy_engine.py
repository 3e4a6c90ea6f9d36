"""The engine, loaded when the first review needs it: a night with nothing new needs no torch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from drugmon.closing import Closing
from drugmon.config import EngineConfig

if TYPE_CHECKING:
    from drugmon.models.adapters.adapter import Adapter
    from drugmon.scoring.engine import Engine


class LazyEngine(Closing):
    """Gives the engine of `adapter`, loading it at the first call, from whichever thread.

    Use it as a context manager: leaving it closes the engine.
    """

    def __init__(self, adapter: Adapter, config: EngineConfig, warn: Callable[[str], None]) -> None:
        self._adapter, self._config, self._warn = adapter, config, warn
        self._engine: Engine | None = None
        self._loading = threading.Lock()

    def close(self) -> None:
        """End what the engine has started."""
        if self._engine:
            self._engine.close()

    def get(self) -> Engine:
        """The engine.

        Raises:
            AdapterError, BaseModelError, DeviceError: it cannot be loaded.
        """
        with self._loading:
            if self._engine is None:
                from drugmon.scoring.engine import Engine

                self._engine = Engine(self._adapter, self._config, self._warn)
            return self._engine

    @property
    def compute(self) -> str | None:
        """Device and number format, None where the engine was never needed."""
        return str(self._engine.compute) if self._engine else None
