"""Which updates of variables cost memory: what calls allocate and copy, beside what they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tesselle as ts
from tesselle.frontends import import_program
from tesselle.reference import Interpreter

PROGRAM = Path(__file__).parent / "programs_in_place.mlir"
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return (0.5 * RNG.standard_normal(shape)).astype(np.float32)


G, X, Q = normal(48, 32), normal(8), normal(1, 16)

CALLS: dict[str, tuple[tuple[Any, ...], int, int]] = {
    # Function: arguments, buffers that are allocated, copies and fills.
    "layer": ((normal(20, 48), normal(20, 32)), 1, 0),  # one for everything between the dispatches
    "steps": ((G, np.int32(3)), 0, 0),
    "step_if": ((G, np.bool_(True)), 0, 0),
    "clip": ((G,), 1, 0),
    "swap": ((), 0, 0),
    "rotate": ((), 0, 0),
    "remember": ((X,), 1, 0),
    "double_both": ((), 3, 3),  # two results; the old value is one of them, so that the new one has another place
    "set": ((G,), 0, 1),
    "renew": ((G,), 0, 0),
    "clear": ((), 0, 1),
    "decode": ((Q,), 2, 0),
    "generate": ((Q, np.int32(3)), 2, 2),
    "count_tests": ((np.int32(6),), 3, 1),  # a small result leaves its block
    "extend": ((normal(2, 3),), 1, 0),
    "square": ((), 0, 0),
    "forget": ((), 1, 1),
}


@pytest.fixture(scope="module")
def program() -> ts.Program:
    return ts.load(ts.compile(PROGRAM))


@pytest.mark.parametrize("name", CALLS)
def test_costs(program: ts.Program, name: str) -> None:
    arguments, allocations, transfers = CALLS[name]
    function = program.new_session()[name]
    function(*arguments)
    before = program.device.memory_use().allocations
    with program.profile() as profile:
        function(*arguments)
    assert program.device.memory_use().allocations - before == allocations
    assert sum(r.count for r in profile.transfers) == transfers


def test_results(program: ts.Program) -> None:
    """Calls in any order: the reference agrees on results and variables after each of them."""
    session, reference = program.new_session(), Interpreter(import_program(PROGRAM))
    for name in [*CALLS, *RNG.choice(list(CALLS), 60)]:
        arguments = CALLS[name][0]
        if name == "step_if":
            arguments = (G, np.bool_(RNG.random() < 0.5))
        results = session[name](*arguments)
        expected = reference.call(name, [np.asarray(a) for a in arguments])
        for x, y in zip(results if isinstance(results, tuple) else (results,), expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5, err_msg=name)
        state = session.state_dict()
        for variable, value in reference.variables.items():
            np.testing.assert_allclose(state[variable], value, rtol=1e-4, atol=1e-5, err_msg=f"@{variable}, @{name}")
            assert state[variable].shape == value.shape


def test_variables_are_not_results_and_not_arguments(program: ts.Program) -> None:
    """Arrays that went in or came out do not change when variables do, and the other way round."""
    session = program.new_session()
    g = G.copy()
    session["set"](g)
    g[:] = 0
    np.testing.assert_array_equal(session.state_dict()["w"], G)
    session["swap"]()
    doubled, old = session["double_both"]()
    kept = doubled.copy(), old.copy()
    session["double_both"]()
    session["swap"]()
    session["remember"](X)
    np.testing.assert_array_equal((doubled, old), kept)


def test_a_cache_agrees_with_numpy(program: ts.Program) -> None:
    session = program.new_session()
    cache = np.zeros((32, 16), np.float64)
    q = Q.astype(np.float64)
    for at in range(40):
        x = q.astype(np.float32)
        cache[at % 32] = q
        q = np.tanh((1 / (1 + np.exp(-q @ cache.T))) @ cache)
        y = session["generate"](x, np.int32(1)) if at % 3 == 0 else session["decode"](x)
        np.testing.assert_allclose(y, q, rtol=1e-3, atol=1e-4)
    state = session.state_dict()
    np.testing.assert_allclose(state["cache"], cache, rtol=1e-3, atol=1e-4)
    assert state["at"] == 40 % 32


OWN_INITIALIZER = """
ml_program.global private mutable @a(dense<[1, 2, 3]> : tensor<3xi64>) : tensor<3xi64>
ml_program.global private mutable @b : tensor<3xi64>
ml_program.global private @k(dense<[10, 20, 30]> : tensor<3xi64>) : tensor<3xi64>
func.func @initialize() {
  %a = ml_program.global_load @a : tensor<3xi64>
  %k = ml_program.global_load_const @k : tensor<3xi64>
  %s = stablehlo.add %a, %k : tensor<3xi64>
  ml_program.global_store @b = %s : tensor<3xi64>
  return
}
func.func private @add(%x: tensor<3xi64>) -> tensor<3xi64> {
  %b = ml_program.global_load @b : tensor<3xi64>
  %s = stablehlo.add %x, %b : tensor<3xi64>
  ml_program.global_store @b = %s : tensor<3xi64>
  return %s : tensor<3xi64>
}
func.func @add_twice(%x: tensor<3xi64>) -> tensor<3xi64> {
  %0 = call @add(%x) : (tensor<3xi64>) -> tensor<3xi64>
  %1 = call @add(%0) : (tensor<3xi64>) -> tensor<3xi64>
  return %1 : tensor<3xi64>
}
"""


def test_a_program_initializes_its_variables_itself() -> None:
    """Every session once, and again on reset; functions that others call share the variables."""
    x = np.array([1, 1, 1])
    program, reference = ts.load(ts.compile(OWN_INITIALIZER)), Interpreter(import_program(OWN_INITIALIZER))
    for session in (program.session, program.new_session()):
        np.testing.assert_array_equal(session.state_dict()["b"], [11, 22, 33])
        np.testing.assert_array_equal(session["add_twice"](x), 2 * np.array([12, 23, 34]))
    (expected,) = reference.call("add_twice", [x])
    np.testing.assert_array_equal(expected, 2 * np.array([12, 23, 34]))
    program.session.reset()
    np.testing.assert_array_equal(program.session.state_dict()["b"], [11, 22, 33])
    assert [f.name for f in program.manifest.functions if f.updates] == ["initialize", "add_twice"]
    assert program.manifest.initializer not in program.functions


def test_without_variables_initialize_is_a_function_like_others() -> None:
    program = ts.load(ts.compile("func.func @initialize() { return }"))
    assert not program.manifest.initializer
    assert program["initialize"]() == ()
