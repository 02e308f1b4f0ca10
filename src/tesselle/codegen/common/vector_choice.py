"""What to vectorise: the loop, the lanes, and the pieces of a tail."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.accesses import Access, Along
from tesselle.codegen.common.strategy import TargetShape
from tesselle.dialects.core import memref
from tesselle.dialects.linalg.ops import GenericOp, IteratorType
from tesselle.ir.core import ELEMENTWISE, Value
from tesselle.ir.types import DType, MemRefType
from tesselle.support.dtypes import I1


def tail_pieces(rest: int | None, lanes: int, masked: bool) -> list[tuple[int, int | None]] | None:
    """(lanes, how many) of the narrower vectors that a tail of `rest` elements is cut into, the widest first.

    What they leave is scalar. None: the tail is masked.
    A mask is better than several of them; one of them is better than a mask. Of an unknown tail without masks, vectors
    of a quarter of the lanes take the most.
    """
    if rest is None:
        return None if masked else [(lanes // 4, None)] if lanes >= 8 else []
    if masked and rest.bit_count() > 1:
        return None
    return [(1 << bit, 1) for bit in reversed(range(1, rest.bit_length())) if rest >> bit & 1]


def computing_types(op: GenericOp) -> list[DType]:
    """Element types that pass through registers: operands, and values of the body other than masks and counters."""
    found: list[DType] = []
    for v in op.operands:
        dtype = v.type.dtype if isinstance(v.type, MemRefType) else v.type
        if isinstance(dtype, DType):
            found.append(dtype)
    for inner in op.body.block:
        if ELEMENTWISE in inner.TRAITS or isinstance(inner, memref.LoadOp):
            found.extend(t for t in inner.result_types if isinstance(t, DType) and t is not I1 and not t.is_index)
    return found


def lane_count(op: GenericOp, target: TargetShape) -> int:
    """Lanes that fill a register with the widest type of the computation."""
    widest = max((t.element.size_bytes for t in computing_types(op)), default=4)
    return max(1, target.vector_bits // (8 * widest))


def _weight(moving: int, most: int) -> float:
    """How much an operand counts that moves along `moving` loops where another moves along `most`."""
    return 0.25 ** (most - moving)


def choose_dim(
    op: GenericOp, sizes: Sequence[ix.Size], inputs: Sequence[Access | Value], outputs: Sequence[Access]
) -> int:
    """The loop to vectorise: the one along which most operands are contiguous; -1 when there is no loop.

    Operands that move along fewer loops than others are touched less often, and count less: the sums and means of rows
    must not decide over the rows themselves.
    """
    accesses = [a for a in inputs if isinstance(a, Access)]
    candidates = [d for d, s in enumerate(sizes) if ix.known(s) != 1]
    moving = {id(a): len(a.map.used_dims() & set(candidates)) for a in (*accesses, *outputs)}
    most = max(moving.values(), default=0)

    def score(d: int) -> tuple[float, int, int]:
        total = 0.0
        for a in outputs:
            how = a.along(d)
            total += _weight(moving[id(a)], most) * {Along.CONTIGUOUS: 8, Along.UNIFORM: 0}.get(how, -16)
        for a in accesses:
            how = a.along(d)
            if not a.map.used_dims():
                continue
            points = {Along.CONTIGUOUS: 4, Along.REVERSED: 3, Along.UNIFORM: 0.5}.get(how, -6)
            total += _weight(moving[id(a)], most) * points
        size = ix.known(sizes[d])
        if size is not None and size < 4:
            total -= 16
        return total, int(op.iterator_types[d] is IteratorType.PARALLEL), d

    return max(candidates, key=score, default=-1)
