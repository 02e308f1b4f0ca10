"""memref: views of memory inside kernels. See tensor for mixed lists of offsets, sizes and strides."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.core.tensor import Mixed, mixed, split_mixed
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def, variadic_def
from tesselle.ir.types import Dim, MemRefType, Type
from tesselle.support.dtypes import INDEX


def memref_type(value: Value) -> MemRefType:
    """The type of a value that must be a memref."""
    if not isinstance(value.type, MemRefType):
        raise TypeError(f"expected a memref, found {value.type}")
    return value.type


def row_major_strides(shape: Sequence[Dim]) -> tuple[Dim, ...]:
    """Strides of the dense layout; None where a dynamic dimension enters."""
    strides: list[Dim] = []
    step: Dim = 1
    for size in reversed(shape):
        strides.append(step)
        step = None if step is None or size is None else step * size
    return tuple(reversed(strides))


@op("memref.alloca")
class AllocaOp(Op):
    """Scratch of static shape in the worker's local memory: 64-byte aligned, undefined contents."""

    result_type: MemRefType = result_type_def()

    def check(self) -> None:
        self.require(self.result_type.is_static, "shape", "local memory has a static shape")


@op("memref.load")
class LoadOp(Op):
    """result = memref[indices]."""

    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        t = memref_type(self.memref)
        self.require(len(self.indices) == t.rank, "indices", f"{len(self.indices)} indices for rank {t.rank}")
        return [t.dtype]


@op("memref.store")
class StoreOp(Op):
    """memref[indices] = value."""

    value: Value = operand_def()
    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()

    def check(self) -> None:
        t = memref_type(self.memref)
        self.require(len(self.indices) == t.rank, "indices", f"{len(self.indices)} indices for rank {t.rank}")
        self.require(self.value.type == t.dtype, "type", f"cannot store {self.value.type} in {t}")


@op("memref.dim", PURE)
class DimOp(Op):
    memref: Value = operand_def()
    axis: int = attr_def()

    def infer(self) -> Sequence[Type]:
        return [INDEX]


@op("memref.subview", PURE)
class SubViewOp(Op):
    """The window memref[offsets + i * strides], i < sizes; unit dimensions may be dropped from the result."""

    memref: Value = operand_def()
    offsets: Sequence[Value] = variadic_def()
    sizes: Sequence[Value] = variadic_def()
    strides: Sequence[Value] = variadic_def()
    static_offsets: tuple[Dim, ...] = attr_def()
    static_sizes: tuple[Dim, ...] = attr_def()
    static_strides: tuple[Dim, ...] = attr_def()
    result_type: MemRefType = result_type_def()

    @staticmethod
    def of(
        memref: Value,
        offsets: Sequence[int | Value],
        sizes: Sequence[int | Value],
        strides: Sequence[int | Value] | None = None,
    ) -> SubViewOp:
        """From mixed lists, keeping the rank; the result's layout is computed."""
        t = memref_type(memref)
        steps = strides if strides is not None else [1] * len(offsets)
        (so, do), (sz, dz), (ss, ds) = split_mixed(offsets), split_mixed(sizes), split_mixed(steps)
        base = t.strides if t.strides is not None else row_major_strides(t.shape)
        layout = tuple(None if a is None or b is None else a * b for a, b in zip(base, ss, strict=True))
        offset: Dim = t.offset
        for o, s in zip(so, base, strict=True):
            offset = None if offset is None or o is None or (s is None and o != 0) else offset + o * (s or 0)
        return SubViewOp(memref, do, dz, ds, so, sz, ss, MemRefType(sz, t.dtype, layout, offset))

    @property
    def mixed_offsets(self) -> Mixed:
        return mixed(self.static_offsets, self.offsets)

    @property
    def mixed_sizes(self) -> Mixed:
        return mixed(self.static_sizes, self.sizes)

    @property
    def mixed_strides(self) -> Mixed:
        return mixed(self.static_strides, self.strides)


@op("memref.reinterpret_cast", PURE)
class ReinterpretCastOp(Op):
    """The same memory under another shape and layout: base pointer of `memref`, given offset, sizes and strides."""

    memref: Value = operand_def()
    offsets: Sequence[Value] = variadic_def()
    sizes: Sequence[Value] = variadic_def()
    strides: Sequence[Value] = variadic_def()
    static_offsets: tuple[Dim, ...] = attr_def()
    static_sizes: tuple[Dim, ...] = attr_def()
    static_strides: tuple[Dim, ...] = attr_def()
    result_type: MemRefType = result_type_def()

    @property
    def mixed_sizes(self) -> Mixed:
        return mixed(self.static_sizes, self.sizes)

    @property
    def mixed_strides(self) -> Mixed:
        return mixed(self.static_strides, self.strides)


@op("memref.copy")
class CopyOp(Op):
    """dest[i] = source[i] for every i; the two do not overlap."""

    source: Value = operand_def()
    dest: Value = operand_def()


@op("memref.prefetch")
class PrefetchOp(Op):
    """Bring the cache line of memref[indices] near, which may lie outside; `locality` 0 (none) to 3 (L1)."""

    memref: Value = operand_def()
    indices: Sequence[Value] = variadic_def()
    is_write: bool = attr_def(default=False)
    locality: int = attr_def(default=3)
