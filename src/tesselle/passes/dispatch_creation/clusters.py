"""Groups of operations that run as one dispatch, and the rule that says which groups may become one.

Every group has *common dimensions*: parallel loops that all its operations share, over which the dispatch is tiled. A
producer P and a consumer C may share a dispatch when C reads P, in each common dimension, at exactly the place where it
stands itself; then a tile of P feeds one tile of C and nothing is computed twice. A dimension in which that does not
hold (a reduction, a broadcast) leaves the common dimensions: P and C then go through all of it inside each tile.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg import ops as linalg
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.affine import AffineDim, AffineMap
from tesselle.ir.core import ELEMENTWISE, Op, OpResult, Value
from tesselle.ir.types import Dim, DType, TensorType
from tesselle.passes.global_optimization.fuse_elementwise import CHEAP_LIMIT, body_cost

MINIMUM_TILES = 64
"""Fusing that leaves fewer tiles than this serialises the dispatch: not done, unless the work is small anyway."""
SMALL_WORK = 1 << 15
"""Elements below which a dispatch is too small to share between cores."""
SMALL_REDUCTION = 1 << 17
"""The same for elements that are read, where reductions leave few."""
SCRATCH_BYTES = 1 << 16
"""What one intermediate may take per tile: it stays in the core's own cache."""
_RECOMPUTED_READERS = 2
_MOST_RECOMPUTED = 2
"""Rows of unknown length have no such place: how many of them a dispatch computes again, and for how many readers."""


class Kind(enum.Enum):
    LOOPS = "linalg.generic operations that share parallel loops"
    CONTRACTION = "a matrix product or convolution and what is done to its result element by element"
    SINGLE = "one operation that is a dispatch of its own"


@dataclass(frozen=True)
class Read:
    """How an operation reads a tensor: for each dimension the parallel loop at whose place it stands, or None.

    `whole`: no tile of it suffices, as the body reads it at positions that it computes, or the loops run through it
    backwards.
    """

    value: Value
    loops: tuple[int | None, ...]
    whole: bool = False


@dataclass(frozen=True)
class LoopNest:
    """What fusion needs to know of an operation. Loops are numbered; only parallel ones can be common."""

    op: Op
    kind: Kind
    extents: dict[int, Dim]
    results: tuple[tuple[int, ...], ...]
    reads: tuple[Read, ...]
    is_elementwise: bool


def is_fill_or_empty(value: Value) -> bool:
    """Whether the value is an initial value that every dispatch makes for itself."""
    return isinstance(value.defining_op, linalg.FillOp | tensor.EmptyOp)


def loop_nest(op: Op) -> LoopNest | None:
    """The loop nest of an operation that the device does; None for what the host does."""
    if isinstance(op, linalg.GenericOp):
        return _generic_nest(op)
    if isinstance(op, linalg.FillOp) or not op.results:
        return None
    if isinstance(op, linalg.SortOp | linalg.ScatterOp):
        return _opaque_nest(op, Kind.SINGLE)
    if op.dialect == "linalg":
        return _opaque_nest(op, Kind.CONTRACTION)
    if isinstance(op, tensor.ExtractSliceOp | tensor.InsertSliceOp | tensor.PadOp | tensor.ConcatOp):
        return _opaque_nest(op, Kind.SINGLE)
    return None


def _opaque_nest(op: Op, kind: Kind) -> LoopNest:
    """Loops are the dimensions of the (first) result; operands are read in a way that fusion does not follow."""
    t = tensor_type(op.results[0])
    nothing = tuple(
        Read(v, (None,) * v.type.rank)
        for v in op.operands
        if isinstance(v.type, TensorType) and not is_fill_or_empty(v)
    )
    dims = tuple(range(t.rank))
    return LoopNest(op, kind, dict(enumerate(t.shape)), (dims,) * len(op.results), nothing, False)


def _generic_nest(op: linalg.GenericOp) -> LoopNest:
    parallel = set(op.parallel_dims)
    reads: list[Read] = []
    for value, m in zip(op.operands, op.indexing_maps, strict=True):
        if isinstance(value.type, TensorType) and not is_fill_or_empty(value):
            places = (e.position if isinstance(e, AffineDim) else None for e in m.results)
            reads.append(Read(value, tuple(p if p in parallel else None for p in places), _runs_backwards(m)))
    gathers = False
    for inner in op.body.walk():
        for value in inner.operands:
            if isinstance(value.type, TensorType):
                gathers = True
                reads.append(Read(value, (None,) * value.type.rank, whole=True))
    results = tuple(m.projected_dims() or () for m in op.output_maps)
    extents: dict[int, Dim] = {}
    for d, (operand, axis) in enumerate(linalg.loop_ranges(op)):
        if d in parallel:
            extents[d] = tensor_type(op.operands[operand]).shape[axis]
    return LoopNest(op, Kind.LOOPS, extents, results, tuple(reads), op.is_elementwise and not gathers)


def _runs_backwards(m: AffineMap) -> bool:
    """Whether a loop walks through a dimension from its end."""
    linear = (e.linear_coefficients(m.dim_count) for e in m.results if not isinstance(e, AffineDim))
    return any(c < 0 for found in linear if found is not None for c in found[0])


@dataclass(eq=False)
class Cluster:
    """A group of operations. `common[i]` is the loop of each member that is common dimension i."""

    nests: dict[Op, LoopNest]
    kind: Kind
    common: list[dict[Op, int]] = field(default_factory=list[dict[Op, int]])
    first: int = 0
    last: int = 0

    @staticmethod
    def of(nest: LoopNest, position: int) -> Cluster:
        common = [{nest.op: d} for d in nest.extents]
        return Cluster({nest.op: nest}, nest.kind, common, position, position)

    @property
    def is_elementwise(self) -> bool:
        return all(n.is_elementwise for n in self.nests.values())

    def extent(self, common: dict[Op, int]) -> Dim:
        """The size of a common dimension, None when no member's is static."""
        sizes = (self.nests[op].extents[d] for op, d in common.items())
        return next((s for s in sizes if s is not None), None)


@dataclass(frozen=True)
class Edge:
    """`consumer` reads result `index` of `producer`."""

    producer: Op
    index: int
    consumer: Op
    read: Read


def edges_between(producer: Cluster, consumer: Cluster) -> list[Edge]:
    found: list[Edge] = []
    for op, nest in consumer.nests.items():
        for read in nest.reads:
            value = read.value
            if isinstance(value, OpResult) and value.op in producer.nests:
                found.append(Edge(value.op, value.index, op, read))
    return found


def _aligned(a: Cluster, b: Cluster, edges: Sequence[Edge]) -> list[tuple[int, int]]:
    """Pairs (common dimension of a, of b) that are the same loop along every edge.

    Extents must agree: who reads only the first elements must not decide over how many are computed.
    """
    pairs: set[tuple[int, int]] | None = None
    for e in edges:
        of_a = {loops[e.producer]: i for i, loops in enumerate(a.common) if e.producer in loops}
        of_b = {loops[e.consumer]: i for i, loops in enumerate(b.common) if e.consumer in loops}
        here: set[tuple[int, int]] = set()
        for loop, place in zip(a.nests[e.producer].results[e.index], e.read.loops, strict=True):
            i, j = of_a.get(loop), of_b.get(place) if place is not None else None
            if i is not None and j is not None and a.extent(a.common[i]) == b.extent(b.common[j]):
                here.add((i, j))
        pairs = here if pairs is None else pairs & here
    found = sorted(pairs or ())
    unique_a = {i for i, _ in found if sum(i == x for x, _ in found) == 1}
    unique_b = {j for _, j in found if sum(j == y for _, y in found) == 1}
    return [(i, j) for i, j in found if i in unique_a and j in unique_b]


def _product(sizes: Sequence[Dim]) -> int | None:
    known = [s for s in sizes if s is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def merged(a: Cluster, b: Cluster) -> Cluster | None:
    """The cluster of producer `a` and consumer `b` together, None when they may not share a dispatch.

    Paths between them through other operations are the caller's question.
    """
    if b.kind is not Kind.LOOPS or a.kind is Kind.SINGLE:
        return None
    edges = edges_between(a, b)
    # What must be there as a whole would be made by every tile.
    if not edges or any(e.read.whole for e in edges):
        return None
    pairs = _aligned(a, b, edges)
    if a.kind is Kind.CONTRACTION and not _is_epilogue(a, b, edges, pairs):
        return None
    common = [{**a.common[i], **b.common[j]} for i, j in pairs]
    nests = {**a.nests, **b.nests}
    result = Cluster(nests, a.kind, common, min(a.first, b.first), max(a.last, b.last))
    if a.kind is Kind.LOOPS and not _keeps_parallelism(result, a, b):
        return None
    return result


def padded(a: Cluster, b: Cluster) -> Cluster | None:
    """The cluster of contraction `a` and `b`, a pad of its result, which then is written into the middle of the padded
    tensor; None when the two may not share a dispatch.

    That takes packed weights (their kernels write so), operands that they read through strides, no other reader, and
    a constant border: from the first padded dimension on all sizes are known, and the innermost one is not padded.
    """
    (op,) = b.nests
    source = op.operands[0]
    if not isinstance(op, tensor.PadOp) or not isinstance(source, OpResult) or source.op not in a.nests:
        return None
    if not any(isinstance(n, PackedContractOp | PackedConvOp) for n in a.nests) or isinstance(source.op, tensor.PadOp):
        return None
    if len(source.uses) != 1 or not isinstance(op.value.defining_op, arith.ConstantOp):
        return None
    if not all(_reads_through_strides(n) for n in a.nests):
        return None
    around = list(zip(op.mixed_low, op.mixed_high, strict=True))
    first = next((d for d, amounts in enumerate(around) if amounts != (0, 0)), None)
    if first is None or around[-1] != (0, 0) or not all(isinstance(n, int) for amounts in around for n in amounts):
        return None
    if None in (*tensor_type(source).shape[first:], *tensor_type(op.result).shape[first:]):
        return None
    return Cluster({**a.nests, **b.nests}, a.kind, a.common, min(a.first, b.first), max(a.last, b.last))


def _reads_through_strides(op: Op) -> bool:
    """Whether every operand of an elementwise operation lies at a known step along each loop."""
    if not isinstance(op, linalg.GenericOp):
        return True
    for value, m in zip(op.operands, op.indexing_maps, strict=True):
        if isinstance(value.type, TensorType) and not value.type.is_static and m.projected_dims() is None:
            return False
        if any(e.linear_coefficients(m.dim_count) is None for e in m.results):
            return False
    return True


def _is_epilogue(a: Cluster, b: Cluster, edges: Sequence[Edge], pairs: Sequence[tuple[int, int]]) -> bool:
    """Element by element, over exactly the loops of the root's result, and the only user of what it takes."""
    if not b.is_elementwise or len(pairs) != len(a.common) or len(pairs) != len(b.common):
        return False
    if any(len(n.extents) != len(pairs) for n in b.nests.values()):
        return False
    if not all(_is_plain_arithmetic(op) for op in b.nests):
        return False
    if any(place is None for e in edges for place in e.read.loops):
        return False
    for e in edges:
        users = e.producer.results[e.index].users
        if any(u not in b.nests and u not in a.nests for u in users):
            return False
    return True


def _is_plain_arithmetic(op: Op) -> bool:
    """Whether a body computes on elements in registers alone: no loop counters, no memory, no complex numbers."""
    if not isinstance(op, linalg.GenericOp):
        return True
    if any(isinstance(arg.type, DType) and arg.type.is_complex for arg in op.body.block.args):
        return False
    return all(
        inner.dialect != "complex"
        and (ELEMENTWISE in inner.TRAITS or isinstance(inner, arith.ConstantOp | linalg.YieldOp))
        for inner in op.body.block
    )


def _keeps_parallelism(result: Cluster, a: Cluster, b: Cluster) -> bool:
    tiles = _product([result.extent(c) for c in result.common])
    before = [_product([x.extent(c) for c in x.common]) for x in (a, b)]
    sizes = [_product(tensor_type(r).shape) for op in result.nests for r in op.results]
    static = [s for s in sizes if s is not None]
    work = max(static, default=0) if len(static) == len(sizes) else None
    read = [_product(v.type.shape) for op in result.nests for v in op.operands if isinstance(v.type, TensorType)]
    is_large = work is None or work > SMALL_WORK or any(n is not None and n > SMALL_REDUCTION for n in read)
    if tiles is not None and tiles < MINIMUM_TILES and is_large and any(t is None or tiles < t for t in before):
        return False
    kept = {op: _scratch_bytes(result, op) for op in a.nests}
    unknown = [op for op, size in kept.items() if size is None]
    # Each may double the work of those that it reads.
    recomputed = all(_is_made_again(a.nests[op]) for op in unknown) and len(unknown) <= _MOST_RECOMPUTED
    return recomputed and all(size is None or size <= SCRATCH_BYTES for size in kept.values())


def _scratch_bytes(cluster: Cluster, producer: Op) -> int | None:
    """What one tile keeps of the largest of the producer's results; None when that is not known."""
    nest = cluster.nests[producer]
    tiled = {loops[producer] for loops in cluster.common}
    largest = 0
    for r, loops in zip(producer.results, nest.results, strict=True):
        elements = _product([nest.extents[d] for d in loops if d not in tiled])
        if elements is None:
            return None
        largest = max(largest, elements * tensor_type(r).dtype.size_bytes)
    return largest


def _is_made_again(nest: LoopNest) -> bool:
    """Whether rows of unknown length may be computed where they are read, as no tile has room for them.

    That is done at most twice when it is expensive (softmax: once, as its exponentials lie in the row of the result).
    """
    op = nest.op
    if not isinstance(op, linalg.GenericOp) or not nest.is_elementwise or len(op.results) != 1:
        return False
    result = op.results[0]
    if op.body.block.args[-1].uses or not op.output_maps[0].is_permutation:
        return False
    if not all(isinstance(u, linalg.GenericOp) and i < len(u.inputs) for u, i in result.uses):
        return False
    readers = {user for user, _ in result.uses}
    return len(readers) <= _RECOMPUTED_READERS or body_cost(op.body.block) <= CHEAP_LIMIT
