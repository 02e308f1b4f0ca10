"""Every element type, compiled: conversions and bit casts between all of them, arithmetic of the narrow ones on all
pairs of values. Compiled code is compared with the reference in every bit; XLA, or the bits themselves, judge both."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from element_values import ELEMENT_TYPES, all_values, assert_same_bits, codes_of, from_codes, tensor, values

from tesselle.compiler import compile
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.support.dtypes import BF16, F32, F64, I1, DType
from tesselle.support.options import CompileOptions

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]
NARROW = [d for d in ELEMENT_TYPES if d.bits <= 8]
UNKNOWN_TO_XLA = ("f6E2M3FN", "f6E3M2FN")
"""jaxlib 0.10 cannot generate code for them."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


def build(functions: dict[str, str], cache: Path) -> tuple[ModuleOp, Any]:
    """Functions, each a text with a hole for its name, for the reference and compiled."""
    text = "\n".join(body.replace("@_", f"@{name}") for name, body in functions.items())
    module = parse_module(text, "types.mlir")
    assert isinstance(module, ModuleOp)
    return module, runtime.load(compile(text, options=CompileOptions(cache_dir=cache)))


def both(module: ModuleOp, program: Any, name: str, *args: Array) -> Array:
    """The result of the compiled function, which is that of the reference in every bit."""
    with np.errstate(all="ignore"):
        (wanted,) = interpret(module, name, list(args))
    found = np.asarray(program[name](*args))
    assert_same_bits(found, np.asarray(wanted), name)
    return found


# ---------------------------------------------------------------------------------------------- conversions


def converted(x: str, source: DType, target: DType, shape: tuple[int, ...]) -> str:
    a, b = tensor(shape, source), tensor(shape, target)
    return f"func.func @_(%a: {a}) -> {b} {{ %0 = stablehlo.convert %a : ({a}) -> {b} return %0 : {b} }}"


def in_xla(x: Array, target: DType) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return np.asarray(jax.jit(functools.partial(jax.lax.convert_element_type, new_dtype=target.numpy))(x))


@pytest.mark.parametrize("source", ELEMENT_TYPES, ids=str)
def test_conversions(source: DType, cache: Path) -> None:
    """From one type to all: saturating towards integers, rounded once towards floats, wrapping among integers."""
    x = values(source)
    names = {f"from_{i}": target for i, target in enumerate(ELEMENT_TYPES)}
    module, program = build({n: converted(n, source, t, x.shape) for n, t in names.items()}, cache)
    for name, target in names.items():
        found = both(module, program, name, x)
        if source.name in UNKNOWN_TO_XLA or target.name in UNKNOWN_TO_XLA:
            continue
        agreed = ~differs_in_xla(x, source, target)
        assert_same_bits(found[agreed], in_xla(x, target)[agreed], f"{source} to {target}")


def differs_in_xla(x: Array, source: DType, target: DType) -> Array:
    """Where XLA's CPU back end does something else than the specification says."""
    real = x.real if source.is_complex else x
    if source.name == "f4E2M1FN" and target.is_integer:
        # The largest number of a type without infinity saturates in XLA as if it were one.
        return np.abs(real.astype(np.float32)) == 6
    if source.is_float or source.is_complex:
        # It reads subnormal numbers as zeros, and does not write them.
        parts = [real.astype(np.float64), x.imag.astype(np.float64) if source.is_complex else np.zeros(x.shape)]
        subnormal = [(np.abs(p) > 0) & (np.abs(p) < 2.0**-126) for p in parts]
        return (subnormal[0] | subnormal[1]) & (source.element.bits >= 16)
    return np.zeros(x.shape, bool)


def test_wide_integers_round_once(cache: Path) -> None:
    """2**62 + 2**54 + 1 is above the middle of two neighbours in bf16, which f64 cannot see."""
    x = np.array([(1 << 62) + (1 << 54) + 1, (1 << 62) + (1 << 54), -(1 << 62) - (1 << 54) - 1], np.int64)
    module, program = build({"f": converted("f", next(d for d in ELEMENT_TYPES if d.name == "i64"), BF16, (3,))}, cache)
    found = both(module, program, "f", x).astype(np.float64)
    np.testing.assert_array_equal(found, [2.0**62 + 2.0**55, 2.0**62, -(2.0**62) - 2.0**55])


# ---------------------------------------------------------------------------------------------- bit casts


def bit_string(x: Array, dtype: DType) -> list[int]:
    """All bits of all elements, the lowest first: what a bit cast keeps."""
    if dtype.bits == 128:
        return [int(b) for b in np.unpackbits(np.ascontiguousarray(x).view(np.uint8), bitorder="little")]
    codes = codes_of(x, dtype).reshape(-1)
    return [int(c) >> i & 1 for c in codes for i in range(dtype.bits)]


@pytest.mark.parametrize("source", ELEMENT_TYPES, ids=str)
def test_bit_casts(source: DType, cache: Path) -> None:
    """To every type whose width divides or is divided by the source's; also between numbers of less than a byte."""
    functions: dict[str, str] = {}
    cases: dict[str, tuple[tuple[int, ...], DType]] = {}
    for target in ELEMENT_TYPES:
        wide, narrow = max(source.bits, target.bits), min(source.bits, target.bits)
        if wide % narrow or source.is_complex != target.is_complex:
            continue
        last = (wide // narrow,) if wide != narrow else ()
        shapes = (3, *(last if source.bits < wide else ())), (3, *(last if target.bits < wide else ()))
        a, b = (tensor(s, d) for s, d in zip(shapes, (source, target), strict=True))
        name = f"to_{len(cases)}"
        cases[name] = shapes[0], target
        functions[name] = (
            f"func.func @_(%a: {a}) -> {b} {{ %0 = stablehlo.bitcast_convert %a : ({a}) -> {b} return %0 : {b} }}"
        )
    module, program = build(functions, cache)
    rng = np.random.default_rng(1)
    for name, (shape, target) in cases.items():
        if source.is_complex:
            x = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(source.numpy)
        else:
            x = from_codes(rng.integers(0, 1 << 63, shape, dtype=np.uint64), source)
        found = np.asarray(program[name](x))
        (meaning,) = interpret(module, name, [x])
        assert bit_string(found, target) == bit_string(x, source), f"{source} to {target}, compiled"
        assert bit_string(meaning, target) == bit_string(x, source), f"{source} to {target}, by the reference"


# ---------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("dtype", ELEMENT_TYPES, ids=str)
def test_arguments_and_results(dtype: DType, cache: Path) -> None:
    """Of rank 0, empty, strided, and as Python numbers; selects keep every bit."""
    x = values(dtype)
    functions: dict[str, str] = {}
    arguments = {"many": x, "one": x[3].reshape(()), "none": x[:0], "strided": x[::2]}
    for name, value in arguments.items():
        t = tensor(value.shape, dtype)
        functions[name] = (
            f"func.func @_(%p: tensor<i1>, %a: {t}, %b: {t}) -> {t}"
            f" {{ %0 = stablehlo.select %p, %a, %b : tensor<i1>, {t} return %0 : {t} }}"
        )
    _, program = build(functions, cache)
    for name, value in arguments.items():
        other = np.zeros_like(value)
        for condition in (True, False):
            found = np.asarray(program[name](np.bool_(condition), value, other))
            assert_same_bits(found.reshape(-1), (value if condition else other).reshape(-1), name)
    if dtype.name != "f8E8M0FNU":
        assert program["one"](True, True, False) == np.asarray(1).astype(dtype.numpy)


# ---------------------------------------------------------------------------------------------- arithmetic

BITWISE = ("and", "or", "xor")
SHIFTS = ("shift_left", "shift_right_arithmetic", "shift_right_logical")
ARITHMETIC = ("add", "subtract", "multiply", "divide", "remainder", "maximum", "minimum", "power")
COMPARISONS = ("EQ", "NE", "LT", "LE", "GT", "GE")
ROUNDING = ("ceil", "floor", "round_nearest_afz", "round_nearest_even")


def operations(dtype: DType) -> dict[str, tuple[int, DType]]:
    """Name of the exact operations that the type has -> (operands, type of the result)."""
    if dtype.is_bool:
        binary, unary = (*BITWISE, "add", "multiply", "maximum", "minimum"), ("not",)
    elif dtype.is_float:
        binary, unary = ARITHMETIC[:-1], ("negate", "abs", "sign", "sqrt", *ROUNDING)
    else:
        signed = ("abs", "sign") if dtype.is_signed else ()
        binary, unary = (*ARITHMETIC, *BITWISE, *SHIFTS), ("negate", "not", "popcnt", "count_leading_zeros", *signed)
    found = dict.fromkeys(binary, (2, dtype)) | dict.fromkeys(unary, (1, dtype))
    return found | {f"compare_{c}": (2, I1) for c in COMPARISONS}


def operation(name: str, arity: int, dtype: DType, result: DType, shape: tuple[int, ...]) -> str:
    t, r = tensor(shape, dtype), tensor(shape, result)
    if name.startswith("compare_"):
        body = f"stablehlo.compare {name[8:]}, %a, %b : ({t}, {t}) -> {r}"
    else:
        operands = ", ".join("%a %b".split()[:arity])
        body = f'"stablehlo.{name}"({operands}) : ({", ".join([t] * arity)}) -> {r}'
    arguments = ", ".join(f"{v}: {t}" for v in "%a %b".split()[:arity])
    return f"func.func @_({arguments}) -> {r} {{ %0 = {body} return %0 : {r} }}"


def expected(name: str, x: Array, y: Array, dtype: DType) -> Array | None:
    """By Python integers, or by f64 and one rounding of ml_dtypes; None where the reference alone is compared."""
    if dtype.is_float:
        table = {
            "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
            "maximum": lambda a, b: np.where((a == 0) & (b == 0), a + b, np.maximum(a, b)), "remainder": np.fmod,
            "minimum": lambda a, b: np.where((a == 0) & (b == 0), -(-a - b), np.minimum(a, b)),
            "compare_LT": np.less, "compare_EQ": np.equal, "compare_NE": np.not_equal,
        }  # fmt: skip
        function = table.get(name)
        if function is None:
            return None
        with np.errstate(all="ignore"):
            exact = function(x.astype(np.float64), y.astype(np.float64))
            if exact.dtype == bool:
                return exact
            # Where a format has no nan, XLA writes -0.
            return np.where(np.isnan(exact), -0.0 if dtype.bits < 8 else np.nan, exact).astype(dtype.numpy)
    low, bits = 0 if not dtype.is_signed else -(1 << (dtype.bits - 1)), dtype.bits
    mask = (1 << bits) - 1
    python = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "and": lambda a, b: a & b,
        "or": lambda a, b: a | b,
        "xor": lambda a, b: a ^ b,
        "shift_left": lambda a, b: a << (b & mask) if (b & mask) < bits else 0,
        "shift_right_logical": lambda a, b: (a & mask) >> (b & mask),
        "shift_right_arithmetic": lambda a, b: (((a & mask) ^ (1 << bits - 1)) - (1 << bits - 1)) >> (b & mask),
        "divide": lambda a, b: -1 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
        "remainder": lambda a, b: a if b == 0 else abs(a) % abs(b) * (-1 if a < 0 else 1),
        "maximum": max,
        "minimum": min,
        "popcnt": lambda a, b: (a & mask).bit_count(),
        "count_leading_zeros": lambda a, b: bits - (a & mask).bit_length(),
    }
    if dtype.is_bool or name not in python:
        return None
    numbers = [(int(a), int(b)) for a, b in zip(x, y, strict=True)]
    wrapped = [((python[name](a, b) - low) & mask) + low for a, b in numbers]
    return np.array(wrapped, np.int64).astype(np.int8 if dtype.is_signed else np.uint8).astype(dtype.numpy)


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_arithmetic_of_narrow_types(dtype: DType, cache: Path) -> None:
    """On all pairs of values: computed wider, rounded or wrapped back after every operation."""
    single = all_values(dtype)
    x, y = np.repeat(single, len(single)), np.tile(single, len(single))
    table = operations(dtype)
    module, program = build({n: operation(n, k, dtype, r, x.shape) for n, (k, r) in table.items()}, cache)
    for name, (arity, _) in table.items():
        found = both(module, program, name, *(x, y)[:arity])
        wanted = expected(name, x, y, dtype)
        if wanted is not None:
            assert_same_bits(found, wanted, f"{name} of {dtype}")


@pytest.mark.parametrize("dtype", [F32, F64, BF16, *[d for d in ELEMENT_TYPES if d.is_float and d.bits == 8]], ids=str)
def test_reduce_precision(dtype: DType, cache: Path) -> None:
    """In every format; XLA agrees where it has the operation."""
    x = values(dtype)
    t = tensor(x.shape, dtype)
    formats = [(5, 10), (8, 7), (3, 1), (4, 3), (2, 0), (1, 0), (5, 2)]
    functions = {
        f"e{e}m{m}": f"func.func @_(%a: {t}) -> {t} {{ %0 = stablehlo.reduce_precision %a, format = e{e}m{m} : {t}"
        f" return %0 : {t} }}"
        for e, m in formats
    }
    module, program = build(functions, cache)
    for e, m in formats:
        found = both(module, program, f"e{e}m{m}", x)
        if dtype.bits >= 16:
            wanted = np.asarray(
                jax.jit(functools.partial(jax.lax.reduce_precision, exponent_bits=e, mantissa_bits=m))(x)
            )
            assert_same_bits(found, wanted, f"e{e}m{m} of {dtype}")


def test_ml_dtypes_names_every_type() -> None:
    """The table of element types has what ml_dtypes has, under the names of the specification."""
    added = {d.numpy.name for d in ELEMENT_TYPES if d.numpy.type.__module__ == "ml_dtypes"}
    known = {name for name in dir(ml_dtypes) if isinstance(getattr(ml_dtypes, name), type)}
    assert added == known - {"finfo", "iinfo", "int1", "uint1", "bcomplex32", "complex32"}
