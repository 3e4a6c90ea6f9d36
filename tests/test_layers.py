"""The architecture as a test: imports point only downward, and some libraries have one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import drugmon

PACKAGE = Path(drugmon.__file__).parent
LAYERS = (
    ("cli", "__main__", "__init__"),
    ("workflows",),
    ("reports",),
    ("monitoring",),
    ("scoring",),
    ("training",),
    ("models",),
    ("data",),
    ("statistics",),
    ("grading",),
    ("labels", "config", "checked", "closing", "errors", "signals", "wording"),
)
"""Top to bottom. A module imports from its own layer and from those below it."""

HOMES = {
    "click": {"cli"},
    "rich": {"cli"},
    "torch": {"models", "scoring", "training", "workflows"},
    "transformers": {"models", "scoring", "training", "workflows"},
    "peft": {"models", "scoring", "training", "workflows"},
    "evidently": {"reports"},
    "plotly": {"reports"},
}
"""Who may import a library at all, even inside a function."""


def part_of(module: str) -> str:
    """Name the part: drugmon.data.formats.csv -> data."""
    return [*module.split("."), "__init__"][1]


def depth_of(part: str) -> int:
    depths = [depth for depth, parts in enumerate(LAYERS) if part in parts]
    assert depths, f"drugmon/{part} has no place among the layers: add it to LAYERS"
    return depths[0]


def imports_of(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Yield the dotted names that a module imports, at the top, in functions, for types alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            keep = len(module.split(".")) - node.level + is_package
            above = module.split(".")[:keep] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            # `from drugmon import data` names a layer in what it imports, not in where from.
            names = [f"{origin}.{alias.name}" for alias in node.names]
            yield from names if origin == "drugmon" else [origin]


def complaints(source: str, module: str, is_package: bool = False) -> list[str]:
    """List what a module's source does that its layer may not, one sentence each."""
    tree, part = ast.parse(source), part_of(module)
    found = []
    for name in imports_of(tree, module, is_package):
        library = name.split(".")[0]
        if library == "drugmon" and name != "drugmon.__version__":
            if depth_of(part_of(name)) < depth_of(part):
                found.append(f"{module} imports {name}, which lies above it")
        elif part not in HOMES.get(library, {part}):
            found.append(f"{module} imports {library}, which only {sorted(HOMES[library])} may")
    if part != "cli" and any(is_print(node) for node in ast.walk(tree)):
        found.append(f"{module} prints, which only the cli may")
    return found


def is_print(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value).split("/")[-1])
def test_module_keeps_to_its_layer(module: str, path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert complaints(source, module, path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("drugmon.data.sources", "from drugmon.models import inputs", "lies above it"),
        ("drugmon.data.sources", "from drugmon import models", "lies above it"),
        ("drugmon.data.sources", "from ..models import inputs", "lies above it"),
        ("drugmon.labels", "def f():\n    import drugmon.data.columns", "lies above it"),
        ("drugmon.workflows.score.score", "import drugmon.cli.output.verdicts", "lies above it"),
        ("drugmon.workflows.score.score", "import click", "which only ['cli'] may"),
        (
            "drugmon.monitoring.checks.drift",
            "def f():\n    from torch.nn import Module",
            "imports torch",
        ),
        ("drugmon.scoring.engine", "print('here')", "prints"),
    ],
)
def test_a_breach_is_found(module: str, source: str, complaint: str) -> None:
    assert [complaint in found for found in complaints(source, module)] == [True]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("drugmon.cli.main", "import click\nfrom drugmon.workflows import score\nprint(1)"),
        (
            "drugmon.cli.commands.show",
            "from rich.table import Table\nfrom drugmon import __version__",
        ),
        (
            "drugmon.models.classifiers.encoder",
            "import torch\nfrom drugmon.data.reviews import Texts",
        ),
        ("drugmon.data.formats.csv", "from .parquet import Reader\nfrom ..atomic import replacing"),
        ("drugmon.training.loop.trainer", "from drugmon import errors, labels"),
    ],
)
def test_downward_imports_pass(module: str, source: str) -> None:
    assert complaints(source, module) == []
