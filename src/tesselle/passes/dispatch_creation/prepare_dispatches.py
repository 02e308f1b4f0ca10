"""prepare-dispatches: tensor plumbing that needs no kernel becomes flow operations, the rest takes one form each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value, constant_elements
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.passes.dispatch_creation.host_scalars import is_host_scalar
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.passes.index_arithmetic import IndexBuilder, Size, fold


@register_pass("prepare-dispatches", needs=[Fact.LINALG])
@dataclass(frozen=True)
class PrepareDispatches(Pass):
    """Views and one-element tensors get their flow form.

    tensor.collapse_shape, expand_shape, reshape, cast   ->  flow.tensor.reshape
    contiguous tensor.extract_slice / insert_slice       ->  flow.tensor.slice / update (offset known on the host)
    tensor.from_elements of one value, tensor.splat      ->  linalg.fill
    tensor.extract of a constant, of linalg.fill         ->  arith.constant, the value
    """

    def run(self, module: Op) -> None:
        shapes = Shapes()
        for op in list(module.walk()):
            if op.parent is None or isinstance(op.parent_op, linalg.GenericOp | linalg.SortOp | linalg.ScatterOp):
                continue
            _prepare(op, shapes)
        eliminate_dead_code(module)


def _prepare(op: Op, shapes: Shapes) -> None:
    match op:
        case tensor.CollapseShapeOp() | tensor.ExpandShapeOp() | tensor.ReshapeOp() | tensor.CastOp():
            _reshape(op, op.operand, shapes)
        case tensor.ExtractSliceOp():
            _extract_slice(op, shapes)
        case tensor.InsertSliceOp():
            _insert_slice(op, shapes)
        case tensor.SplatOp():
            b = Builder.before_op(op)
            empty = b.insert(tensor.EmptyOp(op.dynamic_dims, op.result_type)).result
            op.replace_with(b.insert(linalg.FillOp(op.value, empty)).result)
        case tensor.FromElementsOp() if len(op.elements) == 1:
            b = Builder.before_op(op)
            empty = b.insert(tensor.EmptyOp((), op.result_type)).result
            op.replace_with(b.insert(linalg.FillOp(op.elements[0], empty)).result)
        case tensor.ExtractOp():
            _fold_extract(op)
        case _:
            pass


def _reshape(op: Op, source: Value, shapes: Shapes) -> None:
    result = op.result
    dims = shapes.dynamic(result)
    b = Builder.before_op(op)
    # Of equal types with several open dimensions the sizes may still differ: [n, m] as [m, n].
    equal = isinstance(op, tensor.CastOp) or tensor_type(result).shape.count(None) < 2
    if source.type == result.type and (equal or all(map(shapes.same, shapes.of(source), shapes.of(result)))):
        op.replace_with(source)
    else:
        op.replace_with(b.insert(flow.TensorReshapeOp(source, dims, tensor_type(result))).result)


def _is_contiguous(source: Sequence[Size], sizes: Sequence[Size], strides: Sequence[Size]) -> bool:
    """Whether the window is one run of memory: at most one partial dimension, only ones before it, whole ones after."""
    if any(not isinstance(s, int) or s != 1 for s in strides):
        return False
    partial = False
    for whole, size in zip(reversed(source), reversed(sizes), strict=True):
        whole, size = fold(whole), fold(size)
        if partial and size != 1:
            return False
        same = whole is size if isinstance(whole, Value) or isinstance(size, Value) else whole == size
        partial = partial or not same
    return True


def _linear_offset(b: Builder, source: Sequence[Size], offsets: Sequence[Size]) -> Value:
    """sum(offsets[i] * stride[i]) of the row-major layout."""
    sizes = IndexBuilder(b)
    total: Size = 0
    stride: Size = 1
    for size, offset in zip(reversed(source), reversed(offsets), strict=True):
        total = sizes.add(total, sizes.multiply(offset, stride))
        stride = sizes.multiply(stride, size)
    return sizes.value(total)


def _extract_slice(op: tensor.ExtractSliceOp, shapes: Shapes) -> None:
    source = shapes.of(op.operand)
    if not _is_contiguous(source, op.mixed_sizes, op.mixed_strides) or not all(map(is_host_scalar, op.offsets)):
        return
    b = Builder.before_op(op)
    offset = _linear_offset(b, source, op.mixed_offsets)
    dims = shapes.dynamic(op.result)
    op.replace_with(b.insert(flow.TensorSliceOp(op.operand, offset, dims, op.result_type)).result)


def _insert_slice(op: tensor.InsertSliceOp, shapes: Shapes) -> None:
    target = shapes.of(op.dest)
    if not _is_contiguous(target, op.mixed_sizes, op.mixed_strides) or not all(map(is_host_scalar, op.offsets)):
        return
    b = Builder.before_op(op)
    offset = _linear_offset(b, target, op.mixed_offsets)
    op.replace_with(b.insert(flow.TensorUpdateOp(op.source, op.dest, offset)).result)


def _fold_extract(op: tensor.ExtractOp) -> None:
    maker = op.operand.defining_op
    if isinstance(maker, linalg.FillOp):
        op.replace_with(maker.value)
        return
    elements = constant_elements(op.operand)
    if elements is None:
        return
    places = [fold(i) for i in op.indices]
    value = _element(elements, places)
    if value is not None:
        op.replace_with(Builder.before_op(op).insert(arith.ConstantOp(value, op.result.type)).result)


def _element(elements: DenseElements, places: Sequence[Size]) -> int | float | bool | complex | None:
    if elements.is_splat:
        return elements.splat_value.item()
    known = [p for p in places if isinstance(p, int)]
    if len(known) != len(places) or any(not 0 <= p < s for p, s in zip(known, elements.array.shape, strict=True)):
        return None
    return elements.array[tuple(known)].item()
