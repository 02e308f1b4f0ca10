"""propagate-transposes: transposes around matrix products melt into the products' maps.

    %t = linalg.generic ins(%k) { yield }     permutation (d0, d1) -> (d1, d0)
    linalg.contract %q, %t  maps (m, k), (k, n), (m, n)
    ->
    linalg.contract %q, %k  maps (m, k), (n, k), (m, n)

A product reads its operands and writes its result in any order, so that no element is moved for it alone; constant
weights stay as they are stored. Reshapes that only add or drop ones in between are carried to the other side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import build_reshape


def permutation_of(value: Value) -> tuple[Value, tuple[int, ...]] | None:
    """`(x, p)` when a loop nest makes `value` by moving elements: value[i] = x[j] with i[d] = j[p[d]]."""
    op = value.defining_op
    if not isinstance(op, linalg.GenericOp) or len(op.inputs) != 1 or len(op.results) != 1:
        return None
    block = op.body.block
    if block.first is not block.last or block.terminator.operands != (block.args[0],):
        return None
    read, write = op.indexing_maps
    places = read.projected_dims()
    if not write.is_identity or places is None or not read.is_permutation:
        return None
    # A generic may read a part only: then it is a slice.
    shape = tensor_type(op.results[0]).shape
    if tensor_type(op.inputs[0]).shape != tuple(shape[d] for d in places):
        return None
    return op.inputs[0], tuple(places.index(d) for d in range(len(places)))


def _drop_ones(value: Value) -> tuple[Value, list[int]] | None:
    """`(w, kept)` when `value` is w without dimensions of size 1 (all but `kept`), by a reshape of static tensors."""
    op = value.defining_op
    if not isinstance(op, tensor.CollapseShapeOp | tensor.ReshapeOp):
        return None
    source, target = tensor_type(op.operand), tensor_type(value)
    if not source.is_static or not target.is_static:
        return None
    kept: list[int] = []
    for d, size in enumerate(source.static_shape):
        wanted = target.shape[len(kept)] if len(kept) < target.rank else None
        spare = source.rank - d > target.rank - len(kept)
        if size == wanted and not (size == 1 and spare):
            kept.append(d)
        elif size != 1:
            return None
    return (op.operand, kept) if len(kept) == target.rank else None


def _read_through(b: Builder, value: Value) -> tuple[Value, tuple[int, ...]] | None:
    """`(x, p)`: the value is x transposed by p, where a view of x may be made by `b`."""
    direct = permutation_of(value)
    if direct is not None:
        return direct
    dropped = _drop_ones(value)
    if dropped is None:
        return None
    wide, kept = dropped
    moved = permutation_of(wide)
    if moved is None:
        return None
    x, p = moved
    places = sorted(p[d] for d in kept)
    shape = [tensor_type(x).static_shape[d] for d in places]
    return build_reshape(b, x, shape), tuple(places.index(p[d]) for d in kept)


def _permute(m: AffineMap, p: Sequence[int]) -> AffineMap:
    """The map that reads x where `m` reads x transposed by p."""
    return AffineMap(m.dim_count, m.symbol_count, tuple(m.results[p.index(d)] for d in range(len(p))))


@register_pass("propagate-transposes", needs=[Fact.LINALG])
@dataclass(frozen=True)
class PropagateTransposes(Pass):
    """Let linalg.contract read transposed operands in place and write its result transposed."""

    def run(self, module: Op) -> None:
        for op in list(module.walk()):
            if isinstance(op, linalg.ContractOp):
                _read_operands(op)
                _write_result(op)
        eliminate_dead_code(module)


def _read_operands(op: linalg.ContractOp) -> None:
    b = Builder.before_op(op)
    for i in (0, 1):
        while (found := _read_through(b, op.operands[i])) is not None:
            x, p = found
            maps = list(op.indexing_maps)
            maps[i] = _permute(maps[i], p)
            op.set_operand(i, x)
            op.indexing_maps = tuple(maps)


def _write_result(op: linalg.ContractOp) -> None:
    """contract -> transpose, the only reader of it: the product writes in the transposed order."""
    while (reader := _only_reader(op.result)) is not None:
        last: Op = reader
        ones: tensor.ExpandShapeOp | None = None
        if isinstance(reader, tensor.ExpandShapeOp):
            following = _only_reader(reader.result)
            if following is None:
                return
            ones, last = reader, following
        if not last.results:
            return
        moved = permutation_of(last.results[0])
        if moved is None:
            return
        p = list(moved[1])
        if ones is not None:
            kept = _places_without_ones(ones)
            if kept is None:
                return
            p = [kept.index(d) for d in p if d in kept]
        b = Builder.before_op(op)
        fill = op.output.defining_op
        t = tensor_type(op.result)
        if not isinstance(fill, linalg.FillOp) or not t.is_static or sorted(p) != list(range(t.rank)):
            return
        shape = tuple(t.static_shape[d] for d in p)
        empty = b.insert(tensor.EmptyOp((), t.with_shape(shape))).result
        start = b.insert(linalg.FillOp(fill.value, empty)).result
        out = op.indexing_maps[2]
        write = AffineMap(out.dim_count, 0, tuple(out.results[d] for d in p))
        made = b.insert(linalg.ContractOp(op.lhs, op.rhs, start, (*op.indexing_maps[:2], write)))
        after = Builder.before_op(last)
        last.replace_with(build_reshape(after, made.result, list(tensor_type(last.results[0]).static_shape)))
        if ones is not None:
            ones.erase()
        op.erase()
        op = made


def _only_reader(value: Value) -> Op | None:
    return next(iter(value.uses))[0] if value.has_one_use else None


def _places_without_ones(op: tensor.ExpandShapeOp) -> list[int] | None:
    """For each operand dimension the result dimension that stands for it, when the reshape only adds ones."""
    shape = tensor_type(op.result).shape
    source = tensor_type(op.operand).shape
    places: list[int] = []
    for size, group in zip(source, op.reassociation, strict=True):
        same = [d for d in group if shape[d] == size]
        if not same or any(shape[d] != 1 for d in group if d != same[0]):
            return None
        places.append(same[0])
    return places
