"""Doctor: whether all that scoring needs is here and is what it should be."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

from drugmon.config import DEFAULT_ADAPTER
from drugmon.errors import DrugmonError
from drugmon.models.adapters.adapter import adapter_folders, open_adapter
from drugmon.models.bases.folders import how_to_get, is_here
from drugmon.models.bases.inventory import told_of, verify_base
from drugmon.models.bases.known import KNOWN_BASES
from drugmon.version import __version__

LIBRARIES: Final = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "safetensors",
    "polars",
    "pyarrow",
    "duckdb",
    "scikit-learn",
    "numpy",
)


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at; `ok` None is a fact that is neither good nor bad."""

    subject: str
    says: str
    ok: bool | None = None


def examine() -> list[Diagnosis]:
    """Look at versions, devices, bases and adapters; failures are findings, not errors."""
    findings = [
        Diagnosis("drugmon", __version__),
        Diagnosis("python", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        Diagnosis("libraries", ", ".join(f"{name} {version(name)}" for name in LIBRARIES)),
        _check("devices", _devices),
        Diagnosis("private functions", _private_functions()),
    ]
    findings += [_look_at_base(name) for name in KNOWN_BASES]
    # The default is looked at even where it is missing.
    adapters = sorted({DEFAULT_ADAPTER, *adapter_folders()})
    return findings + [_look_at_adapter(name) for name in adapters]


def _look_at_base(name: str) -> Diagnosis:
    """A base that an installed package brings must be here; one that is fetched may be."""
    entry = KNOWN_BASES[name]
    if entry.package or is_here(name):
        return _check(f"base {name}", partial(_base, name))
    return Diagnosis(
        f"base {name}",
        f"not here, and not needed by all: {how_to_get(name)}",
    )


def _look_at_adapter(name: str) -> Diagnosis:
    """It must be whole; its base may be missing where that is one that is fetched."""
    subject = f"adapter {name}"
    try:
        adapter = open_adapter(name)
        adapter.verify()
        base = adapter.manifest.base.name
        says = f"verified, {adapter.manifest.identity}, base {base}"
        entry = KNOWN_BASES.get(base)
        if entry and not entry.package and not is_here(base):
            return Diagnosis(subject, f"{says}, which is not here: {how_to_get(base)}")
        adapter.base()
    except DrugmonError as error:
        return Diagnosis(subject, str(error), ok=False)
    return Diagnosis(subject, says, ok=True)


def _check(subject: str, look: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(subject, look(), ok=True)
    except DrugmonError as error:
        return Diagnosis(subject, str(error), ok=False)


def _devices() -> str:
    import torch

    from drugmon.models.device import Units
    from drugmon.models.kernels.amx import is_built

    def formats(name: str) -> str:
        units = Units.of(torch.device(name))
        wide = "bf16" if units.bf16 else "fp32: faster than bf16"
        return f"int8, {wide}" if units.int8 else wide

    cards = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    names = {f"cuda:{number}": f"{card}" for number, card in enumerate(cards)}
    capability = torch.backends.cpu.get_cpu_capability()
    names["cpu"] = f"{os.cpu_count()} cores, {capability}"
    if Units.of(torch.device("cpu")).amx:
        missing = (
            "" if is_built() else " without its kernels (pip needs a C compiler to build them)"
        )
        names["cpu"] += f", AMX{missing}"
    return "; ".join(f"{device} ({name}, {formats(device)})" for device, name in names.items())


def _private_functions() -> str:
    from drugmon.models import internals
    from drugmon.scoring.cluster import internals as of_ray

    usable, owners = internals.usable(), "torch and peft"
    if find_spec("ray"):
        usable, owners = usable | of_ray.usable(), "torch, peft and Ray"
    gone = [name for name, works in usable.items() if not works]
    if not gone:
        return f"those of {owners} that drugmon uses do what they should"
    return f"not as they were, and their slower public ways are taken: {', '.join(gone)}"


def _base(name: str) -> str:
    return told_of(verify_base(name))
