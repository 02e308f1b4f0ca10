"""What a contraction kernel computes, free of the form in which the program said it.

    root[batch, m, n] = init + sum over k of lhs[batch, m, k] * rhs[batch, k, n];  results = epilogue(root)

Each of batch, m, n, k is a list of loops; operands are strides along loops (see contraction_layout). Matrix products
with any layout, their packed forms, and convolutions (whose input's strides along window loops are dilations) all
become a `Problem`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tesselle.codegen.common.contraction_layout import Extent, Operand, Segments, product_of
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import arith, bufferization, tensor
from tesselle.dialects.core.func import ReturnOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.linalg.ops import FillOp, GenericOp, IndexOp
from tesselle.dialects.linalg.ops import YieldOp as LinalgYieldOp
from tesselle.ir.affine import AffineDim, AffineMap
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import ELEMENTWISE, Op, Value
from tesselle.ir.types import DType, TensorType
from tesselle.support.dtypes import BF16, F16, F32, F64

ACCUMULATORS: Mapping[DType, DType] = {F32: F32, F64: F64, F16: F32, BF16: F32}
"""The type in which sums are kept, by the type of the root's elements."""


@dataclass(frozen=True)
class PackedRhs:
    """A right-hand side in panels: [batch…, ceil(N / panel), K, panel], columns behind N are zero. `operand` has the
    batch strides.
    """

    operand: Operand
    panel: int


@dataclass(frozen=True)
class Scalar:
    """A tensor all of whose elements are one value, which `source` repeats, or one number."""

    source: FillOp | tensor.SplatOp | int | float | bool

    @property
    def value(self) -> Value | int | float | bool:
        """As it is now: scalars that are read from memory are replaced when the kernel is built."""
        return self.source.value if isinstance(self.source, FillOp | tensor.SplatOp) else self.source


@dataclass(frozen=True)
class Stage:
    """One elementwise linalg.generic of the epilogue.

    `inputs`: for each input and output operand where its element comes from: memory, a scalar, an earlier tensor of the
    kernel, or nothing (its body argument has no uses). `loops`: the root's loop for each loop of the generic.
    """

    op: GenericOp
    inputs: tuple[Operand | Scalar | Value | None, ...]
    loops: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    """A tensor of the kernel (the root or the result of a stage) and the memory that it is written to."""

    value: Value
    target: Operand


@dataclass(frozen=True)
class Border:
    """What tensor.pad puts around a result that is written into the middle of `buffer`: `value`, where the indices lie
    outside of [low, low + inner) in some dimension.
    """

    buffer: Value
    sizes: tuple[Extent, ...]
    low: tuple[int, ...]
    inner: tuple[Extent, ...]
    value: Value


@dataclass(frozen=True)
class SplitLoop:
    """A dimension of the result that two loops walk: `loop` = `outer` * `inner_size` + `inner`."""

    loop: int
    outer: int
    inner: int
    inner_size: int


@dataclass(frozen=True)
class Root:
    """The contraction itself. `out_loops`: for each dimension of the result the loop that walks it.

    `split`: the loop among `out_loops` that stands for two of the loops of the contraction, if any.
    """

    op: Op
    sizes: Mapping[int, Extent]
    batch: tuple[int, ...]
    m: tuple[int, ...]
    n: tuple[int, ...]
    k: tuple[int, ...]
    lhs: Operand
    rhs: Operand | PackedRhs
    out_loops: tuple[int, ...]
    dtype: DType
    split: SplitLoop | None = None

    @property
    def is_depthwise(self) -> bool:
        """Whether the left-hand side moves along columns: products are then element by element, not outer products."""
        return any(d in self.lhs.strides for d in self.n)

    @property
    def accumulator(self) -> DType:
        return ACCUMULATORS[self.dtype]

    def size(self, loops: Sequence[int]) -> Extent:
        return product_of([self.sizes[d] for d in loops])

    def along(self, loops: Sequence[int], operand: Operand) -> Segments:
        return Segments.along(loops, self.sizes, operand)


@dataclass(frozen=True)
class Problem:
    """A dispatch that is a contraction. `init`: where the sums start (None: at zero). `borders`: of padded results."""

    root: Root
    init: Operand | Scalar | None
    stages: tuple[Stage, ...]
    results: tuple[Result, ...]
    scalars: tuple[Op, ...] = ()
    """Scalar operations outside of bodies that must be kept; tensor.extract among them reads memory."""
    borders: tuple[Border, ...] = ()

    @property
    def stage_weight(self) -> int:
        """A rough number of instructions for one vector of the epilogue."""
        heavy = sum(20 for s in self.stages for op in s.op.body.block if op.name.startswith("math."))
        return heavy + sum(1 for s in self.stages for _ in s.op.body.block)


@dataclass(frozen=True)
class Sources:
    """What the tensors of a bound dispatch function are made of."""

    kernel: KernelFunction

    def dense(self, buffer: Value) -> tuple[list[Extent], list[Extent]]:
        """Sizes and row-major strides of a binding."""
        sizes = [Extent.of(self.kernel.binding_dim(buffer, d)) for d in range(memref_type(buffer).rank)]
        return sizes, [product_of(sizes[d + 1 :]) for d in range(len(sizes))]

    def operand(self, value: Value, map: AffineMap) -> Operand | None:
        """A tensor read from a binding through `map`; None for other tensors and for maps that are not linear."""
        buffer = binding_of(value)
        return None if buffer is None else self.memory(buffer, map)

    def memory(self, buffer: Value, map: AffineMap) -> Operand | None:
        _, strides = self.dense(buffer)
        found: dict[int, Extent] = {}
        offset = 0
        for e, stride in zip(map.results, strides, strict=True):
            linear = e.linear_coefficients(map.dim_count)
            if linear is None:
                return None
            coefficients, constant = linear
            if constant and stride.known is None:
                return None
            offset += constant * (stride.known or 0)
            for d, c in enumerate(coefficients):
                if c:
                    term = Extent(c) * stride
                    have = found.get(d)
                    if have is None:
                        found[d] = term
                    elif have.factors == term.factors:
                        found[d] = Extent(have.coefficient + term.coefficient, have.factors)
                    else:
                        return None
        return Operand(buffer, memref_type(buffer).dtype, found, offset)

    def uniform(self, value: Value) -> Scalar | None:
        """The scalar that all elements of `value` are, when a fill or splat made it."""
        op = value.defining_op
        if isinstance(op, FillOp | tensor.SplatOp):
            return Scalar(op)
        if isinstance(op, arith.ConstantOp) and isinstance(op.value, DenseElements) and op.value.is_splat:
            return Scalar(op.value.splat_value.item())
        return None


def binding_of(value: Value) -> Value | None:
    """The binding that a tensor is read from."""
    op = value.defining_op
    while isinstance(op, tensor.CastOp):
        op = op.operand.defining_op
    return op.buffer if isinstance(op, bufferization.ToTensorOp) else None


def elementwise_body(op: GenericOp) -> bool:
    """Whether the body consists of operations that work on vectors, and reads no memory by itself."""
    return all(
        ELEMENTWISE in o.TRAITS or isinstance(o, arith.ConstantOp | IndexOp | LinalgYieldOp) for o in op.body.block
    )


_TRANSPARENT = (bufferization.ToTensorOp, FillOp, tensor.EmptyOp, tensor.SplatOp, tensor.CastOp, ReturnOp)


def problem_of(kernel: KernelFunction, root: Root, init: Value) -> Problem | None:
    """The problem of a dispatch function around `root`; None when something else stands in the function."""
    sources = Sources(kernel)
    stages: list[Stage] = []
    results: list[Result] = []
    scalars: list[Op] = []
    pads: dict[Value, tensor.PadOp] = {}
    borders: list[Border] = []
    places: dict[Value, tuple[int, ...]] = {root.op.result: root.out_loops}
    for op in kernel.function.entry:
        if op is root.op or isinstance(op, _TRANSPARENT):
            continue
        if isinstance(op, bufferization.MaterializeInDestinationOp):
            loops = places.get(op.source)
            if loops is None:
                return None
            pad = pads.get(op.source)
            low = [0] * len(loops) if pad is None else [n for n in pad.mixed_low if isinstance(n, int)]
            target = sources.memory(op.dest, _moved(loops, low))
            if target is None:
                return None
            results.append(Result(op.source if pad is None else pad.operand, target))
            if pad is not None:
                borders.append(_border(sources, pad, op.dest))
        elif isinstance(op, tensor.PadOp):
            loops = places.get(op.operand)
            if loops is None or not all(isinstance(n, int) for n in (*op.mixed_low, *op.mixed_high)):
                return None
            places[op.result], pads[op.result] = loops, op
        elif isinstance(op, GenericOp):
            stage = _stage(sources, op, places)
            if stage is None:
                return None
            stages.append(stage)
            for m, r in zip(op.output_maps, op.results, strict=True):
                projected = m.projected_dims()
                assert projected is not None
                places[r] = tuple(stage.loops[d] for d in projected)
        elif _is_scalar(op):
            scalars.append(op)
        elif not (len(op.results) == 1 and sources.uniform(op.result)):
            return None
    start: Operand | Scalar | None = sources.uniform(init)
    if start is None and not isinstance(init.defining_op, tensor.EmptyOp):
        start = sources.operand(init, AffineMap.select(max(root.out_loops, default=0) + 1, root.out_loops))
        if start is None:
            return None
    if isinstance(start, Scalar) and _is_zero(start.value):
        start = None
    if not results:
        return None
    return Problem(root, start, tuple(stages), tuple(results), tuple(scalars), tuple(borders))


def _moved(loops: Sequence[int], low: Sequence[int]) -> AffineMap:
    """From the loops to the indices of a result that begins at `low`."""
    count = max(loops, default=0) + 1
    return AffineMap(count, 0, tuple(AffineDim(d) + k for d, k in zip(loops, low, strict=True)))


def _border(sources: Sources, pad: tensor.PadOp, dest: Value) -> Border:
    sizes, _ = sources.dense(dest)
    low = [n for n in pad.mixed_low if isinstance(n, int)]
    shape = tensor.tensor_type(pad.operand).shape
    inner = [s if known is None else Extent(known) for s, known in zip(sizes, shape, strict=True)]
    return Border(dest, tuple(sizes), tuple(low), tuple(inner), pad.value)


def _is_zero(value: Value | float) -> bool:
    """Whether it is 0, from which a sum starts by itself; -0 is not."""
    if isinstance(value, Value):
        op = value.defining_op
        if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, int | float):
            return False
        value = op.value
    return value == 0 and math.copysign(1.0, value) > 0


def _is_scalar(op: Op) -> bool:
    if isinstance(op, tensor.ExtractOp | tensor.DimOp):
        return binding_of(op.operand) is not None
    known = ELEMENTWISE in op.TRAITS or isinstance(op, arith.ConstantOp)
    return known and not any(isinstance(t, TensorType) for t in op.result_types)


def _stage(sources: Sources, op: GenericOp, places: Mapping[Value, tuple[int, ...]]) -> Stage | None:
    count = len(op.iterator_types)
    if not op.is_elementwise or not elementwise_body(op):
        return None
    if not all(m.is_permutation for m in op.output_maps):
        return None
    anchor = next(((v, m) for v, m in zip(op.inputs, op.input_maps, strict=True) if v in places), None)
    if anchor is None or not anchor[1].is_permutation:
        return None
    loops = [0] * count
    projected = anchor[1].projected_dims()
    assert projected is not None
    for d, loop in zip(projected, places[anchor[0]], strict=True):
        loops[d] = loop
    inputs: list[Operand | Scalar | Value | None] = []
    for v, m, arg in zip(op.operands, op.indexing_maps, op.body.block.args, strict=True):
        if v in places:
            dims = m.projected_dims()
            if dims is None or tuple(loops[d] for d in dims) != places[v]:
                return None
            inputs.append(v)
        elif not arg.uses:
            inputs.append(None)
        else:
            source = sources.uniform(v) or sources.operand(v, m)
            if source is None:
                return None
            if isinstance(source, Operand):
                source = replace(source, strides={loops[d]: s for d, s in source.strides.items()})
            inputs.append(source)
    return Stage(op, tuple(inputs), tuple(loops))
