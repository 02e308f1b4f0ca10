"""expand-chlo: operations of CHLO that have no lowering of their own become StableHLO.

chlo.broadcast_add %a, %b : (tensor<4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
->
%0 = stablehlo.broadcast_in_dim %a, dims = [1] : tensor<3x4xf32>
%1 = stablehlo.broadcast_in_dim %b, dims = [0, 1] : tensor<3x4xf32>
stablehlo.add %0, %1 : tensor<3x4xf32>

Broadcasts of dynamic shapes compute the common shape from the operands' sizes; scan and ragged_dot become loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tesselle.dialects.chlo import broadcast as c
from tesselle.dialects.chlo import elementwise as ce
from tesselle.dialects.chlo.structured import ConstantOp, RaggedDotOp, ScanOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.dialects.stablehlo.dynamic import DynamicBroadcastInDimOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Pattern, Rewriter, apply_patterns, pattern
from tesselle.ir.types import Dim, TensorType
from tesselle.passes.input.expand_ragged_dot import expand_ragged_dot
from tesselle.passes.input.expand_scan import expand_scan
from tesselle.passes.input.stablehlo_expressions import Tensor, concatenate, splat
from tesselle.support.dtypes import I32

ELEMENTWISE: dict[type[Op], type[Op]] = {
    c.BroadcastAddOp: e.AddOp,
    c.BroadcastAndOp: e.AndOp,
    c.BroadcastAtan2Op: e.Atan2Op,
    c.BroadcastComplexOp: e.ComplexOp,
    c.BroadcastDivideOp: e.DivideOp,
    c.BroadcastMaximumOp: e.MaximumOp,
    c.BroadcastMinimumOp: e.MinimumOp,
    c.BroadcastMultiplyOp: e.MultiplyOp,
    c.BroadcastNextAfterOp: ce.NextAfterOp,
    c.BroadcastOrOp: e.OrOp,
    c.BroadcastPolygammaOp: ce.PolygammaOp,
    c.BroadcastPowerOp: e.PowerOp,
    c.BroadcastRemainderOp: e.RemainderOp,
    c.BroadcastShiftLeftOp: e.ShiftLeftOp,
    c.BroadcastShiftRightArithmeticOp: e.ShiftRightArithmeticOp,
    c.BroadcastShiftRightLogicalOp: e.ShiftRightLogicalOp,
    c.BroadcastSubtractOp: e.SubtractOp,
    c.BroadcastXorOp: e.XorOp,
    c.BroadcastZetaOp: ce.ZetaOp,
}
"""A broadcasting operation -> the elementwise one on operands of one shape."""


@dataclass(frozen=True)
class _Placed:
    """An operand whose dimension k becomes dimension `dims[k]` of the result."""

    value: Value
    dims: tuple[int, ...]

    def size_at(self, d: int) -> Dim:
        """What the operand has at dimension d of the result: 1 where it has none."""
        return tensor_type(self.value).shape[self.dims.index(d)] if d in self.dims else 1


def _place(op: c.BroadcastingOp, rank: int) -> list[_Placed]:
    """Operands of lower rank stand at `broadcast_dimensions`, or at the last dimensions."""
    given = op.attributes.get("broadcast_dimensions")
    ranks = [tensor_type(v).rank for v in op.operands]
    named = tuple(d for d in given if isinstance(d, int)) if isinstance(given, tuple) and len(set(ranks)) > 1 else None
    placed: list[_Placed] = []
    for v, r in zip(op.operands, ranks, strict=True):
        last = tuple(range(rank - r, rank))
        placed.append(_Placed(v, named if named is not None and r < rank else last))
    return placed


def _size(rw: Rewriter, operands: Sequence[_Placed], d: int) -> Tensor:
    """Dimension d of the common shape, as tensor<i32>: the size of the first operand that does not repeat there."""
    sizes = [p.size_at(d) for p in operands]
    known = next((n for n in sizes if n is not None and n != 1), None)
    scalar = TensorType((), I32)
    if known is not None:
        return splat(rw, known, scalar)
    found: Tensor | None = None
    seen: set[Value] = set()
    for p, n in zip(operands, sizes, strict=True):
        if n is None and p.value not in seen:
            seen.add(p.value)
            size = Tensor(rw, rw.insert(s.GetDimensionSizeOp(p.value, p.dims.index(d))).result)
            found = size if found is None else size.where(found.equals(1), found)
    return found if found is not None else splat(rw, 1, scalar)


def broadcast_to_common(rw: Rewriter, operands: Sequence[_Placed], shape: Sequence[Dim]) -> list[Value]:
    """The operands at `shape`, whose dynamic dimensions are computed from theirs."""
    sizes: Value | None = None
    out: list[Value] = []
    for p in operands:
        t = tensor_type(p.value)
        target = TensorType(tuple(shape), t.dtype)
        others = [q for q in operands if q is not p]
        stays = t == target and all(
            n is not None or all(q.size_at(d) == 1 for q in others) for d, n in enumerate(shape)
        )
        if stays:
            out.append(p.value)
        elif target.is_static and t.is_static:
            out.append(rw.insert(s.BroadcastInDimOp(p.value, p.dims, target)).result)
        else:
            if sizes is None:
                parts = [
                    (_size(rw, operands, d) if n is None else splat(rw, n, TensorType((), I32))).reshape([1])
                    for d, n in enumerate(shape)
                ]
                sizes = concatenate(parts, 0).value
            out.append(rw.insert(DynamicBroadcastInDimOp(p.value, sizes, p.dims, target)).result)
    return out


def _broadcast(op: c.BroadcastingOp, rw: Rewriter) -> list[Value]:
    t = tensor_type(op.results[0])
    return broadcast_to_common(rw, _place(op, t.rank), t.shape)


def _expand_elementwise(op: Op, rw: Rewriter) -> Value:
    """chlo.broadcast_f(a, b) -> stablehlo.f(broadcast(a), broadcast(b))"""
    assert isinstance(op, c.BroadcastingOp)
    cls: Any = ELEMENTWISE[type(op)]
    return rw.insert(cls(*_broadcast(op, rw))).result


@pattern
def expand_compare(op: c.BroadcastCompareOp, rw: Rewriter) -> Value:
    """chlo.broadcast_compare(a, b) -> stablehlo.compare(broadcast(a), broadcast(b))"""
    x, y = _broadcast(op, rw)
    kind = op.compare_type
    direction = ComparisonDirection(op.comparison_direction.value)
    return rw.insert(e.CompareOp(x, y, direction, ComparisonType(kind.value) if kind is not None else None)).result


@pattern
def expand_select(op: c.BroadcastSelectOp, rw: Rewriter) -> Value:
    """chlo.broadcast_select(p, a, b) -> stablehlo.select(broadcast(p), broadcast(a), broadcast(b))"""
    t = tensor_type(op.results[0])
    ranks = [tensor_type(v).rank for v in op.operands]
    placed = [_Placed(v, tuple(range(t.rank - r, t.rank))) for v, r in zip(op.operands, ranks, strict=True)]
    p, x, y = broadcast_to_common(rw, placed, t.shape)
    return rw.insert(e.SelectOp(p, x, y)).result


@pattern
def expand_constant(op: ConstantOp, rw: Rewriter) -> Value:
    """chlo.constant -> stablehlo.constant"""
    return rw.insert(s.ConstantOp(op.value)).result


@pattern
def expand_constant_like(op: ce.ConstantLikeOp, rw: Rewriter) -> Value | None:
    """chlo.constant_like(x) -> stablehlo.constant, where the shape of x is known"""
    t = tensor_type(op.results[0])
    if not t.is_static:
        return None
    return rw.insert(s.ConstantOp(DenseElements.splat(op.number, t))).result


ragged_dot = Pattern(RaggedDotOp, expand_ragged_dot)
scan = Pattern(ScanOp, expand_scan)

_EXPAND: Callable[[Op, Rewriter], Value] = _expand_elementwise
PATTERNS = (
    *(Pattern(cls, _EXPAND) for cls in ELEMENTWISE),
    expand_compare,
    expand_select,
    expand_constant,
    expand_constant_like,
    ragged_dot,
    scan,
)


@register_pass("expand-chlo")
@dataclass(frozen=True)
class ExpandChlo(Pass):
    """Write broadcasting operations, constants, scan and ragged_dot of CHLO in StableHLO."""

    def run(self, module: Op) -> None:
        roots = {p.root for p in PATTERNS}
        if any(type(op) in roots for op in module.walk()):
            apply_patterns(module, PATTERNS)
