"""memref, vector and scf in kernels: compiled results equal NumPy's."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tesselle.codegen.llvm.target import cpu_target
from tesselle.codegen.llvm.translate import translate_module
from tesselle.dialects.core import arith, memref, scf, vector
from tesselle.dialects.core.vector import CombiningKind
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.types import MemRefType, VectorType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import BF16, C64, F32, F64, I1, I8, I32, I64, INDEX, DType

F32_ANY = MemRefType((None,), F32)


def index(b: Builder, value: int) -> Value:
    return b.insert(arith.ConstantOp(value, INDEX)).result


def splat(b: Builder, value: float, lanes: int, dtype: DType = F32) -> Value:
    return b.insert(arith.ConstantOp(value, VectorType((lanes,), dtype))).result


def loop(b: Builder, upper: Value, step: int = 1, init: Sequence[Value] = ()) -> tuple[scf.ForOp, Block]:
    block = Block([INDEX, *(v.type for v in init)])
    op = b.insert(scf.ForOp(index(b, 0), upper, index(b, step), init, Region([block])))
    return op, block


@pytest.mark.parametrize("target", ["host", "generic"])
def test_masked_tail(toolchain: Any, target: str) -> None:
    """Nothing is read or written beyond the mask: the arrays end at the edge of the last element."""

    def body(b: Builder, args: Sequence[Value]) -> None:
        x, y, n = args[:3]
        _, block = loop(b, n, 8)
        with b.at(block):
            i = block.args[0]
            rest = b.insert(arith.SubIOp(n, i)).results[0]
            mask = b.insert(vector.CreateMaskOp(rest, VectorType((8,), I1))).results[0]
            v = b.insert(vector.MaskedLoadOp(x, (i,), mask, splat(b, 7.0, 8))).results[0]
            b.insert(vector.MaskedStoreOp(y, (i,), mask, b.insert(arith.MulFOp(v, v)).results[0]))
            b.insert(scf.YieldOp(()))

    module = toolchain.make_kernel([F32_ANY, F32_ANY, INDEX], body, dim_bindings=((0,), (0,)), distinct_bindings=True)
    kernel = toolchain.load(module, target)
    for n in (0, 1, 7, 8, 9, 31):
        x = np.arange(n, dtype=np.float32)
        y = np.full(n + 8, -1, dtype=np.float32)
        kernel.run([x, y], [n])
        np.testing.assert_array_equal(y, np.concatenate([x * x, np.full(8, -1, np.float32)]))


@pytest.mark.parametrize("dtype", [F32, F64, I8, I1, BF16, C64], ids=str)
def test_vectors_of_every_kind_are_loaded_and_stored(toolchain: Any, dtype: DType) -> None:
    t = MemRefType((64,), dtype)

    def body(b: Builder, args: Sequence[Value]) -> None:
        v = b.insert(vector.LoadOp(args[0], (index(b, 32),), VectorType((32,), dtype))).results[0]
        b.insert(vector.StoreOp(v, args[1], (index(b, 1),)))

    x = (np.random.default_rng(0).normal(size=64) * 100).astype(dtype.numpy)
    if dtype is C64:
        x = (x + 1j * x[::-1]).astype(np.complex64)
    y = np.zeros(64, dtype.numpy)
    toolchain.load(toolchain.make_kernel([t, t], body)).run([x, y])
    np.testing.assert_array_equal(y[1:33], x[32:])
    assert not y[0] and not np.any(y[33:])


def test_dynamic_strides_subviews_and_dim(toolchain: Any) -> None:
    """out = transpose of a window with steps of a matrix of dynamic shape."""
    t = MemRefType((None, None), F32)

    def body(b: Builder, args: Sequence[Value]) -> None:
        x, y, row = args[0], args[1], args[4]
        rows = b.insert(memref.DimOp(y, 0)).results[0]
        columns = b.insert(memref.DimOp(y, 1)).results[0]
        view = b.insert(memref.SubViewOp.of(x, [row, 1], [columns, rows], [2, 1])).results[0]
        _, outer = loop(b, rows)
        with b.at(outer):
            _, inner = loop(b, columns)
            with b.at(inner):
                i, j = outer.args[0], inner.args[0]
                value = b.insert(memref.LoadOp(view, (j, i))).results[0]
                b.insert(memref.StoreOp(value, y, (i, j)))
                b.insert(scf.YieldOp(()))
            b.insert(scf.YieldOp(()))

    kernel = toolchain.load(
        toolchain.make_kernel([t, t, INDEX, INDEX, INDEX, INDEX, INDEX], body, dim_bindings=((0, 1), (3, 4)))
    )
    x = np.arange(77, dtype=np.float32).reshape(11, 7)
    y = np.zeros((4, 3), np.float32)
    kernel.run([x, y], [11, 7, 2, 4, 3])
    np.testing.assert_array_equal(y, x[2:8:2, 1:5].T)


def test_rank_reducing_subview_and_copy(toolchain: Any) -> None:
    t, out = MemRefType((4, 5, 6), F32), MemRefType((4, 6), F32)

    def body(b: Builder, args: Sequence[Value]) -> None:
        reduced = MemRefType((4, 6), F32, (30, 1), 12)
        view = b.insert(memref.SubViewOp(args[0], (), (), (), (0, 2, 0), (4, 1, 6), (1, 1, 1), reduced)).results[0]
        b.insert(memref.CopyOp(view, args[1]))

    x = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    y = np.zeros((4, 6), np.float32)
    toolchain.load(toolchain.make_kernel([t, out], body)).run([x, y])
    np.testing.assert_array_equal(y, x[:, 2])


def test_reinterpret_cast_takes_shape_from_push_constants(toolchain: Any) -> None:
    def body(b: Builder, args: Sequence[Value]) -> None:
        n = args[2]
        x = b.insert(
            memref.ReinterpretCastOp(args[0], (), (n,), (), (0,), (None,), (1,), MemRefType((None,), F32, (1,)))
        ).results[0]
        total, block = loop(b, n, 1, [b.insert(arith.ConstantOp(0.0, F32)).result])
        with b.at(block):
            value = b.insert(memref.LoadOp(x, (block.args[0],))).results[0]
            b.insert(scf.YieldOp((b.insert(arith.AddFOp(block.args[1], value)).results[0],)))
        b.insert(memref.StoreOp(total.results[0], args[1], ()))

    module = toolchain.make_kernel([MemRefType((), F32), MemRefType((), F32), INDEX], body)
    x, y = np.arange(10, dtype=np.float32), np.zeros((), np.float32)
    toolchain.load(module).run([x, y], [10])
    assert y == 45


def test_scratch_is_aligned_and_apart(toolchain: Any) -> None:
    t = MemRefType((5,), F32)

    def body(b: Builder, args: Sequence[Value]) -> None:
        first = b.insert(memref.AllocaOp(MemRefType((5,), F32))).results[0]
        second = b.insert(memref.AllocaOp(MemRefType((5,), F32))).results[0]
        _, block = loop(b, index(b, 5))
        with b.at(block):
            i = block.args[0]
            value = b.insert(memref.LoadOp(args[0], (i,))).results[0]
            b.insert(memref.StoreOp(value, first, (i,)))
            b.insert(memref.StoreOp(b.insert(arith.AddFOp(value, value)).results[0], second, (i,)))
            b.insert(scf.YieldOp(()))
        _, block = loop(b, index(b, 5))
        with b.at(block):
            i = block.args[0]
            p, q = (b.insert(memref.LoadOp(m, (i,))).results[0] for m in (first, second))
            b.insert(memref.StoreOp(b.insert(arith.MulFOp(p, q)).results[0], args[1], (i,)))
            b.insert(scf.YieldOp(()))

    module = toolchain.make_kernel([t, t], body)
    assert translate_module(module, cpu_target("host")).entries[0].local_memory_bytes == 64 + 20
    x, y = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    toolchain.load(module).run([x, y])
    np.testing.assert_array_equal(y, 2 * x * x)


def test_if_while_and_workgroup_ids(toolchain: Any) -> None:
    """Collatz steps of wx * 10 + wy, by scf.while and scf.if."""

    def body(b: Builder, args: Sequence[Value]) -> None:
        out, wx, wy, _ = args
        start = b.insert(arith.AddIOp(b.insert(arith.MulIOp(wx, index(b, 10))).results[0], wy)).results[0]
        before, after = Block([INDEX, INDEX]), Block([INDEX, INDEX])
        with b.at(before):
            more = b.insert(arith.CmpIOp(arith.CmpIPredicate.SGT, before.args[0], index(b, 1))).results[0]
            b.insert(scf.ConditionOp(more, before.args))
        with b.at(after):
            n, steps = after.args
            odd = b.insert(arith.TruncIOp(n, I1)).results[0]
            then, otherwise = Block(), Block()
            with b.at(then):
                tripled = b.insert(arith.MulIOp(n, index(b, 3))).results[0]
                b.insert(scf.YieldOp((b.insert(arith.AddIOp(tripled, index(b, 1))).results[0],)))
            with b.at(otherwise):
                b.insert(scf.YieldOp((b.insert(arith.ShRSIOp(n, index(b, 1))).results[0],)))
            following = b.insert(scf.IfOp(odd, [INDEX], Region([then]), Region([otherwise]))).results[0]
            b.insert(scf.YieldOp((following, b.insert(arith.AddIOp(steps, index(b, 1))).results[0])))
        done = b.insert(scf.WhileOp((start, index(b, 0)), [INDEX, INDEX], Region([before]), Region([after])))
        b.insert(memref.StoreOp(b.insert(arith.IndexCastOp(done.results[1], I64)).results[0], out, ()))

    y = np.zeros((), np.int64)
    kernel = toolchain.load(toolchain.make_kernel([MemRefType((), I64)], body))
    for n, steps in ((1, 0), (6, 8), (27, 111), (97, 118)):
        kernel.run([y], workgroup=(n // 10, n % 10, 0))
        assert y == steps


def test_push_constants_of_every_type(toolchain: Any) -> None:
    types: list[DType] = [I32, F32, F64, INDEX, I1, BF16]

    def body(b: Builder, args: Sequence[Value]) -> None:
        for memory, value in zip(args[:6], args[6:12], strict=True):
            b.insert(memref.StoreOp(value, memory, ()))

    kernel = toolchain.load(toolchain.make_kernel([*(MemRefType((), d) for d in types), *types], body))
    outs = [np.zeros((), d.numpy) for d in types]

    def slot(format: str, value: float) -> int:
        return int(struct.unpack("<q", struct.pack(f"<{format}", value).ljust(8, b"\xee"))[0])

    kernel.run(outs, [slot("i", -5), slot("f", 1.5), slot("d", -2.25), 1 << 40, 1, slot("H", 0x3FC0)])
    assert [float(o) for o in outs] == [-5, 1.5, -2.25, float(1 << 40), 1, 1.5]


def test_vectors_of_rank_two_are_rows(toolchain: Any) -> None:
    """A 4x8 tile carried through a loop: c += a (broadcast) * b; then rows are inserted and lanes extracted."""
    tile = VectorType((4, 8), F32)

    def body(b: Builder, args: Sequence[Value]) -> None:
        x, w, y, lane = args[:4]
        zero = b.insert(arith.ConstantOp(0.0, tile)).result
        product, block = loop(b, index(b, 3), 1, [zero])
        with b.at(block):
            kk, c = block.args
            row = b.insert(vector.LoadOp(w, (kk, index(b, 0)), VectorType((8,), F32))).results[0]
            for i in range(4):
                scalar = b.insert(memref.LoadOp(x, (index(b, i), kk))).results[0]
                wide = b.insert(vector.BroadcastOp(scalar, VectorType((8,), F32))).results[0]
                old = b.insert(vector.ExtractOp(c, (i,))).results[0]
                c = b.insert(vector.InsertOp(b.insert(vector.FmaOp(wide, row, old)).results[0], c, (i,))).results[0]
            b.insert(scf.YieldOp((c,)))
        b.insert(vector.StoreOp(product.results[0], y, (index(b, 0), index(b, 0))))
        b.insert(memref.StoreOp(b.insert(vector.ExtractOp(product.results[0], (2, 5))).results[0], lane, ()))

    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(3, 8)).astype(np.float32)
    y, lane = np.zeros((4, 8), np.float32), np.zeros((), np.float32)
    shapes = [MemRefType(s, F32) for s in ((4, 3), (3, 8), (4, 8), ())]
    toolchain.load(toolchain.make_kernel(shapes, body)).run([x, w, y, lane])
    np.testing.assert_allclose(y, x @ w, rtol=1e-6)
    assert lane == y[2, 5]


@pytest.mark.parametrize("lanes", [1, 7, 8, 12])
def test_reductions(toolchain: Any, lanes: int) -> None:
    kinds = [
        (F32, CombiningKind.ADD), (F32, CombiningKind.MUL),
        (F32, CombiningKind.MINIMUMF), (F32, CombiningKind.MAXIMUMF),
        (I32, CombiningKind.ADD), (I32, CombiningKind.MINSI), (I32, CombiningKind.MAXSI), (I32, CombiningKind.XOR),
        (I1, CombiningKind.AND), (I1, CombiningKind.OR), (BF16, CombiningKind.ADD),
    ]  # fmt: skip
    rng = np.random.default_rng(lanes)

    def body(b: Builder, args: Sequence[Value]) -> None:
        for (dtype, kind), x, y in zip(kinds, args, args[len(kinds) :], strict=False):
            v = b.insert(vector.LoadOp(x, (index(b, 0),), VectorType((lanes,), dtype))).results[0]
            acc = b.insert(memref.LoadOp(y, ())).results[0]
            b.insert(memref.StoreOp(b.insert(vector.ReductionOp(kind, v, acc)).results[0], y, ()))

    types = [MemRefType((lanes,), d) for d, _ in kinds] + [MemRefType((), d) for d, _ in kinds]
    xs = [rng.integers(0 if d is I1 else -4, 2 if d is I1 else 5, lanes).astype(d.numpy) for d, _ in kinds]
    ys = [np.array(1).astype(d.numpy) for d, _ in kinds]
    toolchain.load(toolchain.make_kernel(types, body)).run([*xs, *ys])
    functions = {"add": np.add, "mul": np.multiply, "minimumf": np.minimum, "maximumf": np.maximum, "minsi": np.minimum,
                 "maxsi": np.maximum, "xor": np.bitwise_xor, "and": np.bitwise_and, "or": np.bitwise_or}  # fmt: skip
    for (dtype, kind), x, y in zip(kinds, xs, ys, strict=True):
        wide = x.astype(np.float64) if dtype is BF16 else x
        start = np.array(1, wide.dtype)
        assert y == functions[kind.value].reduce(np.concatenate([[start], wide])).astype(dtype.numpy), (dtype, kind)


def test_gather_shuffle_step_and_constants(toolchain: Any) -> None:
    v8 = VectorType((8,), F32)

    def body(b: Builder, args: Sequence[Value]) -> None:
        x, where, y, z = args[:4]
        linear = b.insert(vector.LoadOp(where, (index(b, 0),), VectorType((8,), INDEX))).results[0]
        step = b.insert(vector.StepOp(VectorType((8,), INDEX))).results[0]
        five = b.insert(arith.ConstantOp(5, VectorType((8,), INDEX))).result
        mask = b.insert(arith.CmpIOp(arith.CmpIPredicate.SLT, step, five)).results[0]
        values = np.arange(8, dtype=np.float32) / 4
        other = b.insert(arith.ConstantOp(DenseElements(values, v8), v8)).result
        gathered = b.insert(vector.GatherOp(x, linear, mask, other)).results[0]
        b.insert(vector.StoreOp(gathered, y, (index(b, 0),)))
        four = b.insert(vector.ShuffleOp(gathered, other, (0, 2, 4, 6))).results[0]
        mixed = b.insert(vector.ShuffleOp(four, other, (3, 2, 1, 0, 11, 10, 9, 8))).results[0]
        b.insert(vector.StoreOp(mixed, z, (index(b, 0),)))

    x = np.arange(100, dtype=np.float32)
    where = np.array([3, 99, 0, 50, 7, 1 << 40, -5, 1 << 50])
    y, z = np.zeros(8, np.float32), np.zeros(8, np.float32)
    types = [MemRefType((100,), F32), MemRefType((8,), INDEX), MemRefType((8,), F32), MemRefType((8,), F32)]
    toolchain.load(toolchain.make_kernel(types, body)).run([x, where, y, z])
    np.testing.assert_array_equal(y, [3, 99, 0, 50, 7, 1.25, 1.5, 1.75])
    np.testing.assert_array_equal(z, [1.5, 7, 0, 3, 1.75, 1.5, 1.25, 1.0])


def test_nontemporal_stores_at_any_address(toolchain: Any) -> None:
    def body(b: Builder, args: Sequence[Value]) -> None:
        _, block = loop(b, index(b, 64), 8)
        with b.at(block):
            b.insert(vector.StoreOp(splat(b, 3.0, 8), args[0], (block.args[0],), True))
            b.insert(memref.PrefetchOp(args[0], (block.args[0],)))
            b.insert(scf.YieldOp(()))

    kernel = toolchain.load(toolchain.make_kernel([MemRefType((64,), F32)], body))
    memory = np.zeros(96, np.float32)
    for shift in (0, 1, 5):
        memory[:] = 0
        kernel.run([memory[shift : shift + 64]])
        np.testing.assert_array_equal(memory[shift : shift + 64], 3)
        assert memory.sum() == 64 * 3


def test_unroll_and_fastmath_attributes_reach_llvm(toolchain: Any) -> None:
    def body(b: Builder, args: Sequence[Value]) -> None:
        total, block = loop(b, index(b, 64), 1, [b.insert(arith.ConstantOp(0.0, F32)).result])
        total.attributes["unroll"] = 4
        with b.at(block):
            add = b.insert(arith.AddFOp(block.args[1], b.insert(memref.LoadOp(args[0], (block.args[0],))).results[0]))
            add.attributes["fastmath"] = "reassoc,contract"
            b.insert(scf.YieldOp((add.results[0],)))
        b.insert(memref.StoreOp(total.results[0], args[0], (index(b, 0),)))

    ir = translate_module(toolchain.make_kernel([MemRefType((64,), F32)], body), cpu_target("generic")).ir
    assert '!{!"llvm.loop.unroll.count", i32 4}' in ir
    assert "fadd reassoc contract float" in ir


def test_what_is_not_supported_is_named(toolchain: Any) -> None:

    def strided(b: Builder, args: Sequence[Value]) -> None:
        view = b.insert(memref.SubViewOp.of(args[0], [0], [8], [2])).results[0]
        b.insert(vector.StoreOp(splat(b, 1.0, 8), view, (index(b, 0),)))

    with pytest.raises(Unsupported, match=r"vector\.store.*stride of 2"):
        translate_module(toolchain.make_kernel([MemRefType((64,), F32)], strided), cpu_target("generic"))
    with pytest.raises(Unsupported, match="dimension 0 no `dim_bindings`"):
        translate_module(toolchain.make_kernel([F32_ANY], lambda b, a: None), cpu_target("generic"))
