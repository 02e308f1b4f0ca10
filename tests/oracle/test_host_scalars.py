"""Arithmetic on a loop's counter, which the host program does itself: Python's integers == reference == compiled.

XLA has no clamp of booleans, counts the ones of an i4 in a byte, and takes exponents of unsigned types for signed ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from text_oracle import check_text

from tesselle.dialects.stablehlo import elementwise as s
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS
from tesselle.support.dtypes import DTYPES

STEPS = 13

UNARY: dict[str, Callable[[int, int], int]] = {
    # what the bits of the type and x make
    "abs": lambda bits, x: abs(x),
    "count_leading_zeros": lambda bits, x: bits - (x % 2**bits).bit_length(),
    "negate": lambda bits, x: -x,
    "not": lambda bits, x: ~x,
    "popcnt": lambda bits, x: (x % 2**bits).bit_count(),
    "sign": lambda bits, x: (x > 0) - (x < 0),
}
BINARY: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda bits, x, y: x + y if bits > 1 else x | y,
    "and": lambda bits, x, y: x & y,
    "divide": lambda bits, x, y: _quotient(x, y),
    "maximum": lambda bits, x, y: max(x, y),
    "minimum": lambda bits, x, y: min(x, y),
    "multiply": lambda bits, x, y: x * y,
    "or": lambda bits, x, y: x | y,
    "power": lambda bits, x, y: pow(x, y, 2**bits) if y >= 0 else {1: 1, -1: (-1) ** (y % 2)}.get(x, 0),
    "remainder": lambda bits, x, y: x - y * _quotient(x, y) if y else x,
    "shift_left": lambda bits, x, y: x << min(y % 2**bits, bits),
    "shift_right_arithmetic": lambda bits, x, y: _signed(x, bits) >> min(y % 2**bits, bits),
    "shift_right_logical": lambda bits, x, y: x % 2**bits >> min(y % 2**bits, bits),
    "subtract": lambda bits, x, y: x - y,
    "xor": lambda bits, x, y: x ^ y,
}


def _signed(x: int, bits: int) -> int:
    return (x + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def _quotient(x: int, y: int) -> int:
    """Towards zero; -1 (all bits set) for a zero divisor, as XLA has it."""
    return (abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)) if y else -1


_FIRST = ((1, -6), (37, -3), (0x123456789ABCDF, 5))
_SECOND = (3, -7)
_TYPES = ("i1", "i4", "ui4", "i8", "ui8", "i16", "ui16", "i32", "ui32", "i64", "ui64")


def operations(dtype: str, base: type[Op]) -> list[str]:
    """Those of the registry that the type has, without `stablehlo.`."""
    found = {n: c for n, c in sorted(OPS.items()) if n.startswith("stablehlo.") and issubclass(c, base)}
    kinds = {n: c.KINDS for n, c in found.items()}  # type: ignore[attr-defined]  # elementwise operations have them
    return [n.removeprefix("stablehlo.") for n, k in kinds.items() if DTYPES[dtype].kind in k]


def wanted(dtype: str, first: tuple[int, int]) -> list[list[int]]:
    """The rows of `program`'s result, in its order."""
    t = DTYPES[dtype]

    def wrapped(x: int) -> int:
        return _signed(x, t.bits) if t.is_signed else x % 2**t.bits

    rows: list[list[int]] = []
    for i in range(STEPS):
        p, q = (_signed(i * k + c, 64) for k, c in (first, _SECOND))
        p, q = (int(p != 0), int(q != 0)) if t.is_bool else (wrapped(p), wrapped(q))
        row = [p if p < q else q, q]
        row += [UNARY[name](t.bits, p) for name in operations(dtype, s.UnaryOp)]
        row += [BINARY[name](t.bits, p, q) for name in operations(dtype, s.BinaryOp)]
        rows.append([wrapped(x) for x in row])
    return [list(column) for column in zip(*rows, strict=True)]


def program(dtype: str, first: tuple[int, int]) -> tuple[str, int]:
    """Every operation on `p` and `q`, numbers that grow with the counter; row k of the result is the k-th one's."""
    lines = [f"%v = stablehlo.compare LT, %p, %q : (tensor<{dtype}>, tensor<{dtype}>) -> tensor<i1>"]
    lines.append(f"%u0 = stablehlo.select %v, %p, %q : tensor<i1>, tensor<{dtype}>")
    lines.append(f"%u1 = stablehlo.clamp %q, %p, %q : tensor<{dtype}>")
    for name in operations(dtype, s.UnaryOp):
        lines.append(f"%u{len(lines) - 1} = stablehlo.{name} %p : tensor<{dtype}>")
    for name in operations(dtype, s.BinaryOp):
        lines.append(f"%u{len(lines) - 1} = stablehlo.{name} %p, %q : tensor<{dtype}>")
    count = len(lines) - 1
    updates = [f"%o{k} = stablehlo.constant dense<{k}> : tensor<i32>" for k in range(count)]
    for k in range(count):
        source = "%a" if k == 0 else f"%a{k - 1}"
        updates.append(f"%s{k} = stablehlo.reshape %u{k} : (tensor<{dtype}>) -> tensor<1x1x{dtype}>")
        updates.append(
            f"%a{k} = stablehlo.dynamic_update_slice {source}, %s{k}, %o{k}, %i : (tensor<{count}x{STEPS}x{dtype}>,"
            f" tensor<1x1x{dtype}>, tensor<i32>, tensor<i32>) -> tensor<{count}x{STEPS}x{dtype}>"
        )
    body = "\n      ".join((*lines, *updates))
    text = f"""
  func.func @main(%x: tensor<{count}x{STEPS}x{dtype}>) -> tensor<{count}x{STEPS}x{dtype}> {{
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.constant dense<{STEPS}> : tensor<i32>
    %k0 = stablehlo.constant dense<{first[0]}> : tensor<i64>
    %c0 = stablehlo.constant dense<{first[1]}> : tensor<i64>
    %k1 = stablehlo.constant dense<{_SECOND[0]}> : tensor<i64>
    %c1 = stablehlo.constant dense<{_SECOND[1]}> : tensor<i64>
    %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<{count}x{STEPS}x{dtype}>
    cond {{
      %0 = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %0 : tensor<i1>
    }} do {{
      %w = stablehlo.convert %i : (tensor<i32>) -> tensor<i64>
      %w0 = stablehlo.multiply %w, %k0 : tensor<i64>
      %w1 = stablehlo.add %w0, %c0 : tensor<i64>
      %p = stablehlo.convert %w1 : (tensor<i64>) -> tensor<{dtype}>
      %w2 = stablehlo.multiply %w, %k1 : tensor<i64>
      %w3 = stablehlo.add %w2, %c1 : tensor<i64>
      %q = stablehlo.convert %w3 : (tensor<i64>) -> tensor<{dtype}>
      {body}
      %next = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %next, %a{count - 1} : tensor<i32>, tensor<{count}x{STEPS}x{dtype}>
    }}
    return %r#1 : tensor<{count}x{STEPS}x{dtype}>
  }}"""
    return text, count


@pytest.mark.parametrize("first", _FIRST, ids=lambda f: f"{f[0]:#x}")
@pytest.mark.parametrize("dtype", _TYPES)
def test_on_the_counter(dtype: str, first: tuple[int, int]) -> None:
    text, count = program(dtype, first)
    wide = np.uint64 if DTYPES[dtype].is_unsigned else np.int64
    expected = np.array(wanted(dtype, first), wide).astype(DTYPES[dtype].numpy)
    check_text(text, np.zeros((count, STEPS), expected.dtype), wanted=[expected])


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_floats_on_the_way_to_an_index(dtype: str) -> None:
    """The host has no sine, and no bf16: the device computes the index, and the host reads it."""
    text = f"""
  func.func @main(%x: tensor<6xf32>, %b: tensor<5xf32>) -> tensor<6xf32> {{
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.constant dense<6> : tensor<i32>
    %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<6xf32>
    cond {{
      %0 = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %0 : tensor<i1>
    }} do {{
      %m = "stablehlo.map"(%i) <{{dimensions = array<i64>}}> ({{
      ^bb0(%q: tensor<i32>):
        %1 = stablehlo.convert %q : (tensor<i32>) -> tensor<{dtype}>
        %2 = stablehlo.sine %1 : tensor<{dtype}>
        %3 = stablehlo.multiply %2, %1 : tensor<{dtype}>
        %4 = stablehlo.convert %3 : (tensor<{dtype}>) -> tensor<i32>
        stablehlo.return %4 : tensor<i32>
      }}) : (tensor<i32>) -> tensor<i32>
      %v = stablehlo.dynamic_slice %b, %m, sizes = [1] : (tensor<5xf32>, tensor<i32>) -> tensor<1xf32>
      %a1 = stablehlo.dynamic_update_slice %a, %v, %i : (tensor<6xf32>, tensor<1xf32>, tensor<i32>) -> tensor<6xf32>
      %i1 = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %i1, %a1 : tensor<i32>, tensor<6xf32>
    }}
    return %r#1 : tensor<6xf32>
  }}"""
    check_text(text, np.zeros(6, np.float32), np.arange(5, dtype=np.float32))
