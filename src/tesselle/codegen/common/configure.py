"""Tile sizes: how much one workgroup does, and how much of that at a time stays in the L1 cache.

A workgroup should take several microseconds, so that handing it out costs little, and there should be enough of them
for every core. Costs are estimated from element counts; nothing is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.loop_classes import LoopClasses
from tesselle.codegen.common.strategy import TargetShape
from tesselle.dialects.core import arith, memref, tensor
from tesselle.dialects.linalg.ops import GenericOp
from tesselle.ir.affine import AffineDim
from tesselle.ir.types import ShapedType, TensorType

WORKGROUP_NS = 10_000
MAX_WORKGROUPS = 4096
ASSUMED_SIZE = 512
"""What a dynamic dimension is taken for where costs are estimated."""
MAX_DYNAMIC_TILE = 1 << 15
CONTIGUOUS_TILE = 512
TRANSPOSED_TILE = 64

# Nanoseconds for one element on one core, vectorised.
_BYTE_NS = 0.05
_OP_NS = 0.04
_MATH_NS = 0.8
_GATHER_NS = 1.0


@dataclass(frozen=True)
class Config:
    """`workgroup`: for each tiled class, elements per workgroup; `inner`: elements at a time within it."""

    workgroup: Mapping[int, int]
    inner: Mapping[int, int]


def _size(classes: LoopClasses, cls: int) -> int:
    k = ix.known(classes.size[cls])
    return ASSUMED_SIZE if k is None else k


def _body_ns(op: GenericOp, moved_bytes: int) -> float:
    total = moved_bytes * _BYTE_NS
    for inner in op.body.block:
        if inner.dialect == "math":
            total += _MATH_NS
        elif isinstance(inner, memref.LoadOp | tensor.ExtractOp):
            total += _GATHER_NS
        elif not isinstance(inner, arith.ConstantOp):
            total += _OP_NS
    return total


def estimate_ns(classes: LoopClasses) -> float:
    """One core's time for the whole dispatch."""
    total = 0.0
    for op in classes.ops:
        points = 1
        for d in range(len(op.iterator_types)):
            points *= _size(classes, classes.of[op, d])
        moved = sum(v.type.dtype.size_bytes for v in op.operands if isinstance(v.type, ShapedType))
        total += points * _body_ns(op, moved)
    return total


def contiguous_classes(classes: LoopClasses) -> dict[int, bool]:
    """Classes that are the last dimension of some operand of the highest rank; True where it is an output's."""
    found: dict[int, bool] = {}
    rank = max((len(m.results) for op in classes.ops for m in op.indexing_maps), default=0)
    for op in classes.ops:
        for i, (v, m) in enumerate(zip(op.operands, op.indexing_maps, strict=True)):
            if len(m.results) < rank:
                continue
            if isinstance(v.type, TensorType) and m.results and isinstance(m.results[-1], AffineDim):
                cls = classes.of[op, m.results[-1].position]
                found[cls] = found.get(cls, False) or i >= len(op.inputs)
    return found


def configure(classes: LoopClasses, target: TargetShape) -> Config:
    """Choose tiles for the tileable classes."""
    tiled = classes.tileable
    contiguous = contiguous_classes(classes)
    transposed = sum(1 for c in tiled if c in contiguous) > 1
    least: dict[int, int] = {}
    for c in tiled:
        wish = (TRANSPOSED_TILE if transposed else CONTIGUOUS_TILE) if c in contiguous else 1
        least[c] = max(1, min(wish, _size(classes, c)))
    total = estimate_ns(classes)
    if any(ix.known(classes.size[c]) is None for c in tiled):
        workgroup = _dynamic(classes, least, total)
        return Config(workgroup, _inner(classes, target, workgroup, contiguous, transposed))
    parts = max(1, min(MAX_WORKGROUPS, int(total / WORKGROUP_NS)))
    workgroup: dict[int, int] = {}
    for c in tiled:
        size = max(1, _size(classes, c))
        split = max(1, min(parts, size // least[c]))
        tile = -(-size // split)
        tile = -(-tile // least[c]) * least[c]
        known = ix.known(classes.size[c])
        workgroup[c] = tile if known is None or tile < known else max(1, known)
        parts = max(1, -(-parts // -(-size // tile)))
    return Config(workgroup, _inner(classes, target, workgroup, contiguous, transposed))


def _dynamic(classes: LoopClasses, least: Mapping[int, int], total: float) -> dict[int, int]:
    """Tiles where sizes are unknown: from the innermost class on, until a workgroup has enough to do."""
    tiled = classes.tileable
    points = 1
    for c in tiled:
        points *= _size(classes, c)
    one = max(1e-3, total / max(1, points))
    workgroup: dict[int, int] = {}
    for c in reversed(tiled):
        known = ix.known(classes.size[c])
        wish = max(least[c], min(MAX_DYNAMIC_TILE, int(WORKGROUP_NS / one)))
        tile = -(-wish // least[c]) * least[c]
        workgroup[c] = tile if known is None or tile < known else max(1, known)
        # A class may be empty, and then there is nothing to do whatever the tiles are.
        one *= max(1, min(workgroup[c], _size(classes, c)))
    return {c: workgroup[c] for c in tiled}


def _inner(
    classes: LoopClasses,
    target: TargetShape,
    workgroup: Mapping[int, int],
    contiguous: Mapping[int, bool],
    transposed: bool,
) -> dict[int, int]:
    """Tiles within a workgroup: all of it for a single operation that streams."""
    inner = dict(workgroup)
    if transposed:
        for c in workgroup:
            inner[c] = min(workgroup[c], TRANSPOSED_TILE if c in contiguous else 1)
        return inner
    if len(classes.ops) == 1:
        return inner
    row_bytes = 0
    touched = Counter(v for op in classes.ops for v in {*op.operands, *op.results})
    for op in classes.ops:
        for v, m in zip(op.operands, op.indexing_maps, strict=True):
            # What one operation alone reads goes by once, and needs no room.
            if isinstance(v.type, TensorType) and touched[v] > 1:
                elements = 1
                for e in m.results:
                    for d in e.used_dims():
                        cls = classes.of[op, d]
                        elements *= 1 if cls in workgroup else _size(classes, cls)
                row_bytes = max(row_bytes, elements * v.type.dtype.size_bytes)
    budget = max(1, target.l1_bytes // 4 // max(1, row_bytes))
    for c in reversed(list(workgroup)):
        inner[c] = max(1, min(workgroup[c], budget))
        if inner[c] < workgroup[c] and c in contiguous:
            inner[c] = min(workgroup[c], max(64, inner[c] // 64 * 64))
        budget = max(1, budget // inner[c])
    return inner
