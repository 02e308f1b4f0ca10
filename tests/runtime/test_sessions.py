"""Sessions: variables as NumPy arrays, as files, and what artifacts may say of them."""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
import weakref
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from stateful_programs import COUNTER, GLOBALS, function, stateful_artifact, stateful_program, variables_program

import tesselle.runtime as rt
from tesselle.artifact.schema import VariableRecord
from tesselle.artifact.vm_isa import RegisterType
from tesselle.artifact.vm_module import FunctionBuilder, VmGlobal
from tesselle.runtime import _native
from tesselle.support.diagnostics import ArtifactError, ExecutionError, InvocationError, SessionError
from tesselle.support.dtypes import DTYPES, F32, I64
from vm_programs import make_artifact, raw_call

Array = np.ndarray[Any, Any]

VALUES: dict[str, Array] = {
    "scalar": np.array(2.5, np.float32),
    "layer/kernel:0": np.arange(6, dtype=np.float64).reshape(2, 3),
    "bf16": np.array([1, -2, 0.5]).astype(ml_dtypes.bfloat16),
    "i1": np.array([[True], [False]]),
    "i4": np.array([-8, 7, 0]).astype(ml_dtypes.int4),
    "complex64": np.array([1 + 2j], np.complex64),
    "complex128": np.array([[1 - 2j, 3j]], np.complex128),
    "f8": np.array([1.5, -2]).astype(ml_dtypes.float8_e4m3fn),
    "f8fnuz": np.array([1.5, -2]).astype(ml_dtypes.float8_e5m2fnuz),
    "empty": np.zeros((0, 4), np.int16),
    "sizes": np.arange(8, dtype=np.uint16).reshape(2, 4),
}
OTHERS: dict[str, Array] = {
    **{name: value[::-1].copy() if value.ndim else value + 1 for name, value in VALUES.items()},
    "sizes": np.arange(3, dtype=np.uint16).reshape(3, 1),
}


def assert_same_state(found: dict[str, Array], expected: dict[str, Array]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


def test_values_go_out_and_in() -> None:
    session = variables_program(VALUES, ["sizes"]).new_session()
    assert list(session.variables) == list(VALUES)
    assert str(session.variables["sizes"]) == "sizes: tensor<?x?xui16>"
    assert_same_state(session.state_dict(), VALUES)
    session.load_state_dict(OTHERS)
    assert_same_state(session.state_dict(), OTHERS)
    session.reset()
    assert_same_state(session.state_dict(), VALUES)


@pytest.mark.parametrize("name", [n for n in DTYPES if n != "index"])
def test_every_dtype(name: str, tmp_path: Path) -> None:
    values = np.array([0, 1, 1, 0, 1])
    x = values.astype(np.float32).astype(DTYPES[name].numpy) if "f" in name else values.astype(DTYPES[name].numpy)
    program = variables_program({"x": x})
    session = program.new_session()
    session.load_state_dict({"x": x[::-1]})  # not contiguous
    session.save(tmp_path / "x.safetensors")
    other = program.new_session()
    other.load(tmp_path / "x.safetensors")
    assert other.state_dict()["x"].tobytes() == np.ascontiguousarray(x[::-1]).tobytes()


def test_values_are_copies() -> None:
    program = stateful_program()
    session = program.new_session()
    weights = np.ones(4, np.float32)
    session.load_state_dict({"counter": 5, "weights": weights})
    weights[:] = 7
    state = session.state_dict()
    np.testing.assert_array_equal(state["weights"], np.ones(4))
    state["weights"][:] = 8
    np.testing.assert_array_equal(session.state_dict()["weights"], np.ones(4))
    # An argument that a program keeps is the caller's memory, and a result may be a variable's.
    kept = session["assign"](weights)
    weights[:] = 9
    kept[:] = 10
    np.testing.assert_array_equal(session.state_dict()["weights"], np.full(4, 7))
    before = session["increment"]()
    session["increment"]()
    assert (before, session.state_dict()["counter"]) == (6, 7)


def test_the_memory_of_variables_is_aligned() -> None:
    address = []

    def hook(call: Any, count: Array) -> None:
        address.append(count.ctypes.data)

    session = stateful_program(hook=hook).new_session()
    session.load_state_dict({"counter": np.array(1), "weights": [1.0]})
    session["host"]()
    assert address[0] % 64 == 0


def test_values_are_what_calls_take() -> None:
    session = stateful_program().session
    session.load_state_dict({"counter": 3, "weights": [1.0, 2.0]})
    assert_same_state(session.state_dict(), {"counter": np.array(3, np.int64), "weights": np.array([1, 2], np.float32)})


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"weights": [1.0]}, "missing variable 'counter'"),
        ({}, "missing variables 'counter', 'weights'"),
        ({"counter": 1, "weights": [1.0], "w": 1}, "unexpected variable 'w'"),
        ({"counter": np.int32(1), "weights": [1.0]}, "variable 'counter': expected dtype i64, found i32"),
        ({"counter": [1], "weights": [1.0]}, "variable 'counter': expected rank 0 (tensor<i64>), found rank 1"),
        ({"counter": 1, "weights": np.ones((2, 2), "f")}, "variable 'weights': expected rank 1 (tensor<?xf32>)"),
        ({"counter": 1, "weights": "text"}, "variable 'weights': expected an array (tensor<?xf32>), found str"),
        ({"counter": 1 << 70, "weights": [1.0]}, "variable 'counter': i64 cannot hold"),
    ],
)
def test_wrong_states(state: dict[str, Any], text: str) -> None:
    session = stateful_program().new_session()
    session["increment"]()
    before = session.state_dict()
    with pytest.raises(InvocationError) as caught:
        session.load_state_dict(state)
    assert text in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert_same_state(session.state_dict(), before)


def test_static_shapes_are_held_to() -> None:
    session = variables_program({"x": np.zeros((2, 3), np.float32)}).session
    for shape in ((3, 2), (2, 0), (6,)):
        with pytest.raises(InvocationError, match=r"variable 'x': expected .*tensor<2x3xf32>"):
            session.load_state_dict({"x": np.zeros(shape, np.float32)})


def test_parts_of_a_state() -> None:
    session = stateful_program().new_session()
    session.load_state_dict({"counter": 8, "other": 1}, strict=False)
    assert_same_state(
        session.state_dict(), {"counter": np.array(8, np.int64), "weights": np.array([1, 2, 3], np.float32)}
    )
    session.load_state_dict({}, strict=False)
    with pytest.raises(InvocationError, match="variable 'counter'"):
        session.load_state_dict({"weights": [5.0], "counter": 1.5}, strict=False)
    np.testing.assert_array_equal(session.state_dict()["weights"], [1, 2, 3])


def test_files(tmp_path: Path) -> None:
    program = variables_program(VALUES, ["sizes"])
    session, other = program.new_session(), program.new_session()
    session.load_state_dict(OTHERS)
    path = tmp_path / "state.safetensors"
    session.save(path)
    assert list(tmp_path.iterdir()) == [path]
    other.load(str(path))
    assert_same_state(other.state_dict(), OTHERS)


def test_files_of_the_safetensors_package(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "state.safetensors"
    session = stateful_program().new_session()
    save_file({"counter": np.array(4), "weights": np.ones(5, np.float32)}, path, {"format": "np"})
    session.load(path)
    assert (session["peek"](), session.state_dict()["weights"].size) == (4, 5)
    session.save(path)
    np.testing.assert_array_equal(load_file(path)["weights"], np.ones(5))


def test_errors_of_files_name_them(tmp_path: Path) -> None:
    session = stateful_program().new_session()
    path = tmp_path / "state.safetensors"
    with pytest.raises(FileNotFoundError):
        session.load(path)
    path.write_bytes(b"no tensors here")
    with pytest.raises(ArtifactError, match=r"state\.safetensors: is not a safetensors file"):
        session.load(path)
    variables_program({"counter": np.zeros(2, np.int64)}).session.save(path)
    with pytest.raises(InvocationError, match=r"state\.safetensors: missing variable 'weights'"):
        session.load(path)
    with pytest.raises(InvocationError, match=r"state\.safetensors: variable 'counter': expected rank 0"):
        session.load(path, strict=False)


def test_sessions_are_independent() -> None:
    program = stateful_program()
    first, second = program.new_session(), program.new_session()
    for _ in range(3):
        first["increment"]()
    program["increment"]()
    assert [s["peek"]() for s in (first, second, program.session)] == [3, 0, 1]
    assert program["peek"] is program.session["peek"]
    second.reset()
    first.load_state_dict({"counter": 9, "weights": []})
    assert [s["peek"]() for s in (first, second, program.session)] == [9, 0, 1]


@pytest.mark.parametrize("device", ["cpu:threads=1", "cpu:threads=2", "cpu:threads=4,pin=0"])
def test_sessions_in_threads(device: str) -> None:
    """Eight sessions of one program, each in a thread of its own: nobody sees another's variables."""
    program = stateful_program(device=device)
    failures: list[str] = []

    def work(number: int) -> None:
        try:
            session = program.new_session()
            session.load_state_dict({"counter": 1000 * number, "weights": np.full(number, number, np.float32)})
            for i in range(1, 101):
                count = session["increment"]() if i % 3 else session["replace"].submit().result(60)
                if count != 1000 * number + i:
                    failures.append(f"session {number}, call {i}: {count}")
            weights = session.state_dict()["weights"]
            if weights.tolist() != [number] * number:
                failures.append(f"session {number}: {weights}")
        except Exception as error:
            failures.append(f"session {number}: {error!r}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures
    assert program["peek"]() == 0


def test_programs_without_variables() -> None:
    program = variables_program({})
    assert program.session.state_dict() == {}
    program.session.load_state_dict({})
    program.session.reset()
    with pytest.raises(InvocationError, match="unexpected variable 'x'"):
        program.session.load_state_dict({"x": 1})


def next_number(b: FunctionBuilder) -> tuple[int]:
    (before,), (one,) = b.emit("global.load.i64", "n"), b.emit("const.i64", 1)
    (after,) = b.emit("add.i64", before, one)
    b.emit("global.store.i64", "n", after)
    return (after,)


@pytest.mark.parametrize("with_variables", [False, True])
def test_reset_of_other_globals(with_variables: bool) -> None:
    """They are what code keeps for itself; where calls are in no order, a reset could take it from under them."""
    b = FunctionBuilder("next", result_types=["i64"])
    b.emit("return", next_number(b))
    numbers = VmGlobal("n", RegisterType.I64, 40)
    more: dict[str, Any] = {"state": [COUNTER]} if with_variables else {}
    session = rt.load(make_artifact([b.finish()], variables=[*GLOBALS, numbers], **more)).new_session()
    if with_variables:
        session.load_state_dict({"counter": 0})
    assert [raw_call(session, "next") for _ in range(2)] == [[41], [42]]
    session.reset()
    if with_variables:
        session.load_state_dict({"counter": 0})
    assert raw_call(session, "next") == [41 if with_variables else 43]


def test_a_failing_initializer() -> None:
    b = FunctionBuilder("initialize")
    b.emit("fail", "no memory for it")
    artifact = make_artifact([b.finish()], state_initializer="initialize")
    with pytest.raises(ExecutionError, match="function 'initialize': no memory for it"):
        rt.load(artifact)


def test_an_initializer_that_fails_later() -> None:
    """A session that cannot be reset is unusable; one with given values is usable again."""
    raising = False

    def hook(call: Any) -> None:
        if raising:
            raise ValueError("not again")

    b = FunctionBuilder("initialize")
    (eight,), (zero,) = b.emit("const.i64", 8), b.emit("const.i64", 0)
    (buffer,) = b.emit("hal.buffer.allocate", eight)
    (view,) = b.emit("hal.view.create", buffer, zero, I64, ())
    b.emit("global.store.ref", "counter", view)
    b.emit("hal.host_call", 0, (), ())
    b.emit("return", ())
    peek, record = function("peek", lambda b: b.emit("global.load.ref", "counter"), updates=False)
    plain = stateful_artifact()
    artifact = make_artifact(
        [b.finish(), peek],
        [record],
        variables=GLOBALS[:1],
        state=[COUNTER],
        state_initializer="initialize",
        host_functions=plain.manifest.host_functions,
    )
    program = rt.load(artifact, custom_calls={"hook": hook})
    session = program.new_session()
    raising = True
    with pytest.raises(ExecutionError, match="function 'initialize': custom call @hook failed: ValueError: not again"):
        session.reset()
    with pytest.raises(SessionError, match="its initializer: function 'initialize': custom call @hook"):
        session["peek"]()
    with pytest.raises(ExecutionError, match="not again"):
        program.new_session()
    session.load_state_dict({"counter": 6})
    assert session["peek"]() == 6


def test_variables_that_nothing_initializes() -> None:
    """Weights that come from outside: calls say so until they have come."""
    functions = [function("peek", lambda b: b.emit("global.load.ref", "counter"), updates=False)]
    artifact = make_artifact(
        [f for f, _ in functions], [r for _, r in functions], variables=GLOBALS[:1], state=[COUNTER]
    )
    session = rt.load(artifact).new_session()
    with pytest.raises(SessionError, match=r"no initializer gives a value to 'counter'; load_state_dict"):
        session["peek"]()
    with pytest.raises(SessionError, match="'counter'"):
        session.state_dict()
    session.load_state_dict({"counter": 2})
    assert session["peek"]() == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"state": [VariableRecord("v", I64, (), "nowhere")]}, "variable 'v': host.vm has no global 'nowhere'"),
        ({"state": [VariableRecord("v", I64, (), "number")]}, "global 'number' of host.vm holds a number"),
        ({"state_initializer": "nowhere"}, "no exported function 'nowhere'"),
        ({"state_initializer": "hidden"}, "no exported function 'hidden'"),
        ({"state_initializer": "main"}, "initializer 'main' has arguments or results"),
    ],
)
def test_artifacts_that_lie_about_variables(changes: dict[str, Any], text: str) -> None:
    hidden = FunctionBuilder("hidden", exported=False)
    hidden.emit("return", ())
    main, record = function("main", lambda b: b.emit("global.load.ref", "counter"))
    globals_ = [*GLOBALS, VmGlobal("number", RegisterType.I64)]
    with pytest.raises(ArtifactError) as caught:
        rt.load(make_artifact([main, hidden.finish()], [record], variables=globals_, **changes))
    assert text in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_updates_of_a_function_that_is_not_there() -> None:
    main, record = function("main", lambda b: b.emit("global.load.ref", "counter"))
    lying = dataclasses.replace(record, vm_function="niam")
    with pytest.raises(ArtifactError, match="no exported function 'niam'"):
        rt.load(make_artifact([main], [lying], variables=GLOBALS))


@pytest.mark.parametrize(
    ("dtype", "shape", "text"),
    [
        (F32, (3,), "variable 'x' is a tensor<2x?xf32>, not a tensor<3xf32>"),
        (F32, (3, 1), "variable 'x' is a tensor<2x?xf32>, not a tensor<3x1xf32>"),
        (I64, (2, 1), "variable 'x' is a tensor<2x?xf32>, not a tensor<2x1xi64>"),
    ],
)
def test_views_of_another_type(dtype: Any, shape: tuple[int, ...], text: str) -> None:
    b = FunctionBuilder("initialize")
    (size,), (zero,) = b.emit("const.i64", 64), b.emit("const.i64", 0)
    (buffer,) = b.emit("hal.buffer.allocate", size)
    dims = tuple(b.emit("const.i64", d)[0] for d in shape)
    b.emit("global.store.ref", "x", b.emit("hal.view.create", buffer, zero, dtype, dims)[0])
    b.emit("return", ())
    artifact = make_artifact(
        [b.finish()],
        variables=[VmGlobal("x", RegisterType.REF)],
        state=[VariableRecord("x", F32, (2, None), "x")],
        state_initializer="initialize",
    )
    with pytest.raises(ExecutionError) as caught:
        rt.load(artifact)
    assert text in str(caught.value)


@pytest.mark.parametrize("value", ["buffer", "null"])
def test_what_is_no_view_cannot_be_stored(value: str) -> None:
    b = FunctionBuilder("initialize")
    (size,) = b.emit("const.i64", 64)
    (stored,) = b.emit("hal.buffer.allocate", size) if value == "buffer" else b.emit("const.ref.null")
    b.emit("global.store.ref", "x", stored)
    b.emit("return", ())
    artifact = make_artifact(
        [b.finish()],
        variables=[VmGlobal("x", RegisterType.REF)],
        state=[VariableRecord("x", F32, (), "x")],
        state_initializer="initialize",
    )
    with pytest.raises(ExecutionError, match=r"variable 'x' is a tensor<f32>, not (another object|null)"):
        rt.load(artifact)


def test_native_access_by_the_name_of_a_global() -> None:
    native = stateful_program().new_session().native
    ((data, code, shape),) = native.get(["weights"])
    assert (bytes(data), code, shape) == (np.array([1, 2, 3], np.float32).tobytes(), 27, [3])
    with pytest.raises(InvocationError, match="no global named 'nowhere'"):
        native.get(["nowhere"])
    with pytest.raises(InvocationError, match="no global named 'nowhere'"):
        native.set([("nowhere", b"", 27, [0])])
    with pytest.raises(InvocationError, match="global 'weights': 8 bytes, its type takes 4"):
        native.set([("weights", bytes(8), 27, [1])])
    with pytest.raises(InvocationError, match=r"variable 'weights' is a tensor<.xf32>, not a tensor<i64>"):
        native.set([("counter", bytes(8), 7, []), ("weights", bytes(8), 7, [])])
    for code, shape in ((99, []), (27, [-1]), (27, [1] * 65), (27, [1 << 62])):
        with pytest.raises(ExecutionError):
            native.set([("weights", bytes(4), code, shape)])
    assert bytes(native.get(["counter"])[0][0]) == bytes(8)


def test_native_access_to_other_globals() -> None:
    main = FunctionBuilder("main")
    main.emit("return", ())
    globals_ = [VmGlobal("n", RegisterType.I64), VmGlobal("r", RegisterType.REF)]
    native = rt.load(make_artifact([main.finish()], variables=globals_)).session.native
    assert isinstance(native, _native.Session)
    with pytest.raises(InvocationError, match="global 'n' holds a number, not a reference"):
        native.get(["n"])
    with pytest.raises(ExecutionError, match="global 'r' holds nothing"):
        native.get(["r"])
    native.set([("r", bytes(4), 27, [1])])
    assert bytes(native.get(["r"])[0][0]) == bytes(4)


def test_sessions_do_not_keep_programs_and_go_with_their_last_user() -> None:
    program = stateful_program()
    session = program.new_session()
    reference = weakref.ref(program)
    del program
    assert reference() is None
    assert session["increment"]() == 1
    call = session["increment"]
    going = weakref.ref(session)
    del session
    gc.collect()
    assert going() is None
    assert call() == 2


def test_signatures_are_printed_as_ever() -> None:
    assert str(stateful_program().functions["assign"]) == "assign(x: tensor<?xf32>) -> (x: tensor<?xf32>)"
    manifest = json.loads(stateful_artifact().manifest.to_json())
    assert manifest["variables"][1] == {"name": "weights", "dtype": "f32", "shape": [None], "vm_global": "weights"}
