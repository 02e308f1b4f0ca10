"""The table of lowerings from TensorFlow's operations to StableHLO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tesselle.ir.core import Op, Value
from tesselle.passes.input.tf_to_stablehlo.builder import TfBuilder

FunctionT = TypeVar("FunctionT", bound=Callable[..., "Value | Sequence[Value]"])

LOWERINGS: dict[type[Op], Callable[[Any, TfBuilder], Value | Sequence[Value]]] = {}
"""Operation class -> function that builds its replacement in front of it and returns the values of its results."""


def lowering(*classes: type[Op]) -> Callable[[FunctionT], FunctionT]:
    """Register the lowering of operation classes."""

    def register(function: FunctionT) -> FunctionT:
        for cls in classes:
            if cls in LOWERINGS:
                raise ValueError(f"{cls.NAME} has two lowerings")
            LOWERINGS[cls] = function
        return function

    return register
