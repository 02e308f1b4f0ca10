"""vector operations. Rows of vectors of higher rank are separate slots, so most operations work row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product

from tesselle.codegen.llvm.kernel import Kernel, element_size, lanes_suffix, unsupported
from tesselle.codegen.llvm.layout import (
    Index,
    View,
    element_type,
    lane_count,
    memory_element,
    register_element,
    row_count,
    slot_type,
    vector_of,
)
from tesselle.codegen.llvm.translate_arith import FLOAT_BINARY, INTEGER_BINARY, binary_slot
from tesselle.codegen.llvm.translate_math import fma_slot
from tesselle.codegen.llvm.translate_memref import indices_of, to_memory, view_of
from tesselle.dialects.core import arith, vector
from tesselle.dialects.core.vector import CombiningKind, vector_type
from tesselle.ir.core import Op
from tesselle.ir.types import Type, VectorType
from tesselle.support.dtypes import DType


def _lanes(type: Type) -> int:
    return lane_count(type) or 1


def shuffle(k: Kernel, type: str, a: str, b: str, lanes: Sequence[int]) -> str:
    """`shufflevector` of two values of the vector `type`; a lane of -1 is undefined."""
    if not any(lanes):
        mask = "zeroinitializer"
    else:
        mask = "<" + ", ".join("i32 poison" if i < 0 else f"i32 {i}" for i in lanes) + ">"
    return k.emit(f"shufflevector {type} {a}, {type} {b}, <{len(lanes)} x i32> {mask}")


def splat(k: Kernel, slot: str, lanes: int, element: str) -> str:
    """`slot` on every lane."""
    if slot[0] != "%":
        return f"splat ({element} {slot})"
    type = vector_of(lanes, element)
    return shuffle(k, type, k.emit(f"insertelement {type} poison, {element} {slot}, i64 0"), "poison", [0] * lanes)


def _row_indices(view: View, indices: Sequence[Index], type: VectorType) -> Iterator[tuple[tuple[int, int], ...]]:
    """For each row of `type`, (memref dimension, offset) of its start."""
    leading = type.static_shape[:-1]
    first = len(indices) - len(type.shape)
    for position in product(*(range(n) for n in leading)):
        yield tuple((first + d, p) for d, p in enumerate(position) if p)


def _row_pointers(k: Kernel, op: Op, view: View, indices: Sequence[Index], type: VectorType) -> list[str]:
    if view.strides and view.strides[-1] != 1 and _lanes(type) > 1:
        raise unsupported(op, f"vector access along a stride of {view.strides[-1]}; it must be 1")
    pointers: list[str] = []
    for row in _row_indices(view, indices, type):
        moved = list(indices)
        for d, offset in row:
            moved[d] = k.add(moved[d], offset)
        pointers.append(k.address(view, moved, scale=2 if view.dtype.is_complex else 1))
    return pointers


def _from_memory(k: Kernel, loaded: str, lanes: int, dtype: DType) -> str:
    register, memory = register_element(dtype), memory_element(dtype)
    return loaded if register == memory else k.emit(f"trunc <{lanes} x {memory}> {loaded} to <{lanes} x {register}>")


def translate_load(k: Kernel, op: vector.LoadOp) -> None:
    view = view_of(k, op, op.memref)
    dtype, lanes = view.dtype, _lanes(op.result_type)
    pointers = _row_pointers(k, op, view, indices_of(k, op.indices), op.result_type)
    tail = f"align {element_size(dtype)}{k.access_metadata(view)}"
    if dtype.is_complex:
        type = f"<{2 * lanes} x {memory_element(dtype)}>"
        pairs = [k.emit(f"load {type}, ptr {p}, {tail}") for p in pointers]
        real = [shuffle(k, type, p, "poison", range(0, 2 * lanes, 2)) for p in pairs]
        k.set(op.results[0], [*real, *(shuffle(k, type, p, "poison", range(1, 2 * lanes, 2)) for p in pairs)])
        return
    loaded = [k.emit(f"load <{lanes} x {memory_element(dtype)}>, ptr {p}, {tail}") for p in pointers]
    k.set(op.results[0], [_from_memory(k, v, lanes, dtype) for v in loaded])


def translate_store(k: Kernel, op: vector.StoreOp) -> None:
    view = view_of(k, op, op.memref)
    type = vector_type(op.value)
    pointers = _row_pointers(k, op, view, indices_of(k, op.indices), type)
    slots = k.slots(op.value)
    dtype, lanes = view.dtype, _lanes(type)
    if dtype.is_complex:
        part = slot_type(type)
        mixed = [i // 2 + (lanes if i % 2 else 0) for i in range(2 * lanes)]
        rows = len(pointers)
        slots = [shuffle(k, part, slots[r], slots[rows + r], mixed) for r in range(rows)]
        values = [(f"<{2 * lanes} x {memory_element(dtype)}>", s) for s in slots]
    else:
        values = [to_memory(k, s, lanes, dtype) for s in slots]
    for pointer, (memory, slot) in zip(pointers, values, strict=True):
        plain = f"store {memory} {slot}, ptr {pointer}, align {element_size(dtype)}{k.access_metadata(view)}"
        if op.nontemporal:
            _store_nontemporal(k, view, pointer, memory, slot, plain)
        else:
            k.do(plain)


def _store_nontemporal(k: Kernel, view: View, pointer: str, type: str, slot: str, plain: str) -> None:
    """Bypass the caches where the address is a multiple of the vector's size, which the instruction demands."""
    lanes = int(type[1:].split(" ", 1)[0])
    size = lanes * element_size(view.dtype) * (2 if view.dtype.is_complex else 1)
    if size < 16 or size & (size - 1) or size * 8 > k.target.vector_bits:
        k.do(plain)
        return
    k.uses_nontemporal_stores = True
    address = k.emit(f"ptrtoint ptr {pointer} to i64")
    test = k.emit(f"icmp eq i64 {k.emit(f'and i64 {address}, {size - 1}')}, 0")
    aligned, unaligned, done = k.new_label("aligned"), k.new_label("unaligned"), k.new_label("stored")
    k.do(f"br i1 {test}, label %{aligned}, label %{unaligned}")
    k.start_block(aligned)
    nontemporal = k.module.nontemporal()
    k.do(f"store {type} {slot}, ptr {pointer}, align {size}, !nontemporal {nontemporal}{k.access_metadata(view)}")
    k.do(f"br label %{done}")
    k.start_block(unaligned)
    k.do(plain)
    k.do(f"br label %{done}")
    k.start_block(done)


def translate_masked_load(k: Kernel, op: vector.MaskedLoadOp) -> None:
    view = view_of(k, op, op.memref)
    if view.dtype.is_complex:
        raise unsupported(op, "masked access to complex elements")
    type = vector_type(op.pass_through)
    lanes, dtype = _lanes(type), view.dtype
    memory = f"<{lanes} x {memory_element(dtype)}>"
    suffix = f"{lanes_suffix(memory)}.p0"
    align = element_size(dtype)
    results: list[str] = []
    pointers = _row_pointers(k, op, view, indices_of(k, op.indices), type)
    for pointer, mask, otherwise in zip(pointers, k.slots(op.mask), k.slots(op.pass_through), strict=True):
        _, passed = to_memory(k, otherwise, lanes, dtype)
        k.module.declarations.add(f"declare {memory} @llvm.masked.load.{suffix}(ptr, <{lanes} x i1>, {memory})")
        loaded = k.emit(
            f"call {memory} @llvm.masked.load.{suffix}(ptr align {align} {pointer},"
            f" <{lanes} x i1> {mask}, {memory} {passed}){k.access_metadata(view)}"
        )
        results.append(_from_memory(k, loaded, lanes, dtype))
    k.set(op.results[0], results)


def translate_masked_store(k: Kernel, op: vector.MaskedStoreOp) -> None:
    view = view_of(k, op, op.memref)
    if view.dtype.is_complex:
        raise unsupported(op, "masked access to complex elements")
    type = vector_type(op.value)
    lanes = _lanes(type)
    pointers = _row_pointers(k, op, view, indices_of(k, op.indices), type)
    for pointer, mask, slot in zip(pointers, k.slots(op.mask), k.slots(op.value), strict=True):
        memory, value = to_memory(k, slot, lanes, view.dtype)
        suffix = f"{lanes_suffix(memory)}.p0"
        k.module.declarations.add(f"declare void @llvm.masked.store.{suffix}({memory}, ptr, <{lanes} x i1>)")
        k.do(
            f"call void @llvm.masked.store.{suffix}({memory} {value}, ptr align {element_size(view.dtype)} {pointer},"
            f" <{lanes} x i1> {mask}){k.access_metadata(view)}"
        )


def translate_gather(k: Kernel, op: vector.GatherOp) -> None:
    view = view_of(k, op, op.memref)
    type = vector_type(op.pass_through)
    lanes, dtype = _lanes(type), view.dtype
    element = memory_element(dtype)
    memory = f"<{lanes} x {element}>"
    base = k.address(view, [0] * len(view.strides), scale=2 if dtype.is_complex else 1)
    parts = 2 if dtype.is_complex else 1
    rows = row_count(type)
    results: list[str] = []
    for part in range(parts):
        for row, (linear, mask) in enumerate(zip(k.slots(op.linear), k.slots(op.mask), strict=True)):
            if parts == 2:
                linear = k.emit(f"mul nsw <{lanes} x i64> {linear}, splat (i64 2)")
                linear = k.emit(f"add nsw <{lanes} x i64> {linear}, splat (i64 {part})")
            pointers = k.emit(f"getelementptr inbounds {element}, ptr {base}, <{lanes} x i64> {linear}")
            _, passed = to_memory(k, k.slots(op.pass_through)[part * rows + row], lanes, dtype)
            suffix = f"{lanes_suffix(memory)}.v{lanes}p0"
            pointer_type = f"<{lanes} x ptr>"
            k.module.declarations.add(
                f"declare {memory} @llvm.masked.gather.{suffix}({pointer_type}, <{lanes} x i1>, {memory})"
            )
            loaded = k.emit(
                f"call {memory} @llvm.masked.gather.{suffix}({pointer_type} align {element_size(dtype)} {pointers},"
                f" <{lanes} x i1> {mask}, {memory} {passed}){k.access_metadata(view)}"
            )
            results.append(_from_memory(k, loaded, lanes, dtype))
    k.set(op.results[0], results)


def translate_broadcast(k: Kernel, op: vector.BroadcastOp) -> None:
    """A scalar goes to every lane; a vector of lower rank to every leading position; unit dimensions are stretched."""
    result, source = op.result_type, op.source.type
    element, lanes = register_element(result.dtype), _lanes(result)
    slots = k.slots(op.source)
    parts = 2 if result.dtype.is_complex else 1
    rows = len(slots) // parts
    out: list[str] = []
    shape = source.static_shape if isinstance(source, VectorType) else ()
    for part in range(parts):
        own = slots[part * rows : (part + 1) * rows]
        if not isinstance(source, VectorType):
            wide = [splat(k, own[0], lanes, element)]
        elif _lanes(source) == lanes:
            wide = list(own)
        else:
            narrow = vector_of(_lanes(source), element)
            wide = [splat(k, k.emit(f"extractelement {narrow} {s}, i64 0"), lanes, element) for s in own]
        leading = result.static_shape[:-1]
        padded = (1,) * (len(leading) - len(shape[:-1])) + tuple(shape[:-1])
        for position in product(*(range(n) for n in leading)):
            row = 0
            for p, size in zip(position, padded, strict=True):
                row = row * size + (p if size != 1 else 0)
            out.append(wide[row])
    k.set(op.results[0], out)


def translate_step(k: Kernel, op: vector.StepOp) -> None:
    lanes = _lanes(op.result_type)
    element = register_element(op.result_type.dtype)
    k.set(op.results[0], ["<" + ", ".join(f"{element} {i}" for i in range(lanes)) + ">"])


def translate_create_mask(k: Kernel, op: vector.CreateMaskOp) -> None:
    """j < size, compared in 32 bits: a mask is as cheap as its narrowest comparison."""
    lanes = _lanes(op.result_type)
    size = k.index(op.size)
    if isinstance(size, int):
        k.set(op.results[0], ["<" + ", ".join(f"i1 {'true' if j < size else 'false'}" for j in range(lanes)) + ">"])
        return
    most = k.intrinsic("smin", "i64", "i64", [("i64", size), ("i64", str(lanes))])
    least = k.intrinsic("smax", "i64", "i64", [("i64", most), ("i64", "0")])
    narrow = splat(k, k.emit(f"trunc i64 {least} to i32"), lanes, "i32")
    step = "<" + ", ".join(f"i32 {i}" for i in range(lanes)) + ">"
    k.set(op.results[0], [k.emit(f"icmp slt <{lanes} x i32> {step}, {narrow}")])


def translate_fma(k: Kernel, op: vector.FmaOp) -> None:
    triples = zip(k.slots(op.a), k.slots(op.b), k.slots(op.c), strict=True)
    k.set(op.results[0], [fma_slot(k, op, op.a.type, *t) for t in triples])


_COMBINERS: dict[CombiningKind, type[arith.BinaryOp]] = {
    CombiningKind.MUL: arith.MulIOp,
    CombiningKind.MINSI: arith.MinSIOp,
    CombiningKind.MINUI: arith.MinUIOp,
    CombiningKind.MAXSI: arith.MaxSIOp,
    CombiningKind.MAXUI: arith.MaxUIOp,
    CombiningKind.MINIMUMF: arith.MinimumFOp,
    CombiningKind.MAXIMUMF: arith.MaximumFOp,
    CombiningKind.AND: arith.AndIOp,
    CombiningKind.OR: arith.OrIOp,
    CombiningKind.XOR: arith.XOrIOp,
    CombiningKind.ADD: arith.AddIOp,
}
_FLOAT_COMBINERS: dict[CombiningKind, type[arith.BinaryOp]] = {
    CombiningKind.ADD: arith.AddFOp,
    CombiningKind.MUL: arith.MulFOp,
}


def translate_reduction(k: Kernel, op: vector.ReductionOp) -> None:
    """Rows by a tree over rows, then halves of the last row until one lane is left, then `acc`."""
    type = vector_type(op.vector)
    dtype = element_type(type)
    if dtype.is_complex:
        raise unsupported(op, "reductions of complex vectors")
    kind = (_FLOAT_COMBINERS if dtype.is_float else _COMBINERS).get(op.kind) or _COMBINERS[op.kind]
    if dtype.is_float != (kind in FLOAT_BINARY) or not (kind in FLOAT_BINARY or kind in INTEGER_BINARY):
        raise unsupported(op, f"the reduction {op.kind.value} of {dtype}")

    def combine(lanes: int | None, a: str, b: str) -> str:
        return binary_slot(k, op, kind, VectorType((lanes,), dtype) if lanes else dtype, a, b)

    lanes = _lanes(type)
    rows = _tree(list(k.slots(op.vector)), lambda a, b: combine(lanes, a, b))
    element = register_element(dtype)
    value, leftovers = rows, list[str]()
    while lanes > 1:
        vector_text = vector_of(lanes, element)
        if lanes % 2:
            leftovers.append(k.emit(f"extractelement {vector_text} {value}, i64 {lanes - 1}"))
        half = lanes // 2
        low = shuffle(k, vector_text, value, "poison", range(half))
        high = shuffle(k, vector_text, value, "poison", range(half, 2 * half))
        value, lanes = combine(half, low, high), half
    scalar = k.emit(f"extractelement <1 x {element}> {value}, i64 0")
    for rest in reversed(leftovers):
        scalar = combine(None, scalar, rest)
    if op.acc is not None:
        scalar = combine(None, scalar, k.scalar(op.acc))
    k.set(op.results[0], [scalar])


def _tree(values: list[str], combine: Callable[[str, str], str]) -> str:
    while len(values) > 1:
        paired = [combine(a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = paired + values[len(values) - len(values) % 2 :]
    return values[0]


def _rows_at(type: VectorType, position: Sequence[int]) -> range:
    """Rows that `position` (a prefix of the leading dimensions) selects."""
    leading = type.static_shape[:-1]
    start = 0
    for p, size in zip(position, leading, strict=False):
        start = start * size + p
    count = math.prod(leading[len(position) :])
    return range(start * count, (start + 1) * count)


def translate_extract(k: Kernel, op: vector.ExtractOp) -> None:
    type = vector_type(op.vector)
    slots, rows = k.slots(op.vector), row_count(type)
    lane = op.position[len(type.shape) - 1 :] if type.shape else ()
    out: list[str] = []
    for part in range(len(slots) // rows):
        for row in _rows_at(type, op.position[: max(0, len(type.shape) - 1)]):
            slot = slots[part * rows + row]
            if lane or not type.shape:
                slot = k.emit(f"extractelement {slot_type(type)} {slot}, i64 {lane[0] if lane else 0}")
            out.append(slot)
    k.set(op.results[0], out)


def translate_insert(k: Kernel, op: vector.InsertOp) -> None:
    type = vector_type(op.dest)
    slots, rows = list(k.slots(op.dest)), row_count(type)
    values = iter(k.slots(op.value))
    lane = op.position[len(type.shape) - 1 :] if type.shape else ()
    for part in range(len(slots) // rows):
        for row in _rows_at(type, op.position[: max(0, len(type.shape) - 1)]):
            value, at = next(values), part * rows + row
            if lane or not type.shape:
                element = register_element(type.dtype)
                value = k.emit(
                    f"insertelement {slot_type(type)} {slots[at]}, {element} {value}, i64 {lane[0] if lane else 0}"
                )
            slots[at] = value
    k.set(op.results[0], slots)


def translate_shuffle(k: Kernel, op: vector.ShuffleOp) -> None:
    """Of one-dimensional vectors; the two may differ in length."""
    a, b = vector_type(op.a), vector_type(op.b)
    if len(a.shape) != 1 or len(b.shape) != 1:
        raise unsupported(op, "shuffles of vectors of rank other than 1; extract the rows")
    k.set(
        op.results[0],
        [_shuffle_pair(k, a, b, x, y, op.lanes) for x, y in zip(k.slots(op.a), k.slots(op.b), strict=True)],
    )


def _shuffle_pair(k: Kernel, a: VectorType, b: VectorType, x: str, y: str, lanes: Sequence[int]) -> str:
    n, m = _lanes(a), _lanes(b)
    if n == m:
        return shuffle(k, slot_type(a), x, y, lanes)
    wide = max(n, m)
    x = _widen(k, slot_type(a), x, n, wide)
    y = _widen(k, slot_type(b), y, m, wide)
    moved = [i if i < n else i - n + wide for i in lanes]
    return shuffle(k, vector_of(wide, register_element(a.dtype)), x, y, moved)


def _widen(k: Kernel, type: str, x: str, lanes: int, wide: int) -> str:
    if lanes == wide:
        return x
    return shuffle(k, type, x, "poison", [i if i < lanes else -1 for i in range(wide)])


TRANSLATORS = {
    vector.LoadOp: translate_load,
    vector.StoreOp: translate_store,
    vector.MaskedLoadOp: translate_masked_load,
    vector.MaskedStoreOp: translate_masked_store,
    vector.GatherOp: translate_gather,
    vector.BroadcastOp: translate_broadcast,
    vector.StepOp: translate_step,
    vector.CreateMaskOp: translate_create_mask,
    vector.FmaOp: translate_fma,
    vector.ReductionOp: translate_reduction,
    vector.ExtractOp: translate_extract,
    vector.InsertOp: translate_insert,
    vector.ShuffleOp: translate_shuffle,
}
"""By operation class."""
