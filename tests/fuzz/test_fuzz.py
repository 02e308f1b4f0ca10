"""A fixed sample of random programs, programs that the fuzzer found, and the fuzzer itself: that it can fail."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.ir.text import parse_module
from tesselle.ir.types import TensorType

from .compare import Expectation
from .evaluate import evaluate, program_of
from .generate import Program, generate
from .shrink import shrink
from .values import Array, random_array

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

FOUND = sorted((Path(__file__).parent / "found").glob("*.mlir"))
SAMPLE_GROUPS = 12
PROGRAMS_PER_GROUP = 8


@pytest.mark.parametrize("group", range(SAMPLE_GROUPS))
def test_sample(group: int) -> None:
    first = group * PROGRAMS_PER_GROUP
    for number in range(first, first + PROGRAMS_PER_GROUP):
        verdict = evaluate(program_of(number))
        assert not verdict.failed, f"program {number}: {verdict.kind}: {verdict.detail}"


@pytest.mark.parametrize("group", range(SAMPLE_GROUPS))
def test_sample_with_variables(group: int) -> None:
    """Results of several calls, and what the variables hold after them."""
    first = group * PROGRAMS_PER_GROUP
    for number in range(first, first + PROGRAMS_PER_GROUP):
        verdict = evaluate(program_of(number, with_variables=True))
        assert not verdict.failed, f"program {number}: {verdict.kind}: {verdict.detail}"


@settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.randoms(use_true_random=False))
def test_choices_of_hypothesis(random: Random) -> None:
    """Hypothesis makes the choices, and would make them simpler."""
    verdict = evaluate(generate(random, max_operations=6))
    assert not verdict.failed, f"{verdict.kind}: {verdict.detail}"


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_found(path: Path) -> None:
    """What once differed, or did not compile."""
    text = path.read_text()
    for seed in range(2):
        verdict = evaluate(Program(text, arguments_for(text, seed)))
        assert verdict.kind == "equal", verdict.detail


def arguments_for(text: str, seed: int) -> tuple[Array, ...]:
    module = parse_module(text, "found.mlir")
    assert isinstance(module, ModuleOp)
    function = module.lookup("main")
    assert isinstance(function, FuncOp)
    random = Random(seed)
    types = [t for t in function.function_type.inputs if isinstance(t, TensorType)]
    return tuple(random_array(random, t.dtype, t.static_shape) for t in types)


SUM_THEN_EXP = """
func.func @main(%x: tensor<8xf32>) -> (tensor<f32>, tensor<i1>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
  %1 = stablehlo.exponential %0 : tensor<f32>
  %2 = stablehlo.compare LT, %0, %zero : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %1, %2 : tensor<f32>, tensor<i1>
}
"""  # noqa: E501  (as people write it)


def expectation(x: Array) -> Expectation:
    module = parse_module(SUM_THEN_EXP, "sum.mlir")
    assert isinstance(module, ModuleOp)
    return Expectation(module, [x])


def test_tolerance_is_that_of_the_program() -> None:
    e = expectation(np.linspace(0.1, 1.7, 8, dtype=np.float32))
    right, below = e.expected
    assert e.difference([right * np.float32(1 + 1e-6), below]) is None
    assert "instead of" in str(e.difference([right * np.float32(1 + 1e-4), below]))
    assert "1 of 1 elements" in str(e.difference([right, ~below])), "nothing is unsure about the sign of this sum"


def test_what_hangs_on_a_rounding_error_is_not_compared() -> None:
    x = np.array([1.1, -1.1, 3.3, -3.3, 0.7, -0.7, 1e-9, -1e-9], np.float32)
    e = expectation(x)
    right, below = e.expected
    assert e.difference([right, ~below]) is None
    assert e.difference([right + np.float32(1e-3), below]) is not None


def test_failing_programs_become_small() -> None:
    program = next(
        p for p in map(program_of, range(200)) if p.text.count("stablehlo.") > 25 and "stablehlo.reverse" in p.text
    )

    def fails(candidate: Program) -> bool:
        return "stablehlo.reverse" in candidate.text

    small = shrink(program, fails)
    assert fails(small)
    assert small.text.count("stablehlo.") < program.text.count("stablehlo.") / 4
