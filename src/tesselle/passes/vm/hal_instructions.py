"""How hal operations become instructions: symbols turn into the indices of the artifact's tables.

Constants and executables are numbered in the order in which they stand in the module, which is the order of the
manifest's records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tesselle.dialects.core import arith
from tesselle.dialects.hal import ops as hal
from tesselle.dialects.vm import ops as vm
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import Op, Value
from tesselle.ir.symbols import symbols_of
from tesselle.ir.types import DType
from tesselle.passes.vm.scalar_arithmetic import ScalarLowering, register_suffix, register_type_of
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F32, F64, I32, I64


def constant_bits(op: arith.ConstantOp) -> int:
    """The bytes of a scalar constant as an integer of 64 bits; Unsupported when they are more."""
    t = op.result_type
    assert isinstance(t, DType)
    data = np.asarray(op.value, dtype=t.numpy).tobytes()
    if len(data) > 8:
        raise Unsupported(f"a {t} does not fit a push constant", op.location, "vm.convert")
    return int.from_bytes(data, "little", signed=len(data) == 8)


class ModuleTables:
    """The indices of constants, executables and entries."""

    def __init__(self, module: Op) -> None:
        self.constants: dict[str, int] = {}
        self.host_functions: dict[str, int] = {}
        self.executables: dict[str, int] = {}
        self.entries: dict[tuple[str, str], int] = {}
        for name, symbol in symbols_of(module):
            if isinstance(symbol, hal.ConstantDataOp):
                self.constants[name] = len(self.constants)
            elif isinstance(symbol, hal.HostFunctionOp):
                self.host_functions[name] = len(self.host_functions)
            elif isinstance(symbol, hal.ExecutableOp):
                self.executables[name] = len(self.executables)
                for index, entry in enumerate(symbol.exports):
                    self.entries[name, entry.sym_name] = index

    def entry(self, reference: SymbolRef) -> tuple[int, int]:
        """Executable and entry index of `@executable::@entry`."""
        return self.executables[reference.root], self.entries[reference.root, reference.leaf]


class HalLowering:
    """Emits the instructions of hal operations; `lookup` gives the VM value of an operand."""

    def __init__(self, scalars: ScalarLowering, tables: ModuleTables, lookup: Callable[[Value], Value]) -> None:
        self.scalars = scalars
        self.tables = tables
        self.value = lookup

    def emit(self, name: str, *fields: Any) -> Sequence[Value]:
        return self.scalars.b.insert(vm.instruction(name, *fields)).results

    def all(self, values: Sequence[Value]) -> list[Value]:
        return [self.value(v) for v in values]

    def lower(self, op: Op) -> Sequence[Value]:
        """The VM values of the results of a hal operation."""
        v = self.value
        match op:
            case hal.ConstantOp():
                return self.emit("hal.constant", self.tables.constants[op.constant.leaf])
            case hal.VariableLoadOp():
                suffix = register_suffix(register_type_of(op.result_type))
                return self.emit(f"global.load.{suffix}", op.variable.leaf)
            case hal.VariableStoreOp():
                value = v(op.value)
                return self.emit(f"global.store.{register_suffix(value.type)}", op.variable.leaf, value)
            case hal.AssertOp():
                failed = self.scalars.emit("xor.i32", v(op.condition), self.scalars.constant(1, I32))
                if not op.values and not op.is_argument:
                    return self.emit("cond_fail", failed, op.message)
                return self.emit("cond_fail.values", failed, int(op.is_argument), op.message, self.all(op.values))
            case hal.BufferAllocateOp():
                return self.emit("hal.buffer.allocate", v(op.size))
            case hal.BufferLoadOp():
                return [self.load(op)]
            case hal.BufferViewCheckOp():
                return self.emit("hal.view.check", v(op.view), op.argument, op.dtype, op.rank)
            case hal.BufferViewCheckDimOp():
                return self.emit("hal.view.check_dim", v(op.view), op.argument, op.axis, v(op.expected))
            case hal.BufferViewDimOp():
                return self.emit("hal.view.dim", v(op.view), op.axis)
            case hal.BufferViewBufferOp():
                return self.emit("hal.view.buffer", v(op.view))
            case hal.BufferViewCreateOp():
                return self.emit("hal.view.create", v(op.buffer), v(op.offset), op.dtype, self.all(op.dims))
            case hal.FenceNullOp():
                return self.emit("const.ref.null")
            case hal.FenceCreateOp():
                return self.emit("hal.fence.create")
            case hal.FenceAwaitOp():
                return self.emit("hal.fence.await", v(op.fence))
            case hal.HostCallOp():
                number = self.tables.host_functions[op.function.leaf]
                return self.emit("hal.host_call", number, self.all(op.arguments), self.all(op.results_))
            case hal.QueueExecuteOp():
                return self.emit("hal.queue.execute", v(op.commands), v(op.wait), v(op.signal), self.all(op.buffers))
            case _:
                return self.command(op)

    def command(self, op: Op) -> Sequence[Value]:
        """Recording of commands."""
        v = self.value
        match op:
            case hal.CommandBufferCreateOp():
                return self.emit("hal.command_buffer.create", op.capacity)
            case hal.CommandBufferFinalizeOp():
                return self.emit("hal.command_buffer.finalize", v(op.commands))
            case hal.CommandBufferBarrierOp():
                return self.emit("hal.command_buffer.barrier", v(op.commands))
            case hal.CommandBufferDispatchOp():
                executable, entry = self.tables.entry(op.entry)
                return self.emit(
                    "hal.command_buffer.dispatch",
                    v(op.commands),
                    executable,
                    entry,
                    *self.all((op.x, op.y, op.z)),
                    [self.slot(p) for p in op.push],
                    self.all(op.offsets),
                    self.all(op.lengths),
                    op.slots,
                    op.access,
                )
            case hal.CommandBufferCopyOp():
                return self.emit(
                    "hal.command_buffer.copy",
                    v(op.commands),
                    op.source_slot,
                    v(op.source_offset),
                    op.target_slot,
                    v(op.target_offset),
                    v(op.length),
                )
            case hal.CommandBufferFillOp():
                element = op.value.type
                assert isinstance(element, DType)
                pattern, size = self.slot(op.value), element.size_bytes
                return self.emit(
                    "hal.command_buffer.fill", v(op.commands), op.slot, v(op.offset), v(op.length), pattern, size
                )
            case _:
                raise Unsupported(f"the host program cannot run {op.name}", op.location, "vm.convert")

    def slot(self, value: Value) -> Value:
        """A scalar as the 64 bits of a push constant or fill pattern: its own bits, zero-extended.

        Constants need no register of their type, so that they may be of any type of at most 8 bytes.
        """
        maker = value.defining_op
        if isinstance(maker, arith.ConstantOp):
            return self.scalars.constant(constant_bits(maker), I64)
        scalar = self.value(value)
        emit = self.scalars.emit
        if scalar.type == F64:
            return emit("bitcast.f64.i64", scalar)
        if scalar.type == F32:
            scalar = emit("bitcast.f32.i32", scalar)
        return scalar if scalar.type == I64 else emit("ext_u.i32.i64", scalar)

    def load(self, op: hal.BufferLoadOp) -> Value:
        """Read a scalar back; narrow integers arrive sign-extended and are brought into their type's range."""
        t = op.result_type
        if t in (F32, F64):
            name = t.name
        elif t.is_bool or t.is_integer or t.is_index:
            name = f"i{max(8, t.bits)}"
        else:
            raise Unsupported(f"the host program cannot read a scalar of type {t}", op.location, "vm.convert")
        (loaded,) = self.emit(f"hal.buffer.load.{name}", self.value(op.buffer), self.value(op.offset))
        return self.scalars.normalise(loaded, t)
