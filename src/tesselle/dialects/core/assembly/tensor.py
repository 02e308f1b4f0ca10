"""Text of `tensor`, close to MLIR's."""

from __future__ import annotations

from tesselle.dialects.core import tensor
from tesselle.dialects.core.assembly.mixed import mixed_text, read_mixed
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op, Value
from tesselle.ir.text.format import register_format, register_value_list
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import INDEX

_TO = "attr-dict `:` type($operand) `to` type(results)"

register_format(tensor.EmptyOp, "`(` $dynamic_dims:index `)` attr-dict `:` type(results)")
register_format(tensor.CastOp, f"$operand {_TO}")
register_format(tensor.ExtractOp, "$operand `[` $indices:index `]` attr-dict `:` type($operand)")
register_format(tensor.SplatOp, "$value `[` $dynamic_dims:index `]` attr-dict `:` type($value) `to` type(results)")
register_format(tensor.ConcatOp, "`dim` `(` $axis `)` $inputs attr-dict `:` functional-type")
register_format(tensor.CollapseShapeOp, "$operand $reassociation attr-dict `:` type($operand) `into` type(results)")
register_format(
    tensor.ExpandShapeOp,
    "$operand $reassociation `(` $output_dims:index `)` attr-dict `:` type($operand) `into` type(results)",
)
register_format(tensor.ReshapeOp, f"$operand `(` $output_dims:index `)` {_TO}")
register_format(tensor.GenerateOp, "$dynamic_dims:index region attr-dict `:` type(results)")
register_value_list(tensor.YieldOp)


def _attributes(p: Parser, cls: type[Op]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(cls, found)
    return found


def _parse_dim(p: Parser) -> Op:
    """`%x, 0 : T`, and MLIR's `%x, %c0 : T` with a constant."""
    place = p.operand()
    p.expect(",")
    operands: list[Value] = []
    attributes: dict[str, Attribute] = {}
    if p.token[:1] == "%":
        operands.append(p.resolve(p.operand(), INDEX))
    else:
        attributes["axis"] = p.integer()
    attributes |= _attributes(p, tensor.DimOp)
    p.expect(":")
    operands.insert(0, p.resolve(place, p.type()))
    op = tensor.DimOp.build(operands, (INDEX,), attributes)
    op.complete()
    return op


def _print_dim(p: Printer, op: tensor.DimOp) -> None:
    attributes = p.attribute_dict_text(op, ("axis",))
    p.write(f" {p.value_name(op.operand)}, {op.axis}{' ' if attributes else ''}{attributes} : {op.operand.type}")


def _parse_from_elements(p: Parser) -> Op:
    places = p.operands()
    attributes = _attributes(p, tensor.FromElementsOp)
    p.expect(":")
    at = p.pos
    t = p.type()
    if not isinstance(t, TensorType):
        p.fail(f"expected a tensor type, found {t}", at)
    return tensor.FromElementsOp.build(p.resolve_all(places, [t.dtype] * len(places)), (t,), attributes)


def _print_from_elements(p: Printer, op: tensor.FromElementsOp) -> None:
    attributes = p.attribute_dict_text(op)
    p.write(f" {p.value_names(op.operands)}{' ' if attributes else ''}{attributes} : {op.result.type}")


_STATIC = ("static_offsets", "static_sizes", "static_strides")


def _parse_extract_slice(p: Parser) -> Op:
    """`%x[offsets] [sizes] [strides] : T to U`."""
    source = p.operand()
    static, dynamic = zip(*(read_mixed(p) for _ in range(3)), strict=True)
    attributes = _attributes(p, tensor.ExtractSliceOp)
    attributes |= dict(zip(_STATIC, static, strict=True))
    p.expect(":")
    operand = p.resolve(source, p.type())
    p.expect("to")
    operands = [operand, *(v for group in dynamic for v in group)]
    segments = (1, *map(len, dynamic))
    return tensor.ExtractSliceOp.build(operands, (p.type(),), attributes, (), (), segments)


def _print_extract_slice(p: Printer, op: tensor.ExtractSliceOp) -> None:
    p.write(f" {p.value_name(op.operand)}{_slice_text(p, op)}")
    _print_attributes(p, op)
    p.write(f" : {op.operand.type} to {op.result.type}")


def _parse_insert_slice(p: Parser) -> Op:
    """`%x into %y[offsets] [sizes] [strides] : T into U`."""
    source = p.operand()
    p.expect("into")
    dest = p.operand()
    static, dynamic = zip(*(read_mixed(p) for _ in range(3)), strict=True)
    attributes = _attributes(p, tensor.InsertSliceOp)
    attributes |= dict(zip(_STATIC, static, strict=True))
    p.expect(":")
    operands = [p.resolve(source, p.type())]
    p.expect("into")
    t = p.type()
    operands += [p.resolve(dest, t), *(v for group in dynamic for v in group)]
    return tensor.InsertSliceOp.build(operands, (t,), attributes, (), (), (1, 1, *map(len, dynamic)))


def _print_insert_slice(p: Printer, op: tensor.InsertSliceOp) -> None:
    p.write(f" {p.value_name(op.source)} into {p.value_name(op.dest)}{_slice_text(p, op)}")
    _print_attributes(p, op)
    p.write(f" : {op.source.type} into {op.result.type}")


def _slice_text(p: Printer, op: tensor.ExtractSliceOp | tensor.InsertSliceOp) -> str:
    return " ".join(
        (
            mixed_text(p, op.static_offsets, op.offsets),
            mixed_text(p, op.static_sizes, op.sizes),
            mixed_text(p, op.static_strides, op.strides),
        )
    )


def _parse_pad(p: Parser) -> Op:
    """`%x, %value low[…] high[…] : T to U`."""
    source = p.operand()
    p.expect(",")
    value = p.operand()
    p.expect("low")
    static_low, low = read_mixed(p)
    p.expect("high")
    static_high, high = read_mixed(p)
    attributes = _attributes(p, tensor.PadOp)
    attributes |= {"static_low": static_low, "static_high": static_high}
    p.expect(":")
    at = p.pos
    t = p.type()
    if not isinstance(t, TensorType):
        p.fail(f"expected a tensor type, found {t}", at)
    operands = [p.resolve(source, t), p.resolve(value, t.dtype), *low, *high]
    p.expect("to")
    return tensor.PadOp.build(operands, (p.type(),), attributes, (), (), (1, 1, len(low), len(high)))


def _print_pad(p: Printer, op: tensor.PadOp) -> None:
    p.write(f" {p.value_name(op.operand)}, {p.value_name(op.value)}")
    p.write(f" low{mixed_text(p, op.static_low, op.low)} high{mixed_text(p, op.static_high, op.high)}")
    attributes = p.attribute_dict_text(op, ("static_low", "static_high"))
    p.write(f"{' ' if attributes else ''}{attributes} : {op.operand.type} to {op.result.type}")


def _print_attributes(p: Printer, op: Op) -> None:
    text = p.attribute_dict_text(op, _STATIC)
    if text:
        p.write(f" {text}")


register_assembly(tensor.DimOp, _parse_dim, _print_dim)
register_assembly(tensor.FromElementsOp, _parse_from_elements, _print_from_elements)
register_assembly(tensor.ExtractSliceOp, _parse_extract_slice, _print_extract_slice)
register_assembly(tensor.InsertSliceOp, _parse_insert_slice, _print_insert_slice)
register_assembly(tensor.PadOp, _parse_pad, _print_pad)
