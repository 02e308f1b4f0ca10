"""The instruction set of Tesselle's virtual machine: the one table that everybody reads.

The compiler emits from it, `vm_encoding` encodes and decodes with it, the C++ interpreter's header is generated from it
at build time, and the documentation prints it.

Machine model
    A function has registers r0…rn-1, each with one fixed type (i32, i64, f32, f64 or ref). Arguments arrive in the
    first registers. Every register is zero (refs: null) when a call begins, so reading before writing is defined. A ref
    register holds a counted reference to a buffer, a buffer view, a command buffer or a fence; which of them is checked
    when an instruction uses it. Integers wrap. Nothing traps: division by zero gives 0 (quotient and remainder), the
    quotient of the smallest integer by -1 wraps (remainder 0), a shift by the width or more gives what shifting bit by
    bit would give (the amount is unsigned), float to integer saturates and turns NaN into 0.

Encoding
    32-bit words. An instruction is a head word (opcode in the low 16 bits, length in words in the high 16), its
    results, its operands, in the order of the table. A register, a label (word offset inside the function), an index
    into a table and a 32-bit immediate take one word; a 64-bit immediate takes two, low word first; a list is a count
    and its elements; a binding is four words: slot, register of the offset, register of the length, access mask.

Opcodes are part of the artifact format: a row never changes its number or meaning; new rows go at the end of their
group.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from tesselle.support.dtypes import DTYPES, DType

ISA_VERSION = 3
"""Raised whenever a row is added; a module of a higher version is refused."""


class RegisterType(enum.IntEnum):
    """What a register holds."""

    I32 = 0
    I64 = 1
    F32 = 2
    F64 = 3
    REF = 4

    @property
    def spelling(self) -> str:
        return self.name.lower()


I32, I64, F32, F64, REF = RegisterType


class OperandKind(enum.IntEnum):
    """What an operand or a result is. The first five are registers, and have the number of their register type."""

    I32 = 0
    I64 = 1
    F32 = 2
    F64 = 3
    REF = 4
    IMM_I32 = 5
    IMM_I64 = 6
    IMM_F32 = 7
    IMM_F64 = 8
    DTYPE = 9
    """An element type, as its number in DTYPE_CODES."""
    LABEL = 10
    FUNCTION = 11
    STRING = 12
    GLOBAL = 13
    REGISTERS = 14
    """A list of registers whose types a signature gives (calls and returns)."""
    I64_LIST = 15
    REF_LIST = 16
    BINDINGS = 17
    """A list of Binding."""

    @property
    def is_register(self) -> bool:
        return self <= OperandKind.REF

    @property
    def is_register_list(self) -> bool:
        return self in (OperandKind.REGISTERS, OperandKind.I64_LIST, OperandKind.REF_LIST)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One operand or result of an instruction."""

    name: str
    kind: OperandKind


@dataclass(frozen=True, slots=True)
class Instruction:
    """One row of the table."""

    opcode: int
    name: str
    operands: tuple[Parameter, ...]
    results: tuple[Parameter, ...]
    description: str
    is_terminator: bool = False

    @property
    def identifier(self) -> str:
        """The name as a C++ identifier."""
        return self.name.replace(".", "_").upper()


ACCESS_READ = 1
ACCESS_WRITE = 2

DTYPE_CODES: dict[DType, int] = {
    DTYPES[name]: code
    for name, code in {
        "i1": 1,
        "i2": 2,
        "i4": 3,
        "i8": 4,
        "i16": 5,
        "i32": 6,
        "i64": 7,
        "ui2": 8,
        "ui4": 9,
        "ui8": 10,
        "ui16": 11,
        "ui32": 12,
        "ui64": 13,
        "f4E2M1FN": 14,
        "f6E2M3FN": 15,
        "f6E3M2FN": 16,
        "f8E3M4": 17,
        "f8E4M3": 18,
        "f8E4M3B11FNUZ": 19,
        "f8E4M3FN": 20,
        "f8E4M3FNUZ": 21,
        "f8E5M2": 22,
        "f8E5M2FNUZ": 23,
        "f8E8M0FNU": 24,
        "bf16": 25,
        "f16": 26,
        "f32": 27,
        "f64": 28,
        "complex<f32>": 29,
        "complex<f64>": 30,
    }.items()
}
"""The number of each element type in bytecode (never reused)."""

DTYPES_BY_CODE: dict[int, DType] = {code: dtype for dtype, code in DTYPE_CODES.items()}

_KINDS = {k.name.lower(): k for k in OperandKind}


def _parameters(text: str) -> tuple[Parameter, ...]:
    """Parse "name:kind, name:kind"."""
    pairs = (item.strip().split(":") for item in text.split(",") if item.strip())
    return tuple(Parameter(name, _KINDS[kind]) for name, kind in pairs)


class _Table:
    """Collects rows; `group` sets the first opcode of what follows."""

    def __init__(self) -> None:
        self.rows: list[Instruction] = []
        self._next = 0

    def group(self, first: int) -> None:
        assert first >= self._next, f"group {first:#x} overlaps the one before"
        self._next = first

    def row(self, name: str, operands: str, results: str, description: str, *, terminator: bool = False) -> None:
        row = Instruction(self._next, name, _parameters(operands), _parameters(results), description, terminator)
        self.rows.append(row)
        self._next += 1


_REGISTERS = ("i32", "i64", "f32", "f64", "ref")
_NUMBERS = ("i32", "i64", "f32", "f64")
_INTEGERS = ("i32", "i64")
_FLOATS = ("f32", "f64")


def _control(t: _Table) -> None:
    t.group(0x000)
    t.row("br", "target:label", "", "Jump.", terminator=True)
    t.row("cond_br", "condition:i32, then:label, else:label", "", "Jump by condition != 0.", terminator=True)
    t.row("call", "callee:function, arguments:registers", "results:registers", "Call a function of this module.")
    t.row("return", "values:registers", "", "Return to the caller.", terminator=True)
    t.row("yield", "", "", "Suspend the call; it goes on after this when it is resumed, on any thread.")
    t.row("fail", "message:string", "", "Fail the call with a message.", terminator=True)
    t.row("cond_fail", "condition:i32, message:string", "", "Fail the call with a message when condition != 0.")
    t.row(
        "cond_fail.values",
        "condition:i32, kind:imm_i32, message:string, values:i64_list",
        "",
        "Fail the call when condition != 0, with an execution error (kind 0) or one about its arguments (kind 1); {i}"
        " in the message stands for values[i].",
    )


def _moves(t: _Table) -> None:
    t.group(0x020)
    for x in _NUMBERS:
        t.row(f"const.{x}", f"value:imm_{x}", f"result:{x}", "result = value")
    t.row("const.ref.null", "", "result:ref", "result = null")
    for x in _REGISTERS:
        t.row(f"mov.{x}", f"source:{x}", f"result:{x}", "result = source")
    for x in _REGISTERS:
        t.row(f"select.{x}", f"condition:i32, then:{x}, else:{x}", f"result:{x}", "result = condition ? then : else")
    for x in _REGISTERS:
        t.row(f"global.load.{x}", "global:global", f"result:{x}", "result = global of the session")
    for x in _REGISTERS:
        t.row(f"global.store.{x}", f"global:global, value:{x}", "", "global of the session = value")


def _integers(t: _Table) -> None:
    t.group(0x060)
    names = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u min_s max_s min_u max_u"
    for name in names.split():
        for x in _INTEGERS:
            t.row(f"{name}.{x}", f"lhs:{x}, rhs:{x}", f"result:{x}", f"result = {name}(lhs, rhs)")
    for name in "eq ne lt_s le_s lt_u le_u".split():
        for x in _INTEGERS:
            t.row(f"cmp.{name}.{x}", f"lhs:{x}, rhs:{x}", "result:i32", f"result = lhs {name} rhs ? 1 : 0")


def _floats(t: _Table) -> None:
    t.group(0x0C0)
    for name in "add sub mul div min max rem pow".split():
        for x in _FLOATS:
            note = " (NaN when either is)" if name in ("min", "max") else ""
            t.row(f"{name}.{x}", f"lhs:{x}, rhs:{x}", f"result:{x}", f"result = {name}(lhs, rhs){note}")
    for name in "neg abs floor ceil sqrt".split():
        for x in _FLOATS:
            t.row(f"{name}.{x}", f"operand:{x}", f"result:{x}", f"result = {name}(operand)")
    for name in "eq ne lt le".split():
        for x in _FLOATS:
            t.row(f"cmp.{name}.{x}", f"lhs:{x}, rhs:{x}", "result:i32", f"result = lhs {name} rhs ? 1 : 0")


def _conversions(t: _Table) -> None:
    t.group(0x100)
    t.row("ext_s.i32.i64", "operand:i32", "result:i64", "Sign extension.")
    t.row("ext_u.i32.i64", "operand:i32", "result:i64", "Zero extension.")
    t.row("trunc.i64.i32", "operand:i64", "result:i32", "The low 32 bits.")
    t.row("ext.f32.f64", "operand:f32", "result:f64", "Exact.")
    t.row("trunc.f64.f32", "operand:f64", "result:f32", "Rounds to nearest even.")
    for sign, word in (("s", "signed"), ("u", "unsigned")):
        for i in _INTEGERS:
            for f in _FLOATS:
                t.row(f"convert_{sign}.{i}.{f}", f"operand:{i}", f"result:{f}", f"From a {word} integer.")
        for f in _FLOATS:
            for i in _INTEGERS:
                text = f"To a {word} integer: truncates, saturates, NaN gives 0."
                t.row(f"convert_{sign}.{f}.{i}", f"operand:{f}", f"result:{i}", text)
    for a, b in (("i32", "f32"), ("f32", "i32"), ("i64", "f64"), ("f64", "i64")):
        t.row(f"bitcast.{a}.{b}", f"operand:{a}", f"result:{b}", "The same bits.")


def _hal(t: _Table) -> None:
    t.group(0x200)
    t.row("hal.constant", "index:imm_i32", "buffer:ref", "Constant `index` of the manifest, read-only.")
    t.row("hal.buffer.allocate", "size:i64", "buffer:ref", "A new buffer, 64-byte aligned, contents undefined.")
    t.row("hal.buffer.length", "buffer:ref", "length:i64", "Its length in bytes.")
    for x, r in (("i8", "i32"), ("i16", "i32"), ("i32", "i32"), ("i64", "i64"), ("f32", "f32"), ("f64", "f64")):
        text = f"Read one {x} (sign-extended) at byte `offset`; the work that wrote it must have been awaited."
        t.row(f"hal.buffer.load.{x}", "buffer:ref, offset:i64", f"value:{r}", text)

    t.group(0x220)
    text = "A dense row-major tensor inside a buffer; checked to lie inside."
    t.row("hal.view.create", "buffer:ref, offset:i64, dtype:dtype, shape:i64_list", "view:ref", text)
    t.row(
        "hal.view.buffer",
        "view:ref",
        "buffer:ref",
        "The bytes of the view as a buffer: begins at its offset.",
    )
    t.row("hal.view.dim", "view:ref, axis:imm_i32", "size:i64", "shape[axis]")
    text = "Fail unless the view has this dtype and rank; the message names argument `argument`."
    t.row("hal.view.check", "view:ref, argument:imm_i32, dtype:dtype, rank:imm_i32", "", text)
    text = "Fail unless shape[axis] == expected; the message names argument `argument`."
    t.row("hal.view.check_dim", "view:ref, argument:imm_i32, axis:imm_i32, expected:i64", "", text)

    t.group(0x240)
    t.row("hal.command_buffer.create", "capacity:imm_i32", "commands:ref", "Begin recording; `capacity` binding slots.")
    t.row(
        "hal.command_buffer.finalize",
        "commands:ref",
        "",
        "End recording; now it may be executed, any number of times.",
    )
    t.row(
        "hal.command_buffer.dispatch",
        "commands:ref, executable:imm_i32, entry:imm_i32, x:i64, y:i64, z:i64, push:i64_list, bindings:bindings",
        "",
        "Run a grid of x * y * z workgroups of an entry.",
    )
    t.row(
        "hal.command_buffer.copy",
        "commands:ref, source_slot:imm_i32, source_offset:i64, target_slot:imm_i32, target_offset:i64, length:i64",
        "",
        "Copy bytes between slots; the ranges may not overlap.",
    )
    t.row(
        "hal.command_buffer.fill",
        "commands:ref, slot:imm_i32, offset:i64, length:i64, pattern:i64, pattern_bytes:imm_i32",
        "",
        "Repeat the low 1, 2, 4 or 8 bytes of `pattern`; length is a multiple of it.",
    )
    t.row("hal.command_buffer.barrier", "commands:ref", "", "All commands before it, then all commands after it.")

    t.group(0x260)
    t.row("hal.fence.create", "", "fence:ref", "A fence, not yet signalled.")
    t.row(
        "hal.queue.execute",
        "commands:ref, wait:ref, signal:ref, buffers:ref_list",
        "",
        "Execute after `wait` (null: at once), then signal `signal`; slot i is buffers[i].",
    )
    t.row("hal.fence.await", "fence:ref", "", "Suspend the call until it is signalled; a failure fails the call.")

    t.group(0x280)
    t.row(
        "hal.host_call",
        "function:imm_i32, arguments:ref_list, results:ref_list",
        "",
        "Run host function `function` of the manifest: it reads views `arguments`, which must have been awaited, and"
        " fills views `results`.",
    )


def _build() -> tuple[Instruction, ...]:
    table = _Table()
    for part in (_control, _moves, _integers, _floats, _conversions, _hal):
        part(table)
    return tuple(table.rows)


INSTRUCTIONS: tuple[Instruction, ...] = _build()
"""Every instruction, by rising opcode."""

BY_NAME: dict[str, Instruction] = {i.name: i for i in INSTRUCTIONS}
BY_OPCODE: dict[int, Instruction] = {i.opcode: i for i in INSTRUCTIONS}


def describe() -> Iterator[str]:
    """One line for each instruction, for the documentation."""
    for i in INSTRUCTIONS:
        results = ", ".join(f"{p.name}: {p.kind.name.lower()}" for p in i.results)
        operands = ", ".join(f"{p.name}: {p.kind.name.lower()}" for p in i.operands)
        yield f"{i.opcode:#06x} {i.name}({operands}) -> ({results})  {i.description}"
