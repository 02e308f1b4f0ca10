"""Reading types."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NoReturn

from tesselle.ir.attributes import DialectAttr, OpaqueAttr
from tesselle.ir.text.lexer import Lexer, describe
from tesselle.ir.text.quantized import read_uniform
from tesselle.ir.text.registry import TYPE_PARSERS, load_dialect
from tesselle.ir.types import (
    NAMED_TYPES,
    Dim,
    FunctionType,
    FutureType,
    MemRefType,
    TensorType,
    TokenType,
    TupleType,
    Type,
    UnrankedTensorType,
    VectorType,
)
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DTYPES, DType

_SIMPLE = re.compile(r"(tensor|vector|memref)<((?:(?:\d+|\?)x)*)([A-Za-z]\w*|complex<f(?:32|64)>)>")
_SHAPED = re.compile(r"(tensor|vector|memref)<\s*((?:(?:\d+|\?)\s*x\s*)*)([^,]+?)\s*(?:,(.*))?>", re.DOTALL)
_OF_DIALECT_TYPE = re.compile(r"(tensor|vector|memref)<\s*((?:(?:\d+|\?)\s*x\s*)*)(!.*)>", re.DOTALL)
_UNRANKED = re.compile(r"tensor<\s*\*\s*x\s*([\w<>]+?)\s*>")
_STRIDED = re.compile(r"strided<\[([^\]]*)\](?:\s*,\s*offset\s*:\s*(\?|\d+))?>")
_MAX_DIM = 2**63 - 1
_MISSING_TYPES = re.compile(r"(?:[us]?i\d+|f\d+\w*|tf32|none)")

SHAPED = ("tensor<", "vector<", "memref<")


class TypeParser(Lexer, ABC):
    """Reads types; every text of a type is read once, so that equal texts give the same object."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text, file)
        self._types: dict[str, Type] = dict(DTYPES)
        self.allows_unranked = '"tf.' in text

    def type(self) -> Type:
        """Read a type, function types among them."""
        token = self.tokens[self.pos]
        known = self._types.get(token)
        if known is not None:
            self.pos += 1
            return known
        if token == "(":
            return self.function_type()
        return self._other_type(token)

    def _other_type(self, token: str) -> Type:
        if token.startswith(SHAPED):
            found = self._shaped(token)
            self._types[token] = found
            self.pos += 1
            return found
        if token[:1] == "!":
            return self._dialect_type(token[1:])
        at = self.pos
        if token == "complex":
            self.pos += 1
            self.expect("<")
            name = f"complex<{self.word('an element type')}>"
            self.expect(">")
            found = DTYPES.get(name)
            if found is None:
                self.unsupported_type(f"there is no element type {name}", at)
            return found
        if token == "tuple":
            self.pos += 1
            self.expect("<")
            types: list[Type] = []
            while not self.accept(">"):
                if types:
                    self.expect(",")
                types.append(self.type())
            return TupleType(tuple(types))
        if token in ("tensor", "vector", "memref") and self.tokens[at + 1] == "<":
            return self._deep_shaped(token)
        if token in NAMED_TYPES:
            self.pos += 1
            return NAMED_TYPES[token]
        if _MISSING_TYPES.fullmatch(token):
            self.unsupported_type(f"there is no type {token}", at)
        self.unexpected("a type")

    def unsupported_type(self, message: str, index: int) -> NoReturn:
        """Raise Unsupported for a type at token `index`."""
        raise Unsupported(message, self.place(index), "type")

    def _shaped(self, token: str) -> Type:
        """The type that a one-token shaped type means."""
        simple = _SIMPLE.fullmatch(token)
        if simple is not None:
            kind, dims, element, rest = simple[1], simple[2], simple[3], None
        else:
            of_dialect = _OF_DIALECT_TYPE.fullmatch(token)
            if of_dialect is not None:
                return self._shaped_of_dialect(of_dialect)
            general = _SHAPED.fullmatch(token)
            if token[7:].lstrip().startswith("*"):
                return self._unranked(token)
            if general is None or not (general[3][0].isalpha() or general[3][0] == "!"):
                self.fail(f"malformed type {describe(token)}")
            kind, dims, element, rest = general[1], "".join(general[2].split()), general[3], general[4]
        shape = self._dims(dims)
        dtype = DTYPES.get(element) or self._element(element)
        if kind == "tensor":
            return TensorType(shape, dtype, None if rest is None else self._encoding(rest))
        if kind == "vector":
            if None in shape or rest is not None:
                self.fail(f"malformed type {describe(token)}")
            return VectorType(shape, dtype)
        return self._memref(shape, dtype, rest)

    def _unranked(self, token: str) -> Type:
        """`tensor<*xf32>`, which only programs with operations of TensorFlow may hold."""
        m = _UNRANKED.fullmatch(token)
        dtype = DTYPES.get(m[1]) if m is not None else None
        if dtype is None or not self.allows_unranked:
            self.unsupported_type("tensors without a rank are not supported", self.pos)
        return UnrankedTensorType(dtype)

    def _shaped_of_dialect(self, m: re.Match[str]) -> Type:
        """A shaped type whose element type is written `!dialect.type<…>`, or an alias."""
        found: Any = self.nested(m[3], _read_element_and_encoding)
        element, encoding = found
        if not isinstance(element, DType):
            self.unsupported_type(f"{element} is no element type", self.pos)
        shape = self._dims("".join(m[2].split()))
        if m[1] == "tensor":
            if encoding is not None and not isinstance(encoding, DialectAttr | OpaqueAttr):
                self.fail(f"{describe(m[3])} has no encoding of a tensor")
            return TensorType(shape, element, encoding)
        if encoding is not None or (m[1] == "vector" and None in shape):
            self.fail(f"malformed type {describe(m[0])}")
        return VectorType(shape, element) if m[1] == "vector" else MemRefType(shape, element)

    def _dims(self, text: str) -> tuple[Dim, ...]:
        dims: list[Dim] = []
        for part in text.split("x")[:-1]:
            if part == "?":
                dims.append(None)
                continue
            if len(part) > 19 or (size := int(part)) > _MAX_DIM:
                self.fail(f"dimension {describe(part)} is too large")
            dims.append(size)
        return tuple(dims)

    def _element(self, text: str) -> DType:
        """An element type that is not in the table: one that Tesselle does not have."""
        text = text.strip()
        if text.startswith("complex<") or _MISSING_TYPES.fullmatch(text):
            self.unsupported_type(f"there is no element type {text}", self.pos)
        self.fail(f"unknown element type {describe(text)}")

    def _memref(self, shape: tuple[Dim, ...], dtype: DType, layout: str | None) -> MemRefType:
        if layout is None:
            return MemRefType(shape, dtype)
        m = _STRIDED.fullmatch(layout.strip())
        if m is None:
            self.unsupported_type(f"memory layout {layout.strip()} is not supported", self.pos)
        numbers = [s.strip() for s in m[1].split(",")] if m[1].strip() else []
        if any(s != "?" and not re.fullmatch(r"-?\d{1,19}", s) for s in numbers) or len(numbers) != len(shape):
            self.fail(f"malformed strides [{m[1]}]")
        strides = tuple(None if s == "?" else int(s) for s in numbers)
        return MemRefType(shape, dtype, strides, None if m[2] == "?" else int(m[2] or 0))

    def _encoding(self, text: str) -> object:
        """The attribute behind the comma of a tensor type."""
        encoding = self.nested(text, _read_attribute)
        if not isinstance(encoding, DialectAttr | OpaqueAttr):
            self.fail(f"{describe(text.strip())} is no encoding of a tensor")
        return encoding

    def _deep_shaped(self, token: str) -> Type:
        """A shaped type that the lexer did not take in one piece: nested deeper, or with strings inside."""
        start, depth = self.pos, 0
        index = start + 1
        while True:
            t = self.tokens[index]
            if not t:
                self.fail(f"unterminated type {token}<", start)
            depth += (t == "<") - (t == ">")
            index += 1
            if depth == 0:
                break
        found = self._shaped(self.text_between(start, index))
        self.pos = index
        return found

    def _dialect_type(self, name: str) -> Type:
        at = self.pos
        alias = self.type_alias(name)
        if alias is not None:
            self.pos = at + 1
            return alias
        if name == "stablehlo.token":
            self.pos += 1
            return TokenType()
        if name == "stablehlo.future":
            self.pos += 1
            self.expect("<")
            types = () if self.token == ">" else tuple(self.type_list())
            self.expect(">")
            return FutureType(types)
        if name == "quant.uniform":
            self.pos += 1
            return read_uniform(self)
        parse = TYPE_PARSERS.get(name)
        if parse is None and load_dialect(name.split(".", 1)[0]):
            parse = TYPE_PARSERS.get(name)
        if parse is None:
            if "." in name:
                self.unsupported_type(f"there is no type !{name}", at)
            self.fail(f"type alias !{name} is not defined", at)
        self.pos += 1
        return parse(self)  # type: ignore[arg-type]  # self is the Parser that derives from this class

    @abstractmethod
    def type_alias(self, name: str) -> Type | None:
        """The type that `!name` was defined to be; None when it is no alias."""

    @abstractmethod
    def nested(self, text: str, read: Callable[[Any], Any]) -> object:
        """Apply a reader to `text` as to a text of its own; its errors are reported at the next token."""

    # ------------------------------------------------------------------------------------------ lists

    def types_in_parentheses(self) -> list[Type]:
        """`(T, …)`."""
        self.expect("(")
        types: list[Type] = []
        if self.accept(")"):
            return types
        table, tokens = self._types, self.tokens
        while True:
            known = table.get(tokens[self.pos])
            if known is None:
                types.append(self.type())
            else:
                types.append(known)
                self.pos += 1
            token = tokens[self.pos]
            self.pos += 1
            if token == ")":
                return types
            if token != ",":
                self.unexpected("',' or ')'", self.pos - 1)

    def type_list(self) -> list[Type]:
        """`T, …`, one at least."""
        types = [self.type()]
        while self.accept(","):
            types.append(self.type())
        return types

    def result_types(self) -> list[Type]:
        """What stands behind `->`: one type, or a list in parentheses."""
        if self.tokens[self.pos] == "(":
            return self.types_in_parentheses()
        return [self.type()]

    def function_types(self) -> tuple[list[Type], list[Type]]:
        """`(T, …) -> T` or `(T, …) -> (T, …)`."""
        inputs = self.types_in_parentheses()
        self.expect("->")
        return inputs, self.result_types()

    def function_type(self) -> FunctionType:
        inputs, results = self.function_types()
        return FunctionType(tuple(inputs), tuple(results))


def _read_element_and_encoding(parser: Any) -> tuple[Any, Any]:
    element = parser.type()
    return element, parser.any_attribute() if parser.accept(",") else None


def _read_attribute(parser: Any) -> Any:
    """Readers of attributes build on readers of types; an encoding needs them the other way round."""
    return parser.any_attribute()
