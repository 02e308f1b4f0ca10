"""Functions of JAX that share state, compiled: every call's results, and the state after it, are those of JAX."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from random_sizes import combinations

import tesselle as ts
import tesselle.jax

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

SPEC = jax.ShapeDtypeStruct
RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 4)).astype(np.float32)
W = RNG.normal(size=(4, 3)).astype(np.float32)


@dataclass(frozen=True)
class Program:
    """A state, functions over it (name → function, specs, whether it only reads), and calls (name, arguments)."""

    state: Any
    functions: dict[str, tuple[Callable[..., Any], Sequence[Any], bool]]
    calls: Sequence[tuple[str, Sequence[Any]]]


def counters() -> Program:
    """Scalars of several types, that only the host might know."""

    def count(s: Any) -> Any:
        return {"i": s["i"] + 1, "f": s["f"] * 0.5, "odd": ~s["odd"], "wide": s["wide"] - 3}, s["i"]

    state = {"i": 0, "f": 1.0, "odd": np.bool_(True), "wide": np.uint8(4)}
    return Program(state, {"count": (count, (), False)}, [("count", ())] * 4)


def exchange() -> Program:
    """New values that are old ones of other leaves: nothing may be overwritten before it is read."""

    def turn(s: Any) -> Any:
        return {"a": s["b"], "b": s["c"][::-1], "c": s["a"] + s["b"]}, s["a"].sum()

    def swap(s: Any) -> Any:
        return {**s, "a": s["b"], "b": s["a"]}, ()

    state = {name: RNG.normal(size=50).astype(np.float32) for name in "abc"}
    functions = {"turn": (turn, (), False), "swap": (swap, (), False)}
    return Program(state, functions, [("turn", ()), ("swap", ()), ("turn", ()), ("swap", ()), ("swap", ())])


def one_leaf_twice() -> Program:
    """One new value for two leaves, which also is a result; afterwards the leaves go different ways."""

    def both(s: Any, x: Any) -> Any:
        new = s["a"] + x
        return {"a": new, "b": new}, new

    def one(s: Any, x: Any) -> Any:
        return {**s, "a": s["a"] * x}, s["b"]

    x = RNG.normal(size=(7, 5)).astype(np.float32)
    functions: Any = {"both": (both, (x,), False), "one": (one, (x,), False)}
    calls = [("both", (x,)), ("one", (x,)), ("one", (x + 1,)), ("both", (x,)), ("one", (x,))]
    return Program({"a": x, "b": x}, functions, calls)


def momentum() -> Program:
    """Gradient descent with momentum, and a prediction for any number of rows."""

    def loss(w: Any, x: Any, y: Any) -> Any:
        return jnp.mean((jnp.tanh(x @ w) - y) ** 2)

    def train(s: Any, x: Any, y: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(s["w"], x, y)
        velocity = 0.9 * s["velocity"] + gradient
        return {"w": s["w"] - s["rate"] * velocity, "velocity": velocity, "rate": s["rate"]}, value

    def predict(s: Any, x: Any) -> Any:
        return jnp.tanh(x @ s["w"])

    (n,) = jax.export.symbolic_shape("n")
    y = RNG.normal(size=(6, 3)).astype(np.float32)
    functions: Any = {"train": (train, (X, y), False), "predict": (predict, (SPEC((n, 4), np.float32),), True)}
    calls = [("train", (X, y)), ("predict", (X[:2],)), ("train", (X + 1, y)), ("train", (X, -y)), ("predict", (X,))]
    return Program({"w": W, "velocity": np.zeros_like(W), "rate": 0.1}, functions, calls)


def batch_norm() -> Program:
    """Running means, over a batch of any size."""

    def train(s: Any, x: Any) -> Any:
        mean, variance = x.mean(0), x.var(0)
        new = [0.9 * old + 0.1 * now for old, now in zip(s, (mean, variance), strict=True)]
        return new, (x - mean) / jnp.sqrt(variance + 1e-3)

    def infer(s: Any, x: Any) -> Any:
        return (x - s[0]) / jnp.sqrt(s[1] + 1e-3)

    (n,) = jax.export.symbolic_shape("n")
    spec = SPEC((n, 4), np.float32)
    functions: Any = {"train": (train, (spec,), False), "infer": (infer, (spec,), True)}
    calls = [("train", (X,)), ("infer", (X[:1],)), ("train", (X[:3],)), ("train", (X * 2,)), ("infer", (X,))]
    return Program([np.zeros(4, np.float32), np.ones(4, np.float32)], functions, calls)


def recurrence() -> Program:
    """A cell whose carry is the state: one step, and a whole sequence by a scan."""

    def cell(carry: Any, x: Any) -> Any:
        h, c = carry["h"], carry["c"]
        gate = jax.nn.sigmoid(x @ carry["w"] + h @ carry["u"])
        c = gate * c + (1 - gate) * jnp.tanh(x.sum())
        return {**carry, "h": gate * jnp.tanh(c), "c": c}, gate

    def sequence(carry: Any, xs: Any) -> Any:
        return jax.lax.scan(cell, carry, xs)

    state = {"h": np.zeros(3, np.float32), "c": np.zeros(3, np.float32), "w": W, "u": np.eye(3, dtype=np.float32)}
    functions: Any = {"step": (cell, (X[0],), False), "sequence": (sequence, (X,), False)}
    return Program(state, functions, [("step", (X[0],)), ("sequence", (X,)), ("step", (X[1],)), ("sequence", (-X,))])


def ring() -> Program:
    """A buffer that is written at a place which is state itself, and read as a whole."""

    def push(s: Any, x: Any) -> Any:
        rows = jax.lax.dynamic_update_slice(s["rows"], x[None], (s["next"], 0))
        return {"rows": rows, "next": (s["next"] + 1) % 5}, rows.sum()

    def oldest(s: Any) -> Any:
        return jax.lax.dynamic_index_in_dim(s["rows"], s["next"], keepdims=False)

    def scatter(s: Any, places: Any, x: Any) -> Any:
        return {**s, "rows": s["rows"].at[places].add(x)}, ()

    places = np.array([4, 0, 4], np.int32)
    functions: Any = {
        "push": (push, (X[0],), False),
        "oldest": (oldest, (), True),
        "scatter": (scatter, (places, X[:3]), False),
    }
    calls: list[Any] = [("push", (X[i % 6] + i,)) for i in range(7)]
    calls += [("oldest", ()), ("scatter", (places, X[:3])), ("push", (X[5],)), ("oldest", ())]
    return Program({"rows": np.zeros((5, 4), np.float32), "next": 3}, functions, calls)


def sometimes() -> Program:
    """New values from branches and loops."""

    def step(s: Any, x: Any) -> Any:
        w = jax.lax.cond(x.sum() > 0, lambda w: w + x[:, None], lambda w: w, s["w"])
        w = jax.lax.fori_loop(0, s["n"], lambda i, w: w * 0.5 + i, w)
        return {"w": w, "n": s["n"] + 1}, w.max()

    x = np.array([1, 2, 3, 4], np.float32)
    return Program({"w": W, "n": 0}, {"step": (step, (x,), False)}, [("step", (x,)), ("step", (-x,)), ("step", (x,))])


def element_types() -> Program:
    """Every leaf of another type, some of them empty or of rank 0."""

    def step(s: Any, x: Any) -> Any:
        return jax.tree_util.tree_map(lambda v: (v + x.astype(v.dtype)).astype(v.dtype), s), s["empty"]

    names = "float16 bfloat16 int8 uint16 int32 complex64".split()
    state = {name: jnp.arange(6, dtype=name).reshape(2, 3) for name in names}
    state |= {"empty": np.zeros((0, 3), np.float32), "scalar": np.float32(2)}
    x = np.float32(1)
    return Program(state, {"step": (step, (x,), False)}, [("step", (x,)), ("step", (x,))])


def random_numbers() -> Program:
    """The data of a key is state."""

    def draw(s: Any) -> Any:
        key, other = jax.random.split(jax.random.wrap_key_data(s["key"]))
        return {"key": jax.random.key_data(key)}, jax.random.uniform(other, (5,))

    return Program({"key": jax.random.key_data(jax.random.key(3))}, {"draw": (draw, (), False)}, [("draw", ())] * 3)


PROGRAMS = [
    counters,
    exchange,
    one_leaf_twice,
    momentum,
    batch_norm,
    recurrence,
    ring,
    sometimes,
    element_types,
    random_numbers,
]


def module_of(given: Program) -> tesselle.jax.StatefulModule:
    module = tesselle.jax.StatefulModule(given.state)
    for name, (function, specs, reads_only) in given.functions.items():
        module.add(name, function, *specs, reads_only=reads_only)
    return module


def assert_close(found: Any, expected: Any, what: str) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected, err_msg=what)
    else:
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        np.testing.assert_allclose(found.astype(wide), expected.astype(wide), rtol=1e-5, atol=1e-5, err_msg=what)


def test_two_hundred_numbers_of_rows() -> None:
    """A training step may not be empty, as its mean would not be a number from then on; JAX promises as much."""
    session = ts.load(ts.compile(module_of(momentum()))).new_session()
    given = batch_norm()
    normalize = ts.load(ts.compile(module_of(given))).new_session()
    mean, variance = given.state
    for v in combinations("n", {"n": 1}):
        x = np.random.default_rng(v["n"]).normal(size=(v["n"], 4)).astype(np.float32)
        assert_close(session["predict"](x), np.tanh(x @ W), f"predict, {v}")
        now = x.mean(0), x.var(0)
        assert_close(normalize["train"](x), (x - now[0]) / np.sqrt(now[1] + 1e-3), f"train, {v}")
        mean, variance = (0.9 * old + 0.1 * new for old, new in zip((mean, variance), now, strict=True))
        assert_close(normalize["infer"](x), (x - mean) / np.sqrt(variance + 1e-3), f"infer, {v}")


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
def test_step_by_step(make: Callable[[], Program]) -> None:
    given = make()
    module = module_of(given)
    session = ts.load(ts.compile(module)).new_session()
    state = jax.tree_util.tree_map(jnp.asarray, given.state)
    for i, (name, arguments) in enumerate(given.calls):
        what = f"call {i}, {name}"
        function, _, reads_only = given.functions[name]
        found = session[name](*arguments)
        results = jax.jit(function)(state, *arguments)
        state, results = (state, results) if reads_only else results
        leaves = jax.tree_util.tree_leaves(results)
        for f, e in zip(found if isinstance(found, tuple) else [found], leaves, strict=True):
            assert_close(f, e, what)
        kept = session.state_dict()
        for leaf, value in module.to_dict(state).items():
            assert_close(kept[leaf], value, f"{leaf} after {what}")
    assert any(not np.array_equal(kept[name], module.leaves[name]) for name in kept), "nothing was stored"


def test_results_are_not_variables() -> None:
    """What a call returned stays what it is when later calls update the variable that it came from."""
    given = one_leaf_twice()
    session = ts.load(ts.compile(module_of(given))).new_session()
    x = given.state["a"]
    first = session["both"](x)
    kept = first.copy()
    shown = session["one"](x)
    session["both"](x)
    session["one"](x * 3)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(shown, kept)
    values = session.state_dict()
    values["a"][:] = 0
    assert session.state_dict()["a"].any()


def test_arguments_are_not_variables() -> None:
    """An argument that becomes a variable is copied: the caller may write to its array again."""
    module = tesselle.jax.StatefulModule({"x": np.zeros(40, np.float32)})
    module.add("put", lambda s, x: ({"x": x}, ()), SPEC((40,), np.float32))
    module.add("get", lambda s: s["x"], reads_only=True)
    session = ts.load(ts.compile(module)).new_session()
    x = np.arange(40, dtype=np.float32)
    session["put"](x)
    x[:] = -1
    np.testing.assert_array_equal(session["get"](), np.arange(40))
    got = session["get"]()
    session["put"](x)
    np.testing.assert_array_equal(got, np.arange(40))


def test_sessions_begin_alike_and_go_their_ways() -> None:
    given = momentum()
    program = ts.load(ts.compile(module_of(given)))
    x, y = given.calls[0][1]
    sessions = [program.new_session() for _ in range(3)]
    losses: list[list[float]] = [[] for _ in sessions]

    def train(i: int) -> None:
        for _ in range(20):
            losses[i].append(float(sessions[i]["train"](x * (i + 1), y)))

    threads = [threading.Thread(target=train, args=(i,)) for i in range(len(sessions))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, found in enumerate(losses):
        state, step = given.state, jax.jit(given.functions["train"][0])
        for loss in found:
            state, expected = step(state, x * (i + 1), y)
            np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_saved_to_a_file_and_opened_without_the_module(tmp_path: Any) -> None:
    ts.compile(module_of(ring())).save(tmp_path / "ring.tsl")
    program = ts.load(tmp_path / "ring.tsl")
    assert {n: f.updates for n, f in program.functions.items()} == {"push": True, "oldest": False, "scatter": True}
    assert [str(v) for v in program.session.variables.values()] == ["next: tensor<i32>", "rows: tensor<5x4xf32>"]
    assert [a.name for a in program.functions["push"].arguments] == ["x"]
