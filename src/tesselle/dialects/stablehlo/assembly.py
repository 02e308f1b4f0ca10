"""Text of StableHLO: the pretty forms of its operations and the readers of its attributes.

Operations that have none here (gather, scatter, sort, if, …) are written in the generic form, as StableHLO does.
Source: the forms that jaxlib's StableHLO prints.
"""

from __future__ import annotations

import tesselle.dialects.stablehlo.assembly_meshes  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it registers readers
from tesselle.dialects.stablehlo import (
    assembly_attributes,
    assembly_regions,
    assembly_windows,
    dynamic,
    elementwise,
    indexing,
    linear_algebra,
    quantization,
    shape,
    tokens,
)
from tesselle.dialects.stablehlo import contraction as dots
from tesselle.dialects.stablehlo import control_flow as flow
from tesselle.dialects.stablehlo.collective import PartitionIdOp, ReplicaIdOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import OPS
from tesselle.ir.text.format import register_format, register_value_list
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer, symbol_name_text
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import FunctionType, TensorType, TupleType, Type
from tesselle.support.dtypes import C64, F32, F64

PARTS = (assembly_attributes, assembly_regions, assembly_windows)
"""The modules that register the rest."""

_FUNCTIONAL = "attr-dict `:` functional-type"

for _name, _cls in list(OPS.items()):
    if not _name.startswith("stablehlo."):
        continue
    if issubclass(_cls, elementwise.UnaryOp):
        register_format(_cls, "$operand attr-dict `:` same-type")
    elif issubclass(_cls, elementwise.BinaryOp):
        register_format(_cls, "$lhs `,` $rhs attr-dict `:` same-type")

for _cls in (elementwise.RealOp, elementwise.ImagOp, elementwise.ConvertOp):
    register_format(_cls, "$operand attr-dict `:` same-type")
register_format(elementwise.IsFiniteOp, f"$x {_FUNCTIONAL}")
register_format(elementwise.BitcastConvertOp, f"$operand {_FUNCTIONAL}")
register_format(elementwise.CompareOp, f"$comparison_direction `,` $lhs `,` $rhs [`,` $compare_type] {_FUNCTIONAL}")
register_format(elementwise.ClampOp, "$min `,` $operand `,` $max attr-dict `:` same-type")

for _cls in (quantization.UniformQuantizeOp, quantization.UniformDequantizeOp):
    register_format(_cls, "$operand attr-dict `:` same-type")

register_format(shape.IotaOp, "`dim` `=` $iota_dimension attr-dict `:` type(results)")
register_format(shape.ReshapeOp, f"$operand {_FUNCTIONAL}")
register_format(shape.TransposeOp, f"$operand `,` `dims` `=` $permutation {_FUNCTIONAL}")
register_format(shape.BroadcastInDimOp, f"$operand `,` `dims` `=` $broadcast_dimensions {_FUNCTIONAL}")
register_format(shape.BroadcastOp, f"$operand `,` `sizes` `=` $broadcast_sizes {_FUNCTIONAL}")
register_format(shape.ConcatenateOp, f"$inputs `,` `dim` `=` $dimension {_FUNCTIONAL}")
register_format(shape.ReverseOp, "$operand `,` `dims` `=` $dimensions attr-dict `:` same-type")
register_format(
    shape.PadOp,
    "$operand `,` $padding_value `,` `low` `=` $edge_padding_low `,` `high` `=` $edge_padding_high"
    f" `,` `interior` `=` $interior_padding {_FUNCTIONAL}",
)
register_format(shape.GetDimensionSizeOp, f"$operand `,` `dim` `=` $dimension {_FUNCTIONAL}")
register_format(shape.SetDimensionSizeOp, f"$operand `,` $size `,` `dim` `=` $dimension {_FUNCTIONAL}")

register_format(dynamic.DynamicIotaOp, f"$output_shape `,` `dim` `=` $iota_dimension {_FUNCTIONAL}")
register_format(
    dynamic.DynamicBroadcastInDimOp,
    f"$operand `,` $output_dimensions `,` `dims` `=` $broadcast_dimensions {_FUNCTIONAL}",
)
for _cls in (
    dynamic.DynamicReshapeOp,
    dynamic.DynamicPadOp,
    dynamic.RealDynamicSliceOp,
    indexing.DynamicUpdateSliceOp,
):
    register_format(_cls, f"operands {_FUNCTIONAL}")

register_format(dots.EinsumOp, f"$lhs `,` $rhs `,` `config` `=` $einsum_config {_FUNCTIONAL}")
register_format(dots.UnaryEinsumOp, f"$operand `,` `config` `=` $einsum_config {_FUNCTIONAL}")
register_format(dots.DotOp, f"$lhs `,` $rhs [`,` `precision` `=` $precision_config] {_FUNCTIONAL}")

register_format(linear_algebra.FftOp, f"$operand `,` `type` `=` $fft_type `,` `length` `=` $fft_length {_FUNCTIONAL}")
register_format(linear_algebra.CholeskyOp, "$a [`,` `lower` `=` $lower] attr-dict `:` same-type")
register_format(linear_algebra.RngOp, f"$a `,` $b `,` $shape `,` `distribution` `=` $rng_distribution {_FUNCTIONAL}")
register_format(linear_algebra.RngBitGeneratorOp, f"$initial_state `,` `algorithm` `=` $rng_algorithm {_FUNCTIONAL}")

register_format(flow.GetTupleElementOp, f"$operand `[` $index `]` {_FUNCTIONAL}")
for _cls in (tokens.CreateTokenOp, ReplicaIdOp, PartitionIdOp):
    register_format(_cls, "attr-dict `:` type(results)")
register_format(tokens.AfterAllOp, "$inputs attr-dict `:` same-type")


# ---------------------------------------------------------------------------------------------- constant


def _parse_constant(p: Parser) -> Op:
    """`dense<…> : tensor<…>`, or as the generic form has it where the types differ, as those of quantized ones do."""
    attributes: dict[str, Attribute] = {}
    if p.accept("("):
        p.expect(")")
        found: dict[str, Attribute] = {}
        if p.accept("<"):
            found = p.attribute_dict()
            p.expect(">")
        found |= p.optional_attribute_dict()
        p.expect(":")
        inputs, results = p.function_types()
        return p.make(shape.ConstantOp, p.resolve_all((), inputs), results, found)
    if p.token == "{":
        p.declared_attributes(shape.ConstantOp, attributes)
    at = p.pos
    value = p.any_attribute()
    t: object = getattr(value, "type", None)
    if not isinstance(t, TensorType):
        p.fail("expected the elements of a tensor", at)
    attributes["value"] = value
    return shape.ConstantOp.build((), (t,), attributes)


def _print_constant(p: Printer, op: shape.ConstantOp) -> None:
    attributes = p.attribute_dict_text(op, ("value",))
    text = p.attribute_text(op.value)
    if op.value.type.dtype.is_quantized:
        p.write(f"() <{{value = {text}}}>{' ' if attributes else ''}{attributes} : () -> {op.result.type}")
        return
    p.write(f"{' ' if attributes else ''}{attributes} {text}")


register_assembly(shape.ConstantOp, _parse_constant, _print_constant)


# ---------------------------------------------------------------------------------------------- elementwise


def _parse_complex(p: Parser) -> Op:
    places = p.operands()
    attributes = _attributes(p, elementwise.ComplexOp)
    p.expect(":")
    at = p.pos
    t = p.type()
    if isinstance(t, FunctionType):
        return elementwise.ComplexOp.build(p.resolve_all(places, t.inputs), t.results, attributes)
    if not isinstance(t, TensorType) or not t.dtype.is_complex:
        p.fail(f"expected a tensor of complex numbers, found {t}", at)
    part = t.with_dtype(F32 if t.dtype is C64 else F64)
    return elementwise.ComplexOp.build(p.resolve_all(places, [part] * len(places)), [t], attributes)


def _print_complex(p: Printer, op: elementwise.ComplexOp) -> None:
    _print_operands(p, op)
    t = op.result.type
    assert isinstance(t, TensorType)
    part = t.with_dtype(t.dtype.element)
    p.write(f" : {t}" if all(v.type == part for v in op.operands) else f" : {_functional(op)}")


def _parse_select(p: Parser) -> Op:
    places = p.operands()
    attributes = _attributes(p, elementwise.SelectOp)
    p.expect(":")
    if p.token == "(":
        inputs, results = p.function_types()
        return elementwise.SelectOp.build(p.resolve_all(places, inputs), results, attributes)
    pred = p.type()
    p.expect(",")
    t = p.type()
    return elementwise.SelectOp.build(p.resolve_all(places, (pred, t, t)), (t,), attributes)


def _print_select(p: Printer, op: elementwise.SelectOp) -> None:
    _print_operands(p, op)
    t = op.result.type
    same = op.on_true.type == op.on_false.type == t
    p.write(f" : {op.pred.type}, {t}" if same else f" : {_functional(op)}")


def _parse_reduce_precision(p: Parser) -> Op:
    places = [p.operand()]
    p.expect_all(",", "format", "=")
    at = p.pos
    exponent, _, mantissa = p.word("a format such as e8m7")[1:].partition("m")
    if p.tokens[at][0] != "e" or not (exponent.isdigit() and mantissa.isdigit()) or len(p.tokens[at]) > 20:
        p.unexpected("a format such as e8m7", at)
    attributes = _attributes(p, elementwise.ReducePrecisionOp)
    attributes |= {"exponent_bits": int(exponent), "mantissa_bits": int(mantissa)}
    p.expect(":")
    return elementwise.ReducePrecisionOp.build(*_same_types(p, places), attributes)


def _print_reduce_precision(p: Printer, op: elementwise.ReducePrecisionOp) -> None:
    p.write(f" {p.value_name(op.operand)}, format = e{op.exponent_bits}m{op.mantissa_bits}")
    _print_attributes(p, op, "exponent_bits", "mantissa_bits")
    same = op.operand.type == op.result.type
    p.write(f" : {op.result.type}" if same else f" : {_functional(op)}")


register_assembly(elementwise.ComplexOp, _parse_complex, _print_complex)
register_assembly(elementwise.SelectOp, _parse_select, _print_select)
register_assembly(elementwise.ReducePrecisionOp, _parse_reduce_precision, _print_reduce_precision)


# ---------------------------------------------------------------------------------------------- slices


def _parse_slice(p: Parser) -> Op:
    """`%x [0:3, 1:5:2]`."""
    place = p.operand()
    p.expect("[")
    start: list[int] = []
    limit: list[int] = []
    strides: list[int] = []
    while not p.accept("]"):
        if start:
            p.expect(",")
        start.append(p.integer())
        p.expect(":")
        limit.append(p.integer())
        strides.append(p.integer() if p.accept(":") else 1)
    attributes = _attributes(p, shape.SliceOp)
    attributes |= {"start_indices": tuple(start), "limit_indices": tuple(limit), "strides": tuple(strides)}
    p.expect(":")
    inputs, results = p.function_types()
    return shape.SliceOp.build(p.resolve_all([place], inputs), results, attributes)


def _print_slice(p: Printer, op: shape.SliceOp) -> None:
    parts = [
        f"{a}:{b}" if s == 1 else f"{a}:{b}:{s}"
        for a, b, s in zip(op.start_indices, op.limit_indices, op.strides, strict=True)
    ]
    p.write(f" {p.value_name(op.operand)} [{', '.join(parts)}]")
    _print_attributes(p, op, "start_indices", "limit_indices", "strides")
    p.write(f" : {_functional(op)}")


def _parse_dynamic_slice(p: Parser) -> Op:
    places = p.operands()
    p.expect(",")
    p.accept(",")  # jaxlib writes two commas when there are no start indices
    p.expect_all("sizes", "=")
    sizes = p.int_list()
    attributes = _attributes(p, indexing.DynamicSliceOp)
    attributes["slice_sizes"] = sizes
    p.expect(":")
    inputs, results = p.function_types()
    return indexing.DynamicSliceOp.build(p.resolve_all(places, inputs), results, attributes)


def _print_dynamic_slice(p: Printer, op: indexing.DynamicSliceOp) -> None:
    p.write(f" {p.value_names(op.operands)}, sizes = [{', '.join(map(str, op.slice_sizes))}]")
    _print_attributes(p, op, "slice_sizes")
    p.write(f" : {_functional(op)}")


register_assembly(shape.SliceOp, _parse_slice, _print_slice)
register_assembly(indexing.DynamicSliceOp, _parse_dynamic_slice, _print_dynamic_slice)


# ---------------------------------------------------------------------------------------------- control flow


def _parse_tuple(p: Parser) -> Op:
    places = p.operands()
    attributes = _attributes(p, flow.TupleOp)
    p.expect(":")
    at = p.pos
    t = p.type()
    if not isinstance(t, TupleType):
        p.fail(f"expected a tuple type, found {t}", at)
    return flow.TupleOp.build(p.resolve_all(places, t.types), (t,), attributes)


def _print_tuple(p: Printer, op: flow.TupleOp) -> None:
    _print_operands(p, op)
    p.write(f" : {op.result.type}")


def _parse_optimization_barrier(p: Parser) -> Op:
    attributes = _attributes(p, flow.OptimizationBarrierOp)
    if p.accept("("):
        p.expect(")")
        return flow.OptimizationBarrierOp.build((), (), attributes)
    places = p.operands()
    if p.token == "{":
        p.declared_attributes(flow.OptimizationBarrierOp, attributes)
    p.expect(":")
    types = p.type_list()
    return flow.OptimizationBarrierOp.build(p.resolve_all(places, types), types, attributes)


def _print_optimization_barrier(p: Printer, op: flow.OptimizationBarrierOp) -> None:
    if not op.operands:
        _print_attributes(p, op)
        p.write("()")
        return
    _print_operands(p, op)
    p.write(f" : {_types(op.operands)}")


def _parse_custom_call(p: Parser) -> Op:
    name = p.symbol()
    places = p.operands_in_parentheses()
    attributes = _attributes(p, flow.CustomCallOp)
    attributes["call_target_name"] = name
    p.expect(":")
    inputs, results = p.function_types()
    return flow.CustomCallOp.build(p.resolve_all(places, inputs), results, attributes)


def _print_custom_call(p: Printer, op: flow.CustomCallOp) -> None:
    p.write(f" {symbol_name_text(op.call_target_name)}({p.value_names(op.operands)})")
    _print_attributes(p, op, "call_target_name")
    p.write(f" : {_functional(op)}")


def _parse_composite(p: Parser) -> Op:
    name = p.string()
    places = p.operands()
    attributes = _attributes(p, flow.CompositeOp)
    attributes["name"] = name
    p.expect(":")
    inputs, results = p.function_types()
    return flow.CompositeOp.build(p.resolve_all(places, inputs), results, attributes)


def _print_composite(p: Printer, op: flow.CompositeOp) -> None:
    if op.regions:  # the pretty form has no place for them
        return
    p.write(f" {p.attribute_text(op.name_)}{' ' if op.operands else ''}{p.value_names(op.operands)}")
    _print_attributes(p, op, "name")
    p.write(f" : {_functional(op)}")


register_assembly(flow.TupleOp, _parse_tuple, _print_tuple)
register_assembly(flow.OptimizationBarrierOp, _parse_optimization_barrier, _print_optimization_barrier)
register_value_list(flow.ReturnOp)
register_assembly(flow.CustomCallOp, _parse_custom_call, _print_custom_call)
register_assembly(flow.CompositeOp, _parse_composite, _print_composite)


# ---------------------------------------------------------------------------------------------- shared


def _attributes(p: Parser, cls: type[Op]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    if p.token == "{":
        p.declared_attributes(cls, found)
    return found


def _same_types(p: Parser, places: list[int]) -> tuple[list[Value], list[Type]]:
    """One type for all, or a functional type."""
    if p.token == "(":
        inputs, results = p.function_types()
        return p.resolve_all(places, inputs), results
    t = p.type()
    return p.resolve_all(places, [t] * len(places)), [t]


def _print_operands(p: Printer, op: Op) -> None:
    p.write(f" {p.value_names(op.operands)}")
    _print_attributes(p, op)


def _print_attributes(p: Printer, op: Op, *named: str) -> None:
    text = p.attribute_dict_text(op, named)
    if text:
        p.write(f" {text}")


def _types(values: tuple[Value, ...]) -> str:
    return ", ".join(str(v.type) for v in values)


def _functional(op: Op) -> str:
    return str(FunctionType(tuple(v.type for v in op.operands), op.result_types))
