"""Programs with variables, compiled and by the reference: what they hold, and that updates are made in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tesselle as ts
from tesselle.frontends import import_program
from tesselle.reference import Interpreter
from tesselle.support.diagnostics import Unsupported, VerifyError

PROGRAM = Path(__file__).parent / "programs_with_state.mlir"
ROWS = 25_000_000


@pytest.fixture(scope="module")
def program() -> ts.Program:
    return ts.load(ts.compile(PROGRAM))


def normal(rng: np.random.Generator, *shape: int) -> Any:
    return rng.standard_normal(shape).astype(np.float32)


def test_calls_agree_with_the_reference(program: ts.Program) -> None:
    """Eleven rounds of every function, in one session; results and all variables after every call."""
    rng = np.random.default_rng(0)
    session, reference = program.new_session(), Interpreter(import_program(PROGRAM))

    def call(name: str, *arguments: Any) -> None:
        found = session[name](*arguments)
        results = () if found is None else found if isinstance(found, tuple) else (found,)
        expected = reference.call(name, [np.asarray(a) for a in arguments])
        for x, y in zip(results, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5)
        state = session.state_dict()
        for variable, value in reference.variables.items():
            np.testing.assert_allclose(state[variable], value, rtol=1e-5, err_msg=f"@{variable} after @{name}")

    for i in range(11):
        call("push", normal(rng, 1, 4))
        call("append", normal(rng, 2, 1, 4))
        call("swap")
        call("swapadd")
        call("enlarge", normal(rng, i % 4, 4))
        call("double")
        call("perhaps", np.bool_(i % 2))
        call("many", normal(rng, 2, 1, 4), np.int32(i))


def test_results_are_no_views_of_variables(program: ts.Program) -> None:
    session = program.new_session()
    session["enlarge"](np.ones((2, 4), np.float32))
    doubled = session["double"]()
    again = session["double"]()
    np.testing.assert_array_equal(doubled, np.full((2, 4), 2.0))
    np.testing.assert_array_equal(again, np.full((2, 4), 4.0))


def test_sessions_have_their_own_variables(program: ts.Program) -> None:
    one, two = program.new_session(), program.new_session()
    assert [int(one["push"](np.zeros((1, 4), np.float32))) for _ in range(3)] == [1, 2, 3]
    assert int(two["push"](np.zeros((1, 4), np.float32))) == 1


def vector(count: int) -> str:
    return f"tensor<{count}xf32>"


def optimizer(count: int) -> str:
    """Steps of gradient descent, of momentum and of Adam on `count` weights, and a counter."""
    t = vector(count)

    def constant(name: str, value: float) -> str:
        return f"%{name} = stablehlo.constant dense<{value}> : {t}"

    return f"""
ml_program.global private mutable @w(dense<1.0> : {t}) : {t}
ml_program.global private mutable @m(dense<0.0> : {t}) : {t}
ml_program.global private mutable @v(dense<0.0> : {t}) : {t}
ml_program.global private mutable @counter(dense<0> : tensor<i32>) : tensor<i32>
func.func @count() {{
  %0 = ml_program.global_load @counter : tensor<i32>
  %1 = stablehlo.constant dense<1> : tensor<i32>
  %2 = stablehlo.add %0, %1 : tensor<i32>
  ml_program.global_store @counter = %2 : tensor<i32>
  return
}}
func.func @sgd(%g: {t}) {{
  %w = ml_program.global_load @w : {t}
  {constant("lr", 0.1)}
  %0 = stablehlo.multiply %lr, %g : {t}
  %1 = stablehlo.subtract %w, %0 : {t}
  ml_program.global_store @w = %1 : {t}
  return
}}
func.func @momentum(%g: {t}) {{
  %w = ml_program.global_load @w : {t}
  %m = ml_program.global_load @m : {t}
  {constant("lr", 0.1)}
  {constant("mu", 0.9)}
  %0 = stablehlo.multiply %mu, %m : {t}
  %1 = stablehlo.add %0, %g : {t}
  ml_program.global_store @m = %1 : {t}
  %2 = stablehlo.multiply %lr, %1 : {t}
  %3 = stablehlo.subtract %w, %2 : {t}
  ml_program.global_store @w = %3 : {t}
  return
}}
func.func @adam(%g: {t}) {{
  %w = ml_program.global_load @w : {t}
  %m = ml_program.global_load @m : {t}
  %v = ml_program.global_load @v : {t}
  {constant("lr", 0.1)}
  {constant("b1", 0.9)}
  {constant("c1", 0.1)}
  {constant("b2", 0.99)}
  {constant("c2", 0.01)}
  {constant("eps", 1e-5)}
  %0 = stablehlo.multiply %b1, %m : {t}
  %1 = stablehlo.multiply %c1, %g : {t}
  %m1 = stablehlo.add %0, %1 : {t}
  ml_program.global_store @m = %m1 : {t}
  %2 = stablehlo.multiply %b2, %v : {t}
  %gg = stablehlo.multiply %g, %g : {t}
  %3 = stablehlo.multiply %c2, %gg : {t}
  %v1 = stablehlo.add %2, %3 : {t}
  ml_program.global_store @v = %v1 : {t}
  %sq = stablehlo.sqrt %v1 : {t}
  %d = stablehlo.add %sq, %eps : {t}
  %q = stablehlo.divide %m1, %d : {t}
  %u = stablehlo.multiply %lr, %q : {t}
  %w1 = stablehlo.subtract %w, %u : {t}
  ml_program.global_store @w = %w1 : {t}
  return
}}
"""


def ring_and_cache() -> str:
    """Functions that only write a piece of a large variable."""
    return """
ml_program.global private mutable @ring(dense<0.0> : tensor<512x256xf32>) : tensor<512x256xf32>
ml_program.global private mutable @cache(dense<0.0> : tensor<8x512x64xf32>) : tensor<8x512x64xf32>
func.func @push(%x: tensor<1x256xf32>, %at: tensor<i32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %0 = ml_program.global_load @ring : tensor<512x256xf32>
  %1 = stablehlo.dynamic_update_slice %0, %x, %at, %zero
      : (tensor<512x256xf32>, tensor<1x256xf32>, tensor<i32>, tensor<i32>) -> tensor<512x256xf32>
  ml_program.global_store @ring = %1 : tensor<512x256xf32>
  return
}
func.func @append(%x: tensor<8x1x64xf32>, %at: tensor<i32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %0 = ml_program.global_load @cache : tensor<8x512x64xf32>
  %1 = stablehlo.dynamic_update_slice %0, %x, %zero, %at, %zero
      : (tensor<8x512x64xf32>, tensor<8x1x64xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<8x512x64xf32>
  ml_program.global_store @cache = %1 : tensor<8x512x64xf32>
  return
}
"""


def costs(program: ts.Program, call: Callable[[], Any]) -> tuple[int, int]:
    """How many buffers a call allocates, and how many copies and fills it makes, once it has been called before."""
    call()
    before = program.device.memory_use().allocations
    with program.profile() as profile:
        call()
    assert profile.records
    return program.device.memory_use().allocations - before, sum(r.count for r in profile.transfers)


def test_updates_of_weights_are_in_place() -> None:
    """A hundred megabytes of weights: neither allocated nor copied, by any of the usual optimizers."""
    program = ts.load(ts.compile(optimizer(ROWS)))
    session = program.new_session()
    g = np.linspace(-1, 1, ROWS, dtype=np.float32)
    for name in ("sgd", "momentum", "adam"):
        assert costs(program, lambda name=name: session[name](g)) == (0, 0), name
    assert costs(program, session["count"]) == (0, 0)


def test_optimizers_agree_with_the_reference() -> None:
    text = optimizer(1003)
    session, reference = ts.load(ts.compile(text)).new_session(), Interpreter(import_program(text))
    rng = np.random.default_rng(1)
    for name in ("sgd", "momentum", "adam", "count") * 3:
        arguments = [] if name == "count" else [normal(rng, 1003)]
        session[name](*arguments)
        reference.call(name, arguments)
    state = session.state_dict()
    assert state.keys() == reference.variables.keys()
    for name, value in reference.variables.items():
        np.testing.assert_allclose(state[name], value, rtol=2e-5, atol=1e-6, err_msg=name)


def test_writing_a_piece_costs_neither_allocation_nor_copy() -> None:
    program = ts.load(ts.compile(ring_and_cache()))
    session = program.new_session()
    row, head = np.ones((1, 256), np.float32), np.ones((8, 1, 64), np.float32)
    assert costs(program, lambda: session["push"](row, np.int32(3))) == (0, 0)
    assert costs(program, lambda: session["append"](head, np.int32(5))) == (0, 0)
    state = session.state_dict()
    assert state["ring"].sum() == 256
    assert state["cache"][:, 5].sum() == 8 * 64 == state["cache"].sum()


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("ml_program.global_store @c = %x : tensor<4xf32>", VerifyError, "mutable.*@c is constant"),
        ("ml_program.global_store @none = %x : tensor<4xf32>", VerifyError, "there is no ml_program.global @none"),
        ("%0 = ml_program.global_load @v : tensor<5xf32>", VerifyError, "@v has type tensor<4xf32>, loaded as"),
        (
            """%0 = "stablehlo.map"(%x) <{dimensions = array<i64: 0>}> ({
              ^bb0(%e: tensor<f32>):
                ml_program.global_store @s = %e : tensor<f32>
                stablehlo.return %e : tensor<f32>
            }) : (tensor<4xf32>) -> tensor<4xf32>""",
            Unsupported,
            "a store to @s in a region of stablehlo.map",
        ),
    ],
)
def test_errors(body: str, error: type[Exception], message: str) -> None:
    text = f"""
ml_program.global private @c(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @v(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @s(dense<1.0> : tensor<f32>) : tensor<f32>
func.func @main(%x: tensor<4xf32>) {{
  {body}
  return
}}
"""
    with pytest.raises(error, match=message):
        ts.compile(text)
