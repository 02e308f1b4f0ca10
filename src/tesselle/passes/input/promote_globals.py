"""promote-globals: between its beginning and its end a function keeps its variables in SSA values.

    %0 = ml_program.global_load @v               %0 = ml_program.global_load @v
    stablehlo.while(…) { …                       %1 = stablehlo.while(%v = %0, …) { …
      %2 = ml_program.global_load @v       ->      %3 = add %v, …
      %3 = add %2, …                               return %3, … }
      ml_program.global_store @v = %3 }          ml_program.global_store @v = %1

Afterwards loads stand at the beginning of functions, stores at their end, each variable at most once in both. Globals
that are not mutable are constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tesselle.dialects.core import builtin, func, ml_program, scf
from tesselle.dialects.core.tensor import CastOp
from tesselle.dialects.stablehlo import control_flow as s
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import UNIT, SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import add_results
from tesselle.ir.types import TensorType, Type
from tesselle.passes.input.create_initializer import first_value
from tesselle.support.diagnostics import Diagnostic, Unsupported

UPDATES = "tesselle.updates"
"""Attribute of functions that store to variables."""

BRANCHES = (s.IfOp, s.CaseOp, scf.IfOp)


@register_pass("promote-globals")
@dataclass(frozen=True)
class PromoteGlobals(Pass):
    """Errors: Unsupported for stores in regions that run any number of times (all of them at once)."""

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        variables = {g.sym_name: g for g in ml_program.globals_of(module)}
        if not variables:
            return
        failures: list[Diagnostic] = []
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _replace_constants(op, variables)
                promotion = _Promotion(op, variables)
                promotion.run()
                failures.extend(promotion.failures)
        if failures:
            raise Unsupported.several(failures)
        for variable in variables.values():
            if not variable.is_mutable:
                variable.erase()


def _replace_constants(function: func.FuncOp, variables: Mapping[str, ml_program.GlobalOp]) -> None:
    for op in list(function.walk()):
        if isinstance(op, ml_program.GlobalLoadOp | ml_program.GlobalLoadConstOp):
            variable = variables[op.global_.root]
            if not variable.is_mutable:
                b = Builder.before_op(op)
                value = b.insert(ConstantOp(first_value(variable))).result
                value.name_hint = variable.sym_name
                op.replace_with(cast(b, value, op.results[0].type))


def cast(b: Builder, value: Value, type: Type) -> Value:
    """`value` as a tensor of the same sizes of which more, or less, is known."""
    if value.type == type:
        return value
    assert isinstance(type, TensorType)
    return b.insert(CastOp(value, type)).result


class _Promotion:
    """One function. `state`, which every step takes and changes, holds what each variable is worth at that point."""

    def __init__(self, function: func.FuncOp, variables: Mapping[str, ml_program.GlobalOp]) -> None:
        self.function = function
        self.variables = variables
        self.loads: dict[str, Value] = {}
        self.failures: list[Diagnostic] = []

    def run(self) -> None:
        blocks = self.function.body.blocks
        touched = any(isinstance(op, ml_program.GlobalLoadOp | ml_program.GlobalStoreOp) for op in self.function.walk())
        if not touched:
            return
        if len(blocks) != 1:
            text = f"@{self.function.sym_name} has variables and a control-flow graph of several blocks"
            raise Unsupported(text, self.function.location, "variable")
        state: dict[str, Value] = {}
        self._block(blocks[0], state)
        b = Builder.before_op(blocks[0].terminator)
        for name, value in state.items():
            if value is not self.loads.get(name):
                b.insert(ml_program.GlobalStoreOp(SymbolRef(name), cast(b, value, self.variables[name].type)))
                self.function.attributes[UPDATES] = UNIT

    def _value(self, name: str, state: dict[str, Value]) -> Value:
        """What the variable is worth; it is loaded at the beginning of the function where that is not known."""
        if name not in state:
            if name not in self.loads:
                entry = self.function.entry
                variable = self.variables[name]
                load = ml_program.GlobalLoadOp(SymbolRef(name), variable.type)
                load.location = variable.location
                entry.insert(load, entry.first)
                load.results[0].name_hint = name
                self.loads[name] = load.results[0]
            state[name] = self.loads[name]
        return state[name]

    def _block(self, block: Block, state: dict[str, Value]) -> None:
        for op in block.ops:
            match op:
                case ml_program.GlobalLoadOp():
                    value = self._value(op.global_.root, state)
                    op.replace_with(cast(Builder.before_op(op), value, op.results[0].type))
                case ml_program.GlobalStoreOp():
                    state[op.global_.root] = op.value
                    op.erase()
                case _ if op.regions:
                    self._control_flow(op, state)
                case _:
                    pass

    def _control_flow(self, op: Op, state: dict[str, Value]) -> None:
        stored = dict.fromkeys(i.global_.root for i in op.walk() if isinstance(i, ml_program.GlobalStoreOp))
        match op:
            case s.WhileOp() if stored:
                self._loop(op, list(stored), state, op.cond.block, op.body.block)
            case scf.WhileOp() if stored:
                self._loop(op, list(stored), state, op.before.block, op.after.block)
            case scf.ForOp() if stored:
                self._loop(op, list(stored), state, None, op.body.block)
            case _ if isinstance(op, BRANCHES) and stored:
                self._branches(op, list(stored), state)
            case _:
                for region in op.regions:
                    for block in region.blocks:
                        self._inner(op, block, state, ())

    def _inner(self, op: Op, block: Block, state: dict[str, Value], allowed: tuple[str, ...]) -> dict[str, Value]:
        """Variables inside a block that may store to those of `allowed`; what they are worth at its end."""
        inside = dict(state)
        before = dict(state)
        self._block(block, inside)
        for name, value in inside.items():
            known = before.get(name, self.loads.get(name))
            if name not in allowed and value is not known:
                text = f"a store to @{name} in a region of {op.name}, which may run any number of times"
                self.failures.extend(Unsupported(text, op.location, "variable").diagnostics)
        # A variable that is first looked at in here is worth the same outside.
        for name in inside.keys() - before.keys():
            if name in self.loads and name not in allowed:
                state[name] = self.loads[name]
        return inside

    def _typed(self, before: Op, name: str, state: dict[str, Value]) -> Value:
        """The variable with the type that it is declared with."""
        return cast(Builder.before_op(before), self._value(name, state), self.variables[name].type)

    def _loop(self, op: Op, names: list[str], state: dict[str, Value], condition: Block | None, body: Block) -> None:
        """The loop carries the variables that it stores to."""
        types = [self.variables[name].type for name in names]
        op.set_operands([*op.operands, *(self._typed(op, name, state) for name in names)])
        inside = dict(state)
        if condition is not None:
            inside.update((name, condition.add_arg(t)) for name, t in zip(names, types, strict=True))
            after = self._inner(op, condition, inside, tuple(names) if isinstance(op, scf.WhileOp) else ())
            if isinstance(op, scf.WhileOp):
                last = condition.terminator
                last.set_operands([*last.operands, *(self._typed(last, name, after) for name in names)])
        inside.update((name, body.add_arg(t)) for name, t in zip(names, types, strict=True))
        after = self._inner(op, body, inside, tuple(names))
        last = body.terminator
        last.set_operands([*last.operands, *(self._typed(last, name, after) for name in names)])
        state.update(zip(names, add_results(op, types), strict=True))

    def _branches(self, op: Op, names: list[str], state: dict[str, Value]) -> None:
        """Every branch gives the variables that one of them stores to."""
        for name in names:
            self._value(name, state)
        for region in op.regions:
            if region.is_empty:
                region.append(Block())
                Builder.at_end(region.block, op.location).insert(scf.YieldOp(()))
            after = self._inner(op, region.block, state, tuple(names))
            last = region.block.terminator
            last.set_operands([*last.operands, *(self._typed(last, name, after) for name in names)])
        state.update(zip(names, add_results(op, [self.variables[name].type for name in names]), strict=True))
