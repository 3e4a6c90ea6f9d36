"""The models that the page can judge with: what there is, loaded when it is first chosen."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Final

from drugmon.config import (
    DEFAULT_ADAPTER,
    DEFAULT_RULE,
    CascadeOptions,
    EngineConfig,
    ModelOptions,
)
from drugmon.errors import BaseModelError, DrugmonError
from drugmon.models.adapters.adapter import Adapter, list_adapters
from drugmon.models.adapters.zero_shot import open_base, open_model
from drugmon.workflows.model import Model

ZERO_SHOT: Final = "flan-t5-base"
"""A base that the page offers by itself, where it is there."""

_KEPT: Final = 2


class LoadedModels:
    """Models by name and rule; the last two that were used stay loaded.

    Args:
        first: what is chosen at first; None is the default adapter.
        engine: how to compute.
        cascade: the adapter behind it; where there is one, both together are chosen at first.
    """

    def __init__(
        self, first: str | None, engine: EngineConfig, cascade: CascadeOptions | None = None
    ) -> None:
        self._adapter, self._cascade = first or DEFAULT_ADAPTER, cascade or CascadeOptions()
        self._engine = engine
        self._loaded: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._turn = threading.Lock()
        there = [adapter.folder.name for adapter in list_adapters() if isinstance(adapter, Adapter)]
        self._bases = [ZERO_SHOT] if _is_there(ZERO_SHOT) else []
        names = dict.fromkeys([self._adapter, *there, *self._bases])
        # A folder is shown by its name.
        self.choices = [(Path(name).name, name) for name in names]
        self.first, self._pair = self._adapter, ""
        if then := self._cascade.then:
            self.first = self._pair = f"{self._adapter}, then {then}"
            shown = f"{Path(self._adapter).name}, then {Path(then).name}"
            self.choices.insert(0, (shown, self._pair))

    def get(self, name: str, rule: str) -> Model:
        """The model, loaded.

        Raises:
            DrugmonError: it is none of `choices`, or cannot be loaded.
        """
        with self._turn:
            key = (name, rule)
            if key not in self._loaded:
                chosen = {**asdict(self.options(name, rule)), **asdict(self.cascade(name))}
                self._loaded[key] = Model(**chosen, engine=self._engine)
            self._loaded.move_to_end(key)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)[1].close()
            return self._loaded[key]

    def load_first(self) -> None:
        """Load what is chosen at first, weights and all, so that the first visitor waits for none.

        Raises:
            DrugmonError: it cannot be loaded.
        """
        self.get(self.first, self.rule_of(self.first)).load()

    def options(self, name: str, rule: str | None = None) -> ModelOptions:
        """What scoring takes for one of `choices`; `rule` None is its own."""
        if self.is_base(name):
            return ModelOptions(base=name, rule=rule)
        return ModelOptions(self._adapter if name == self._pair else name, rule=rule)

    def cascade(self, name: str) -> CascadeOptions:
        """What is behind one of `choices`."""
        return self._cascade if name == self._pair else CascadeOptions()

    def is_base(self, name: str) -> bool:
        """Whether it judges by itself, without an adapter, and uncalibrated."""
        return name in self._bases

    def rule_of(self, name: str) -> str:
        """The rule that one of `choices` decides by where none is asked for."""
        try:
            return open_model(self.options(name)).manifest.rule
        except DrugmonError:  # which is told when it is to judge
            return DEFAULT_RULE

    def close(self) -> None:
        """End what scoring has started."""
        with self._turn:
            for model in self._loaded.values():
                model.close()
            self._loaded.clear()


def _is_there(base: str) -> bool:
    try:
        open_base(base)
    except BaseModelError:
        return False
    return True
