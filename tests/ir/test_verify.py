"""The verifier: dominance, terminators, segments, symbols, result types; one broken module per rule."""

from __future__ import annotations

import pytest

from tesselle.dialects.core import arith, func, scf
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region
from tesselle.ir.types import FunctionType, TensorType
from tesselle.ir.verify import dominator_order, verify, verify_all
from tesselle.support.diagnostics import VerifyError
from tesselle.support.dtypes import F32, I1, I32, I64, INDEX

VEC = TensorType((4,), F32)


def module_with_function(name: str = "main") -> tuple[ModuleOp, Block]:
    module = ModuleOp.empty()
    body = Block([VEC])
    Builder.at_end(module.body).insert(func.FuncOp(name, FunctionType((VEC,), (VEC,)), Region([body])))
    return module, body


def test_a_valid_module_passes() -> None:
    module, body = module_with_function()
    b = Builder.at_end(body)
    b.insert(func.ReturnOp([b.insert(arith.NegFOp(body.args[0])).result]))
    verify(module)
    assert len(list(module.walk())) == 4


def test_use_before_definition() -> None:
    module, body = module_with_function()
    b = Builder.at_end(body)
    first = b.insert(arith.NegFOp(body.args[0]))
    second = b.insert(arith.NegFOp(first.result))
    b.insert(func.ReturnOp([second.result]))
    second.move_before(first)
    with pytest.raises(VerifyError, match=r"error\[arith\.negf\.dominance\]: operand 0 does not dominate"):
        verify(module)


def test_values_do_not_leave_their_region() -> None:
    module, body = module_with_function()
    b = Builder.at_end(body)
    condition = b.insert(arith.ConstantOp(True, I1)).result
    inner = Block()
    escaped = Builder.at_end(inner).insert(arith.NegFOp(body.args[0]))
    Builder.at_end(inner).insert(scf.YieldOp([]))
    b.insert(scf.IfOp(condition, [], Region([inner])))
    b.insert(func.ReturnOp([escaped.result]))
    with pytest.raises(VerifyError, match=r"func\.return\.dominance"):
        verify(module)


def test_functions_are_isolated() -> None:
    module, body = module_with_function("a")
    other = Block([VEC])
    Builder.at_end(module.body).insert(func.FuncOp("b", FunctionType((VEC,), (VEC,)), Region([other])))
    Builder.at_end(body).insert(func.ReturnOp([body.args[0]]))
    Builder.at_end(other).insert(func.ReturnOp([body.args[0]]))
    with pytest.raises(VerifyError, match="dominate"):
        verify(module)


def test_blocks_end_with_terminators() -> None:
    module, body = module_with_function()
    Builder.at_end(body).insert(arith.NegFOp(body.args[0]))
    with pytest.raises(VerifyError, match=r"func\.func\.terminator"):
        verify(module)


def test_nothing_follows_a_terminator() -> None:
    module, body = module_with_function()
    b = Builder.at_end(body)
    b.insert(func.ReturnOp([body.args[0]]))
    b.insert(arith.NegFOp(body.args[0]))
    b.insert(func.ReturnOp([body.args[0]]))
    with pytest.raises(VerifyError, match="must stand last"):
        verify(module)


def test_every_finding_is_listed() -> None:
    module, body = module_with_function()
    b = Builder.at_end(body)
    b.insert(arith.AddFOp.build([body.args[0]], [VEC]))
    b.insert(arith.NegFOp.build([body.args[0]], [TensorType((5,), F32)]))
    b.insert(func.ReturnOp([body.args[0]]))
    with pytest.raises(VerifyError) as caught:
        verify_all(module)
    rules = [d.rule for d in caught.value.diagnostics]
    assert rules == ["arith.addf.operands", "arith.negf.type"]


def test_symbols_are_unique() -> None:
    module, body = module_with_function("twice")
    Builder.at_end(body).insert(func.ReturnOp([body.args[0]]))
    again = Block([VEC])
    Builder.at_end(again).insert(func.ReturnOp([again.args[0]]))
    Builder.at_end(module.body).insert(func.FuncOp("twice", FunctionType((VEC,), (VEC,)), Region([again])))
    with pytest.raises(VerifyError, match="symbol @twice is defined twice"):
        verify(module)


def test_loops_check_their_body() -> None:
    module, body = module_with_function()
    b = Builder.at_end(body)
    one = b.insert(arith.ConstantOp(1, INDEX)).result
    wrong = Block([INDEX])
    Builder.at_end(wrong).insert(scf.YieldOp([body.args[0]]))
    b.insert(scf.ForOp(one, one, one, [body.args[0]], Region([wrong])))
    b.insert(func.ReturnOp([body.args[0]]))
    with pytest.raises(VerifyError, match=r"scf\.for\.body"):
        verify(module)


def test_a_region_of_one_block_is_its_own_dominator_order() -> None:
    block = Block()
    Builder.at_end(block).insert(func.ReturnOp([]))
    assert dominator_order(Region([block])) == [(block, None)]


def test_bitcast_keeps_the_width() -> None:
    body = Block([F32, I1])
    b = Builder.at_end(body)
    b.insert(arith.BitcastOp(body.args[0], I32))
    wrong = b.insert(arith.BitcastOp(body.args[0], I64))
    with pytest.raises(VerifyError, match=r"error\[arith\.bitcast\.width\]: f32 has 32 bits, i64 has 64"):
        verify(wrong)
