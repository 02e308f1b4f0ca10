"""convert-to-hal: stream becomes calls of the runtime; regions of commands become command buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tesselle.dialects.core import builtin, func, ml_program, scf
from tesselle.dialects.core.arith import ConstantOp
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.hal import ops as hal
from tesselle.dialects.hal.types import BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE, BufferType
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import ResourceType, TimepointType
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code, inline_block, is_constant
from tesselle.ir.types import TensorType
from tesselle.passes.index_arithmetic import IndexBuilder
from tesselle.support.dtypes import I1, INDEX, DType


@register_pass("convert-to-hal", needs=[Fact.SCHEDULED], gives=[Fact.HAL])
@dataclass(frozen=True)
class ConvertToHal(Pass):
    """Arguments are checked and taken apart, stream.cmd.execute records and submits a command buffer.

    A region of commands that uses no number known only at run time is recorded by the first call and kept in a
    variable of the session. Grids come from the workgroup_count regions of the executables, which code generation has
    filled in.
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        exports: dict[SymbolRef, flow.ExecutableExportOp] = {}
        for op in module.body:
            if isinstance(op, flow.ExecutableOp):
                for inner in op.body.block:
                    if isinstance(inner, flow.ExecutableExportOp):
                        exports[SymbolRef(op.sym_name, (inner.sym_name,))] = inner
        _convert_variables(module)
        constants = _Constants(module)
        host_functions = _HostFunctions(module)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _FunctionConversion(module, op, exports, constants, host_functions).run()
                eliminate_common_subexpressions(op)
                eliminate_dead_code(op)


def _convert_variables(module: builtin.ModuleOp) -> None:
    for variable in ml_program.globals_of(module):
        assert isinstance(variable.type, TensorType)
        Builder.before_op(variable).insert(hal.VariableOp(variable.sym_name, BUFFER_VIEW, variable.type))
        variable.erase()


class _Constants:
    """Constants of the module, each once."""

    def __init__(self, module: builtin.ModuleOp) -> None:
        self.module = module
        self.names: dict[DenseElements, str] = {}

    def name(self, value: DenseElements, hint: str | None) -> str:
        found = self.names.get(value)
        if found is None:
            found = self.names[value] = f"constant_{len(self.names)}" + (f"_{hint}" if hint else "")
            data = hal.ConstantDataOp(found, value)
            self.module.body.insert(data, self.module.body.first)
        return found


class _HostFunctions:
    """Functions of the host that the module calls: equal calls share one."""

    def __init__(self, module: builtin.ModuleOp) -> None:
        self.module = module
        self.names: dict[tuple[str, str], str] = {}

    def name(self, call: stream.CmdHostCallOp, caller: func.FuncOp) -> str:
        key = call.target, call.config
        found = self.names.get(key)
        if found is None:
            found = self.names[key] = f"host_function_{len(self.names)}"
            place = call.location.file_location()
            source = str(place) if place is not None else ""
            declared = hal.HostFunctionOp(found, call.target, call.config, source)
            self.module.body.insert(declared, caller)
        return found


class _FunctionConversion:
    def __init__(
        self,
        module: builtin.ModuleOp,
        function: func.FuncOp,
        exports: Mapping[SymbolRef, flow.ExecutableExportOp],
        constants: _Constants,
        host_functions: _HostFunctions,
    ) -> None:
        self.module = module
        self.function = function
        self.exports = exports
        self.constants = constants
        self.host_functions = host_functions
        self.index_constants: dict[int, Value] = {}
        self.kept = 0
        self.checked: Op | None = None

    def _index(self, b: Builder) -> IndexBuilder:
        return IndexBuilder(b, self.index_constants, self.function.entry)

    def run(self) -> None:
        for op in list(self.function.walk()):
            if op.parent is not None and op is not self.function:
                self._convert(op)

    def _convert(self, op: Op) -> None:
        b = Builder.before_op(op)
        match op:
            case stream.TensorImportOp():
                self._import(op, b)
            case stream.VariableLoadOp():
                op.replace_with(b.insert(hal.VariableLoadOp(op.variable, BUFFER_VIEW)).result)
            case stream.VariableStoreOp():
                b.insert(hal.VariableStoreOp(op.view, op.variable))
                op.erase()
            case stream.TensorDimOp():
                op.replace_with(b.insert(hal.BufferViewDimOp(op.view, op.axis)).result)
            case stream.TensorExportOp():
                index = self._index(b)
                rest = iter(op.dims)
                dims = [next(rest) if d is None else index.value(d) for d in op.tensor.shape]
                view = hal.BufferViewCreateOp(op.source, index.value(0), dims, op.tensor.dtype)
                op.replace_with(b.insert(view).result)
            case stream.ResourceConstantOp():
                name = self.constants.name(op.value, op.result.name_hint)
                op.replace_with(b.insert(hal.ConstantOp(SymbolRef(name))).result)
            case stream.ResourceAllocOp():
                op.replace_with(b.insert(hal.BufferAllocateOp(op.size)).result)
            case stream.ResourceLoadOp():
                t = op.result_type
                assert isinstance(t, DType)
                op.replace_with(b.insert(hal.BufferLoadOp(op.source, op.offset, t)).result)
            case stream.CmdHostCallOp():
                self._host_call(op, b)
            case stream.TimepointImmediateOp():
                op.replace_with(b.insert(hal.FenceNullOp()).result)
            case stream.TimepointAwaitOp():
                b.insert(hal.FenceAwaitOp(op.timepoint))
                op.erase()
            case stream.CmdExecuteOp():
                self._execute(op, b)
            case flow.AssertOp():
                b.insert(hal.AssertOp(op.condition, op.values, op.message, op.is_argument))
                op.erase()
            case scf.ForOp() | scf.WhileOp() | scf.IfOp():
                arguments = (a for region in op.regions for block in region.blocks for a in block.args)
                for value in (*op.results, *arguments):
                    if isinstance(value.type, TimepointType):
                        value.type = FENCE
                    elif isinstance(value.type, ResourceType):
                        value.type = BUFFER
            case _:
                pass

    def _import(self, op: stream.TensorImportOp, b: Builder) -> None:
        """Checks come first of all, before any dimension is used."""
        t = op.tensor
        if op.argument is not None:
            block = self.function.entry
            checks = Builder(block, self.checked.next if self.checked is not None else block.first, op.location)
            check: Op = checks.insert(hal.BufferViewCheckOp(op.view, op.argument, t.dtype, t.rank))
            self.checked = check
            index = self._index(b)
            for axis, size in enumerate(t.shape):
                if size is not None:
                    b.insert(hal.BufferViewCheckDimOp(op.view, index.value(size), op.argument, axis))
        op.replace_with(b.insert(hal.BufferViewBufferOp(op.view)).result)

    def _host_call(self, op: stream.CmdHostCallOp, b: Builder) -> None:
        index = self._index(b)
        rest = iter(op.dims)
        views: list[Value] = []
        for resource, offset, t in zip(op.resources, op.offsets, op.tensors, strict=True):
            dims = [next(rest) if d is None else index.value(d) for d in t.shape]
            views.append(b.insert(hal.BufferViewCreateOp(resource, offset, dims, t.dtype)).result)
        function = self.host_functions.name(op, self.function)
        count = op.argument_count
        b.insert(hal.HostCallOp(views[:count], views[count:], SymbolRef(function)))
        op.erase()

    # ------------------------------------------------------------------------------------------ command buffers

    def _execute(self, op: stream.CmdExecuteOp, b: Builder) -> None:
        slots = _slots_of(op.body)
        signal = b.insert(hal.FenceCreateOp()).result
        commands = self._kept_commands(op, b, slots) if _is_static(op.body) else self._record(op, b, slots)
        b.insert(hal.QueueExecuteOp(commands, op.wait, signal, list(slots)))
        op.replace_with(signal)

    def _kept_commands(self, op: stream.CmdExecuteOp, b: Builder, slots: Mapping[Value, int]) -> Value:
        """Recorded by the first call; a flag tells whether that was done."""
        name = self._unused(f"{self.function.sym_name}_commands_{self.kept}")
        self.kept += 1
        for variable, t in ((name, COMMAND_BUFFER), (f"{name}_ready", I1)):
            self.module.body.insert(hal.VariableOp(variable, t), self.function)
        kept, ready = SymbolRef(name), SymbolRef(f"{name}_ready")
        branches = [Region([Block()]), Region([Block()])]
        is_ready = b.insert(hal.VariableLoadOp(ready, I1)).result
        choice = scf.IfOp(is_ready, result_types_=[COMMAND_BUFFER], then_region=branches[0], else_region=branches[1])
        b.insert(choice)
        then = Builder.at_end(branches[0].block, op.location)
        then.insert(scf.YieldOp([then.insert(hal.VariableLoadOp(kept, COMMAND_BUFFER)).result]))
        other = Builder.at_end(branches[1].block, op.location)
        recorded = self._record(op, other, slots)
        other.insert(hal.VariableStoreOp(recorded, kept))
        yes = other.insert(ConstantOp(True, I1)).result
        other.insert(hal.VariableStoreOp(yes, ready))
        other.insert(scf.YieldOp([recorded]))
        return choice.results[0]

    def _unused(self, name: str) -> str:
        """`name`, longer where the program has a symbol of that name."""
        while self.module.lookup(name) is not None:
            name += "_"
        return name

    def _record(self, op: stream.CmdExecuteOp, b: Builder, slots: Mapping[Value, int]) -> Value:
        commands = b.insert(hal.CommandBufferCreateOp(len(slots))).result
        for inner in list(op.body.walk()):
            self._record_command(inner, commands, slots)
        # The recording stands where `b` builds: the body's operations move there.
        end = b.insert(hal.CommandBufferFinalizeOp(commands))
        inline_block(op.body.block, end, ())
        return commands

    def _record_command(self, op: Op, commands: Value, slots: Mapping[Value, int]) -> None:
        if op.parent is None:
            return
        b = Builder.before_op(op)
        match op:
            case stream.CmdDispatchOp():
                x, y, z = self._grid(op, b)
                places = tuple(slots[r] for r in op.resources)
                b.insert(
                    hal.CommandBufferDispatchOp(
                        commands, x, y, z, op.push, op.offsets, op.lengths, op.entry, places, op.access
                    )
                )
                op.erase()
            case stream.CmdCopyOp():
                source, target = slots[op.source], slots[op.target]
                new = hal.CommandBufferCopyOp(commands, op.source_offset, op.target_offset, op.length, source, target)
                b.insert(new)
                op.erase()
            case stream.CmdFillOp():
                b.insert(hal.CommandBufferFillOp(commands, op.value, op.offset, op.length, slots[op.target]))
                op.erase()
            case stream.CmdBarrierOp():
                b.insert(hal.CommandBufferBarrierOp(commands))
                op.erase()
            case _:
                pass

    def _grid(self, op: stream.CmdDispatchOp, b: Builder) -> list[Value]:
        """The workgroup counts: the export's region on the push constants of type index."""
        export = self.exports[op.entry]
        region = export.workgroup_count
        op.require(not region.is_empty, "workgroup_count", f"the grid of {op.entry} is not known yet")
        block = region.block
        mapping: dict[Value, Value] = dict(zip(block.args, (v for v in op.push if v.type == INDEX), strict=True))
        for inner in block:
            if isinstance(inner, flow.ReturnOp):
                return [mapping.get(v, v) for v in inner.values]
            b.insert(inner.clone(mapping))
        raise TypeError("workgroup_count does not end in flow.return")


def _slots_of(body: Region) -> dict[Value, int]:
    """The resources that commands use, in order of first use."""
    slots: dict[Value, int] = {}
    for op in body.walk():
        for v in op.operands:
            if isinstance(v.type, ResourceType | BufferType):
                slots.setdefault(v, len(slots))
    return slots


def _is_static(body: Region) -> bool:
    """Whether the region uses nothing from outside but resources and constants."""
    for op in body.walk():
        for v in op.operands:
            if body.is_ancestor_of(v.parent_region) or is_constant(v):
                continue
            if not isinstance(v.type, ResourceType | BufferType):
                return False
    return True
