"""The LLVM IR of a few kernels, as text; `pytest --update-golden` writes the files anew. LLVM itself validates each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tesselle.codegen.llvm.target import cpu_target
from tesselle.codegen.llvm.translate import translate_module
from tesselle.codegen.llvm.workers import CompileJob, compile_objects
from tesselle.dialects.core import arith, math, memref, scf, vector
from tesselle.dialects.core.vector import CombiningKind
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.types import MemRefType, Type, VectorType
from tesselle.support.dtypes import BF16, F32, I1, INDEX

GOLDEN = Path(__file__).parent / "golden"
V8 = VectorType((8,), F32)
ROW = MemRefType((None,), F32)


def constant(b: Builder, value: Any, type: Type = INDEX) -> Value:
    return b.insert(arith.ConstantOp(value, type)).result


def loop(b: Builder, upper: Value, step: int, init: Sequence[Value] = ()) -> tuple[scf.ForOp, Block]:
    block = Block([INDEX, *(v.type for v in init)])
    return b.insert(scf.ForOp(constant(b, 0), upper, constant(b, step), init, Region([block]))), block


def masked_gelu(b: Builder, args: Sequence[Value]) -> None:
    """y = x (1 + erf(x / sqrt(2))) / 2 with a masked tail."""
    x, y, n = args[:3]
    _, block = loop(b, n, 8)
    with b.at(block):
        i = block.args[0]
        mask = b.insert(vector.CreateMaskOp(b.insert(arith.SubIOp(n, i)).results[0], VectorType((8,), I1))).results[0]
        v = b.insert(vector.MaskedLoadOp(x, (i,), mask, constant(b, 0.0, V8))).results[0]
        scaled = b.insert(arith.MulFOp(v, constant(b, 0.7071067811865476, V8))).results[0]
        one_more = b.insert(arith.AddFOp(b.insert(math.ErfOp(scaled)).results[0], constant(b, 1.0, V8))).results[0]
        half = b.insert(arith.MulFOp(v, constant(b, 0.5, V8))).results[0]
        b.insert(vector.MaskedStoreOp(y, (i,), mask, b.insert(arith.MulFOp(half, one_more)).results[0]))
        b.insert(scf.YieldOp(()))


def row_sum(b: Builder, args: Sequence[Value]) -> None:
    """y[wx] = sum of row wx of x, eight lanes at a time."""
    x, y, wx = args[0], args[1], args[2]
    total, block = loop(b, constant(b, 64), 8, [constant(b, 0.0, V8)])
    with b.at(block):
        v = b.insert(vector.LoadOp(x, (wx, block.args[0]), V8)).results[0]
        b.insert(scf.YieldOp((b.insert(arith.AddFOp(block.args[1], v)).results[0],)))
    result = b.insert(vector.ReductionOp(CombiningKind.ADD, total.results[0])).results[0]
    b.insert(memref.StoreOp(result, y, (wx,)))


def tile_of_a_product(b: Builder, args: Sequence[Value]) -> None:
    """c[0:2, 0:8] = a b, the accumulators in registers."""
    a, w, c = args[:3]
    tile = VectorType((2, 8), F32)
    result, block = loop(b, constant(b, 16), 1, [constant(b, 0.0, tile)])
    with b.at(block):
        kk, acc = block.args
        row = b.insert(vector.LoadOp(w, (kk, constant(b, 0)), V8)).results[0]
        for i in range(2):
            wide = b.insert(
                vector.BroadcastOp(b.insert(memref.LoadOp(a, (constant(b, i), kk))).results[0], V8)
            ).results[0]
            old = b.insert(vector.ExtractOp(acc, (i,))).results[0]
            acc = b.insert(vector.InsertOp(b.insert(vector.FmaOp(wide, row, old)).results[0], acc, (i,))).results[0]
        b.insert(scf.YieldOp((acc,)))
    b.insert(vector.StoreOp(result.results[0], c, (constant(b, 0), constant(b, 0))))


def halve_bf16(b: Builder, args: Sequence[Value]) -> None:
    """In place, through scratch, on a type that is an integer in registers."""
    x = args[0]
    scratch = b.insert(memref.AllocaOp(MemRefType((8,), BF16))).results[0]
    t = VectorType((8,), BF16)
    v = b.insert(vector.LoadOp(x, (constant(b, 0),), t)).results[0]
    b.insert(vector.StoreOp(v, scratch, (constant(b, 0),)))
    again = b.insert(vector.LoadOp(scratch, (constant(b, 0),), t)).results[0]
    b.insert(vector.StoreOp(b.insert(arith.MulFOp(again, constant(b, 0.5, t))).results[0], x, (constant(b, 0),)))


KERNELS: dict[str, tuple[list[Type], Callable[..., None], dict[str, Any]]] = {
    "masked_gelu": ([ROW, ROW, INDEX], masked_gelu, {"dim_bindings": ((0,), (0,)), "distinct_bindings": True}),
    "row_sum": ([MemRefType((100, 64), F32), MemRefType((100,), F32)], row_sum, {}),
    "tile_of_a_product": (
        [MemRefType((2, 16), F32), MemRefType((16, 8), F32), MemRefType((2, 8), F32)],
        tile_of_a_product,
        {},
    ),
    "halve_bf16": ([MemRefType((8,), BF16)], halve_bf16, {}),
}


@pytest.mark.parametrize("target", ["x86-64-v3", "generic"])
@pytest.mark.parametrize("name", KERNELS)
def test_ir_is_as_recorded(toolchain: Any, request: pytest.FixtureRequest, name: str, target: str) -> None:
    types, body, attributes = KERNELS[name]
    module = toolchain.make_kernel(types, body, name, **attributes)
    ir = translate_module(module, cpu_target(target)).ir
    path = GOLDEN / f"{name}.{target}.ll"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(ir)
    assert ir == path.read_text(), f"pytest --update-golden writes {path.name} anew"


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4", "generic", "aarch64"])
def test_llvm_accepts_every_kernel_for_every_target(toolchain: Any, target: str) -> None:
    jobs = [
        CompileJob(
            translate_module(toolchain.make_kernel(types, body, name, **attributes), cpu_target(target)).ir,
            cpu_target(target),
            name,
        )
        for name, (types, body, attributes) in KERNELS.items()
    ]
    assert all(compile_objects(jobs, toolchain.options))
