"""Text of `shape`, as MLIR writes it."""

from __future__ import annotations

from tesselle.dialects.core import shape as s
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Block, Op
from tesselle.ir.text.format import register_format, register_value_list
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly, register_simple_type
from tesselle.support.dtypes import I1

for _type in (s.SHAPE, s.SIZE, s.WITNESS):
    register_simple_type(_type)

_BINARY = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type(results)"

register_format(s.ShapeOfOp, "$operand attr-dict `:` type($operand) `->` type(results)")
register_format(s.ConstShapeOp, "attr-dict $shape `:` type(results)")
register_format(s.ConstSizeOp, "$value attr-dict")
register_format(s.FromExtentsOp, "$extents attr-dict `:` type($extents)")
register_format(s.FromExtentTensorOp, "$input attr-dict `:` type($input)")
register_format(s.ToExtentTensorOp, "$input attr-dict `:` type($input) `->` type(results)")
register_format(s.BroadcastOp, "$shapes attr-dict `:` type($shapes) `->` type(results)")
register_format(s.AnyOp, "$inputs attr-dict `:` type($inputs) `->` type(results)")
register_format(s.GetExtentOp, "$shape `,` $dim attr-dict `:` type($shape) `,` type($dim) `->` type(results)")
register_format(s.DimOp, "$value `,` $index attr-dict `:` type($value) `,` type($index) `->` type(results)")
register_format(s.RankOp, "$shape attr-dict `:` type($shape) `->` type(results)")
register_format(s.NumElementsOp, "$shape attr-dict `:` type($shape) `->` type(results)")
for _cls in (s.ConcatOp, s.AddOp, s.MulOp, s.DivOp, s.MaxOp, s.MinOp):
    register_format(_cls, _BINARY)
register_format(s.IndexToSizeOp, "$arg:index attr-dict")
register_format(s.SizeToIndexOp, "$arg attr-dict `:` type($arg)")
for _cls in (s.ShapeEqOp, s.IsBroadcastableOp, s.CstrEqOp, s.CstrBroadcastableOp):
    register_format(_cls, "$shapes attr-dict `:` type($shapes)")
register_format(s.ConstWitnessOp, "$passing attr-dict")
register_value_list(s.AssumingYieldOp)
register_value_list(s.YieldOp)


def _attributes(p: Parser, cls: type[Op]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(cls, found)
    return found


def _parse_require(p: Parser) -> Op:
    """`%pred, "message"`: the type of the predicate is i1."""
    pred = p.operand()
    p.expect(",")
    message = p.string()
    attributes = _attributes(p, s.CstrRequireOp)
    attributes["msg"] = message
    return s.CstrRequireOp.build([p.resolve(pred, I1)], (s.WITNESS,), attributes)


def _print_require(p: Printer, op: s.CstrRequireOp) -> None:
    p.write(f" {p.value_name(op.pred)}, {p.attribute_text(op.msg)}")


def _parse_all(p: Parser) -> Op:
    """`%a, %b`, all of them witnesses."""
    places = p.operands()
    attributes = _attributes(p, s.AssumingAllOp)
    operands = p.resolve_all(places, [s.WITNESS] * len(places))
    return s.AssumingAllOp.build(operands, (s.WITNESS,), attributes)


def _print_all(p: Printer, op: s.AssumingAllOp) -> None:
    p.write(f" {p.value_names(op.operands)}")


def _parse_assuming(p: Parser) -> Op:
    """`%w -> (T, …) { … }`."""
    witness = p.operand()
    types = p.types_in_parentheses() if p.accept("->") else []
    region = p.region(isolated=False)
    if region.is_empty:
        region.append(Block())
    if not isinstance(region.block.last, s.AssumingYieldOp):  # left out where there are no results
        region.block.append(s.AssumingYieldOp(()))
    attributes = _attributes(p, s.AssumingOp)
    return s.AssumingOp.build([p.resolve(witness, s.WITNESS)], types, attributes, [region])


def _print_assuming(p: Printer, op: s.AssumingOp) -> None:
    types = f" -> ({', '.join(map(str, op.result_types))})" if op.results else ""
    p.write(f" {p.value_name(op.witness)}{types} ")
    p.region(op.body)


def _parse_reduce(p: Parser) -> Op:
    """`(%shape, %init…) : T -> (T, …) { … }`."""
    p.expect("(")
    places = p.operands()
    p.expect(")")
    p.expect(":")
    t = p.type()
    p.expect("->")
    types = p.result_types()
    region = p.region(isolated=False)
    attributes = _attributes(p, s.ReduceOp)
    operands = p.resolve_all(places, [t, *types])
    return s.ReduceOp.build(operands, types, attributes, [region])


def _print_reduce(p: Printer, op: s.ReduceOp) -> None:
    types = ", ".join(map(str, op.result_types))
    results = types if len(op.results) == 1 else f"({types})"
    p.write(f"({p.value_names(op.operands)}) : {op.shape.type} -> {results} ")
    p.region(op.body)


register_assembly(s.CstrRequireOp, _parse_require, _print_require)
register_assembly(s.AssumingAllOp, _parse_all, _print_all)
register_assembly(s.AssumingOp, _parse_assuming, _print_assuming)
register_assembly(s.ReduceOp, _parse_reduce, _print_reduce)
