"""The elementary functions of the CPU back end: which there are, how accurate they are, and their LLVM definitions.

`FUNCTIONS` is the one table of stated errors: the largest distance from the exact result in units in the last place of the
format, over the whole range of the format, subnormals included; infinities, nan and signed zeros are as IEEE 754 and C's Annex F
say. No function flushes subnormals, reads a table in memory, or calls a library. The tests measure every entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tesselle.codegen.llvm import math_exp, math_rounding
from tesselle.codegen.llvm.emitter import Emitter, FunctionText, Lanes, V, build_function
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.support.diagnostics import Unsupported

Body = Callable[..., V]


@dataclass(frozen=True)
class MathFunction:
    """`body(emitter, x, …)` for f32 and f64 alike; `ulp_f32`, `ulp_f64`: stated largest errors, with fused multiply-add;
    `ulp_f32_no_fma`, `ulp_f64_no_fma`: on targets without it."""

    name: str
    body: Body
    arity: int
    ulp_f32: float
    ulp_f64: float
    ulp_f32_no_fma: float
    ulp_f64_no_fma: float


def _row(name: str, body: Body, f32: float, f64: float, no_fma: tuple[float, float] | None = None, arity: int = 1) -> MathFunction:
    return MathFunction(name, body, arity, f32, f64, *(no_fma or (f32, f64)))


_ROWS = (
    _row("exp", math_exp.exp, 1.0, 1.0),
    _row("exp2", math_exp.exp2, 1.0, 1.0),
    _row("expm1", math_exp.expm1, 1.5, 1.5),
    _row("logistic", math_exp.logistic, 2.0, 2.0),
    _row("tanh", math_exp.tanh, 2.0, 2.0),
    _row("sinh", math_exp.sinh, 2.0, 2.0),
    _row("cosh", math_exp.cosh, 2.0, 2.0),
    _row("sqrt", math_rounding.sqrt, 0.5, 0.5),
    _row("rsqrt", math_rounding.rsqrt, 1.0, 1.0),
    _row("cbrt", math_rounding.cbrt, 0.51, 1.0),
    _row("floor", math_rounding.floor, 0, 0),
    _row("ceil", math_rounding.ceil, 0, 0),
    _row("trunc", math_rounding.trunc, 0, 0),
    _row("round", math_rounding.round_away, 0, 0),
    _row("roundeven", math_rounding.roundeven, 0, 0),
)

FUNCTIONS: dict[str, MathFunction] = {row.name: row for row in _ROWS}
"""Every function by its name in the math dialect."""


@lru_cache(maxsize=None)
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
