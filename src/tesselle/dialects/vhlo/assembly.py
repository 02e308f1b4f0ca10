"""Text of VHLO: readers of its types, attributes and functions, which become StableHLO's. It is never written.

Source: what jaxlib 0.10 prints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.stablehlo.attributes import (
    ENUMS,
    CustomCallApiVersion,
    OutputOperandAlias,
    ResultAccuracy,
    ResultAccuracyMode,
    TypeExtensions,
)
from tesselle.dialects.vhlo.upgrade import find
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op, Region
from tesselle.ir.quantized import quantized
from tesselle.ir.text.codec import DecodeError
from tesselle.ir.text.lexer import describe
from tesselle.ir.text.parser import BlockArg, Parser
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS, TYPE_PARSERS, register_assembly
from tesselle.ir.types import NAMED_TYPES, Dim, FunctionType, FutureType, TensorType, TokenType, TupleType, Type
from tesselle.support.dtypes import DTYPES, DType

# ---------------------------------------------------------------------------------------------- types


def _dtype(p: Parser) -> DType:
    at = p.pos
    t = p.type()
    if not isinstance(t, DType):
        p.fail(f"expected an element type, found {t}", at)
    return t


def _tensor(p: Parser) -> TensorType:
    """`<4x?x!vhlo.f32_v1, encoding>`."""
    p.expect("<")
    start = p.pos
    text = ""
    while p.token and p.token[0] != "!":
        if len(text) > 1000:
            p.fail("a tensor has too many dimensions", start)
        text += p.token
        p.pos += 1
    shape: list[Dim] = []
    for part in text.split("x")[:-1]:
        if part != "?" and not (part.isdigit() and len(part) < 19):
            p.fail(f"{describe(part)} is no dimension", start)
        shape.append(None if part == "?" else int(part))
    dtype = _dtype(p)
    encoding = p.any_attribute() if p.accept(",") else None
    p.expect(">")
    return TensorType(tuple(shape), dtype, encoding)


def _complex(p: Parser) -> DType:
    p.expect("<")
    at = p.pos
    found = DTYPES.get(f"complex<{_dtype(p)}>")
    p.expect(">")
    if found is None:
        p.unsupported_type("complex numbers have parts of f32 or f64", at)
    return found


def _types(p: Parser) -> tuple[Type, ...]:
    p.expect("<")
    found = () if p.token == ">" else tuple(p.type_list())
    p.expect(">")
    return found


def _function(p: Parser) -> FunctionType:
    """`<(T, …) -> T, …>`; several results stand without parentheses."""
    p.expect("<")
    inputs = p.types_in_parentheses()
    p.expect("->")
    results = p.types_in_parentheses() if p.token == "(" else [] if p.token == ">" else p.type_list()
    p.expect(">")
    return FunctionType(tuple(inputs), tuple(results))


def _number(p: Parser) -> float:
    at = p.pos
    value = p.any_attribute()
    if isinstance(value, bool) or not isinstance(value, int | float):
        p.unexpected("a number", at)
    return float(value)


def _numbers(p: Parser) -> tuple[float, ...]:
    p.expect("[")
    found: list[float] = []
    while not p.accept("]"):
        if found:
            p.expect(",")
        found.append(_number(p))
    return tuple(found)


def _quantized(p: Parser, *, per_axis: bool) -> Type:
    """`<storage:expressed, [axis,] scale(s):zero(s), min:max, flags>`; of lists, the zeros stand behind a comma."""
    start = p.pos
    p.expect("<")
    storage = _dtype(p)
    p.expect(":")
    expressed = _dtype(p)
    p.expect(",")
    axis: int | None = None
    if per_axis:
        axis = p.integer()
        p.expect(",")
        scales = _numbers(p)
        p.expect(",")
        zeros = p.int_list()
    else:
        scales = (float(p.tokens[p.pos]),) if _is_number(p.token) else (_number(p),)
        p.pos += 1
        p.expect(":")
        zeros = (p.integer(),)
    p.expect(",")
    low = p.integer()
    p.expect(":")
    high = p.integer()
    p.expect(",")
    flags = p.integer()
    p.expect(">")
    try:
        kind = DTYPES[f"{'' if flags & 1 else 'u'}i{storage.bits}"]
        return quantized(kind, expressed, scales, zeros, axis=axis, storage_min=low, storage_max=high)
    except (ValueError, KeyError) as error:
        p.fail(str(error), start)


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _constant(t: Type) -> Callable[[Parser], Type]:
    return lambda _: t


TYPE_PARSERS.update({f"vhlo.{name}_v1": _constant(t) for name, t in DTYPES.items() if name.isalnum()})
TYPE_PARSERS.update(
    {
        "vhlo.bool_v1": _constant(DTYPES["i1"]),
        "vhlo.none_v1": _constant(NAMED_TYPES["none"]),
        "vhlo.tf31_v1": _constant(NAMED_TYPES["tf32"]),  # StableHLO's own spelling
        "vhlo.tf32_v1": _constant(NAMED_TYPES["tf32"]),
        "vhlo.token_v1": _constant(TokenType()),
        "vhlo.complex_v1": _complex,
        "vhlo.tensor_v1": _tensor,
        "vhlo.tuple_v1": lambda p: TupleType(_types(p)),
        "vhlo.future_v1": lambda p: FutureType(_types(p)),
        "vhlo.func_v1": _function,
        "vhlo.quant_v1": lambda p: _quantized(p, per_axis=False),
        "vhlo.quant_per_axis_v1": lambda p: _quantized(p, per_axis=True),
    }
)

# ---------------------------------------------------------------------------------------------- attributes


def _inside(p: Parser) -> Any:
    """`<attribute>`."""
    p.expect("<")
    found = p.any_attribute()
    p.expect(">")
    return found


def _type(p: Parser) -> Type:
    p.expect("<")
    found = p.type()
    p.expect(">")
    return found


def _dictionary(p: Parser) -> dict[str, Attribute]:
    """`<{key = value, …}>` whose keys are attributes."""
    p.expect_all("<", "{")
    found: dict[str, Attribute] = {}
    while not p.accept("}"):
        if found:
            p.expect(",")
        at = p.pos
        key = p.any_attribute()
        if not isinstance(key, str) or key in found:
            p.unexpected("another name of an attribute", at)
        p.expect("=")
        found[key] = p.any_attribute()
    p.expect(">")
    return found


def _bounds(p: Parser) -> TypeExtensions:
    """`<bounds = [4, ?]>`."""
    p.expect_all("<", "bounds", "=", "[")
    bounds: list[Dim] = []
    while not p.accept("]"):
        if bounds:
            p.expect(",")
        bounds.append(None if p.accept("?") else p.integer())
    p.expect(">")
    return TypeExtensions(tuple(bounds))


def _accuracy(p: Parser) -> ResultAccuracy:
    """`<atol = 0.1, rtol = 0.2, ulps = 3, mode = #vhlo<result_accuracy_mode_v1 TOLERANCE>>`."""
    p.expect_all("<", "atol", "=")
    atol = _number(p)
    p.expect_all(",", "rtol", "=")
    rtol = _number(p)
    p.expect_all(",", "ulps", "=")
    ulps = p.integer()
    p.expect_all(",", "mode", "=")
    at = p.pos
    mode = p.any_attribute()
    if not isinstance(mode, ResultAccuracyMode):
        p.unexpected("the mode of an accuracy", at)
    p.expect(">")
    return ResultAccuracy(atol, rtol, ulps, mode)


def _alias(p: Parser) -> OutputOperandAlias:
    """`<outputTupleIndices = [], operandIndex = 0, operandTupleIndices = []>`."""
    p.expect_all("<", "outputTupleIndices", "=")
    outputs = p.int_list()
    p.expect_all(",", "operandIndex", "=")
    operand = p.integer()
    p.expect_all(",", "operandTupleIndices", "=")
    operands = p.int_list()
    p.expect(">")
    return OutputOperandAlias(outputs, operand, operands)


def _enumeration(p: Parser) -> Any:
    """`#vhlo<precision_v1 DEFAULT>`."""
    p.expect("<")
    at = p.pos
    name = p.word("an enumeration").removesuffix("_v1")
    if name == "api_version":
        at = p.pos
        member = p.word("a version").removeprefix("API_VERSION_")
        if member not in CustomCallApiVersion.__members__:
            p.unexpected("a version of the calling convention", at)
        found: Any = CustomCallApiVersion[member]
    else:
        cls = ENUMS.get(name)
        if cls is None:
            p.unexpected("an enumeration of VHLO", at)
        found = p.enum_value(cls)
    p.expect(">")
    return found


ATTRIBUTE_PARSERS.update(
    {
        "vhlo": _enumeration,
        "vhlo.dict_v1": _dictionary,
        "vhlo.output_operand_alias_v1": _alias,
        "vhlo.result_accuracy_v1": _accuracy,
        "vhlo.type_v1": _type,
        "vhlo.type_extensions_v1": _bounds,
        **{f"vhlo.{name}_v1": _inside for name in ("array", "bool", "float", "integer", "string", "tensor")},
    }
)

# ---------------------------------------------------------------------------------------------- functions


def _parse_function(p: Parser) -> Op:
    """`@name(%a: T, …) -> (T, …) {…} {attributes}`."""
    start = p.pos
    attributes: dict[str, Any] = {"sym_name": p.symbol()}
    p.expect("(")
    args: list[BlockArg] = []
    while not p.accept(")"):
        if args:
            p.expect(",")
        args.append(p.typed_argument())
    results = p.result_types() if p.accept("->") else []
    attributes["function_type"] = FunctionType(tuple(t for _, t, _ in args), tuple(results))
    region = p.region(args, isolated=True) if p.token == "{" else Region()
    attributes |= p.optional_attribute_dict()
    upgrade = find("vhlo.func_v1")
    assert upgrade is not None
    try:
        declared = upgrade.attributes(attributes)
    except DecodeError as error:
        p.fail(str(error), start)
    op = p.make(FuncOp, (), (), declared, (region,), at=start)
    if upgrade.finish is not None:
        upgrade.finish(op)
    return op


def _never_printed(_p: object, _op: object) -> None:
    raise AssertionError("VHLO is not written")


register_assembly("vhlo.func_v1", _parse_function, _never_printed)
