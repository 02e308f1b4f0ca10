"""stream: what the device does, when, and where its data lives.

`stream.async` has values: an operation makes a new resource, and one that updates its operand in place (tied) still
gives a new value. `stream.cmd` has places: operations read and write ranges of resources, in the order of the program
before scheduling, and concurrently between barriers inside stream.cmd.execute after it. Sizes and offsets are bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.hal.types import BUFFER_VIEW
from tesselle.dialects.stream.types import CONSTANT, RESOURCE, TIMEPOINT, ResourceType
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.core import PURE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, variadic_def
from tesselle.ir.types import TensorType, Type


@op("stream.tensor.import", PURE)
class TensorImportOp(Op):
    """The bytes of a view that is a `tensor`; `size` is their number.

    That it is one is checked where `argument` says which argument of the function the view is; variables hold nothing
    else.
    """

    view: Value = operand_def()
    size: Value = operand_def()
    argument: int | None = attr_def()
    tensor: TensorType = attr_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.tensor.export")
class TensorExportOp(Op):
    """A view of a resource as `tensor`; one operand of `dims` per dynamic dimension. Two views are never the same."""

    source: Value = operand_def()
    dims: Sequence[Value] = variadic_def()
    tensor: TensorType = attr_def()

    def infer(self) -> Sequence[Type]:
        return [BUFFER_VIEW]


@op("stream.tensor.dim", PURE)
class TensorDimOp(Op):
    """Dimension `axis` of the argument `view`."""

    view: Value = operand_def()
    axis: int = attr_def()
    result_type: Type = result_type_def()


@op("stream.variable.load")
class VariableLoadOp(Op):
    """A view of what the variable holds. What is made of it in place, the variable holds from then on."""

    variable: SymbolRef = attr_def()

    def infer(self) -> Sequence[Type]:
        return [BUFFER_VIEW]


@op("stream.variable.store")
class VariableStoreOp(Op):
    """Makes the variable hold `view`, whose buffer nobody else has."""

    view: Value = operand_def()
    variable: SymbolRef = attr_def()


@op("stream.async.constant", PURE)
class AsyncConstantOp(Op):
    """The bytes of `value`."""

    size: Value = operand_def()
    value: DenseElements = attr_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.alloca")
class AsyncAllocaOp(Op):
    """`size` bytes with undefined contents."""

    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.splat")
class AsyncSplatOp(Op):
    """`size` bytes: the scalar `value` again and again."""

    value: Value = operand_def()
    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.clone")
class AsyncCloneOp(Op):
    """A copy of `source`, which has `size` bytes."""

    source: Value = operand_def()
    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.slice", PURE)
class AsyncSliceOp(Op):
    """The `size` bytes of `source` from `offset` on; no data moves."""

    source: Value = operand_def()
    offset: Value = operand_def()
    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.update")
class AsyncUpdateOp(Op):
    """`target` (of `size` bytes) with the `length` bytes from `offset` on replaced by `source`. Tied to `target`."""

    source: Value = operand_def()
    target: Value = operand_def()
    offset: Value = operand_def()
    length: Value = operand_def()
    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.fill")
class AsyncFillOp(Op):
    """`target` (of `size` bytes) with `length` bytes from `offset` on filled with `value`. Tied to `target`."""

    value: Value = operand_def()
    target: Value = operand_def()
    offset: Value = operand_def()
    length: Value = operand_def()
    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE]


@op("stream.async.dispatch")
class AsyncDispatchOp(Op):
    """results = entry(arguments), as flow.dispatch; `sizes` are the bytes of every resource argument, then result."""

    arguments: Sequence[Value] = variadic_def()
    sizes: Sequence[Value] = variadic_def()
    entry: SymbolRef = attr_def()
    result_count: int = attr_def()
    tied: tuple[int | None, ...] = attr_def(default=())

    def infer(self) -> Sequence[Type]:
        return [RESOURCE] * self.result_count

    def tied_argument(self, result: int) -> int | None:
        """The argument that result number `result` updates in place."""
        return self.tied[result] if self.tied else None

    @property
    def resources(self) -> list[Value]:
        """The arguments that are resources."""
        return [v for v in self.arguments if isinstance(v.type, ResourceType)]

    @property
    def result_sizes(self) -> Sequence[Value]:
        return self.sizes[len(self.resources) :]


@op("stream.async.load")
class AsyncLoadOp(Op):
    """The scalar at byte `offset` of `source`; the host waits for it."""

    source: Value = operand_def()
    offset: Value = operand_def()
    result_type: Type = result_type_def()


@op("stream.resource.constant", PURE)
class ResourceConstantOp(Op):
    """The place of a constant."""

    value: DenseElements = attr_def()

    def infer(self) -> Sequence[Type]:
        return [CONSTANT]


@op("stream.resource.alloc")
class ResourceAllocOp(Op):
    """A new place of `size` bytes, undefined contents, 64-byte aligned."""

    size: Value = operand_def()
    result_type: ResourceType = result_type_def()


@op("stream.resource.carry")
class ResourceCarryOp(Op):
    """Says that `resource` holds data from here on, though nothing may be written yet: a loop carries it."""

    resource: Value = operand_def()


@op("stream.resource.load")
class ResourceLoadOp(Op):
    """The scalar at byte `offset`; all work that wrote it has been awaited."""

    source: Value = operand_def()
    offset: Value = operand_def()
    result_type: Type = result_type_def()


@op("stream.cmd.dispatch")
class CmdDispatchOp(Op):
    """Run `entry` with push constants and bindings (resource, offset, length).

    `access` is a mask for each binding: 1 read, 2 write.
    """

    push: Sequence[Value] = variadic_def()
    resources: Sequence[Value] = variadic_def()
    offsets: Sequence[Value] = variadic_def()
    lengths: Sequence[Value] = variadic_def()
    entry: SymbolRef = attr_def()
    access: tuple[int, ...] = attr_def()


@op("stream.cmd.copy")
class CmdCopyOp(Op):
    """Copy bytes between two ranges that do not overlap."""

    source: Value = operand_def()
    source_offset: Value = operand_def()
    target: Value = operand_def()
    target_offset: Value = operand_def()
    length: Value = operand_def()


@op("stream.cmd.fill")
class CmdFillOp(Op):
    """Fill a range with the scalar `value` again and again."""

    value: Value = operand_def()
    target: Value = operand_def()
    offset: Value = operand_def()
    length: Value = operand_def()


@op("stream.cmd.barrier")
class CmdBarrierOp(Op):
    """Everything before it, then everything after it."""


@op("stream.cmd.execute")
class CmdExecuteOp(Op):
    """Submit the body's commands to run after the timepoint `wait`; the result is when they are done.

    The body is recorded at once: it may hold arithmetic and loops around commands, ends in stream.return.
    """

    wait: Value = operand_def()
    body: Region = region_def()

    def infer(self) -> Sequence[Type]:
        return [TIMEPOINT]


@op("stream.return", TERMINATOR)
class ReturnOp(Op):
    """Ends the body of stream.cmd.execute."""


@op("stream.timepoint.immediate", PURE)
class TimepointImmediateOp(Op):
    """A timepoint that is reached already."""

    def infer(self) -> Sequence[Type]:
        return [TIMEPOINT]


@op("stream.timepoint.await")
class TimepointAwaitOp(Op):
    """The host waits."""

    timepoint: Value = operand_def()


@op("stream.async.host_call")
class AsyncHostCallOp(Op):
    """results = the host's function `target` on `arguments`; `sizes` are the bytes of every result.

    `dims` are the dynamic dimensions of arguments, then results, whose types are `tensors`.
    """

    arguments: Sequence[Value] = variadic_def()
    sizes: Sequence[Value] = variadic_def()
    dims: Sequence[Value] = variadic_def()
    target: str = attr_def()
    config: str = attr_def()
    tensors: tuple[TensorType, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [RESOURCE] * (len(self.tensors) - len(self.arguments))


@op("stream.cmd.host_call")
class CmdHostCallOp(Op):
    """The host runs `target` now, on tensors at `offsets` of `resources`: arguments, then results.

    Everything that touches them has been awaited.
    """

    resources: Sequence[Value] = variadic_def()
    offsets: Sequence[Value] = variadic_def()
    dims: Sequence[Value] = variadic_def()
    target: str = attr_def()
    config: str = attr_def()
    tensors: tuple[TensorType, ...] = attr_def()
    argument_count: int = attr_def()
