"""The table of meanings: one NumPy function per operation class.

Tensors are arrays of the element type's NumPy dtype; scalars and index values are arrays of rank 0. A function gets the
operation (for its attributes and result types) and its operands in order, and returns the result, or a tuple of them.
Operations with regions get a `RegionRunner` after the operation. A tuple, and a future, is an array of objects, one for
each of its parts; a token is such an array without parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType, Type
from tesselle.support.custom_calls import HostFunction
from tesselle.support.dtypes import DType

if TYPE_CHECKING:
    from tesselle.dialects.core.builtin import ModuleOp
    from tesselle.reference.processes import Process

Array: TypeAlias = np.ndarray[Any, Any]
Results: TypeAlias = "Array | tuple[Array, ...] | list[Array]"
FunctionT = TypeVar("FunctionT", bound=Callable[..., Results])


class RegionRunner(Protocol):
    """What the meaning of an operation with regions may ask of the interpreter.

    `environment` holds the values computed so far; `loop_indices` the counters of the enclosing generic, as arrays;
    `host_functions` those that custom calls go to before the registered ones, by target; `draws` how often
    stablehlo.rng has run; `process` the one that runs, in its grid; `module` the program; `variables` what the globals
    hold, by name, where they have been stored to.
    """

    environment: dict[Value, Array]
    loop_indices: Sequence[Array]
    host_functions: Mapping[str, HostFunction]
    draws: int
    process: Process
    module: ModuleOp
    variables: dict[str, Array]

    def run_region(self, region: Region, args: Sequence[Array]) -> list[Array]:
        """Run the only block of `region` on `args`; the operands of its terminator."""
        ...

    def run_elementwise(self, block: Block, args: Sequence[Array]) -> list[Array]:
        """Run a block of scalar operations on whole arrays at once, with NumPy's broadcasting."""
        ...

    def run_ops(self, ops: Sequence[Op]) -> None:
        """Run operations in order; their results are in `environment` afterwards."""
        ...

    def call(self, name: str, args: Sequence[Array]) -> list[Array]:
        """Run the function `name` of the module."""
        ...


SEMANTICS: dict[type[Op], Callable[..., Results]] = {}
"""Meanings of operations without regions: f(op, *operands)."""

REGION_SEMANTICS: dict[type[Op], Callable[..., Results]] = {}
"""Meanings of operations that run regions or functions: f(op, runner, *operands)."""


def semantics(*classes: type[Op]) -> Callable[[FunctionT], FunctionT]:
    """Register the meaning of operation classes without regions."""

    def register(function: FunctionT) -> FunctionT:
        for cls in classes:
            _add(SEMANTICS, cls, function)
        return function

    return register


def region_semantics(*classes: type[Op]) -> Callable[[FunctionT], FunctionT]:
    """Register the meaning of operation classes that run regions or functions."""

    def register(function: FunctionT) -> FunctionT:
        for cls in classes:
            _add(REGION_SEMANTICS, cls, function)
        return function

    return register


def _add(table: dict[type[Op], Callable[..., Results]], cls: type[Op], function: Callable[..., Results]) -> None:
    if cls in SEMANTICS or cls in REGION_SEMANTICS:
        raise ValueError(f"{cls.NAME} has two meanings")
    table[cls] = function


def has_semantics(cls: type[Op]) -> bool:
    return cls in SEMANTICS or cls in REGION_SEMANTICS


def evaluate(op: Op, operands: Sequence[Array]) -> list[Array]:
    """The results of an operation without regions. KeyError when it has no meaning here."""
    with np.errstate(all="ignore"):
        out = SEMANTICS[type(op)](op, *operands)
    return list(out) if isinstance(out, tuple | list) else [out]


def element_dtype(type: Type) -> DType:
    """The element type of a tensor type, or a scalar type itself."""
    if isinstance(type, TensorType):
        return type.dtype
    if isinstance(type, DType):
        return type
    raise TypeError(f"{type} has no element type")


def pack(parts: Sequence[Array]) -> Array:
    """The array of objects that stands for a tuple of `parts`."""
    packed = np.empty(len(parts), object)
    for i, part in enumerate(parts):
        packed[i] = part
    return packed


def unpack(packed: Array) -> list[Array]:
    """The parts of a tuple."""
    return [packed[i] for i in range(len(packed))]


TOKEN = pack(())
"""The value of every token."""
