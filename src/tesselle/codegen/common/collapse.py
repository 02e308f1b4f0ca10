"""Fewer and longer loops: unit dimensions go, and dimensions that lie together in every operand become one.

linalg.generic over [1, 128, 384] on memref<1x128x384xf32>  ->  over [49152] on memref<49152xf32>
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.sizes import buffer_sizes, loop_sizes, tensor_sizes
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp, ToTensorOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import GenericOp, IndexOp
from tesselle.ir.affine import AffineConst, AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import TensorType

Groups = Sequence[Sequence[int]]
"""For each dimension of a new shape, the adjacent dimensions of the old one that it stands for."""


def collapse_dims(kernel: KernelFunction) -> None:
    """Drop unit dimensions, then merge as many pairs of loops as possible."""
    _drop_unit_dims(kernel)
    while _merge_one_pair(kernel):
        pass
    eliminate_dead_code(kernel.function)


def generics_of(kernel: KernelFunction) -> list[GenericOp]:
    return [op for op in kernel.function.entry if isinstance(op, GenericOp)]


class _Regrouper:
    """Gives tensors other shapes: buffers become other views, empties other empties, results what their op now
    makes.
    """

    def __init__(self, kernel: KernelFunction) -> None:
        self.kernel = kernel
        self.results: dict[Value, Value] = {}
        self.result_groups: dict[Value, Groups] = {}

    def operand(self, b: Builder, value: Value, groups: Groups) -> Value:
        """`value` with its dimensions grouped."""
        if value in self.results:
            return self.results[value]
        t = tensor_type(value)
        if len(groups) == t.rank:
            return value
        op = value.defining_op
        sizes = [ix.product(b, [s[d] for d in g]) for s in [tensor_sizes(self.kernel, b, value)] for g in groups]
        if isinstance(op, ToTensorOp):
            return b.insert(ToTensorOp(self.buffer(b, op.buffer, groups))).result
        assert isinstance(op, tensor.EmptyOp), f"{value} has no other shape"
        return generics.empty_like(b, t, sizes)

    def buffer(self, b: Builder, buffer: Value, groups: Groups) -> Value:
        t = memref_type(buffer)
        sizes = buffer_sizes(self.kernel, b, buffer)
        if t.strides is None and t.offset == 0:
            return memory.reinterpret(b, buffer, [ix.product(b, [sizes[d] for d in g]) for g in groups])
        keep = [g[0] for g in groups]
        return memory.subview(b, buffer, [0] * t.rank, sizes, keep=keep)

    def rebuild(
        self, op: GenericOp, operands: Sequence[Value], maps: Sequence[AffineMap], loops: Sequence[int]
    ) -> None:
        """Replace `op` by one over `loops` of its loops; the body's counters of other loops are 0."""
        body = generics.clone_body(op)
        for inner in body.block:
            if isinstance(inner, IndexOp):
                at = Builder.before_op(inner)
                if inner.dim in loops:
                    inner.replace_with(at.insert(IndexOp(loops.index(inner.dim))).result)
                else:
                    inner.replace_with(at.insert(arith.ConstantOp(0, inner.result.type)).result)
        n = len(op.inputs)
        kinds = [op.iterator_types[d] for d in loops]
        new = Builder.before_op(op).insert(generics.make_generic(operands[:n], operands[n:], maps, kinds, body))
        for old, result in zip(op.results, new.results, strict=True):
            self.results[old] = result
            for user in old.users:
                if isinstance(user, MaterializeInDestinationOp):
                    at = Builder.before_op(user)
                    t = tensor_type(old)
                    dest = user.dest
                    if t.rank != tensor_type(result).rank:
                        dest = self.buffer(at, dest, self.result_groups[old])
                    at.insert(MaterializeInDestinationOp(result, dest))
                    user.erase()


def _drop_unit_dims(kernel: KernelFunction) -> None:
    """Loops of one step and dimensions of size one."""
    r = _Regrouper(kernel)
    for op in generics_of(kernel):
        b = Builder.before_op(op)
        sizes = [ix.known(s) for s in loop_sizes(kernel, b, op)]
        loops = [d for d, s in enumerate(sizes) if s != 1]
        table: dict[int, AffineExpr] = {d: AffineConst(0) for d, s in enumerate(sizes) if s == 1}
        table.update({d: AffineDim(i) for i, d in enumerate(loops)})
        operands: list[Value] = []
        maps: list[AffineMap] = []
        for v, m in zip(op.operands, op.indexing_maps, strict=True):
            if not isinstance(v.type, TensorType):
                operands.append(v)
                maps.append(AffineMap(len(loops), 0, ()))
                continue
            keep = [d for d, s in enumerate(v.type.shape) if s != 1]
            groups = _unit_groups(v.type, keep)
            kept = AffineMap(m.dim_count, 0, tuple(m.results[d] for d in keep))
            operands.append(r.operand(b, v, groups) if len(keep) != v.type.rank else r.results.get(v, v))
            maps.append(generics.substitute_dims(kept, table, len(loops)))
        for result in op.results:
            t = tensor_type(result)
            r.result_groups[result] = _unit_groups(t, [d for d, s in enumerate(t.shape) if s != 1])
        r.rebuild(op, operands, maps, loops)
    for op in reversed(generics_of(kernel)):
        if op.results and not any(res.uses for res in op.results):
            op.erase()


def _unit_groups(t: TensorType, keep: Sequence[int]) -> list[tuple[int, ...]]:
    """Groups that leave out unit dimensions (a group names only the dimension that stays)."""
    return [(d,) for d in keep] if len(keep) != t.rank else [(d,) for d in range(t.rank)]


def _merge_one_pair(kernel: KernelFunction) -> bool:
    """Merge one pair of loops throughout the dispatch, if there is one."""
    ops = generics_of(kernel)
    for op in ops:
        for m in op.indexing_maps:
            dims = [e.position if isinstance(e, AffineDim) else None for e in m.results]
            for a, c in itertools.pairwise(dims):
                if a is None or c is None:
                    continue
                pairs = _spread(kernel, ops, op, (a, c))
                if pairs is not None:
                    _merge(kernel, ops, pairs)
                    return True
    return False


Pairs = dict[GenericOp, tuple[int, int]]


def _spread(kernel: KernelFunction, ops: Sequence[GenericOp], op: GenericOp, pair: tuple[int, int]) -> Pairs | None:
    """The pair of loops in `op` and the corresponding ones in the operations connected with it; None if one objects."""
    pairs: Pairs = {op: pair}
    todo = [op]
    while todo:
        here = todo.pop()
        if not _mergeable(kernel, here, pairs[here]):
            return None
        for i, v in enumerate(here.operands):
            producer = v.defining_op
            if isinstance(producer, GenericOp):
                k = generics.result_index(v)
                edges = [(producer, producer.output_maps[k], here.indexing_maps[i])]
                for other, theirs, ours in edges:
                    if not _connect(pairs, todo, other, theirs, ours, pairs[here]):
                        return None
        for k, result in enumerate(here.results):
            for user, index in result.uses:
                if isinstance(user, GenericOp):
                    ours, theirs = here.output_maps[k], user.indexing_maps[index]
                    if not _connect(pairs, todo, user, theirs, ours, pairs[here]):
                        return None
    return pairs


def _connect(
    pairs: Pairs, todo: list[GenericOp], other: GenericOp, theirs: AffineMap, ours: AffineMap, pair: tuple[int, int]
) -> bool:
    """Carry a pair of loops over a tensor between two operations."""
    where = [j for j, e in enumerate(ours.results) if isinstance(e, AffineDim) and e.position in pair]
    if not where:
        # The other side may not have the pair in this tensor either.
        return True
    a, c = (theirs.results[j] for j in where)
    if not isinstance(a, AffineDim) or not isinstance(c, AffineDim):
        return False
    found = (a.position, c.position)
    if other in pairs:
        return pairs[other] == found
    pairs[other] = found
    todo.append(other)
    return True


def _mergeable(kernel: KernelFunction, op: GenericOp, pair: tuple[int, int]) -> bool:
    a, c = pair
    if op.iterator_types[a] is not op.iterator_types[c] or a == c:
        return False
    if any(isinstance(i, IndexOp) and i.dim in pair for i in op.body.block):
        return False
    b = Builder.before_op(op)
    sizes = loop_sizes(kernel, b, op)
    for v, m in zip(op.operands, op.indexing_maps, strict=True):
        used = [j for j, e in enumerate(m.results) if e.used_dims() & {a, c}]
        if not used:
            continue
        if len(used) != 2 or used[1] != used[0] + 1:
            return False
        if m.results[used[0]] != AffineDim(a) or m.results[used[1]] != AffineDim(c):
            return False
        source = v.defining_op
        if isinstance(source, ToTensorOp) and not _is_whole(source.buffer):
            return False
        # Of a larger operand only a part is read: its rows do not lie together.
        if isinstance(source, GenericOp):
            if tensor_type(v).shape[used[1]] != ix.known(sizes[c]):
                return False
        elif not _same(tensor_sizes(kernel, b, v)[used[1]], sizes[c]):
            return False
    for result in op.results:
        for user in result.users:
            if isinstance(user, MaterializeInDestinationOp):
                if not _is_whole(user.dest):
                    return False
            elif not isinstance(user, GenericOp):
                return False  # a body reads elements by their position
    return True


def _same(x: ix.Size, y: ix.Size) -> bool:
    """Whether two sizes are equal for certain."""
    return x is y or ix.known(x) == ix.known(y) is not None


def _is_whole(buffer: Value) -> bool:
    t = memref_type(buffer)
    return t.strides is None and t.offset == 0


def _merge(kernel: KernelFunction, ops: Sequence[GenericOp], pairs: Pairs) -> None:
    r = _Regrouper(kernel)
    for op in ops:
        if op not in pairs:
            if any(v in r.results for v in op.operands):
                op.set_operands([r.results.get(v, v) for v in op.operands])
            continue
        _, c = pairs[op]
        b = Builder.before_op(op)
        loops = [d for d in range(len(op.iterator_types)) if d != c]
        table: dict[int, AffineExpr] = {d: AffineDim(i) for i, d in enumerate(loops)}
        operands: list[Value] = []
        maps: list[AffineMap] = []
        for v, m in zip(op.operands, op.indexing_maps, strict=True):
            groups = _pair_groups(m, c)
            operands.append(r.operand(b, v, groups) if isinstance(v.type, TensorType) else v)
            kept = AffineMap(m.dim_count, 0, tuple(e for e in m.results if e != AffineDim(c)))
            maps.append(generics.substitute_dims(kept, table, len(loops)))
        for result, m in zip(op.results, op.output_maps, strict=True):
            r.result_groups[result] = _pair_groups(m, c)
        r.rebuild(op, operands, maps, loops)
    for op in reversed(ops):
        if op in pairs:
            op.erase()


def _pair_groups(m: AffineMap, second: int) -> list[tuple[int, ...]]:
    groups: list[tuple[int, ...]] = []
    for j, e in enumerate(m.results):
        if e == AffineDim(second):
            groups[-1] = (*groups[-1], j)
        else:
            groups.append((j,))
    return groups
