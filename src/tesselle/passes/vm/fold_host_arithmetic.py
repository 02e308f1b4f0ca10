"""fold-host-arithmetic: constants through the scalar arithmetic of the host program."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core import arith, builtin, func
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.passes.index_arithmetic import constant_index
from tesselle.reference.registry import SEMANTICS, Array, evaluate
from tesselle.support.dtypes import DType


def _truncated(a: int, b: int) -> int:
    """Division towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_FOLD: dict[type[Op], Callable[[int, int], int]] = {
    arith.AddIOp: operator.add,
    arith.SubIOp: operator.sub,
    arith.MulIOp: operator.mul,
    arith.AndIOp: lambda a, b: a & b,
    arith.OrIOp: lambda a, b: a | b,
    arith.XOrIOp: lambda a, b: a ^ b,
    arith.MinSIOp: min,
    arith.MaxSIOp: max,
}
_FOLD_UNLESS_ZERO: dict[type[Op], Callable[[int, int], int]] = {
    arith.DivSIOp: _truncated,
    arith.FloorDivSIOp: lambda a, b: a // b,
    arith.CeilDivSIOp: lambda a, b: -(-a // b),
    arith.RemSIOp: lambda a, b: a - _truncated(a, b) * b,
}
_COMPARE: dict[arith.CmpIPredicate, Callable[[int, int], bool]] = {
    arith.CmpIPredicate.EQ: operator.eq,
    arith.CmpIPredicate.NE: operator.ne,
    arith.CmpIPredicate.SLT: operator.lt,
    arith.CmpIPredicate.SLE: operator.le,
    arith.CmpIPredicate.SGT: operator.gt,
    arith.CmpIPredicate.SGE: operator.ge,
}
_RIGHT_IDENTITY: dict[type[Op], int] = {
    arith.AddIOp: 0,
    arith.SubIOp: 0,
    arith.MulIOp: 1,
    arith.DivSIOp: 1,
    arith.FloorDivSIOp: 1,
    arith.CeilDivSIOp: 1,
}


@register_pass("fold-host-arithmetic")
@dataclass(frozen=True)
class FoldHostArithmetic(Pass):
    """Fold integer arithmetic, comparisons, selections and casts of constants; drop x + 0, x * 1 and the like.

    arith.muli %c4, %c8 : index  ->  arith.constant 32 : index

    Floats are folded by the reference, so that no scalar of a type without registers (f16, bf16) is left that the host
    would have to compute with.
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for function in module.body:
            if not isinstance(function, func.FuncOp):
                continue  # kernels have passes of their own
            for op in list(function.walk()):
                if op.parent is not None and op.dialect == "arith" and len(op.results) == 1:
                    _fold(op)
            eliminate_common_subexpressions(function)
            eliminate_dead_code(function)


def _fold(op: Op) -> None:
    t = op.result.type
    if not isinstance(t, DType):
        return
    known = [constant_index(v) for v in op.operands]
    if isinstance(op, arith.SelectOp):
        if known[0] is not None:
            op.replace_with(op.true_value if known[0] else op.false_value)
        elif op.true_value is op.false_value:
            op.replace_with(op.true_value)
        return
    value = _value(op, known)
    if value is not None:
        number = bool(value) if t.is_bool else _wrap(value, t)
        op.replace_with(Builder.before_op(op).insert(arith.ConstantOp(number, t)).result)
        return
    same = _identity(op, known)
    if same is not None:
        op.replace_with(same)
    else:
        _fold_floats(op, t)


def _fold_floats(op: Op, t: DType) -> None:
    """Casts, arithmetic and comparisons of constants of float types."""
    if type(op) not in SEMANTICS or isinstance(op, arith.ConstantOp):
        return
    constants: list[Array] = []
    for v in op.operands:
        source, dtype = v.defining_op, v.type
        if not isinstance(source, arith.ConstantOp) or not isinstance(source.value, bool | int | float):
            return
        if not isinstance(dtype, DType):
            return
        constants.append(np.asarray(source.value, dtype.numpy))
    if not any(_is_float(v.type) for v in (*op.operands, op.result)):
        return
    (value,) = evaluate(op, constants)
    number = float(value) if t.is_float else bool(value) if t.is_bool else int(value)
    op.replace_with(Builder.before_op(op).insert(arith.ConstantOp(number, t)).result)


def _is_float(t: object) -> bool:
    return isinstance(t, DType) and t.is_float


def _wrap(value: int, t: DType) -> int:
    value &= (1 << t.bits) - 1
    return value - (1 << t.bits) if not t.is_unsigned and value >> (t.bits - 1) else value


def _value(op: Op, known: list[int | None]) -> int | None:
    if isinstance(op, arith.IndexCastOp | arith.ExtSIOp | arith.TruncIOp):
        # An i1 is 0 or 1 here, but -1 when its sign is extended.
        source = op.operand.type
        signed = isinstance(source, DType) and not source.is_bool and not source.is_unsigned
        return known[0] if signed or isinstance(op, arith.TruncIOp) else None
    if len(known) != 2:
        return None
    a, b = known
    if a is None or b is None:
        return None
    if isinstance(op, arith.CmpIOp):
        compare = _COMPARE.get(op.predicate)
        return None if compare is None else int(compare(a, b))
    fold = _FOLD.get(type(op)) or (_FOLD_UNLESS_ZERO.get(type(op)) if b else None)
    return None if fold is None else fold(a, b)


def _identity(op: Op, known: list[int | None]) -> Value | None:
    identity = _RIGHT_IDENTITY.get(type(op))
    if identity is None:
        return None
    if known[1] == identity:
        return op.operands[0]
    if known[0] == identity and isinstance(op, arith.AddIOp | arith.MulIOp):
        return op.operands[1]
    return None
