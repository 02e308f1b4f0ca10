"""memref: a view is (base pointer, offset, sizes, strides) in the translator; nothing of it exists at run time."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.llvm.kernel import SCRATCH_ALIGNMENT, Kernel, Root, element_size, unsupported
from tesselle.codegen.llvm.layout import Index, View, memory_element, register_element, vector_of
from tesselle.dialects.core import memref
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.core.tensor import Mixed
from tesselle.ir.core import Op, Value
from tesselle.ir.types import Dim, MemRefType
from tesselle.support.dtypes import DType


def dense_strides(k: Kernel, sizes: Sequence[Index]) -> tuple[Index, ...]:
    """Row-major strides in elements."""
    strides: list[Index] = []
    step: Index = 1
    for size in reversed(sizes):
        strides.append(step)
        step = k.mul(step, size) if len(strides) < len(sizes) else step
    return tuple(reversed(strides))


def view_of(k: Kernel, op: Op, value: Value) -> View:
    """The view behind a memref operand."""
    view = k.views.get(value)
    if view is None:
        raise unsupported(op, "a memref that is neither an argument nor made by a memref operation")
    return view


def load_element(k: Kernel, view: View, pointer: str, dtype: DType) -> str:
    """Load one register element of a type that is not complex."""
    memory = memory_element(dtype)
    loaded = k.emit(f"load {memory}, ptr {pointer}, align {element_size(dtype)}{k.access_metadata(view)}")
    register = register_element(dtype)
    return loaded if register == memory else k.emit(f"trunc {memory} {loaded} to {register}")


def to_memory(k: Kernel, slot: str, lanes: int | None, dtype: DType) -> tuple[str, str]:
    """(LLVM type, name) of a slot in its memory form: sub-byte integers are extended to bytes."""
    register, memory = register_element(dtype), memory_element(dtype)
    if register != memory:
        extend = "sext" if dtype.is_signed else "zext"
        slot = k.emit(f"{extend} {vector_of(lanes, register)} {slot} to {vector_of(lanes, memory)}")
    return vector_of(lanes, memory), slot


def store_element(k: Kernel, view: View, pointer: str, slot: str, dtype: DType) -> None:
    type, slot = to_memory(k, slot, None, dtype)
    k.do(f"store {type} {slot}, ptr {pointer}, align {element_size(dtype)}{k.access_metadata(view)}")


def part_pointers(k: Kernel, view: View, indices: Sequence[Index]) -> list[str]:
    """Pointers to the parts of an element: one, or two for complex types."""
    if not view.dtype.is_complex:
        return [k.address(view, indices)]
    real = k.address(view, indices, scale=2)
    return [real, k.emit(f"getelementptr inbounds {memory_element(view.dtype)}, ptr {real}, i64 1")]


def indices_of(k: Kernel, values: Sequence[Value]) -> list[Index]:
    return [k.index(v) for v in values]


def translate_alloca(k: Kernel, op: memref.AllocaOp) -> None:
    t = op.result_type
    offset = k.allocate_scratch(t.size_bytes)
    base = "%local" if offset == 0 else k.emit(f"getelementptr inbounds i8, ptr %local, i64 {offset}")
    k.roots.append(Root(is_scratch=True))
    k.views[op.result] = View(base, t.dtype, 0, t.static_shape, dense_strides(k, t.static_shape), len(k.roots) - 1)
    assert offset % SCRATCH_ALIGNMENT == 0


def translate_load(k: Kernel, op: memref.LoadOp) -> None:
    view = view_of(k, op, op.memref)
    pointers = part_pointers(k, view, indices_of(k, op.indices))
    k.set(op.result, [load_element(k, view, p, view.dtype.element) for p in pointers])


def translate_store(k: Kernel, op: memref.StoreOp) -> None:
    view = view_of(k, op, op.memref)
    for pointer, slot in zip(part_pointers(k, view, indices_of(k, op.indices)), k.slots(op.value), strict=True):
        store_element(k, view, pointer, slot, view.dtype.element)


def translate_dim(k: Kernel, op: memref.DimOp) -> None:
    k.set(op.result, [str(view_of(k, op, op.memref).sizes[op.axis])])


def _mixed(k: Kernel, values: Mixed) -> list[Index]:
    return [v if isinstance(v, int) else k.index(v) for v in values]


def translate_subview(k: Kernel, op: memref.SubViewOp) -> None:
    source = view_of(k, op, op.memref)
    offset = source.offset
    for o, stride in zip(_mixed(k, op.mixed_offsets), source.strides, strict=True):
        offset = k.add(offset, k.mul(o, stride))
    sizes = _mixed(k, op.mixed_sizes)
    steps = _mixed(k, op.mixed_strides)
    strides = [k.mul(a, b) for a, b in zip(source.strides, steps, strict=True)]
    kept = _kept_dims(op, op.static_sizes, op.result_type)
    k.views[op.result] = View(
        source.base, source.dtype, offset, tuple(sizes[d] for d in kept), tuple(strides[d] for d in kept), source.root
    )


def _kept_dims(op: Op, sizes: Sequence[Dim], result: MemRefType) -> list[int]:
    """The dimensions that a rank-reducing subview keeps: those dropped have size one."""
    kept: list[int] = []
    for d, size in enumerate(sizes):
        wanted = result.rank - len(kept)
        if len(sizes) - d == wanted or (wanted and (size != 1 or result.shape[len(kept)] == 1)):
            kept.append(d)
        elif size != 1:
            raise unsupported(op, f"a subview that drops other than unit dimensions: {list(sizes)} to {result}")
    return kept


def translate_reinterpret_cast(k: Kernel, op: memref.ReinterpretCastOp) -> None:
    source = view_of(k, op, op.memref)
    dynamic = iter(op.offsets)
    offsets: list[Index] = [k.index(next(dynamic)) if o is None else o for o in op.static_offsets]
    if len(offsets) != 1:
        raise unsupported(op, f"{len(offsets)} offsets; a reinterpretation has one")
    k.views[op.result] = View(
        source.base,
        op.result_type.dtype,
        offsets[0],
        tuple(_mixed(k, op.mixed_sizes)),
        tuple(_mixed(k, op.mixed_strides)),
        source.root,
    )


def translate_copy(k: Kernel, op: memref.CopyOp) -> None:
    """A nest of loops over the dimensions; LLVM vectorises the innermost."""
    source, dest = view_of(k, op, op.source), view_of(k, op, op.dest)
    dtype = memref_type(op.source).dtype
    heads: list[tuple[str, str, str, str]] = []
    indices: list[Index] = []
    for size in source.sizes:
        if size == 1:
            indices.append(0)
            continue
        head, body, exit_ = k.new_label("copy"), k.new_label("copybody"), k.new_label("copied")
        before = k.label
        k.do(f"br label %{head}")
        k.start_block(head)
        i, following = k.fresh(), k.fresh()
        k.do(f"{i} = phi i64 [ 0, %{before} ], [ {following}, %{head}.latch ]")
        test = k.emit(f"icmp slt i64 {i}, {size}")
        k.do(f"br i1 {test}, label %{body}, label %{exit_}")
        k.start_block(body)
        heads.append((head, i, following, exit_))
        indices.append(i)
    pairs = zip(part_pointers(k, source, indices), part_pointers(k, dest, indices), strict=True)
    for from_, to in pairs:
        memory, size = memory_element(dtype), element_size(dtype)
        value = k.emit(f"load {memory}, ptr {from_}, align {size}{k.access_metadata(source)}")
        k.do(f"store {memory} {value}, ptr {to}, align {size}{k.access_metadata(dest)}")
    for head, i, following, exit_ in reversed(heads):
        k.do(f"br label %{head}.latch")
        k.start_block(f"{head}.latch")
        k.do(f"{following} = add nsw i64 {i}, 1")
        k.do(f"br label %{head}")
        k.start_block(exit_)


def translate_prefetch(k: Kernel, op: memref.PrefetchOp) -> None:
    view = view_of(k, op, op.memref)
    # Nothing is wrong with asking for what lies behind the end.
    pointer = k.address(view, indices_of(k, op.indices), 2 if view.dtype.is_complex else 1, inbounds=False)
    k.module.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    k.do(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 {int(op.is_write)}, i32 {op.locality}, i32 1)")


TRANSLATORS = {
    memref.AllocaOp: translate_alloca,
    memref.LoadOp: translate_load,
    memref.StoreOp: translate_store,
    memref.DimOp: translate_dim,
    memref.SubViewOp: translate_subview,
    memref.ReinterpretCastOp: translate_reinterpret_cast,
    memref.CopyOp: translate_copy,
    memref.PrefetchOp: translate_prefetch,
}
"""By operation class."""
