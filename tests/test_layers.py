"""The architecture as a test: imports point only downward, and some libraries have one home."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import drugmon

PACKAGE = Path(drugmon.__file__).parent
LAYERS = (
    ("cli", "__main__", "__init__"),
    ("serving",),
    ("workflows",),
    ("reports",),
    ("monitoring",),
    ("scoring",),
    ("training",),
    ("models",),
    ("data",),
    ("statistics",),
    ("grading",),
    (
        *("labels", "config", "checked", "closing", "errors", "hashes", "options", "records"),
        *("signals", "version", "wording"),
    ),
)
"""Top to bottom. A module imports from its own layer and from those below it."""

HOMES = {
    "click": {"cli"},
    "rich": {"cli"},
    "torch": {"models", "scoring", "training", "workflows"},
    "transformers": {"models", "scoring", "training", "workflows"},
    "peft": {"models", "scoring", "training", "workflows"},
    "evidently": {"reports"},
    "deltalake": {"data"},
    "fsspec": {"data"},
    "plotly": {"reports"},
    "fastapi": {"serving"},
    "starlette": {"serving"},
    "uvicorn": {"serving"},
    "pydantic": {"serving"},
    "prometheus_client": {"serving"},
    "gradio": {"serving"},
    "ray": {"scoring"},
}
"""Who may import a library at all, even inside a function."""


LONGEST_FUNCTION = 60
LONGEST_MODULE = 350
SQL = re.compile(
    r"(SELECT\b.+\bFROM|INSERT INTO|UPDATE\b.+\bSET|DELETE FROM|(CREATE|DROP|ALTER) (OR REPLACE )?"
    r"(TEMP |TEMPORARY )?(TABLE|VIEW|SCHEMA|MACRO|TYPE)|ATTACH|COPY|CHECKPOINT)\b",
    re.DOTALL,
)
"""A statement begins with it; sql/ is its home."""


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
            names = dotted(node, module, is_package)
            origin = names[0].rpartition(".")[0]
            # `from drugmon import data` names a layer in what it imports, not in where from.
            yield from names if origin == "drugmon" else [origin]


def dotted(node: ast.ImportFrom, module: str, is_package: bool) -> list[str]:
    """What `from x import a, b` names, whole: x.a, x.b."""
    keep = len(module.split(".")) - node.level + is_package
    above = module.split(".")[:keep] if node.level else []
    origin = ".".join([*above, *filter(None, [node.module])])
    return [f"{origin}.{alias.name}" for alias in node.names]


def complaints(source: str, module: str, is_package: bool = False) -> list[str]:
    """List what a module's source does that its layer may not, one sentence each."""
    tree, part = ast.parse(source), part_of(module)
    found = []
    for name in imports_of(tree, module, is_package):
        library = name.split(".")[0]
        if library == "drugmon":
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
            "from rich.table import Table\nfrom drugmon.version import __version__",
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


def internal_imports(source: str, module: str, is_package: bool, known: set[str]) -> set[str]:
    """The modules among `known` that a module imports, whether at the top or in a function."""
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = dotted(node, module, is_package)
            imported |= {name if name in known else name.rpartition(".")[0] for name in names}
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    return (imported & known) - {module}


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """One circle of imports, from a module back to itself; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circles_between_modules() -> None:
    known = {module for module, _ in modules()}
    imports = {
        module: internal_imports(
            path.read_text(encoding="utf-8"), module, path.name == "__init__.py", known
        )
        for module, path in modules()
    }
    assert len(imports) > 200
    assert circle(imports) == []


def test_a_circle_is_found() -> None:
    known = {"drugmon.a", "drugmon.b"}
    imports = {
        "drugmon.a": internal_imports("def f():\n    from . import b", "drugmon.a", False, known),
        "drugmon.b": internal_imports("from drugmon.a import x", "drugmon.b", False, known),
    }
    assert set(circle(imports)) == known


def oversized(source: str, module: str) -> list[str]:
    """List what is too long in a module's source: the module, and functions."""
    lines = source.count("\n")
    long = [f"{module} has {lines} lines"] if lines > LONGEST_MODULE else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                long.append(f"{module}.{node.name} has {length} lines")
    return long


def test_modules_and_functions_are_short_enough() -> None:
    sources = [(path.read_text(encoding="utf-8"), module) for module, path in modules()]
    assert [line for source, module in sources for line in oversized(source, module)] == []


def statements_in(source: str) -> list[str]:
    """The texts in a module that begin like SQL statements; docstrings are for people."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and SQL.match(node.value.lstrip())
    ]


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value).split("/")[-1])
def test_sql_has_its_home(module: str, path: Path) -> None:
    assert statements_in(path.read_text(encoding="utf-8")) == [], f"{module}: move it to sql/"


def test_sql_in_code_is_found() -> None:
    assert len(statements_in('x = "SELECT a FROM b"; y = f"DELETE FROM {t}"')) == 2
    assert (
        statements_in('def f():\n    """SELECT a FROM b"""\n    return "from a select few"') == []
    )


def classes_of(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """The modules that define each class, by the class's name."""
    homes: dict[str, list[str]] = {}
    for module, source in sources.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module)
    return homes


def test_a_class_name_means_one_thing() -> None:
    sources = {module: path.read_text(encoding="utf-8") for module, path in modules()}
    homes = classes_of(sources)
    assert len(homes) > 200
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_a_class_of_two_modules_is_found() -> None:
    assert classes_of({"a": "class X: ...", "b": "class X: ...\nclass Y: ..."})["X"] == ["a", "b"]
