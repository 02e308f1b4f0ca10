"""`host.vm`: a VM module as bytes, and back. See `vm_isa` for the encoding of one instruction.

    header      64 bytes: "TSLV", u32 format version, u32 ISA version, u32 string count, u32 global count,
                u32 function count, u32 initializer (function index, 0xFFFFFFFF: none), u32 bytes of string data,
                u32 bytes of type data, u32 words of code, rest zero
    strings     count × {u32 offset, u32 length} into the string data
    globals     count × {u32 name, u32 type, u64 initial value's bits}
    functions   count × {u32 name, u32 flags (bit 0: exported), u32 argument count, u32 result count,
                u32 register count, u32 first type (in the type data: registers, then results), u32 first code word,
                u32 code words}
    string data, type data (one byte each), both padded with zeros to 4 bytes
    code        u32 words

Little-endian; the sections follow one another without gaps and fill the file. `decode` checks what it needs to make
plain data; the runtime's own verifier checks everything before anything runs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from tesselle.artifact import vm_isa
from tesselle.artifact.vm_isa import OperandKind, RegisterType
from tesselle.artifact.vm_module import Binding, Operand, Result, VmFunction, VmGlobal, VmInstruction, VmLabel, VmModule
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DType

MAGIC = b"TSLV"
FORMAT_VERSION = 1
NO_INITIALIZER = 0xFFFFFFFF
_HEADER = struct.Struct("<4s9I24x")
_STRING = struct.Struct("<2I")
_GLOBAL = struct.Struct("<2IQ")
_FUNCTION = struct.Struct("<8I")
_IMMEDIATES = {
    OperandKind.IMM_I32: "<i",
    OperandKind.IMM_I64: "<q",
    OperandKind.IMM_F32: "<f",
    OperandKind.IMM_F64: "<d",
}
_INITIALS = {RegisterType.I32: "<i4x", RegisterType.I64: "<q", RegisterType.F32: "<f4x", RegisterType.F64: "<d"}


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _index(names: Sequence[str], what: str) -> dict[str, int]:
    table = {name: i for i, name in enumerate(names)}
    if len(table) != len(names):
        twice = sorted({n for n in names if list(names).count(n) > 1})
        raise ArtifactError(f"host.vm: {what} named twice: {', '.join(twice)}")
    return table


class _FunctionEncoder:
    """Encodes the code of one function."""

    def __init__(
        self, function: VmFunction, strings: dict[str, int], functions: dict[str, int], variables: dict[str, int]
    ) -> None:
        self.function = function
        self.tables = {
            OperandKind.STRING: strings,
            OperandKind.FUNCTION: functions,
            OperandKind.GLOBAL: variables,
        }

    def words(self) -> list[int]:
        labels: dict[str, int] = {}
        position = 0
        for item in self.function.code:
            if isinstance(item, VmLabel):
                if item.name in labels:
                    raise self._error(f"label {item.name!r} placed twice")
                labels[item.name] = position
            else:
                position += self._length(item)
        words: list[int] = []
        for item in self.function.code:
            if isinstance(item, VmInstruction):
                words += self._instruction(item, labels)
        return words

    def _error(self, text: str) -> ArtifactError:
        return ArtifactError(f"host.vm: function {self.function.name!r}: {text}")

    def _length(self, item: VmInstruction) -> int:
        row = vm_isa.BY_NAME.get(item.name)
        if row is None:
            raise self._error(f"no instruction named {item.name!r}")
        if len(item.operands) != len(row.operands) or len(item.results) != len(row.results):
            expected = f"{len(row.operands)} operands and {len(row.results)} results"
            raise self._error(f"{item.name} takes {expected}, got {len(item.operands)} and {len(item.results)}")
        length = 1
        for parameter, value in (*zip(row.results, item.results), *zip(row.operands, item.operands)):  # noqa: B905 (checked above)
            kind = parameter.kind
            if kind in (OperandKind.IMM_I64, OperandKind.IMM_F64):
                length += 2
            elif kind is OperandKind.BINDINGS:
                length += 1 + 4 * len(value) if isinstance(value, tuple) else 1
            elif kind.is_register_list:
                length += 1 + len(value) if isinstance(value, tuple) else 1
            else:
                length += 1
        if length > 0xFFFF:
            raise self._error(f"{item.name} is longer than 65535 words")
        return length

    def _instruction(self, item: VmInstruction, labels: dict[str, int]) -> list[int]:
        row = item.row
        words = [row.opcode | self._length(item) << 16]
        for parameter, value in zip(row.results, item.results, strict=True):
            words += self._operand(item, parameter.name, parameter.kind, value, labels)
        for parameter, value in zip(row.operands, item.operands, strict=True):
            words += self._operand(item, parameter.name, parameter.kind, value, labels)
        return words

    def _operand(
        self, item: VmInstruction, name: str, kind: OperandKind, value: Operand | Result, labels: dict[str, int]
    ) -> list[int]:
        place = f"{item.name}: {name}"
        match kind:
            case OperandKind.LABEL:
                if not isinstance(value, str) or value not in labels:
                    raise self._error(f"{place}: no label {value!r}")
                return [labels[value]]
            case OperandKind.STRING | OperandKind.FUNCTION | OperandKind.GLOBAL:
                table = self.tables[kind]
                if not isinstance(value, str) or value not in table:
                    raise self._error(f"{place}: no {kind.name.lower()} {value!r}")
                return [table[value]]
            case OperandKind.DTYPE:
                if not isinstance(value, DType) or value not in vm_isa.DTYPE_CODES:
                    raise self._error(f"{place}: {value!r} is not an element type of the VM")
                return [vm_isa.DTYPE_CODES[value]]
            case OperandKind.IMM_I32 | OperandKind.IMM_I64 | OperandKind.IMM_F32 | OperandKind.IMM_F64:
                try:
                    data = struct.pack(_IMMEDIATES[kind], value)
                except (struct.error, OverflowError) as error:
                    raise self._error(f"{place}: {value!r} does not fit ({error})") from None
                return list(struct.unpack(f"<{len(data) // 4}I", data))
            case OperandKind.BINDINGS:
                if not isinstance(value, tuple):
                    raise self._error(f"{place}: expected a tuple of Binding, got {value!r}")
                words = [len(value)]
                for b in value:
                    if not isinstance(b, Binding):
                        raise self._error(f"{place}: expected a Binding, got {b!r}")
                    offset = self._register(place, b.offset, RegisterType.I64)
                    length = self._register(place, b.length, RegisterType.I64)
                    words += [b.slot, offset, length, b.access]
                return words
            case OperandKind.REGISTERS | OperandKind.I64_LIST | OperandKind.REF_LIST:
                if not isinstance(value, tuple):
                    raise self._error(f"{place}: expected a tuple of registers, got {value!r}")
                wanted = {OperandKind.I64_LIST: RegisterType.I64, OperandKind.REF_LIST: RegisterType.REF}.get(kind)
                return [len(value), *(self._register(place, r, wanted) for r in value)]
            case _:
                return [self._register(place, value, RegisterType(kind.value))]

    def _register(self, place: str, value: object, wanted: RegisterType | None) -> int:
        types = self.function.register_types
        if not isinstance(value, int) or not 0 <= value < len(types):
            raise self._error(f"{place}: {value!r} is not one of the {len(types)} registers")
        if wanted is not None and types[value] is not wanted:
            raise self._error(
                f"{place}: expected a register of type {wanted.spelling}, r{value} is {types[value].spelling}"
            )
        return value


def encode(module: VmModule) -> bytes:
    """The bytes of `host.vm`. ArtifactError names the function and what is wrong with the plain data."""
    strings = _index(module.strings, "string")
    functions = _index([f.name for f in module.functions], "function")
    variables = _index([g.name for g in module.globals], "global")
    if module.initializer is not None and module.initializer not in functions:
        raise ArtifactError(f"host.vm: no function {module.initializer!r} for the initializer")
    initializer = NO_INITIALIZER if module.initializer is None else functions[module.initializer]

    string_data = b"".join(s.encode() for s in strings)
    string_table = b""
    offset = 0
    for text in strings:
        size = len(text.encode())
        string_table += _STRING.pack(offset, size)
        offset += size

    global_table = b""
    for g in module.globals:
        initial = b"\0" * 8 if g.type is RegisterType.REF else struct.pack(_INITIALS[g.type], g.initial)
        global_table += _GLOBAL.pack(strings[g.name], int(g.type), int.from_bytes(initial, "little"))

    types = b""
    code: list[int] = []
    function_table = b""
    for f in module.functions:
        words = _FunctionEncoder(f, strings, functions, variables).words()
        function_table += _FUNCTION.pack(
            strings[f.name],
            int(f.exported),
            f.arg_count,
            len(f.result_types),
            len(f.register_types),
            len(types),
            len(code),
            len(words),
        )
        types += bytes(f.register_types) + bytes(f.result_types)
        code += words

    header = _HEADER.pack(
        MAGIC,
        FORMAT_VERSION,
        vm_isa.ISA_VERSION,
        len(strings),
        len(module.globals),
        len(module.functions),
        initializer,
        len(string_data),
        len(types),
        len(code),
    )
    tables = string_table + global_table + function_table
    return header + tables + _padded(string_data) + _padded(types) + np.array(code, "<u4").tobytes()


class _Reader:
    """Cuts a module's bytes into sections; every access is checked."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, size: int, what: str) -> bytes:
        if size < 0 or self.position + size > len(self.data):
            raise ArtifactError(f"host.vm: {what} reaches past the end of the file ({len(self.data)} bytes)")
        self.position += size
        return self.data[self.position - size : self.position]


def decode(data: bytes) -> VmModule:
    """Read `host.vm`. ArtifactError, in one line, for anything malformed."""
    reader = _Reader(bytes(data))
    fields: tuple[Any, ...] = _HEADER.unpack(reader.take(_HEADER.size, "the header"))
    magic, version, isa, n_strings, n_globals, n_functions, initializer, string_bytes, type_bytes, n_words = fields
    if magic != MAGIC:
        raise ArtifactError(f"host.vm: begins with {magic!r}, not {MAGIC!r}")
    if version != FORMAT_VERSION or isa > vm_isa.ISA_VERSION:
        raise ArtifactError(
            f"host.vm: format {version}, instruction set {isa}; this Tesselle reads format {FORMAT_VERSION}, "
            f"instruction set up to {vm_isa.ISA_VERSION}"
        )
    string_table = list(_STRING.iter_unpack(reader.take(_STRING.size * n_strings, "the string table")))
    global_table = list(_GLOBAL.iter_unpack(reader.take(_GLOBAL.size * n_globals, "the global table")))
    function_table = list(_FUNCTION.iter_unpack(reader.take(_FUNCTION.size * n_functions, "the function table")))
    string_data = reader.take(string_bytes + -string_bytes % 4, "the string data")
    types = reader.take(type_bytes + -type_bytes % 4, "the type data")[:type_bytes]
    code: list[int] = np.frombuffer(reader.take(4 * n_words, "the code"), "<u4").tolist()
    if reader.position != len(data):
        raise ArtifactError(f"host.vm: {len(data) - reader.position} bytes after the code")

    try:
        strings = [string_data[:string_bytes][o : o + n].decode() for o, n in string_table]
    except UnicodeDecodeError as error:
        raise ArtifactError(f"host.vm: string data: {error}") from None

    def string(i: int) -> str:
        if i >= len(strings):
            raise ArtifactError(f"host.vm: string {i} of {len(strings)}")
        return strings[i]

    def type_list(first: int, count: int) -> tuple[RegisterType, ...]:
        part = types[first : first + count]
        if len(part) != count or any(t > RegisterType.REF for t in part):
            raise ArtifactError("host.vm: malformed type data")
        return tuple(RegisterType(t) for t in part)

    variables: list[VmGlobal] = []
    for name, kind, bits in global_table:
        if kind > RegisterType.REF:
            raise ArtifactError(f"host.vm: global {string(name)!r} has type {kind}")
        type_ = RegisterType(kind)
        initial: int | float = (
            0 if type_ is RegisterType.REF else struct.unpack(_INITIALS[type_], bits.to_bytes(8, "little"))[0]
        )
        variables.append(VmGlobal(string(name), type_, initial))

    names = [string(row[0]) for row in function_table]
    functions: list[VmFunction] = []
    for name, (_, flags, n_arguments, n_results, n_registers, first_type, first_word, words) in zip(
        names, function_table, strict=True
    ):
        if n_arguments > n_registers or first_word + words > n_words:
            raise ArtifactError(f"host.vm: function {name!r}: malformed table entry")
        body = code[first_word : first_word + words]
        decoder = _FunctionDecoder(name, body, strings, names, [g.name for g in variables])
        functions.append(
            VmFunction(
                name,
                n_arguments,
                type_list(first_type, n_registers),
                type_list(first_type + n_registers, n_results),
                decoder.instructions(),
                bool(flags & 1),
            )
        )
    if initializer != NO_INITIALIZER and initializer >= len(names):
        raise ArtifactError(f"host.vm: initializer is function {initializer} of {len(names)}")
    return VmModule(
        tuple(functions), tuple(variables), None if initializer == NO_INITIALIZER else names[int(initializer)]
    )


class _FunctionDecoder:
    """Decodes the code of one function; labels get the names bb0, bb1, … in order of place."""

    def __init__(
        self, name: str, words: list[int], strings: list[str], functions: list[str], variables: list[str]
    ) -> None:
        self.name = name
        self.words = words
        self.tables = {
            OperandKind.STRING: strings,
            OperandKind.FUNCTION: functions,
            OperandKind.GLOBAL: variables,
        }
        self.position = 0
        self.end = 0

    def instructions(self) -> tuple[VmInstruction | VmLabel, ...]:
        placed: list[tuple[int, VmInstruction]] = []
        while self.position < len(self.words):
            start = self.position
            placed.append((start, self._instruction()))
        targets = sorted(
            {
                int(str(operand))
                for _, item in placed
                for parameter, operand in zip(item.row.operands, item.operands, strict=True)
                if parameter.kind is OperandKind.LABEL
            }
        )
        starts = {start for start, _ in placed}
        if not set(targets) <= starts:
            raise self._error("a label is not the place of an instruction")
        labels = {target: f"bb{i}" for i, target in enumerate(targets)}
        code: list[VmInstruction | VmLabel] = []
        for start, item in placed:
            if start in labels:
                code.append(VmLabel(labels[start]))
            if any(p.kind is OperandKind.LABEL for p in item.row.operands):
                named = tuple(
                    labels[int(str(o))] if p.kind is OperandKind.LABEL else o
                    for p, o in zip(item.row.operands, item.operands, strict=True)
                )
                item = VmInstruction(item.name, named, item.results)
            code.append(item)
        return tuple(code)

    def _error(self, text: str) -> ArtifactError:
        return ArtifactError(f"host.vm: function {self.name!r}, word {self.position}: {text}")

    def _word(self) -> int:
        if self.position >= self.end:
            raise self._error("instruction is cut off")
        self.position += 1
        return self.words[self.position - 1]

    def _instruction(self) -> VmInstruction:
        head = self.words[self.position]
        row = vm_isa.BY_OPCODE.get(head & 0xFFFF)
        if row is None:
            raise self._error(f"unknown opcode {head & 0xFFFF:#x}")
        length = head >> 16
        if length == 0 or self.position + length > len(self.words):
            raise self._error(f"{row.name}: malformed length {length}")
        self.end = self.position + length
        self.position += 1
        results = tuple(self._operand(p.kind) for p in row.results)
        operands = tuple(self._operand(p.kind) for p in row.operands)
        if self.position != self.end:
            raise self._error(f"{row.name}: {self.end - self.position} words too many")
        # A result is a register or a list of registers by the table's construction.
        return VmInstruction(row.name, operands, tuple(r if isinstance(r, tuple) else int(str(r)) for r in results))  # pyright: ignore[reportArgumentType]

    def _operand(self, kind: OperandKind) -> Operand:
        match kind:
            case OperandKind.STRING | OperandKind.FUNCTION | OperandKind.GLOBAL:
                index = self._word()
                table = self.tables[kind]
                if index >= len(table):
                    raise self._error(f"{kind.name.lower()} {index} of {len(table)}")
                return table[index]
            case OperandKind.LABEL:
                return str(self._word())
            case OperandKind.DTYPE:
                code = self._word()
                if code not in vm_isa.DTYPES_BY_CODE:
                    raise self._error(f"unknown element type {code}")
                return vm_isa.DTYPES_BY_CODE[code]
            case OperandKind.IMM_I32 | OperandKind.IMM_F32:
                return struct.unpack(_IMMEDIATES[kind], struct.pack("<I", self._word()))[0]
            case OperandKind.IMM_I64 | OperandKind.IMM_F64:
                return struct.unpack(_IMMEDIATES[kind], struct.pack("<2I", self._word(), self._word()))[0]
            case OperandKind.BINDINGS:
                count = self._count(4)
                return tuple(Binding(self._word(), self._word(), self._word(), self._word()) for _ in range(count))
            case OperandKind.REGISTERS | OperandKind.I64_LIST | OperandKind.REF_LIST:
                count = self._count(1)
                return tuple(self._word() for _ in range(count))
            case _:
                return self._word()

    def _count(self, size: int) -> int:
        count = self._word()
        if count * size > self.end - self.position:
            raise self._error(f"a list of {count} elements does not fit its instruction")
        return count
