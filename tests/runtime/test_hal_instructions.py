"""The HAL instructions of the VM: buffers, views, command buffers, fences; and every misuse is an error."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tesselle.runtime as rt
from tesselle.artifact.schema import FunctionRecord, TensorSpec
from tesselle.artifact.vm_encoding import encode
from tesselle.artifact.vm_isa import DTYPE_CODES, RegisterType
from tesselle.artifact.vm_module import Binding, FunctionBuilder, VmFunction, VmGlobal, VmModule
from tesselle.runtime import _native
from tesselle.support.diagnostics import ArtifactError, ExecutionError, InvocationError
from tesselle.support.dtypes import F32, I8, I16, I64
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_program, raw_begin, raw_call

Body = Callable[[FunctionBuilder], None]


def const(b: FunctionBuilder, value: int) -> int:
    return b.emit("const.i64", value)[0]


def run(b: FunctionBuilder, commands: int, buffers: tuple[int, ...], wait: int | None = None) -> int:
    """Finalize, execute and await; returns the fence."""
    b.emit("hal.command_buffer.finalize", commands)
    (fence,) = b.emit("hal.fence.create")
    if wait is None:
        (wait,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", commands, wait, fence, buffers)
    b.emit("hal.fence.await", fence)
    return fence


def test_fill_copy_and_load() -> None:
    b = FunctionBuilder("f", result_types=["i32", "i32", "i32", "i64", "f32", "f64", "i64"])
    zero, eight, size = (const(b, v) for v in (0, 8, 64))
    (x,) = b.emit("hal.buffer.allocate", size)
    (y,) = b.emit("hal.buffer.allocate", size)
    (commands,) = b.emit("hal.command_buffer.create", 2)
    pattern = const(b, struct.unpack("<q", struct.pack("<ff", -1.5, 2.5))[0])
    b.emit("hal.command_buffer.fill", commands, 0, zero, size, pattern, 8)
    b.emit("hal.command_buffer.barrier", commands)
    b.emit("hal.command_buffer.copy", commands, 0, eight, 1, zero, eight)
    run(b, commands, (x, y))
    loads = [b.emit(f"hal.buffer.load.{t}", y, zero)[0] for t in ("i8", "i16", "i32", "i64", "f32", "f64")]
    (length,) = b.emit("hal.buffer.length", y)
    b.emit("return", (*loads, length))
    raw = struct.pack("<ff", -1.5, 2.5)
    want = [struct.unpack_from(f"<{c}", raw)[0] for c in "bhiqfd"]
    assert raw_call(make_program([b.finish()]), "f") == [*want, 64]


def test_constants_are_read_only_and_copied_on_return() -> None:
    constant = np.arange(6, dtype=np.float32).reshape(2, 3)
    b = FunctionBuilder("main", result_types=["ref"])
    (c,) = b.emit("hal.constant", 0)
    zero, two, three = (const(b, v) for v in (0, 2, 3))
    (view,) = b.emit("hal.view.create", c, zero, F32, (two, three))
    b.emit("return", (view,))
    w = FunctionBuilder("write")
    (c,) = w.emit("hal.constant", 0)
    zero, size = const(w, 0), const(w, 24)
    (commands,) = w.emit("hal.command_buffer.create", 1)
    w.emit("hal.command_buffer.fill", commands, 0, zero, size, zero, 1)
    run(w, commands, (c,))
    w.emit("return", ())
    record = FunctionRecord("main", (), (TensorSpec("", F32, (2, 3)),), "main")
    program = make_program([b.finish(), w.finish()], [record], constants=[constant])
    first = program["main"]()
    np.testing.assert_array_equal(first, constant)
    first[:] = 9
    np.testing.assert_array_equal(program["main"](), constant)
    with pytest.raises(ExecutionError, match="writes a read-only buffer"):
        raw_call(program, "write")


def test_views() -> None:
    b = FunctionBuilder("f", result_types=["i64", "i64", "i64"])
    eight, two, one, size = (const(b, v) for v in (8, 2, 1, 64))
    (buffer,) = b.emit("hal.buffer.allocate", size)
    (view,) = b.emit("hal.view.create", buffer, eight, F32, (two, one, two))
    (part,) = b.emit("hal.view.buffer", view)
    (length,) = b.emit("hal.buffer.length", part)
    b.emit("return", (length, *b.emit("hal.view.dim", view, 0), *b.emit("hal.view.dim", view, 1)))
    assert raw_call(make_program([b.finish()]), "f") == [16, 2, 1]


def test_a_finalized_command_buffer_is_kept_in_a_global_and_used_again() -> None:
    """Also concurrently: it names slots, not buffers."""
    init = FunctionBuilder("init")
    zero, one, n, size = (const(init, v) for v in (0, 1, 100, 400))
    (commands,) = init.emit("hal.command_buffer.create", 3)
    bindings = (Binding(0, zero, size, 1), Binding(1, zero, size, 1), Binding(2, zero, size, 2))
    two = const(init, 2)
    init.emit("hal.command_buffer.dispatch", commands, 0, 0, two, one, one, (n,), bindings)
    init.emit("hal.command_buffer.finalize", commands)
    init.emit("global.store.ref", "commands", commands)
    init.emit("return", ())
    b = FunctionBuilder("main", argument_types=["ref", "ref"], result_types=["ref"])
    buffers = [b.emit("hal.view.buffer", v)[0] for v in b.arguments]
    zero, n, size = (const(b, v) for v in (0, 100, 400))
    (out,) = b.emit("hal.buffer.allocate", size)
    (commands,) = b.emit("global.load.ref", "commands")
    (fence,) = b.emit("hal.fence.create")
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", commands, null, fence, (*buffers, out))
    b.emit("hal.fence.await", fence)
    b.emit("return", b.emit("hal.view.create", out, zero, F32, (n,)))
    spec = TensorSpec("", F32, (100,))
    record = FunctionRecord("main", (spec, spec), (spec,), "main")
    variables = [VmGlobal("commands", RegisterType.REF)]
    program = make_program(
        [init.finish(), b.finish()], [record], variables=variables, initializer="init", images=[(ADD_IMAGE, [ADD])]
    )
    arrays = [np.full(100, i, np.float32) for i in range(20)]
    futures = [program["main"].submit(a, a) for a in arrays]
    for a, future in zip(arrays, futures, strict=True):
        np.testing.assert_array_equal(future.result(10), a + a)


def test_chained_submissions() -> None:
    """B waits for A by a fence; only B is awaited."""
    b = FunctionBuilder("f", result_types=["i32"])
    zero, one, four, value = (const(b, v) for v in (0, 1, 4, 0x01020304))
    x, y = (b.emit("hal.buffer.allocate", four)[0] for _ in range(2))
    (first,) = b.emit("hal.command_buffer.create", 1)
    b.emit("hal.command_buffer.fill", first, 0, zero, four, value, 4)
    b.emit("hal.command_buffer.finalize", first)
    (second,) = b.emit("hal.command_buffer.create", 2)
    b.emit("hal.command_buffer.copy", second, 0, zero, 1, zero, four)
    b.emit("hal.command_buffer.finalize", second)
    f1, f2 = (b.emit("hal.fence.create")[0] for _ in range(2))
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", first, null, f1, (x,))
    b.emit("hal.queue.execute", second, f1, f2, (x, y))
    b.emit("yield")
    b.emit("hal.fence.await", f2)
    b.emit("return", b.emit("hal.buffer.load.i32", y, zero))
    assert one
    program = make_program([b.finish()])
    for _ in range(200):
        assert raw_call(program, "f") == [0x01020304]


def test_results_of_a_global_are_copies() -> None:
    """A result that the session still holds is copied: the next call may write over it."""
    b = FunctionBuilder("main", argument_types=["ref"], result_types=["ref"])
    b.emit("global.store.ref", "state", 0)
    b.emit("return", b.emit("global.load.ref", "state"))
    spec = TensorSpec("x", F32, (None,))
    program = make_program(
        [b.finish()],
        [FunctionRecord("main", (spec,), (spec,), "main")],
        variables=[VmGlobal("state", RegisterType.REF)],
    )
    x = np.arange(3, dtype=np.float32)
    y = program["main"](x)
    x[:] = 7
    np.testing.assert_array_equal(y, [0, 1, 2])


def misuse(message: str) -> Callable[[Body], Body]:
    def note(body: Body) -> Body:
        MISUSES.append((message, body))
        return body

    return note


MISUSES: list[tuple[str, Body]] = []


@misuse("cannot allocate a buffer of -1 bytes")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.buffer.allocate", const(b, -1))


@misuse("cannot allocate a buffer of 4611686018427387904 bytes")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.buffer.allocate", const(b, 1 << 62))


@misuse("expected a buffer, found null")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.buffer.length", b.register("ref"))


@misuse("expected a buffer view, found a buffer")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.view.dim", b.emit("hal.buffer.allocate", const(b, 4))[0], 0)


@misuse("expected a fence, found a command buffer")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.fence.await", b.emit("hal.command_buffer.create", 0)[0])


@misuse("a read at offset 1 of a buffer of 4 bytes")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.buffer.load.i32", b.emit("hal.buffer.allocate", const(b, 4))[0], const(b, 1))


@misuse("a read at offset -1")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.buffer.load.i8", b.emit("hal.buffer.allocate", const(b, 4))[0], const(b, -1))


@misuse("a read at offset 0 of a buffer of 4 bytes")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.buffer.load.f64", b.emit("hal.buffer.allocate", const(b, 4))[0], const(b, 0))


@misuse("a view of 12 bytes at offset 0 is outside its buffer of 8 bytes")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.view.create", b.emit("hal.buffer.allocate", const(b, 8))[0], const(b, 0), F32, (const(b, 3),))


@misuse("a dimension of a view is -3")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.view.create", b.emit("hal.buffer.allocate", const(b, 8))[0], const(b, 0), F32, (const(b, -3),))


@misuse("the size of a view overflows")
def _(b: FunctionBuilder) -> None:
    big = const(b, 1 << 40)
    b.emit("hal.view.create", b.emit("hal.buffer.allocate", const(b, 8))[0], const(b, 0), F32, (big, big))


@misuse("axis 1 of a view of rank 1")
def _(b: FunctionBuilder) -> None:
    one = const(b, 1)
    (v,) = b.emit("hal.view.create", b.emit("hal.buffer.allocate", const(b, 8))[0], const(b, 0), F32, (one,))
    b.emit("hal.view.dim", v, 1)


@misuse("axis -1 of a view")
def _(b: FunctionBuilder) -> None:
    (v,) = b.emit("hal.view.create", b.emit("hal.buffer.allocate", const(b, 8))[0], const(b, 0), F32, ())
    b.emit("hal.view.dim", v, -1)


@misuse("a command buffer with -1 slots")
def _(b: FunctionBuilder) -> None:
    b.emit("hal.command_buffer.create", -1)


@misuse("a finalized command buffer cannot record")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 1)
    b.emit("hal.command_buffer.finalize", c)
    b.emit("hal.command_buffer.barrier", c)


@misuse("must be finalized before it is executed")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 0)
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", c, null, b.emit("hal.fence.create")[0], ())


@misuse("slot 3 of 2")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 2)
    n = const(b, 4)
    b.emit("hal.command_buffer.copy", c, 0, n, 3, n, n)


@misuse("a fill pattern of 3 bytes")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 2)
    n = const(b, 6)
    b.emit("hal.command_buffer.fill", c, 0, n, n, n, 3)


@misuse("a grid of 1 x -1 x 1 workgroups")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 1)
    one, minus = const(b, 1), const(b, -1)
    bindings = tuple(Binding(0, one, one, 1) for _ in range(3))
    b.emit("hal.command_buffer.dispatch", c, 0, 0, one, minus, one, (one,), bindings)


@misuse("a grid of 1048576 x 1048576 x 1048576 workgroups")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 1)
    big = const(b, 1 << 20)
    bindings = tuple(Binding(0, big, big, 1) for _ in range(3))
    b.emit("hal.command_buffer.dispatch", c, 0, 0, big, big, big, (big,), bindings)


def fill_misuse(b: FunctionBuilder, offset: int, length: int, table: int = 1) -> None:
    (c,) = b.emit("hal.command_buffer.create", 1)
    zero = const(b, 0)
    b.emit("hal.command_buffer.fill", c, 0, const(b, offset), const(b, length), zero, 1)
    (buffer,) = b.emit("hal.buffer.allocate", const(b, 8))
    run(b, c, (buffer,) * table)


@misuse("slot 0: 9 bytes at offset 0 are outside its buffer of 8 bytes")
def _(b: FunctionBuilder) -> None:
    fill_misuse(b, 0, 9)


@misuse("slot 0: 1 bytes at offset 8 are outside")
def _(b: FunctionBuilder) -> None:
    fill_misuse(b, 8, 1)


@misuse("slot 0: 1 bytes at offset -1 are outside")
def _(b: FunctionBuilder) -> None:
    fill_misuse(b, -1, 1)


@misuse("slot 0: -1 bytes at offset 1 are outside")
def _(b: FunctionBuilder) -> None:
    fill_misuse(b, 1, -1)


@misuse("are outside its buffer")
def _(b: FunctionBuilder) -> None:
    fill_misuse(b, (1 << 63) - 1, (1 << 63) - 1)


@misuse("a binding table of 2 buffers for a command buffer with 1 slots")
def _(b: FunctionBuilder) -> None:
    fill_misuse(b, 0, 8, table=2)


@misuse("slot 0 is null")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 1)
    zero = const(b, 0)
    b.emit("hal.command_buffer.fill", c, 0, zero, zero, zero, 1)
    run(b, c, (b.register("ref"),))


@misuse("a copy between ranges that overlap")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 1)
    zero, two, four = const(b, 0), const(b, 2), const(b, 4)
    b.emit("hal.command_buffer.copy", c, 0, zero, 0, two, four)
    run(b, c, b.emit("hal.buffer.allocate", const(b, 8)))


@misuse("does not raise a semaphore")
def _(b: FunctionBuilder) -> None:
    (c,) = b.emit("hal.command_buffer.create", 0)
    fence = run(b, c, ())
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", c, null, fence, ())
    (other,) = b.emit("hal.fence.create")
    b.emit("hal.queue.execute", c, fence, other, ())
    b.emit("yield")
    b.emit("hal.fence.await", other)


@pytest.mark.parametrize(("message", "body"), MISUSES, ids=[m for m, _ in MISUSES])
def test_misuse_is_an_error(message: str, body: Body) -> None:
    b = FunctionBuilder("f")
    body(b)
    b.emit("return", ())
    program = make_program([b.finish()], images=[(ADD_IMAGE, [ADD])])
    with pytest.raises(ExecutionError) as caught:
        raw_call(program, "f")
    assert message in str(caught.value)


def test_checks_of_arguments_by_the_program() -> None:
    """The manifest says one thing, the code another: the code's own checks hold."""
    function, _ = elementwise_function("main", F32)
    lying = FunctionRecord("main", (TensorSpec("x", I64, (None, 2)), TensorSpec("y", F32, (None,))), (), "main")
    program = make_program([function], [lying], images=[(ADD_IMAGE, [ADD])])
    with pytest.raises(InvocationError, match="argument 0: expected f32 of rank 1, found i64 of rank 2"):
        program["main"](np.zeros((1, 2), np.int64), np.zeros(1, np.float32))
    function, record = elementwise_function("main", F32)
    program = make_program([function], [record], images=[(ADD_IMAGE, [ADD])])
    with pytest.raises(InvocationError, match="argument 1: expected dimension 0 to be 3, found 4"):
        program["main"](np.zeros(3, np.float32), np.zeros(4, np.float32))


def test_dispatch_is_verified_against_the_executable() -> None:
    function, record = elementwise_function("main", F32, inputs=1)
    with pytest.raises(ArtifactError, match="2 bindings and 1 push constants for an entry of 3 and 1"):
        make_program([function], [record], images=[(ADD_IMAGE, [ADD])])
    with pytest.raises(ArtifactError, match="executable 0 of 0"):
        make_program([function], [record])


def test_work_that_is_dropped_fails_its_fence() -> None:
    """A call that is thrown away before its work ran does not leave others waiting for ever."""
    b = FunctionBuilder("f", argument_types=["ref", "ref"])
    (c,) = b.emit("hal.command_buffer.create", 0)
    b.emit("hal.command_buffer.finalize", c)
    b.emit("hal.queue.execute", c, 0, 1, ())
    b.emit("fail", "after all")
    never, fence = _native.Semaphore(0), _native.Semaphore(0)
    call = raw_begin(make_program([b.finish()]), "f", never, fence)
    with pytest.raises(ExecutionError, match="after all"):
        call.resume(100)
    with pytest.raises(ExecutionError, match="dropped before it ran"):
        fence.wait(1, 5.0)


def test_a_program_may_leave_work_unawaited() -> None:
    """Submitted work runs even if the call returns first."""
    b = FunctionBuilder("f", argument_types=["ref"])
    (c,) = b.emit("hal.command_buffer.create", 0)
    b.emit("hal.command_buffer.finalize", c)
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", c, null, 0, ())
    b.emit("return", ())
    fence = _native.Semaphore(0)
    call = raw_begin(make_program([b.finish()]), "f", fence)
    assert rt.Status(call.resume(100)) is rt.Status.DONE
    assert fence.wait(1, 10.0)


def test_host_functions_get_bytes_types_and_shapes() -> None:
    """They may not write to what the program may not write to."""
    calls: list[tuple[int, list[int], bytes]] = []

    def host_call(index: int, arguments: Any, results: Any) -> str | None:
        ((data, code, shape),) = arguments
        calls.append((code, shape, bytes(data)))
        for target, _, _ in results:
            memoryview(target)[:] = bytes(range(target.length))
        return "stop here" if index else None

    def build(name: str, index: int, target: Callable[[FunctionBuilder], int]) -> VmFunction:
        b = FunctionBuilder(name, result_types=["i32"])
        zero, two = const(b, 0), const(b, 2)
        (source,) = b.emit("hal.constant", 0)
        (argument,) = b.emit("hal.view.create", source, const(b, 4), I16, (two,))
        (result,) = b.emit("hal.view.create", target(b), zero, I8, (const(b, 4),))
        b.emit("hal.host_call", index, (argument,), (result,))
        (buffer,) = b.emit("hal.view.buffer", result)
        b.emit("return", b.emit("hal.buffer.load.i32", buffer, zero))
        return b.finish()

    def fresh(b: FunctionBuilder) -> int:
        return b.emit("hal.buffer.allocate", const(b, 4))[0]

    functions = (
        build("works", 0, fresh),
        build("fails", 1, fresh),
        build("misuses", 0, lambda b: b.emit("hal.constant", 0)[0]),
    )
    device = _native.Device(1, False, 0)
    data = bytes(range(8))
    program = _native.load_program(
        device, encode(VmModule(functions)), [(data, 0, 8)], [], 2, host_call, 64, -1, [], "", []
    )
    session = _native.Session(program)

    def run_one(name: str) -> list[Any]:
        call = session.begin_raw(name, [])
        assert call.resume(1 << 40) == rt.Status.DONE
        return call.raw_results()

    assert run_one("works") == [0x03020100]
    assert calls == [(DTYPE_CODES[I16], [2], data[4:])]
    with pytest.raises(ExecutionError, match="function 'fails': stop here"):
        run_one("fails")
    with pytest.raises(ExecutionError, match="would write to memory that is read-only"):
        run_one("misuses")
    assert len(calls) == 2
