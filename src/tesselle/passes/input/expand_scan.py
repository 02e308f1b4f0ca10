"""chlo.scan as a loop that reads one slice of the inputs and writes one of the outputs in every step."""

from __future__ import annotations

from tesselle.dialects.chlo.structured import ScanOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import shape as s
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.dialects.stablehlo.dynamic import DynamicBroadcastInDimOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_expressions import Tensor, concatenate, counted_loop, splat
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32


def expand_scan(op: ScanOp, rw: Rewriter) -> list[Value]:
    """outputs, carries = scan(inputs, inits) -> while: slices of inputs, carries -> body -> slices of outputs, carries.

    Only the dimension that is walked may be dynamic.
    """
    axis = op.dimension
    outputs = [tensor_type(r) for r in op.results[: len(op.results) - len(op.inits)]]
    for t in (*(tensor_type(v) for v in op.inputs), *outputs):
        if any(size is None for d, size in enumerate(t.shape) if d != axis):
            raise Unsupported(
                f"scan of slices of dynamic shapes is not supported, found {t}", op.location, f"{op.name}.dynamic"
            )
    count = _steps(op, rw)
    buffers = [_zeros(rw, t, axis, count) for t in outputs]
    if any(tensor_type(v).shape[axis] == 0 for v in op.inputs):
        return [*(t.value for t in buffers), *op.inits]
    body = op.body.block

    def step(b: Builder, i: Tensor, state: list[Tensor]) -> list[Value]:
        place = Tensor(b, count.value) - 1 - i if op.is_reverse else i
        slices = [Tensor(b, v).at(place, axis).value for v in op.inputs]
        carried = [t.value for t in state[len(buffers) :]]
        mapping: dict[Value, Value] = dict(zip(body.args, [*slices, *carried], strict=True))
        returned: list[Value] = []
        for inner in body:
            if isinstance(inner, ReturnOp):
                returned = [mapping.get(v, v) for v in inner.operands]
                break
            b.insert(inner.clone(mapping))
        parts = (Tensor(b, v) for v in returned[: len(buffers)])
        written = [x.with_slice(part, place, axis) for x, part in zip(state, parts, strict=False)]
        return [*(t.value for t in written), *returned[len(buffers) :]]

    return counted_loop(rw, count, [*(t.value for t in buffers), *op.inits], step)


def _steps(op: ScanOp, rw: Rewriter) -> Tensor:
    """How many slices there are, as tensor<i32>."""
    size = op.scan_dim_size
    for v in op.inputs:
        known = tensor_type(v).shape[op.dimension]
        size = known if known is not None else size
    if size is not None:
        return splat(rw, size, TensorType((), I32))
    if not op.inputs:
        raise Unsupported("scan without inputs needs scan_dim_size", op.location, f"{op.name}.size")
    return Tensor(rw, rw.insert(s.GetDimensionSizeOp(op.inputs[0], op.dimension)).result)


def _zeros(rw: Rewriter, t: TensorType, axis: int, count: Tensor) -> Tensor:
    """A buffer for the slices of an output."""
    if t.is_static:
        return splat(rw, 0, t)
    scalar = TensorType((), I32)
    sizes = [(count if d == axis else splat(rw, n, scalar)).reshape([1]) for d, n in enumerate(t.shape)]
    zero = splat(rw, 0, TensorType((), t.dtype))
    shape = concatenate(sizes, 0)
    return Tensor(rw, rw.insert(DynamicBroadcastInDimOp(zero.value, shape.value, (), t)).result)
