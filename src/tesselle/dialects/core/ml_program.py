"""ml_program: values that live as long as a session of the program."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.ir.attributes import Attribute, DenseElements, SymbolRef
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def
from tesselle.ir.symbols import lookup
from tesselle.ir.types import Type, types_compatible

CONSTANT_UNLESS_STORED = "tesselle.constant_unless_stored"
"""Attribute of mutable globals of sources in which everything is a variable: those that nothing stores to are constant."""


@op("ml_program.global")
class GlobalOp(Op):
    """A variable of every session; `value` is what it holds at first. Constant where `is_mutable` is not set.

    Errors: value (a constant without one, or of another type).
    """

    sym_name: str = attr_def()
    type: Type = attr_def()
    is_mutable: bool = attr_def(default=False)
    value: Attribute = attr_def(default=None)
    sym_visibility: str | None = attr_def(default=None)

    def check(self) -> None:
        value = self.value
        self.require(self.is_mutable or value is not None, "value", f"the constant @{self.sym_name} has no value")
        if isinstance(value, DenseElements):
            fits = types_compatible(value.type, self.type)
            self.require(fits, "value", f"@{self.sym_name} has type {self.type}, its value {value.type}")


def _type_of(op_: Op, ref: SymbolRef) -> Type | None:
    """The type of the global that `ref` names; None where the operation stands in no module."""
    if op_.parent_op is None:
        return None
    target = lookup(op_, ref)
    if not isinstance(target, GlobalOp):
        op_.fail("global", f"there is no ml_program.global {ref}")
    assert isinstance(target, GlobalOp)
    return target.type


@op("ml_program.global_load")
class GlobalLoadOp(Op):
    """What the variable holds. Errors: global (there is none), type."""

    global_: SymbolRef = attr_def(name="global")
    result_type: Type = result_type_def()

    def check(self) -> None:
        t = _type_of(self, self.global_)
        if t is not None and not types_compatible(t, self.results[0].type):
            self.fail("type", f"{self.global_} has type {t}, loaded as {self.results[0].type}")


@op("ml_program.global_load_const")
class GlobalLoadConstOp(Op):
    """What a variable that is never stored to holds. Errors: global (there is none), type."""

    global_: SymbolRef = attr_def(name="global")
    result_type: Type = result_type_def()

    def check(self) -> None:
        t = _type_of(self, self.global_)
        if t is not None and not types_compatible(t, self.results[0].type):
            self.fail("type", f"{self.global_} has type {t}, loaded as {self.results[0].type}")


@op("ml_program.global_store")
class GlobalStoreOp(Op):
    """Makes the variable hold `value`. Errors: global (there is none), type, mutable (it is constant)."""

    global_: SymbolRef = attr_def(name="global")
    value: Value = operand_def()

    def check(self) -> None:
        t = _type_of(self, self.global_)
        if t is None:
            return
        if not types_compatible(t, self.value.type):
            self.fail("type", f"{self.global_} has type {t}, stored as {self.value.type}")
        target = lookup(self, self.global_)
        assert isinstance(target, GlobalOp)
        self.require(target.is_mutable, "mutable", f"{self.global_} is constant")


def globals_of(module: Op) -> Sequence[GlobalOp]:
    """The globals that stand directly in `module`."""
    return [op_ for block in module.regions[0].blocks for op_ in block if isinstance(op_, GlobalOp)]
