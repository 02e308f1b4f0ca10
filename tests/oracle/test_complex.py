"""Functions of complex numbers, compiled: accuracy over the whole range, and infinities, zeros and branch cuts.

Errors are measured in units in the last place of the modulus, against the reference, which computes in a wider type and
is itself compared with Python's cmath.
"""

from __future__ import annotations

import cmath
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tesselle.compiler import compile
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.support.dtypes import C64, C128, DType
from tesselle.support.options import CompileOptions

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]

UNARY = {
    "abs": 2, "cbrt": 4, "cosine": 4, "exponential": 4, "exponential_minus_one": 4, "log": 4, "log_plus_one": 4,
    "logistic": 8, "rsqrt": 4, "sign": 4, "sine": 4, "sqrt": 4, "tan": 8, "tanh": 8,
}  # fmt: skip
"""Largest error of complex<f64> in ULP; of complex<f32> it is 1."""
BINARY = {"divide": 4, "power": 512, "maximum": 0, "minimum": 0}
"""power: the logarithm's error grows with the exponent, up to 709 times."""

EDGES = (0.0, -0.0, 1, -2, np.inf, -np.inf)
SPECIAL = np.array([complex(a, b) for a in EDGES for b in EDGES])


def samples(dtype: DType) -> Array:
    """Numbers of all sizes, near 0, 1 and -1, and on both sides of branch cuts."""
    rng = np.random.default_rng(0)
    limits = np.finfo(dtype.element.numpy)

    def normal(count: int) -> Array:
        return rng.normal(size=count) + 1j * rng.normal(size=count)

    edges = [float(limits.max) / 4, float(limits.tiny), 1e-20, 1e18, 0.5, -1.0, 3.0, -20.0, 1e-8]
    grid = [complex(a, b) for a in edges for b in edges]
    parts = [grid, normal(1000), 1e-5 * normal(300), 10 * normal(300), np.exp(1j * rng.normal(size=300))]
    return np.concatenate([*parts, -1 + 1e-4 * normal(100)]).astype(dtype.numpy)


@pytest.fixture(scope="module", params=[C64, C128], ids=str)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[DType, ModuleOp, Any]:
    dtype: DType = request.param
    functions: list[str] = []
    for name in (*UNARY, *BINARY):
        t = f"tensor<?x{dtype}>"
        r = f"tensor<?x{dtype.element}>" if name == "abs" else t
        arguments, types = ("%a", t) if name in UNARY else ("%a, %b", f"{t}, {t}")
        signature = ", ".join(f"{v}: {t}" for v in arguments.split(", "))
        functions.append(
            f'func.func @{name}({signature}) -> {r} {{ %0 = "stablehlo.{name}"({arguments}) : ({types}) -> {r}'
            f" return %0 : {r} }}"
        )
    text = "\n".join(functions)
    module = parse_module(text, "complex.mlir")
    assert isinstance(module, ModuleOp)
    options = CompileOptions(cache_dir=tmp_path_factory.mktemp("objects"))
    return dtype, module, runtime.load(compile(text, options=options))


def run(built: tuple[DType, ModuleOp, Any], name: str, *args: Array) -> tuple[Array, Array]:
    """(compiled, reference)."""
    _, module, program = built
    with np.errstate(all="ignore"):
        return np.asarray(program[name](*args)), np.asarray(interpret(module, name, list(args))[0])


def operands(name: str, x: Array) -> tuple[Array, ...]:
    return (x,) if name in UNARY else (x, np.roll(x, 11))


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_accuracy(built: tuple[DType, ModuleOp, Any], name: str) -> None:
    dtype = built[0]
    x = samples(dtype)
    if name in BINARY:
        # Beyond, intermediate results leave the range.
        x = x[(np.abs(x) < 1e15) & (np.abs(x.real) > 1e-15) & (np.abs(x.imag) > 1e-15)]
    found, wanted = run(built, name, *operands(name, x))
    finite = np.isfinite(wanted) & (np.abs(wanted) < np.finfo(dtype.element.numpy).max / 4)
    size = np.maximum(np.abs(wanted[finite]), np.finfo(dtype.element.numpy).tiny)
    error = np.abs(found[finite] - wanted[finite]) / np.spacing(size)
    limit = {**UNARY, **BINARY}[name] if dtype is C128 else min(1.5, {**UNARY, **BINARY}[name])
    worst = int(np.argmax(error))
    assert error[worst] <= limit, f"{x[finite][worst]}: {found[finite][worst]} instead of {wanted[finite][worst]}"
    assert np.array_equal(np.isnan(found), np.isnan(wanted))


@pytest.mark.parametrize("name", ["cbrt", "exponential_minus_one", "log", "log_plus_one", "sqrt", "tanh", "logistic"])
def test_infinities_and_zeros(built: tuple[DType, ModuleOp, Any], name: str) -> None:
    """As the reference, which is C's Annex G, wherever that is no nan in either part."""
    x = SPECIAL.astype(built[0].numpy)
    found, wanted = run(built, name, x)
    known = ~np.isnan(wanted.real) & ~np.isnan(wanted.imag)
    for part in ("real", "imag"):
        f, w = getattr(found, part)[known], getattr(wanted, part)[known]
        np.testing.assert_allclose(f, w, rtol=1e-6, err_msg=f"{name}, {part} of {x[known]}")


@pytest.mark.parametrize("name", ["exponential", "log", "sqrt", "tanh", "sine", "cosine", "tan"])
def test_reference(built: tuple[DType, ModuleOp, Any], name: str) -> None:
    """The reference agrees with Python's cmath."""
    x = samples(C128)[100:400].astype(built[0].numpy)
    function = getattr(cmath, {"exponential": "exp", "sine": "sin", "cosine": "cos"}.get(name, name))
    _, wanted = run(built, name, x)
    limit = 1e-6 if built[0] is C64 else 1e-14
    np.testing.assert_allclose(wanted, [function(complex(v)) for v in x], rtol=limit)


def test_order_is_lexicographic(built: tuple[DType, ModuleOp, Any]) -> None:
    """By real parts, then by imaginary parts. Source: StableHLO spec, maximum, minimum, compare."""
    x = np.array([1 + 2j, 1 + 2j, 1 + 3j, -1 + 9j], built[0].numpy)
    y = np.array([1 + 3j, 2 - 5j, 1 + 2j, 0 - 9j], built[0].numpy)
    np.testing.assert_array_equal(run(built, "maximum", x, y)[0], [1 + 3j, 2 - 5j, 1 + 3j, 0 - 9j])
    np.testing.assert_array_equal(run(built, "minimum", x, y)[0], [1 + 2j, 1 + 2j, 1 + 2j, -1 + 9j])


def test_remainder_has_no_meaning(tmp_path: Path) -> None:
    """The specification leaves it open (openxla/stablehlo#997): refused with that reason."""
    from tesselle.support.diagnostics import Unsupported

    t = "tensor<2xcomplex<f32>>"
    text = f"func.func @main(%a: {t}) -> {t} {{ %0 = stablehlo.remainder %a, %a : {t} return %0 : {t} }}"
    with pytest.raises(Unsupported, match="997"):
        compile(text, options=CompileOptions(cache_dir=tmp_path))


def test_products_with_infinities_are_those_of_the_parts(tmp_path: Path) -> None:
    """(385 - i)(-7 + i inf) = inf + i inf, as XLA has it, in the reference and compiled; BLAS says nan + i inf."""
    left, right, out = (f"tensor<{n}xcomplex<f32>>" for n in ("1x2", "2x1", "1x1"))
    text = f"""func.func @main(%a: {left}, %b: {right}) -> {out} {{
      %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : ({left}, {right}) -> {out}
      return %0 : {out}
    }}"""
    module = parse_module(text, "dot.mlir")
    assert isinstance(module, ModuleOp)
    a, b = np.array([[385 - 1j, 2]], np.complex64), np.array([[complex(-7, np.inf)], [1]], np.complex64)
    compiled = runtime.load(compile(text, options=CompileOptions(cache_dir=tmp_path)))["main"](a, b)
    for found in (compiled, interpret(module, "main", [a, b])[0]):
        np.testing.assert_array_equal(np.asarray(found), [[complex(np.inf, np.inf)]])
