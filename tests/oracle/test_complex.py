"""Functions of complex numbers, compiled: accuracy over the whole range, and infinities, zeros and branch cuts.

Errors are measured in units in the last place of the modulus, against the reference, which computes in a wider type and
is itself compared with Python's cmath.
"""

from __future__ import annotations

import cmath
from pathlib import Path
from typing import Any

import mpmath
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
BINARY = {"atan2": 32, "divide": 4, "power": 512, "maximum": 0, "minimum": 0}
"""atan2: near its poles, y = ix and y = -ix, the quotient's error grows.

power: the logarithm's error grows with the exponent, up to 709 times.
"""

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


@pytest.mark.parametrize("name", ["tanh", "tan"])
def test_angles_without_a_sine(built: tuple[DType, ModuleOp, Any], name: str) -> None:
    """tanh(x + iy) is 1 for large x, but nan where y is infinite or nan, unless x is infinite."""
    angles = (np.nan, np.inf, -np.inf, 1.0)
    pairs = [(a, b) for a in (2.0, 43.75, -1e30, np.inf, -np.inf, np.nan) for b in angles]
    x = np.array([complex(a, b) if name == "tanh" else complex(b, -a) for a, b in pairs]).astype(built[0].numpy)
    with np.errstate(invalid="ignore"):
        found, wanted = run(built, name, x)
    np.testing.assert_array_equal(np.isnan(found.real), np.isnan(wanted.real))
    np.testing.assert_array_equal(np.isnan(found.imag), np.isnan(wanted.imag))


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


def test_small_angles(built: tuple[DType, ModuleOp, Any]) -> None:
    """Exact in relation to themselves, not to 1. Oracle: mpmath with 60 digits."""
    dtype = built[0]
    rng = np.random.default_rng(1)
    x, factor = rng.normal(size=(2, 100)) + 1j * rng.normal(size=(2, 100))
    y = x * factor * 10.0 ** rng.uniform(-30, -1, 100)
    x, y = x.astype(dtype.numpy), y.astype(dtype.numpy)
    with mpmath.workdps(60):
        pairs = [(mpmath.mpc(complex(a)), mpmath.mpc(complex(b))) for a, b in zip(y, x, strict=True)]
        wanted = np.array([complex(-1j * mpmath.log((b + 1j * a) / mpmath.sqrt(a * a + b * b))) for a, b in pairs])
    for found in run(built, "atan2", y, x):
        error = np.abs(found - wanted) / np.spacing(np.abs(wanted).astype(dtype.element.numpy))
        assert error.max() <= 8


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


def test_convolutions_with_infinities_are_those_of_the_parts(tmp_path: Path) -> None:
    """(inf - i/4)(-1/2 - i) = -inf - i inf."""
    x, w = "tensor<1x2x1xcomplex<f32>>", "tensor<1x1x1xcomplex<f32>>"
    text = f"""func.func @main(%x: {x}, %w: {w}) -> {x} {{
      %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {{}}
        {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({x}, {w}) -> {x}
      return %0 : {x}
    }}"""
    check_parts(text, tmp_path, [[[complex(np.inf, -0.25)], [2]]], [[[-0.5 - 1j]]])


def check_parts(text: str, folder: Path, x: Any, y: Any) -> None:
    """The product of x and one number y, in the reference and compiled."""
    module = parse_module(text, "parts.mlir")
    assert isinstance(module, ModuleOp)
    a, b = np.array(x, np.complex64), np.array(y, np.complex64)
    with np.errstate(invalid="ignore"):
        real, imag = a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real
    compiled = runtime.load(compile(text, options=CompileOptions(cache_dir=folder)))["main"](a, b)
    for found in (np.asarray(compiled), interpret(module, "main", [a, b])[0]):
        np.testing.assert_array_equal(found.real, real)
        np.testing.assert_array_equal(found.imag, imag)


@pytest.mark.parametrize("dims", ["", "0"])
def test_folded_products_with_infinities(tmp_path: Path, dims: str) -> None:
    """(7 - i/8)(-i inf) = -inf - i inf; a 1 to begin with would make nan of it."""
    out = f"tensor<{'' if dims else '1x'}complex<f32>>"
    text = f"""func.func @main(%x: tensor<1xcomplex<f32>>, %y: tensor<complex<f32>>) -> {out} {{
      %0 = stablehlo.reduce(%x init: %y) applies stablehlo.multiply across dimensions = [{dims}] :
        (tensor<1xcomplex<f32>>, tensor<complex<f32>>) -> {out}
      return %0 : {out}
    }}"""
    x = np.array(complex(0, -np.inf))
    check_parts(text, tmp_path, [x], 7 - 0.125j)


def test_complex_numbers_chosen_by_a_product(tmp_path: Path) -> None:
    """The kernels of products do not take complex operands along."""
    text = """func.func @main(%x: tensor<5x7xf32>, %y: tensor<7x19xf32>, %c: tensor<5x19xcomplex<f32>>)
      -> tensor<5x19xcomplex<f32>> {
      %p = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0]
        : (tensor<5x7xf32>, tensor<7x19xf32>) -> tensor<5x19xf32>
      %zero = stablehlo.constant dense<0.0> : tensor<5x19xf32>
      %none = stablehlo.constant dense<(1.0, -2.0)> : tensor<5x19xcomplex<f32>>
      %positive = stablehlo.compare GT, %p, %zero : (tensor<5x19xf32>, tensor<5x19xf32>) -> tensor<5x19xi1>
      %r = stablehlo.select %positive, %c, %none : tensor<5x19xi1>, tensor<5x19xcomplex<f32>>
      return %r : tensor<5x19xcomplex<f32>>
    }"""
    rng = np.random.default_rng(0)
    x, y, c = rng.normal(size=(5, 7)), rng.normal(size=(7, 19)), rng.normal(size=(5, 19)) * (1 + 2j)
    program = runtime.load(compile(parse_module(text), options=CompileOptions(cache_dir=tmp_path)))
    found = program["main"](x.astype("f"), y.astype("f"), c.astype("F"))
    np.testing.assert_array_equal(found, np.where(x @ y > 0, c.astype("F"), np.complex64(1 - 2j)))
