"""The matrix of operations, crossed from the registries: declarations, meanings, rewrites, translations."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from types import ModuleType

import tesselle.dialects
import tesselle.passes
from tesselle.codegen.llvm.translate import supported_operations
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS
from tesselle.ir.rewrite import Pattern
from tesselle.reference import has_semantics


def page() -> str:
    """Markdown of the operations page."""
    _import_all(tesselle.dialects)
    rewrites = _rewrites()
    by_dialect: dict[str, list[type[Op]]] = defaultdict(list)
    for name, cls in sorted(OPS.items()):
        by_dialect[name.partition(".")[0]].append(cls)
    sections = "\n".join(_section(d, classes, rewrites) for d, classes in sorted(by_dialect.items()))
    return f"""# Operations

Every operation that is declared, by dialect, with what there is for it:

- **meaning**: a NumPy function in `tesselle.reference`, which tests take for the truth and constants are folded with;
- **rewritten by**: the passes with a rule for it;
- **kernels**: the LLVM back end translates it.

An operation that nothing handles is refused with its place before anything is compiled; all of them are listed at once.

{sections}
"""


def _section(dialect: str, classes: list[type[Op]], rewrites: dict[type[Op], set[str]]) -> str:
    translated = set(supported_operations())
    rows: list[str] = []
    for cls in classes:
        passes = ", ".join(f"`{name}`" for name in sorted(rewrites.get(cls, ())))
        cells = (
            f"`{cls.NAME}`",
            _first_line(cls),
            "✓" if has_semantics(cls) else "",
            passes,
            "✓" if cls in translated else "",
        )
        rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(
        [
            f"## {dialect}",
            "",
            "| operation | | meaning | rewritten by | kernels |",
            "|---|---|:-:|---|:-:|",
            *rows,
            "",
        ]
    )


def _rewrites() -> dict[type[Op], set[str]]:
    """Op class -> the modules of passes that have a rule for exactly it."""
    found: dict[type[Op], set[str]] = defaultdict(set)
    for module in _import_all(tesselle.passes):
        for value in vars(module).values():
            if isinstance(value, Pattern):
                found[value.root].add(module.__name__.rpartition(".")[2].replace("_", "-"))
    return found


def _import_all(package: ModuleType) -> list[ModuleType]:
    names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [importlib.import_module(name) for name in names]


def _first_line(cls: type[Op]) -> str:
    # getdoc would inherit the text of a base class, which says nothing about the operation.
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\n")[0]
