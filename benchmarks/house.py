"""How the house is built, in figures: python -m benchmarks.house [CHECKOUT ...].

Modules and lines of every room, circles of imports, arrows from one room to another, class names of
several modules, and how much of annotations and docstrings is said. `climbs` are steps back on the
walk of a report's config: from `report` through all functions that take it, in the order in which
they are called and return, those to a module that imports the one before, or up in the same module.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Check = Callable[[Function], bool]
ENOUGH = 4
"""Public functions of so many parameters tell of them under `Args`."""


@dataclass(frozen=True)
class Module:
    """A module by its dotted name."""

    name: str
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        """The folder below the package; the hall where there is none."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 2 else "(hall)"

    def functions(self) -> Iterator[tuple[Function, bool]]:
        """Yield every function, and whether people outside may call it."""
        for node in self.tree.body:
            if isinstance(node, Function):
                yield node, not node.name.startswith("_")
            elif isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, Function):
                        yield part, not part.name.startswith("_") and node.name[0] != "_"


def read(checkout: Path) -> dict[str, Module]:
    """Return the modules of the package in `checkout`, by name."""
    modules = {}
    for path in sorted((checkout / "drugmon").rglob("*.py")):
        parts = path.relative_to(checkout).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        modules[name] = Module(name, ast.parse(text), text.count("\n"))
    return modules


def imports_of(module: Module, modules: Mapping[str, Module]) -> set[str]:
    """The package's own modules that one imports, wherever in its text."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name in modules and "." in name} - {module.name}


def circles(imports: Mapping[str, set[str]]) -> int:
    """How many arrows have to go until no circle is left."""
    graph, removed = {name: set(targets) for name, targets in imports.items()}, 0
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            last, first = error.args[1][-2:]
            graph[first].discard(last)
            removed += 1
        else:
            return removed


def climbs(modules: Mapping[str, Module], imports: Mapping[str, set[str]]) -> tuple[int, int]:
    """Steps of the walk of a report's config, and how many of them lead back up."""
    takers: dict[str, tuple[str, Function]] = {}
    for module in modules.values():
        for function, _ in module.functions():
            annotations = [arg.annotation for arg in _arguments(function) if arg.annotation]
            if any("ReportConfig" in ast.unparse(annotation) for annotation in annotations):
                takers[function.name] = (module.name, function)
    walk: list[tuple[str, int]] = []

    def follow(name: str, seen: tuple[str, ...]) -> None:
        module, function = takers[name]
        walk.append((module, function.lineno))
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
            called = ast.unparse(call.func).rpartition(".")[2]
            if called in takers and called not in seen:
                follow(called, (*seen, called))
                walk.append((module, call.lineno))

    follow("report", ("report",))
    back = 0
    for (before, line), (after, next_line) in pairwise(walk):
        back += before in imports[after] if before != after else next_line < line
    return len(walk), back


def _arguments(function: Function) -> list[ast.arg]:
    spec = function.args
    extra = [arg for arg in (spec.vararg, spec.kwarg) if arg]
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *extra]
    return [arg for arg in named if arg.arg not in ("self", "cls")]


def said(modules: Mapping[str, Module]) -> dict[str, str]:
    """Shares of annotations that say `Any`, of `Args` and of shapes where they apply."""
    every = [function for module in modules.values() for function, _ in module.functions()]
    annotations = [text for function in every for text in annotations_of(function)]
    loose = [text for text in annotations if re.search(r"\bAny\b", text)]
    return {
        "`Any` in annotations": _share(len(loose), len(annotations)),
        "`Args` where four parameters or more": _told(modules, has_many, tells_arguments),
        "shapes where arrays": _told(modules, has_arrays, tells_shapes),
    }


def lacking(modules: Mapping[str, Module], applies: Check, is_told: Check) -> list[str]:
    """Public functions to which something applies that their docstring does not tell."""
    return [
        f"{module.name}:{function.name}"
        for module in modules.values()
        for function, is_public in module.functions()
        if is_public and applies(function) and not is_told(function)
    ]


def has_many(function: Function) -> bool:
    """Whether it takes so much that its docstring has `Args`; a command's help has its options."""
    is_command = any(".command" in ast.unparse(decorator) for decorator in function.decorator_list)
    return len(_arguments(function)) >= ENOUGH and not is_command


def tells_arguments(function: Function) -> bool:
    """Whether its docstring has `Args`."""
    return "Args:" in (ast.get_docstring(function) or "")


def has_arrays(function: Function) -> bool:
    """Whether it takes or gives arrays; those that are kept by name have any shape."""
    by_name = re.compile(r"\w+\[str, (Tensor|torch.Tensor)\]")
    texts = [by_name.sub("", text) for text in annotations_of(function)]
    return any(re.search(r"NDArray|Tensor|Floats\b", text) for text in texts)


def tells_shapes(function: Function) -> bool:
    """Whether its docstring has something like (n, 3), (n,) or `any shape`."""
    document = ast.get_docstring(function) or ""
    return bool(re.search(r"\([^()]*,[^()]*\)|\bany( one)? shape", document))


def annotations_of(function: Function) -> list[str]:
    """What is said of the types of its arguments and its result."""
    texts = [ast.unparse(arg.annotation) for arg in _arguments(function) if arg.annotation]
    return texts + ([ast.unparse(function.returns)] if function.returns else [])


def _told(modules: Mapping[str, Module], applies: Check, is_told: Check) -> str:
    public = [f for module in modules.values() for f, is_public in module.functions() if is_public]
    every = sum(map(applies, public))
    return _share(every - len(lacking(modules, applies, is_told)), every)


def _share(count: int, of: int) -> str:
    return f"{count} of {of}, {count / of:.1%}"


def figures(checkout: Path) -> dict[str, str]:
    """All figures of a checkout, as they are printed."""
    modules = read(checkout)
    imports = {name: imports_of(module, modules) for name, module in modules.items()}
    arrows = {
        (module.room, modules[target].room)
        for name, module in modules.items()
        for target in imports[name]
    }
    classes = Counter(
        node.name
        for module in modules.values()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
    )
    steps, back = climbs(modules, imports)
    rooms: dict[str, list[int]] = {}
    for module in modules.values():
        rooms.setdefault(module.room, []).append(module.lines)
    return {
        **{
            f"{room}/": f"{len(lines)} modules, {sum(lines):,} lines"
            for room, lines in rooms.items()
        },
        "all": f"{len(modules)} modules, {sum(m.lines for m in modules.values()):,} lines",
        "longest module": str(max(module.lines for module in modules.values())),
        "arrows that close circles": str(circles(imports)),
        "arrows between rooms": str(sum(start != end for start, end in arrows)),
        "class names in several modules": str(sum(count > 1 for count in classes.values())),
        "walk of ReportConfig": f"{steps} steps, {back} climbs",
        **said(modules),
    }


def main() -> None:
    """Print the figures of every checkout side by side."""
    of_checkouts = [figures(Path(name)) for name in sys.argv[1:] or ["."]]
    for name in dict.fromkeys(name for of_checkout in of_checkouts for name in of_checkout):
        print(
            "| "
            + " | ".join([name, *(of_checkout.get(name, "") for of_checkout in of_checkouts)])
            + " |"
        )


if __name__ == "__main__":
    main()
