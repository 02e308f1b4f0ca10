"""Building dispatches, compiling them with the loops strategy, and running their kernels over the whole grid."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.codegen_llvm.conftest import LoadedImage, Toolchain

from tesselle.codegen.common.lowering import lower_executable
from tesselle.codegen.common.strategy import TargetShape
from tesselle.codegen.llvm.target import cpu_target
from tesselle.dialects.core import arith
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.dialects.core.tensor import EmptyOp, tensor_type
from tesselle.dialects.flow.ops import (
    Access,
    DispatchTensorLoadOp,
    DispatchTensorStoreOp,
    DispatchTensorType,
    ExecutableExportOp,
    ExecutableOp,
)
from tesselle.dialects.linalg.ops import FillOp, GenericOp, IteratorType, YieldOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import DType, TensorType
from tesselle.ir.verify import verify
from tesselle.support.dtypes import INDEX, from_numpy

P, R = IteratorType.PARALLEL, IteratorType.REDUCTION
Body = Callable[[Builder, Sequence[Value]], Sequence[Value]]


@functools.cache
def toolchain() -> Toolchain:
    return Toolchain(Path(tempfile.mkdtemp(prefix="tesselle-codegen-")))


def target_shape(name: str) -> TargetShape:
    t = cpu_target(name)
    return TargetShape(t.vector_bits, t.register_count, t.has_fma)


@dataclass
class Dispatch:
    """A dispatch under construction: `b` inserts into the function, `loads` are the input tensors, `push` the
    scalars.
    """

    b: Builder
    loads: list[Value]
    push: list[Value]

    def constant(self, value: Any, dtype: DType) -> Value:
        return self.b.insert(arith.ConstantOp(value, dtype)).result

    def index(self, value: int) -> Value:
        return self.constant(value, INDEX)

    def empty(self, shape: Sequence[int | Value], dtype: DType) -> Value:
        static = tuple(s if isinstance(s, int) else None for s in shape)
        return self.b.insert(EmptyOp([s for s in shape if not isinstance(s, int)], TensorType(static, dtype))).result

    def fill(self, value: Any, shape: Sequence[int | Value], dtype: DType) -> Value:
        scalar = value if isinstance(value, Value) else self.constant(value, dtype)
        return self.b.insert(FillOp(scalar, self.empty(shape, dtype))).result

    def generic(
        self, ins: Sequence[Value], outs: Sequence[Value], maps: Sequence[Any], kinds: str, body: Body
    ) -> list[Value]:
        """`maps`: tuples of loop positions, or AffineMaps; `kinds`: one letter per loop, p or r."""
        count = len(kinds)
        full = [m if isinstance(m, AffineMap) else AffineMap.select(count, m) for m in maps]
        types = [v.type.dtype if isinstance(v.type, TensorType) else v.type for v in (*ins, *outs)]
        block = Block(types)
        c = Builder.at_end(block)
        c.insert(YieldOp(body(c, block.args)))
        iterators = tuple(P if k == "p" else R for k in kinds)
        return list(self.b.insert(GenericOp(ins, outs, tuple(full), iterators, Region([block]))).results)

    def elementwise(self, ins: Sequence[Value], out: Value, body: Body) -> Value:
        rank = tensor_type(out).rank
        return self.generic(ins, [out], [range(rank)] * (len(ins) + 1), "p" * rank, body)[0]


Build = Callable[[Dispatch], Sequence[Value]]


@dataclass
class Compiled:
    image: LoadedImage
    executable: ExecutableOp
    export: ExecutableExportOp
    results: Sequence[DispatchTensorType]
    texts: dict[str, str]

    def grid(self, push: Sequence[int]) -> tuple[int, int, int]:
        x, y, z = evaluate(self.export.workgroup_count.block, push)
        return x, y, z

    def __call__(self, arrays: Sequence[np.ndarray], outputs: Sequence[np.ndarray], push: Sequence[int] = ()) -> None:
        """Run every workgroup, in reverse order so that order does not matter by accident."""
        nx, ny, nz = self.grid(push)
        for z in reversed(range(nz)):
            for y in reversed(range(ny)):
                for x in reversed(range(nx)):
                    self.image.run([*arrays, *outputs], push, (x, y, z))


def evaluate(block: Block, args: Sequence[int]) -> list[int]:
    """A small interpreter of arith on index, for grids."""
    values: dict[Value, int] = dict(zip(block.args, args, strict=True))
    functions: dict[type[Op], Callable[[int, int], int]] = {
        arith.AddIOp: lambda a, b: a + b,
        arith.SubIOp: lambda a, b: a - b,
        arith.MulIOp: lambda a, b: a * b,
        arith.DivUIOp: lambda a, b: a // b,
        arith.RemUIOp: lambda a, b: a % b,
        arith.MinSIOp: min,
        arith.MaxSIOp: max,
    }
    for op in block:
        if op is block.last:
            break
        if isinstance(op, arith.ConstantOp):
            values[op.result] = int(op.value)  # type: ignore[arg-type]  # an index
        else:
            values[op.result] = functions[type(op)](*(values[v] for v in op.operands))
    return [values[v] for v in block.terminator.operands]


def build_executable(
    inputs: Sequence[TensorType],
    outputs: Sequence[TensorType],
    build: Build,
    push: Sequence[DType] = (),
    dims: Sequence[tuple[int | None, ...]] | None = None,
    tied: Sequence[int] = (),
    multiples: tuple[int, ...] = (),
) -> tuple[ExecutableOp, ExecutableExportOp, FuncOp]:
    """An executable with one dispatch. `tied`: inputs that are updated in place; they come last among the bindings.
    `multiples`: what divides each push constant.
    """
    in_types = [
        DispatchTensorType(Access.READ_WRITE if i in tied else Access.READ_ONLY, t) for i, t in enumerate(inputs)
    ]
    out_types = [DispatchTensorType(Access.WRITE_ONLY, t) for t in outputs]
    function = FuncOp.with_entry("entry", [*in_types, *out_types, *push], ())
    entry = function.entry
    b = Builder.at_end(entry)
    n = len(inputs)
    loads = [b.insert(DispatchTensorLoadOp(a, t)).result for a, t in zip(entry.args[:n], inputs, strict=True)]
    d = Dispatch(b, loads, list(entry.args[n + len(outputs) :]))
    results = build(d)
    targets = [*entry.args[n : n + len(outputs)], *(entry.args[i] for i in tied)]
    for value, where in zip(results, targets, strict=True):
        b.insert(DispatchTensorStoreOp(value, where))
    b.insert(ReturnOp([]))
    module = ModuleOp.empty()
    module.body.append(function)
    every = [*inputs, *outputs]
    bindings = tuple(dims) if dims is not None else tuple(tuple(None for _ in t.shape) for t in every)
    export = ExecutableExportOp("entry", SymbolRef("entry"), bindings, multiples)
    executable = ExecutableOp("executable", Region([Block()]))
    executable.body.block.append(export)
    executable.body.block.append(module)
    return executable, export, function


def compile_dispatch(
    inputs: Sequence[TensorType],
    outputs: Sequence[TensorType],
    build: Build,
    target: str = "host",
    push: Sequence[DType] = (),
    dims: Sequence[tuple[int | None, ...]] | None = None,
    tied: Sequence[int] = (),
    multiples: tuple[int, ...] = (),
) -> Compiled:
    executable, export, _ = build_executable(inputs, outputs, build, push, dims, tied, multiples)
    verify(executable)

    def check(name: str, op: ExecutableOp) -> None:
        verify(op)

    lower_executable(executable, target_shape(target), on_phase=check)
    module = next(op for op in executable.body.block if isinstance(op, ModuleOp))
    image = toolchain().load(module, target)
    return Compiled(image, executable, export, [], {})


def run(
    inputs: Sequence[np.ndarray],
    outputs: Sequence[tuple[Sequence[int], Any]],
    build: Build,
    target: str = "host",
    tied: Sequence[int] = (),
) -> list[np.ndarray]:
    """Compile for the static shapes of `inputs` and run. `outputs`: (shape, NumPy dtype). Results: outputs, then
    tied inputs.
    """
    in_types = [TensorType(a.shape, from_numpy(a.dtype)) for a in inputs]
    out_types = [TensorType(tuple(s), from_numpy(d)) for s, d in outputs]
    compiled = compile_dispatch(in_types, out_types, build, target, tied=tied)
    arrays = [guarded(a) for a in inputs]
    results = [guarded(np.full(s, 77).astype(d)) for s, d in outputs]
    compiled(arrays, results)
    for a, before in zip(arrays, inputs, strict=True):
        check_guard(a)
        if not any(a is arrays[i] for i in tied):
            np.testing.assert_array_equal(a.view(np.uint8), np.ascontiguousarray(before).view(np.uint8))
    for r in results:
        check_guard(r)
    return [*results, *(arrays[i] for i in tied)]


GUARD = 64
_GUARD_BYTE = 0xA5


def guarded(array: np.ndarray) -> np.ndarray:
    """A copy, aligned to its element size only, with guard bytes before and after it."""
    size = array.itemsize
    raw = np.full(array.nbytes + 2 * GUARD + size, _GUARD_BYTE, dtype=np.uint8)
    start = GUARD + size
    start -= (raw.ctypes.data + start) % size
    copy = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def check_guard(array: np.ndarray) -> None:
    """Nothing was written outside of a guarded array."""
    raw: Any = array
    while raw.base is not None:
        raw = raw.base
    start = array.ctypes.data - raw.ctypes.data
    assert (raw[:start] == _GUARD_BYTE).all(), "written before the array"
    assert (raw[start + array.nbytes :] == _GUARD_BYTE).all(), "written after the array"
