"""Functions of JAX that share state, as one module with globals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import CallOp, FuncOp
from tesselle.dialects.core.ml_program import (
    GlobalLoadConstOp,
    GlobalLoadOp,
    GlobalOp,
    GlobalStoreOp,
    globals_of,
)
from tesselle.frontends import import_program
from tesselle.frontends.jax import StatefulModule, is_jax_program
from tesselle.frontends.jax.stateful import symbol_of
from tesselle.ir.attributes import DenseElements
from tesselle.ir.types import FunctionType, TensorType
from tesselle.support.diagnostics import InvocationError, Unsupported, VerifyError
from tesselle.support.dtypes import F32, I32

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
export = pytest.importorskip("jax.export")

SPEC = jax.ShapeDtypeStruct
X = SPEC((2, 3), np.float32)
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)


def state() -> dict[str, Any]:
    return {
        "params": {"dense": {"kernel": np.full((3, 4), 0.5, np.float32), "bias": np.zeros(4)}},
        "steps": 0,
        "scales": [np.ones(4, np.float32), 2.0],
    }


def train(state: Any, x: Any) -> Any:
    dense = state["params"]["dense"]
    y = jax.nn.relu(x @ dense["kernel"] + dense["bias"]) * state["scales"][0]
    params = {"dense": {**dense, "kernel": dense["kernel"] - y.sum()}}
    return {**state, "params": params, "steps": state["steps"] + 1}, {"loss": y.sum(), "peak": y.max()}


def infer(state: Any, x: Any) -> Any:
    dense = state["params"]["dense"]
    return jax.nn.relu(x @ dense["kernel"] + dense["bias"])


def module_of(m: StatefulModule) -> dict[str, FuncOp]:
    return {name: op for name, op in import_program(m).symbols() if isinstance(op, FuncOp)}


def stores_of(f: FuncOp) -> list[str]:
    return [op.global_.root for op in f.walk() if isinstance(op, GlobalStoreOp)]


def test_leaves_are_globals() -> None:
    m = StatefulModule(state(), name="classifier")
    m.add("train", train, X)
    m.add("infer", infer, X, reads_only=True)
    assert is_jax_program(m)
    module = import_program(m)
    assert module.sym_name == "classifier"
    found = {g.sym_name: g for g in globals_of(module)}
    assert list(found) == ["params.dense.bias", "params.dense.kernel", "scales.0", "scales.1", "steps"]
    assert [name for name, g in found.items() if g.is_mutable] == ["params.dense.kernel", "steps"]
    # Types are those that JAX gives: an array of doubles is one of floats, a Python number is an array.
    assert found["params.dense.bias"].type == TensorType((4,), F32)
    assert found["scales.1"].type == TensorType((), F32)
    assert found["steps"].type == TensorType((), I32)
    value = found["params.dense.kernel"].value
    assert isinstance(value, DenseElements)
    np.testing.assert_array_equal(value.array, state()["params"]["dense"]["kernel"])
    assert value.array is m.leaves["params.dense.kernel"], "initial values are not copied"


def test_signatures_have_no_state() -> None:
    m = StatefulModule(state())
    m.add("train", train, X)
    m.add("infer", infer, X, reads_only=True)
    functions = module_of(m)
    x, scalar = TensorType((2, 3), F32), TensorType((), F32)
    assert functions["train"].function_type == FunctionType((x,), (scalar, scalar))
    assert functions["train"].arg_attrs == ({"tesselle.name": "x"},)
    assert functions["train"].res_attrs == ({"tesselle.name": "loss"}, {"tesselle.name": "peak"})
    assert functions["infer"].function_type == FunctionType((x,), (TensorType((2, 4), F32),))
    assert {name for name, f in functions.items() if f.is_public} == {"train", "infer"}


def test_only_what_changes_is_stored_and_only_what_is_used_is_loaded() -> None:
    m = StatefulModule(state())
    m.add("train", train, X)
    m.add("infer", infer, X, reads_only=True)
    functions = module_of(m)
    assert stores_of(functions["train"]) == ["params.dense.kernel", "steps"]
    assert stores_of(functions["infer"]) == []
    loads = {op.global_.root: type(op) for op in functions["infer"].walk() if op.name.startswith("ml_program")}
    assert loads == {"params.dense.kernel": GlobalLoadOp, "params.dense.bias": GlobalLoadConstOp}


def test_unchanged_leaves_are_seen_through_calls() -> None:
    """Leaves that come back as they went in are not stored; symbolic dimensions and jit put functions between."""
    (batch,) = export.symbolic_shape("b")
    m = StatefulModule({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})

    @jax.jit
    def inner(state: Any, x: Any) -> Any:
        return {"a": state["a"], "b": state["c"], "c": state["b"], "d": state["d"] + x.sum()}

    m.add("f", lambda state, x: (inner(state, x), ()), SPEC((batch,), np.float32))
    functions = module_of(m)
    assert stores_of(functions["f"]) == ["b", "c", "d"]
    assert functions["f"].function_type == FunctionType((TensorType((None,), F32),), ())


def test_private_functions_are_renamed_apart() -> None:
    (batch,) = export.symbolic_shape("b")
    m = StatefulModule({"train": {"relu": 1.0}})

    def step(state: Any, x: Any) -> Any:
        return jax.tree_util.tree_map(lambda s: s + jax.nn.relu(x).sum(), state), ()

    for name in ("one", "two"):
        m.add(name, step, SPEC((batch,), np.float32))
    module = import_program(m)
    names = [name for name, _ in module.symbols()]
    assert len(names) == len(set(names))
    private = [name for name in names if name.endswith("relu") and name != "train.relu"]
    assert private == ["one.relu", "two.relu"]
    callees = {op.callee.root for op in module.walk() if isinstance(op, CallOp)}
    assert callees <= set(names)


def test_a_helper_does_not_take_the_name_of_a_leaf() -> None:
    m = StatefulModule({"f": {"relu": 1.0}})
    m.add("f", lambda state, x: jax.nn.relu(x) + state["f"]["relu"], X, reads_only=True)
    names = [name for name, _ in import_program(m).symbols()]
    assert names == ["f.relu", "f", "f.relu_1"]


def test_every_import_is_fresh() -> None:
    m = StatefulModule(state())
    m.add("infer", infer, X, reads_only=True)
    first, second = import_program(m), import_program(m)
    assert isinstance(first, ModuleOp)
    assert first is not second
    first.body.first.erase()  # type: ignore[union-attr]  # it is not empty
    assert len(list(second.symbols())) == len(list(first.symbols())) + 1


def test_values_lie_in_row_major_order() -> None:
    m = StatefulModule({"t": WEIGHTS.T, "r": WEIGHTS[::-1], "scalar": np.float32(1)})
    assert all(x.flags.c_contiguous for x in m.leaves.values())
    np.testing.assert_array_equal(m.leaves["t"], WEIGHTS.T)
    np.testing.assert_array_equal(m.leaves["r"], WEIGHTS[::-1])
    assert m.leaves["scalar"].shape == ()


@pytest.mark.parametrize(
    ("path", "name"),
    [("", "state"), ("0", "state.0"), ("params.dense-1.w", "params.dense_1.w"), ("_x", "_x"), ("a/b c", "a_b_c")],
)
def test_names(path: str, name: str) -> None:
    assert symbol_of(path) == name


def test_argument_names() -> None:
    m = StatefulModule({"w": 1.0})

    def f(state: Any, batch: Any, *rest: Any) -> Any:
        return batch["x"] * state["w"] + rest[0]

    m.add("f", f, {"x": X, "y": [X, X]}, X, reads_only=True)
    attrs = module_of(m)["f"].arg_attrs
    assert attrs is not None
    assert [a["tesselle.name"] for a in attrs] == ["batch.x", "batch.y.0", "batch.y.1", "arg1"]


def test_a_changed_state_is_refused() -> None:
    """Every leaf that is wrong is named, with its path and the place of the function."""
    m = StatefulModule(state())

    def bad(state: Any, x: Any) -> Any:
        kernel = jnp.zeros((3, 5))
        return {
            "params": {"dense": {"kernel": kernel}},
            "steps": state["steps"] + 0.5,
            "scales": state["scales"],
            "new": x,
        }, 0

    with pytest.raises(VerifyError) as caught:
        m.add("bad", bad, X)
    text = str(caught.value)
    assert f"{__file__}:{bad.__code__.co_firstlineno}:1: error[jax.state]" in text
    assert "'bad' drops state['params']['dense']['bias'] from the state" in text
    assert "'bad' changes state['params']['dense']['kernel'] from float32[3,4] to float32[3,5]" in text
    assert "'bad' changes state['steps'] from int32[] to float32[]" in text
    assert "'bad' adds state['new'] to the state" in text
    assert len(caught.value.diagnostics) == 4


def test_a_state_of_another_structure_is_refused() -> None:
    m = StatefulModule({"a": [1.0, 2.0]})
    with pytest.raises(VerifyError, match="changes the structure of the state"):
        m.add("f", lambda state: ({"a": tuple(state["a"])}, ()))


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(TypeError, match=r"state\['a'\] is no array: str"):
        StatefulModule({"a": "text"})
    with pytest.raises(TypeError, match=r"state is a jax\.ShapeDtypeStruct: it needs an initial value"):
        StatefulModule(X)
    with pytest.raises(Unsupported, match=r"state\['key'\] .*keep jax\.random\.key_data"):
        StatefulModule({"key": jax.random.key(0)})
    with pytest.raises(VerifyError, match=r"state\['a'\]\['b'\] and state\['a\.b'\] would both be called 'a\.b'"):
        StatefulModule({"a": {"b": 1.0}, "a.b": 1.0})


def test_what_is_no_function_is_refused() -> None:
    m = StatefulModule({"w": 1.0})
    with pytest.raises(InvocationError, match="has no functions"):
        import_program(m)
    m.add("f", lambda state: state["w"], reads_only=True)
    for name, what in (("f", "a function"), ("w", "a leaf of the state")):
        with pytest.raises(VerifyError, match=f"the name '{name}' is taken by {what}"):
            m.add(name, lambda state: state["w"], reads_only=True)
    with pytest.raises(VerifyError, match=r"must return \(new_state, results\)"):
        m.add("g", lambda state: state)


def test_callbacks_are_refused() -> None:
    m = StatefulModule({"w": 1.0})

    def f(state: Any) -> Any:
        jax.debug.print("{w}", w=state["w"], ordered=True)
        return state["w"]

    with pytest.raises(Unsupported, match=r"test_jax_stateful\.py:\d+:1: error\[jax\.export\]: JAX cannot export 'f'"):
        m.add("f", f, reads_only=True)


def test_states_and_dictionaries() -> None:
    m = StatefulModule(state())
    m.add("train", train, X)
    assert m.variables == {"params.dense.kernel", "steps"}
    values = m.to_dict({**state(), "steps": 3})
    assert list(values) == ["params.dense.kernel", "steps"]
    back = m.to_state(values)
    assert jax.tree_util.tree_structure(back) == jax.tree_util.tree_structure(state())
    assert back["steps"] == 3
    np.testing.assert_array_equal(back["params"]["dense"]["kernel"], state()["params"]["dense"]["kernel"])
    assert back["scales"][1] == 2.0
    with pytest.raises(KeyError, match="no leaf of the state is called 'step'"):
        m.to_state({"step": np.int32(7)})
    with pytest.raises(VerifyError, match=r"the given state changes state\['steps'\] from int32\[\] to float32\[\]"):
        m.to_dict({**state(), "steps": 0.0})
    with pytest.raises(VerifyError, match=r"state\['scales'\]\[1\] is a constant of the program"):
        m.to_dict({**state(), "scales": [np.ones(4, np.float32), 2.5]})


def test_globals_are_immutable_where_no_function_changes_them() -> None:
    m = StatefulModule({"w": 1.0})
    m.add("get", lambda state: state["w"], reads_only=True)
    m.add("same", lambda state: (state, state["w"]))
    (w,) = globals_of(import_program(m))
    assert isinstance(w, GlobalOp)
    assert not w.is_mutable
