"""expand-einsum: unary_einsum, and what in an einsum concerns one operand alone, become StableHLO.

unary_einsum(x, "ii->i")         -> reduce(add, select(iota0 == iota1, x, 0))      the diagonal
unary_einsum(x, "ij->")          -> reduce(add, x)
unary_einsum(x, "ij->ji")        -> transpose(x)
einsum(x, y, "...ij,...jk->...ik") -> einsum(x, y, "abij,abjk->abik")
einsum(x, y, "iij,k->ik")        -> einsum(unary_einsum(x, "iij->i"), y, "i,k->ik")
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.contraction import EinsumOp, UnaryEinsumOp
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.reduction import ReduceOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter, apply_patterns, pattern
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_expressions import Tensor, iota, splat
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DTYPES, F32, I32


@pattern
def expand_unary_einsum(op: UnaryEinsumOp, rw: Rewriter) -> Value:
    """unary_einsum -> the diagonal of repeated labels, the sum over those that the result lacks, a transposition"""
    (labels,), out = _labels(op, op.einsum_config, [op.operand])
    value, labels = _alone(op, rw, op.operand, labels, out)
    result = Tensor(rw, value).transpose([labels.index(c) for c in out])
    return result.value


@pattern
def simplify_einsum(op: EinsumOp, rw: Rewriter) -> Value | None:
    """einsum -> einsum of operands each label of which stands once, and in another place too; None when it is so"""
    (left, right), out = _labels(op, op.einsum_config, [op.lhs, op.rhs])
    lhs, first = _alone(op, rw, op.lhs, left, right + out)
    rhs, second = _alone(op, rw, op.rhs, right, left + out)
    config = f"{first},{second}->{out}"
    if config == op.einsum_config.replace(" ", ""):
        return None
    return rw.insert(EinsumOp(lhs, rhs, config, op.result_type)).result


def _labels(op: Op, config: str, operands: Sequence[Value]) -> tuple[list[str], str]:
    """The labels of every operand and of the result; `...` stands for as many fresh letters as dimensions are left."""
    inputs, _, out = config.replace(" ", "").partition("->")
    free = [c for c in string.ascii_letters if c not in config]
    parts = inputs.split(",")
    counts = [tensor_type(v).rank - len(p.replace("...", "")) for v, p in zip(operands, parts, strict=True)]
    if "..." not in config:
        return parts, out
    rank = max((n for n, p in zip(counts, parts, strict=True) if "..." in p), default=0)
    if rank > len(free):
        raise Unsupported(f"einsum_config '{config}' has too many dimensions", op.location, op.name)
    filled = [p.replace("...", "".join(free[rank - n : rank])) for n, p in zip(counts, parts, strict=True)]
    return filled, out.replace("...", "".join(free[:rank]))


def _alone(op: Op, b: Builder, value: Value, labels: str, wanted: str) -> tuple[Value, str]:
    """The operand with every label once, summed over those that nothing else wants."""
    missing = [c for c in labels if labels.count(c) > 1]
    if missing:
        value = _masked(op, b, value, labels)
    kept = [d for d, c in enumerate(labels) if c in wanted and labels.index(c) == d]
    summed = [d for d in range(len(labels)) if d not in kept]
    if summed:
        value = _sum(b, value, summed)
    return value, "".join(labels[d] for d in kept)


def _masked(op: Op, b: Builder, value: Value, labels: str) -> Value:
    """Zero where dimensions of the same label differ: summed over all of them but one, the diagonal is left."""
    t = tensor_type(value)
    if not t.is_static:
        raise Unsupported(f"the diagonal of {t} is not supported: its shape is dynamic", op.location, op.name)
    x = Tensor(b, value)
    for d, c in enumerate(labels):
        first = labels.index(c)
        if first < d:
            places = (iota(b, t.static_shape, k, I32) for k in (first, d))
            x = x.where(next(places).equals(next(places)), 0)
    return x.value


def _sum(b: Builder, value: Value, dims: Sequence[int]) -> Value:
    dtype = tensor_type(value).dtype
    if dtype == DTYPES["f8E8M0FNU"]:  # which has no zero to begin with
        return Tensor(b, _sum(b, Tensor(b, value).convert(F32).value, dims)).convert(dtype).value
    scalar = TensorType((), dtype)
    block = Block([scalar, scalar])
    inner = Builder(block, None, b.location)
    total = inner.insert(e.AddOp(*block.args)).result
    inner.insert(ReturnOp((total,)))
    zero = splat(b, 0, scalar)
    return b.insert(ReduceOp((value, zero.value), tuple(dims), Region([block]))).results[0]


@register_pass("expand-einsum")
@dataclass(frozen=True)
class ExpandEinsum(Pass):
    def run(self, module: Op) -> None:
        if any(isinstance(op, UnaryEinsumOp | EinsumOp) for op in module.walk()):
            apply_patterns(module, (expand_unary_einsum, simplify_einsum))
