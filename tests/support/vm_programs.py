"""Hand-assembled programs for tests of the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import tesselle.runtime as rt
from flat_images import Kernel, flat_image, loop_kernel
from tesselle.artifact import Artifact
from tesselle.artifact.schema import (
    ConstantRecord,
    EntryRecord,
    ExecutableRecord,
    FunctionRecord,
    HostFunctionRecord,
    Manifest,
    TensorSpec,
    VariableRecord,
)
from tesselle.artifact.vm_module import Binding, FunctionBuilder, VmFunction, VmGlobal, VmModule
from tesselle.runtime import _native
from tesselle.support.dtypes import DType, from_numpy

ADD = Kernel("add", 3, 1)
ADD_IMAGE = flat_image(loop_kernel("add", "float", "%r = fadd float %a, %b", inputs=2), ADD)


def make_artifact(
    functions: Sequence[VmFunction],
    records: Sequence[FunctionRecord] = (),
    *,
    variables: Sequence[VmGlobal] = (),
    initializer: str | None = None,
    state: Sequence[VariableRecord] = (),
    state_initializer: str = "",
    host_functions: Sequence[HostFunctionRecord] = (),
    images: Sequence[tuple[bytes, Sequence[Kernel]]] = (),
    constants: Sequence[np.ndarray[Any, Any]] = (),
    features: Sequence[str] = (),
) -> Artifact:
    """An artifact of hand-made parts. `variables`, `initializer` are the VM's; `state…` what the manifest says."""
    executables = tuple(
        ExecutableRecord(
            f"dispatch_{i}",
            "cpu",
            "",
            tuple(features),
            f"executables/dispatch_{i}.bin",
            tuple(EntryRecord(k.name) for k in kernels),
        )
        for i, (_, kernels) in enumerate(images)
    )
    constant_records = tuple(
        ConstantRecord(f"c{i}", from_numpy(c.dtype), c.shape, "", "", 0, 0) for i, c in enumerate(constants)
    )
    manifest = Manifest(
        "tests",
        "by_hand",
        tuple(records),
        executables,
        constant_records,
        host_functions=tuple(host_functions),
        variables=tuple(state),
        initializer=state_initializer,
    )
    module = VmModule(tuple(functions), tuple(variables), initializer)
    return Artifact.create(manifest, module, [image for image, _ in images], constants)


def make_program(*args: Any, device: str = "cpu:threads=1", **kwargs: Any) -> rt.Program:
    """`make_artifact`, loaded."""
    return rt.load(make_artifact(*args, **kwargs), device)


def raw_call(program: rt.Program | rt.Session, name: str, *arguments: Any) -> list[Any]:
    """Call any exported function with plain numbers."""
    call = raw_begin(program, name, *arguments)
    while (status := rt.Status(call.resume(1 << 40))) is not rt.Status.DONE:
        if status is rt.Status.WAITING:
            call.wait(10)
    return call.raw_results()


def raw_begin(program: rt.Program | rt.Session, name: str, *arguments: Any) -> _native.Invocation:
    """Begin any exported function with plain numbers."""
    session = program.new_session() if isinstance(program, rt.Program) else program
    return session.native.begin_raw(name, list(arguments))


def elementwise_function(
    name: str, dtype: DType, *, inputs: int = 2, executable: int = 0, yields: int = 0, barriers: int = 0
) -> tuple[VmFunction, FunctionRecord]:
    """A function of rank-1 arguments of equal size that runs one elementwise kernel (see `loop_kernel`)."""
    b = FunctionBuilder(name, argument_types=["ref"] * inputs, result_types=["ref"])
    views = b.arguments
    for i, view in enumerate(views):
        b.emit("hal.view.check", view, i, dtype, 1)
    (n,) = b.emit("hal.view.dim", views[0], 0)
    for i, view in enumerate(views[1:], 1):
        b.emit("hal.view.check_dim", view, i, 0, n)
    item, zero, one, last, shift = (b.emit("const.i64", v)[0] for v in (dtype.size_bytes, 0, 1, 63, 6))
    (size,) = b.emit("mul.i64", n, item)
    (out,) = b.emit("hal.buffer.allocate", size)
    buffers = [b.emit("hal.view.buffer", view)[0] for view in views]
    (padded,) = b.emit("add.i64", n, last)
    (groups,) = b.emit("shr_u.i64", padded, shift)
    for _ in range(yields):
        b.emit("yield")
    (commands,) = b.emit("hal.command_buffer.create", inputs + 1)
    bindings = tuple(Binding(i, zero, size, 1 if i < inputs else 2) for i in range(inputs + 1))
    for _ in range(barriers + 1):
        b.emit("hal.command_buffer.dispatch", commands, executable, 0, groups, one, one, (n,), bindings)
        b.emit("hal.command_buffer.barrier", commands)
    b.emit("hal.command_buffer.finalize", commands)
    (fence,) = b.emit("hal.fence.create")
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", commands, null, fence, (*buffers, out))
    b.emit("hal.fence.await", fence)
    (result,) = b.emit("hal.view.create", out, zero, dtype, (n,))
    b.emit("return", (result,))
    arguments = tuple(TensorSpec("xyzw"[i], dtype, (None,)) for i in range(inputs))
    return b.finish(), FunctionRecord(name, arguments, (TensorSpec("", dtype, (None,)),), name)
