"""Custom calls: what a program's `custom_call` of a name means, for names that anybody may add from Python.

    @tesselle.custom_call("my.trapezoid")
    def trapezoid(call, y, x):                        # when the program runs: arrays in, arrays out
        return np.trapezoid(y, x).astype(y.dtype)

    @tesselle.custom_call_expansion("my.square")
    def square(op, rw):                               # when it is compiled: StableHLO instead of the call
        return rw.insert(MultiplyOp(op.inputs[0], op.inputs[0])).result

The compiler expands what has an expansion. Every other registered call stays in the artifact by its name, and the
runtime looks the name up when the artifact is loaded. LAPACK's names (`lapack_sgetrf_ffi`, …) are known by themselves.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np

from tesselle.support.diagnostics import ExecutionError, OptionError
from tesselle.support.dtypes import DTYPES, DType, from_numpy

Array = np.ndarray[Any, Any]

ConfigValue = Any
"""A value of a call's configuration: bool, int, float, str, a list or dictionary of them, or a NumPy array."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What an array must be."""

    dtype: DType
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return "tensor<" + "".join(f"{d}x" for d in self.shape) + f"{self.dtype}>"


@dataclass(frozen=True, slots=True)
class CustomCall:
    """One call, as a function sees it: the first argument of every host function.

    `attributes` is the dictionary of `backend_config` (of `mhlo.backend_config` where a producer writes that),
    `config` its text when it is a string. A layout lists the dimensions from the fastest to the slowest in memory; None
    is row-major. `aliases` are pairs (result, operand) that share memory where XLA runs the call.
    """

    target: str
    attributes: Mapping[str, ConfigValue] = field(default_factory=dict[str, ConfigValue])
    config: str = ""
    api_version: int = 1
    operand_layouts: tuple[tuple[int, ...] | None, ...] = ()
    result_layouts: tuple[tuple[int, ...] | None, ...] = ()
    aliases: tuple[tuple[int, int], ...] = ()
    results: tuple[ArraySpec, ...] = ()

    def to_json(self) -> str:
        """Everything but target and results, as one line of JSON: what the artifact keeps of the call."""
        fields: dict[str, Any] = {
            "attributes": {name: _encode(value) for name, value in self.attributes.items()},
            "config": self.config,
            "api_version": self.api_version,
            "operand_layouts": self.operand_layouts,
            "result_layouts": self.result_layouts,
            "aliases": self.aliases,
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, target: str, text: str) -> CustomCall:
        """The inverse of `to_json`; ValueError for anything else."""
        try:
            data = json.loads(text)
            return cls(
                target,
                {str(k): _decode(v) for k, v in data["attributes"].items()},
                str(data["config"]),
                int(data["api_version"]),
                _layouts(data["operand_layouts"]),
                _layouts(data["result_layouts"]),
                tuple((int(a), int(b)) for a, b in data["aliases"]),
            )
        except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(f"not the configuration of a custom call: {error}") from None


def _layouts(value: Any) -> tuple[tuple[int, ...] | None, ...]:
    return tuple(None if x is None else tuple(int(d) for d in x) for x in value)


_ARRAY = "$array"
_FLOAT = "$float"


def _encode(value: ConfigValue) -> Any:
    """A configuration's value as JSON has it."""
    if isinstance(value, np.ndarray):
        array = cast(Array, value)
        return {_ARRAY: [from_numpy(array.dtype).name, list(array.shape), np.ascontiguousarray(array).tobytes().hex()]}
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, tuple | list):
        return [_encode(v) for v in cast(Sequence[Any], value)]
    return value


def _decode(value: Any) -> ConfigValue:
    if isinstance(value, list):
        return [_decode(v) for v in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    items = cast(dict[str, Any], value)
    if set(items) == {_FLOAT}:
        return float(items[_FLOAT])
    if set(items) == {_ARRAY}:
        name, shape, data = items[_ARRAY]
        return np.frombuffer(bytes.fromhex(data), DTYPES[name].numpy).reshape(shape)
    return {k: _decode(v) for k, v in items.items()}


# ---------------------------------------------------------------------------------------------- the registry

HostFunction = Callable[..., Any]
"""`f(call, *operands)`: operands are read-only arrays; returns an array, a sequence of them, or None for no result."""

Expansion = Callable[[Any, Any], Any]
"""`f(op, rewriter)`: builds operations in front of `op`; returns the values of its results, or None to leave it."""

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_host_functions: dict[str, HostFunction] = {}
_expansions: dict[str, Expansion] = {}

_LIBRARIES = (
    "tesselle.support.expectations",
    "tesselle.support.lapack",
    "tesselle.support.probes",
    "tesselle.support.transfers",
)
"""Modules whose `host_function(name)` knows names of its own; imported when they are first asked."""


def custom_call(target: str) -> Callable[[FunctionT], FunctionT]:
    """Register the host function of custom calls of `target`; a later registration replaces an earlier one.

    The function gets a `CustomCall` and the operands: read-only NumPy arrays of the operands' types, laid out in memory
    as the call asks for. It returns one array for each result, of exactly the result's dtype and shape. It may run on
    any thread.
    """
    _check_target(target)

    def register(function: FunctionT) -> FunctionT:
        _host_functions[target] = function
        return function

    return register


def custom_call_expansion(target: str) -> Callable[[FunctionT], FunctionT]:
    """Register what the compiler puts in place of custom calls of `target`; a later registration replaces an earlier
    one.

    The function gets the `stablehlo.custom_call` and a `Rewriter` that builds in front of it. It returns the values
    that replace the results, or None to leave this call to a host function.
    """
    _check_target(target)

    def register(function: FunctionT) -> FunctionT:
        _expansions[target] = function
        return function

    return register


def unregister_custom_call(target: str) -> None:
    """Forget the host function and the expansion of `target`, if there are any."""
    _host_functions.pop(target, None)
    _expansions.pop(target, None)


def _check_target(target: str) -> None:
    # A decorator without its argument list would otherwise register the function under itself.
    if not isinstance(target, str) or not target:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise OptionError(f'custom_call needs the name of a target: @custom_call("NAME"), found {target!r}')


def expansion(target: str) -> Expansion | None:
    """What the compiler puts in place of calls of `target`."""
    return _expansions.get(target)


def host_function(target: str) -> HostFunction | None:
    """The function that runs calls of `target`: a registered one, or one of the libraries that are known."""
    found = _host_functions.get(target)
    if found is not None:
        return found
    known = (importlib.import_module(name).host_function(target) for name in _LIBRARIES)
    return next((f for f in known if f is not None), None)


def how_to_register(target: str) -> str:
    """The hint of every message about a target that is not registered."""
    return f'register it with @tesselle.custom_call("{target}"), a function of NumPy arrays'


# ---------------------------------------------------------------------------------------------- running a call


def run_host_call(call: CustomCall, function: HostFunction, operands: Sequence[Array]) -> list[Array]:
    """The results of `function(call, *operands)`, checked against `call.results`.

    Errors: ExecutionError when the function raises, or gives something else than the results.
    """
    try:
        out = function(call, *(_laid_out(x, call.operand_layouts, i) for i, x in enumerate(operands)))
    except ExecutionError:
        raise
    except Exception as error:
        text = f"custom call @{call.target} failed: {type(error).__name__}: {error}"
        raise ExecutionError(text) from error
    values: Sequence[Any] = ()
    if out is not None:
        values = cast(Sequence[Any], out) if isinstance(out, tuple | list) else (out,)
    if len(values) != len(call.results):
        raise ExecutionError(
            f"custom call @{call.target}: expected {len(call.results)} results, the function gave {len(values)}"
        )
    results: list[Array] = []
    for i, (value, spec) in enumerate(zip(values, call.results, strict=True)):
        array: Array = np.asarray(value)
        if array.dtype != spec.dtype.numpy or array.shape != spec.shape:
            found = f"{array.dtype}{list(array.shape)}"
            raise ExecutionError(
                f"custom call @{call.target}: result {i} must be {spec}, the function gave an array {found}"
            )
        results.append(array)
    return results


def _laid_out(operand: Array, layouts: Sequence[tuple[int, ...] | None], index: int) -> Array:
    """The operand in the memory order that the call asks for, read-only."""
    layout = layouts[index] if index < len(layouts) else None
    view = operand.view()
    if layout is not None and len(layout) == operand.ndim and list(layout) != list(reversed(range(operand.ndim))):
        slowest_first = layout[::-1]
        inverse = [0] * len(slowest_first)
        for place, axis in enumerate(slowest_first):
            inverse[axis] = place
        view = np.ascontiguousarray(operand.transpose(slowest_first)).transpose(inverse)
    view.flags.writeable = False
    return view
