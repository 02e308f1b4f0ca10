"""A small language for straight-line LLVM IR on vectors: arithmetic operators on `V` append lines to an `Emitter`.

Only the functions that kernels call (elementary functions, conversions) are written in it; kernels themselves are
translated without intermediate objects. Those functions are internal and always inlined, so that their constants are
hoisted out of loops and no vector crosses a call; rare slow paths (huge arguments of sin and cos) are kept out of line.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tesselle.codegen.llvm.target import CpuTarget

Number: TypeAlias = "V | float | int"


def float_constant(bits: int, value: float) -> str:
    """`value` rounded to f32 or f64, in the spelling that LLVM reads exactly."""
    with np.errstate(over="ignore"):
        exact = float(np.float32(value)) if bits == 32 else value
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"


@dataclass(frozen=True)
class Lanes:
    """An LLVM type: `count` elements (0: a scalar) of kind "f" (float), "i" (integer) with `bits` bits."""

    kind: str
    bits: int
    count: int

    @property
    def element(self) -> str:
        if self.kind == "i":
            return f"i{self.bits}"
        return {16: "half", 32: "float", 64: "double"}[self.bits]

    def __str__(self) -> str:
        return f"<{self.count} x {self.element}>" if self.count else self.element

    @property
    def suffix(self) -> str:
        """As LLVM's intrinsics mangle the type."""
        return f"v{self.count}{self.kind}{self.bits}" if self.count else f"{self.kind}{self.bits}"

    def of(self, kind: str, bits: int) -> Lanes:
        """The type with as many elements of another kind."""
        return Lanes(kind, bits, self.count)

    def constant(self, value: float | int) -> str:
        if self.kind == "f":
            text = float_constant(self.bits, float(value))
        elif self.bits == 1:
            text = "true" if value else "false"
        else:
            text = str(int(value))
        return f"splat ({self.element} {text})" if self.count else text


class V:
    """A value of an emitter. Python numbers beside it become constants of its type."""

    __slots__ = ("b", "name", "type")

    def __init__(self, b: Emitter, name: str, type: Lanes) -> None:
        self.b = b
        self.name = name
        self.type = type

    def _binary(self, float_op: str, int_op: str, other: Number, swap: bool = False) -> V:
        x, y = self, self.b.same(other, self.type)
        if swap:
            x, y = y, x
        return self.b.op(f"{float_op if self.type.kind == 'f' else int_op} {self.type} {x.name}, {y.name}", self.type)

    def __add__(self, other: Number) -> V:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: Number) -> V:
        return self._binary("fadd", "add", other, swap=True)

    def __sub__(self, other: Number) -> V:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: Number) -> V:
        return self._binary("fsub", "sub", other, swap=True)

    def __mul__(self, other: Number) -> V:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: Number) -> V:
        return self._binary("fmul", "mul", other, swap=True)

    def __truediv__(self, other: Number) -> V:
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other: Number) -> V:
        return self._binary("fdiv", "sdiv", other, swap=True)

    def __and__(self, other: Number) -> V:
        return self._binary("and", "and", other)

    def __or__(self, other: Number) -> V:
        return self._binary("or", "or", other)

    def __xor__(self, other: Number) -> V:
        return self._binary("xor", "xor", other)

    def __lshift__(self, other: Number) -> V:
        return self._binary("shl", "shl", other)

    def __rshift__(self, other: Number) -> V:
        """Logical shift right."""
        return self._binary("lshr", "lshr", other)

    def ashr(self, other: Number) -> V:
        return self._binary("ashr", "ashr", other)

    def __neg__(self) -> V:
        if self.type.kind == "f":
            return self.b.op(f"fneg {self.type} {self.name}", self.type)
        return 0 - self

    def _compare(self, float_predicate: str, int_predicate: str, other: Number) -> V:
        y = self.b.same(other, self.type)
        op = f"fcmp {float_predicate}" if self.type.kind == "f" else f"icmp {int_predicate}"
        return self.b.op(f"{op} {self.type} {self.name}, {y.name}", self.type.of("i", 1))

    def __lt__(self, other: Number) -> V:
        return self._compare("olt", "slt", other)

    def __le__(self, other: Number) -> V:
        return self._compare("ole", "sle", other)

    def __gt__(self, other: Number) -> V:
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: Number) -> V:
        return self._compare("oge", "sge", other)

    def equals(self, other: Number) -> V:
        return self._compare("oeq", "eq", other)

    def differs(self, other: Number) -> V:
        return self._compare("une", "ne", other)

    def is_nan(self) -> V:
        return self._compare("uno", "ne", self)

    def below(self, other: Number) -> V:
        """Unsigned integer comparison."""
        return self._compare("ult", "ult", other)

    @property
    def bits(self) -> V:
        """The same bits as an integer."""
        return self.b.cast("bitcast", self, self.type.of("i", self.type.bits))

    def as_float(self) -> V:
        """The same bits as a float."""
        return self.b.cast("bitcast", self, self.type.of("f", self.type.bits))

    def not_(self) -> V:
        return self ^ (1 if self.type.bits == 1 else -1)


@dataclass(frozen=True)
class FunctionText:
    """A definition: `symbol` with its "@", LLVM types, the text, the intrinsics and functions it calls."""

    symbol: str
    result: str
    parameters: tuple[str, ...]
    definition: str
    declarations: frozenset[str]
    callees: tuple[FunctionText, ...] = ()


class Emitter:
    """Collects the lines of one function for `target`; values are numbered by the order of their making."""

    def __init__(self, target: CpuTarget) -> None:
        self.target = target
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.callees: dict[str, FunctionText] = {}
        self._count = 0

    def fresh(self) -> str:
        self._count += 1
        return f"%t{self._count}"

    def op(self, text: str, type: Lanes) -> V:
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return V(self, name, type)

    def same(self, value: Number, type: Lanes) -> V:
        """`value` as a value of `type`: itself, or a constant."""
        return value if isinstance(value, V) else V(self, type.constant(value), type)

    def cast(self, kind: str, x: V, type: Lanes) -> V:
        return x if x.type == type else self.op(f"{kind} {x.type} {x.name} to {type}", type)

    def select(self, condition: V, yes: Number, no: Number) -> V:
        """`condition ? yes : no`, lane by lane; at least one of the two is a value."""
        type = yes.type if isinstance(yes, V) else no.type if isinstance(no, V) else None
        assert type is not None
        x, y = self.same(yes, type), self.same(no, type)
        return self.op(f"select {condition.type} {condition.name}, {type} {x.name}, {type} {y.name}", type)

    def intrinsic(self, name: str, *arguments: V, result: Lanes | None = None) -> V:
        """Call `llvm.name` overloaded on the type of its first argument."""
        type = result or arguments[0].type
        symbol = f"@llvm.{name}.{arguments[0].type.suffix}"
        types = ", ".join(str(a.type) for a in arguments)
        self.declarations.add(f"declare {type} {symbol}({types})")
        return self.op(f"call {type} {symbol}({', '.join(f'{a.type} {a.name}' for a in arguments)})", type)

    def fma(self, x: Number, y: Number, z: Number) -> V:
        """x*y + z with one rounding where the target has the instruction, with two where it has not."""
        type = next(v.type for v in (x, y, z) if isinstance(v, V))
        x, y, z = self.same(x, type), self.same(y, type), self.same(z, type)
        if self.target.has_fma:
            return self.intrinsic("fma", x, y, z)
        return x * y + z

    def polynomial(self, x: V, coefficients: Sequence[float]) -> V:
        """Horner's scheme; `coefficients[i]` belongs to x**i."""
        result: Number = coefficients[-1]
        for c in reversed(coefficients[:-1]):
            result = self.fma(result, x, c)
        return self.same(result, x.type)

    def estrin(self, x: V, coefficients: Sequence[float]) -> V:
        """The same polynomial with a shorter chain of dependent operations."""
        terms: list[Number] = list(coefficients)
        power = x
        while len(terms) > 1:
            pairs: list[Number] = [self.fma(hi, power, lo) for lo, hi in zip(terms[::2], terms[1::2], strict=False)]
            if len(terms) % 2:
                pairs.append(terms[-1])
            terms = pairs
            if len(terms) > 1:
                power = power * power
        return self.same(terms[0], x.type)

    def abs(self, x: V) -> V:
        return self.intrinsic("fabs", x)

    def copysign(self, magnitude: Number, sign: V) -> V:
        return self.intrinsic("copysign", self.same(magnitude, sign.type), sign)

    def sqrt(self, x: V) -> V:
        return self.intrinsic("sqrt", x)

    def at_most(self, x: V, bound: Number) -> V:
        """min(x, bound) that leaves NaN as it is."""
        return self.select(x > bound, bound, x)

    def at_least(self, x: V, bound: Number) -> V:
        """max(x, bound) that leaves NaN as it is."""
        return self.select(x < bound, bound, x)

    def widen(self, x: V) -> V:
        return self.cast("fpext", x, x.type.of("f", 64))

    def narrow(self, x: V) -> V:
        return self.cast("fptrunc", x, x.type.of("f", 32))

    def nearest(self, x: V) -> tuple[V, V]:
        """(nearest integer as a float, the same as an integer) for |x| < 2^21 (f32) or 2^50 (f64).

        Adding 1.5 * 2^(fraction bits) leaves the integer in the low bits: no conversion instruction is needed.
        """
        magic = 1.5 * 2.0 ** (23 if x.type.bits == 32 else 52)
        shifted = x + magic
        return shifted - magic, shifted.bits - V(self, x.type.constant(magic), x.type).bits

    def power_of_two(self, n: V) -> V:
        """2.0**n for an integer n in the exponent range of normal numbers."""
        fraction, bias = (23, 127) if n.type.bits == 32 else (52, 1023)
        return ((n + bias) << fraction).as_float()

    def scale(self, x: V, n: V) -> V:
        """x * 2**n, rounded once, for |n| up to twice the exponent range."""
        # Biased so that a logical shift halves: AVX2 has no arithmetic one for 64 bits.
        half = ((n + 4096) >> 1) - 2048
        return x * self.power_of_two(half) * self.power_of_two(n - half)

    def two_product(self, x: V, y: V) -> tuple[V, V]:
        """(p, e) with p + e == x*y exactly. Source: Dekker (1971) where there is no fused multiply-add; then |x|, |y| <
        2^990."""
        product = x * y
        if self.target.has_fma:
            return product, self.intrinsic("fma", x, y, -product)
        (xh, xl), (yh, yl) = self.split(x), self.split(y)
        return product, xl * yl - (((product - xh * yh) - xl * yh) - xh * yl)

    def residual(self, x: V, y: V, z: Number) -> V:
        """z - x*y where x*y is nearly z: the product is not rounded."""
        if self.target.has_fma:
            return self.fma(-x, y, z)
        product, error = self.two_product(x, y)
        return (z - product) - error

    def split(self, x: V) -> tuple[V, V]:
        """x as the sum of two parts with half the fraction bits each."""
        mask = -(1 << 12) if x.type.bits == 32 else -(1 << 27)
        high = (x.bits & mask).as_float()
        return high, x - high

    def two_sum(self, x: V, y: V) -> tuple[V, V]:
        """(s, e) with s + e == x + y exactly. Source: Knuth, TAOCP 4.2.2."""
        total = x + y
        part = total - x
        return total, (x - (total - part)) + (y - part)

    def fast_two_sum(self, x: V, y: V) -> tuple[V, V]:
        """two_sum for |x| >= |y|."""
        total = x + y
        return total, y - (total - x)


def build_function(
    symbol: str, parameters: Sequence[Lanes], target: CpuTarget, body: Callable[..., V], inline: bool = True
) -> FunctionText:
    """Define `symbol` by running `body(emitter, *parameters)`, which returns the result."""
    b = Emitter(target)
    arguments = [V(b, f"%p{i}", t) for i, t in enumerate(parameters)]
    result = body(b, *arguments)
    head = ", ".join(f"{t} %p{i}" for i, t in enumerate(parameters))
    attributes = "#1" if inline else "#2"
    lines = [
        f"define internal {result.type} {symbol}({head}) {attributes} {{",
        "entry:",
        *b.lines,
        f"  ret {result.type} {result.name}",
        "}",
    ]
    return FunctionText(
        symbol,
        str(result.type),
        tuple(str(t) for t in parameters),
        "\n".join(lines) + "\n",
        frozenset(b.declarations),
        tuple(b.callees.values()),
    )


def call_function(b: Emitter, function: FunctionText, result: Lanes, *arguments: V) -> V:
    """Call `function` from the body of another."""
    b.callees[function.symbol] = function
    text = ", ".join(f"{a.type} {a.name}" for a in arguments)
    return b.op(f"call {function.result} {function.symbol}({text})", result)
