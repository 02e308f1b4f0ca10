"""A program from a source of random choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tesselle.dialects.core import func
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.ml_program import GlobalOp
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.text import print_op
from tesselle.ir.types import FunctionType

from . import control, elementwise, movement, structured, variables
from .scope import Scope
from .values import Array

SIMPLE = {**elementwise.MAKERS, **movement.MAKERS, **structured.MAKERS}
_CONTROL_SHARE = 0.05
_VARIABLE_SHARE = 0.35
_CONTROL_SHARE_WITH_VARIABLES = 0.12


@dataclass(frozen=True)
class Program:
    """MLIR text with a function @main, and its arguments."""

    text: str
    arguments: tuple[Array, ...]


def grow(scope: Scope) -> None:
    """Add one operation, with what makes its operands."""
    random = scope.random
    if scope.variables is not None and random.random() < _VARIABLE_SHARE:
        random.choices(list(variables.MAKERS), list(variables.MAKERS.values()))[0](scope)
    elif random.random() < (_CONTROL_SHARE if scope.variables is None else _CONTROL_SHARE_WITH_VARIABLES):
        makers = list(control.MAKERS)
        random.choices(makers, list(control.MAKERS.values()))[0](scope, grow)
    else:
        random.choices(list(SIMPLE), list(SIMPLE.values()))[0](scope)


def generate(random: Random, max_operations: int = 30, with_variables: bool = False) -> Program:
    """A program of 1 to about `max_operations` operations.

    What nobody uses is a result, and in every third program so is every other value: then nothing can be computed
    without being seen.
    """
    block = Block([])
    scope = Scope(random, block)
    scope.variables = [] if with_variables else None
    for _ in range(round(max_operations ** random.random())):
        grow(scope)
    if not scope.values:
        scope.pick()
    everything = random.random() < 0.33
    results = [v for v in scope.values if v.defining_op is not None and (everything or not v.uses)]
    return to_program(block, results or scope.values[-1:], tuple(scope.arrays), scope.variables or ())


def to_program(
    block: Block, results: list[Value], arguments: tuple[Array, ...], globals_: Sequence[GlobalOp] = ()
) -> Program:
    block.append(func.ReturnOp(results))
    t = FunctionType(tuple(a.type for a in block.args), tuple(v.type for v in results))
    module = ModuleOp.empty()
    for variable in globals_:
        module.body.append(variable)
    module.body.append(func.FuncOp("main", t, Region([block])))
    return Program(print_op(module), arguments)
