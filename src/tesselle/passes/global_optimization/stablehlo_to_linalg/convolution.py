"""Convolutions: padding, then linalg.conv in NHWC x HWCF; other layouts by loop nests that transpose."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core import arith as a
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ConvOp
from tesselle.dialects.stablehlo import convolution as s
from tesselle.dialects.stablehlo.attributes import ConvDimensionNumbers
from tesselle.ir.attributes import DenseElements
from tesselle.ir.core import Value, constant_elements
from tesselle.ir.types import TensorType
from tesselle.passes.global_optimization.stablehlo_to_linalg.contraction import (
    accumulator_of,
    complex_product,
    convert_tensor,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.host_scalars import index_elements
from tesselle.passes.global_optimization.stablehlo_to_linalg.registry import (
    Lowering,
    Size,
    lowering,
    tensor_constant,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.shape import (
    build_pad,
    build_pad_at_run_time,
    build_reverse,
    build_transpose,
)
from tesselle.passes.global_optimization.stablehlo_to_linalg.window import window_counts
from tesselle.passes.index_arithmetic import IndexBuilder
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32, DType
from tesselle.support.float_formats import format_of


def _input_order(n: ConvDimensionNumbers) -> list[int]:
    return [n.input_batch_dimension, *n.input_spatial_dimensions, n.input_feature_dimension]


def _kernel_order(n: ConvDimensionNumbers) -> list[int]:
    return [*n.kernel_spatial_dimensions, n.kernel_input_feature_dimension, n.kernel_output_feature_dimension]


def _output_order(n: ConvDimensionNumbers) -> list[int]:
    return [n.output_batch_dimension, *n.output_spatial_dimensions, n.output_feature_dimension]


@lowering(s.ConvolutionOp)
def convolution(op: s.ConvolutionOp, b: Lowering) -> Value:
    spatial = tensor_type(op.lhs).rank - 2
    return build_convolution(op, b, op.padding or ((0, 0),) * spatial)


@lowering(s.DynamicConvOp)
def dynamic_conv(op: s.DynamicConvOp, b: Lowering) -> Value:
    elements = constant_elements(op.padding)
    if elements is None:
        values = index_elements(b, op.padding)
        return build_convolution(op, b, tuple(zip(values[::2], values[1::2], strict=True)))
    flat = [int(v) for v in elements.array.reshape(-1)]
    return build_convolution(op, b, tuple(zip(flat[::2], flat[1::2], strict=True)))


def build_convolution(
    op: s.ConvolutionOp | s.DynamicConvOp, b: Lowering, padding: Sequence[tuple[Size, Size]]
) -> Value:
    """Convolves, and lays out the result."""
    out_type = op.result_type
    dtype = out_type.dtype
    if dtype.is_complex:
        part = dtype.element
        result = complex_product(b, op.lhs, op.rhs, dtype, lambda x, y: _convolve(op, b, x, y, padding, part))
    else:
        # What any product of booleans gives is found by counting those that are true.
        result = _convolve(op, b, op.lhs, op.rhs, padding, I32 if dtype.is_bool else accumulator_of(dtype))
        result = convert_tensor(b, result, dtype)
    order = _output_order(op.dimension_numbers)
    inverse = sorted(range(len(order)), key=lambda d: order[d])
    return b.cast(build_transpose(b, result, inverse), out_type)


def _convolve(
    op: s.ConvolutionOp | s.DynamicConvOp,
    b: Lowering,
    lhs: Value,
    rhs: Value,
    padding: Sequence[tuple[Size, Size]],
    accumulator: DType,
) -> Value:
    """Pads and lays out the operands and convolves by groups: [N, spatial…, F] with elements of `accumulator`."""
    n = op.dimension_numbers

    def operand(value: Value, order: list[int]) -> Value:
        moved = build_transpose(b, value, order)
        dtype = tensor_type(value).dtype
        # Padding needs a zero, and not every type has one.
        keep = dtype.kind == accumulator.kind and not (dtype.is_float and format_of(dtype).specials == "scale")
        return moved if keep else convert_tensor(b, moved, accumulator)

    x, w = operand(lhs, _input_order(n)), operand(rhs, _kernel_order(n))
    spatial = tensor_type(x).rank - 2
    reversal = op.window_reversal or (False,) * spatial
    w = build_reverse(b, w, [d for d in range(spatial) if reversal[d]])
    element = tensor_type(x).dtype
    zero = tensor_constant(b, DenseElements.splat(0, TensorType((), element)))
    base = op.lhs_dilation or (1,) * spatial
    interior = [0, *(d - 1 for d in base), 0]
    known = [(low, high) for low, high in padding if isinstance(low, int) and isinstance(high, int)]
    if len(known) == len(padding):
        x = build_pad(b, x, zero, [0, *(p[0] for p in known), 0], [0, *(p[1] for p in known), 0], interior)
    else:
        low, high = [0, *(p[0] for p in padding), 0], [0, *(p[1] for p in padding), 0]
        x = build_pad_at_run_time(b, x, zero, low, high, interior)
    groups = op.feature_group_count
    if op.batch_group_count > 1:
        groups = op.batch_group_count
        x = _batch_groups_to_features(b, x, groups)
    strides = op.window_strides or (1,) * spatial
    dilations = op.rhs_dilation or (1,) * spatial
    window = [d for d in tensor_type(w).shape[:spatial] if d is not None]
    if len(window) != spatial:
        raise Unsupported("a convolution whose window is dynamic is not supported", op.location, op.name)
    counts = window_counts(b, x, [1, *window, 1], [1, *strides, 1], [1, *dilations, 1])[1:-1]
    channels = IndexBuilder(b).multiply(b.dim(w, spatial), groups)
    b.require_equal(b.dim(x, spatial + 1), channels, "the number of features of the input of convolution")
    shape: list[Size] = [b.dim(x, 0), *counts, b.dim(w, spatial + 1)]
    init = b.fill(b.constant(0, accumulator), shape)
    return b.insert(ConvOp(x, w, init, tuple(strides), tuple(dilations), groups)).result


def _batch_groups_to_features(b: Lowering, x: Value, groups: int) -> Value:
    """[G·N, spatial…, C] -> [N, spatial…, G·C]: batch groups become feature groups."""
    size, *rest = b.dims(x)
    batch = size // groups if isinstance(size, int) else b.insert(a.DivSIOp(size, b.index(groups))).result
    *spatial, channels = rest
    rank = len(rest) + 1
    split = b.reshape(x, [groups, batch, *rest])
    moved = build_transpose(b, split, [1, *range(2, rank), 0, rank])
    joined = channels * groups if isinstance(channels, int) else b.insert(a.MulIOp(channels, b.index(groups))).result
    return b.reshape(moved, [batch, *spatial, joined])
