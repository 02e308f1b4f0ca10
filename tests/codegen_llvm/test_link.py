"""The flat-image linker: what it lays out, what it fixes up, what it refuses. pyelftools is the independent reader."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from tesselle.codegen.llvm.link import CODE_ALIGNMENT, ENTRY, HEADER, Entry, link_flat_image
from tesselle.codegen.llvm.runtime_functions import runtime_ir
from tesselle.codegen.llvm.target import cpu_target
from tesselle.codegen.llvm.workers import CompileJob, compile_objects
from tesselle.support.diagnostics import CompilerError

SIGNATURE = "ptr %bindings, ptr %push, i64 %wx, i64 %wy, i64 %wz, ptr %local"
STORE = """  %p = load ptr, ptr %bindings
  store i64 %r, ptr %p
  ret void
"""

SWITCH = f"""
define i64 @choose(i64 %x) noinline {{
  switch i64 %x, label %d [ i64 0, label %a i64 1, label %b i64 2, label %c i64 3, label %e i64 4, label %f ]
a: ret i64 17
b:
  %t0 = call i64 asm "", "=r,0"(i64 1)
  ret i64 %t0
c:
  %t1 = mul i64 %x, 1000003
  ret i64 %t1
e:
  %t2 = call i64 @other(i64 %x)
  ret i64 %t2
f:
  %t3 = xor i64 %x, -559038737
  ret i64 %t3
d: ret i64 -1
}}
define i64 @other(i64 %x) noinline {{
  %p = getelementptr [8 x i64], ptr @table, i64 0, i64 %x
  %v = load i64, ptr %p
  ret i64 %v
}}
@table = internal constant [8 x i64] [i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12]
define void @kernel({SIGNATURE}) {{
  %r = call i64 @choose(i64 %wx)
{STORE}}}
define void @second({SIGNATURE}) {{
  %r = call i64 @other(i64 %wy)
{STORE}}}
"""


def compiled(ir: str, target: str = "host", opt_level: int = 2) -> bytes:
    return compile_objects([CompileJob(ir, cpu_target(target), opt_level=opt_level)])[0]


def entry(symbol: str = "kernel", bindings: int = 1) -> Entry:
    return Entry(symbol, 0, bindings, 0)


def test_calls_tables_and_switches_work_after_linking(toolchain: Any) -> None:
    image = toolchain.load_ir(SWITCH, [entry(), entry("second")])
    out = np.zeros((), np.int64)
    for x, want in ((0, 17), (1, 1), (2, 2000006), (3, 8), (4, 4 ^ -559038737), (9, -1)):
        image.run([out], workgroup=(x, 0, 0))
        assert out == want
    image.run([out], workgroup=(0, 6, 0), entry=1)
    assert out == 11


def test_header_and_entry_table() -> None:
    entries = [Entry("kernel", 4096, 1, 3), Entry("second", 0, 2, 0)]
    image = link_flat_image(compiled(SWITCH), entries)
    magic, version, machine, count, _, size, offset, code_size, _ = HEADER.unpack_from(image)
    assert (magic, version, machine, count) == (b"TSLX", 1, 62, 2)
    assert offset == CODE_ALIGNMENT * 2 and size == len(image) == offset + code_size
    rows = [ENTRY.unpack_from(image, HEADER.size + i * ENTRY.size) for i in range(2)]
    assert [r[1:] for r in rows] == [(4096, 1, 3), (0, 2, 0)]
    assert all(0 <= r[0] < code_size for r in rows) and rows[0][0] != rows[1][0]


def test_every_relocation_points_where_an_independent_reader_says() -> None:
    """Each 32-bit field of the text that ELF marks for relocation holds target + addend - place in the image."""
    data = compiled(SWITCH)
    image = link_flat_image(data, [entry(), entry("second")])
    code = image[HEADER.unpack_from(image)[6] :]
    elf = ELFFile(io.BytesIO(data))
    symbols = elf.get_section_by_name(".symtab")
    start = 0  # code comes first, and there is one section of it

    def place_of(section_index: int) -> int:
        section = elf.get_section(section_index)
        if section.name == ".text":
            return start
        # What is relocated itself cannot be found by its contents.
        relocated = elf.get_section_by_name(f".rela{section.name}") is not None
        return -1 if relocated else code.index(section.data())

    checked = 0
    for relocation in elf.get_section_by_name(".rela.text").iter_relocations():
        symbol = symbols.get_symbol(relocation["r_info_sym"])
        target = place_of(symbol["st_shndx"])
        if target < 0:
            continue
        (field,) = struct.unpack_from("<i", code, start + relocation["r_offset"])
        assert field == target + symbol["st_value"] + relocation["r_addend"] - (start + relocation["r_offset"])
        checked += 1
    assert checked >= 2


def test_unreached_sections_are_dropped() -> None:
    kernel, memory = compiled(SWITCH), compiled(runtime_ir(cpu_target("host")))
    assert len(link_flat_image([kernel, memory], [entry()])) == len(link_flat_image(kernel, [entry()]))


def test_memset_and_memcpy_come_from_the_runtime_functions(toolchain: Any) -> None:
    ir = f"""
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
define void @kernel({SIGNATURE}) {{
  %p = load ptr, ptr %bindings
  %q = getelementptr i8, ptr %p, i64 100
  %r = getelementptr i8, ptr %p, i64 3
  call void @llvm.memset.p0.i64(ptr %p, i8 7, i64 %wx, i1 false)
  call void @llvm.memcpy.p0.p0.i64(ptr %q, ptr %p, i64 %wy, i1 false)
  call void @llvm.memmove.p0.p0.i64(ptr %r, ptr %p, i64 %wz, i1 false)
  ret void
}}
"""
    image = toolchain.load_ir(ir, [entry()])
    memory = np.arange(300, dtype=np.uint8)
    want = memory.copy()
    want[:50] = 7
    want[100:160] = want[:60].copy()
    want[3:93] = want[:90].copy()
    image.run([memory], workgroup=(50, 60, 90))
    np.testing.assert_array_equal(memory, want)


def kernel_ir(body: str) -> str:
    return f"define void @kernel({SIGNATURE}) {{\n{body}\n{STORE}}}\n"


REFUSED = {
    "'strlen'": "declare i64 @strlen(ptr)\n" + kernel_ir("%r = call i64 @strlen(ptr %local)"),
    "writable data": "@g = internal global i64 1\n"
    + kernel_ir("%v = load i64, ptr @g\n %r = add i64 %v, %wx\n store i64 %r, ptr @g"),
    "'kernel'": f"define void @other({SIGNATURE}) {{\n ret void\n}}",
    "writable data|relocation type 1": "@t = internal constant [2 x ptr] [ptr @f, ptr @g]\n"
    "define internal i64 @f() {\n ret i64 1\n}\ndefine internal i64 @g() {\n ret i64 2\n}\n"
    + kernel_ir("%a = getelementptr [2 x ptr], ptr @t, i64 0, i64 %wx\n %h = load ptr, ptr %a\n %r = call i64 %h()"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_flat_image_cannot_hold_is_refused(message: str) -> None:
    with pytest.raises(CompilerError, match=message):
        link_flat_image(compiled(REFUSED[message]), [entry()])


def test_not_an_object() -> None:
    for data in (b"", b"\x7fELF" + bytes(200), compiled(SWITCH)[:-900]):
        with pytest.raises(CompilerError):
            link_flat_image(data, [entry()])


def test_two_definitions_are_refused() -> None:
    data = compiled(SWITCH)
    with pytest.raises(CompilerError, match="defined twice"):
        link_flat_image([data, data], [entry()])


def test_aarch64_addresses_and_calls() -> None:
    """ADRP + ADD or LDR of the table, and BL of the callee, decoded from the image."""
    data = compiled(SWITCH, "aarch64")
    image = link_flat_image(data, [entry(), entry("second")])
    assert HEADER.unpack_from(image)[2] == 183
    code = image[HEADER.unpack_from(image)[6] :]
    table = code.index(struct.pack("<8q", *range(5, 13)))
    words = struct.unpack_from(f"<{table // 4}I", code)
    found: list[int] = []
    for i, word in enumerate(words[:-1]):
        if word >> 31 == 1 and (word >> 24) & 0x1F == 0x10:
            pages = ((word >> 5 & 0x7FFFF) << 2) | (word >> 29 & 3)
            pages -= (pages >> 20) << 21
            for add in words[i + 1 : i + 3]:
                if add >> 22 == 0b1001000100:
                    found.append((i * 4 // 4096 + pages) * 4096 + (add >> 10 & 0xFFF))
    assert table in found
    for offset, *_ in (ENTRY.unpack_from(image, HEADER.size + i * ENTRY.size) for i in range(2)):
        assert offset % 4 == 0
