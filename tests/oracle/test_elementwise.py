"""Elementwise operations over element types: JAX == reference == linalg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from jax.scipy import special
from oracle_harness import BOOL, COMPLEX, FLOATS, INTEGERS, SIGNED, assert_close, check, lowered, sample

from tesselle.ir.text import parse_module
from tesselle.reference import interpret

UNARY: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
    ("abs", lax.abs, (*FLOATS, *SIGNED, *COMPLEX)),
    ("cbrt", lax.cbrt, FLOATS),
    ("ceil", lax.ceil, FLOATS),
    ("clz", lax.clz, INTEGERS),
    ("cos", lax.cos, (*FLOATS, *COMPLEX)),
    ("exp", lax.exp, (*FLOATS, *COMPLEX)),
    ("expm1", lax.expm1, FLOATS),
    ("floor", lax.floor, FLOATS),
    ("is_finite", lax.is_finite, FLOATS),
    ("log", lax.log, (*FLOATS, *COMPLEX)),
    ("log1p", lax.log1p, FLOATS),
    ("logistic", lax.logistic, FLOATS),
    ("neg", lax.neg, (*FLOATS, *INTEGERS, *COMPLEX)),
    ("not", lax.bitwise_not, (*INTEGERS, *BOOL)),
    ("population_count", lax.population_count, INTEGERS),
    ("real", lax.real, COMPLEX),
    ("imag", lax.imag, COMPLEX),
    ("conj", lax.conj, COMPLEX),
    ("round_afz", lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), FLOATS),
    ("round_even", lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), FLOATS),
    ("rsqrt", lax.rsqrt, FLOATS),
    ("sign", lax.sign, (*FLOATS, *SIGNED)),
    ("sin", lax.sin, (*FLOATS, *COMPLEX)),
    ("sqrt", lax.sqrt, (*FLOATS, *COMPLEX)),
    ("tan", lax.tan, FLOATS),
    ("tanh", lax.tanh, (*FLOATS, *COMPLEX)),
    ("square", lax.square, (*FLOATS, *INTEGERS, *COMPLEX)),
    ("integer_pow", lambda x: lax.integer_pow(x, 5), ("float32", "int32")),
    ("asin", lax.asin, FLOATS),
    ("acos", lax.acos, FLOATS),
    ("atan", lax.atan, FLOATS),
    ("sinh", lax.sinh, FLOATS),
    ("cosh", lax.cosh, FLOATS),
    ("asinh", lax.asinh, FLOATS),
    ("acosh", lax.acosh, FLOATS),
    ("atanh", lax.atanh, FLOATS),
    ("erf", lax.erf, FLOATS),
    ("erfc", lax.erfc, FLOATS),
)

BINARY: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
    ("add", lax.add, (*FLOATS, *INTEGERS, *COMPLEX)),
    ("and", lax.bitwise_and, (*INTEGERS, *BOOL)),
    ("atan2", lax.atan2, FLOATS),
    ("complex", lax.complex, ("float32", "float64")),
    ("div", lax.div, (*FLOATS, *INTEGERS, *COMPLEX)),
    ("max", lax.max, (*FLOATS, *INTEGERS, *BOOL)),
    ("min", lax.min, (*FLOATS, *INTEGERS, *BOOL)),
    ("mul", lax.mul, (*FLOATS, *INTEGERS, *COMPLEX)),
    ("or", lax.bitwise_or, (*INTEGERS, *BOOL)),
    ("pow", lax.pow, FLOATS),
    ("rem", lax.rem, (*FLOATS, *INTEGERS)),
    ("shift_left", lax.shift_left, INTEGERS),
    ("shift_right_arithmetic", lax.shift_right_arithmetic, INTEGERS),
    ("shift_right_logical", lax.shift_right_logical, INTEGERS),
    ("sub", lax.sub, (*FLOATS, *INTEGERS, *COMPLEX)),
    ("xor", lax.bitwise_xor, (*INTEGERS, *BOOL)),
    ("eq", lax.eq, (*FLOATS, *INTEGERS, *BOOL, *COMPLEX)),
    ("ne", lax.ne, (*FLOATS, *INTEGERS, *BOOL, *COMPLEX)),
    ("ge", lax.ge, (*FLOATS, *INTEGERS, *BOOL)),
    ("gt", lax.gt, (*FLOATS, *INTEGERS)),
    ("le", lax.le, (*FLOATS, *INTEGERS)),
    ("lt", lax.lt, (*FLOATS, *INTEGERS, *BOOL)),
)


def cases(table: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...]) -> list[Any]:
    return [pytest.param(f, d, id=f"{name}-{d}") for name, f, dtypes in table for d in dtypes]


@pytest.mark.parametrize(("function", "dtype"), cases(UNARY))
def test_unary(function: Callable[..., Any], dtype: str) -> None:
    check(function, sample(dtype, seed=1))


@pytest.mark.parametrize(("function", "dtype"), cases(BINARY))
def test_binary(function: Callable[..., Any], dtype: str) -> None:
    check(function, sample(dtype, seed=2), sample(dtype, seed=3))


CONVERTED = ("float32", "float64", "bfloat16", "float16", "int8", "int32", "int64", "uint8", "uint32", "bool")


@pytest.mark.parametrize("source", CONVERTED)
@pytest.mark.parametrize("target", CONVERTED)
def test_convert(source: str, target: str) -> None:
    # Floats beyond an unsigned type are clamped here; XLA leaves them to the machine.
    x = sample(source, seed=4, special=not target.startswith("uint"))
    if target.startswith("uint") and source not in ("bool", *INTEGERS):
        x = abs(x)
    check(lambda v: lax.convert_element_type(v, target), x)


def test_select_and_clamp() -> None:
    x, y = sample("float32", seed=5), sample("float32", seed=6)
    check(lambda c, a, b: lax.select(c, a, b), sample("bool"), x, y)
    check(lambda a: lax.clamp(np.float32(-1), a, np.float32(2)), x)
    check(lambda a: lax.clamp(np.int32(-3), a, np.int32(5)), sample("int32"))
    check(lambda a, b: jnp.where(a[0, 0] > 0, a, b), x, y)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_numbers_have_an_order(dtype: str) -> None:
    """By real parts, then by imaginary ones. Source: StableHLO spec, compare; JAX compares complex numbers itself."""
    x, y = (np.round(sample(dtype, (40,), seed=s)) for s in (1, 2))
    check(lambda a, b: lax.clamp(b[0], a, b[0] + np.asarray(3, dtype)), x, y)
    element = f"complex<f{32 if dtype == 'complex64' else 64}>"
    lines = [
        f"%0 = stablehlo.maximum %x, %y : tensor<40x{element}>",
        f"%1 = stablehlo.minimum %x, %y : tensor<40x{element}>",
        f"%2 = stablehlo.compare LT, %x, %y : (tensor<40x{element}>, tensor<40x{element}>) -> tensor<40xi1>",
        f"%3 = stablehlo.compare GE, %x, %y : (tensor<40x{element}>, tensor<40x{element}>) -> tensor<40xi1>",
    ]
    t, b = f"tensor<40x{element}>", "tensor<40xi1>"
    text = (
        f"func.func @main(%x: {t}, %y: {t}) -> ({t}, {t}, {b}, {b}) {{\n"
        + "\n".join(lines)
        + f"\nreturn %0, %1, %2, %3 : {t}, {t}, {b}, {b}\n}}"
    )
    pairs = [((p.real, p.imag), (q.real, q.imag)) for p, q in zip(x, y, strict=True)]
    expected = [
        np.array([complex(*max(p)) for p in pairs], dtype),
        np.array([complex(*min(p)) for p in pairs], dtype),
        np.array([p < q for p, q in pairs]),
        np.array([p >= q for p, q in pairs]),
    ]
    module = parse_module(text, "case.mlir")
    assert_close(interpret(module, "main", [x, y]), expected, "the reference and Python")
    assert_close(interpret(lowered(text), "main", [x, y]), expected, "linalg and Python")


@pytest.mark.parametrize(("exponent", "mantissa"), [(5, 10), (8, 7), (4, 3), (8, 23), (2, 1)])
def test_reduce_precision(exponent: int, mantissa: int) -> None:
    check(lambda x: lax.reduce_precision(x, exponent, mantissa), sample("float32", (50,)))


@pytest.mark.parametrize(
    ("source", "target"),
    [("float32", "uint32"), ("uint32", "float32"), ("float64", "int64"), ("float32", "uint8"), ("int16", "float16")],
)
def test_bitcast(source: str, target: str) -> None:
    check(lambda x: lax.bitcast_convert_type(x, np.dtype(target)), sample(source, seed=7))


def test_bitcast_to_wider() -> None:
    check(lambda x: lax.bitcast_convert_type(x, np.uint32), sample("uint8", (5, 4)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_functions(dtype: str) -> None:
    x = np.linspace(-4.3, 5.7, 23).astype(dtype)
    check(special.gammaln, x, tolerance=2e-5 if dtype == "float32" else 1e-9)
    check(special.digamma, x, tolerance=3e-5 if dtype == "float32" else 1e-9)
    check(lax.erf_inv, np.linspace(-0.999, 0.999, 23).astype(dtype), tolerance=3e-6 if dtype == "float32" else 1e-9)


def test_integer_power() -> None:
    check(lambda x, y: x**y, sample("int32", seed=1), np.abs(sample("int32", seed=2, special=False)))


def test_bit_cast_of_a_scalar_to_narrow_elements() -> None:
    check(lambda x: lax.bitcast_convert_type(x, np.uint8), sample("float32", ()))
