"""Text of dot_general and convolution."""

from __future__ import annotations

from collections.abc import Mapping

from tesselle.dialects.stablehlo.assembly_attributes import read_conv_numbers, read_struct
from tesselle.dialects.stablehlo.attributes import DotAlgorithm, DotDimensionNumbers, Precision
from tesselle.dialects.stablehlo.contraction import DotGeneralOp
from tesselle.dialects.stablehlo.convolution import ConvolutionOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import FunctionType


def _parse_dot_general(p: Parser) -> Op:
    """`%a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : …`."""
    places = p.operands()
    batching: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    contracting = batching
    attributes: dict[str, Attribute] = {}
    while p.accept(","):
        at = p.pos
        key = p.word("batching_dims, contracting_dims, precision or algorithm")
        p.expect("=")
        if key in ("batching_dims", "contracting_dims"):
            lhs = p.int_list()
            p.expect("x")
            pair = (lhs, p.int_list())
            if key == "batching_dims":
                batching = pair
            else:
                contracting = pair
        elif key == "precision":
            attributes["precision_config"] = read_precisions(p)
        elif key == "algorithm":
            attributes["algorithm"] = read_struct(p, DotAlgorithm) if p.token == "<" else p.any_attribute()
        else:
            p.unexpected("batching_dims, contracting_dims, precision or algorithm", at)
    attributes["dot_dimension_numbers"] = DotDimensionNumbers(batching[0], batching[1], contracting[0], contracting[1])
    if p.token == "{":
        p.declared_attributes(DotGeneralOp, attributes)
    p.expect(":")
    inputs, results = p.function_types()
    return DotGeneralOp.build(p.resolve_all(places, inputs), results, attributes)


def read_precisions(p: Parser) -> tuple[Precision, ...]:
    p.expect("[")
    found: list[Precision] = []
    while not p.accept("]"):
        if found:
            p.expect(",")
        found.append(p.enum_value(Precision))
    return tuple(found)


def _print_dot_general(p: Printer, op: DotGeneralOp) -> None:
    n = op.dot_dimension_numbers
    p.write(f" {p.value_names(op.operands)}")
    if n.lhs_batching_dimensions or n.rhs_batching_dimensions:
        p.write(f", batching_dims = {list(n.lhs_batching_dimensions)} x {list(n.rhs_batching_dimensions)}")
    p.write(f", contracting_dims = {list(n.lhs_contracting_dimensions)} x {list(n.rhs_contracting_dimensions)}")
    if op.precision_config is not None:
        p.write(f", precision = [{', '.join(c.value for c in op.precision_config)}]")
    if op.algorithm is not None:
        p.write(f", algorithm = {op.algorithm.body()}")
    named = ("dot_dimension_numbers", "precision_config", "algorithm")
    attributes = p.attribute_dict_text(op, named)
    if attributes:
        p.write(f" {attributes}")
    p.write(f" : {FunctionType(tuple(v.type for v in op.operands), op.result_types)}")


def _parse_convolution(p: Parser) -> Op:
    """`(%x, %w) dim_numbers = …, window = {stride = [1, 1], pad = [[0, 0], …], …} {…} : …`."""
    places = p.operands_in_parentheses()
    p.expect_all("dim_numbers", "=")
    attributes: dict[str, Attribute] = {"dimension_numbers": read_conv_numbers(p)}
    p.expect_all(",", "window", "=")
    attributes.update(_read_window(p))
    if p.token == "{":
        p.declared_attributes(ConvolutionOp, attributes)
    p.expect(":")
    inputs, results = p.function_types()
    return ConvolutionOp.build(p.resolve_all(places, inputs), results, attributes)


_WINDOW_KEYS = {
    "stride": "window_strides",
    "pad": "padding",
    "lhs_dilate": "lhs_dilation",
    "rhs_dilate": "rhs_dilation",
    "reverse": "window_reversal",
}


def _read_window(p: Parser) -> Mapping[str, Attribute]:
    p.expect("{")
    found: dict[str, Attribute] = {}
    while not p.accept("}"):
        if found:
            p.expect(",")
        at = p.pos
        name = _WINDOW_KEYS.get(p.word("a part of the window"))
        if name is None or name in found:
            p.unexpected(" or ".join(_WINDOW_KEYS), at)
        p.expect("=")
        if name == "padding":
            found[name] = _read_pairs(p)
        elif name == "window_reversal":
            found[name] = _read_flags(p)
        else:
            found[name] = p.int_list()
    return found


def _read_pairs(p: Parser) -> tuple[tuple[int, ...], ...]:
    p.expect("[")
    found: list[tuple[int, ...]] = []
    while not p.accept("]"):
        if found:
            p.expect(",")
        at = p.pos
        pair = p.int_list()
        if len(pair) != 2:
            p.fail(f"expected a pair [low, high], found {len(pair)} numbers", at)
        found.append(pair)
    return tuple(found)


def _read_flags(p: Parser) -> tuple[bool, ...]:
    p.expect("[")
    found: list[bool] = []
    while not p.accept("]"):
        if found:
            p.expect(",")
        found.append(bool(p.integer()) if p.token in ("0", "1") else p.boolean())
    return tuple(found)


def _print_convolution(p: Printer, op: ConvolutionOp) -> None:
    window: list[str] = []
    if op.window_strides is not None:
        window.append(f"stride = {list(op.window_strides)}")
    if op.padding is not None:
        window.append(f"pad = [{', '.join(f'[{low}, {high}]' for low, high in op.padding)}]")
    if op.lhs_dilation is not None:
        window.append(f"lhs_dilate = {list(op.lhs_dilation)}")
    if op.rhs_dilation is not None:
        window.append(f"rhs_dilate = {list(op.rhs_dilation)}")
    if op.window_reversal is not None:
        window.append(f"reverse = [{', '.join(str(r).lower() for r in op.window_reversal)}]")
    p.write(f"({p.value_names(op.operands)}) dim_numbers = {op.dimension_numbers.body()}, window = ")
    p.write(f"{{{', '.join(window)}}} {p.attribute_dict_text(op, ('dimension_numbers', *_WINDOW_KEYS.values()))}")
    p.write(f" : {FunctionType(tuple(v.type for v in op.operands), op.result_types)}")


register_assembly(DotGeneralOp, _parse_dot_general, _print_dot_general)
register_assembly(ConvolutionOp, _parse_convolution, _print_convolution)
