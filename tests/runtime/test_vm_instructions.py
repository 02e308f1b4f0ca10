"""Every arithmetic instruction of the VM against Python, over corner cases; one without a row here fails."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tesselle.runtime as rt
from tesselle.artifact.vm_isa import BY_NAME, INSTRUCTIONS, OperandKind, RegisterType
from tesselle.artifact.vm_module import FunctionBuilder, VmFunction, VmGlobal
from vm_programs import make_program, raw_call

I32, I64, F32, F64, REF = RegisterType
BITS = {"i32": 32, "i64": 64}


def signed(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def unsigned(value: int, bits: int) -> int:
    return value % (1 << bits)


def f32(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def quotient(a: int, b: int) -> int:
    """Rounded towards zero; 0 for a zero divisor."""
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


INTEGER: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, n: a + b,
    "sub": lambda a, b, n: a - b,
    "mul": lambda a, b, n: a * b,
    "div_s": lambda a, b, n: quotient(a, b),
    "div_u": lambda a, b, n: quotient(unsigned(a, n), unsigned(b, n)),
    "rem_s": lambda a, b, n: 0 if b == 0 else a - b * quotient(a, b),
    "rem_u": lambda a, b, n: 0 if b == 0 else unsigned(a, n) % unsigned(b, n),
    "and": lambda a, b, n: a & b,
    "or": lambda a, b, n: a | b,
    "xor": lambda a, b, n: a ^ b,
    "shl": lambda a, b, n: 0 if unsigned(b, n) >= n else a << unsigned(b, n),
    "shr_s": lambda a, b, n: a >> min(unsigned(b, n), n),
    "shr_u": lambda a, b, n: 0 if unsigned(b, n) >= n else unsigned(a, n) >> unsigned(b, n),
    "min_s": lambda a, b, n: min(a, b),
    "max_s": lambda a, b, n: max(a, b),
    "min_u": lambda a, b, n: min(unsigned(a, n), unsigned(b, n)),
    "max_u": lambda a, b, n: max(unsigned(a, n), unsigned(b, n)),
    "cmp.eq": lambda a, b, n: a == b,
    "cmp.ne": lambda a, b, n: a != b,
    "cmp.lt_s": lambda a, b, n: a < b,
    "cmp.le_s": lambda a, b, n: a <= b,
    "cmp.lt_u": lambda a, b, n: unsigned(a, n) < unsigned(b, n),
    "cmp.le_u": lambda a, b, n: unsigned(a, n) <= unsigned(b, n),
}

# Of NumPy, which rounds once, to the operand's precision; fmod and pow are checked to one unit in the last place.
FLOAT_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "min": lambda a, b: np.minimum(a, b) if a != b else a if np.signbit(a) else b,
    "max": lambda a, b: np.maximum(a, b) if a != b else b if np.signbit(a) else a,
    "rem": np.fmod,
    "pow": lambda a, b: power(a, b),
    "cmp.eq": np.equal,
    "cmp.ne": np.not_equal,
    "cmp.lt": np.less,
    "cmp.le": np.less_equal,
}
FLOAT_UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": np.negative,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "sqrt": np.sqrt,
}


def power(a: Any, b: Any) -> Any:
    """C's pow, which Python's is but for its exceptions (NumPy takes sqrt for 0.5, which is another thing for -0)."""
    try:
        return type(a)(math.pow(a, b))
    except OverflowError:
        return type(a)(math.copysign(math.inf, a) if b % 2 == 1 else math.inf)
    except ValueError:
        if a == 0:  # a pole
            return type(a)(math.copysign(math.inf, a) if b % 2 == 1 else math.inf)
        return type(a)(math.nan)


def saturate(value: float, low: int, high: int) -> int:
    if math.isnan(value):
        return 0
    return low if value <= low else high if value >= high else math.trunc(value)


def convert(name: str, value: Any) -> Any:
    """`convert_s.f32.i32` and its relatives."""
    operation, source, target = name.split(".")
    is_signed = operation == "convert_s"
    if source in BITS:
        number = value if is_signed else unsigned(value, BITS[source])
        return float(np.float32(number)) if target == "f32" else float(number)
    bits = BITS[target]
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    return signed(saturate(value, low, high), bits)


def bitcast(name: str, value: Any) -> Any:
    codes = {"i32": "<i", "f32": "<f", "i64": "<q", "f64": "<d"}
    _, source, target = name.split(".")
    return struct.unpack(codes[target], struct.pack(codes[source], value))[0]


UNARY: dict[str, Callable[[Any], Any]] = {
    "ext_s.i32.i64": lambda a: a,
    "ext_u.i32.i64": lambda a: unsigned(a, 32),
    "trunc.i64.i32": lambda a: signed(a, 32),
    "ext.f32.f64": lambda a: a,
    "trunc.f64.f32": f32,
}

INTEGERS = {
    n: sorted({0, 1, -1, 2, 3, 7, -5, 31, 32, 33, 63, 64, 100, 1 << (n - 1) - 1, (1 << (n - 1)) - 1, -(1 << (n - 1))})
    for n in (32, 64)
}
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.5,
    -3.75,
    1e-40,
    3e38,
    math.inf,
    -math.inf,
    math.nan,
    2147483648.0,
    -9.3e18,
    1.9e19,
]
SAMPLES: dict[str, list[Any]] = {
    "i32": INTEGERS[32],
    "i64": INTEGERS[64],
    "f32": [f32(x) for x in FLOATS],
    "f64": FLOATS,
}


def arithmetic_names() -> list[str]:
    """Instructions that take and give numbers, and nothing else."""
    kinds = (OperandKind.I32, OperandKind.I64, OperandKind.F32, OperandKind.F64)
    return [
        i.name
        for i in INSTRUCTIONS
        if len(i.results) == 1 and i.operands and all(p.kind in kinds for p in (*i.operands, *i.results))
    ]


def function_of(name: str) -> VmFunction:
    row = BY_NAME[name]
    types = [p.kind.name.lower() for p in row.operands]
    result = row.results[0].kind.name.lower()
    b = FunctionBuilder(name, argument_types=types, result_types=[result])
    b.emit("return", b.emit(name, *b.arguments))
    return b.finish()


@pytest.fixture(scope="module")
def program() -> rt.Program:
    return make_program([function_of(name) for name in arithmetic_names()])


def expected(name: str, values: tuple[Any, ...]) -> Any:
    operation, _, kind = name.rpartition(".")
    if name in UNARY:
        return UNARY[name](*values)
    if name.startswith("convert_"):
        return convert(name, *values)
    if name.startswith("bitcast."):
        return bitcast(name, *values)
    if operation == "select":
        return values[1] if values[0] else values[2]
    if operation == "mov":
        return values[0]
    if kind in BITS:
        value = INTEGER[operation](*values, BITS[kind])
        return int(value) if operation.startswith("cmp.") else signed(value, BITS[kind])
    numbers = [np.dtype(kind.replace("f", "float")).type(v) for v in values]
    with np.errstate(all="ignore"):
        value = FLOAT_UNARY[operation](*numbers) if operation in FLOAT_UNARY else FLOAT_BINARY[operation](*numbers)
    return int(value) if operation.startswith("cmp.") else float(value)


def same(have: Any, want: Any, *, loose: bool) -> bool:
    if isinstance(want, float):
        if math.isnan(want) or math.isnan(have):
            return math.isnan(want) and math.isnan(have)
        if have == want:
            return math.copysign(1, have) == math.copysign(1, want)
        return loose and math.isclose(have, want, rel_tol=3e-7)
    return have == want


@pytest.mark.parametrize("name", arithmetic_names())
def test_arithmetic(program: rt.Program, name: str) -> None:
    session = program.new_session()
    kinds = [p.kind.name.lower() for p in BY_NAME[name].operands]
    if name.startswith("select."):
        sets = [[0, 1, -2], SAMPLES[kinds[1]][:3], SAMPLES[kinds[2]][-3:]]
    else:
        sets = [SAMPLES[k] for k in kinds]
    for values in itertools.product(*sets):
        (have,) = raw_call(session, name, *values)
        want = expected(name, values)
        assert same(have, want, loose=name[:3] in ("pow", "rem")), f"{name}{values} = {have}, expected {want}"


def test_min_and_max_of_zeros(program: rt.Program) -> None:
    for kind in ("f32", "f64"):
        for a, b in ((0.0, -0.0), (-0.0, 0.0)):
            assert math.copysign(1, raw_call(program, f"min.{kind}", a, b)[0]) == -1
            assert math.copysign(1, raw_call(program, f"max.{kind}", a, b)[0]) == 1


@pytest.mark.parametrize("kind", ["i32", "i64", "f32", "f64"])
def test_constants_and_globals(kind: str) -> None:
    initial, value = (-7, 11) if kind in BITS else (0.5, -2.25)
    b = FunctionBuilder("exchange", argument_types=[kind], result_types=[kind, kind])
    (before,) = b.emit(f"global.load.{kind}", "g")
    b.emit(f"global.store.{kind}", "g", b.arguments[0])
    (c,) = b.emit(f"const.{kind}", value)
    b.emit("return", (before, c))
    program = make_program([b.finish()], variables=[VmGlobal("g", RegisterType[kind.upper()], initial)])
    session, other = program.new_session(), program.new_session()
    assert raw_call(session, "exchange", 5) == [initial, value]
    assert raw_call(session, "exchange", 6) == [5, value]
    assert raw_call(other, "exchange", 7) == [initial, value]


def test_reference_moves() -> None:
    b = FunctionBuilder("f", argument_types=["ref", "ref", "i32"], result_types=["ref", "ref", "ref", "ref"])
    x, y, c = b.arguments
    (chosen,) = b.emit("select.ref", c, x, y)
    (copy,) = b.emit("mov.ref", chosen)
    b.emit("mov.ref", copy, results=[copy])
    (null,) = b.emit("const.ref.null")
    b.emit("global.store.ref", "g", x)
    (loaded,) = b.emit("global.load.ref", "g")
    b.emit("return", (chosen, copy, null, loaded))
    program = make_program([b.finish()], variables=[VmGlobal("g", REF)])
    buffers = [program.device.allocate(n).native for n in (1, 2)]  # type: ignore[attr-defined]  # the CPU's
    for condition, length in ((1, 1), (0, 2)):
        chosen_buffer, copy_buffer, none, loaded_buffer = raw_call(program, "f", *buffers, condition)
        assert (chosen_buffer.length, copy_buffer.length, none, loaded_buffer.length) == (length, length, None, 1)
