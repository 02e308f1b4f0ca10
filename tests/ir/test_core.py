"""Values, operations, blocks: use lists, insertion, erasure, cloning, declared fields."""

from __future__ import annotations

import pytest

from tesselle.dialects.core import arith, scf, tensor
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType
from tesselle.support.diagnostics import VerifyError
from tesselle.support.dtypes import F32, I32, INDEX

VEC = TensorType((4,), F32)


def block_of(*types: TensorType) -> tuple[Block, Builder]:
    block = Block(types)
    return block, Builder.at_end(block)


def test_uses_follow_operands() -> None:
    block, b = block_of(VEC, VEC)
    x, y = block.args
    add = b.insert(arith.AddFOp(x, x))
    assert list(x.uses) == [(add, 0), (add, 1)]
    assert x.users == [add]
    add.set_operand(1, y)
    assert list(x.uses) == [(add, 0)]
    assert list(y.uses) == [(add, 1)]
    x.replace_all_uses_with(y)
    assert not x.uses
    assert set(y.uses) == {(add, 0), (add, 1)}


def test_erasing_a_used_operation_is_refused() -> None:
    block, b = block_of(VEC)
    first = b.insert(arith.NegFOp(block.args[0]))
    second = b.insert(arith.NegFOp(first.result))
    with pytest.raises(ValueError, match=r"arith\.negf still uses"):
        first.erase()
    second.erase()
    first.erase()
    assert block.ops == []
    assert not block.args[0].uses


def test_blocks_keep_order_through_insertion_and_moves() -> None:
    block, b = block_of(VEC)
    ops = [b.insert(arith.NegFOp(block.args[0])) for _ in range(4)]
    ops[3].move_before(ops[0])
    ops[0].move_after(ops[2])
    assert block.ops == [ops[3], ops[1], ops[2], ops[0]]
    assert block.first is ops[3]
    assert block.last is ops[0]
    ops[1].detach()
    assert block.ops == [ops[3], ops[2], ops[0]]
    assert ops[3].is_before_in_block(ops[0])
    assert not ops[0].is_before_in_block(ops[3])


def test_iteration_survives_erasure_of_the_current_operation() -> None:
    block, b = block_of(VEC)
    for _ in range(5):
        b.insert(arith.NegFOp(block.args[0]))
    for op in block:
        op.erase()
    assert block.first is block.last is None


def loop(b: Builder, start: Value, bound: Value, init: Value) -> scf.ForOp:
    body = Block([INDEX, init.type])
    with b.at(body):
        doubled = b.insert(arith.AddFOp(body.args[1], body.args[1]))
        b.insert(scf.YieldOp([doubled.result]))
    return b.insert(scf.ForOp(start, bound, bound, [init], Region([body])))


def test_clone_copies_regions_and_remaps_values() -> None:
    block, b = block_of(VEC, VEC)
    one = b.insert(arith.ConstantOp(1, INDEX)).result
    original = loop(b, one, one, block.args[0])
    copy = original.clone({block.args[0]: block.args[1]})
    assert copy.init_args == (block.args[1],)
    inner = copy.body.block.ops[0]
    assert inner.operands == (copy.body.block.args[1],) * 2
    assert not set(original.body.walk()) & set(copy.body.walk())


def test_fields_read_the_parts_that_they_name() -> None:
    block, b = block_of(TensorType((8, 8), F32))
    i = b.insert(arith.ConstantOp(2, INDEX)).result
    op = b.insert(tensor.ExtractSliceOp.of(block.args[0], [i, 0], [4, i]))
    assert op.offsets == (i,)
    assert op.sizes == (i,)
    assert op.strides == ()
    assert op.mixed_offsets == [i, 0]
    assert op.mixed_sizes == [4, i]
    assert op.result.type == TensorType((4, None), F32)
    assert op.operand_segments == (1, 1, 1, 0)


def test_constructors_name_what_is_missing() -> None:
    block, _ = block_of(VEC)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'rhs'"):
        arith.AddFOp(block.args[0])  # pyright: ignore[reportCallIssue]  # what is tested


def test_inference_reports_rule_and_operand_types() -> None:
    block = Block([VEC, TensorType((4,), I32)])
    with pytest.raises(VerifyError) as caught:
        arith.AddFOp(*block.args)
    text = str(caught.value)
    assert "error[arith.addf.type]" in text
    assert "operand 1 is tensor<4xi32>" in text


def test_walk_visits_outer_operations_first() -> None:
    module = ModuleOp.empty()
    b = Builder.at_end(module.body)
    x = b.insert(tensor.EmptyOp([], VEC)).result
    one = b.insert(arith.ConstantOp(1, INDEX)).result
    outer = loop(b, one, one, x)
    order: list[Op] = list(module.walk())
    assert order[0] is module
    assert order.index(outer) < order.index(outer.body.block.ops[0])
