"""Builds dispatch functions around contractions, compiles them by a strategy, and runs every workgroup without the
runtime.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tesselle.codegen.common.binding import bind_function
from tesselle.codegen.common.contraction import ContractionStrategy
from tesselle.codegen.common.strategy import Strategy, TargetShape
from tesselle.codegen.llvm.link import ENTRY, HEADER, link_flat_image
from tesselle.codegen.llvm.object_cache import ObjectCache
from tesselle.codegen.llvm.runtime_functions import runtime_ir
from tesselle.codegen.llvm.target import CpuTarget, cpu_target
from tesselle.codegen.llvm.translate import translate_module
from tesselle.codegen.llvm.workers import CompileJob, WorkerOptions, compile_objects
from tesselle.dialects.core import arith
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.dialects.flow.ops import Access, DispatchTensorLoadOp, DispatchTensorStoreOp, DispatchTensorType
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import Dim, TensorType
from tesselle.ir.verify import verify
from tesselle.support.dtypes import INDEX, from_numpy

Array = np.ndarray[Any, Any]
_ENTRY_TYPE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p
)

Body = Callable[[Builder, Sequence[Value], Sequence[Value]], Sequence[Value]]
"""(builder, tensors, dynamic dimensions of all bindings in order) -> the results."""


@cache
def _options() -> WorkerOptions:
    directory = Path(tempfile.mkdtemp(prefix="tesselle-contraction-"))
    return WorkerOptions(cache=ObjectCache(directory), worker_count=1, failure_directory=directory)


@cache
def _runtime(target: CpuTarget) -> bytes:
    return compile_objects([CompileJob(runtime_ir(target), target)], _options())[0]


def target_shape(target: CpuTarget) -> TargetShape:
    return TargetShape(target.vector_bits, target.register_count, target.has_fma)


@dataclass
class Compiled:
    """A dispatch that can be run on arrays; `text` is its LLVM IR."""

    entry: Callable[..., None]
    memory: mmap.mmap
    local_bytes: int
    grid: Callable[[Sequence[int]], tuple[int, int, int]]
    types: Sequence[TensorType]
    text: str
    tiling: str

    def push(self, arrays: Sequence[Array]) -> list[int]:
        return [a.shape[d] for a, t in zip(arrays, self.types, strict=True) for d, s in enumerate(t.shape) if s is None]

    def prepare(self, arrays: Sequence[Array]) -> Callable[[], None]:
        """A function that runs the whole grid on one thread."""
        push = self.push(arrays)
        grid = self.grid(push)
        bindings = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        slots = struct.pack(f"<{len(push)}q", *push)
        local = np.full(self.local_bytes + 64, 0xFF, dtype=np.uint8)
        aligned = (local.ctypes.data + 63) // 64 * 64
        where = ctypes.addressof(bindings)

        def run() -> None:
            assert local is not None and bindings is not None
            for z in range(grid[2]):
                for y in range(grid[1]):
                    for x in range(grid[0]):
                        self.entry(where, slots, x, y, z, aligned)

        return run

    def __call__(self, *arrays: Array) -> None:
        self.prepare(arrays)()


def compile_dispatch(
    inputs: Sequence[TensorType],
    outputs: Sequence[TensorType],
    body: Body,
    target: str = "host",
    strategies: Sequence[Strategy] = (ContractionStrategy(),),
) -> Compiled:
    """Compile `outputs = body(inputs)` as one dispatch; every `?` becomes a push constant."""
    cpu = cpu_target(target)
    module, plan, tiling = lower_dispatch(inputs, outputs, body, target_shape(cpu), strategies)
    translated = translate_module(module, cpu)
    (code,) = compile_objects([CompileJob(translated.ir, cpu)], _options())
    image = link_flat_image((code, _runtime(cpu)), translated.entries)
    offset, local_bytes, _, _ = ENTRY.unpack_from(image, HEADER.size)
    start = HEADER.unpack_from(image)[6]
    memory = mmap.mmap(-1, len(image) - start, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(image[start:])
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + offset
    types = [*inputs, *outputs]
    return Compiled(_ENTRY_TYPE(address), memory, local_bytes, plan, types, translated.ir, tiling)


def lower_dispatch(
    inputs: Sequence[TensorType],
    outputs: Sequence[TensorType],
    body: Body,
    shape: TargetShape,
    strategies: Sequence[Strategy],
) -> tuple[ModuleOp, Callable[[Sequence[int]], tuple[int, int, int]], str]:
    """The kernel module, a function from push constants to the grid, and the tiling that was chosen."""
    accesses = [Access.READ_ONLY] * len(inputs) + [Access.WRITE_ONLY] * len(outputs)
    types = [DispatchTensorType(a, t) for a, t in zip(accesses, (*inputs, *outputs), strict=True)]
    slots: list[tuple[int | None, ...]] = []
    count = 0
    for t in (*inputs, *outputs):
        row: list[int | None] = []
        for s in t.shape:
            row.append(count if s is None else None)
            count += s is None
        slots.append(tuple(row))
    function = FuncOp.with_entry("kernel", (*types, *[INDEX] * count), ())
    b = Builder.at_end(function.entry)
    args = list(function.args)
    tensors = [b.insert(DispatchTensorLoadOp(a, t)).result for a, t in zip(args, inputs, strict=False)]
    results = body(b, tensors, args[len(types) :])
    for value, arg in zip(results, args[len(inputs) : len(types)], strict=True):
        b.insert(DispatchTensorStoreOp(value, arg))
    b.insert(ReturnOp(()))
    module = ModuleOp.empty()
    module.body.append(function)
    verify(module)
    kernel = bind_function(function, tuple(slots))
    plan = next(filter(None, (s.match(kernel, shape) for s in strategies)), None)
    assert plan is not None, "no strategy takes this dispatch"
    tiling = ""
    for name, run in plan.phases():
        run()
        verify(module)
        if name == "tile":
            marked = [op for op in function.entry if "tiling" in op.attributes]
            tiling = str(marked[0].attributes["tiling"]) if marked else ""

    def grid(push: Sequence[int]) -> tuple[int, int, int]:
        grid_function = FuncOp.with_entry("grid", [INDEX] * count, ())
        g = Builder.at_end(grid_function.entry)
        x, y, z = plan.workgroup_count(g, list(grid_function.args))
        values: dict[Value, int] = dict(zip(grid_function.args, push, strict=True))
        for op in grid_function.entry:
            values[op.results[0]] = _evaluate(op, values)
        return values[x], values[y], values[z]

    return module, grid, tiling


def _evaluate(op: Any, values: dict[Value, int]) -> int:
    if isinstance(op, arith.ConstantOp):
        assert isinstance(op.value, int)
        return op.value
    x, y = (values[v] for v in op.operands)
    table: dict[type[Any], Callable[[int, int], int]] = {
        arith.AddIOp: lambda x, y: x + y,
        arith.SubIOp: lambda x, y: x - y,
        arith.MulIOp: lambda x, y: x * y,
        arith.DivUIOp: lambda x, y: x // y,
        arith.CeilDivSIOp: lambda x, y: -(-x // y),
        arith.MaxSIOp: max,
        arith.MinSIOp: min,
    }
    return table[type(op)](x, y)


def tensor_of(array: Array, dynamic: bool = False) -> TensorType:
    shape: tuple[Dim, ...] = (None,) * array.ndim if dynamic else array.shape
    return TensorType(shape, from_numpy(array.dtype))
