"""The engine, loaded when the first review needs it: a night with nothing new needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drugmon.config import EngineConfig

if TYPE_CHECKING:
    from drugmon.models.adapter import Adapter
    from drugmon.scoring.engine import Engine


class LazyEngine:
    """Gives the engine of `adapter`, loading it at the first call."""

    def __init__(self, adapter: Adapter, config: EngineConfig, warn: Callable[[str], None]) -> None:
        self._adapter, self._config, self._warn = adapter, config, warn
        self._engine: Engine | None = None

    def get(self) -> Engine:
        """The engine.

        Raises:
            AdapterError, BaseModelError, DeviceError: it cannot be loaded.
        """
        if self._engine is None:
            from drugmon.scoring.engine import Engine

            self._engine = Engine(self._adapter, self._config, self._warn)
        return self._engine

    @property
    def compute(self) -> str | None:
        """Device and number format, None where the engine was never needed."""
        return str(self._engine.compute) if self._engine else None
