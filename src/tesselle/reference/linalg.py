"""linalg: perfect loop nests, run on whole arrays instead of element by element wherever the body allows it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tesselle.dialects.linalg import ops as s
from tesselle.ir.affine import AffineExpr, AffineMap
from tesselle.ir.core import Block, Op, Value
from tesselle.reference.combine import fold_axes, is_foldable, stable_sort
from tesselle.reference.numerics import narrow, widen
from tesselle.reference.registry import Array, RegionRunner, region_semantics, semantics
from tesselle.reference.stablehlo.contraction import einsum
from tesselle.reference.stablehlo.window import window_offsets, window_slice
from tesselle.support.dtypes import from_numpy


def loop_extents(op: s.GenericOp, operands: Sequence[Array]) -> list[int]:
    """The number of iterations of every loop."""
    return [operands[i].shape[j] for i, j in s.loop_ranges(op)]


def on_grid(x: Array, m: AffineMap, extents: Sequence[int], indices: Sequence[Array]) -> Array:
    """x read through `m`, as an array with one dimension per loop (of size 1 where `m` does not read the loop)."""
    loops = len(extents)
    dims = m.projected_dims()
    if dims is not None:
        order = sorted(range(x.ndim), key=lambda k: dims[k])
        # An operand may be longer than its loop: a slice that starts at 0.
        x = x[tuple(slice(0, extents[d]) for d in dims)]
        shape = [1] * loops
        for k in range(x.ndim):
            shape[dims[k]] = x.shape[k]
        return x.transpose(order).reshape(shape)
    places = [np.broadcast_to(p, p.shape or (1,) * loops) for p in (_evaluate(e, indices) for e in m.results)]
    return x[tuple(places)] if places else x.reshape((1,) * loops)


def _evaluate(e: AffineExpr, indices: Sequence[Array]) -> Array:
    # Affine expressions use +, *, // and % only, which arrays have with the same meaning.
    return np.asarray(e.evaluate(indices))  # type: ignore[arg-type]  # arrays stand for integers


@region_semantics(s.IndexOp)
def index(op: s.IndexOp, runner: RegionRunner) -> Array:
    return runner.loop_indices[op.dim]


@region_semantics(s.GenericOp)
def generic(op: s.GenericOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    extents = loop_extents(op, operands)
    loops = len(extents)
    indices = [np.arange(n).reshape([-1 if d == k else 1 for d in range(loops)]) for k, n in enumerate(extents)]
    count = len(op.inputs)
    grids = [on_grid(x, m, extents, indices) for x, m in zip(operands[:count], op.input_maps, strict=True)]
    outs = [on_grid(x, m, extents, indices) for x, m in zip(operands[count:], op.output_maps, strict=True)]
    reduced = op.reduction_dims
    shape = [1 if d in reduced else n for d, n in enumerate(extents)]
    outer = runner.loop_indices
    try:
        runner.loop_indices = indices
        if not reduced:
            results = runner.run_elementwise(op.body.block, [*grids, *outs])
        else:
            results = _fold(op, runner, grids, outs, extents, indices)
    finally:
        runner.loop_indices = outer
    return [
        _store(np.broadcast_to(r, shape), m, out)
        for r, m, out in zip(results, op.output_maps, operands[count:], strict=True)
    ]


def _store(x: Array, m: AffineMap, out: Array) -> Array:
    """A result over the loops as a tensor: the output map is a projection of parallel loops."""
    dims = m.projected_dims()
    assert dims is not None
    rest = [d for d in range(x.ndim) if d not in dims]
    return x.transpose([*dims, *rest]).reshape(out.shape)


def _fold(
    op: s.GenericOp,
    runner: RegionRunner,
    grids: Sequence[Array],
    outs: Sequence[Array],
    extents: Sequence[int],
    indices: Sequence[Array],
) -> list[Array]:
    block = op.body.block
    reduced = op.reduction_dims
    simple = _simple_reduction(block, len(grids))
    if simple is not None:
        combine, element = simple
        runner.run_elementwise(block, [*grids, *outs])
        values = np.broadcast_to(runner.environment[element], extents)
        shape = [1 if d in reduced else n for d, n in enumerate(extents)]
        init = np.broadcast_to(outs[0], shape)
        folded = fold_axes(type(combine), values, np.squeeze(init, reduced), reduced)
        return [folded.reshape(shape)]
    state = list(outs)
    for place in itertools.product(*(range(extents[d]) for d in reduced)):
        at = dict(zip(reduced, place, strict=True))
        runner.loop_indices = [np.full((1,) * len(extents), at[d]) if d in at else i for d, i in enumerate(indices)]
        pieces = [_at(g, at) for g in grids]
        state = runner.run_elementwise(block, [*pieces, *state])
    return state


def _at(x: Array, at: dict[int, int]) -> Array:
    return x[tuple(slice(at[d], at[d] + 1) if d in at and n > 1 else slice(None) for d, n in enumerate(x.shape))]


def _simple_reduction(block: Block, input_count: int) -> tuple[Op, Value] | None:
    """`(op, element)` when the body yields op(accumulator, element) and nothing else reads the accumulator."""
    if len(block.args) != input_count + 1:
        return None
    accumulator = block.args[-1]
    (yielded,) = block.terminator.operands
    combine = yielded.defining_op
    if combine is None or not is_foldable(combine) or not accumulator.has_one_use:
        return None
    others = [v for v in combine.operands if v is not accumulator]
    return (combine, others[0]) if len(others) == 1 else None


@semantics(s.FillOp)
def fill(op: s.FillOp, value: Array, output: Array) -> Array:
    return np.broadcast_to(value, output.shape)


@semantics(s.ContractOp)
def contract(op: s.ContractOp, lhs: Array, rhs: Array, output: Array) -> Array:
    subscripts = [[*(m.projected_dims() or ())] for m in op.indexing_maps]
    product = einsum([*subscripts], (lhs, rhs), from_numpy(output.dtype))
    return (widen(output) + widen(product)).astype(output.dtype)


@semantics(s.ConvOp)
def conv(op: s.ConvOp, x: Array, w: Array, output: Array) -> Array:
    return grouped_convolution(x, w, output, op.strides, op.dilations, op.groups)


def grouped_convolution(
    x: Array, w: Array, output: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
) -> Array:
    """output + the convolution of a padded NHWC image with an HWCF filter, any number of spatial dimensions."""
    wide = widen(output)
    counts = output.shape[1:-1]
    channels, features = w.shape[-2], w.shape[-1] // groups
    result: Array = np.zeros((output.shape[0], *counts, groups, features), wide.dtype)
    for offset in window_offsets(w.shape[:-2], dilations):
        kernel = w[tuple(o // d for o, d in zip(offset, dilations, strict=True))]
        piece = window_slice(x, (0, *offset, 0), (x.shape[0], *counts, x.shape[-1]), (1, *strides, 1))
        split = piece.reshape(x.shape[0], *counts, groups, channels).astype(wide.dtype)
        kernel = kernel.reshape(channels, groups, features).astype(wide.dtype)
        result += np.einsum("b...gc,cgf->b...gf", split, kernel, optimize=True)
    return narrow(np.asarray(wide + result.reshape(output.shape)), output.dtype)


@region_semantics(s.SortOp)
def sort(op: s.SortOp, runner: RegionRunner, *inputs: Array) -> list[Array]:
    def before(left: list[Array], right: list[Array]) -> Array:
        pairs = [x for pair in zip(left, right, strict=True) for x in pair]
        (result,) = runner.run_elementwise(op.body.block, pairs)
        return np.broadcast_to(result, left[0].shape)

    return stable_sort(before, inputs, op.axis)


@region_semantics(s.ScatterOp)
def scatter(op: s.ScatterOp, runner: RegionRunner, *operands: Array) -> list[Array]:
    count = len(op.updates)
    updates, indices = operands[:count], operands[count]
    results = [x.copy() for x in operands[count + 1 :]]
    shape = results[0].shape
    window_dims = [d for d in range(len(shape)) if d not in op.inserted_dims]
    batch = indices.shape[:-1]
    window = updates[0].shape[len(batch) :]
    for place in np.ndindex(*batch):
        start, size = [0] * len(shape), [1] * len(shape)
        for j, d in enumerate(op.index_dims):
            start[d] = int(indices[place][j])
        for d, w in zip(window_dims, window, strict=True):
            size[d] = w
        region = tuple(slice(max(b, 0), max(b + w, 0)) for b, w in zip(start, size, strict=True))
        # What lies outside is skipped, element by element.
        inside = tuple(slice(max(-b, 0), max(limit - b, 0)) for b, limit in zip(start, shape, strict=True))
        old = [r[region] for r in results]
        new = [u[place].reshape(size)[inside] for u in updates]
        combined = runner.run_elementwise(op.body.block, [*old, *new])
        for r, c in zip(results, combined, strict=True):
            r[region] = c
    return results
