"""chlo.scan as a loop that reads one slice of the inputs and writes one of the outputs in every step."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.chlo.structured import ScanOp
from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.ir.core import Value
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType
from tesselle.passes.input.stablehlo_builder import StablehloBuilder
from tesselle.support.diagnostics import Unsupported


def expand_scan(op: ScanOp, rw: Rewriter) -> list[Value]:
    """outputs, carries = scan(inputs, inits) -> while: slices of inputs, carries -> body -> slices of outputs, carries.

    Any dimension may be open: what a step gives has the sizes that the body gives for slices of zeros.
    """
    axis = op.dimension
    b = StablehloBuilder.of(rw)
    outputs = [tensor_type(r) for r in op.results[: len(op.results) - len(op.inits)]]
    count = _steps(b, op)
    buffers = [
        b.broadcast_to(b.full(0, (), t.dtype), s, []) for t, s in zip(outputs, _sizes(b, op, count), strict=True)
    ]
    if any(tensor_type(v).shape[axis] == 0 for v in op.inputs):
        return [*(_as(b, v, t) for v, t in zip(buffers, outputs, strict=True)), *op.inits]

    def step(s: StablehloBuilder, i: Value, state: list[Value]) -> list[Value]:
        last = s.subtract(s.index(count) if isinstance(count, int) else count, s.index(1))
        place = s.subtract(last, i) if op.is_reverse else i
        returned = _run_body(s, op, [s.slice_at(v, axis, place) for v in op.inputs], state[len(buffers) :])
        parts = returned[: len(buffers)]
        written = [s.with_slice(x, axis, place, part) for x, part in zip(state, parts, strict=False)]
        return [*written, *returned[len(buffers) :]]

    found = b.loop(count, [*buffers, *op.inits], step)
    return [_as(b, v, tensor_type(r)) for v, r in zip(found, op.results, strict=True)]


def _as(b: StablehloBuilder, value: Value, t: TensorType) -> Value:
    return value if value.type == t else b.insert(CastOp(value, t)).result


def _run_body(b: StablehloBuilder, op: ScanOp, slices: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
    """A copy of the body; what it returns."""
    args = op.body.block.args
    given = [_as(b, v, tensor_type(a)) for v, a in zip((*slices, *carried), args, strict=True)]
    mapping: dict[Value, Value] = dict(zip(args, given, strict=True))
    for inner in op.body.block:
        if isinstance(inner, ReturnOp):
            return [mapping.get(v, v) for v in inner.operands]
        b.insert(inner.clone(mapping))
    raise AssertionError("a body without stablehlo.return")


def _steps(b: StablehloBuilder, op: ScanOp) -> int | Value:
    """How many slices there are."""
    size = op.scan_dim_size
    for v in op.inputs:
        known = tensor_type(v).shape[op.dimension]
        size = known if known is not None else size
    if size is not None:
        return size
    if not op.inputs:
        raise Unsupported("scan without inputs needs scan_dim_size", op.location, f"{op.name}.size")
    return b.sizes(op.inputs[0])[op.dimension]


def _sizes(b: StablehloBuilder, op: ScanOp, count: int | Value) -> list[list[int | Value]]:
    """The sizes of the outputs."""
    axis = op.dimension
    outputs = [tensor_type(r) for r in op.results[: len(op.results) - len(op.inits)]]
    found: list[list[int | Value]] = []
    steps: list[Value] | None = None
    for i, t in enumerate(outputs):
        if not any(n is None for d, n in enumerate(t.shape) if d != axis):
            found.append([count if n is None else n for n in t.shape])
            continue
        if steps is None:
            slices: list[Value] = []
            for v in op.inputs:
                sizes = [n for d, n in enumerate(b.sizes(v)) if d != axis]
                slices.append(b.broadcast_to(b.full(0, (), tensor_type(v).dtype), sizes, []))
            steps = _run_body(b, op, slices, op.inits)
        sizes = b.sizes(steps[i])
        found.append([*sizes[:axis], count, *sizes[axis:]])
    return found
