"""hal: objects of the runtime and calls of it. Sizes and offsets are bytes."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.hal.types import BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.core import ISOLATED, NO_TERMINATOR, PURE, SYMBOL_TABLE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, variadic_def
from tesselle.ir.types import DType, TensorType, Type
from tesselle.support.dtypes import I1, INDEX


@op("hal.executable", ISOLATED, SYMBOL_TABLE, NO_TERMINATOR)
class ExecutableOp(Op):
    """Kernels, compiled: hal.executable.export for every entry, then hal.executable.binary per target, best first."""

    sym_name: str = attr_def()
    body: Region = region_def()

    @property
    def exports(self) -> list[ExecutableExportOp]:
        """The entries, in the order of the images."""
        return [op_ for op_ in self.body.block if isinstance(op_, ExecutableExportOp)]

    @property
    def binaries(self) -> list[ExecutableBinaryOp]:
        return [op_ for op_ in self.body.block if isinstance(op_, ExecutableBinaryOp)]


@op("hal.executable.export")
class ExecutableExportOp(Op):
    """An entry. `summary` says what it computes, `kernel` how, and why so; `source` is where the program says so.

    `flops` and `bytes` are those of one run, None when dynamic.
    """

    sym_name: str = attr_def()
    summary: str = attr_def(default="")
    flops: int | None = attr_def(default=None)
    bytes: int | None = attr_def(default=None)
    source: str = attr_def(default="")
    kernel: str = attr_def(default="")


@op("hal.executable.binary")
class ExecutableBinaryOp(Op):
    """The image for one target; its entries are in the order of the executable's."""

    target: str = attr_def()
    triple: str = attr_def()
    required_features: tuple[str, ...] = attr_def()
    image: DenseElements = attr_def()


@op("hal.constant.data")
class ConstantDataOp(Op):
    """A constant of the program, by name."""

    sym_name: str = attr_def()
    value: DenseElements = attr_def()


@op("hal.constant", PURE)
class ConstantOp(Op):
    """The buffer of a constant."""

    constant: SymbolRef = attr_def()

    def infer(self) -> Sequence[Type]:
        return [BUFFER]


@op("hal.variable")
class VariableOp(Op):
    """A variable that every session has its own copy of; null or zero at first.

    `tensor`: what the buffer view is, where the variable is the program's own.
    """

    sym_name: str = attr_def()
    type: Type = attr_def()
    tensor: TensorType | None = attr_def(default=None)


@op("hal.variable.load")
class VariableLoadOp(Op):
    """The variable's value."""

    variable: SymbolRef = attr_def()
    result_type: Type = result_type_def()


@op("hal.variable.store")
class VariableStoreOp(Op):
    """Set the variable."""

    value: Value = operand_def()
    variable: SymbolRef = attr_def()


@op("hal.assert")
class AssertOp(Op):
    """Fail the call with `message`, in which `{i}` stands for `values[i]`, unless `condition` holds.

    `is_argument`: the caller gave what does not fit.
    """

    condition: Value = operand_def()
    values: Sequence[Value] = variadic_def()
    message: str = attr_def()
    is_argument: bool = attr_def(default=False)


@op("hal.buffer.allocate")
class BufferAllocateOp(Op):
    """A new buffer of `size` bytes, 64-byte aligned, undefined contents."""

    size: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [BUFFER]


@op("hal.buffer.load")
class BufferLoadOp(Op):
    """The scalar at byte `offset`."""

    buffer: Value = operand_def()
    offset: Value = operand_def()
    result_type: DType = result_type_def()


@op("hal.buffer_view.check")
class BufferViewCheckOp(Op):
    """Fail unless argument number `argument` has this element type and rank."""

    view: Value = operand_def()
    argument: int = attr_def()
    dtype: DType = attr_def()
    rank: int = attr_def()


@op("hal.buffer_view.check_dim")
class BufferViewCheckDimOp(Op):
    """Fail unless dimension `axis` of argument number `argument` is `expected`."""

    view: Value = operand_def()
    expected: Value = operand_def()
    argument: int = attr_def()
    axis: int = attr_def()


@op("hal.buffer_view.dim", PURE)
class BufferViewDimOp(Op):
    """Dimension `axis`."""

    view: Value = operand_def()
    axis: int = attr_def()

    def infer(self) -> Sequence[Type]:
        return [INDEX]


@op("hal.buffer_view.buffer", PURE)
class BufferViewBufferOp(Op):
    """The view's bytes as a buffer that begins where the view does."""

    view: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [BUFFER]


@op("hal.buffer_view.create", PURE)
class BufferViewCreateOp(Op):
    """A dense tensor at byte `offset` of `buffer`."""

    buffer: Value = operand_def()
    offset: Value = operand_def()
    dims: Sequence[Value] = variadic_def()
    dtype: DType = attr_def()

    def infer(self) -> Sequence[Type]:
        return [BUFFER_VIEW]


@op("hal.command_buffer.create")
class CommandBufferCreateOp(Op):
    """Begin recording, with `capacity` binding slots."""

    capacity: int = attr_def()

    def infer(self) -> Sequence[Type]:
        return [COMMAND_BUFFER]


@op("hal.command_buffer.finalize")
class CommandBufferFinalizeOp(Op):
    """End recording."""

    commands: Value = operand_def()


@op("hal.command_buffer.dispatch")
class CommandBufferDispatchOp(Op):
    """Run a grid of workgroups. Binding i is `lengths[i]` bytes at `offsets[i]` of slot `slots[i]`."""

    commands: Value = operand_def()
    x: Value = operand_def()
    y: Value = operand_def()
    z: Value = operand_def()
    push: Sequence[Value] = variadic_def()
    offsets: Sequence[Value] = variadic_def()
    lengths: Sequence[Value] = variadic_def()
    entry: SymbolRef = attr_def()
    slots: tuple[int, ...] = attr_def()
    access: tuple[int, ...] = attr_def()


@op("hal.command_buffer.copy")
class CommandBufferCopyOp(Op):
    """Copy bytes from one slot to another."""

    commands: Value = operand_def()
    source_offset: Value = operand_def()
    target_offset: Value = operand_def()
    length: Value = operand_def()
    source_slot: int = attr_def()
    target_slot: int = attr_def()


@op("hal.command_buffer.fill")
class CommandBufferFillOp(Op):
    """Repeat a scalar over bytes of a slot."""

    commands: Value = operand_def()
    value: Value = operand_def()
    offset: Value = operand_def()
    length: Value = operand_def()
    slot: int = attr_def()


@op("hal.command_buffer.barrier")
class CommandBufferBarrierOp(Op):
    """All commands before it, then all after it."""

    commands: Value = operand_def()


@op("hal.command_cache.find")
class CommandCacheFindOp(Op):
    """The command buffer that the session keeps in the variable `cache` under the numbers `key`, and whether there is
    one.
    """

    key: Sequence[Value] = variadic_def()
    cache: SymbolRef = attr_def()

    def infer(self) -> Sequence[Type]:
        return [COMMAND_BUFFER, I1]


@op("hal.command_cache.keep")
class CommandCacheKeepOp(Op):
    """Keep a command buffer there; of more than the runtime's limit the least recently used goes."""

    commands: Value = operand_def()
    key: Sequence[Value] = variadic_def()
    cache: SymbolRef = attr_def()


@op("hal.fence.null", PURE)
class FenceNullOp(Op):
    """A fence that is signalled already."""

    def infer(self) -> Sequence[Type]:
        return [FENCE]


@op("hal.fence.create")
class FenceCreateOp(Op):
    """A fence that is not signalled yet."""

    def infer(self) -> Sequence[Type]:
        return [FENCE]


@op("hal.fence.await")
class FenceAwaitOp(Op):
    """Suspend the call until the fence is signalled."""

    fence: Value = operand_def()


@op("hal.queue.execute")
class QueueExecuteOp(Op):
    """Execute after `wait`, then signal `signal`; slot i is buffers[i]."""

    commands: Value = operand_def()
    wait: Value = operand_def()
    signal: Value = operand_def()
    buffers: Sequence[Value] = variadic_def()


@op("hal.host_function")
class HostFunctionOp(Op):
    """A function that the process which runs the program has registered as `target`; `config` says how it is called.

    `source` is where the program calls it first.
    """

    sym_name: str = attr_def()
    target: str = attr_def()
    config: str = attr_def()
    source: str = attr_def(default="")


@op("hal.host_call")
class HostCallOp(Op):
    """Run the host's function on buffer views: it reads `arguments` and fills `results`."""

    arguments: Sequence[Value] = variadic_def()
    results_: Sequence[Value] = variadic_def()
    function: SymbolRef = attr_def()
