"""Makers of loads and stores: variables that live from one call to the next, read and written anywhere."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.ml_program import GlobalLoadOp, GlobalOp, GlobalStoreOp
from tesselle.dialects.stablehlo import elementwise as s
from tesselle.dialects.stablehlo.indexing import DynamicUpdateSliceOp
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.core import Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import I32

from .elementwise import COMMON, dtypes_of
from .scope import Scope, scalar, type_of
from .values import random_array, random_dtype, random_shape


def declare(scope: Scope) -> GlobalOp:
    """One of the variables, or a new one."""
    variables, random = scope.variables, scope.random
    assert variables is not None
    if variables and random.random() < 0.75:
        return random.choice(variables)
    visible = scope.visible()
    if visible and random.random() < 0.6:
        t = type_of(random.choice(visible))
    else:
        t = TensorType(random_shape(random), random_dtype(random))
    value = DenseElements(random_array(random, t.dtype, t.static_shape), t) if random.random() < 0.7 else None
    variables.append(GlobalOp(f"v{len(variables)}", t, True, value, "private"))
    return variables[-1]


def _load(scope: Scope, variable: GlobalOp) -> Value:
    return scope.insert(GlobalLoadOp(SymbolRef(variable.sym_name), variable.type)).results[0]


def load(scope: Scope) -> None:
    _load(scope, declare(scope))


def store(scope: Scope) -> None:
    """Of what is there: another variable's value, an argument, something computed."""
    variable = declare(scope)
    t = variable.type
    assert isinstance(t, TensorType)
    value = scope.like(t.static_shape, t.dtype)
    scope.insert(GlobalStoreOp(SymbolRef(variable.sym_name), value))


def step(scope: Scope) -> None:
    """v = v + x and the like."""
    variable = declare(scope)
    value = _load(scope, variable)
    t = type_of(value)
    for _ in range(scope.random.randint(1, 2)):
        among = [c for c in COMMON if t.dtype in dtypes_of(c)]
        if not among:
            return
        operands = [value, scope.like(t.static_shape, t.dtype)]
        scope.random.shuffle(operands)
        value = scope.insert(scope.random.choice(among)(*operands)).result
    scope.insert(GlobalStoreOp(SymbolRef(variable.sym_name), value))


def piece(scope: Scope) -> None:
    """v[at:…] = x."""
    variable, random = declare(scope), scope.random
    value = _load(scope, variable)
    t = type_of(value)
    sizes = tuple(random.randint(min(d, 1), d) for d in t.static_shape)
    at = [scope.like((), I32) for _ in sizes]
    new = scope.insert(DynamicUpdateSliceOp(value, scope.like(sizes, t.dtype), at)).result
    scope.insert(GlobalStoreOp(SymbolRef(variable.sym_name), new))


def swap(scope: Scope) -> None:
    """Two variables of one type change places."""
    one = declare(scope)
    assert scope.variables is not None
    other = next((v for v in scope.variables if v is not one and v.type == one.type), None)
    if other is None:
        other = GlobalOp(f"v{len(scope.variables)}", one.type, True, None, "private")
        scope.variables.append(other)
    values = [_load(scope, v) for v in (one, other)]
    for variable, value in zip((other, one), values, strict=True):
        scope.insert(GlobalStoreOp(SymbolRef(variable.sym_name), value))


def count(scope: Scope) -> None:
    """A counter of calls, which other operations may take for a place."""
    assert scope.variables is not None
    variable = next((v for v in scope.variables if v.type == scalar(I32)), None)
    if variable is None:
        variable = GlobalOp(f"v{len(scope.variables)}", scalar(I32), True, None, "private")
        scope.variables.append(variable)
    value = _load(scope, variable)
    one = scope.constant(np.array(1, np.int32), I32)
    scope.insert(GlobalStoreOp(SymbolRef(variable.sym_name), scope.insert(s.AddOp(value, one)).result))


MAKERS = {load: 3, store: 3, step: 4, piece: 3, swap: 1, count: 1}


def variables_of(module: ModuleOp) -> dict[str, GlobalOp]:
    """The variables of a program, in order."""
    return {op.sym_name: op for op in module.body if isinstance(op, GlobalOp) and op.is_mutable}
