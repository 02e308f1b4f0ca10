"""linalg: every operation is a perfect loop nest with a body, so that tiling, fusion and vectorisation are one code.

`outs` are destinations: their types are the result types; their elements are the initial values of reductions and are
not read where the body does not use them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.ir.affine import AffineDim, AffineExpr, AffineMap, dim
from tesselle.ir.core import PURE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, variadic_def
from tesselle.ir.types import ShapedType, TensorType, Type
from tesselle.support.dtypes import INDEX


class IteratorType(enum.Enum):
    PARALLEL = "parallel"
    REDUCTION = "reduction"


@op("linalg.generic", PURE)
class GenericOp(Op):
    """for d in domain (row-major order): outs[maps_out(d)] = body(ins[maps_in(d)], outs[maps_out(d)]).

    `indexing_maps`: one per input, then one per output, from the loop dimensions to the operand's; output maps are
    projections of parallel dimensions. Loop bounds follow from the operands' shapes (see `loop_ranges`). The body gets
    one scalar per input and output and ends in linalg.yield with one scalar per output; linalg.index reads a loop
    counter; tensor.extract reads captured tensors at computed places (a gather).

    After bufferization operands are memrefs: outputs are written in place and there are no results.
    """

    inputs: Sequence[Value] = variadic_def()
    outputs: Sequence[Value] = variadic_def()
    indexing_maps: tuple[AffineMap, ...] = attr_def()
    iterator_types: tuple[IteratorType, ...] = attr_def()
    body: Region = region_def()

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.outputs if isinstance(v.type, TensorType)]

    def check(self) -> None:
        count = len(self.inputs) + len(self.outputs)
        self.require(len(self.indexing_maps) == count, "maps", f"{len(self.indexing_maps)} maps for {count} operands")
        loops = len(self.iterator_types)
        for i, (m, v) in enumerate(zip(self.indexing_maps, self.operands, strict=True)):
            self.require(m.dim_count == loops, "maps", f"map {i} has {m.dim_count} dimensions for {loops} loops")
            rank = v.type.rank if isinstance(v.type, ShapedType) else 0
            self.require(len(m.results) == rank, "maps", f"map {i} has {len(m.results)} results for rank {rank}")
        args = self.body.block.args
        self.require(len(args) == count, "body", f"the body takes {len(args)} arguments for {count} operands")
        for i, (a, v) in enumerate(zip(args, self.operands, strict=True)):
            element = v.type.dtype if isinstance(v.type, ShapedType) else v.type
            self.require(a.type == element, "body", f"body argument {i} has type {a.type}, expected {element}")
        yielded = self.body.block.terminator.operands
        self.require(
            [v.type for v in yielded] == [o.type.dtype for o in self.outputs if isinstance(o.type, ShapedType)],
            "body",
            "the yielded types are not the element types of the outputs",
        )

    @property
    def input_maps(self) -> tuple[AffineMap, ...]:
        return self.indexing_maps[: len(self.inputs)]

    @property
    def output_maps(self) -> tuple[AffineMap, ...]:
        return self.indexing_maps[len(self.inputs) :]

    @property
    def parallel_dims(self) -> tuple[int, ...]:
        return tuple(i for i, t in enumerate(self.iterator_types) if t is IteratorType.PARALLEL)

    @property
    def reduction_dims(self) -> tuple[int, ...]:
        return tuple(i for i, t in enumerate(self.iterator_types) if t is IteratorType.REDUCTION)

    @property
    def is_elementwise(self) -> bool:
        """All loops parallel."""
        return not self.reduction_dims


@op("linalg.yield", TERMINATOR)
class YieldOp(Op):
    values: Sequence[Value] = variadic_def()


@op("linalg.index", PURE)
class IndexOp(Op):
    """The counter of loop `dim` of the enclosing linalg.generic."""

    dim: int = attr_def()

    def infer(self) -> Sequence[Type]:
        return [INDEX]


@op("linalg.fill", PURE)
class FillOp(Op):
    """result[i] = value."""

    value: Value = operand_def()
    output: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [self.output.type]


@op("linalg.contract", PURE)
class ContractOp(Op):
    """out[maps_out(d)] += lhs[map_lhs(d)] * rhs[map_rhs(d)] over all d: a matrix product of any layout, batched.

    Maps are projections. A loop dimension is batch (in all three), m (lhs, out), n (rhs, out) or k (lhs, rhs).
    Products and sums are taken in the element type of `out`.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    output: Value = operand_def()
    indexing_maps: tuple[AffineMap, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [self.output.type]

    def check(self) -> None:
        self.require(len(self.indexing_maps) == 3, "maps", f"3 maps are needed, found {len(self.indexing_maps)}")
        for i, m in enumerate(self.indexing_maps):
            self.require(m.projected_dims() is not None, "maps", f"map {i} is not a projection: {m}")

    def dims_of(self, role: str) -> tuple[int, ...]:
        """Loop dimensions of a role: "batch", "m", "n" or "k", in order."""
        a, b, c = (m.used_dims() for m in self.indexing_maps)
        want = {
            "batch": a & b & c,
            "m": (a & c) - b,
            "n": (b & c) - a,
            "k": (a & b) - c,
        }[role]
        return tuple(sorted(want))

    @property
    def iterator_types(self) -> tuple[IteratorType, ...]:
        out = self.indexing_maps[2].used_dims()
        count = self.indexing_maps[0].dim_count
        return tuple(IteratorType.PARALLEL if d in out else IteratorType.REDUCTION for d in range(count))


@op("linalg.conv", PURE)
class ConvOp(Op):
    """out[n, x…, f] += input[n, x·stride + w·dilation, g·C + c] * filter[w…, c, f], f in group g, over w and c.

    Shapes: input [N, spatial…, G·C], already padded; filter [window…, C, F]; out [N, spatial…, F]; F divides into
    `groups` groups. Any number of spatial dimensions. Depthwise: groups = G·C.
    """

    input: Value = operand_def()
    filter: Value = operand_def()
    output: Value = operand_def()
    strides: tuple[int, ...] = attr_def()
    dilations: tuple[int, ...] = attr_def()
    groups: int = attr_def(default=1)

    def infer(self) -> Sequence[Type]:
        return [self.output.type]

    def check(self) -> None:
        x, w, y = (tensor_type(v) for v in self.operands)
        n = x.rank - 2
        self.require(w.rank == y.rank == x.rank, "rank", f"ranks differ: {x}, {w}, {y}")
        self.require(len(self.strides) == len(self.dilations) == n, "window", f"{n} strides and dilations are needed")

    @property
    def spatial_rank(self) -> int:
        return tensor_type(self.input).rank - 2


@op("linalg.sort", PURE)
class SortOp(Op):
    """Sort the inputs together along `axis` by a comparator; stable.

    The body gets, per input, the left and the right element, and yields i1: whether left comes first.
    """

    inputs: Sequence[Value] = variadic_def()
    axis: int = attr_def()
    body: Region = region_def()

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.inputs]


@op("linalg.scatter", PURE)
class ScatterOp(Op):
    """for u in updates (row-major): out[place(u)] = body(out[place(u)], updates[u]), where place(u) lies in bounds.

    `indices`: [updates…, k] of index or integers, `updates`: [updates…, window…]; `out`: full shape. Index component j
    addresses dimension `index_dims[j]` of out; the window covers the dimensions of out that `inserted_dims` leaves.
    Elements of a window that do not lie inside out are skipped (StableHLO spec, scatter: "if result_index is in
    bounds"). `unique` promises that no place is written twice.
    """

    updates: Sequence[Value] = variadic_def()
    indices: Value = operand_def()
    outputs: Sequence[Value] = variadic_def()
    index_dims: tuple[int, ...] = attr_def()
    inserted_dims: tuple[int, ...] = attr_def()
    body: Region = region_def()
    unique: bool = attr_def(default=False)

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.outputs]


def conv_maps(op: ConvOp) -> tuple[AffineMap, AffineMap, AffineMap]:
    """Indexing maps of an ungrouped or depthwise-free view of `op`: loops (n, x…, f, w…, c), groups = 1."""
    r = op.spatial_rank
    count = 2 * r + 3
    n, f, c = dim(0), dim(r + 1), dim(count - 1)
    xs = [dim(1 + i) for i in range(r)]
    ws = [dim(r + 2 + i) for i in range(r)]
    window: list[AffineExpr] = [x * s + w * d for x, w, s, d in zip(xs, ws, op.strides, op.dilations, strict=True)]
    return (
        AffineMap(count, 0, (n, *window, c)),
        AffineMap(count, 0, (*ws, c, f)),
        AffineMap(count, 0, (n, *xs, f)),
    )


def loop_ranges(op: GenericOp) -> list[tuple[int, int]]:
    """For each loop, (operand index, dimension) of an operand whose map reads the bare loop dimension there.

    Outputs come first, and of inputs the smallest: an input may be larger than what is read of it (a slice from the
    beginning, and a window that has one place only, have the same map).
    """
    found: dict[int, tuple[int, int]] = {}
    count = len(op.indexing_maps)
    inputs = len(op.inputs)
    for i in (*range(inputs, count), *range(inputs)):
        for j, e in enumerate(op.indexing_maps[i].results):
            if not isinstance(e, AffineDim):
                continue
            known = found.setdefault(e.position, (i, j))
            if known[0] < inputs and _is_smaller(op, (i, j), known):
                found[e.position] = (i, j)
    missing = [d for d in range(len(op.iterator_types)) if d not in found]
    op.require(not missing, "maps", f"the bound of loop {missing[:1]} follows from no operand")
    return [found[d] for d in range(len(op.iterator_types))]


def _is_smaller(op: GenericOp, a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether one dimension of an operand is certainly smaller than another."""
    sizes: list[int | None] = []
    for operand, axis in (a, b):
        t = op.operands[operand].type
        sizes.append(t.shape[axis] if isinstance(t, ShapedType) else None)
    return sizes[0] is not None and sizes[1] is not None and sizes[0] < sizes[1]
