"""Declarative pretty forms.

A format is what follows the operation's name, in the manner of MLIR's `assemblyFormat`:

    `word`                   that word or punctuation
    $operand  $group  $attr  the field of that name; a group of operands is a list without brackets
    $operand:index           the same, of a type that is not written
    operands                 all operands, separated by commas
    attr-dict                the attributes that the format does not name
    type($x)                 the type of an operand or a list of those of a group; type($x,$y): one type for both
    type(operands)           the types of all operands
    type(results)            the types of the results; without it they are inferred
    functional-type          `(types of the operands) -> types of the results`
    same-type                one type for all operands and results; a functional type when they differ
    region                   the only region
    [ … ]                    present when the first attribute, operand group or region in it is; begins with a literal

Readers are compiled to Python functions, as constructors are: most of a text is read by them.
"""

from __future__ import annotations

import enum
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tesselle.ir.attributes import Attribute, SymbolRef
from tesselle.ir.core import ISOLATED, Op, OpResult, Region, Value
from tesselle.ir.declare import Field, FieldKind, spec_of
from tesselle.ir.text.codec import Codec, DecodeError, annotation_of, codecs_of
from tesselle.ir.text.lexer import escape
from tesselle.ir.text.printer import symbol_text
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import FunctionType
from tesselle.support.dtypes import DTYPES

if TYPE_CHECKING:
    from tesselle.ir.text.parser import Parser
    from tesselle.ir.text.printer import Printer

_ELEMENT = re.compile(r"`([^`]+)`|\$(\w+)(?::(\w+))?|type\(([^)]*)\)|([\w-]+)|([\[\]])|(\S)")
_OPERANDS = (FieldKind.OPERAND, FieldKind.OPTIONAL_OPERAND, FieldKind.VARIADIC)


@dataclass(frozen=True, slots=True)
class _Element:
    """`kind` is literal, field, types, word or group; `text` the literal, field or word; `parts` what is inside."""

    kind: str
    text: str = ""
    fixed_type: str | None = None
    parts: tuple[_Element, ...] = ()


def register_format(cls: type[Op], text: str) -> None:
    """Give the operation the pretty form that `text` describes."""
    elements = _parse_format(cls, text)
    register_assembly(cls, _compile_reader(cls, elements), _make_writer(cls, elements))


def _parse_format(cls: type[Op], text: str) -> tuple[_Element, ...]:
    stack: list[list[_Element]] = [[]]
    for m in _ELEMENT.finditer(text):
        literal, field, fixed, types, word, bracket, other = m.groups()
        if literal:
            stack[-1].append(_Element("literal", literal))
        elif field:
            stack[-1].append(_Element("field", field, fixed))
        elif types is not None:
            stack[-1].append(_Element("types", types.replace(" ", "")))
        elif word:
            stack[-1].append(_Element("word", word))
        elif bracket == "[":
            stack.append([])
        elif bracket == "]":
            group = stack.pop()
            stack[-1].append(_Element("group", parts=tuple(group)))
        else:
            raise ValueError(f"format of {cls.NAME}: unexpected {other}")
    return tuple(stack[0])


# ---------------------------------------------------------------------------------------------- attributes


@dataclass(frozen=True, slots=True)
class AttributeForm:
    """How an attribute stands in a pretty form, without its type."""

    read: Callable[[Parser], Any]
    write: Callable[[Printer, Any], str]


def attribute_form(cls: type[Op], name: str) -> AttributeForm:
    """The form of a declared attribute, by its annotation."""
    annotation = annotation_of(cls, name)
    members = [a for a in typing.get_args(annotation) if a is not type(None)]
    if len(members) == 1 and type(None) in typing.get_args(annotation):
        annotation = members[0]
    if typing.get_origin(annotation) is typing.Annotated:
        inner = typing.get_args(annotation)[0]
        if inner is int:
            annotation = int
    if annotation is int:
        return AttributeForm(lambda p: p.integer(), lambda _, v: str(v))
    if annotation is bool:
        return AttributeForm(lambda p: p.boolean(), lambda _, v: str(v).lower())
    if annotation is str:
        return AttributeForm(lambda p: p.string(), lambda _, v: f'"{escape(v)}"')
    if annotation is SymbolRef:
        return AttributeForm(lambda p: p.symbol_ref(), lambda _, v: symbol_text(v))
    if annotation == tuple[int, ...]:
        return AttributeForm(lambda p: p.int_list(), lambda _, v: f"[{', '.join(map(str, v))}]")
    if annotation == tuple[tuple[int, ...], ...]:
        return AttributeForm(_read_int_lists, lambda _, v: f"[{', '.join(str(list(row)) for row in v)}]")
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        members_of = annotation
        return AttributeForm(lambda p: p.enum_value(members_of), lambda _, v: str(v.value))
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and isinstance(args[0], type) and issubclass(args[0], enum.Enum):
        return _enum_list_form(args[0])
    return _general_form(codecs_of(cls)[name])


def _read_int_lists(p: Parser) -> tuple[tuple[int, ...], ...]:
    p.expect("[")
    found: list[tuple[int, ...]] = []
    while not p.accept("]"):
        if found:
            p.expect(",")
        found.append(p.int_list())
    return tuple(found)


def _enum_list_form(members: type[enum.Enum]) -> AttributeForm:
    def read(p: Parser) -> tuple[enum.Enum, ...]:
        p.expect("[")
        found: list[enum.Enum] = []
        while not p.accept("]"):
            if found:
                p.expect(",")
            found.append(p.enum_value(members))
        return tuple(found)

    return AttributeForm(read, lambda _, v: f"[{', '.join(str(m.value) for m in v)}]")


def _general_form(codec: Codec) -> AttributeForm:
    def read(p: Parser) -> Any:
        at = p.pos
        try:
            return codec.decode(p.any_attribute())
        except DecodeError as error:
            p.unexpected(str(error), at)

    return AttributeForm(read, lambda printer, v: codec.encode(v, printer.attribute_text))


# ---------------------------------------------------------------------------------------------- reading


def _compile_reader(cls: type[Op], elements: Sequence[_Element]) -> Callable[[Parser], Op]:
    spec = spec_of(cls)
    fields = {f.name: f for f in spec.fields}
    names: dict[str, Any] = {"cls": cls, "DTYPES": DTYPES, "OpResult": OpResult}
    lines = ["def parse(p):", " tokens = p.tokens", " attributes = {}"]
    lines += [f" o_{f.name} = ()" for f in spec.operands if f.kind is not FieldKind.OPERAND]
    if spec.regions:
        lines.append(" regions = []")
    types_of: dict[str, str] = {}
    outs = "()"
    all_places = "(" + "".join(f"{'' if f.kind is FieldKind.OPERAND else '*'}o_{f.name}, " for f in spec.operands) + ")"

    def emit(text: str, indent: int) -> None:
        lines.append(" " * indent + text)

    def literal(text: str, indent: int) -> None:
        emit(f"if tokens[p.pos] != {text!r}: p.unexpected({repr(text)!r})", indent)
        emit("p.pos += 1", indent)

    def visit(parts: Sequence[_Element], indent: int) -> None:
        nonlocal outs
        for e in parts:
            if e.kind == "literal":
                literal(e.text, indent)
            elif e.kind == "field":
                visit_field(e, indent)
            elif e.kind == "types":
                if e.text == "results":
                    emit("outs = p.type_list()", indent)
                    outs = "outs"
                elif e.text == "operands":
                    emit("ins = p.type_list()", indent)
                    types_of["*"] = "ins"
                else:
                    members = [n.strip("$") for n in e.text.split(",")]
                    first = fields[members[0]]
                    emit(f"t_{first.name} = p.{'type' if first.kind is FieldKind.OPERAND else 'type_list'}()", indent)
                    for n in members:
                        types_of[n] = f"t_{first.name}"
            elif e.kind == "word":
                visit_word(e.text, indent)
            else:
                count = next(i for i, x in enumerate(e.parts) if x.kind != "literal")
                test = " and ".join(f"tokens[p.pos + {i}] == {x.text!r}" for i, x in enumerate(e.parts[:count]))
                emit(f"if {test}:", indent)
                emit(f"p.pos += {count}", indent + 1)
                visit(e.parts[count:], indent + 1)

    def visit_field(e: _Element, indent: int) -> None:
        f = fields[e.text]
        if f.kind in _OPERANDS:
            if f.kind is FieldKind.OPERAND:
                emit(f"o_{f.name} = p.pos", indent)
                emit("if tokens[p.pos][:1] != '%': p.operand()", indent)
                emit("p.pos += 1", indent)
            else:
                read = "p.operands()" if f.kind is FieldKind.VARIADIC else "[p.operand()]"
                emit(f"o_{f.name} = {read}", indent)
            if e.fixed_type is not None:
                types_of[f.name] = f"DTYPES[{e.fixed_type!r}]"
        elif f.kind is FieldKind.REGION:
            emit(f"regions.append(p.region(isolated={ISOLATED in cls.TRAITS}))", indent)
        else:
            names[f"read_{f.name}"] = attribute_form(cls, f.attr_name).read
            names[f"default_{f.name}"] = f.default
            emit(f"v = read_{f.name}(p)", indent)
            if f.has_default:
                emit(f"if v != default_{f.name}: attributes[{f.attr_name!r}] = v", indent)
            else:
                emit(f"attributes[{f.attr_name!r}] = v", indent)

    def visit_word(word: str, indent: int) -> None:
        nonlocal outs
        if word == "operands":
            emit("places = p.operands()", indent)
            types_of["operands"] = "places"
        elif word == "attr-dict":
            emit("if tokens[p.pos] == '{': p.declared_attributes(cls, attributes)", indent)
        elif word == "functional-type":
            emit("ins, outs = p.function_types()", indent)
            types_of["*"], outs = "ins", "outs"
        elif word == "same-type":
            emit("if tokens[p.pos] == '(': ins, outs = p.function_types()", indent)
            emit("else:", indent)
            emit(" t = p.type()", indent)
            emit(f" ins, outs = [t] * len({'places' if 'operands' in types_of else all_places}), [t]", indent)
            types_of["*"], outs = "ins", "outs"
        elif word == "region":
            emit(f"regions.append(p.region(isolated={ISOLATED in cls.TRAITS}))", indent)
        else:
            raise ValueError(f"format of {cls.NAME}: unknown directive {word}")

    visit(elements, 1)
    if "*" in types_of:
        emit(f"operands = p.resolve_all({'places' if 'operands' in types_of else all_places}, ins)", 1)
    else:
        emit("operands = []", 1)
        for f in spec.operands:
            t = types_of.get(f.name)
            if t is None:
                raise ValueError(f"format of {cls.NAME} does not give the type of {f.name}")
            if f.kind is FieldKind.OPERAND:
                emit(f"operands.append(p.resolve(o_{f.name}, {t}))", 1)
            elif t.startswith("DTYPES"):
                emit(f"operands += [p.resolve(x, {t}) for x in o_{f.name}]", 1)
            else:
                emit(f"operands += p.resolve_all(o_{f.name}, {t} if o_{f.name} else [])", 1)
    segments = "None"
    if spec.has_segments:
        sizes = ("1, " if f.kind is FieldKind.OPERAND else f"len(o_{f.name}), " for f in spec.operands)
        segments = f"({''.join(sizes)})"
    if spec.regions:
        names["Region"] = Region
        emit(f"while len(regions) < {len(spec.regions)}: regions.append(Region())", 1)
    emit(
        f"op = cls.build(operands, {outs}, attributes, {'regions' if spec.regions else '()'}, (), {segments})",
        1,
    )
    if outs == "()" and spec.infers:
        emit("op.results = tuple([OpResult(t, op, i) for i, t in enumerate(op.infer() or ())])", 1)
    emit("return op", 1)
    scope: dict[str, Any] = {}
    exec("\n".join(lines), names, scope)
    return scope["parse"]


def _attribute_names(elements: Sequence[_Element]) -> set[str]:
    """The fields that a format names."""
    found: set[str] = set()
    for e in elements:
        if e.kind == "field":
            found.add(e.text)
        found |= _attribute_names(e.parts)
    return found


# ---------------------------------------------------------------------------------------------- writing

_NO_SPACE_BEFORE = frozenset(",)]>([<")
_NO_SPACE_AFTER = frozenset("([<")


def _make_writer(cls: type[Op], elements: Sequence[_Element]) -> Callable[[Printer, Op], None]:
    spec = spec_of(cls)
    fields = {f.name: f for f in spec.fields}
    named = {fields[n].attr_name for n in _attribute_names(elements) if fields[n].kind is FieldKind.ATTRIBUTE}
    forms = {f.name: attribute_form(cls, f.attr_name) for f in spec.attributes if f.attr_name in named}

    def field_text(p: Printer, op: Op, f: Field) -> str:
        value: Any = f.__get__(op, type(op))
        if f.kind is FieldKind.ATTRIBUTE:
            return forms[f.name].write(p, value)
        values: Sequence[Value] = value if f.kind is FieldKind.VARIADIC else () if value is None else (value,)
        return ", ".join(map(p.value_name, values))

    def is_present(op: Op, e: _Element) -> bool:
        for part in e.parts:
            if part.kind == "field":
                f = fields[part.text]
                if f.kind is FieldKind.ATTRIBUTE:
                    return op.attributes.get(f.attr_name) is not None
                if f.kind is FieldKind.REGION:
                    return not op.regions[f.index].is_empty
                return bool(f.__get__(op, type(op)))
            if part.text == "region":
                return not op.regions[-1].is_empty
        return True

    def types_text(op: Op, text: str) -> str:
        if text == "results":
            return ", ".join(str(r.type) for r in op.results)
        if text == "operands":
            return ", ".join(str(v.type) for v in op.operands)
        f = fields[text.split(",")[0].strip("$")]
        value: Any = f.__get__(op, type(op))
        values: Sequence[Value] = value if f.kind is FieldKind.VARIADIC else () if value is None else (value,)
        return ", ".join(str(v.type) for v in values)

    def write(p: Printer, op: Op) -> None:
        glue = False

        def put(text: str) -> None:
            nonlocal glue
            if not text:
                return
            p.write(text if glue or (text[0] in _NO_SPACE_BEFORE and text in _NO_SPACE_BEFORE) else f" {text}")
            glue = text in _NO_SPACE_AFTER

        def visit(parts: Sequence[_Element]) -> None:
            for e in parts:
                if e.kind == "literal":
                    put(e.text)
                elif (e.kind == "field" and fields[e.text].kind is FieldKind.REGION) or e.text == "region":
                    p.write(" ")
                    p.region(op.regions[fields[e.text].index if e.kind == "field" else 0])
                elif e.kind == "field":
                    put(field_text(p, op, fields[e.text]))
                elif e.kind == "types":
                    put(types_text(op, e.text))
                elif e.kind == "group":
                    if is_present(op, e):
                        visit(e.parts)
                elif e.text == "operands":
                    put(", ".join(map(p.value_name, op.operands)))
                elif e.text == "attr-dict":
                    put(p.attribute_dict_text(op, named))
                elif e.text == "functional-type":
                    put(_functional_type(op))
                else:  # same-type
                    types = {v.type for v in op.operands}
                    types.update(r.type for r in op.results)
                    put(str(op.results[0].type) if len(types) == 1 else _functional_type(op))

        visit(elements)

    return write


def _functional_type(op: Op) -> str:
    return str(FunctionType(tuple(v.type for v in op.operands), op.result_types))


def register_value_list(cls: type[Op]) -> None:
    """`%a, %b attr-dict : T, T`, all of it optional: the form of terminators that give values."""

    def read(p: Parser) -> Op:
        places = p.operands()
        attributes: dict[str, Attribute] = {}
        if p.token == "{":
            p.declared_attributes(cls, attributes)
        operands: list[Value] = []
        if places:
            p.expect(":")
            operands = p.resolve_all(places, p.type_list())
        return cls.build(operands, (), attributes)

    def write(p: Printer, op: Op) -> None:
        attributes = p.attribute_dict_text(op)
        p.write(f" {p.value_names(op.operands)}" if op.operands else "")
        p.write(f" {attributes}" if attributes else "")
        p.write(f" : {', '.join(str(v.type) for v in op.operands)}" if op.operands else "")

    register_assembly(cls, read, write)
