"""Calls of SavedModels in TensorFlow, recorded for the tests; in the process that makes the models."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from random_sizes import combinations

STEPS = 5
LARGE = frozenset({"resnet50", "mobilenetv2"})
"""Called for every batch below 9 instead of 200 combinations of sizes: TensorFlow takes long."""
NONEMPTY = frozenset({"from_jax"})
"""Symbolic dimensions of JAX are at least 1."""


def sample(rng: np.random.Generator, wanted: Any, size: Callable[[int], int]) -> Any:
    """A value for a TensorSpec, `size(i)` where dimension i is open; other values are arguments already."""
    if not isinstance(wanted, tf.TensorSpec):
        return wanted
    shape = [size(i) if d is None else d for i, d in enumerate(wanted.shape)]
    if wanted.dtype.is_integer:
        return tf.constant(rng.integers(0, 3, shape), wanted.dtype)
    return tf.constant(rng.normal(size=shape), wanted.dtype)


class Variables:
    """Every variable by its name where that is the only one, and by every path of attributes that leads to it once.

    What has not changed since the last call is the same array: it is recorded once.
    """

    def __init__(self, root: Any) -> None:
        self.by_name: dict[str, Any] = {}
        named = collections.defaultdict[str, dict[int, Any]](dict)

        def walk(node: Any, path: tuple[str, ...], above: tuple[int, ...]) -> None:
            if isinstance(node, tf.Variable):
                self.by_name[".".join(path)] = node
                named[node.name.removesuffix(":0")][id(node)] = node
            elif id(node) not in above and len(path) < 8:
                for name, child in node._trackable_children().items():
                    walk(child, (*path, name), (*above, id(node)))

        walk(root, (), ())
        self.by_name = {name: next(iter(v.values())) for name, v in named.items() if len(v) == 1} | self.by_name
        self.arrays: dict[int, Any] = {}

    def record(self) -> dict[str, Any]:
        for variable in {id(v): v for v in self.by_name.values()}.values():
            array, before = variable.numpy(), self.arrays.get(id(variable))
            if before is None or not np.array_equal(array, before):
                self.arrays[id(variable)] = array
        return {name: self.arrays[id(variable)] for name, variable in self.by_name.items()}


def all_functions(loaded: Any) -> dict[str, Any]:
    """The functions that the program must have, under their names there: (what to call, its trace)."""
    functions = functions_of(loaded)
    for name, signature in loaded.signatures.items():
        functions[name if name not in functions else f"signatures.{name}"] = signature, signature
    return functions


def functions_of(root: Any, path: str = "") -> dict[str, Any]:
    """Those that are attributes."""
    found: dict[str, Any] = {}
    for name, child in root._trackable_children().items():
        full = f"{path}.{name}" if path else name
        if hasattr(child, "concrete_functions"):
            traces = child.concrete_functions
            for i, trace in enumerate(traces):
                found[full if len(traces) == 1 else f"{full}.trace_{i}"] = child, trace
        elif isinstance(child, tf.Module | tf.__internal__.tracking.AutoTrackable) and name != "signatures":
            found |= functions_of(child, full)
    return {k: v for k, v in found.items() if not any(p.startswith("_") for p in k.split("."))}


def calls_of(loaded: Any, rng: np.random.Generator) -> list[tuple[Any, ...]]:
    functions = all_functions(loaded)
    calls: list[tuple[Any, ...]] = []
    variables = Variables(loaded)
    for step in range(STEPS):
        for name, (function, trace) in functions.items():
            calls.append((*_call(name, function, trace, rng, lambda _, at=step: 3 + at), variables.record()))
    return calls


def sized_calls_of(loaded: Any, rng: np.random.Generator, model_name: str) -> list[tuple[Any, ...]]:
    """Calls of the functions with open dimensions; those at the same place of all their arguments are the same."""
    saved = {id(v): (v, v.read_value()) for v in Variables(loaded).by_name.values()}
    calls: list[tuple[Any, ...]] = []
    for name, (function, trace) in all_functions(loaded).items():
        specs = [s for s in tf.nest.flatten(trace.structured_input_signature) if isinstance(s, tf.TensorSpec)]
        places = sorted({str(i) for s in specs for i, d in enumerate(s.shape) if d is None})
        drawn = combinations(places, {"0": int(model_name in NONEMPTY)}) if places else []
        for sizes in [s for s in drawn if max(s.values()) < 9] if model_name in LARGE else drawn:
            for variable, value in saved.values():
                variable.assign(value)
            calls.append(_call(name, function, trace, rng, lambda i, at=sizes: at[str(i)]))
    return calls


def _call(name: str, function: Any, trace: Any, rng: np.random.Generator, size: Callable[[int], int]) -> Any:
    """The name, arguments and results of a call with sampled values."""
    args, kwargs = tf.nest.map_structure(lambda s: sample(rng, s, size), trace.structured_input_signature)
    return name, plain(args), plain(kwargs), plain(function(*args, **kwargs))


def plain(value: Any) -> Any:
    """Nested NumPy arrays."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value).__name__, {k: plain(v) for k, v in value._asdict().items()}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(v) for v in value)
    return value.numpy() if isinstance(value, tf.Tensor | tf.Variable) else value
