"""Hand-assembled programs with variables, for tests of sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tesselle.runtime as rt
from tesselle.artifact import Artifact
from tesselle.artifact.schema import FunctionRecord, HostFunctionRecord, TensorSpec, VariableRecord
from tesselle.artifact.vm_isa import RegisterType
from tesselle.artifact.vm_module import FunctionBuilder, VmFunction, VmGlobal
from tesselle.support.custom_calls import CustomCall, HostFunction
from tesselle.support.dtypes import F32, I64, from_numpy
from vm_programs import make_artifact

COUNT = TensorSpec("", I64, ())
COUNTER = VariableRecord("counter", I64, (), "counter")
WEIGHTS = VariableRecord("weights", F32, (None,), "weights")
GLOBALS = tuple(VmGlobal(v.vm_global, RegisterType.REF) for v in (COUNTER, WEIGHTS))

Defined = tuple[VmFunction, FunctionRecord]


def fill(b: FunctionBuilder, buffer: int, value: int, *, wait: bool = True) -> None:
    """Put the number in register `value` into the first eight bytes, by a command buffer."""
    (zero,), (eight,) = b.emit("const.i64", 0), b.emit("const.i64", 8)
    (commands,) = b.emit("hal.command_buffer.create", 1)
    b.emit("hal.command_buffer.fill", commands, 0, zero, eight, value, 8)
    b.emit("hal.command_buffer.finalize", commands)
    (fence,) = b.emit("hal.fence.create")
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", commands, null, fence, (buffer,))
    if wait:
        b.emit("hal.fence.await", fence)


def new_count(b: FunctionBuilder, value: int) -> int:
    """A view tensor<i64> in a new buffer."""
    (zero,), (eight,) = b.emit("const.i64", 0), b.emit("const.i64", 8)
    (buffer,) = b.emit("hal.buffer.allocate", eight)
    fill(b, buffer, value)
    return b.emit("hal.view.create", buffer, zero, I64, ())[0]


def count_up(b: FunctionBuilder) -> int:
    """Read the counter, give way to other calls, write one more into the same memory; the variable's own view."""
    (view,) = b.emit("global.load.ref", "counter")
    (buffer,) = b.emit("hal.view.buffer", view)
    (zero,), (one,) = b.emit("const.i64", 0), b.emit("const.i64", 1)
    (before,) = b.emit("hal.buffer.load.i64", buffer, zero)
    b.emit("yield")
    (after,) = b.emit("add.i64", before, one)
    fill(b, buffer, after)
    return view


def function(
    name: str,
    body: Callable[[FunctionBuilder], Sequence[int]],
    *,
    arguments: Sequence[TensorSpec] = (),
    results: Sequence[TensorSpec] = (COUNT,),
    updates: bool = True,
) -> Defined:
    """A function whose body gives the registers of its results."""
    b = FunctionBuilder(name, argument_types=["ref"] * len(arguments), result_types=["ref"] * len(results))
    b.emit("return", tuple(body(b)))
    return b.finish(), FunctionRecord(name, tuple(arguments), tuple(results), name, updates=updates)


def _initialize(b: FunctionBuilder) -> Sequence[int]:
    (zero,) = b.emit("const.i64", 0)
    b.emit("global.store.ref", "counter", new_count(b, zero))
    (data,) = b.emit("hal.constant", 0)
    (three,) = b.emit("const.i64", 3)
    # A view of a constant: the variable gets memory of its own.
    (view,) = b.emit("hal.view.create", data, zero, F32, (three,))
    b.emit("global.store.ref", "weights", view)
    return ()


def _replace(b: FunctionBuilder) -> Sequence[int]:
    (view,) = b.emit("global.load.ref", "counter")
    (buffer,) = b.emit("hal.view.buffer", view)
    (zero,), (one,) = b.emit("const.i64", 0), b.emit("const.i64", 1)
    (before,) = b.emit("hal.buffer.load.i64", buffer, zero)
    (after,) = b.emit("add.i64", before, one)
    new = new_count(b, after)
    b.emit("yield")
    b.emit("global.store.ref", "counter", new)
    return (new,)


def _assign(b: FunctionBuilder) -> Sequence[int]:
    b.emit("global.store.ref", "weights", b.arguments[0])
    return b.emit("global.load.ref", "weights")


def _fail_midway(b: FunctionBuilder) -> Sequence[int]:
    count_up(b)
    (one,) = b.emit("const.i32", 1)
    b.emit("cond_fail", one, "on purpose")
    return b.emit("global.load.ref", "counter")


def _fail_at_once(b: FunctionBuilder) -> Sequence[int]:
    (one,) = b.emit("const.i32", 1)
    b.emit("cond_fail", one, "before anything")
    return (count_up(b),)


def _same_size(b: FunctionBuilder) -> Sequence[int]:
    x, y = b.arguments
    (n,) = b.emit("hal.view.dim", x, 0)
    b.emit("hal.view.check_dim", y, 1, 0, n)
    return (count_up(b),)


def _host(b: FunctionBuilder) -> Sequence[int]:
    view = count_up(b)
    b.emit("hal.host_call", 0, (view,), ())
    return (view,)


def _count_behind(b: FunctionBuilder) -> Sequence[int]:
    """Leaves the work that writes the counter to whoever comes next."""
    (view,) = b.emit("global.load.ref", "counter")
    (buffer,) = b.emit("hal.view.buffer", view)
    (zero,), (one,) = b.emit("const.i64", 0), b.emit("const.i64", 1)
    (before,) = b.emit("hal.buffer.load.i64", buffer, zero)
    (after,) = b.emit("add.i64", before, one)
    fill(b, buffer, after, wait=False)
    return ()


VECTOR = TensorSpec("x", F32, (None,))

FUNCTIONS = (
    function("increment", lambda b: (count_up(b),)),
    function("replace", _replace),
    function("peek", lambda b: b.emit("global.load.ref", "counter"), updates=False),
    function("assign", _assign, arguments=[VECTOR], results=[VECTOR]),
    function("fail_midway", _fail_midway),
    function("fail_at_once", _fail_at_once),
    function("count_behind", _count_behind, results=[]),
    function("fail_reading", _fail_midway, updates=False),
    function("same_size", _same_size, arguments=[VECTOR, TensorSpec("y", F32, (None,))]),
)
HOST = function("host", _host)


def stateful_artifact(*more: Defined, host: bool = True) -> Artifact:
    """A program with variables `counter` (tensor<i64>, 0) and `weights` (tensor<?xf32>, [1, 2, 3]).

    `increment` and `replace` count by one, in place and with new memory, and give way to other calls in the middle:
    where calls are not ordered, counts get lost. `peek` reads. `assign(x)` sets the weights. `fail_…` fail. `host`
    counts, then makes the custom call @hook with the counter; without `host` the program has no custom call.
    """
    init, _ = function("initialize", _initialize, results=[])
    defined = [*FUNCTIONS, *([HOST] if host else []), *more]
    return make_artifact(
        [init, *(f for f, _ in defined)],
        [r for _, r in defined],
        variables=GLOBALS,
        state=(COUNTER, WEIGHTS),
        state_initializer="initialize",
        constants=[np.array([1, 2, 3], np.float32)],
        host_functions=[HostFunctionRecord("hook", CustomCall("hook").to_json())] if host else [],
    )


def stateful_program(*more: Defined, device: str = "cpu:threads=1", hook: HostFunction | None = None) -> rt.Program:
    """`stateful_artifact`, loaded; `hook` is the function behind its custom call."""
    return rt.load(stateful_artifact(*more), device, custom_calls={"hook": hook or (lambda call, count: None)})


def variables_program(values: dict[str, np.ndarray[Any, Any]], dynamic: Sequence[str] = ()) -> rt.Program:
    """A program with a variable for each array, which it begins with; `dynamic` ones take any sizes."""
    b = FunctionBuilder("initialize")
    (zero,) = b.emit("const.i64", 0)
    records: list[VariableRecord] = []
    for i, (name, value) in enumerate(values.items()):
        dtype = from_numpy(value.dtype)
        (data,) = b.emit("hal.constant", i)
        dims = tuple(b.emit("const.i64", d)[0] for d in value.shape)
        (view,) = b.emit("hal.view.create", data, zero, dtype, dims)
        b.emit("global.store.ref", f"g{i}", view)
        shape = (None,) * value.ndim if name in dynamic else value.shape
        records.append(VariableRecord(name, dtype, shape, f"g{i}"))
    b.emit("return", ())
    globals_ = [VmGlobal(r.vm_global, RegisterType.REF) for r in records]
    artifact = make_artifact(
        [b.finish()],
        variables=globals_,
        state=records,
        state_initializer="initialize",
        constants=list(values.values()),
    )
    return rt.load(artifact)
