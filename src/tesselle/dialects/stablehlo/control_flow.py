"""Control flow, calls of foreign code, and what only orders or groups values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tesselle.dialects.stablehlo.attributes import CustomCallApiVersion, OutputOperandAlias
from tesselle.dialects.stablehlo.base import require_region, scalar, tensor_type
from tesselle.ir.attribute_types import Int32
from tesselle.ir.attributes import Attribute, SymbolRef
from tesselle.ir.core import PURE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import (
    attr_def,
    op,
    operand_def,
    region_def,
    regions_def,
    result_types_def,
    variadic_def,
)
from tesselle.ir.symbols import lookup
from tesselle.ir.types import FunctionType, TupleType, Type, types_compatible
from tesselle.support.dtypes import I1, I32


@op("stablehlo.return", PURE, TERMINATOR)
class ReturnOp(Op):
    """Returns `values` from a region."""

    values: Sequence[Value] = variadic_def()


@op("stablehlo.while")
class WhileOp(Op):
    """while cond(state): state = body(state). Errors: C1 (cond), C2 (body). Source: spec, while."""

    init: Sequence[Value] = variadic_def()
    cond: Region = region_def()
    body: Region = region_def()

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.operands]

    def check(self) -> None:
        types = [v.type for v in self.operands]
        require_region(self, self.cond, types, [scalar(I1)], "C1", "cond")
        require_region(self, self.body, types, types, "C2", "body")


@op("stablehlo.if")
class IfOp(Op):
    """pred ? true_branch() : false_branch(). Errors: I1 (pred), C1 (branches take nothing), C2, C3 (results)."""

    pred: Value = operand_def()
    true_branch: Region = region_def()
    false_branch: Region = region_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        p = tensor_type(self, self.pred)
        self.require(p == scalar(I1), "I1", f"pred must be tensor<i1>, found {p}")
        first = require_region(self, self.true_branch, [], None, "C1", "true_branch")
        require_region(self, self.false_branch, [], first, "C2", "false_branch")
        _require_results(self, first, "C3")


@op("stablehlo.case")
class CaseOp(Op):
    """branches[index](), or the last branch when `index` is out of bounds.

    Errors: I1 (index), C1 (no branch), C2 (branches take nothing), C3 (branches differ), C4 (results).
    """

    index: Value = operand_def()
    branches: Sequence[Region] = regions_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        t = tensor_type(self, self.index)
        self.require(t == scalar(I32), "I1", f"index must be tensor<i32>, found {t}")
        self.require(len(self.regions) > 0, "C1", "case needs a branch")
        first = require_region(self, self.regions[0], [], None, "C2", "branch 0")
        for i, region in enumerate(self.regions[1:], 1):
            require_region(self, region, [], first, "C3", f"branch {i}")
        _require_results(self, first, "C4")


def _require_results(op_: Op, returned: Sequence[Type], label: str) -> None:
    found = op_.result_types
    if len(found) != len(returned) or not all(map(types_compatible, returned, found)):
        expected = ", ".join(map(str, returned))
        op_.fail(label, f"branches return ({expected}), the results are ({', '.join(map(str, found))})")


@op("stablehlo.optimization_barrier")
class OptimizationBarrierOp(Op):
    """The operands; no computation is moved across."""

    values: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.operands]


@op("stablehlo.tuple", PURE)
class TupleOp(Op):
    """The tuple of `values`."""

    values: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        return (TupleType(tuple(v.type for v in self.operands)),)


@op("stablehlo.get_tuple_element", PURE)
class GetTupleElementOp(Op):
    """operand[index]. Errors: I1 (not a tuple), C1 (index)."""

    operand: Value = operand_def()
    index: Int32 = attr_def()

    def infer(self) -> Sequence[Type]:
        t = self.operand.type
        if not isinstance(t, TupleType):
            self.fail("I1", f"expected a tuple, found {t}")
        assert isinstance(t, TupleType)
        self.require(0 <= self.index < len(t.types), "C1", f"index {self.index} must lie in [0, {len(t.types)})")
        return (t.types[self.index],)


@op("stablehlo.custom_call")
class CustomCallOp(Op):
    """Calls code that StableHLO does not describe, by name. Errors: C1 (name), C2 (layouts). Source: spec."""

    inputs: Sequence[Value] = variadic_def()
    call_target_name: str = attr_def()
    types: Sequence[Type] = result_types_def()
    has_side_effect: bool = attr_def(default=False)
    backend_config: Attribute = attr_def(default=None)
    api_version: CustomCallApiVersion = attr_def(default=CustomCallApiVersion.ORIGINAL)
    called_computations: tuple[SymbolRef, ...] = attr_def(default=())
    operand_layouts: tuple[Attribute, ...] | None = attr_def(default=None)
    result_layouts: tuple[Attribute, ...] | None = attr_def(default=None)
    output_operand_aliases: tuple[OutputOperandAlias, ...] = attr_def(default=())

    def check(self) -> None:
        self.require(bool(self.call_target_name), "C1", "call_target_name must not be empty")
        operands, results = self.operand_layouts, self.result_layouts
        self.require((operands is None) == (results is None), "C2", "layouts must be given for operands and results")
        if operands is not None and len(operands) != len(self.operands):
            self.fail("C2", f"expected {len(self.operands)} operand_layouts, found {len(operands)}")


@op("stablehlo.composite")
class CompositeOp(Op):
    """An operation made of others: means what calling `decomposition` means.

    Errors: C1 (name), C2 (decomposition), C3 (inputs), C4 (results). Source: spec, composite.
    """

    inputs: Sequence[Value] = variadic_def()
    name_: str = attr_def(name="name")
    decomposition: SymbolRef = attr_def()
    types: Sequence[Type] = result_types_def()
    composite_regions: Sequence[Region] = regions_def()
    composite_attributes: Mapping[str, Attribute] = attr_def(default={})
    version: Int32 = attr_def(default=0)

    def check(self) -> None:
        self.require("." in self.name_, "C1", f"the name must be qualified by a namespace, found '{self.name_}'")
        if self.parent_op is None:
            return
        target = lookup(self, self.decomposition)
        t = target.attributes.get("function_type") if target is not None else None
        if not isinstance(t, FunctionType):
            self.fail("C2", f"there is no function {self.decomposition}")
        assert isinstance(t, FunctionType)
        found = FunctionType(tuple(v.type for v in self.operands), self.result_types)
        text = f"{self.decomposition} has type {t}, the composite has {found}"
        self.require(found.inputs == t.inputs, "C3", text)
        self.require(found.results == t.results, "C4", text)
