"""Readers of StableHLO's attributes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tesselle.dialects.stablehlo.attributes import (
    ENUMS,
    ChannelHandle,
    ConvDimensionNumbers,
    DotAlgorithm,
    DotDimensionNumbers,
    GatherDimensionNumbers,
    OutputOperandAlias,
    ResultAccuracy,
    ResultAccuracyMode,
    ScatterDimensionNumbers,
    TypeExtensions,
)
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS, register_enum
from tesselle.ir.types import Dim

ReadField = Callable[[Parser], Any]


def read_struct(p: Parser, cls: type[Any]) -> Any:
    """`<name = value, …>` for a dataclass whose fields have the same names; fields with defaults may be absent."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    values: dict[str, Any] = {}
    start = p.pos
    p.expect("<")
    while not p.accept(">"):
        if values:
            p.expect(",")
            if p.accept(">"):
                break
        at = p.pos
        name = p.word("the name of a field")
        if name not in fields or name in values:
            p.unexpected(f"another field of {cls.__name__}", at)
        p.expect("=")
        values[name] = _FIELD_READERS[str(fields[name].type)](p)
    missing = [f.name for f in fields.values() if f.name not in values and f.default is dataclasses.MISSING]
    if missing:
        p.fail(f"{cls.__name__} misses {', '.join(missing)}", start)
    return cls(**values)


def _read_mode(p: Parser) -> ResultAccuracyMode:
    at = p.pos
    value = p.any_attribute()
    if not isinstance(value, ResultAccuracyMode):
        p.unexpected("an accuracy mode", at)
    return value


def _read_float(p: Parser) -> float:
    at = p.pos
    value = p.any_attribute()
    if not isinstance(value, float):
        p.unexpected("a float", at)
    return value


_FIELD_READERS: dict[str, ReadField] = {
    "int": lambda p: p.integer(),
    "bool": lambda p: p.boolean(),
    "str": lambda p: p.word("a type"),
    "float": _read_float,
    "tuple[int, ...]": lambda p: p.int_list(),
    "ResultAccuracyMode": _read_mode,
}


def read_conv_numbers(p: Parser) -> ConvDimensionNumbers:
    """`[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`."""
    start = p.pos
    lhs, lhs_spatial = _read_side(p, ("b", "f"))
    p.expect("x")
    rhs, rhs_spatial = _read_side(p, ("i", "o"))
    p.expect("->")
    out, out_spatial = _read_side(p, ("b", "f"))
    if not len(lhs_spatial) == len(rhs_spatial) == len(out_spatial):
        p.fail("input, kernel and output must have as many spatial dimensions", start)
    return ConvDimensionNumbers(
        lhs["b"], lhs["f"], lhs_spatial, rhs["i"], rhs["o"], rhs_spatial, out["b"], out["f"], out_spatial
    )


def _read_side(p: Parser, special: tuple[str, str]) -> tuple[dict[str, int], tuple[int, ...]]:
    """The positions of the named dimensions and of the spatial ones, in the order of their numbers."""
    start = p.pos
    p.expect("[")
    named: dict[str, int] = {}
    spatial: dict[int, int] = {}
    position = 0
    while not p.accept("]"):
        if position:
            p.expect(",")
        token = p.token
        if token in special and token not in named:
            named[token] = position
            p.pos += 1
        elif token == "?":  # a dimension without a meaning
            p.pos += 1
        elif token.isdigit():
            number = p.integer()
            if number in spatial:
                p.fail(f"spatial dimension {number} is given twice", p.pos - 1)
            spatial[number] = position
        else:
            p.unexpected(f"'{special[0]}', '{special[1]}' or the number of a spatial dimension")
        position += 1
    if len(named) != 2 or sorted(spatial) != list(range(len(spatial))):
        p.fail(f"expected '{special[0]}', '{special[1]}' and the spatial dimensions from 0 on", start)
    return named, tuple(spatial[i] for i in range(len(spatial)))


def _read_conv(p: Parser) -> ConvDimensionNumbers:
    p.expect("<")
    if p.token != "[":
        found: ConvDimensionNumbers = _read_raw_conv(p)
        return found
    found = read_conv_numbers(p)
    p.expect(">")
    return found


def _read_raw_conv(p: Parser) -> ConvDimensionNumbers:
    """`raw input_batch_dimension = 0, …>`: numbers that the short form cannot say."""
    p.expect("raw")
    p.pos -= 1
    p.tokens[p.pos] = "<"
    found = read_struct(p, ConvDimensionNumbers)
    assert isinstance(found, ConvDimensionNumbers)
    return found


def _read_bounds(p: Parser) -> TypeExtensions:
    p.expect("<")
    bounds: list[Dim] = []
    while not p.accept(">"):
        if bounds:
            p.expect(",")
        bounds.append(None if p.accept("?") else p.integer())
    return TypeExtensions(tuple(bounds))


ATTRIBUTE_PARSERS.update(
    {
        "stablehlo.dot": lambda p: read_struct(p, DotDimensionNumbers),
        "stablehlo.dot_algorithm": lambda p: read_struct(p, DotAlgorithm),
        "stablehlo.gather": lambda p: read_struct(p, GatherDimensionNumbers),
        "stablehlo.scatter": lambda p: read_struct(p, ScatterDimensionNumbers),
        "stablehlo.channel_handle": lambda p: read_struct(p, ChannelHandle),
        "stablehlo.output_operand_alias": lambda p: read_struct(p, OutputOperandAlias),
        "stablehlo.result_accuracy": lambda p: read_struct(p, ResultAccuracy),
        "stablehlo.conv": _read_conv,
        "stablehlo.bounds": _read_bounds,
    }
)

for _mnemonic, _cls in ENUMS.items():
    register_enum("stablehlo", _mnemonic, _cls)
