"""Object files -> flat image: one position-independent blob that a loader maps and calls, without a linker of its own.

LLVM's objects for `reloc=pic`, `codemodel=small` hold code and read-only data whose references are all relative to the
place that refers. The linker keeps the sections that the entries reach, lays them out one after the other (code first),
and applies the relocations; whatever would need fixing at load time (absolute addresses, a global offset table, symbols
from outside, writable data) is an error.

Sources: System V gABI (ELF-64), x86-64 psABI, AAELF64 (relocations of aarch64).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tesselle.support.diagnostics import CompilerError

MAGIC = b"TSLX"
VERSION = 1
HEADER = struct.Struct("<4sHHIIQQQI20x")
"""magic, version, machine, entry_count, reserved, image_size, code_offset, code_size, crc32."""
ENTRY = struct.Struct("<QQII")
"""offset_in_code, local_memory_bytes, binding_count, push_count."""
CODE_ALIGNMENT = 64

EM_X86_64 = 62
EM_AARCH64 = 183

_SHT_PROGBITS, _SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS = 1, 2, 4, 8
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 0x1, 0x2, 0x4
_SHN_UNDEF, _SHN_ABS = 0, 0xFFF1
_STB_LOCAL, _STB_WEAK = 0, 2
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")


@dataclass(frozen=True)
class Entry:
    """One kernel of an image: the function's symbol, and what the loader must know to call it."""

    symbol: str
    local_memory_bytes: int
    binding_count: int
    push_count: int


@dataclass(frozen=True)
class _Relocation:
    offset: int
    kind: int
    symbol: int
    addend: int


@dataclass
class _Section:
    name: str
    kind: int
    flags: int
    alignment: int
    data: bytes
    relocations: list[_Relocation]
    address: int = -1

    @property
    def is_kept(self) -> bool:
        """Whether the section can be part of an image: unwind tables and notes are not."""
        return bool(self.flags & _SHF_ALLOC) and not self.name.startswith((".eh_frame", ".note"))


@dataclass(frozen=True)
class _Symbol:
    name: str
    section: int
    value: int
    binding: int


@dataclass(frozen=True)
class _Object:
    machine: int
    sections: list[_Section]
    symbols: list[_Symbol]


def link_flat_image(objects: bytes | Sequence[bytes], entries: Sequence[Entry]) -> bytes:
    """The flat image of `entries`, whose functions are defined in `objects` (ELF relocatables of one machine).

    Layout: header (64 bytes), entry table in the order of `entries`, padding to 64, code. Functions defined weakly in
    several objects (memcpy and its like) are taken once. Errors: CompilerError for a symbol that no object defines or
    two define, a relocation that is not relative, writable data.
    """
    parsed = [_parse(o) for o in ([objects] if isinstance(objects, bytes) else objects)]
    if not parsed:
        raise CompilerError("there is no object to link", rule="codegen.link")
    machine = parsed[0].machine
    if any(o.machine != machine for o in parsed):
        raise CompilerError("the objects to link are for different machines", rule="codegen.link")
    if machine not in _APPLY:
        raise CompilerError(f"cannot link for ELF machine {machine}", rule="codegen.link")
    definitions = _definitions(parsed)
    code = _lay_out(parsed, definitions, [e.symbol for e in entries])
    for o in parsed:
        for section in o.sections:
            if section.address >= 0:
                for relocation in section.relocations:
                    _relocate(machine, code, o, section, relocation, definitions)
    table = b"".join(
        ENTRY.pack(_address(definitions, e.symbol), e.local_memory_bytes, e.binding_count, e.push_count)
        for e in entries
    )
    code_offset = _align(HEADER.size + len(table), CODE_ALIGNMENT)
    image_size = code_offset + len(code)
    header = HEADER.pack(MAGIC, VERSION, machine, len(entries), 0, image_size, code_offset, len(code), zlib.crc32(code))
    return (header + table).ljust(code_offset, b"\0") + bytes(code)


def _align(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _parse(data: bytes) -> _Object:
    """Sections, symbols and relocations of an ELF-64 little-endian relocatable object."""
    try:
        return _parse_unchecked(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise CompilerError(f"not a well-formed ELF object: {error}", rule="codegen.link") from error


def _parse_unchecked(data: bytes) -> _Object:
    ident, kind, machine, _, _, _, table, _, _, _, _, size, count, names = _ELF_HEADER.unpack_from(data)
    if ident[:6] != b"\x7fELF\x02\x01" or kind != 1:
        raise CompilerError("not an ELF-64 little-endian relocatable object", rule="codegen.link")
    headers = [_SECTION_HEADER.unpack_from(data, table + i * size) for i in range(count)]

    def string(section: int, offset: int) -> str:
        start = headers[section][4] + offset
        return data[start : data.index(b"\0", start)].decode()

    sections: list[_Section] = []
    symbols: list[_Symbol] = []
    for name, kind, flags, _, offset, length, _, _, alignment, _ in headers:
        body = bytes(length) if kind == _SHT_NOBITS else data[offset : offset + length]
        sections.append(_Section(string(names, name), kind, flags, max(1, alignment), body, []))
    for _, kind, _, _, offset, length, link, info, _, _ in headers:
        if kind == _SHT_SYMTAB:
            for start in range(offset, offset + length, _SYMBOL.size):
                name, properties, _, section, value, _ = _SYMBOL.unpack_from(data, start)
                symbols.append(_Symbol(string(link, name), section, value, properties >> 4))
        elif kind == _SHT_RELA:
            target = sections[int(info)].relocations
            for start in range(offset, offset + length, _RELA.size):
                place, packed, addend = _RELA.unpack_from(data, start)
                target.append(_Relocation(place, packed & 0xFFFFFFFF, packed >> 32, addend))
    return _Object(machine, sections, symbols)


_Definitions = dict[str, tuple[_Section, int, int]]
"""Symbol -> (section, offset, binding)."""


def _definitions(objects: Sequence[_Object]) -> _Definitions:
    found: _Definitions = {}
    for o in objects:
        for symbol in o.symbols:
            if symbol.binding == _STB_LOCAL or symbol.section == _SHN_UNDEF or symbol.section >= len(o.sections):
                continue
            earlier = found.get(symbol.name)
            if earlier is None or (earlier[2] == _STB_WEAK and symbol.binding != _STB_WEAK):
                found[symbol.name] = (o.sections[symbol.section], symbol.value, symbol.binding)
            elif symbol.binding != _STB_WEAK:
                raise CompilerError(f"the symbol {symbol.name!r} is defined twice", rule="codegen.link")
    return found


def _find(definitions: _Definitions, symbol: str, place: str) -> tuple[_Section, int]:
    found = definitions.get(symbol)
    if found is None:
        raise CompilerError(
            f"{place} refers to the symbol {symbol!r}, which is not defined: a kernel calls no library",
            rule="codegen.link",
        )
    return found[0], found[1]


def _address(definitions: _Definitions, symbol: str) -> int:
    section, value = _find(definitions, symbol, "the entry table")
    return section.address + value


def _target(o: _Object, relocation: _Relocation, definitions: _Definitions, place: str) -> tuple[_Section, int]:
    """Section and offset that a relocation's symbol stands for. Global names win over the object's own weak copy."""
    symbol = o.symbols[relocation.symbol]
    if symbol.binding != _STB_LOCAL or symbol.section == _SHN_UNDEF:
        return _find(definitions, symbol.name, place)
    if symbol.section == _SHN_ABS:
        raise CompilerError(f"{place} refers to the absolute symbol {symbol.name!r}", rule="codegen.link")
    return o.sections[symbol.section], symbol.value


def _lay_out(objects: Sequence[_Object], definitions: _Definitions, roots: Sequence[str]) -> bytearray:
    """Give an address to every section that the roots reach, and return the concatenated bytes, not yet relocated."""
    owner = {id(s): o for o in objects for s in o.sections}
    reached: dict[int, _Section] = {}
    work = [_find(definitions, name, "the entry table")[0] for name in reversed(roots)]
    while work:
        section = work.pop()
        if id(section) in reached:
            continue
        if not section.is_kept or section.flags & _SHF_WRITE:
            what = "writable data" if section.flags & _SHF_WRITE else "something outside the image"
            raise CompilerError(f"the kernels refer to {what}: section {section.name!r}", rule="codegen.link")
        reached[id(section)] = section
        o = owner[id(section)]
        targets = [_target(o, r, definitions, f"section {section.name!r}")[0] for r in section.relocations if r.kind]
        work.extend(reversed(targets))
    code = bytearray()
    for section in sorted(reached.values(), key=lambda s: not s.flags & _SHF_EXECINSTR):
        # int3 (x86) between functions; on other machines the padding is never reached either.
        code.extend(b"\xcc" * (_align(len(code), max(16, section.alignment)) - len(code)))
        section.address = len(code)
        code.extend(section.data)
    return code


_Apply = Callable[[bytearray, int, int], bool]
"""(code, place, symbol + addend) -> whether the value fits its field."""


def _relocate(
    machine: int, code: bytearray, o: _Object, section: _Section, relocation: _Relocation, definitions: _Definitions
) -> None:
    if relocation.kind == 0:
        return
    place = f"section {section.name!r} at {relocation.offset:#x}"
    apply = _APPLY[machine].get(relocation.kind)
    if apply is None:
        name = o.symbols[relocation.symbol].name
        raise CompilerError(
            f"{place}: relocation type {relocation.kind} (symbol {name!r}) cannot be resolved at compile time",
            rule="codegen.link",
        )
    target, value = _target(o, relocation, definitions, place)
    if not apply(code, section.address + relocation.offset, target.address + value + relocation.addend):
        raise CompilerError(f"{place}: relocation type {relocation.kind} is out of range", rule="codegen.link")


def _pc32(code: bytearray, place: int, value: int) -> bool:
    if not -(1 << 31) <= value - place < 1 << 31:
        return False
    struct.pack_into("<i", code, place, value - place)
    return True


def _pc64(code: bytearray, place: int, value: int) -> bool:
    struct.pack_into("<q", code, place, value - place)
    return True


def _insert(code: bytearray, place: int, value: int, width: int, shift: int) -> None:
    """Put the low `width` bits of `value` into the 32-bit instruction at `place`, at bit `shift`."""
    mask = ((1 << width) - 1) << shift
    (word,) = struct.unpack_from("<I", code, place)
    struct.pack_into("<I", code, place, (word & ~mask) | ((value << shift) & mask))


def _branch(width: int, shift: int) -> _Apply:
    """A branch of `width` bits, in instructions, relative to its own place."""

    def apply(code: bytearray, place: int, value: int) -> bool:
        distance = value - place
        if distance % 4 or not -(1 << (width + 1)) <= distance < 1 << (width + 1):
            return False
        _insert(code, place, distance >> 2, width, shift)
        return True

    return apply


def _adr(code: bytearray, place: int, value: int) -> bool:
    return _put_adr(code, place, value - place)


def _adrp(code: bytearray, place: int, value: int) -> bool:
    # Holds at run time because the loader maps the code at the start of a page.
    return _put_adr(code, place, (value >> 12) - (place >> 12))


def _put_adr(code: bytearray, place: int, value: int) -> bool:
    if not -(1 << 20) <= value < 1 << 20:
        return False
    _insert(code, place, value & 3, 2, 29)
    _insert(code, place, value >> 2, 19, 5)
    return True


def _low12(scale: int) -> _Apply:
    """The low 12 bits of the address, in units of the access size 1 << scale."""

    def apply(code: bytearray, place: int, value: int) -> bool:
        low = value & 0xFFF
        if low & ((1 << scale) - 1):
            return False
        _insert(code, place, low >> scale, 12, 10)
        return True

    return apply


_APPLY: dict[int, dict[int, _Apply]] = {
    EM_X86_64: {
        2: _pc32,  # R_X86_64_PC32
        4: _pc32,  # R_X86_64_PLT32: the callee is in the image, so no table is needed
        24: _pc64,  # R_X86_64_PC64
    },
    EM_AARCH64: {
        260: _pc64,  # R_AARCH64_PREL64
        261: _pc32,  # R_AARCH64_PREL32
        274: _adr,  # R_AARCH64_ADR_PREL_LO21
        275: _adrp,  # R_AARCH64_ADR_PREL_PG_HI21
        277: _low12(0),  # R_AARCH64_ADD_ABS_LO12_NC
        278: _low12(0),  # R_AARCH64_LDST8_ABS_LO12_NC
        279: _branch(14, 5),  # R_AARCH64_TSTBR14
        280: _branch(19, 5),  # R_AARCH64_CONDBR19
        282: _branch(26, 0),  # R_AARCH64_JUMP26
        283: _branch(26, 0),  # R_AARCH64_CALL26
        284: _low12(1),  # R_AARCH64_LDST16_ABS_LO12_NC
        285: _low12(2),  # R_AARCH64_LDST32_ABS_LO12_NC
        286: _low12(3),  # R_AARCH64_LDST64_ABS_LO12_NC
        299: _low12(4),  # R_AARCH64_LDST128_ABS_LO12_NC
    },
}
