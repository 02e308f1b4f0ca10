"""Calling programs from Python: arguments of every kind, results, errors, futures, sessions, devices."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import subprocess
import sys
import weakref
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import tesselle.runtime as rt
from flat_images import Kernel, flat_image, loop_kernel
from tesselle.artifact.schema import FunctionRecord, TensorSpec
from tesselle.artifact.vm_module import FunctionBuilder
from tesselle.runtime.hal import open_device, parse_device
from tesselle.support.diagnostics import ExecutionError, InvocationError, OptionError
from tesselle.support.dtypes import BF16, DTYPES, F32, I4, I32, DType
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_program

Array = Any


@pytest.fixture(scope="module")
def add() -> rt.Program:
    function, record = elementwise_function("main", F32)
    return make_program([function], [record], images=[(ADD_IMAGE, [ADD])])


def identity(dtype: DType, rank: int = 1) -> rt.Program:
    """A program that returns its argument (as a copy: it is the caller's memory)."""
    b = FunctionBuilder("main", argument_types=["ref"], result_types=["ref"])
    b.emit("hal.view.check", 0, 0, dtype, rank)
    b.emit("return", (0,))
    spec = TensorSpec("x", dtype, (None,) * rank)
    return make_program([b.finish()], [FunctionRecord("main", (spec,), (spec,), "main")])


def test_call_forms(add: rt.Program) -> None:
    x, y = np.arange(5, dtype=np.float32), np.ones(5, np.float32)
    main = add["main"]
    for z in (main(x, y), main(x, y=y), main(y=y, x=x), main.submit(x, y).result(), main.submit(x=x, y=y).result()):
        np.testing.assert_array_equal(z, x + y)
        assert z.dtype == np.float32 and z.flags.writeable and z.flags.c_contiguous


@pytest.mark.parametrize("name", [n for n in DTYPES if n != "index"])
def test_every_dtype_goes_in_and_out(name: str) -> None:
    dtype = DTYPES[name]
    program = identity(dtype)
    values = np.array([0, 1, 1, 0, 1])
    x = values.astype(np.float32).astype(dtype.numpy) if "f" in name else values.astype(dtype.numpy)
    y = program["main"](x)
    assert y.dtype == x.dtype and y.tobytes() == x.tobytes()
    assert not np.shares_memory(x.view(np.uint8), y.view(np.uint8))
    np.testing.assert_array_equal(program["main"](x[::2]).view(np.uint8), np.ascontiguousarray(x[::2]).view(np.uint8))
    assert program["main"](x[:0]).shape == (0,)


@pytest.mark.parametrize("dtype", [F32, BF16, I4])
def test_every_rank(dtype: DType) -> None:
    for rank in (0, 1, 3, 8):
        x = np.ones((1, 2, 1, 2, 1, 2, 1, 2)[:rank], dtype.numpy)
        y = identity(dtype, rank)["main"](x)
        assert y.shape == x.shape and y.dtype == x.dtype and y.tobytes() == x.tobytes()


def test_other_layouts_and_kinds(add: rt.Program) -> None:
    base = np.arange(12, dtype=np.float32)
    ones = np.ones(6, np.float32)
    unaligned = np.frombuffer(b"\0" + base[:6].tobytes(), np.uint8)[1:].view(np.float32)
    readonly = base[:6].copy()
    readonly.flags.writeable = False

    class WithArray:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            return base[:6]

    for value in (
        base[::2] // 2,
        base[11:5:-1] - 6,
        unaligned,
        readonly,
        base[:6].astype(">f4").astype("<f4"),
        memoryview(base[:6].copy()),
        WithArray(),
        [0, 1, 2, 3, 4, 5],
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        (0, 1, 2, 3, 4, 5),
    ):
        z = add["main"](value, ones)
        np.testing.assert_allclose(np.sort(z), np.arange(6) + 1)


def test_arrays_of_jax(add: rt.Program) -> None:
    import jax.numpy as jnp

    ones = np.ones(6, np.float32)
    np.testing.assert_array_equal(add["main"](jnp.arange(6, dtype=jnp.float32), ones), np.arange(6) + 1)
    bf16 = identity(BF16)["main"]
    np.testing.assert_array_equal(bf16(jnp.arange(4, dtype=jnp.bfloat16)).astype(int), np.arange(4))


def test_tensors_of_torch(add: rt.Program) -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(6, dtype=torch.float32)
    np.testing.assert_array_equal(add["main"](x, x[::2].repeat(2)), [0, 3, 6, 3, 6, 9])


def test_python_numbers() -> None:
    b = FunctionBuilder("main", argument_types=["ref"], result_types=["ref"])
    b.emit("return", (0,))
    spec = TensorSpec("x", I32, ())
    main = make_program([b.finish()], [FunctionRecord("main", (spec,), (spec,), "main")])["main"]
    assert main(3) == 3 and main(True) == 1 and main(np.int32(4)) == 4
    for value, text in ((1.5, "i32 cannot hold Python values of type float64"), (1 << 40, "argument 0 ('x')")):
        with pytest.raises(InvocationError) as caught:
            main(value)
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((np.zeros(2),), {}, "takes 2 arguments, 1 given: missing argument 1 ('y')"),
        ((), {}, "takes 2 arguments, 0 given: missing arguments 0 ('x'), 1 ('y')"),
        ((1, 2, 3), {}, "takes 2 arguments, 3 given"),
        ((1,), {"z": 1}, "no argument named 'z'; there are: x, y"),
        ((1, 2), {"x": 1}, "argument 'x' is given by position and by name"),
        ((np.zeros(2), np.zeros(2, "f")), {}, "argument 0 ('x'): expected dtype f32, found f64"),
        (
            (np.zeros(2, "f"), np.zeros((2, 2), "f")),
            {},
            "argument 1 ('y'): expected rank 1 (tensor<?xf32>), found rank 2",
        ),
        (("text", 1), {}, "argument 0 ('x'): expected an array (x: tensor<?xf32>), found str"),
        ((None, 1), {}, "argument 0 ('x'): expected an array (x: tensor<?xf32>), found NoneType"),
        (([[1], [1, 2]], 1), {}, "found a ragged list"),
        ((np.array(["a"]), 1), {}, "expected dtype f32, found <U1"),
        ((np.array([object()]), 1), {}, "expected dtype f32, found object"),
    ],
)
def test_wrong_arguments(add: rt.Program, args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    for call in (add["main"], add["main"].submit, add["main"].begin):
        with pytest.raises(InvocationError) as caught:
            call(*args, **kwargs)
        assert "function 'main'" in str(caught.value)
        assert text in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_wrong_shape_names_both() -> None:
    b = FunctionBuilder("main", argument_types=["ref"])
    b.emit("return", ())
    record = FunctionRecord("main", (TensorSpec("", F32, (2, None, 3)),), (), "main")
    main = make_program([b.finish()], [record])["main"]
    main(np.zeros((2, 7, 3), np.float32))
    with pytest.raises(InvocationError, match=r"argument 0: expected tensor<2x\?x3xf32>, found tensor<2x7x4xf32>"):
        main(np.zeros((2, 7, 4), np.float32))


def test_missing_function(add: rt.Program) -> None:
    with pytest.raises(InvocationError, match=r"no function named 'mian' .*did you mean 'main'\?"):
        add["mian"]
    assert "main" in add and "mian" not in add
    assert list(add.functions) == ["main"]


def test_results_own_their_memory(add: rt.Program) -> None:
    x = np.ones(1000, np.float32)
    results = [add["main"](x, x * i) for i in range(50)]
    for i, r in enumerate(results):
        np.testing.assert_array_equal(r, 1 + i)
    view = results[3][10:20]
    del results
    gc.collect()
    for _ in range(50):
        add["main"](x, x)
    np.testing.assert_array_equal(view, 4)


def test_arguments_are_released(add: rt.Program) -> None:
    class Traced(np.ndarray[Any, Any]):
        pass

    x = np.ones(8, np.float32).view(Traced)
    gone = weakref.ref(x)
    y = add["main"](x, x)
    del x
    gc.collect()
    assert gone() is None
    assert y.sum() == 16


def test_results_return_to_the_allocator() -> None:
    function, record = elementwise_function("main", F32)
    program = make_program([function], [record], images=[(ADD_IMAGE, [ADD])], device="cpu:threads=1,cache_mb=64")
    memory = program.device.native.memory  # type: ignore[attr-defined]  # the CPU's
    x = np.ones(1 << 20, np.float32)
    y = program["main"](x, x)
    in_use, *_ = memory()
    assert in_use >= y.nbytes
    addresses = set()
    for _ in range(5):
        y = program["main"](x, x)
        addresses.add(y.__array_interface__["data"][0])
    assert len(addresses) <= 2
    del y
    assert memory()[0] < x.nbytes <= memory()[1]
    program.device.native.trim()  # type: ignore[attr-defined]  # the CPU's
    assert memory()[1] == 0


def test_a_program_goes_at_once() -> None:
    """Without waiting for the garbage collector: it holds the constants."""
    function, record = elementwise_function("main", F32)
    program = make_program([function], [record], images=[(ADD_IMAGE, [ADD])])
    x = np.ones(4, np.float32)
    main, session = program["main"], program.new_session()
    gone = weakref.ref(program)
    gc.disable()
    try:
        del program
        assert session["main"](x, x).sum() == 8
        del session
        assert gone() is None
    finally:
        gc.enable()
    assert main(x, x).sum() == 8


def test_several_results_are_a_tuple() -> None:
    b = FunctionBuilder("main", argument_types=["ref", "ref"], result_types=["ref", "ref", "ref"])
    b.emit("return", (1, 0, 1))
    spec = TensorSpec("x", F32, (None,))
    record = FunctionRecord("main", (spec, TensorSpec("y", F32, (None,))), (spec,) * 3, "main")
    x, y = np.zeros(2, np.float32), np.ones(3, np.float32)
    results = make_program([b.finish()], [record])["main"](x, y)
    assert isinstance(results, tuple)
    for have, want in zip(results, (y, x, y), strict=True):
        np.testing.assert_array_equal(have, want)
    assert not np.shares_memory(results[0], results[2])


def test_futures(add: rt.Program) -> None:
    x = np.ones(4, np.float32)
    futures = [add["main"].submit(x, x * i) for i in range(100)]
    done, waiting = concurrent.futures.wait(futures, timeout=30)
    assert len(done) == 100 and not waiting
    for i, future in enumerate(futures):
        assert future.done() and future.exception() is None
        np.testing.assert_array_equal(future.result(), 1 + i)
    seen: list[Any] = []
    futures[0].add_done_callback(seen.append)
    assert seen == [futures[0]]

    async def gather() -> list[Any]:
        return await asyncio.gather(*(asyncio.wrap_future(add["main"].submit(x, x)) for _ in range(3)))

    assert [r.sum() for r in asyncio.run(gather())] == [8, 8, 8]


def test_a_failing_future() -> None:
    b = FunctionBuilder("main")
    b.emit("yield")
    b.emit("fail", "as it should")
    future = make_program([b.finish()], [FunctionRecord("main", (), (), "main")])["main"].submit()
    with pytest.raises(ExecutionError, match="as it should"):
        future.result(10)


def test_profile(add: rt.Program) -> None:
    x = np.ones(200, np.float32)
    with add.profile() as profile:
        for _ in range(3):
            add["main"](x, x)
        with pytest.raises(InvocationError, match="being profiled"), add.profile():
            pass
    assert sum(r.count for r in profile.records) == 3
    assert sum(r.workgroups for r in profile.records) == 3 * 4
    for r in profile.records:
        assert (r.executable, r.entry) == (0, 0)
        assert r.end_ns >= r.start_ns > 0
    assert list(profile.busy_ns_by_entry()) == [(0, 0)]
    with add.profile() as nothing:
        pass
    assert nothing.records == []


def test_devices() -> None:
    ids = [str(d) for d in rt.devices()]
    assert "cpu" in ids
    assert open_device("cpu:threads=2") is open_device("cpu:threads=2")
    assert open_device("cpu:threads=2").info.properties["threads"] == "2"
    assert parse_device("cpu:0:threads=2,pin=0").options == (("pin", "0"), ("threads", "2"))
    for text, message in (
        ("gpu9", "no device driver named 'gpu9'; there are: cpu"),
        ("cpu:1", "there is only cpu:0"),
        ("cpu:threads=0", "threads=0 is not a number from 1 to 4096"),
        ("cpu:threads=x", "threads=x is not a number"),
        ("cpu:speed=9", "no option 'speed'"),
        ("cpu:threads", "'threads' is not an option of the form key=value"),
        ("cpu:threads=1,threads=2", "is not an option"),
        ("cpu:0:a=1:b=2", "expected driver"),
        ("", "no device driver named ''"),
    ):
        with pytest.raises(OptionError) as caught:
            open_device(text)
        assert message in str(caught.value)


def test_kernels_see_the_grid_and_local_memory() -> None:
    """Each workgroup writes its linear number, which it has carried through its local memory."""
    ir = """
define void @numbers(ptr %bindings, ptr %push, i64 %wx, i64 %wy, i64 %wz, ptr %local) {
  %nx = load i64, ptr %push
  %pny = getelementptr i64, ptr %push, i64 1
  %ny = load i64, ptr %pny
  %a = mul i64 %wz, %ny
  %b = add i64 %a, %wy
  %c = mul i64 %b, %nx
  %d = add i64 %c, %wx
  %far = getelementptr i64, ptr %local, i64 511
  store volatile i64 %d, ptr %far
  %e = load volatile i64, ptr %far
  %out = load ptr, ptr %bindings
  %at = getelementptr i64, ptr %out, i64 %d
  store i64 %e, ptr %at
  ret void
}
"""
    image = flat_image(ir, Kernel("numbers", 1, 2, local_memory=4096))
    for threads in (1, 2):
        device = open_device(f"cpu:threads={threads}")
        executable = device.load_executable(image, "numbers")
        out = device.allocate(8 * 30 * 20 * 10)
        commands = device.create_command_buffer(1)
        from tesselle.runtime.hal import Access, Binding

        commands.dispatch(executable, 0, (30, 20, 10), [30, 20], [Binding(0, 0, out.length, Access.WRITE)])
        commands.finalize()
        for _ in range(20):
            done = device.create_semaphore()
            device.submit(commands, [out], signals=[(done, 1)])
            assert done.wait(1, 10)
            np.testing.assert_array_equal(np.frombuffer(out.map(), np.int64), np.arange(6000))


def test_bf16_arithmetic_through_a_kernel() -> None:
    image = flat_image(loop_kernel("neg", "i16", "%r = xor i16 %a, -32768", inputs=1), Kernel("neg", 2, 1))
    function, record = elementwise_function("main", BF16, inputs=1)
    program = make_program([function], [record], images=[(image, [Kernel("neg", 2, 1)])])
    x = np.arange(100).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(program["main"](x), -x)


def test_the_runtime_imports_no_compiler() -> None:
    code = (
        "import sys, tesselle.runtime\n"
        "bad = [m for m in sys.modules if m.split('.')[0] == 'llvmlite' or m.startswith(("
        "'tesselle.ir', 'tesselle.dialects', 'tesselle.passes', 'tesselle.codegen', 'tesselle.compiler'))]\n"
        "print(bad)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "[]\n"
