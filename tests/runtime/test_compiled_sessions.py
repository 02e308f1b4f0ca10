"""Compiled programs with variables: sessions side by side, calls in order, failures, state that goes out and in."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from random_sizes import combinations

import tesselle as ts

Array = np.ndarray[Any, Any]
LIMIT_S = 60

TRAINING = """
ml_program.global private mutable @steps(dense<0> : tensor<i64>) : tensor<i64>
ml_program.global private mutable @w(dense<[[0.5, -0.25], [1.0, 0.75], [-0.5, 0.125]]> : tensor<3x2xf32>)
  : tensor<3x2xf32>
ml_program.global private mutable @velocity(dense<0.0> : tensor<3x2xf32>) : tensor<3x2xf32>
func.func @train(%x: tensor<?x3xf32>, %y: tensor<?x2xf32>) -> (tensor<i64>, tensor<f32>) {
  %w = ml_program.global_load @w : tensor<3x2xf32>
  %p = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0]
    : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
  %e = stablehlo.subtract %p, %y : tensor<?x2xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %e2 = stablehlo.multiply %e, %e : tensor<?x2xf32>
  %loss = stablehlo.reduce(%e2 init: %zero) applies stablehlo.add across dimensions = [0, 1]
    : (tensor<?x2xf32>, tensor<f32>) -> tensor<f32>
  %g = stablehlo.dot_general %x, %e, contracting_dims = [0] x [0]
    : (tensor<?x3xf32>, tensor<?x2xf32>) -> tensor<3x2xf32>
  %v = ml_program.global_load @velocity : tensor<3x2xf32>
  %momentum = stablehlo.constant dense<0.5> : tensor<3x2xf32>
  %v1 = stablehlo.multiply %v, %momentum : tensor<3x2xf32>
  %v2 = stablehlo.add %v1, %g : tensor<3x2xf32>
  ml_program.global_store @velocity = %v2 : tensor<3x2xf32>
  %rate = stablehlo.constant dense<0.03125> : tensor<3x2xf32>
  %d = stablehlo.multiply %v2, %rate : tensor<3x2xf32>
  %w1 = stablehlo.subtract %w, %d : tensor<3x2xf32>
  ml_program.global_store @w = %w1 : tensor<3x2xf32>
  %n = ml_program.global_load @steps : tensor<i64>
  %one = stablehlo.constant dense<1> : tensor<i64>
  %n1 = stablehlo.add %n, %one : tensor<i64>
  ml_program.global_store @steps = %n1 : tensor<i64>
  return %n1, %loss : tensor<i64>, tensor<f32>
}
func.func @predict(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %w = ml_program.global_load @w : tensor<3x2xf32>
  %p = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0]
    : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
  return %p : tensor<?x2xf32>
}
func.func @weights() -> tensor<3x2xf32> {
  %w = ml_program.global_load @w : tensor<3x2xf32>
  return %w : tensor<3x2xf32>
}
func.func @halfway() -> tensor<i64> {
  %n = ml_program.global_load @steps : tensor<i64>
  %one = stablehlo.constant dense<1> : tensor<i64>
  %n1 = stablehlo.add %n, %one : tensor<i64>
  ml_program.global_store @steps = %n1 : tensor<i64>
  %r = stablehlo.custom_call @t.hook(%n1) {has_side_effect = true} : (tensor<i64>) -> tensor<i64>
  return %r : tensor<i64>
}
"""


@pytest.fixture(scope="module")
def artifact() -> ts.Artifact:
    ts.custom_call("t.hook")(lambda call, n: n)
    try:
        return ts.compile(TRAINING)
    finally:
        ts.unregister_custom_call("t.hook")


def load(artifact: ts.Artifact, device: str = "cpu:threads=1", hook: Any = lambda call, n: n) -> ts.Program:
    return ts.load(artifact, device, custom_calls={"t.hook": hook})


def batch(seed: int, size: int = 4) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, 3)).astype(np.float32)
    return x, rng.standard_normal((size, 2)).astype(np.float32)


class Oracle:
    """The same training, by JAX."""

    def __init__(self) -> None:
        self.w = jnp.array([[0.5, -0.25], [1.0, 0.75], [-0.5, 0.125]], jnp.float32)
        self.velocity = jnp.zeros((3, 2), jnp.float32)

    def train(self, x: Array, y: Array) -> float:
        def loss(w: jax.Array) -> jax.Array:
            return jnp.sum((jnp.dot(x, w, precision="highest") - y) ** 2)

        value, gradient = jax.value_and_grad(loss)(self.w)
        self.velocity = self.velocity * 0.5 + gradient / 2
        self.w = self.w - self.velocity * 0.03125
        return float(value)


def test_training_is_that_of_jax(artifact: ts.Artifact) -> None:
    session, oracle = load(artifact).new_session(), Oracle()
    for i in range(20):
        x, y = batch(i, size=i % 5)
        steps, loss = session["train"](x, y)
        assert steps == i + 1
        np.testing.assert_allclose(loss, oracle.train(x, y), rtol=1e-5, atol=1e-6)
    state = session.state_dict()
    np.testing.assert_allclose(state["w"], oracle.w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state["velocity"], oracle.velocity, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(session["predict"](x), x @ state["w"], rtol=1e-5, atol=1e-6)


def test_every_size_of_a_batch(artifact: ts.Artifact) -> None:
    """A step and a prediction of 200 sizes, each from the first weights; the formulas in double precision."""
    program = load(artifact)
    first = program.session.state_dict()["w"].astype(np.float64)
    for v in combinations("n"):
        x, y = batch(v["n"], v["n"])
        session = program.new_session()
        _, loss = session["train"](x, y)
        error = x @ first - y
        np.testing.assert_allclose(loss, (error * error).sum(), rtol=1e-5)
        velocity = x.T @ error
        state = session.state_dict()
        np.testing.assert_allclose(state["velocity"], velocity, rtol=1e-5, atol=1e-6 * v["n"])
        np.testing.assert_allclose(state["w"], first - 0.03125 * velocity, rtol=1e-5, atol=1e-6 * v["n"])
        np.testing.assert_allclose(session["predict"](x), x @ state["w"], rtol=1e-5, atol=1e-5)


def test_training_goes_on_where_it_was_saved(artifact: ts.Artifact, tmp_path: Path) -> None:
    program = load(artifact)
    session = program.new_session()
    for i in range(5):
        session["train"](*batch(i))
    session.save(tmp_path / "state.safetensors")
    later = load(artifact).new_session()
    later.load(tmp_path / "state.safetensors")
    for i in range(5, 10):
        assert session["train"](*batch(i))[1] == later["train"](*batch(i))[1]
    for name, value in session.state_dict().items():
        np.testing.assert_array_equal(later.state_dict()[name], value)
    session.reset()
    for name, value in program.new_session().state_dict().items():
        np.testing.assert_array_equal(session.state_dict()[name], value)


@pytest.mark.parametrize("device", ["cpu:threads=1", "cpu:threads=2"])
def test_eight_sessions_in_threads(artifact: ts.Artifact, device: str) -> None:
    """Each trains on data of its own, and ends where it ends when it is alone."""
    program = load(artifact, device)

    def train(number: int, session: ts.Session) -> list[float]:
        return [float(session["train"](*batch(100 * number + i))[1]) for i in range(30)]

    alone = [train(n, program.new_session()) for n in range(8)]
    together: dict[int, list[float]] = {}
    threads = [
        threading.Thread(target=lambda n=n: together.update({n: train(n, program.new_session())})) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert [together.get(n) for n in range(8)] == alone
    assert program.session.state_dict()["steps"] == 0


@pytest.mark.parametrize("device", ["cpu:threads=1", "cpu:threads=2"])
def test_a_thousand_submissions_from_four_threads(artifact: ts.Artifact, device: str) -> None:
    session = load(artifact, device).new_session()
    x, y = batch(1)
    results: list[int] = []
    kept: list[Array] = []

    def work() -> None:
        futures = [session["train"].submit(x, y) for _ in range(250)]
        kept.append(session["weights"]())
        results.extend(int(f.result(LIMIT_S)[0]) for f in futures)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert sorted(results) == list(range(1, 1001))
    assert session.state_dict()["steps"] == 1000
    # One thread's calls alone, in a fresh session: the same steps in the same order give the same weights.
    alone = load(artifact, device).new_session()
    for _ in range(1000):
        alone["train"](x, y)
    np.testing.assert_array_equal(session["weights"](), alone["weights"]())
    assert all(w.shape == (3, 2) and np.isfinite(w).all() for w in kept)


def test_results_are_not_the_variable(artifact: ts.Artifact) -> None:
    session = load(artifact).new_session()
    before = session["weights"]()
    copy = before.copy()
    session["train"](*batch(0))
    np.testing.assert_array_equal(before, copy)
    before[:] = 0
    assert not np.array_equal(session["weights"](), before)


def test_a_custom_call_that_raises(artifact: ts.Artifact) -> None:
    raising = True

    def hook(call: Any, n: Array) -> Array:
        if raising:
            raise ValueError(f"at {n}")
        return n

    session = load(artifact, hook=hook).new_session()
    session["train"](*batch(0))
    for attempt in (session["halfway"], session["halfway"].submit):
        with pytest.raises(ts.ExecutionError, match=r"custom call @t\.hook failed: ValueError: at 2"):
            _ = attempt().result(LIMIT_S)
        with pytest.raises(ts.SessionError, match=r"'halfway': custom call @t\.hook failed: ValueError: at 2"):
            session["weights"]()
        session.load_state_dict({"steps": 1, "w": np.ones((3, 2), "f"), "velocity": np.zeros((3, 2), "f")})
    raising = False
    assert session["halfway"]() == 2
    np.testing.assert_array_equal(session["weights"](), np.ones((3, 2)))


def test_sizes_that_do_not_fit_do_no_harm(artifact: ts.Artifact) -> None:
    """They are found when the program runs, before it has begun to work."""
    session = load(artifact).new_session()
    x, y = batch(0)
    with pytest.raises(ts.TesselleError):
        session["train"](x, y[:2])
    with pytest.raises(ts.InvocationError, match="argument 1"):
        session["train"](x, y[:, :1])
    assert session["train"](x, y)[0] == 1


VALUES: dict[str, tuple[str, Array]] = {
    "bf16": ("tensor<2x2xbf16>", np.array([[1, 2], [3, -4]]).astype(ml_dtypes.bfloat16)),
    "complex": ("tensor<2xcomplex<f32>>", np.array([1 + 2j, -1j], np.complex64)),
    "i1": ("tensor<3xi1>", np.array([True, False, True])),
    "i4": ("tensor<3xi4>", np.array([-8, 7, 1]).astype(ml_dtypes.int4)),
    "empty": ("tensor<0x3xf32>", np.zeros((0, 3), np.float32)),
    "scalar": ("tensor<f64>", np.array(2.5)),
}


@pytest.mark.parametrize("name", list(VALUES))
def test_element_types(name: str, tmp_path: Path) -> None:
    """A program swaps its argument with a variable; the variable goes out, into a file and back."""
    type_, value = VALUES[name]
    text = f"""
    ml_program.global private mutable @v(dense<{
        "false"
        if name == "i1"
        else "0"
        if name == "i4"
        else "(0.0, 0.0)"
        if name == "complex"
        else "0.0"
        if name != "empty"
        else ""
    }> : {type_}) : {type_}
    func.func @main(%x: {type_}) -> {type_} {{
      %v = ml_program.global_load @v : {type_}
      ml_program.global_store @v = %x : {type_}
      return %v : {type_}
    }}"""
    program = ts.load(ts.compile(text))
    session, zero = program.new_session(), np.zeros_like(value)
    given = value.copy()
    assert session["main"](given).tobytes() == zero.tobytes()
    given[...] = zero
    found = session.state_dict()["v"]
    assert found.dtype == value.dtype and found.shape == value.shape and found.tobytes() == value.tobytes()
    session.save(tmp_path / "v.safetensors")
    other = program.new_session()
    other.load(tmp_path / "v.safetensors")
    assert other["main"](zero).tobytes() == value.tobytes()


def test_dynamic_shapes() -> None:
    """A variable that grows: each call appends its argument."""
    text = """
    ml_program.global private mutable @log(dense<> : tensor<0x2xf32>) : tensor<?x2xf32>
    func.func @append(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
      %v = ml_program.global_load @log : tensor<?x2xf32>
      %r = stablehlo.concatenate %v, %x, dim = 0 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      ml_program.global_store @log = %r : tensor<?x2xf32>
      return %r : tensor<?x2xf32>
    }"""
    session = ts.load(ts.compile(text)).new_session()
    expected = np.zeros((0, 2), np.float32)
    for v in combinations("n"):
        size = v["n"]
        x = np.full((size, 2), size, np.float32)
        expected = np.concatenate([expected, x])
        np.testing.assert_array_equal(session["append"](x), expected)
        np.testing.assert_array_equal(session.state_dict()["log"], expected)
    session.load_state_dict({"log": expected[:1]})
    assert session["append"](x).shape == (1 + size, 2)
    with pytest.raises(ts.InvocationError, match=r"variable 'log': expected tensor<\?x2xf32>, found tensor<2x3xf32>"):
        session.load_state_dict({"log": np.zeros((2, 3), np.float32)})
