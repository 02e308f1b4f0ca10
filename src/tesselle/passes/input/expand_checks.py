"""expand-checks: expectations of the check dialect become custom calls, whose host functions compare and tell.

check.expect_eq %x, %y : T             -> custom_call @check.expect_eq(%x, %y) {has_side_effect, place, function}
check.expect_eq_const %x, dense<…>     -> %y = constant dense<…>; the same
check.eq, check.almost_eq              -> as check.expect_eq_const, check.expect_almost_eq_const
custom_call @check.expect_close(…)     -> the same call, told its place and its function
interpreter.probe %x, probe_id = "p"   -> custom_call @interpreter.probe(%x) {has_side_effect, probe_id}; %x
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tesselle.dialects.check import ops as check
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.interpreter.ops import PrintOp, ProbeOp
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_calls import CONFIG
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import Attribute, FloatAttr, IntegerAttr
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter
from tesselle.support.dtypes import F64, UI64
from tesselle.support.expectations import FUNCTION, PLACE, TARGETS
from tesselle.support.locations import CallSiteLocation, Location
from tesselle.support.probes import PROBE_ID, TYPE


@register_pass("expand-checks")
@dataclass(frozen=True)
class ExpandChecks(Pass):
    """Make host calls of all expectations of a module."""

    def run(self, module: Op) -> None:
        for op in list(module.walk()):
            if isinstance(op, check.Expectation):
                _expand(op)
            elif isinstance(op, PrintOp | ProbeOp):
                _expand_probe(op)
            elif isinstance(op, CustomCallOp) and op.call_target_name in TARGETS:
                given = op.attributes.get(CONFIG)
                config: Mapping[str, Attribute] = given if isinstance(given, Mapping) else {}
                op.attributes = {**op.attributes, "has_side_effect": True, CONFIG: {**config, **_where(op)}}


_LEGACY: Mapping[str, str] = {"check.eq": "check.expect_eq", "check.almost_eq": "check.expect_almost_eq"}


def _expand(op: check.Expectation) -> None:
    rw = Rewriter(op)
    operands: list[Value] = list(op.operands)
    config: dict[str, Attribute] = dict(_where(op))
    if isinstance(op, check.ExpectationOfConstant):
        operands.append(rw.insert(ConstantOp(op.value)).result)
    if isinstance(op, check.ExpectAlmostEqOp | check.ExpectAlmostEqConstOp | check.AlmostEqOp):
        config["tolerance"] = FloatAttr(op.tolerance, F64)
    elif isinstance(op, check.ExpectCloseOp):
        config["max_ulp_difference"] = IntegerAttr(op.max_ulp_difference, UI64)
        config["min_ulp_difference"] = IntegerAttr(op.min_ulp_difference, UI64)
    elif isinstance(op, check.ExpectSerializedEqOp):
        config["probe_id"] = op.probe_id
        config["iteration"] = IntegerAttr(op.iteration, UI64)
    attributes: dict[str, Attribute] = {
        "call_target_name": _LEGACY.get(op.name) or op.name.removesuffix("_const"),
        "has_side_effect": True,
        CONFIG: config,
    }
    rw.insert(CustomCallOp.build(operands, (), attributes))
    op.replace_with([])


def _expand_probe(op: PrintOp | ProbeOp) -> None:
    config: dict[str, Attribute] = {}
    if isinstance(op, ProbeOp):
        config = {PROBE_ID: op.probe_id, TYPE: str(op.operand.type)}
    attributes: dict[str, Attribute] = {"call_target_name": op.name, "has_side_effect": True, CONFIG: config}
    Rewriter(op).insert(CustomCallOp.build([op.operand], (), attributes))
    op.replace_with(op.operand)


def _where(op: Op) -> dict[str, Attribute]:
    """Where an expectation stands, for the report: inlining and splitting leave no other trace of it."""
    parent = op.parent_op
    while parent is not None and not isinstance(parent, FuncOp):
        parent = parent.parent_op
    place: Location = op.location
    while isinstance(place, CallSiteLocation):
        place = place.callee
    return {PLACE: str(place), FUNCTION: parent.sym_name if isinstance(parent, FuncOp) else ""}
