"""The state of translating one kernel: lines of LLVM IR so far, names of values, views, blocks.

The translators of single operations are functions `(kernel, op)` registered in tables by operation class; see
`translate.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tesselle.codegen.llvm.emitter import FunctionText
from tesselle.codegen.llvm.layout import Index, View, constant_slots, memory_element, slot_count
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.dialects.core.arith import ConstantOp
from tesselle.ir.core import Block, Op, Value
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import DType

SCRATCH_ALIGNMENT = 64

_FAST_MATH_FLAGS = frozenset(("contract", "reassoc", "nsz", "arcp"))


class ModuleText:
    """What the kernels of a module share: declarations of intrinsics, functions they call, metadata."""

    def __init__(self, target: CpuTarget) -> None:
        self.target = target
        self.declarations: set[str] = set()
        self.functions: dict[str, FunctionText] = {}
        self.metadata: list[str] = []
        self._nontemporal: str | None = None
        self._empty: str | None = None

    def use(self, function: FunctionText) -> None:
        """Make sure that the module defines `function` and what it calls."""
        if function.symbol not in self.functions:
            self.functions[function.symbol] = function
            self.declarations.update(function.declarations)
            for callee in function.callees:
                self.use(callee)

    def nontemporal(self) -> str:
        """The metadata node that marks a store to bypass the caches."""
        if self._nontemporal is None:
            self._nontemporal = self.add_metadata("!{i32 1}")
        return self._nontemporal

    def empty_metadata(self) -> str:
        """The empty node, for marks without contents."""
        if self._empty is None:
            self._empty = self.add_metadata("!{}")
        return self._empty

    def add_metadata(self, text: str) -> str:
        """A numbered metadata node; `text` may name itself as `!self`."""
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text.replace('!self', name)}")
        return name


@dataclass
class Root:
    """One piece of memory that views lie in: a binding, or a piece of scratch."""

    is_scratch: bool


class Kernel:
    """One function on its way to LLVM IR."""

    def __init__(self, module: ModuleText, name: str) -> None:
        self.module = module
        self.target = module.target
        self.name = name
        self.lines: list[str] = []
        self.label = "entry"
        self.views: dict[Value, View] = {}
        self.roots: list[Root] = []
        self.local_memory_bytes = 0
        self.uses_nontemporal_stores = False
        self.translate_op: Callable[[Kernel, Op], None]
        self._slots: dict[Value, tuple[str, ...]] = {}
        self._count = 0

    # ------------------------------------------------------------------------------------------ values

    def slots(self, value: Value) -> tuple[str, ...]:
        """The names (or constants) of a value's slots."""
        return self._slots[value]

    def scalar(self, value: Value) -> str:
        """The only slot of a value that has one."""
        (slot,) = self._slots[value]
        return slot

    def set(self, value: Value, slots: Sequence[str]) -> None:
        assert len(slots) == slot_count(value.type), (
            f"{value.type} has {slot_count(value.type)} slots, not {len(slots)}"
        )
        self._slots[value] = tuple(slots)

    def index(self, value: Value) -> Index:
        """A value of type index, as a number when it is a constant."""
        slot = self.scalar(value)
        return slot if slot[0] == "%" else int(slot)

    def fresh(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def emit(self, text: str) -> str:
        """Append an instruction with a result; its name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {text}")

    def new_label(self, hint: str) -> str:
        self._count += 1
        return f"{hint}.{self._count}"

    def start_block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def constant(self, op: ConstantOp) -> None:
        self.set(op.result, constant_slots(op.value, op.result.type))

    # ------------------------------------------------------------------------------------------ index arithmetic

    def add(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0:
            return b
        return a if b == 0 else self.emit(f"add nsw i64 {a}, {b}")

    def mul(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1:
            return b
        return a if b == 1 else self.emit(f"mul nsw i64 {a}, {b}")

    # ------------------------------------------------------------------------------------------ calls

    def intrinsic(
        self, name: str, suffix: str, result: str, arguments: Sequence[tuple[str, str]], flags: str = ""
    ) -> str:
        """`result @llvm.name.suffix(type argument, …)`; returns the result's name."""
        symbol = f"@llvm.{name}.{suffix}"
        self.module.declarations.add(f"declare {result} {symbol}({', '.join(t for t, _ in arguments)})")
        return self.emit(f"call {flags}{result} {symbol}({', '.join(f'{t} {a}' for t, a in arguments)})")

    def call(self, function: FunctionText, *arguments: str) -> str:
        """Call one of the library's functions."""
        self.module.use(function)
        types = function.parameters
        text = ", ".join(f"{t} {a}" for t, a in zip(types, arguments, strict=True))
        return self.emit(f"call {function.result} {function.symbol}({text})")

    # ------------------------------------------------------------------------------------------ memory

    def allocate_scratch(self, size_bytes: int) -> int:
        """Offset of a new piece of the worker's local memory."""
        offset = -(-self.local_memory_bytes // SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT
        self.local_memory_bytes = offset + size_bytes
        return offset

    def address(self, view: View, indices: Sequence[Index], scale: int = 1, inbounds: bool = True) -> str:
        """Pointer to an element. `scale`: memory elements per element (2 for complex); not `inbounds`: nothing is read
        or written there.
        """
        position = view.offset
        for i, stride in zip(indices, view.strides, strict=True):
            position = self.add(position, self.mul(i, stride))
        position = self.mul(position, scale)
        if position == 0:
            return view.base
        flag = "inbounds " if inbounds else ""
        return self.emit(f"getelementptr {flag}{memory_element(view.dtype)}, ptr {view.base}, i64 {position}")

    def access_metadata(self, view: View) -> str:
        """What follows an access to `view`: a marker, which alias scopes replace at the end."""
        return self.alias_marker(view.root)

    @staticmethod
    def alias_marker(root: int) -> str:
        return f"\0{root}\0"

    # ------------------------------------------------------------------------------------------ structure

    def translate_block(self, block: Block) -> Op:
        """Translate all operations but the terminator, which is returned."""
        terminator = block.terminator
        translate = self.translate_op
        op = block.first
        while op is not None and op is not terminator:
            translate(self, op)
            op = op.next
        return terminator

    def fast_math(self, op: Op) -> str:
        """The flags that the operation's `fastmath` attribute asks for, with a trailing space."""
        wanted = op.attributes.get("fastmath")
        if wanted is None:
            return ""
        flags = [f.strip() for f in str(wanted).split(",")] if isinstance(wanted, str) else [repr(wanted)]
        if not _FAST_MATH_FLAGS.issuperset(flags):
            raise unsupported(op, f"fastmath flags {wanted!r}; known: {', '.join(sorted(_FAST_MATH_FLAGS))}")
        return " ".join(flags) + " "


def unsupported(op: Op, what: str) -> Unsupported:
    """The error for an operation that the back end does not translate in this form."""
    return Unsupported(f"the LLVM back end does not support {what}", op.location, f"codegen.llvm.{op.name}")


OpT = TypeVar("OpT", bound=Op)
Translator = Callable[[Kernel, OpT], None]


def lanes_suffix(type: str) -> str:
    """How an intrinsic's name mangles an LLVM scalar or vector type: `<8 x float>` -> `v8f32`."""
    names = {"float": "f32", "double": "f64", "ptr": "p0"}
    if type[0] == "<":
        count, element = type[1:-1].split(" x ")
        return f"v{count}{names.get(element, element)}"
    return names.get(type, type)


def element_size(dtype: DType) -> int:
    """Bytes of one memory element (a part, for complex types)."""
    return dtype.element.size_bytes
