"""Special functions against mpmath: distances in units in the last place, and the points where they are not regular."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest
from text_oracle import run_compiled, run_reference, run_xla

Array = np.ndarray[Any, Any]
TYPES = {"f32": np.float32, "f64": np.float64, "complex<f32>": np.complex64, "complex<f64>": np.complex128}


def program(name: str, dtype: str, count: int, arity: int = 1) -> str:
    t = f"tensor<{count}x{dtype}>"
    args, values = ", ".join(f"%a{i}: {t}" for i in range(arity)), ", ".join(f"%a{i}" for i in range(arity))
    types = ", ".join([t] * arity)
    return f"func.func @main({args}) -> {t} {{ %0 = chlo.{name} {values} : {types} -> {t}\n return %0 : {t} }}"


def distance(found: Array, exact: list[Any]) -> Array:
    """|found - exact| in units in the last place of the exact value; infinite where one of them is not finite."""
    out: list[float] = []
    for f, e in zip(found, exact, strict=True):
        near = found.dtype.type(float(e))
        if not (np.isfinite(near) and np.isfinite(f)):
            out.append(0.0 if f == near or (np.isnan(f) and np.isnan(near)) else np.inf)
        else:
            out.append(float(abs(mp.mpf(float(f)) - e) / mp.mpf(float(np.spacing(abs(near))))))
    return np.array(out)


def positive(rng: np.random.Generator) -> Array:
    """Numbers of all sizes, and many around the zeros at 1, 1.46 and 2."""
    near = np.concatenate(
        [1 + rng.normal(size=40) * 1e-5, 2 + rng.normal(size=40) * 1e-5, 1.46163 + np.arange(20) * 1e-7]
    )
    return np.concatenate([rng.uniform(0, 3, 200), rng.uniform(3, 40, 100), 10 ** rng.uniform(-30, 30, 100), near])


def erf_inv(x: Any) -> Any:
    if abs(x) < 0.9:
        return mp.erfinv(x)
    rest = 1 - abs(x)
    start = mp.sqrt(-mp.log(rest * (1 + abs(x)))) * mp.mpf("0.95")
    return mp.sign(x) * mp.findroot(lambda y: mp.log(mp.erfc(y)) - mp.log(rest), start)


def inside(rng: np.random.Generator) -> Array:
    """The interval (-1, 1), its ends and its middle."""
    ends = 1 - 10 ** rng.uniform(-7, 0, 100)
    return np.concatenate([rng.uniform(-1, 1, 200), ends, -ends, 10 ** rng.uniform(-20, 0, 50)])


def everywhere(rng: np.random.Generator) -> Array:
    return np.concatenate([rng.normal(size=200) * 10, 10 ** rng.uniform(-20, 3, 100), [8.0, 8.001, -8.0]])


def bessel_i1e(x: Any) -> Any:
    return mp.exp(-abs(x)) * mp.besseli(1, x)


UNARY: tuple[tuple[str, Callable[[Any], Any], Callable[[np.random.Generator], Array], float, float], ...] = (
    # name, exact, arguments, ULP in f32, ULP in f64
    ("lgamma", mp.loggamma, positive, 0.51, 6),
    ("digamma", mp.digamma, positive, 0.51, 4),
    ("erf_inv", erf_inv, inside, 6, 4),
    ("bessel_i1e", bessel_i1e, everywhere, 0.51, 6),
)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(
    ("name", "exact", "arguments", "ulp32", "ulp64"), UNARY, ids=lambda v: v if isinstance(v, str) else ""
)
def test_accuracy(
    name: str,
    exact: Callable[[Any], Any],
    arguments: Callable[[np.random.Generator], Array],
    ulp32: float,
    ulp64: float,
    dtype: str,
) -> None:
    x = arguments(np.random.default_rng(7)).astype(TYPES[dtype])
    x = x[np.abs(x) < 1] if name == "erf_inv" else x
    text = program(name, dtype, len(x))
    with mp.workdps(40):
        wanted = [exact(mp.mpf(float(v))) for v in x]
        (found,) = run_compiled(text, x)
        errors = distance(found, wanted)
        worst = int(errors.argmax())
        assert errors[worst] <= (ulp32 if dtype == "f32" else ulp64), f"{name}({x[worst]}) = {found[worst]}"
    (meaning,) = run_reference(text, x)
    np.testing.assert_allclose(meaning, [float(w) for w in wanted], rtol=1e-6 if dtype == "f32" else 1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", ["zeta", "polygamma"])
def test_accuracy_of_two_arguments(name: str, dtype: str) -> None:
    rng = np.random.default_rng(8)
    y = np.concatenate([10 ** rng.uniform(-2, 2, 80), -rng.uniform(0, 60, 20)]).astype(TYPES[dtype])
    x = np.concatenate([rng.uniform(1.01, 20, 80), rng.integers(2, 8, 20)]).astype(TYPES[dtype])
    if name == "polygamma":
        x = rng.integers(0, 12, 100).astype(TYPES[dtype])
    text = program(name, dtype, 100, 2)
    with mp.workdps(60):
        exact = mp.zeta if name == "zeta" else lambda n, v: mp.psi(int(n), v)
        wanted = [exact(mp.mpf(float(p)), mp.mpf(float(q))) for p, q in zip(x, y, strict=True)]
        (found,) = run_compiled(text, x, y)
        errors = distance(found, wanted)
        assert errors[:80].max() <= (0.51 if dtype == "f32" else 10), (x[errors.argmax()], y[errors.argmax()])
    # Below 0 the reflection cancels digits of the larger zeta.
    np.testing.assert_allclose(found[80:], [float(w) for w in wanted[80:]], rtol=1e-5 if dtype == "f32" else 1e-11)
    (meaning,) = run_reference(text, x, y)
    np.testing.assert_allclose(meaning, [float(w) for w in wanted], rtol=1e-5 if dtype == "f32" else 1e-11)


SINGULAR = np.array([0.0, -0.0, -1.0, -2.0, -0.5, -2.5, -100.25, np.inf, -np.inf, np.nan, -1e10 - 0.5, 1.0, 2.0])


@pytest.mark.parametrize("name", ["lgamma", "digamma", "erf_inv", "bessel_i1e"])
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_poles_and_what_is_not_finite(name: str, dtype: str) -> None:
    """As XLA has them."""
    kind = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, **TYPES}[dtype]
    with np.errstate(over="ignore"):
        x = SINGULAR.astype(kind)
    text = program(name, dtype, len(x))
    (wanted,), (found,), (meaning,) = run_xla(text, x), run_compiled(text, x), run_reference(text, x)
    tolerance = {"f16": 3e-3, "bf16": 2e-2, "f32": 3e-5, "f64": 1e-12}[dtype]
    for values in (found, meaning):
        a, b = values.astype(np.float64), wanted.astype(np.float64)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_poles_of_zeta_and_polygamma() -> None:
    """As XLA has them. It sums ten terms, too few for q < -10."""
    s = np.array([0.0, -1.0, 1.0, 1.5, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 2.5, np.nan, 3.0])
    q = np.array([1.0, 1.0, 1.0, 1.0, 0.0, -1.0, -2.5, 0.0, -1.0, -2.5, -2.5, 1.0, np.nan])
    for name in ("zeta", "polygamma"):
        text = program(name, "f64", len(s), 2)
        (wanted,), (found,), (meaning,) = (run(text, s, q) for run in (run_xla, run_compiled, run_reference))
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        np.testing.assert_allclose(meaning, wanted, rtol=1e-12)


COMPLEX = {
    "asin": mp.asin,
    "acos": mp.acos,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atan": mp.atan,
    "atanh": mp.atanh,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tan": mp.tan,
}


def plane(rng: np.random.Generator) -> Array:
    """Points of all sizes, and many close to the branch points and axes, but not on a cut."""
    sizes = 10 ** rng.uniform(-12, 12, (2, 120)) * rng.choice([-1, 1], (2, 120))
    around = rng.normal(size=(2, 80)) * 2
    tiny = 10 ** rng.uniform(-9, -1, (2, 60)) * rng.choice([-1, 1], (2, 60))
    points = np.concatenate(
        [sizes, around, tiny, *(tiny + np.array(p) for p in ([[1], [0]], [[-1], [0]], [[0], [1]]))], 1
    )
    return points[0] + 1j * points[1]


@pytest.mark.parametrize("dtype", ["complex<f32>", "complex<f64>"])
@pytest.mark.parametrize("name", COMPLEX)
def test_complex_accuracy(name: str, dtype: str) -> None:
    z = plane(np.random.default_rng(9)).astype(TYPES[dtype])
    if name in ("sinh", "cosh", "tan"):
        z = z[(np.abs(z.real) < 80) & (np.abs(z.imag) < 80)]
    (found,) = run_compiled(program(name, dtype, len(z)), z)
    with mp.workdps(60):
        wanted = [COMPLEX[name](mp.mpc(complex(v))) for v in z]
        limit = 1.0 if dtype == "complex<f32>" else 8.0
        for part in ("real", "imag"):
            errors = distance(getattr(found, part).copy(), [getattr(w, part) for w in wanted])
            worst = int(errors.argmax())
            assert errors[worst] <= limit, (
                f"{part} of {name}({z[worst]}) = {found[worst]}, not {complex(wanted[worst])}"
            )


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_on_cuts_and_at_infinity(name: str) -> None:
    """The reference is NumPy, which follows C's Annex G."""
    parts = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, np.inf, -np.inf]
    z = np.array([complex(x, y) for x in parts for y in parts])
    if name in ("sinh", "cosh", "tan"):
        z = z[np.isfinite(z.imag)]  # elsewhere real parts are zeros or nan of unspecified signs
    if name == "tan":
        z = z[np.isfinite(z.real)]
    text = program(name, "complex<f64>", len(z))
    (found,), (meaning,) = run_compiled(text, z), run_reference(text, z)
    np.testing.assert_allclose(found, meaning, rtol=1e-13)
    np.testing.assert_array_equal(np.signbit(found.imag), np.signbit(meaning.imag), f"{z}")


@pytest.mark.parametrize("dtype", ["f32", "f64", "complex<f32>", "complex<f64>"])
def test_kernel_of_asin_and_acos(dtype: str) -> None:
    z = np.array([0.25, -0.5, 0.999, 0.0, 3 + 2j, -1.5 + 0.1j, 1j, 0.5 - 2j, 1 + 1e-6j, -7.0])
    z = z[:4].real.astype(TYPES[dtype]) if dtype[0] == "f" else z.astype(TYPES[dtype])
    text = program("_asin_acos_kernel", dtype, len(z))
    (found,), (meaning,) = run_compiled(text, z), run_reference(text, z)
    np.testing.assert_allclose(found, meaning, rtol=1e-6 if "32" in dtype else 1e-14)
    if dtype[0] == "f":
        np.testing.assert_allclose(np.arctan2(z, found), np.arcsin(z), rtol=1e-5)
    else:
        angle = np.arctan2(z.real, found.real) + 1j * np.copysign(found.imag, z.imag)
        np.testing.assert_allclose(angle, np.arcsin(z), rtol=1e-5)
