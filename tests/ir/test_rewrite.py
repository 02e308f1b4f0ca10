"""Patterns, dead code, common subexpressions; passes and the facts that order them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tesselle.dialects.core import arith, func
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, Pipeline, parse_pass, register_pass
from tesselle.ir.rewrite import (
    DONE,
    Replacement,
    Rewriter,
    apply_patterns,
    eliminate_common_subexpressions,
    eliminate_dead_code,
    pattern,
)
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.types import FunctionType, TensorType
from tesselle.support.diagnostics import CompilerError, OptionError
from tesselle.support.dtypes import F32

VEC = TensorType((4,), F32)


def function() -> tuple[ModuleOp, Builder, Value]:
    module = ModuleOp.empty()
    body = Block([VEC])
    Builder.at_end(module.body).insert(func.FuncOp("main", FunctionType((VEC,), (VEC,)), Region([body])))
    return module, Builder.at_end(body), body.args[0]


def names(module: ModuleOp) -> list[str]:
    return [op.name for op in module.walk()][2:]


@pattern
def drop_double_negation(op: arith.NegFOp, rw: Rewriter) -> Value | None:
    """neg(neg(x)) -> x"""
    inner = op.operand.defining_op
    return inner.operand if isinstance(inner, arith.NegFOp) else None


@pattern
def subtract_instead(op: arith.AddFOp, rw: Rewriter) -> Value | None:
    """x + neg(y) -> x - y"""
    inner = op.rhs.defining_op
    return rw.insert(arith.SubFOp(op.lhs, inner.operand)).result if isinstance(inner, arith.NegFOp) else None


def test_patterns_run_until_none_applies() -> None:
    module, b, x = function()
    value = x
    for _ in range(6):
        value = b.insert(arith.NegFOp(value)).result
    b.insert(func.ReturnOp([value]))
    assert apply_patterns(module, [drop_double_negation])
    assert names(module) == ["func.return"]
    assert not apply_patterns(module, [drop_double_negation])


def test_replacements_are_looked_at_again() -> None:
    module, b, x = function()
    twice = b.insert(arith.NegFOp(b.insert(arith.NegFOp(b.insert(arith.NegFOp(x)).result)).result)).result
    b.insert(func.ReturnOp([b.insert(arith.AddFOp(x, twice)).result]))
    apply_patterns(module, [subtract_instead, drop_double_negation])
    assert names(module) == ["arith.subf", "func.return"]


def test_rules_that_undo_each_other_are_found() -> None:
    module, b, x = function()
    b.insert(func.ReturnOp([b.insert(arith.AddFOp(x, x)).result]))

    @pattern
    def swap(op: arith.AddFOp, rw: Rewriter) -> Replacement:
        rw.modified(op)
        return DONE

    with pytest.raises(RuntimeError, match="rewriting does not end; the last rule was swap"):
        apply_patterns(module, [swap], max_rewrites=100)


def test_dead_code_goes_in_chains() -> None:
    module, b, x = function()
    b.insert(arith.NegFOp(b.insert(arith.NegFOp(x)).result))
    b.insert(func.ReturnOp([x]))
    assert eliminate_dead_code(module)
    assert names(module) == ["func.return"]


def test_equal_operations_are_merged() -> None:
    module, b, x = function()
    first = b.insert(arith.AddFOp(x, x)).result
    second = b.insert(arith.AddFOp(x, x)).result
    b.insert(func.ReturnOp([b.insert(arith.MulFOp(first, second)).result]))
    assert eliminate_common_subexpressions(module)
    assert names(module) == ["arith.addf", "arith.mulf", "func.return"]


@register_pass("test-gives-linalg", gives=[Fact.LINALG])
@dataclass(frozen=True)
class GivesLinalg(Pass):
    width: int = 4

    def run(self, module: Op) -> None:
        module.attributes["width"] = self.width


@register_pass("test-needs-linalg", needs=[Fact.LINALG])
@dataclass(frozen=True)
class NeedsLinalg(Pass):
    def run(self, module: Op) -> None:
        raise KeyError("broken inside")


def test_zeros_of_either_sign_are_two_constants() -> None:
    text = """
func.func @f() -> (f32, f32, f32) {
  %0 = arith.constant 0.0 : f32
  %1 = arith.constant -0.0 : f32
  %2 = arith.constant -0.0 : f32
  return %0, %1, %2 : f32, f32, f32
}
"""
    module = parse_module(text)
    assert eliminate_common_subexpressions(module)
    assert print_op(module).count("arith.constant") == 2


def test_pipelines_check_facts_when_they_are_built() -> None:
    Pipeline((GivesLinalg(), NeedsLinalg()))
    with pytest.raises(ValueError, match="test-needs-linalg needs LINALG"):
        Pipeline((NeedsLinalg(), GivesLinalg()))


def test_passes_are_made_from_text() -> None:
    module, _, _ = function()
    made = parse_pass("test-gives-linalg{width=8}")
    assert made == GivesLinalg(8)
    assert made.describe() == "test-gives-linalg{width=8}"
    Pipeline((made,)).run(module)
    assert module.attributes["width"] == 8
    with pytest.raises(OptionError, match="there is no pass"):
        parse_pass("no-such-pass")
    with pytest.raises(OptionError, match="has no option 'height'"):
        parse_pass("test-gives-linalg{height=8}")
    with pytest.raises(OptionError, match="is not an integer"):
        parse_pass("test-gives-linalg{width=wide}")


def test_faults_of_a_pass_name_it() -> None:
    module, _, _ = function()
    pipeline = Pipeline((GivesLinalg(), NeedsLinalg()))
    with pytest.raises(CompilerError, match="pass test-needs-linalg failed: KeyError"):
        pipeline.run(module)
    assert [t.name for t in pipeline.timings] == ["test-gives-linalg"]
