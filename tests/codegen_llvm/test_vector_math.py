"""Every elementary function stays within its stated error over the whole range of its format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

from tesselle.codegen.llvm.link import link_flat_image
from tesselle.codegen.llvm.runtime_functions import runtime_ir
from tesselle.codegen.llvm.target import cpu_target
from tesselle.codegen.llvm.translate import translate_module
from tesselle.codegen.llvm.translate_math import BINARY_FUNCTIONS, UNARY_FUNCTIONS
from tesselle.codegen.llvm.vector_math import FUNCTIONS
from tesselle.codegen.llvm.workers import CompileJob, compile_objects
from tesselle.dialects.core import arith, memref, scf, vector
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region
from tesselle.ir.types import MemRefType, VectorType
from tesselle.support.dtypes import BF16, F16, F32, F64, INDEX, DType

Array = np.ndarray[Any, Any]

OPERATIONS = {name: op for table in (UNARY_FUNCTIONS, BINARY_FUNCTIONS) for op, name in table.items()}

LANES = {F32: 8, F64: 4}


def kernel_of(toolchain: Any, name: str, dtype: DType, target: str) -> Any:
    """out[i] = name(in[i], …) in whole vectors, over n elements."""
    operation = OPERATIONS[name]
    arity = FUNCTIONS[name].arity
    lanes = LANES[dtype] if target != "generic" else 16 // dtype.size_bytes
    memref_type = MemRefType((None,), dtype)

    def body(b: Builder, args: Any) -> None:
        inputs, output, n = args[:arity], args[arity], args[arity + 1]
        zero = b.insert(arith.ConstantOp(0, INDEX)).result
        step = b.insert(arith.ConstantOp(lanes, INDEX)).result
        block = Block([INDEX])
        with b.at(block):
            i = block.args[0]
            loaded = [b.insert(vector.LoadOp(x, (i,), VectorType((lanes,), dtype))).results[0] for x in inputs]
            value = b.insert(operation(*loaded)).results[0]
            b.insert(vector.StoreOp(value, output, (i,)))
            b.insert(scf.YieldOp(()))
        b.insert(scf.ForOp(zero, n, step, (), Region([block])))

    dims = ((0,),) * (arity + 1)
    return toolchain.load(toolchain.make_kernel([memref_type] * (arity + 1) + [INDEX], body, dim_bindings=dims), target)


def bits_of(dtype: DType) -> Any:
    return np.uint32 if dtype is F32 else np.uint64


def samples(dtype: DType, count: int, seed: int) -> Array:
    """All kinds of bit patterns, evenly; ordinary magnitudes densely; the edges of the format."""
    rng = np.random.default_rng(seed)
    width = dtype.bits
    step = (1 << width) // count
    patterns = (np.arange(count, dtype=np.uint64) * np.uint64(step) + np.uint64(seed % step)).astype(bits_of(dtype))
    spread = patterns.view(dtype.numpy)
    ordinary = [rng.uniform(-r, r, count // 8).astype(dtype.numpy) for r in (1.0, 3.0, 30.0, 120.0, 800.0)]
    near_one = (1.0 + rng.uniform(-0.01, 0.01, count // 8)).astype(dtype.numpy)
    finfo = np.finfo(dtype.numpy)
    edges = np.array(
        [0.0, 1.0, 0.5, 2.0, 1.5, 2.5, np.pi, np.pi / 2, np.pi / 4, 1e5, 1e22, 524288.0, np.inf, finfo.max, finfo.tiny,
         finfo.smallest_subnormal, finfo.eps, 1 - finfo.epsneg, 1 + finfo.eps, 88.72284, 709.782712893384,
         0.925, 0.84, 0.47],
        dtype=dtype.numpy,
    )  # fmt: skip
    neighbours = np.concatenate([np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)])
    nan = np.array([np.nan], dtype=dtype.numpy)
    all_of_them = np.concatenate([spread, *ordinary, near_one, neighbours, -neighbours, nan])
    return np.concatenate([all_of_them, np.zeros(-len(all_of_them) % 64, dtype.numpy)])


def with_mpmath(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    """An oracle of 40 digits for functions that NumPy lacks."""

    def evaluate(x: Array) -> Array:
        with mpmath.workdps(40):
            # Beyond 40 the results are constant, and mpmath gives up on huge arguments.
            values = [function(mpmath.mpf(float(np.clip(v, -40, 40)))) for v in x]
            exact = np.array([np.longdouble(mpmath.nstr(v, 25)) for v in values])
        return np.where(exact == 0, np.copysign(exact, x), exact)

    return evaluate


def _round_away(x: Array) -> Array:
    return np.copysign(np.where(np.abs(x) - np.floor(np.abs(x)) >= 0.5, np.ceil(np.abs(x)), np.floor(np.abs(x))), x)


ORACLES: dict[str, Callable[..., Array]] = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log1p": np.log1p,
    "logistic": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power, "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "erf": with_mpmath(mpmath.erf), "erfc": with_mpmath(mpmath.erfc), "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": _round_away, "roundeven": np.rint,
}  # fmt: skip

SLOW_ORACLES = {("erf", F64), ("erfc", F64)}
DOUBLE_ORACLES: dict[str, Callable[[Array], Array]] = {"erf": scipy.special.erf, "erfc": scipy.special.erfc}
"""For results in f32 doubles are as good, and fast enough for every kind of argument."""


def ulp_errors(got: Array, exact: Array, dtype: DType) -> Array:
    """Distance in units of the last place of the exact result; infinite where one is nan or has another sign of
    infinity."""
    finfo = np.finfo(dtype.numpy)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype.numpy)
        magnitude = np.maximum(np.abs(exact), np.longdouble(finfo.tiny))
        exponent = np.floor(np.log2(np.where(np.isfinite(magnitude), magnitude, 1)))
        exponent = np.minimum(exponent, finfo.maxexp - 1)
        unit = np.exp2(exponent - finfo.nmant)
        errors = np.abs(got.astype(np.longdouble) - exact) / unit
    # One of the two may have been rounded to infinity: then infinity stands for the next power of two.
    beyond = np.longdouble(2) ** finfo.maxexp
    finite_got = np.where(np.isinf(got), np.copysign(beyond, got), got.astype(np.longdouble))
    edge = np.isinf(got) & np.isfinite(exact)
    errors = np.where(edge, np.abs(finite_got - exact) / unit, errors)
    settled = (np.isinf(rounded) & (got == rounded)) | (np.isnan(got) & np.isnan(rounded))
    return np.where(settled, 0.0, np.where(np.isnan(errors), np.inf, errors))


def arguments_of(name: str, dtype: DType, target: str = "host") -> list[Array]:
    # The other targets run the same formulas: fewer samples tell whether they were translated well.
    fraction = 1 if target == "host" else 4
    count = (2000 if (name, dtype) in SLOW_ORACLES else (1 << 18) if dtype is F32 else 1 << 16) // fraction
    x = samples(dtype, count, 12345)
    if FUNCTIONS[name].arity == 1:
        return [x]
    rng = np.random.default_rng(1)
    other = rng.permutation(samples(dtype, count, 54321))
    edges = np.array(
        [0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30, 2.5], dtype=dtype.numpy
    )
    a, b = (m.reshape(-1) for m in np.meshgrid(edges, edges))
    # Pairs whose power or quotient is an ordinary number.
    c = np.exp(rng.uniform(-20, 20, count // 2)).astype(dtype.numpy)
    d = rng.uniform(-30, 30, count // 2).astype(dtype.numpy)
    first, second = np.concatenate([x, a, c]), np.concatenate([other, b, d])
    keep = len(first) // 16 * 16
    return [first[:keep].copy(), second[:keep].copy()]


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_stated_error_holds(toolchain: Any, name: str, dtype: DType, target: str) -> None:
    function = FUNCTIONS[name]
    stated = function.ulp_f32 if dtype is F32 else function.ulp_f64
    with np.errstate(all="ignore"):
        inputs = arguments_of(name, dtype, target)
    got = np.empty_like(inputs[0])
    kernel_of(toolchain, name, dtype, target).run([*inputs, got], [len(got)])
    wide = [x.astype(np.float64 if dtype is F32 else np.longdouble) for x in inputs]
    oracle = DOUBLE_ORACLES.get(name, ORACLES[name]) if dtype is F32 else ORACLES[name]
    with np.errstate(all="ignore"):
        exact = oracle(*wide).astype(np.longdouble)
    errors = ulp_errors(got, exact, dtype)
    worst = int(np.argmax(errors))
    at = ", ".join(repr(x[worst]) for x in inputs)
    assert errors[worst] <= stated, f"{name}({at}) = {got[worst]!r}, exact {exact[worst]!r}: {errors[worst]:.3f} ulp"
    # The sign of zero is part of the result.
    with np.errstate(all="ignore"):
        zeros = exact.astype(dtype.numpy) == 0
    assert np.array_equal(np.signbit(got[zeros]), np.signbit(exact[zeros]))


@pytest.mark.parametrize("target", ["x86-64-v4", "aarch64", "generic"])
def test_no_function_needs_a_library(toolchain: Any, target: str) -> None:
    """Every function on scalars and on the target's vectors links without a symbol from outside."""
    lanes = cpu_target(target).lanes(32)
    kinds = [(d, n) for d in (F32, F64, F16, BF16) for n in (0, lanes)]

    def body(b: Builder, args: Any) -> None:
        zero = b.insert(arith.ConstantOp(0, INDEX)).result
        for (dtype, n), x in zip(kinds, args, strict=False):
            if n:
                v = b.insert(vector.LoadOp(x, (zero,), VectorType((n,), dtype))).results[0]
            else:
                v = b.insert(memref.LoadOp(x, (zero,))).results[0]
            for name, operation in OPERATIONS.items():
                v = b.insert(operation(*[v] * FUNCTIONS[name].arity)).results[0]
            for operation in (arith.RemFOp, arith.MinimumFOp, arith.MaximumFOp, arith.MinNumFOp, arith.DivFOp):
                v = b.insert(operation(v, v)).results[0]
            b.insert(vector.StoreOp(v, x, (zero,)) if n else memref.StoreOp(v, x, (zero,)))

    module = toolchain.make_kernel([MemRefType((64,), d) for d, _ in kinds], body)
    translated = translate_module(module, cpu_target(target))
    jobs = [CompileJob(ir, cpu_target(target), opt_level=1) for ir in (translated.ir, runtime_ir(cpu_target(target)))]
    assert link_flat_image(compile_objects(jobs, toolchain.options), translated.entries)
