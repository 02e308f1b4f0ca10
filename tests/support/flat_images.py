"""Hand-made executables for tests of the runtime: LLVM IR → machine code → flat image, without the project's compiler.

A second, independent writer of the image format: what the compiler's linker writes and what this writes must both load.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from elftools.elf.elffile import ELFFile


@dataclass(frozen=True)
class Kernel:
    """One entry: its LLVM function has the name `name` and the kernel ABI."""

    name: str
    bindings: int
    push: int = 0
    local_memory: int = 0


HEAD = "ptr noalias %bindings, ptr noalias %push, i64 %wx, i64 %wy, i64 %wz, ptr %local"


def loop_kernel(name: str, element: str, body: str, *, inputs: int) -> str:
    """IR of a kernel over `push[0]` elements, 64 to a workgroup: result (the last binding) = body of %a, %b, …

    `body` must define %r from %a (first input), %b (second), … of type `element`.
    """
    letters = "abcdefgh"[:inputs]
    loads = "".join(
        f"  %p{c} = getelementptr ptr, ptr %bindings, i64 {i}\n  %q{c} = load ptr, ptr %p{c}\n"
        for i, c in enumerate([*letters, "r"])
    )
    reads = "".join(
        f"  %e{c} = getelementptr {element}, ptr %q{c}, i64 %i\n  %{c} = load {element}, ptr %e{c}\n" for c in letters
    )
    return f"""
define void @{name}({HEAD}) {{
entry:
  %n = load i64, ptr %push
{loads}
  %begin = mul i64 %wx, 64
  %next = add i64 %begin, 64
  %small = icmp slt i64 %next, %n
  %end = select i1 %small, i64 %next, i64 %n
  br label %head
head:
  %i = phi i64 [ %begin, %entry ], [ %i1, %body ]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %exit
body:
{reads}
  {body}
  %er = getelementptr {element}, ptr %qr, i64 %i
  store {element} %r, ptr %er
  %i1 = add i64 %i, 1
  br label %head
exit:
  ret void
}}
"""


@functools.cache
def _target_machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(opt=2, reloc="pic", codemodel="small", jit=False)


@functools.cache
def flat_image(ir: str, *kernels: Kernel) -> bytes:
    """The image of kernels in LLVM IR that refer to nothing outside their own code."""
    machine = _target_machine()
    module = llvm.parse_assembly(f'target triple = "{machine.triple}"\n{ir}')
    module.verify()
    elf = ELFFile(io.BytesIO(machine.emit_object(module)))
    text = elf.get_section_by_name(".text")
    assert not elf.get_section_by_name(".rela.text"), "kernels of tests may not need relocations"
    symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    code = text.data()
    table = b"".join(struct.pack("<QQII", symbols[k.name], k.local_memory, k.bindings, k.push) for k in kernels)
    code_offset = (64 + len(table) + 63) // 64 * 64
    header = struct.pack(
        "<4sHHIIQQQI20x",
        b"TSLX",
        1,
        elf["e_machine"]
        if isinstance(elf["e_machine"], int)
        else {"EM_X86_64": 62, "EM_AARCH64": 183}[elf["e_machine"]],
        len(kernels),
        0,
        code_offset + len(code),
        code_offset,
        len(code),
        zlib.crc32(code),
    )
    return (header + table).ljust(code_offset, b"\0") + code
