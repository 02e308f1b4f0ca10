"""memcpy, memmove and memset, which LLVM may call on its own account: a kernel has no C library.

They are compiled once per target, as an object of their own; each has its own section, so that the linker keeps only
what is called.
"""

from __future__ import annotations

from tesselle.codegen.llvm.target import CpuTarget
from tesselle.codegen.llvm.translate import function_attributes

RUNTIME_NAME = "memory functions"


def runtime_ir(target: CpuTarget) -> str:
    """LLVM IR of the functions. Bytewise loops, which LLVM vectorises; "no-builtins" keeps it from calling them in
    themselves."""
    functions = (_copy_function("memcpy", backwards=False), _copy_function("memmove", backwards=True), _MEMSET)
    return "\n".join((f'target triple = "{target.triple}"\n', *functions, function_attributes(target))) + "\n"


_MEMSET = """define hidden ptr @memset(ptr %d, i32 %c, i64 %n) #3 section ".text.memset" {
entry:
  %b = trunc i32 %c to i8
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %body, label %end
body:
  %p = getelementptr inbounds i8, ptr %d, i64 %i
  store i8 %b, ptr %p, align 1
  %next = add nuw i64 %i, 1
  br label %loop
end:
  ret ptr %d
}
"""


def _copy_function(name: str, backwards: bool) -> str:
    """Bytewise loops that LLVM vectorises. memmove goes backwards when the destination lies behind the source."""
    pointers = "ptr %d, ptr %s" if backwards else "ptr noalias %d, ptr noalias %s"
    choose = (
        "  %behind = icmp ugt ptr %d, %s\n  br i1 %behind, label %down, label %up.pre\n"
        if backwards
        else "  br label %up.pre\n"
    )
    down = (
        """down:
  %j = phi i64 [ %n, %entry ], [ %before, %down.body ]
  %left = icmp ne i64 %j, 0
  br i1 %left, label %down.body, label %end
down.body:
  %before = add i64 %j, -1
  %ps = getelementptr inbounds i8, ptr %s, i64 %before
  %pd = getelementptr inbounds i8, ptr %d, i64 %before
  %w = load i8, ptr %ps, align 1
  store i8 %w, ptr %pd, align 1
  br label %down
"""
        if backwards
        else ""
    )
    return f"""define hidden ptr @{name}({pointers}, i64 %n) #3 section ".text.{name}" {{
entry:
{choose}up.pre:
  br label %up
up:
  %i = phi i64 [ 0, %up.pre ], [ %next, %up.body ]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %up.body, label %end
up.body:
  %qs = getelementptr inbounds i8, ptr %s, i64 %i
  %qd = getelementptr inbounds i8, ptr %d, i64 %i
  %v = load i8, ptr %qs, align 1
  store i8 %v, ptr %qd, align 1
  %next = add nuw i64 %i, 1
  br label %up
{down}end:
  ret ptr %d
}}
"""
