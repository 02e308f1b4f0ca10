"""Kernel IR -> LLVM IR text.

A kernel is a public `func.func` without results. Its arguments, in this order: one memref for each binding, index and
scalar push constants, and three trailing `index` arguments, the workgroup's ids x, y, z. Attributes of the function:

    dim_bindings        for each binding, for each dimension, the position among the push constants that holds it, or
    None distinct_bindings   present when no two bindings overlap in memory; otherwise an output may be the memory of an
    input

It becomes `void name(ptr bindings, ptr push, i64 wx, i64 wy, i64 wz, ptr local)`. `memref.alloca`s are places in
`local`. Operations are translated in one walk, by tables from the class of the operation to a function
(translate_arith, translate_math, translate_memref, translate_vector, translate_control); the text is not parsed again
before LLVM reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tesselle.codegen.llvm import (
    translate_arith,
    translate_control,
    translate_math,
    translate_memref,
    translate_vector,
)
from tesselle.codegen.llvm.kernel import Kernel, ModuleText, Root, unsupported
from tesselle.codegen.llvm.layout import Index, View, is_small_float, register_element
from tesselle.codegen.llvm.link import Entry
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.dialects.core import complex as complex_dialect
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.ir.core import Op, Value
from tesselle.ir.types import DType, MemRefType
from tesselle.support.diagnostics import Diagnostic, TesselleError, Unsupported
from tesselle.support.dtypes import INDEX

WORKGROUP_ID_COUNT = 3


@dataclass(frozen=True)
class TranslatedModule:
    """LLVM IR of the kernels of one module, and what a linker must know about each, in the order of the module."""

    ir: str
    entries: tuple[Entry, ...]


def _create_complex(k: Kernel, op: complex_dialect.CreateOp) -> None:
    k.set(op.results[0], [*k.slots(op.real), *k.slots(op.imaginary)])


def _real_part(k: Kernel, op: complex_dialect.ReOp) -> None:
    slots = k.slots(op.operand)
    k.set(op.results[0], slots[: len(slots) // 2])


def _imaginary_part(k: Kernel, op: complex_dialect.ImOp) -> None:
    slots = k.slots(op.operand)
    k.set(op.results[0], slots[len(slots) // 2 :])


# Each function takes operations of the class that it is registered for; the type of the table cannot say so.
_TRANSLATORS: dict[type[Op], Callable[[Kernel, Any], None]] = {
    **translate_arith.TRANSLATORS,
    **translate_math.TRANSLATORS,
    **translate_memref.TRANSLATORS,
    **translate_vector.TRANSLATORS,
    **translate_control.TRANSLATORS,
    complex_dialect.CreateOp: _create_complex,
    complex_dialect.ReOp: _real_part,
    complex_dialect.ImOp: _imaginary_part,
}


def supported_operations() -> tuple[type[Op], ...]:
    """The operations that kernels may consist of."""
    return tuple(_TRANSLATORS)


def _translate_op(k: Kernel, op: Op) -> None:
    translate = _TRANSLATORS.get(type(op))
    if translate is None:
        raise unsupported(op, f"the operation {op.name} in kernels")
    try:
        translate(k, op)
    except TesselleError as error:
        if not error.diagnostics[0].rule:
            raise unsupported(op, f"{op.name}: {error.diagnostics[0].message}") from error
        raise


def translate_module(module: ModuleOp, target: CpuTarget) -> TranslatedModule:
    """LLVM IR text of every kernel of `module`.

    Errors: Unsupported, listing for each kernel the first operation or type that the back end lacks.
    """
    text = ModuleText(target)
    bodies: list[str] = []
    entries: list[Entry] = []
    problems: list[Diagnostic] = []
    for op in module.body:
        if not isinstance(op, FuncOp) or op.is_declaration:
            raise unsupported(op, f"{op.name} beside the kernels of a module")
        try:
            body, entry = _translate_kernel(text, op)
        except Unsupported as error:
            problems.extend(error.diagnostics)
        else:
            bodies.append(body)
            entries.append(entry)
    if problems:
        raise Unsupported.several(problems)
    parts = [
        f'target triple = "{target.triple}"\n',
        *bodies,
        *(f.definition for f in text.functions.values()),
        "\n".join(sorted(text.declarations)),
        function_attributes(target),
        "\n".join(text.metadata),
    ]
    return TranslatedModule("\n".join(parts) + "\n", tuple(entries))


def function_attributes(target: CpuTarget) -> str:
    """#0: kernels. #1: functions that are always inlined. #2: slow paths out of line. #3: memcpy and its like.

    "no-builtins" keeps LLVM from turning loops into calls of a C library that is not there.
    """
    common = f'nounwind "no-builtins" "tune-cpu"="{target.tune_cpu}"'
    if target.vector_bits > 256:
        common += f' "prefer-vector-width"="{target.vector_bits}"'
    return "\n".join(
        (
            f"attributes #0 = {{ {common} }}",
            f"attributes #1 = {{ alwaysinline memory(none) {common} }}",
            f"attributes #2 = {{ noinline memory(none) {common} }}",
            f"attributes #3 = {{ noinline optsize {common} }}",
        )
    )


def _translate_kernel(text: ModuleText, function: FuncOp) -> tuple[str, Entry]:
    name = function.sym_name
    if function.function_type.results:
        raise unsupported(function, "kernels with results; they write to their bindings")
    args = list(function.args)
    binding_count = next((i for i, a in enumerate(args) if not isinstance(a.type, MemRefType)), len(args))
    pushes = args[binding_count : len(args) - WORKGROUP_ID_COUNT]
    ids = args[max(binding_count, len(args) - WORKGROUP_ID_COUNT) :]
    if len(ids) != WORKGROUP_ID_COUNT or any(a.type != INDEX for a in ids):
        raise unsupported(
            function, "kernels whose last three arguments are not the workgroup ids (index, index, index)"
        )
    k = Kernel(text, name)
    k.translate_op = _translate_op
    for value, slot in zip(ids, ("%wx", "%wy", "%wz"), strict=True):
        k.set(value, [slot])
    push_slots = [_load_push(k, function, i, value) for i, value in enumerate(pushes)]
    _bind_memrefs(k, function, args[:binding_count], push_slots)
    terminator = k.translate_block(function.body.block)
    if not isinstance(terminator, ReturnOp):
        raise unsupported(terminator, "kernels that do not end in func.return")
    if k.uses_nontemporal_stores and text.target.triple.startswith("x86"):
        # Stores past the caches must be seen before the dispatch counts as finished.
        text.declarations.add("declare void @llvm.x86.sse.sfence()")
        k.do("call void @llvm.x86.sse.sfence()")
    k.do("ret void")
    _fill_in_alias_scopes(k, "distinct_bindings" in function.attributes)
    signature = (
        "ptr noalias readonly captures(none) %bindings, ptr noalias readonly captures(none) %push,"
        " i64 %wx, i64 %wy, i64 %wz, ptr noalias align 64 captures(none) %local"
    )
    body = "\n".join((f"define void @{_quoted(name)}({signature}) #0 {{", "entry:", *k.lines, "}", ""))
    return body, Entry(name, k.local_memory_bytes, binding_count, len(pushes))


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace(".", "").isalnum() and not name[0].isdigit() else f'"{name}"'


def _load_push(k: Kernel, function: FuncOp, position: int, value: Value) -> Index:
    """Read a 64-bit slot as the type of `value`; returns the slot as an index (meaningful for index values)."""
    dtype = value.type
    if not isinstance(dtype, DType) or dtype.is_complex:
        raise unsupported(function, f"push constants of type {dtype}")
    pointer = k.emit(f"getelementptr inbounds i64, ptr %push, i64 {position}") if position else "%push"
    slot = k.emit(f"load i64, ptr {pointer}, align 8, !invariant.load {k.module.empty_metadata()}")
    element = register_element(dtype)
    if dtype.is_float and not is_small_float(dtype):
        integer = slot if dtype.bits == 64 else k.emit(f"trunc i64 {slot} to i{dtype.bits}")
        k.set(value, [k.emit(f"bitcast i{dtype.bits} {integer} to {element}")])
    else:
        k.set(value, [slot if element == "i64" else k.emit(f"trunc i64 {slot} to {element}")])
    return slot


def _bind_memrefs(k: Kernel, function: FuncOp, bindings: Sequence[Value], pushes: Sequence[Index]) -> None:
    where = function.attributes.get("dim_bindings")
    for i, value in enumerate(bindings):
        t = value.type
        assert isinstance(t, MemRefType)
        pointer = k.emit(f"getelementptr inbounds ptr, ptr %bindings, i64 {i}") if i else "%bindings"
        base = k.emit(f"load ptr, ptr {pointer}, align 8, !invariant.load {k.module.empty_metadata()}")
        sizes: list[Index] = []
        for d, size in enumerate(t.shape):
            if size is None:
                position = where[i][d] if isinstance(where, tuple) else None  # type: ignore[index] # checked below
                if not isinstance(position, int) or not 0 <= position < len(pushes):
                    raise unsupported(function, f"binding {i} : {t} whose dimension {d} no `dim_bindings` entry gives")
                size = pushes[position]
            sizes.append(size)
        strides = translate_memref.dense_strides(k, sizes)
        if t.strides is not None:
            if None in t.strides:
                raise unsupported(function, f"binding {i} : {t} with dynamic strides")
            strides = tuple(s for s in t.strides if s is not None)
        if t.offset is None:
            raise unsupported(function, f"binding {i} : {t} with a dynamic offset")
        k.roots.append(Root(is_scratch=False))
        k.views[value] = View(base, t.dtype, t.offset, tuple(sizes), strides, len(k.roots) - 1)


def _fill_in_alias_scopes(k: Kernel, distinct_bindings: bool) -> None:
    """Put alias scopes in place of the markers that accesses carry.

    Every piece of scratch is apart from everything else; bindings are apart from one another only if the caller says
    so.
    """
    groups: dict[int, list[int]] = {}
    for i, root in enumerate(k.roots):
        groups.setdefault(i if root.is_scratch or distinct_bindings else -1, []).append(i)
    tails = {k.alias_marker(i): "" for i in range(len(k.roots))}
    if len(groups) > 1:
        domain = k.module.add_metadata(f'distinct !{{!self, !"{k.name}"}}')
        scopes = {g: k.module.add_metadata(f"distinct !{{!self, {domain}}}") for g in groups}
        for g, members in groups.items():
            own = k.module.add_metadata(f"!{{{scopes[g]}}}")
            others = k.module.add_metadata(f"!{{{', '.join(s for o, s in scopes.items() if o != g)}}}")
            for i in members:
                tails[k.alias_marker(i)] = f", !alias.scope {own}, !noalias {others}"
    for n, line in enumerate(k.lines):
        if (at := line.rfind("\0")) >= 0:
            start = line.index("\0")
            k.lines[n] = line[:start] + tails[line[start : at + 1]] + line[at + 1 :]
