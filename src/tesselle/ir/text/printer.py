"""The printer: pretty forms where dialects registered them, else MLIR's generic form.

What it prints, the parser reads back to the same operations; values keep the names that the text gave them, made
unique within their scope.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tesselle.ir.affine import AffineMap
from tesselle.ir.attributes import (
    Attribute,
    DenseArray,
    DenseElements,
    DialectAttr,
    FloatAttr,
    IntegerAttr,
    OpaqueAttr,
    SymbolRef,
    UnitAttr,
)
from tesselle.ir.core import CONSTANT_LIKE, ISOLATED, Block, BlockArgument, Op, OpResult, Region, UnregisteredOp, Value
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.text.codec import UNIT_TEXT, codecs_of
from tesselle.ir.text.elements import elements_text, float_text, scalar_text
from tesselle.ir.text.lexer import escape
from tesselle.ir.text.locations import location_text
from tesselle.ir.text.registry import ASSEMBLIES, ENUM_TEXTS, load_dialect
from tesselle.ir.types import FunctionType, TensorType, Type, VectorType
from tesselle.support.dtypes import F64, DType
from tesselle.support.locations import Location

_NAME = re.compile(r"[A-Za-z_$.-][\w$.-]*")
_BARE_KEY = re.compile(r"[A-Za-z_][\w$.]*")


class Printer:
    """Prints operations. Writers of pretty forms use `write`, `value_name`, `attribute_text`, `region`, …"""

    def __init__(
        self, *, generic: bool = False, locations: bool = False, elide_above: int | None = None, indent: int = 0
    ) -> None:
        self.generic = generic
        self.locations = locations
        self.elide_above = elide_above
        self._parts: list[str] = []
        self._indent = indent
        self._names: dict[Value, str] = {}
        self._used: set[str] = set()
        self._next_number = 0
        self._block_names: dict[Block, str] = {}

    def text(self) -> str:
        """All that was written so far."""
        return "".join(self._parts)

    def write(self, text: str) -> None:
        self._parts.append(text)

    def newline(self) -> None:
        self._parts.append("\n" + "  " * self._indent)

    # ------------------------------------------------------------------------------------------ operations

    def op(self, op: Op) -> None:
        """Print an operation with its results, on one or more lines, without a line break behind it."""
        if op.results:
            self.write(f"{self._define_results(op)} = ")
        if self.generic:
            load_dialect(op.dialect)  # it knows how its attributes are written
            self._generic(op)
        elif not self._pretty(op):
            self._generic(op)
        if self.locations:
            self.write(f" loc({location_text(op.location)})")

    def _pretty(self, op: Op) -> bool:
        name = op.name
        assembly = ASSEMBLIES.get(name)
        if assembly is None:
            load_dialect(op.dialect)
            assembly = ASSEMBLIES.get(name)
            if assembly is None:
                return False
        written = len(self._parts)
        short = _SHORT_NAMES.get(name)
        if short is not None and (name == "builtin.module" or _stands_in_function(op)):
            name = short
        self.write(name)
        assembly.print(self, op)
        if len(self._parts) == written + 1:
            del self._parts[written:]
            return False
        return True

    def _generic(self, op: Op) -> None:
        self.write(f'"{op.name}"({", ".join(map(self.value_name, op.operands))})')
        if op.successors:
            self.write(f"[{', '.join(map(self.block_name, op.successors))}]")
        declared = frozenset[str]() if isinstance(op, UnregisteredOp) else frozenset(codecs_of(type(op)))
        properties = self._attribute_parts(op, op.attributes.keys() - declared)
        segments = (("operandSegmentSizes", op.operand_segments), ("resultSegmentSizes", op.result_segments()))
        for name, sizes in segments:
            if sizes is not None:
                properties.append(f"{name} = array<i32: {', '.join(map(str, sizes))}>")
        if properties:
            self.write(f" <{{{', '.join(properties)}}}>")
        if op.regions:
            self.write(" (")
            for i, region in enumerate(op.regions):
                if i:
                    self.write(", ")
                self.region(region, isolated=ISOLATED in op.TRAITS, entry_label=True)
            self.write(")")
        others = self.attribute_dict_text(op, declared)
        if others:
            self.write(f" {others}")
        self.write(f" : {FunctionType(tuple(v.type for v in op.operands), op.result_types)}")

    def _define_results(self, op: Op) -> str:
        results = op.results
        known = self._names.get(results[0])  # a use came before
        if known is not None:
            return known if len(results) == 1 else f"{known.removesuffix('#0')}:{len(results)}"
        first = self._new_name(results[0])
        if len(results) == 1:
            return first
        for r in results[1:]:
            self._names[r] = f"{first}#{r.index}"
        self._names[results[0]] = f"{first}#0"
        return f"{first}:{len(results)}"

    # ------------------------------------------------------------------------------------------ values

    def _new_name(self, value: Value) -> str:
        hint = value.name_hint
        if hint is not None and _NAME.fullmatch(hint):
            name = f"%{hint}"
            count = 0
            while name in self._used:
                name = f"%{hint}_{count}"
                count += 1
        else:
            name = f"%{self._next_number}"
            self._next_number += 1
            while name in self._used:
                name = f"%{self._next_number}"
                self._next_number += 1
        self._used.add(name)
        self._names[value] = name
        return name

    def value_name(self, value: Value) -> str:
        """The name of a value; it is made up when the value was not printed yet."""
        name = self._names.get(value)
        if name is not None:
            return name
        if isinstance(value, OpResult):  # used before it is defined
            self._define_results(value.op)
            return self._names[value]
        return self._new_name(value)

    def value_names(self, values: Sequence[Value]) -> str:
        return ", ".join(map(self.value_name, values))

    def define_arguments(self, args: Sequence[BlockArgument], prefix: str = "arg") -> list[str]:
        """Name the arguments of an entry block."""
        found: list[str] = []
        for arg in args:
            if arg.name_hint is None:
                name, count = f"%{prefix}{len(found)}", len(found)
                while name in self._used:
                    count += 1
                    name = f"%{prefix}{count}"
                self._used.add(name)
                self._names[arg] = name
                found.append(name)
            else:
                found.append(self._new_name(arg))
        return found

    def name_like(self, args: Sequence[BlockArgument], names: Sequence[str]) -> None:
        """Give block arguments names that others have already, where the text names both at once."""
        self._names.update(zip(args, names, strict=True))

    def block_name(self, block: Block) -> str:
        name = self._block_names.get(block)
        if name is None:
            name = self._block_names[block] = f"^bb{len(self._block_names)}"
        return name

    # ------------------------------------------------------------------------------------------ regions

    def region(
        self,
        region: Region,
        *,
        isolated: bool = False,
        entry_label: bool = False,
        named_args: bool = False,
        hide_terminator: bool = False,
    ) -> None:
        """`{ … }`. The entry block gets a label when it has arguments and `named_args` does not say that the
        operation printed them itself."""
        with _Scope(self, isolated):
            self.region_body(region, entry_label=entry_label, named_args=named_args, hide_terminator=hide_terminator)

    def scope(self, *, isolated: bool = False) -> _Scope:
        """Names given inside a `with` are forgotten behind it."""
        return _Scope(self, isolated)

    def region_body(
        self, region: Region, *, entry_label: bool = False, named_args: bool = False, hide_terminator: bool = False
    ) -> None:
        """A region in the scope that is open."""
        self.write("{")
        if len(region.blocks) > 1 or (region.blocks and region.blocks[0].args and not named_args):
            entry_label = True
        for i, block in enumerate(region.blocks):
            if i or (entry_label and (block.args or len(region.blocks) > 1 or block.first is None) and not named_args):
                self._define_label(block)
            self._indent += 1
            last = block.last
            for op in block:
                if hide_terminator and op is last and not op.operands and not op.attributes and not self.locations:
                    continue
                self.newline()
                self.op(op)
            self._indent -= 1
        if region.blocks:
            self.newline()
        self.write("}")

    def _define_label(self, block: Block) -> None:
        self.newline()
        args = ", ".join(
            f"{name}: {a.type}{self.location_suffix(a.location)}"
            for name, a in zip(self.define_arguments(block.args), block.args, strict=True)
        )
        self.write(f"{self.block_name(block)}{f'({args})' if args else ''}:")

    def location_suffix(self, location: Location) -> str:
        return f" loc({location_text(location)})" if self.locations else ""

    # ------------------------------------------------------------------------------------------ attributes

    def attribute_dict_text(self, op: Op, named: Collection[str] = ()) -> str:
        """`{…}` with the attributes that are not in `named`, or nothing."""
        parts = self._attribute_parts(op, named)
        return f"{{{', '.join(parts)}}}" if parts else ""

    def _attribute_parts(self, op: Op, named: Collection[str]) -> list[str]:
        codecs = {} if isinstance(op, UnregisteredOp) else codecs_of(type(op))
        parts: list[str] = []
        for name, value in op.attributes.items():
            if name in named or value is None:
                continue
            codec = codecs.get(name)
            if codec is None:
                parts.append(self._named_attribute(name, value))
            else:
                text = self._declared(op, name, value, codec.encode)
                parts.append(self._key(name) if text == UNIT_TEXT else f"{self._key(name)} = {text}")
        return parts

    def _declared(self, op: Op, name: str, value: Any, encode: Any) -> str:
        if name == "value" and isinstance(value, int | float | complex) and len(op.results) == 1:
            # A constant whose value is a plain number: its type is that of the result.
            t = op.results[0].type
            if CONSTANT_LIKE in op.TRAITS or isinstance(t, DType):
                return self.number_text(value, t)
        return encode(value, self.attribute_text)

    def number_text(self, value: Any, type: Type) -> str:
        """A number with its type; a complex one as the list of its parts, one of a shaped type as a splat."""
        if isinstance(type, VectorType | TensorType):
            return f"dense<{scalar_text(value, type.dtype)}> : {type}"
        if isinstance(value, complex) and isinstance(type, DType):
            return f"[{self.number_text(value.real, type.element)}, {self.number_text(value.imag, type.element)}]"
        if isinstance(type, DType) and type.is_float:
            return f"{float_text(value, type)} : {type}"
        if isinstance(value, bool) or (isinstance(type, DType) and type.is_bool):
            return "true" if value else "false"
        return f"{value} : {type}"

    @staticmethod
    def _key(name: str) -> str:
        return name if _BARE_KEY.fullmatch(name) else f'"{escape(name)}"'

    def _named_attribute(self, name: str, value: Attribute) -> str:
        if isinstance(value, UnitAttr):
            return self._key(name)
        return f"{self._key(name)} = {self.attribute_text(value)}"

    def attribute_text(self, value: Attribute) -> str:
        """An attribute that no declaration covers."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return f"{value} : i64"
        if isinstance(value, float):
            return f"{float_text(value, F64)} : f64"
        if isinstance(value, str):
            return f'"{escape(value)}"'
        if isinstance(value, IntegerAttr):
            return f"{value.value} : {value.type}"
        if isinstance(value, FloatAttr):
            return self.number_text(value.value, value.type)
        if isinstance(value, DenseElements):
            return f"{elements_text(value, elide_above=self.elide_above)} : {elements_type(value)}"
        if isinstance(value, DenseArray):
            return dense_array_text(value)
        if isinstance(value, SymbolRef):
            return symbol_text(value)
        if isinstance(value, Mapping):
            return f"{{{', '.join(self._named_attribute(k, v) for k, v in value.items())}}}"
        if isinstance(value, tuple):
            return f"[{', '.join(map(self.attribute_text, value))}]"
        if isinstance(value, AffineMap):
            return f"affine_map<{value}>"
        if isinstance(value, enum.Enum):
            return enum_text(value)
        if isinstance(value, OpaqueAttr):
            return value.text
        if isinstance(value, UnitAttr):
            return "unit"
        if value is None:
            return "none"
        if isinstance(value, Location):
            return f"loc({location_text(value)})"
        assert isinstance(value, DialectAttr | Type), f"{value!r} is no attribute"
        return str(value)


class _Scope:
    """Names that are forgotten when it is left; an isolated one does not see those around it."""

    def __init__(self, printer: Printer, isolated: bool) -> None:
        self.printer = printer
        self.isolated = isolated

    def __enter__(self) -> None:
        p = self.printer
        self.saved = (p._names, p._used, p._next_number, p._block_names)  # pyright: ignore[reportPrivateUsage]  # its own half
        if self.isolated:
            p._names, p._used, p._next_number = {}, set(), 0  # pyright: ignore[reportPrivateUsage]  # as above
        else:
            p._used = set(p._used)  # pyright: ignore[reportPrivateUsage]  # as above
        p._block_names = {}  # pyright: ignore[reportPrivateUsage]  # as above

    def __exit__(self, *_: object) -> None:
        p = self.printer
        p._names, p._used, p._next_number, p._block_names = self.saved  # pyright: ignore[reportPrivateUsage]  # as above


_SHORT_NAMES = {"func.return": "return", "func.call": "call", "builtin.module": "module"}
"""Operations that are written without their dialect; those of func only where they stand directly in a function."""


def _stands_in_function(op: Op) -> bool:
    parent = op.parent_op
    return parent is not None and parent.name == "func.func"


def dense_array_text(array: DenseArray) -> str:
    if not array.values:
        return f"array<{array.dtype}>"
    if array.dtype.is_float:
        parts = [float_text(v, array.dtype) for v in array.values]
    elif array.dtype.is_bool:
        parts = ["true" if v else "false" for v in array.values]
    else:
        parts = [str(v) for v in array.values]
    return f"array<{array.dtype}: {', '.join(parts)}>"


def elements_type(elements: DenseElements) -> Type:
    """The type that stands behind elements: quantized ones are written as what stores them."""
    t = elements.type
    return t.with_dtype(t.dtype.storage) if isinstance(t.dtype, QuantizedType) and isinstance(t, TensorType) else t


def symbol_text(ref: SymbolRef) -> str:
    return "::".join(map(symbol_name_text, (ref.root, *ref.nested)))


def symbol_name_text(name: str) -> str:
    """`@name`, in quotes where it needs them."""
    return f"@{name}" if _BARE_SYMBOL.fullmatch(name) else f'@"{escape(name)}"'


_BARE_SYMBOL = re.compile(r"[A-Za-z_][\w$.-]*")


def enum_text(value: enum.Enum) -> str:
    form = ENUM_TEXTS.get(type(value))
    if form is None:
        return f'"{value.value}"' if isinstance(value.value, str) else f"{value.value} : i32"
    return f"#{form.dialect}<{form.mnemonic} {value.value}>"
