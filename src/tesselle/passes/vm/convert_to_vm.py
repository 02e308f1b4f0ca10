"""convert-to-vm: functions with structured control flow become vm functions with a control-flow graph.

    scf.for %i = %lo to %hi step %s iter_args(%a = %init) { … yield %b }

                br ^head(%lo, %init)
    ^head(%i, %a):  %c = cmp.lt_s.i64 %i, %hi;  cond_br %c, ^body, ^exit
    ^body:          …;  %n = add.i64 %i, %s;  br ^head(%n, %b)
    ^exit:          uses of the loop's results read %a

Scalar arithmetic and calls of the runtime: see scalar_arithmetic and hal_instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tesselle.dialects.core import arith, func, scf
from tesselle.dialects.hal import ops as hal
from tesselle.dialects.vm import ops as vm
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.symbols import symbols_of
from tesselle.passes.vm.hal_instructions import HalLowering, ModuleTables
from tesselle.passes.vm.scalar_arithmetic import ScalarLowering, has_register, register_type_of
from tesselle.support.diagnostics import Unsupported


@register_pass("convert-to-vm", needs=[Fact.HAL], gives=[Fact.VM], breaks=[Fact.HAL])
@dataclass(frozen=True)
class ConvertToVm(Pass):
    """Convert every function and global of the host program."""

    def run(self, module: Op) -> None:
        tables = ModuleTables(module)
        for _, symbol in list(symbols_of(module)):
            b = Builder.before_op(symbol)
            if isinstance(symbol, func.FuncOp):
                _FunctionConversion(symbol, tables).run(b)
                symbol.erase()
            elif isinstance(symbol, hal.VariableOp):
                b.insert(vm.GlobalOp(symbol.sym_name, register_type_of(symbol.type), symbol.tensor))
                symbol.erase()
        eliminate_dead_code(module)


class _FunctionConversion:
    """One function: walks the structured program and appends to the current block of the graph."""

    def __init__(self, source: func.FuncOp, tables: ModuleTables) -> None:
        self.source = source
        self.values: dict[Value, Value] = {}
        self.inputs = tuple(map(register_type_of, source.function_type.inputs))
        self.outputs = tuple(map(register_type_of, source.function_type.results))
        # Names and places of the arguments are those that callers know.
        self.body = Region([Block(self.inputs, [a.location for a in source.entry.args])])
        for old, new in zip(source.entry.args, self.body.blocks[0].args, strict=True):
            new.name_hint = old.name_hint
        self.b = Builder.at_end(self.body.blocks[0], source.location)
        self.scalars = ScalarLowering(self.b, self.value)
        self.hal = HalLowering(self.scalars, tables, self.value)

    def run(self, b: Builder) -> None:
        self.values.update(zip(self.source.entry.args, self.body.blocks[0].args, strict=True))
        self.convert_block(self.source.entry)
        function = vm.FuncOp(self.source.sym_name, self.inputs, self.outputs, self.body, self.source.is_public)
        function.location = self.source.location
        for name, value in self.source.attributes.items():
            if name in ("arg_attrs", "res_attrs") or name.startswith(("stream.", "tesselle.")):
                function.attributes[name] = value  # for the manifest
        b.insert(function)

    def value(self, value: Value) -> Value:
        return self.values[value]

    def all(self, values: Sequence[Value]) -> list[Value]:
        return [self.values[v] for v in values]

    def new_block(self, *arg_types: Any) -> Block:
        block = Block(arg_types)
        self.body.append(block)
        return block

    def convert_block(self, block: Block) -> Op:
        """Convert the operations of a structured block; return its terminator, not converted unless it returns."""
        last = block.terminator
        for op in block:
            if op is last and not isinstance(op, func.ReturnOp):
                break
            with self.b.located(op.location):
                self.convert(op)
        return last

    def convert(self, op: Op) -> None:
        if isinstance(op, func.ReturnOp):
            self.b.insert(vm.ReturnOp(self.all(op.values)))
        elif isinstance(op, func.CallOp):
            types = [register_type_of(t) for t in op.result_types]
            call = self.b.insert(vm.CallOp(self.all(op.operands), op.callee.leaf, types))
            self.values.update(zip(op.results, call.results, strict=True))
        elif isinstance(op, scf.ForOp):
            self.convert_for(op)
        elif isinstance(op, scf.WhileOp):
            self.convert_while(op)
        elif isinstance(op, scf.IfOp):
            self.convert_if(op)
        elif isinstance(op, arith.ConstantOp) and not has_register(op.result_type):
            pass  # only its bits are used, see HalLowering.slot
        elif op.dialect == "hal":
            self.values.update(zip(op.results, self.hal.lower(op), strict=True))
        else:
            result = self.scalars.lower(op)
            if result is None:
                raise Unsupported(f"the host program cannot run {op.name}", op.location, "vm.convert")
            self.values[op.results[0]] = result

    def convert_for(self, op: scf.ForOp) -> None:
        lower, upper, step = self.all([op.lower, op.upper, op.step])
        init = self.all(op.init_args)
        head = self.new_block(lower.type, *(v.type for v in init))
        self.b.insert(vm.BranchOp([lower, *init], head))
        body, exit = self.new_block(), self.new_block()
        self.b.block = head
        condition = self.scalars.emit("cmp.lt_s.i64", head.args[0], upper)
        self.b.insert(vm.CondBranchOp(condition, [], [], body, exit))
        self.b.block = body
        self.values.update(zip(op.body.block.args, head.args, strict=True))
        last = self.convert_block(op.body.block)
        following = self.scalars.emit("add.i64", head.args[0], step)
        self.b.insert(vm.BranchOp([following, *self.all(last.operands)], head))
        self.b.block = exit
        self.values.update(zip(op.results, head.args[1:], strict=True))

    def convert_while(self, op: scf.WhileOp) -> None:
        init = self.all(op.init_args)
        head = self.new_block(*(v.type for v in init))
        self.b.insert(vm.BranchOp(init, head))
        self.b.block = head
        self.values.update(zip(op.before.block.args, head.args, strict=True))
        condition = self.convert_block(op.before.block)
        if not isinstance(condition, scf.ConditionOp):
            op.fail("before", "the first region must end in scf.condition")
        assert isinstance(condition, scf.ConditionOp)
        forwarded = self.all(condition.args)
        body, exit = self.new_block(), self.new_block()
        self.b.insert(vm.CondBranchOp(self.values[condition.condition], [], [], body, exit))
        self.b.block = body
        self.values.update(zip(op.after.block.args, forwarded, strict=True))
        last = self.convert_block(op.after.block)
        self.b.insert(vm.BranchOp(self.all(last.operands), head))
        self.b.block = exit
        self.values.update(zip(op.results, forwarded, strict=True))

    def convert_if(self, op: scf.IfOp) -> None:
        then = self.new_block()
        join = self.new_block(*(register_type_of(t) for t in op.result_types))
        otherwise = join if op.else_region.is_empty else self.new_block()
        self.b.insert(vm.CondBranchOp(self.values[op.condition], [], [], then, otherwise))
        for block, region in ((then, op.then_region), (otherwise, op.else_region)):
            if region.is_empty:
                continue
            self.b.block = block
            last = self.convert_block(region.block)
            self.b.insert(vm.BranchOp(self.all(last.operands), join))
        self.b.block = join
        self.values.update(zip(op.results, join.args, strict=True))
