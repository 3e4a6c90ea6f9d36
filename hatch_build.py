"""Compiles the kernels for CPUs with AMX into the wheel, where that can be done.

Without it drugmon computes the same with torch's own operations, so nothing here is an error: a
machine without a C compiler, or of another kind, gets a wheel of Python alone.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "drugmon/models/kernels/amx.c"
LIBRARY = "drugmon/models/kernels/libamx.so"


class KernelHook(BuildHookInterface[Any]):
    """hatchling's custom hook, of wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together; an editable install finds it in the tree."""
        self._folder = tempfile.TemporaryDirectory()  # goes with this hook
        built = Path(self._folder.name) / Path(LIBRARY).name
        in_tree = Path(self.root) / LIBRARY
        if not self._compile(built):
            if version == "editable":
                in_tree.unlink(missing_ok=True)
            return
        build_data["pure_python"] = False
        # It has no interface to Python, and so no need for one of its versions.
        build_data["tag"] = f"py3-none-{_platform()}"
        if version == "editable":
            aside = in_tree.with_suffix(f".{os.getpid()}")
            aside.write_bytes(built.read_bytes())
            aside.replace(in_tree)  # a process that has the old one loaded keeps it
        else:
            build_data["force_include"][str(built)] = LIBRARY

    def _compile(self, to: Path) -> bool:
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            return False
        source, middle = Path(self.root) / SOURCE, to.with_suffix(".o")
        try:
            compiler: list[str | Path] = [*shlex.split(os.environ.get("CC", "cc"))]
            # Linked without OpenMP's runtime, of which a process must have one only: torch's.
            for step in (
                [*compiler, "-std=c17", "-O3", "-fPIC", "-fopenmp", "-c", source, "-o", middle],
                [*compiler, "-shared", middle, "-o", to],
            ):
                subprocess.run(step, check=True, capture_output=True, text=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            says = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(f"no kernels for AMX were built: {says.strip()}")
            return False
        return True


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
