"""Text of `func`: `func.func public @name(%a: T {…}) -> (T {…}) attributes {…} { … }`."""

from __future__ import annotations

from collections.abc import Mapping

from tesselle.dialects.core.func import CallOp, FuncOp, ReturnOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op, Region
from tesselle.ir.text.format import register_format, register_value_list
from tesselle.ir.text.parser import BlockArg, Parser
from tesselle.ir.text.printer import Printer, symbol_name_text
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import FunctionType, Type

AttrDict = Mapping[str, Attribute]
_NONE: AttrDict = {}


def _parse_func(p: Parser) -> Op:
    attributes: dict[str, Attribute] = {}
    if p.token in ("public", "private", "nested"):
        attributes["sym_visibility"] = p.word()
    attributes["sym_name"] = p.symbol()
    args, inputs, arg_attrs = _parse_arguments(p)
    results, res_attrs = _parse_results(p) if p.accept("->") else ([], [])
    attributes["function_type"] = FunctionType(tuple(inputs), tuple(results))
    if any(arg_attrs):
        attributes["arg_attrs"] = tuple(arg_attrs)
    if any(res_attrs):
        attributes["res_attrs"] = tuple(res_attrs)
    if p.accept("attributes"):
        p.declared_attributes(FuncOp, attributes)
    region = Region()
    if p.token == "{":
        if inputs and not args:
            p.fail("the arguments of a function with a body need names")
        region = p.region(args, isolated=True)
        if region.is_empty:
            p.fail(f"function @{attributes['sym_name']} has an empty body", p.pos - 1)
    return FuncOp.build((), (), attributes, (region,))


def _parse_arguments(p: Parser) -> tuple[list[BlockArg], list[Type], list[AttrDict]]:
    p.expect("(")
    args: list[BlockArg] = []
    types: list[Type] = []
    attrs: list[AttrDict] = []
    while not p.accept(")"):
        if types:
            p.expect(",")
        if p.token[:1] == "%":
            if len(args) != len(types):
                p.fail("either all arguments have names, or none")
            place = p.operand()
            p.expect(":")
            types.append(p.type())
            attrs.append(p.optional_attribute_dict())
            args.append((place, types[-1], p.optional_location()))
            continue
        if args:
            p.unexpected("a value")
        types.append(p.type())
        attrs.append(p.optional_attribute_dict())
        p.optional_location()
    return args, types, attrs


def _parse_results(p: Parser) -> tuple[list[Type], list[AttrDict]]:
    if p.token != "(":
        return [p.type()], [_NONE]
    p.expect("(")
    types: list[Type] = []
    attrs: list[AttrDict] = []
    while not p.accept(")"):
        if types:
            p.expect(",")
        types.append(p.type())
        attrs.append(p.optional_attribute_dict())
    return types, attrs


def _print_func(p: Printer, op: FuncOp) -> None:
    if op.sym_visibility is not None:
        p.write(f" {op.sym_visibility}")
    p.write(f" {symbol_name_text(op.sym_name)}")
    with p.scope(isolated=True):
        t = op.function_type
        args = [] if op.is_declaration else op.entry.args
        arg_attrs = op.arg_attrs or (_NONE,) * len(t.inputs)
        if args:
            names = p.define_arguments(args)
            parts = [
                f"{name}: {a.type}{_dict_suffix(p, d)}{p.location_suffix(a.location)}"
                for name, a, d in zip(names, args, arg_attrs, strict=True)
            ]
        else:
            parts = [f"{a}{_dict_suffix(p, d)}" for a, d in zip(t.inputs, arg_attrs, strict=True)]
        p.write(f"({', '.join(parts)})")
        if t.results:
            res_attrs = op.res_attrs or (_NONE,) * len(t.results)
            results = [f"{r}{_dict_suffix(p, d)}" for r, d in zip(t.results, res_attrs, strict=True)]
            bare = len(results) == 1 and not res_attrs[0] and not isinstance(t.results[0], FunctionType)
            p.write(f" -> {results[0]}" if bare else f" -> ({', '.join(results)})")
        named = ("sym_name", "sym_visibility", "function_type", "arg_attrs", "res_attrs")
        attributes = p.attribute_dict_text(op, named)
        if attributes:
            p.write(f" attributes {attributes}")
        if not op.is_declaration:
            p.write(" ")
            p.region_body(op.body, named_args=True)


def _dict_suffix(p: Printer, attrs: AttrDict) -> str:
    return f" {p.attribute_text(attrs)}" if attrs else ""


register_assembly(FuncOp, _parse_func, _print_func)
register_format(CallOp, "$callee `(` $arguments `)` attr-dict `:` functional-type")
register_value_list(ReturnOp)
