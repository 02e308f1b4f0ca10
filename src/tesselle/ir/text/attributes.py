"""Reading attributes.

Attributes that no declaration covers become: `1 : i64` int, `1 : i32` IntegerAttr, `1.0 : f64` float, other floats
FloatAttr, `array<…>` DenseArray, `[…]` tuple, `{…}` dict, `"…"` str, types themselves, `unit` UNIT, `none` None.
Attributes of dialects that are not known are kept as OpaqueAttr.
"""

from __future__ import annotations

import enum
import math
from abc import abstractmethod
from typing import TypeVar

import numpy as np

from tesselle.ir.affine import AffineConst, AffineDim, AffineExpr, AffineMap, AffineSymbol
from tesselle.ir.attributes import (
    UNIT,
    Attribute,
    DenseArray,
    DenseElements,
    FloatAttr,
    IntegerAttr,
    OpaqueAttr,
    SymbolRef,
)
from tesselle.ir.text.elements import (
    ElementsError,
    array_from_tokens,
    decode_raw,
    from_resource,
    from_sparse,
    scalar_from_token,
    splat,
)
from tesselle.ir.text.lexer import describe
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS, ENUMS, load_dialect
from tesselle.ir.text.types import SHAPED, TypeParser
from tesselle.ir.types import TensorType, Type, VectorType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DTYPES, F64, I64, DType

EnumT = TypeVar("EnumT", bound=enum.Enum)

BRACKETS = {"<": ">", "[": "]", "{": "}", "(": ")"}


class AttributeParser(TypeParser):
    """Reads attributes. Equal splats are read once and shared."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text, file)
        self._splats: dict[tuple[str | Type, ...], DenseElements] = {}

    def any_attribute(self) -> Attribute:
        """Read an attribute of any kind."""
        token = self.tokens[self.pos]
        first = token[:1]
        if first == '"':
            text = self.string()
            if self.accept(":"):
                self.type()
            return text
        if first.isdigit() or first == "-":
            return self._number(token)
        if first == "[":
            return self._array()
        if first == "{":
            return self.attribute_dict()
        if first == "@":
            return self.symbol_ref()
        if first == "#":
            return self._hash_attribute(token[1:])
        if first.isalpha() or first in "!(":
            return self._word_attribute(token)
        self.unexpected("an attribute")

    def attribute_dict(self) -> dict[str, Attribute]:
        """`{name = value, name, …}`; a name alone is a unit."""
        self.expect("{")
        found: dict[str, Attribute] = {}
        tokens = self.tokens
        if self.accept("}"):
            return found
        while True:
            at = self.pos
            token = tokens[at]
            if token[:1] == '"':
                name = self.string()
            else:
                name = self.word("the name of an attribute")
            if name in found:
                self.fail(f"attribute '{name}' is given twice", at)
            found[name] = self.any_attribute() if self.accept("=") else UNIT
            token = tokens[self.pos]
            self.pos += 1
            if token == "}":
                return found
            if token != ",":
                self.unexpected("',' or '}'", self.pos - 1)

    def optional_attribute_dict(self) -> dict[str, Attribute]:
        """The dictionary that stands next, or an empty one."""
        return self.attribute_dict() if self.tokens[self.pos] == "{" else {}

    def symbol_ref(self) -> SymbolRef:
        """`@root::@nested`."""
        root = self.symbol()
        nested: list[str] = []
        while self.accept("::"):
            nested.append(self.symbol())
        return SymbolRef(root, tuple(nested))

    def int_list(self) -> tuple[int, ...]:
        """`[1, 2, …]`."""
        tokens = self.tokens
        pos = self.pos
        if tokens[pos] != "[":
            self.unexpected("'['")
        pos += 1
        values: list[int] = []
        if tokens[pos] == "]":
            self.pos = pos + 1
            return ()
        while True:
            try:
                values.append(int(tokens[pos]))
                pos += 1
            except ValueError:
                self.pos = pos
                values.append(self.integer())
                pos = self.pos
            token = tokens[pos]
            pos += 1
            if token == "]":
                self.pos = pos
                return tuple(values)
            if token != ",":
                self.unexpected("',' or ']'", pos - 1)

    def boolean(self) -> bool:
        token = self.tokens[self.pos]
        if token not in ("true", "false"):
            self.unexpected("true or false")
        self.pos += 1
        return token == "true"

    # ------------------------------------------------------------------------------------------ kinds

    def _number(self, token: str) -> Attribute:
        at = self.pos
        if token == "-":
            self.fail("expected a number behind '-'")
        self.pos += 1
        t: Type | None = self.type() if self.accept(":") else None
        is_float_text = not token.lstrip("-").isdigit() and token[:3].lower().lstrip("-")[:2] != "0x"
        if t is None:
            t = F64 if is_float_text else I64
        if not isinstance(t, DType) or t.is_complex:
            self.fail(f"a number cannot have type {t}", at)
        try:
            value = scalar_from_token(token, t)
        except ElementsError as error:
            self.fail(str(error), at)
        if t.is_float:
            number = float(value)
            return number if t is F64 else FloatAttr(number, t)
        if t.is_bool:
            return bool(value)
        return int(value) if t is I64 else IntegerAttr(int(value), t)

    def _array(self) -> tuple[Attribute, ...]:
        self.expect("[")
        values: list[Attribute] = []
        if self.accept("]"):
            return ()
        while True:
            values.append(self.any_attribute())
            if self.accept("]"):
                return tuple(values)
            self.expect(",")

    def _hash_attribute(self, name: str) -> Attribute:
        at = self.pos
        alias = self.attribute_alias(name)
        if alias is not None:
            self.pos = at + 1
            return alias
        dialect = name.split(".", 1)[0]
        parse = ATTRIBUTE_PARSERS.get(name)
        if parse is None and load_dialect(dialect):
            parse = ATTRIBUTE_PARSERS.get(name)
        if parse is not None:
            self.pos += 1
            return parse(self)  # type: ignore[arg-type]  # self is the Parser that derives from this class
        if "." not in name and self.tokens[at + 1] == "<":
            enum_class = ENUMS.get((dialect, self.tokens[at + 2]))
            if enum_class is not None:
                self.pos += 3
                value = self.enum_value(enum_class)
                self.expect(">")
                return value
            return self._opaque(at)
        if "." in name:
            enum_class = ENUMS.get((dialect, name.split(".", 1)[1]))
            if enum_class is not None and self.tokens[at + 1] == "<":
                self.pos += 2
                value = self.enum_value(enum_class)
                self.expect(">")
                return value
            return self._opaque(at)
        self.fail(f"attribute alias #{name} is not defined", at)

    def enum_value(self, cls: type[EnumT]) -> EnumT:
        """The member of an enumeration that the next word names."""
        word = self.tokens[self.pos]
        for member in cls:
            if member.value == word:
                self.pos += 1
                return member
        self.unexpected(" or ".join(str(m.value) for m in cls))

    def _opaque(self, start: int) -> OpaqueAttr:
        """An attribute of an unknown dialect: its name, and what stands in angle brackets behind it."""
        self.pos = start + 1
        if self.tokens[self.pos] == "<":
            self.bracketed()
        return OpaqueAttr(self.text_between(start, self.pos))

    def bracketed(self) -> str:
        """The text from the bracket that stands next to the one that closes it, with both."""
        start = self.pos
        opening = self.tokens[start]
        closing = BRACKETS.get(opening)
        if closing is None:
            self.unexpected("a bracket")
        depth = 0
        while True:
            token = self.tokens[self.pos]
            if not token:
                self.fail(f"unterminated attribute: {describe(opening)} is never closed", start)
            depth += (token == opening) - (token == closing)
            self.pos += 1
            if depth == 0:
                return self.text_between(start, self.pos)

    def _word_attribute(self, token: str) -> Attribute:
        if token in ("true", "false"):
            self.pos += 1
            if self.accept(":"):
                self.type()
            return token == "true"
        if token == "unit":
            self.pos += 1
            return UNIT
        if token == "none":
            self.pos += 1
            return None
        if token == "dense":
            return self._dense()
        if token == "dense_resource":
            return self._dense_resource()
        if token == "sparse":
            return self._sparse()
        if token == "array":
            return self._dense_array()
        if token in ("affine_map", "map"):
            self.pos += 1
            self.expect("<")
            found = self.affine_map()
            self.expect(">")
            return found
        if token in ("strided", "affine_set", "opaque", "distinct"):
            raise Unsupported(f"attributes written {token}<…> are not supported", self.place(self.pos), "attribute")
        if token == "loc":
            start = self.pos
            self.location()
            return OpaqueAttr(self.text_between(start, self.pos))
        if token in DTYPES or token[:1] in "!(" or token.startswith(SHAPED) or self.tokens[self.pos + 1] == "<":
            return self.type()
        self.unexpected("an attribute")

    @abstractmethod
    def location(self) -> object:
        """Read `loc(…)`."""

    @abstractmethod
    def attribute_alias(self, name: str) -> Attribute | None:
        """The attribute that `#name` was defined to be; None when it is no alias."""

    @abstractmethod
    def resource(self, name: str) -> bytes | None:
        """The bytes of a resource of the text's last section; None when there is none."""

    @abstractmethod
    def elided_array(self, type: TensorType | VectorType) -> DenseElements:
        """The elements that the text leaves out."""

    # ------------------------------------------------------------------------------------------ elements

    def _elements_type(self) -> TensorType | VectorType:
        self.expect(":")
        at = self.pos
        t = self.type()
        if not isinstance(t, TensorType | VectorType):
            self.fail(f"elements need a tensor or vector type, found {t}", at)
        if not t.is_static:
            self.fail(f"elements need a static shape, found {t}", at)
        return t

    def _holds_strings(self, start: int) -> bool:
        """Whether the first element of the nested list at token `start` is a string."""
        at = start
        while self.tokens[at] == "[":
            at += 1
        return self.tokens[at][:1] == '"'

    def _strings(self, start: int) -> OpaqueAttr | None:
        """`"…">: type`, or a nested list of strings, kept as text where the type is not one of numbers."""
        tokens = self.tokens
        at = self.pos
        while tokens[at][:1] in ('"', "[", "]", ","):
            at += 1
        if tokens[at] != ">" or tokens[at + 1] != ":" or at == self.pos:
            return None
        before, self.pos = self.pos, at + 1
        if self._elements_type().dtype.is_opaque:
            return OpaqueAttr(self.text_between(start, self.pos))
        self.pos = before
        return None

    def _dense(self) -> DenseElements | OpaqueAttr:
        begin = self.pos
        self.pos += 1
        self.expect("<")
        tokens = self.tokens
        start = self.pos
        token = tokens[start]
        try:
            if token[:1] == '"' or (token == "[" and self._holds_strings(start)):
                strings = self._strings(begin)
                if strings is not None:
                    return strings
                if token[:3] not in ('"0x', '"0X') or len(token) < 4:
                    self.unexpected("a string of hexadecimal data")
                self.pos += 1
                self.expect(">")
                t = self._elements_type()
                return decode_raw(token[3:-1], t)
            if token == ">":
                self.pos += 1
                t = self._elements_type()
                if t.element_count:
                    self.fail(f"{t} has {t.element_count} elements, found none", start)
                return DenseElements(np.empty(t.static_shape, t.dtype.numpy), t)
            if token == "[":
                shape, elements = self._nested_list()
                self.expect(">")
                t = self._elements_type()
                count = math.prod(shape) * (2 if t.dtype.is_complex else 1)
                if shape != t.static_shape or len(elements) != count:
                    self.fail(f"elements of shape {list(shape)} do not fit {t}", start)
                return DenseElements(array_from_tokens(elements, t.dtype).reshape(t.static_shape), t)
            parts = [token]
            if token == "(":
                self.pos += 1
                parts = [tokens[self.pos], tokens[self.pos + 2]] if tokens[self.pos + 1 : self.pos + 2] == [","] else []
                if not parts:
                    self.unexpected("a complex number (real, imaginary)", start)
                self.pos += 3
                self.expect(")")
            else:
                self.pos += 1
            self.expect(">")
            t = self._elements_type()
            key = (*parts, t)
            known = self._splats.get(key)
            if known is None:
                if (len(parts) == 2) != t.dtype.is_complex:
                    self.fail(f"{describe(token)} is no element of {t}", start)
                known = self._splats[key] = splat(array_from_tokens(parts, t.dtype)[0], t)
            return known
        except ElementsError as error:
            self.fail(str(error), start)

    def _sparse(self) -> DenseElements:
        """`sparse<[[0, 1], …], [1.5, …]> : type`; a single number stands for all coordinates, or for all values."""
        self.pos += 1
        self.expect("<")
        start = self.pos
        lists: list[tuple[tuple[int, ...], list[str]]] = []
        while not self.accept(">"):
            if lists:
                self.expect(",")
            if self.token == "[":
                lists.append(self._nested_list())
            else:
                lists.append(((1,), [self.token]))
                self.pos += 1
            if len(lists) > 2:
                self.fail("sparse elements have indices and values", start)
        t = self._elements_type()
        try:
            if not lists:
                return from_sparse(np.empty((0, t.rank), np.int64), np.empty(0, t.dtype.numpy), t)
            if len(lists) != 2:
                self.fail("sparse elements have indices and values", start)
            (index_shape, indices), (_, values) = lists
            at = array_from_tokens(indices, I64).reshape(index_shape)
            return from_sparse(at, array_from_tokens(values, t.dtype), t)
        except ElementsError as error:
            self.fail(str(error), start)

    def _nested_list(self) -> tuple[tuple[int, ...], list[str]]:
        """The shape of a nested list, and the tokens of its elements in order.

        Lists must be regular; a complex number is one element of two tokens.
        """
        tokens = self.tokens
        elements: list[str] = []
        sizes: list[int | None] = []  # of the lists at each depth, once one of them is closed
        counts: list[int] = []  # of the open lists
        leaf_depth = 0
        pos = self.pos
        value_next = True
        while True:
            token = tokens[pos]
            pos += 1
            if not value_next:
                if token == ",":
                    value_next = True
                    continue
                if token != "]":
                    self.unexpected("',' or ']'", pos - 1)
            elif token == "[":
                if leaf_depth and len(counts) >= leaf_depth:
                    self.fail("lists of elements are nested to different depths", pos - 1)
                counts.append(0)
                if len(sizes) < len(counts):
                    sizes.append(None)
                value_next = tokens[pos] != "]"
                continue
            elif token in ("]", ",", ">", ""):
                self.unexpected("an element", pos - 1)
            else:
                if token == "(":
                    if tokens[pos + 1 : pos + 2] != [","] or tokens[pos + 3 : pos + 4] != [")"]:
                        self.unexpected("a complex number (real, imaginary)", pos - 1)
                    elements += (tokens[pos], tokens[pos + 2])
                    pos += 4
                else:
                    elements.append(token)
                if not leaf_depth:
                    leaf_depth = len(counts)
                elif leaf_depth != len(counts):
                    self.fail("lists of elements are nested to different depths", pos - 1)
                counts[-1] += 1
                value_next = False
                continue
            size = counts.pop()
            expected = sizes[len(counts)]
            if expected is None:
                sizes[len(counts)] = size
            elif expected != size:
                self.fail(f"expected a list of {expected} elements, found {size}", pos - 1)
            if not counts:
                self.pos = pos
                return tuple(s or 0 for s in sizes), elements
            counts[-1] += 1

    def _dense_array(self) -> DenseArray:
        self.pos += 1
        self.expect("<")
        at = self.pos
        dtype = self.type()
        if not isinstance(dtype, DType):
            self.fail(f"array<…> holds numbers, not {dtype}", at)
        parts: list[str] = []
        if self.accept(":"):
            parts.append(self.tokens[self.pos])
            self.pos += 1
            while self.accept(","):
                parts.append(self.tokens[self.pos])
                self.pos += 1
        self.expect(">")
        try:
            values = array_from_tokens(parts, dtype)
        except ElementsError as error:
            self.fail(str(error), at + 2 + 2 * error.token)
        return DenseArray(dtype, tuple(values.tolist()))

    def _dense_resource(self) -> DenseElements:
        self.pos += 1
        self.expect("<")
        at = self.pos
        token = self.tokens[at]
        name = self.string() if token[:1] == '"' else self.word("the name of a resource")
        self.expect(">")
        t = self._elements_type()
        if name == "__elided__":
            self.pos, after = at, self.pos
            found = self.elided_array(t)
            self.pos = after
            return found
        data = self.resource(name)
        if data is None:
            self.fail(f"resource {name} is not in this text", at)
        try:
            return from_resource(data, t)
        except ElementsError as error:
            self.fail(str(error), at)

    # ------------------------------------------------------------------------------------------ affine maps

    def affine_map(self) -> AffineMap:
        """`(d0, d1)[s0] -> (d0 + s0, …)`."""
        names: dict[str, AffineExpr] = {}
        self.expect("(")
        dims = 0
        while not self.accept(")"):
            if dims:
                self.expect(",")
            names[self.word("a dimension")] = AffineDim(dims)
            dims += 1
        symbols = 0
        if self.accept("["):
            while not self.accept("]"):
                if symbols:
                    self.expect(",")
                names[self.word("a symbol")] = AffineSymbol(symbols)
                symbols += 1
        self.expect("->")
        self.expect("(")
        results: list[AffineExpr] = []
        while not self.accept(")"):
            if results:
                self.expect(",")
            results.append(self._affine_sum(names))
        return AffineMap(dims, symbols, tuple(results))

    def _affine_sum(self, names: dict[str, AffineExpr]) -> AffineExpr:
        left = self._affine_product(names)
        while True:
            token = self.tokens[self.pos]
            if token == "+":
                self.pos += 1
                left = left + self._affine_product(names)
            elif token == "-":
                self.pos += 1
                left = left - self._affine_product(names)
            elif token[:1] == "-" and token[1:].isdigit():  # `d0 -1`
                left = left + self._affine_product(names)
            else:
                return left

    def _affine_product(self, names: dict[str, AffineExpr]) -> AffineExpr:
        left = self._affine_leaf(names)
        while True:
            token = self.tokens[self.pos]
            if token not in ("*", "floordiv", "ceildiv", "mod"):
                return left
            self.pos += 1
            at = self.pos
            right = self._affine_leaf(names)
            if token == "*":
                left = left * right
                continue
            if right == AffineConst(0):
                self.fail("division by zero", at)
            if token == "floordiv":
                left = left // right
            elif token == "mod":
                left = left % right
            elif isinstance(right, AffineConst):
                left = (left + (right.value - 1)) // right
            else:
                self.fail("ceildiv needs a constant", at)

    def _affine_leaf(self, names: dict[str, AffineExpr]) -> AffineExpr:
        token = self.tokens[self.pos]
        if token == "(":
            self.pos += 1
            inner = self._affine_sum(names)
            self.expect(")")
            return inner
        if token == "-":
            self.pos += 1
            return self._affine_leaf(names) * -1
        if token in names:
            self.pos += 1
            return names[token]
        if token.lstrip("-").isdigit():
            return AffineConst(self.integer())
        self.unexpected("a dimension, a symbol or an integer")
