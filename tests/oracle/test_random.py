"""Random bits: XLA == reference == compiled, bit for bit. Random numbers: their bounds and distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from random_sizes import combinations
from scipy import stats
from text_oracle import check_text, run_compiled, run_reference

from tesselle.compiler import compile
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.runtime import load

Array = np.ndarray[Any, Any]
TYPES: dict[str, Any] = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
    "i8": np.int8,
    "ui8": np.uint8,
    "i32": np.int32,
    "ui32": np.uint32,
    "i64": np.int64,
    "ui64": np.uint64,
    "i1": np.bool_,
}


def tensor(shape: Sequence[int | str], dtype: str) -> str:
    return f"tensor<{''.join(f'{d}x' for d in shape)}{dtype}>"


def bits_text(algorithm: str, state: str, shape: Sequence[int], dtype: str) -> str:
    out = tensor(shape, dtype)
    return f"""
    func.func @main(%s: {state}) -> ({state}, {out}) {{
      %0, %1 = stablehlo.rng_bit_generator %s, algorithm = {algorithm} : ({state}) -> ({state}, {out})
      return %0, %1 : {state}, {out}
    }}"""


SHAPES = ((), (1,), (2,), (7,), (8,), (0,), (3, 5), (4, 3), (3, 4), (5, 1, 3), (2, 0, 3), (1, 1), (33, 2))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("algorithm", ["THREE_FRY", "PHILOX", "DEFAULT"])
def test_bits_of_every_shape(algorithm: str, shape: tuple[int, ...]) -> None:
    state = np.array([0x0123456789ABCDEF, 2**64 - 3], np.uint64)
    check_text(bits_text(algorithm, "tensor<2xui64>", shape, "ui32"), state)


@pytest.mark.parametrize("dtype", ["ui8", "i8", "ui16", "i16", "i32", "ui64", "i64"])
@pytest.mark.parametrize("algorithm", ["THREE_FRY", "PHILOX"])
def test_bits_of_every_integer(algorithm: str, dtype: str) -> None:
    state = np.array([7, 11], np.uint64)
    for shape in ((5,), (2, 3)):
        unsigned = dtype if dtype[0] == "u" else f"u{dtype}"
        text = bits_text(algorithm, "tensor<2xui64>", shape, unsigned)
        results = check_text(text, state)
        # XLA gives unsigned integers; others have the same bits.
        kind = np.dtype(f"int{dtype.lstrip('ui')}") if dtype[0] == "i" else results[1].dtype
        check_text(
            bits_text(algorithm, "tensor<2xui64>", shape, dtype), state, wanted=[results[0], results[1].view(kind)]
        )


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_bits_of_floats(dtype: str) -> None:
    state = np.array([7, 11], np.uint64)
    wanted = check_text(bits_text("PHILOX", "tensor<2xui64>", (9,), f"ui{TYPES[dtype](0).itemsize * 8}"), state)
    for run in (run_compiled, run_reference):
        after, bits = run(bits_text("PHILOX", "tensor<2xui64>", (9,), dtype), state)
        np.testing.assert_array_equal(after, wanted[0])
        assert bits.tobytes() == wanted[1].tobytes()


@pytest.mark.parametrize("dtype", ["ui32", "ui64"])
def test_philox_carries_into_its_third_word(dtype: str) -> None:
    state = np.array([99, 2**64 - 2, 5], np.uint64)
    for algorithm in ("PHILOX", "DEFAULT"):
        check_text(bits_text(algorithm, "tensor<3xui64>", (13,), dtype), state)


def test_a_state_of_words_of_32_bits() -> None:
    state = np.array([1, 2, 3, 4], np.uint32)
    after, bits = run_compiled(bits_text("THREE_FRY", "tensor<2xui64>", (5,), "ui32"), state.view(np.uint64))
    check_text(bits_text("THREE_FRY", "tensor<4xui32>", (5,), "ui32"), state, wanted=[after.view(np.uint32), bits])


def numbers_text(distribution: str, dtype: str, count: int) -> str:
    t, scalar = tensor((count,), dtype), f"tensor<{dtype}>"
    return f"""
    func.func @main(%a: {scalar}, %b: {scalar}) -> {t} {{
      %n = stablehlo.constant dense<{count}> : tensor<1xi64>
      %0 = stablehlo.rng %a, %b, %n, distribution = {distribution} : ({scalar}, {scalar}, tensor<1xi64>) -> {t}
      return %0 : {t}
    }}"""


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_uniform_floats(dtype: str) -> None:
    a, b = TYPES[dtype](-2), TYPES[dtype](3)
    text = numbers_text("UNIFORM", dtype, 5000)
    (found,), (meaning,) = run_compiled(text, a, b), run_reference(text, a, b)
    np.testing.assert_array_equal(found, meaning)
    wide = found.astype(np.float64)
    assert (wide >= -2).all() and (wide < 3).all()
    if dtype in ("f32", "f64"):
        assert stats.kstest(wide, stats.uniform(-2, 5).cdf).pvalue > 1e-3
    else:
        assert abs(wide.mean() - 0.5) < 0.1 and abs(wide.var() - 25 / 12) < 0.15


def test_uniform_never_gives_the_upper_bound() -> None:
    """Between neighbouring floats half of the numbers would be rounded up."""
    a = np.float32(1)
    (found,) = run_compiled(numbers_text("UNIFORM", "f32", 100), a, np.nextafter(a, np.float32(2)))
    np.testing.assert_array_equal(found, a)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("i8", -100, 100),
        ("ui8", 3, 9),
        ("i32", -(2**31), 2**31 - 1),
        ("i32", -5, 5),
        ("ui32", 0, 2**32 - 1),
        ("i64", -(2**63), 2**63 - 1),
        ("ui64", 5, 2**64 - 1),
    ],
)
def test_uniform_integers(dtype: str, low: int, high: int) -> None:
    a, b = np.array(low, TYPES[dtype]), np.array(high, TYPES[dtype])
    text = numbers_text("UNIFORM", dtype, 4000)
    (found,), (meaning,) = run_compiled(text, a, b), run_reference(text, a, b)
    np.testing.assert_array_equal(found, meaning)
    values = [int(x) for x in found]
    assert min(values) >= low and max(values) < high
    share = np.array([(v - low) / (high - low) for v in values])
    if high - low > 1000:
        assert stats.kstest(share, "uniform").pvalue > 1e-3
    else:
        counts = np.bincount([v - low for v in values], minlength=high - low)
        assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_normal(dtype: str) -> None:
    mean, deviation = TYPES[dtype](1), TYPES[dtype](2)
    text = numbers_text("NORMAL", dtype, 3000)
    (found,), (meaning,) = run_compiled(text, mean, deviation), run_reference(text, mean, deviation)
    tolerance = {"f16": 2e-3, "bf16": 1e-2, "f32": 1e-6, "f64": 1e-12}[dtype]
    wide = found.astype(np.float64)
    np.testing.assert_allclose(wide, meaning.astype(np.float64), rtol=tolerance, atol=tolerance)
    assert abs(wide.mean() - 1) < 0.15 and abs(wide.std() - 2) < 0.1
    if dtype in ("f32", "f64"):
        assert stats.kstest(wide, stats.norm(1, 2).cdf).pvalue > 1e-3


def test_every_draw_differs_in_loops_and_branches_too() -> None:
    text = """
    func.func @main(%n: tensor<i32>, %p: tensor<i1>) -> (tensor<4xf32>, tensor<6x4xf32>, tensor<4xf32>, tensor<4xf32>) {
      %a = stablehlo.constant dense<0.0> : tensor<f32>
      %b = stablehlo.constant dense<1.0> : tensor<f32>
      %s = stablehlo.constant dense<4> : tensor<1xi64>
      %i = stablehlo.constant dense<0> : tensor<i32>
      %one = stablehlo.constant dense<1> : tensor<i32>
      %buffer = stablehlo.constant dense<0.0> : tensor<6x4xf32>
      %first = stablehlo.rng %a, %b, %s, distribution = UNIFORM :
        (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
      %l:2 = stablehlo.while(%k = %i, %x = %buffer) : tensor<i32>, tensor<6x4xf32> cond {
        %c = stablehlo.compare LT, %k, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      } do {
        %r = stablehlo.rng %a, %b, %s, distribution = UNIFORM :
          (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
        %row = stablehlo.reshape %r : (tensor<4xf32>) -> tensor<1x4xf32>
        %y = stablehlo.dynamic_update_slice %x, %row, %k, %i :
          (tensor<6x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<6x4xf32>
        %m = stablehlo.add %k, %one : tensor<i32>
        stablehlo.return %m, %y : tensor<i32>, tensor<6x4xf32>
      }
      %e = "stablehlo.if"(%p) ({
        %r = stablehlo.rng %a, %b, %s, distribution = UNIFORM :
          (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
        stablehlo.return %r : tensor<4xf32>
      }, {
        stablehlo.return %first : tensor<4xf32>
      }) : (tensor<i1>) -> tensor<4xf32>
      %z = stablehlo.rng %a, %b, %s, distribution = UNIFORM :
        (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
      return %first, %l#1, %e, %z : tensor<4xf32>, tensor<6x4xf32>, tensor<4xf32>, tensor<4xf32>
    }"""
    for p in (True, False):
        arguments = np.int32(6), np.array(p)
        found, meaning = run_compiled(text, *arguments), run_reference(text, *arguments)
        for x, y in zip(found, meaning, strict=True):
            np.testing.assert_array_equal(x, y)
        drawn = np.concatenate([np.ravel(x) for x in found])
        assert len(set(drawn.tolist())) == 36 if p else 32


def test_numbers_of_a_dynamic_shape() -> None:
    text = """
    func.func @main(%n: tensor<2xi64>) -> (tensor<?x?xf32>, tensor<?x?xi32>) {
      %a = stablehlo.constant dense<0.0> : tensor<f32>
      %b = stablehlo.constant dense<1.0> : tensor<f32>
      %c = stablehlo.constant dense<-9> : tensor<i32>
      %d = stablehlo.constant dense<9> : tensor<i32>
      %0 = stablehlo.rng %a, %b, %n, distribution = NORMAL :
        (tensor<f32>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
      %1 = stablehlo.rng %c, %d, %n, distribution = UNIFORM :
        (tensor<i32>, tensor<i32>, tensor<2xi64>) -> tensor<?x?xi32>
      return %0, %1 : tensor<?x?xf32>, tensor<?x?xi32>
    }"""
    for shape in ((3, 4), (1, 9)):
        found, meaning = run_compiled(text, np.array(shape)), run_reference(text, np.array(shape))
        np.testing.assert_allclose(found[0], meaning[0], rtol=1e-6)
        np.testing.assert_array_equal(found[1], meaning[1])
    function, module = load(compile(text))["main"], parse_module(text)
    for v in combinations("mn"):
        shape = np.array([v["m"], v["n"]])
        (normal, whole), meaning = function(shape), interpret(module, "main", [shape])
        np.testing.assert_allclose(normal, meaning[0], rtol=1e-5, atol=1e-6, err_msg=str(v))
        np.testing.assert_array_equal(whole, meaning[1], err_msg=str(v))


DYNAMIC = """func.func @main(%s: tensor<Nxui64>, %n: tensor<2xi32>) -> (tensor<Nxui64>, tensor<?x?xT>) {
  %0:2 = stablehlo.custom_call @stablehlo.dynamic_rng_bit_generator(%s, %n)
    {rng_algorithm = #stablehlo<rng_algorithm A>} : (tensor<Nxui64>, tensor<2xi32>) -> (tensor<Nxui64>, tensor<?x?xT>)
  return %0#0, %0#1 : tensor<Nxui64>, tensor<?x?xT>
}"""


@pytest.mark.parametrize("algorithm", ["THREE_FRY", "PHILOX", "DEFAULT"])
@pytest.mark.parametrize("element", ["ui32", "ui64", "ui8", "f32"])
def test_bits_of_a_shape_that_is_an_argument(algorithm: str, element: str) -> None:
    """The same as of the shape in the type, whichever of the sizes are even."""
    words = 3 if algorithm == "PHILOX" else 2
    text = DYNAMIC.replace("N", str(words)).replace("xT", f"x{element}").replace(" A>", f" {algorithm}>")
    function = load(compile(text))["main"]
    state = np.array([123456789012345, (1 << 64) - 5, 7][:words], np.uint64)
    module = parse_module(text)
    for shape in (tuple(v.values()) for v in combinations("mn")):
        vector = np.array(shape, np.int32)
        wanted = interpret(module, "main", [state, vector])
        for found, w in zip(function(state, vector), wanted, strict=True):
            assert found.shape == w.shape
            np.testing.assert_array_equal(np.asarray(found).view(np.uint8), w.view(np.uint8), err_msg=str(shape))
