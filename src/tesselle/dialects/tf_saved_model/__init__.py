"""tf_saved_model: the variables and constants of a SavedModel, as TensorFlow's importer writes them."""

from __future__ import annotations

from typing import cast

from tesselle.ir.attributes import Attribute, DenseElements
from tesselle.ir.core import NO_TERMINATOR, Op
from tesselle.ir.declare import attr_def, op
from tesselle.ir.types import TensorType, Type, types_compatible


@op("tf_saved_model.global_tensor", NO_TERMINATOR)
class GlobalTensorOp(Op):
    """A variable, or a constant where `is_mutable` is not set, which functions take as `tf_saved_model.bound_input`.

    Errors: type (no tensor), value (of another type).
    """

    sym_name: str = attr_def()
    type: TensorType = attr_def()
    is_mutable: bool = attr_def(default=False)
    value: Attribute = attr_def(default=None)

    def check(self) -> None:
        t = cast(Type, self.type)
        self.require(isinstance(t, TensorType), "type", f"expected a tensor type, found {t}")
        value = self.value
        if isinstance(value, DenseElements):
            fits = types_compatible(value.type, self.type)
            self.require(fits, "value", f"@{self.sym_name} has type {self.type}, its value {value.type}")


BOUND_INPUT = "tf_saved_model.bound_input"
"""The attribute of an argument that is no argument: it names what the function gets in its place."""

UNSUPPORTED = "tf_saved_model.unsupported"
"""The attribute of a module with what is not supported about its functions, as texts; `tf` is lowered none the less, so
that one report has that and all operations.
"""
