"""The strategy for matrix products: linalg.contract of floats in any layout, with an elementwise epilogue.

How the steps map: *tile* chooses registers, cache blocks and workgroups and writes them on the operation (`tiling`);
*vectorize* replaces the whole function by the tiled kernel (contraction_kernel). Fusion and bufferization have no step
of their own: the epilogue is emitted on the accumulators, and operands are read where they lie, through strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.contraction_border import Share, fill_border
from tesselle.codegen.common.contraction_kernel import ContractionKernel
from tesselle.codegen.common.contraction_layout import Extent, Operand
from tesselle.codegen.common.contraction_problem import (
    ACCUMULATORS,
    PackedRhs,
    Problem,
    Root,
    Sources,
    SplitLoop,
    Stage,
    binding_of,
    problem_of,
)
from tesselle.codegen.common.contraction_tiling import Tiling, choose_tiling
from tesselle.codegen.common.contraction_workgroup import grid
from tesselle.codegen.common.grid import Grid
from tesselle.codegen.common.strategy import KernelFunction, Phase, Plan, TargetShape
from tesselle.dialects.core import arith, memref, tensor
from tesselle.dialects.core.func import ReturnOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp, IndexOp
from tesselle.dialects.linalg.packed import PackedContractOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.support.dtypes import INDEX, DType


@dataclass
class ContractionPlan:
    """A dispatch that is compiled as `problem`."""

    kernel: KernelFunction
    problem: Problem
    target: TargetShape
    tiling: Tiling

    def workgroup_count(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        g = Grid(self.kernel)

        def evaluate(extent: Extent) -> ix.Size:
            return ix.product(g.builder, [extent.coefficient, *(g.size(f) for f in extent.factors)])

        g.finish(*grid(g.builder, self.problem, self.tiling, evaluate))
        return g.build(b, push_constants)

    def phases(self) -> Sequence[Phase]:
        return [("tile", self._tile), ("vectorize", self._vectorize)]

    def explain(self) -> str:
        t, root = self.tiling, self.problem.root
        depth = root.size(root.k).known
        passes = "in one pass" if depth is not None and t.depth >= depth else f"{t.depth} at a time"
        stages = len(self.problem.stages)
        return (
            f"{t.mode.value}, as {t.reason}; {t.rows}x{t.vectors} accumulators of {t.lanes} {root.accumulator},"
            f" workgroups of {t.row_tile}x{t.column_tile}, {depth or 'any number of'} products {passes}"
            f"{', rows copied to local memory first' if t.pack_lhs else ''}"
            f"{f', {stages} more operations on the sums while they are in registers' if stages else ''}"
            f"{', written into the middle of a padded result' if self.problem.borders else ''}"
        )

    def _tile(self) -> None:
        t = self.tiling
        text = (
            f"{t.mode.name.lower()} registers={t.rows}x{t.vectors}x{t.lanes} workgroup={t.row_tile}x{t.column_tile}"
            f" depth={t.depth}{' pack_lhs' if t.pack_lhs else ''}"
        )
        self.problem.root.op.attributes["tiling"] = text

    def _vectorize(self) -> None:
        with lowering(self.kernel, self.problem) as (entry, b):
            if self.problem.borders:
                counts = grid(b, self.problem, self.tiling, lambda extent: extent.value(b))
                share = Share(self.kernel.workgroup_ids, counts)
                for border in self.problem.borders:
                    fill_border(b, border, share, self.tiling.lanes)
            ContractionKernel(self.kernel, self.problem, self.tiling, entry).emit(b)


class lowering:
    """Replace the operations of a bound function by what is built inside of a `with`.

    Yields a builder for what is made once, at the entry, and one for the kernel's body behind it.
    """

    def __init__(self, kernel: KernelFunction, problem: Problem) -> None:
        self.kernel, self.problem = kernel, problem

    def __enter__(self) -> tuple[Builder, Builder]:
        block = self.kernel.function.entry
        keep = set(self.problem.scalars)
        end = block.terminator
        assert isinstance(end, ReturnOp)
        self.old = [op for op in block if op is not end and op not in keep]
        for op in self.problem.scalars:
            if isinstance(op, tensor.DimOp):
                buffer = binding_of(op.operand)
                assert buffer is not None
                b = Builder.before_op(op)
                op.replace_with(ix.as_value(b, self.kernel.binding_dim(buffer, op.axis)))
            elif isinstance(op, tensor.ExtractOp):
                buffer = binding_of(op.operand)
                assert buffer is not None
                op.replace_with(Builder.before_op(op).insert(memref.LoadOp(buffer, op.indices)).result)
        # Everything that is made once stands in front of this operation.
        self.border = Builder.before_op(end).insert(arith.ConstantOp(0, INDEX))
        return Builder.before_op(self.border), Builder.before_op(end)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.border.erase()
            for op in reversed(self.old):
                op.erase()


@dataclass(frozen=True)
class ContractionStrategy:
    """linalg.contract and its packed form on f64, f32, f16 and bf16 (sums of the latter two are kept in f32)."""

    name: str = "contraction"

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        roots = [op for op in kernel.function.entry if isinstance(op, ContractOp | PackedContractOp)]
        if len(roots) != 1:
            return None
        op = roots[0]
        root = contract_root(kernel, op) if isinstance(op, ContractOp) else packed_root(kernel, op)
        return None if root is None else plan_of(kernel, root, op.output, target)


def plan_of(kernel: KernelFunction, root: Root, init: Value, target: TargetShape) -> Plan | None:
    """The plan for a root, when everything around it fits."""
    problem = problem_of(kernel, root, init)
    if problem is None:
        return None
    if root.split is not None:
        if any(isinstance(o, IndexOp) for s in problem.stages for o in s.op.body.block):
            return None
        problem = split_features(problem, root.split)
    problem = oriented(problem)
    return ContractionPlan(kernel, problem, target, choose_tiling(problem, target))


def oriented(problem: Problem) -> Problem:
    """The problem with the contiguous dimension of its first result among the columns, loops in the order of that
    result.
    """
    root, order = problem.root, list(problem.results[0].target.strides)
    target = problem.results[0].target
    moving = [d for d in order if root.sizes[d].known != 1]

    def sort(loops: Sequence[int]) -> tuple[int, ...]:
        return tuple(sorted(loops, key=order.index))

    root = replace(root, batch=sort(root.batch), m=sort(root.m))
    if not isinstance(root.rhs, PackedRhs):
        root = replace(root, n=sort(root.n))
        contiguous = [d for d in moving if target.stride(d).known == 1]
        # Depthwise products are element by element along the columns; rows and columns are then no outer product that
        # could be turned over.
        if contiguous and contiguous[-1] in root.m and not root.is_depthwise:
            assert isinstance(root.rhs, Operand)
            root = replace(root, m=root.n, n=root.m, lhs=root.rhs, rhs=root.lhs)
        order_k = list(root.lhs.strides)
        root = replace(root, k=tuple(sorted(root.k, key=order_k.index)))
    return replace(problem, root=root)


def split_features(problem: Problem, split: SplitLoop) -> Problem:
    """Operands that move along the loop that `split` takes apart move along its two halves instead."""

    def operand(source: Operand) -> Operand:
        stride = source.strides.get(split.loop)
        if stride is None:
            return source
        halves = {split.outer: stride * Extent(split.inner_size), split.inner: stride}
        strides: dict[int, Extent] = {}
        for d, s in source.strides.items():
            strides |= halves if d == split.loop else {d: s}
        return replace(source, strides=strides)

    def stage(s: Stage) -> Stage:
        return replace(s, inputs=tuple(operand(i) if isinstance(i, Operand) else i for i in s.inputs))

    return replace(
        problem,
        init=operand(problem.init) if isinstance(problem.init, Operand) else problem.init,
        stages=tuple(map(stage, problem.stages)),
        results=tuple(replace(r, target=operand(r.target)) for r in problem.results),
    )


def float_types(op: Op, *values: Value) -> DType | None:
    """The root's element type, when sums of products of these operands are kept in a float type that holds all their
    values.
    """
    dtype = tensor_type(op.result).dtype
    accumulator = ACCUMULATORS.get(dtype)
    for v in values:
        t = tensor_type(v).dtype
        if accumulator is None or ACCUMULATORS.get(t) is None or t.bits > accumulator.bits:
            return None
    return dtype


def sizes_of_loops(sources: Sources, operands: Sequence[tuple[Value, AffineMap]]) -> dict[int, Extent] | None:
    """The size of every loop that walks a whole dimension of an operand; None when an operand is no binding."""
    sizes: dict[int, Extent] = {}
    for value, map in operands:
        buffer = binding_of(value)
        if buffer is None:
            return None
        shape, _ = sources.dense(buffer)
        for d, size in zip(map.projected_dims() or (), shape, strict=True):
            have = sizes.get(d)
            if have is None or have.known is None:
                sizes[d] = size if have is None or size.known is not None else have
    return sizes


def contract_root(kernel: KernelFunction, op: ContractOp) -> Root | None:
    """The contraction in normal form; None for element types or operands that this strategy does not take."""
    sources = Sources(kernel)
    dtype = float_types(op, op.lhs, op.rhs)
    roles = [op.dims_of(r) for r in ("batch", "m", "n", "k")]
    loops = op.indexing_maps[0].dim_count
    if dtype is None or sum(map(len, roles)) != loops:
        return None
    lhs, rhs = (sources.operand(v, m) for v, m in zip((op.lhs, op.rhs), op.indexing_maps[:2], strict=True))
    sizes = sizes_of_loops(sources, list(zip((op.lhs, op.rhs), op.indexing_maps[:2], strict=True)))
    out_loops = op.indexing_maps[2].projected_dims()
    if lhs is None or rhs is None or sizes is None or out_loops is None:
        return None
    batch, m, n, k = roles
    return Root(op, sizes, batch, m, n, k, lhs, rhs, out_loops, dtype)


def packed_root(kernel: KernelFunction, op: PackedContractOp) -> Root | None:
    """The contraction on packed weights in normal form."""
    sources = Sources(kernel)
    dtype = float_types(op, op.lhs, op.rhs)
    lhs = sources.operand(op.lhs, op.lhs_map)
    sizes = sizes_of_loops(sources, [(op.lhs, op.lhs_map)])
    rhs = binding_of(op.rhs)
    out_loops = op.out_map.projected_dims()
    if dtype is None or lhs is None or sizes is None or rhs is None or out_loops is None:
        return None
    sizes |= {d: Extent(s) for d, s in zip((*op.n_loops, *op.k_loops), (*op.n_sizes, *op.k_sizes), strict=True)}
    _, strides = sources.dense(rhs)
    packed = Operand(rhs, tensor_type(op.rhs).dtype, dict(zip(op.batch_loops, strides, strict=False)))
    m = op.m_loops
    return Root(
        op, sizes, op.batch_loops, m, op.n_loops, op.k_loops, lhs, PackedRhs(packed, op.panel), out_loops, dtype
    )
