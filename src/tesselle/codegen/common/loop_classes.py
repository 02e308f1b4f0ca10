"""Which loops of a dispatch's operations are the same loop: the classes that tiling works on.

Loops of a producer and a consumer are the same where the consumer reads the produced tensor by a bare counter. A
class may be tiled over workgroups when every reduction and every stored operation has exactly one loop in it, a
parallel one, and no operand is read across tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import generics
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.fusion import stored_values
from tesselle.codegen.common.sizes import loop_sizes
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.linalg.ops import GenericOp, IteratorType
from tesselle.ir.affine import AffineDim, AffineExpr
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value

Loop = tuple[GenericOp, int]


@dataclass
class LoopClasses:
    """`of[(op, loop)]`: the class; `tileable`: classes in the loop order of the last stored operation."""

    ops: list[GenericOp]
    of: dict[Loop, int]
    size: dict[int, ix.Size]
    tileable: list[int]

    def loop_of(self, op: GenericOp, cls: int) -> int | None:
        """The loop of `op` that belongs to a tileable class."""
        return next((d for d in range(len(op.iterator_types)) if self.of[op, d] == cls), None)


def sliceable(e: AffineExpr, dim_count: int) -> bool:
    """Whether a tile of the counters reads a window of this operand dimension: forwards, or one counter backwards."""
    linear = e.linear_coefficients(dim_count)
    if linear is None:
        return False
    used = [c for c in linear[0] if c]
    return all(c > 0 for c in used) or len(used) == 1


def analyse(kernel: KernelFunction, b: Builder) -> LoopClasses:
    """Classes of all loops of the function's generics; sizes are built at `b`."""
    ops = [op for op in kernel.function.entry if isinstance(op, GenericOp)]
    parent: dict[Loop, Loop] = {(op, d): (op, d) for op in ops for d in range(len(op.iterator_types))}
    bad: set[Loop] = set()

    def find(x: Loop) -> Loop:
        while parent[x] != x:
            x = parent[x]
        return x

    extents = {(op, d): s for op in ops for d, s in enumerate(loop_sizes(kernel, b, op))}

    def connect(producer: Loop, consumer: Loop) -> None:
        if ix.known(extents[producer]) == ix.known(extents[consumer]):
            parent[find(producer)] = find(consumer)
        else:
            # Of a longer loop only the beginning is read: each goes its own way.
            bad.add(producer)

    for op in ops:
        for v, m in zip(op.operands, op.indexing_maps, strict=True):
            _connect(op, v, m.results, connect, bad)
            for e in m.results:
                if not isinstance(e, AffineDim) and not sliceable(e, m.dim_count):
                    bad.update((op, d) for d in e.used_dims())
        bad.update((op, d) for d in op.reduction_dims)
    numbers: dict[Loop, int] = {}
    of = {x: numbers.setdefault(find(x), len(numbers)) for x in parent}
    bad_classes = {of[x] for x in bad}
    stored = stored_values(kernel)
    must = [op for op in ops if op.reduction_dims or any(r in stored for r in op.results)]
    for op in ops:
        classes = [of[op, d] for d in range(len(op.iterator_types))]
        bad_classes.update(c for c in classes if classes.count(c) > 1)
    size: dict[int, ix.Size] = {}
    for op in ops:
        for d in range(len(op.iterator_types)):
            have = size.get(of[op, d])
            if have is None or ix.known(have) is None:
                size[of[op, d]] = extents[op, d]
    tileable: list[int] = []
    if must:
        root = must[-1]
        order = [of[root, d] for d in root.parallel_dims]
        must.extend(op for op in ops if op not in must and _is_large_and_whole(op, of, bad_classes, size))
        tileable = [c for c in order if c not in bad_classes and all(_has(of, op, c) for op in must)]
    return LoopClasses(ops, of, size, tileable)


def _has(of: dict[Loop, int], op: GenericOp, cls: int) -> bool:
    return any(of[op, d] == cls and t is IteratorType.PARALLEL for d, t in enumerate(op.iterator_types))


SMALL_POINTS = 4096
"""What every tile may compute again."""


def _is_large_and_whole(op: GenericOp, of: dict[Loop, int], bad: set[int], size: dict[int, ix.Size]) -> bool:
    """Whether an operation has much to do along loops that are not tiled, so that no tile should do it again."""
    points = 1
    for d in range(len(op.iterator_types)):
        if of[op, d] in bad:
            k = ix.known(size[of[op, d]])
            points *= SMALL_POINTS + 1 if k is None else k
    return points > SMALL_POINTS


def _connect(
    op: GenericOp,
    value: Value,
    results: Sequence[AffineExpr],
    connect: Callable[[Loop, Loop], None],
    bad: set[Loop],
) -> None:
    producer = value.defining_op
    if not isinstance(producer, GenericOp):
        return
    k = generics.result_index(value)
    positions = producer.output_maps[k].projected_dims()
    assert positions is not None
    for p, e in zip(positions, results, strict=True):
        if isinstance(e, AffineDim):
            connect((producer, p), (op, e.position))
        else:
            bad.add((producer, p))
