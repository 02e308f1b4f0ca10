"""JAX's trees of values, flattened, with what their leaves are called.

JAX is imported when a function of this file is called, and then taken as it is: its own annotations are partial.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


def import_jax_module(name: str = "jax") -> Any:
    """JAX, or one of its modules."""
    return importlib.import_module(name)


@dataclass(frozen=True)
class Leaf:
    """`path` is Python's: `['dense'][0].kernel`; `name` has the keys alone, joined by dots: `dense.0.kernel`."""

    path: str
    name: str
    value: Any


def flatten(tree: Any) -> tuple[list[Leaf], Any]:
    """The leaves of a tree in order, and its structure, whose `unflatten(values)` makes such a tree again."""
    tree_util = import_jax_module().tree_util
    leaves, structure = tree_util.tree_flatten_with_path(tree)
    named = [
        Leaf(tree_util.keystr(path), tree_util.keystr(path, simple=True, separator="."), value)
        for path, value in leaves
    ]
    return named, structure
