"""The elementary functions of the CPU back end: which there are, how accurate they are, and their LLVM definitions.

`FUNCTIONS` is the one table of stated errors: the largest distance from the exact result in units in the last place of
the format, over the whole range of the format, subnormals included; infinities, nan and signed zeros are as IEEE 754
and C's Annex F say. No function flushes subnormals, reads a table in memory, or calls a library. The tests measure
every entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from tesselle.codegen.llvm import math_erf, math_exp, math_log, math_rounding, math_trig
from tesselle.codegen.llvm.emitter import Emitter, FunctionText, Lanes, V, build_function
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.support.diagnostics import Unsupported

Body = Callable[..., V]


@dataclass(frozen=True)
class MathFunction:
    """`body(emitter, x, …)` for f32 and f64 alike; `ulp_f32`, `ulp_f64`: stated largest errors, with and without fused
    multiply-add."""

    name: str
    body: Body
    ulp_f32: float
    ulp_f64: float
    arity: int = 1


_ROWS = (
    MathFunction("exp", math_exp.exp, 1.2, 1.1),
    MathFunction("exp2", math_exp.exp2, 1.2, 1.2),
    MathFunction("expm1", math_exp.expm1, 2.0, 2.0),
    MathFunction("logistic", math_exp.logistic, 2.5, 2.5),
    MathFunction("tanh", math_exp.tanh, 2.75, 2.75),
    MathFunction("sinh", math_exp.sinh, 2.5, 2.5),
    MathFunction("cosh", math_exp.cosh, 1.75, 1.75),
    MathFunction("log", math_log.log, 1.0, 1.0),
    MathFunction("log2", math_log.log2, 0.51, 1.0),
    MathFunction("log1p", math_log.log1p, 1.0, 1.0),
    MathFunction("asinh", math_log.asinh, 0.51, 2.0),
    MathFunction("acosh", math_log.acosh, 0.51, 2.25),
    MathFunction("atanh", math_log.atanh, 0.51, 2.0),
    MathFunction("pow", math_log.pow, 0.51, 1.0, arity=2),
    MathFunction("sin", math_trig.sin, 0.51, 1.0),
    MathFunction("cos", math_trig.cos, 0.51, 1.0),
    MathFunction("tan", math_trig.tan, 0.51, 2.5),
    MathFunction("asin", math_trig.asin, 0.51, 2.0),
    MathFunction("acos", math_trig.acos, 0.51, 2.25),
    MathFunction("atan", math_trig.atan, 0.51, 1.5),
    MathFunction("atan2", math_trig.atan2, 0.51, 2.0, arity=2),
    MathFunction("erf", math_erf.erf, 1.25, 1.5),
    MathFunction("erfc", math_erf.erfc, 5.0, 4.0),
    MathFunction("sqrt", math_rounding.sqrt, 0.5, 0.5),
    MathFunction("rsqrt", math_rounding.rsqrt, 1.5, 1.5),
    MathFunction("cbrt", math_rounding.cbrt, 0.51, 0.75),
    MathFunction("floor", math_rounding.floor, 0, 0),
    MathFunction("ceil", math_rounding.ceil, 0, 0),
    MathFunction("trunc", math_rounding.trunc, 0, 0),
    MathFunction("round", math_rounding.round_away, 0, 0),
    MathFunction("roundeven", math_rounding.roundeven, 0, 0),
)

FUNCTIONS: dict[str, MathFunction] = {row.name: row for row in _ROWS}
"""Every function by its name in the math dialect."""


@cache
def math_function(name: str, bits: int, lanes: int, target: CpuTarget) -> FunctionText:
    """The definition of `name` on f32 or f64 (`bits`), for vectors of `lanes` elements or (0) scalars.

    Errors: Unsupported for a name that is not in the table.
    """
    type = Lanes("f", bits, lanes)
    if name == "fmod":
        return math_rounding.fmod_function(type, target)
    function = FUNCTIONS.get(name)
    if function is None:
        raise Unsupported(f"the LLVM back end has no function {name!r}; known: {', '.join(sorted(FUNCTIONS))}")
    body = function.body

    def build(b: Emitter, *arguments: V) -> V:
        return body(b, *arguments)

    return build_function(f"@tsl.{name}.{type.suffix}", [type] * function.arity, target, build)
