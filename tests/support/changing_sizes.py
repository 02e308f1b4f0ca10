# ruff: noqa: E501  (programs are quoted as people write them)
"""Programs whose loops and branches change the sizes of tensors, each beside what NumPy says for any arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from random_sizes import combinations

Array = np.ndarray[Any, Any]
F32, I32 = np.float32, np.int32


@dataclass(frozen=True)
class Case:
    """`text`: StableHLO; `expected` computes the results from each of `calls`, lists of arguments.

    `make`: arguments for values of the letters `sizes`, of which those that are `legal` are drawn.
    """

    name: str
    text: str
    calls: Sequence[Sequence[Any]]
    expected: Callable[..., Sequence[Any]]
    sizes: str
    make: Callable[..., Sequence[Any]]
    legal: Callable[[Mapping[str, int]], bool] = lambda s: True

    def random_calls(self) -> list[Sequence[Any]]:
        """200 lists of arguments; fewer where no more are legal."""
        return [self.make(**values) for values in combinations(self.sizes, legal=self.legal)]


CONSTANTS = """
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %one1 = stablehlo.constant dense<1> : tensor<1xi32>
  %zero1 = stablehlo.constant dense<0> : tensor<1xi32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>"""

LESS = """stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>"""


def ramp(*shape: int) -> Array:
    return np.arange(int(np.prod(shape)), dtype=F32).reshape(shape)


def numbers(*shape: int) -> Array:
    """Integers, of which any sum is exact."""
    return np.random.default_rng(shape).integers(-9, 10, shape).astype(F32)


def grown(x: Array, n: Any) -> Array:
    rows = [np.full((1, *x.shape[1:]), i, F32) for i in range(n)]
    return np.concatenate([x, *rows]) if rows else x


def doubled(x: Array) -> Sequence[Array]:
    while x.sum() < 100:
        x = np.concatenate([x, x + 1])
    return (x,)


def words(a: Array, b: Array, n: Any) -> Sequence[Array]:
    for _ in range(n):
        a, b = b, np.concatenate([a, b])
    return a, b


def popped(x: Array, n: Any) -> Sequence[Array]:
    total = F32(0)
    for _ in range(n):
        total, x = total + x[-1], x[:-1]
    return x, total


def chosen(x: Array) -> Sequence[Array]:
    return (np.concatenate([np.array([v, v], F32) if v > 0 else np.array([v], F32) for v in x] or [x]),)


def sieve(n: Any) -> Sequence[Array]:
    primes: list[int] = []
    for candidate in range(2, int(n)):
        if all(candidate % p for p in primes):
            primes.append(candidate)
    return (np.array(primes, I32),)


def triangle(n: Any) -> Sequence[Array]:
    x = np.zeros((0, 3), F32)
    for i in range(n):
        x = np.concatenate([x, np.zeros((1, 3), F32)])
        for j in range(i + 1):
            x[j] += j
    return (x,)


CASES = [
    Case(
        "grow",
        f"""
func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?x4xf32> {{{CONSTANTS}
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<?x4xf32> cond {{
    %c = {LESS}
  }} do {{
    %f = stablehlo.convert %i : (tensor<i32>) -> tensor<f32>
    %row = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<f32>) -> tensor<1x4xf32>
    %b = stablehlo.concatenate %a, %row, dim = 0 : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?x4xf32>
  }}
  return %r#1 : tensor<?x4xf32>
}}""",
        [(ramp(k, 4), I32(n)) for k, n in ((2, 3), (0, 5), (3, 0), (0, 0), (1, 17))],
        lambda x, n: (grown(x, n),),
        "kn",
        lambda k, n: (numbers(k, 4), I32(n)),
    ),
    Case(
        "grow-from-nothing",  # the initial value's type knows its size, that of the loop does not
        f"""
func.func @main(%n: tensor<i32>) -> (tensor<?xi8>, tensor<i32>) {{{CONSTANTS}
  %e = stablehlo.constant dense<> : tensor<0xi8>
  %r:2 = "stablehlo.while"(%zero, %e) ({{
  ^bb0(%i: tensor<i32>, %a: tensor<?xi8>):
    %c = {LESS}
  }}, {{
  ^bb0(%i: tensor<i32>, %a: tensor<?xi8>):
    %f = stablehlo.convert %i : (tensor<i32>) -> tensor<i8>
    %row = stablehlo.reshape %f : (tensor<i8>) -> tensor<1xi8>
    %b = stablehlo.concatenate %a, %row, dim = 0 : (tensor<?xi8>, tensor<1xi8>) -> tensor<?xi8>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?xi8>
  }}) : (tensor<i32>, tensor<0xi8>) -> (tensor<i32>, tensor<?xi8>)
  %s = stablehlo.get_dimension_size %r#1, dim = 0 : (tensor<?xi8>) -> tensor<i32>
  return %r#1, %s : tensor<?xi8>, tensor<i32>
}}""",
        [(I32(0),), (I32(1),), (I32(100),)],
        lambda n: (np.arange(n).astype(np.int8), I32(n)),
        "n",
        lambda n: (I32(n),),
    ),
    Case(
        "only-the-size",  # nothing reads the elements
        f"""
func.func @main(%x: tensor<?xf32>, %n: tensor<i32>) -> tensor<i32> {{{CONSTANTS}
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<?xf32> cond {{
    %c = {LESS}
  }} do {{
    %b = stablehlo.concatenate %a, %a, dim = 0 : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?xf32>
  }}
  %s = stablehlo.get_dimension_size %r#1, dim = 0 : (tensor<?xf32>) -> tensor<i32>
  return %s : tensor<i32>
}}""",
        [(ramp(3), I32(0)), (ramp(3), I32(4)), (ramp(0), I32(4))],
        lambda x, n: (I32(len(x) * 2**n),),
        "kn",
        lambda k, n: (numbers(k), I32(n)),
        lambda s: s["n"] <= 12,
    ),
    Case(
        "unread",  # a size that does not depend on the one before, of a tensor that no iteration reads
        f"""
func.func @main(%x: tensor<?xf32>, %n: tensor<i32>) -> tensor<?xf32> {{{CONSTANTS}
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<?xf32> cond {{
    %c = {LESS}
  }} do {{
    %size = stablehlo.reshape %i : (tensor<i32>) -> tensor<1xi32>
    %b = stablehlo.dynamic_iota %size, dim = 0 : (tensor<1xi32>) -> tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?xf32>
  }}
  return %r#1 : tensor<?xf32>
}}""",
        [(ramp(2) + 7, I32(0)), (ramp(2), I32(1)), (ramp(2), I32(50))],
        lambda x, n: (np.arange(n - 1, dtype=F32) if n else x,),
        "kn",
        lambda k, n: (numbers(k), I32(n)),
    ),
    Case(
        "double-until",  # the elements decide how often
        f"""
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {{{CONSTANTS}
  %limit = stablehlo.constant dense<100.0> : tensor<f32>
  %f1 = stablehlo.constant dense<1.0> : tensor<f32>
  %r = stablehlo.while(%a = %x) : tensor<?xf32> cond {{
    %s = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<?xf32>, tensor<f32>) -> tensor<f32>
    %c = stablehlo.compare LT, %s, %limit : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }} do {{
    %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?xf32>) -> tensor<i32>
    %n1 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
    %ones = stablehlo.dynamic_broadcast_in_dim %f1, %n1, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
    %p = stablehlo.add %a, %ones : tensor<?xf32>
    %b = stablehlo.concatenate %a, %p, dim = 0 : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    stablehlo.return %b : tensor<?xf32>
  }}
  return %r : tensor<?xf32>
}}""",
        [(ramp(1),), (ramp(5),), (np.full(3, 50, F32),)],
        doubled,
        "kn",
        lambda k, n: (abs(numbers(k)) + F32(n),),
        lambda s: s["k"] > 0,
    ),
    Case(
        "words",  # two that change places
        f"""
func.func @main(%x: tensor<?xf32>, %y: tensor<?xf32>, %n: tensor<i32>) -> (tensor<?xf32>, tensor<?xf32>) {{{CONSTANTS}
  %r:3 = stablehlo.while(%i = %zero, %a = %x, %b = %y) : tensor<i32>, tensor<?xf32>, tensor<?xf32> cond {{
    %c = {LESS}
  }} do {{
    %d = stablehlo.concatenate %a, %b, dim = 0 : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b, %d : tensor<i32>, tensor<?xf32>, tensor<?xf32>
  }}
  return %r#1, %r#2 : tensor<?xf32>, tensor<?xf32>
}}""",
        [(ramp(1), ramp(2) + 5, I32(n)) for n in (0, 1, 2, 9)],
        words,
        "abn",
        lambda a, b, n: (numbers(a), numbers(b) + 5, I32(n)),
        lambda s: s["n"] <= 11,
    ),
    Case(
        "pop",  # the last element is summed and cut off
        f"""
func.func @main(%x: tensor<?xf32>, %n: tensor<i32>) -> (tensor<?xf32>, tensor<f32>) {{{CONSTANTS}
  %r:3 = stablehlo.while(%i = %zero, %a = %x, %t = %z) : tensor<i32>, tensor<?xf32>, tensor<f32> cond {{
    %c = {LESS}
  }} do {{
    %s = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?xf32>) -> tensor<i32>
    %m = stablehlo.subtract %s, %one : tensor<i32>
    %m1 = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
    %v = stablehlo.dynamic_slice %a, %m, sizes = [1] : (tensor<?xf32>, tensor<i32>) -> tensor<1xf32>
    %w = stablehlo.reshape %v : (tensor<1xf32>) -> tensor<f32>
    %u = stablehlo.add %t, %w : tensor<f32>
    %b = stablehlo.real_dynamic_slice %a, %zero1, %m1, %one1 : (tensor<?xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b, %u : tensor<i32>, tensor<?xf32>, tensor<f32>
  }}
  return %r#1, %r#2 : tensor<?xf32>, tensor<f32>
}}""",
        [(ramp(7), I32(0)), (ramp(7), I32(3)), (ramp(7), I32(7))],
        popped,
        "kn",
        lambda k, n: (numbers(k), I32(n)),
        lambda s: s["n"] <= s["k"],
    ),
    Case(
        "push-or-not",  # branches of different sizes in a loop; one hands on what came in
        f"""
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {{{CONSTANTS}
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf32>) -> tensor<i32>
  %e = stablehlo.constant dense<> : tensor<0xf32>
  %r:2 = "stablehlo.while"(%zero, %e) ({{
  ^bb0(%i: tensor<i32>, %a: tensor<?xf32>):
    %c = {LESS}
  }}, {{
  ^bb0(%i: tensor<i32>, %a: tensor<?xf32>):
    %v = stablehlo.dynamic_slice %x, %i, sizes = [1] : (tensor<?xf32>, tensor<i32>) -> tensor<1xf32>
    %w = stablehlo.reshape %v : (tensor<1xf32>) -> tensor<f32>
    %p = stablehlo.compare GT, %w, %z : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %b = stablehlo.concatenate %a, %v, dim = 0 : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
    %d = "stablehlo.if"(%p) ({{
      %t = stablehlo.concatenate %b, %v, dim = 0 : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
      stablehlo.return %t : tensor<?xf32>
    }}, {{
      stablehlo.return %b : tensor<?xf32>
    }}) : (tensor<i1>) -> tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %d : tensor<i32>, tensor<?xf32>
  }}) : (tensor<i32>, tensor<0xf32>) -> (tensor<i32>, tensor<?xf32>)
  return %r#1 : tensor<?xf32>
}}""",
        [(np.random.default_rng(k).normal(size=k).astype(F32),) for k in (0, 1, 5, 20)],
        chosen,
        "k",
        lambda k: (numbers(k),),
    ),
    Case(
        "sieve",  # the loop inside asks whether one of those found divides; the branch behind it pushes
        f"""
func.func @main(%n: tensor<i32>) -> tensor<?xi32> {{{CONSTANTS}
  %false = stablehlo.constant dense<false> : tensor<i1>
  %e = stablehlo.constant dense<> : tensor<0xi32>
  %r:2 = "stablehlo.while"(%two, %e) ({{
  ^bb0(%i: tensor<i32>, %a: tensor<?xi32>):
    %c = {LESS}
  }}, {{
  ^bb0(%i: tensor<i32>, %a: tensor<?xi32>):
    %s = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?xi32>) -> tensor<i32>
    %s1 = stablehlo.reshape %s : (tensor<i32>) -> tensor<1xi32>
    %ii = stablehlo.dynamic_broadcast_in_dim %i, %s1, dims = [] : (tensor<i32>, tensor<1xi32>) -> tensor<?xi32>
    %zz = stablehlo.dynamic_broadcast_in_dim %zero, %s1, dims = [] : (tensor<i32>, tensor<1xi32>) -> tensor<?xi32>
    %m = stablehlo.remainder %ii, %a : tensor<?xi32>
    %h = stablehlo.compare EQ, %m, %zz : (tensor<?xi32>, tensor<?xi32>) -> tensor<?xi1>
    %any = stablehlo.reduce(%h init: %false) applies stablehlo.or across dimensions = [0] : (tensor<?xi1>, tensor<i1>) -> tensor<i1>
    %d = "stablehlo.if"(%any) ({{
      stablehlo.return %a : tensor<?xi32>
    }}, {{
      %v = stablehlo.reshape %i : (tensor<i32>) -> tensor<1xi32>
      %t = stablehlo.concatenate %a, %v, dim = 0 : (tensor<?xi32>, tensor<1xi32>) -> tensor<?xi32>
      stablehlo.return %t : tensor<?xi32>
    }}) : (tensor<i1>) -> tensor<?xi32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %d : tensor<i32>, tensor<?xi32>
  }}) : (tensor<i32>, tensor<0xi32>) -> (tensor<i32>, tensor<?xi32>)
  return %r#1 : tensor<?xi32>
}}""",
        [(I32(2),), (I32(60),)],
        sieve,
        "n",
        lambda n: (I32(n),),
    ),
    Case(
        "triangle",  # the inner loop updates in place what the outer one lets grow
        f"""
func.func @main(%n: tensor<i32>) -> tensor<?x3xf32> {{{CONSTANTS}
  %e = stablehlo.constant dense<> : tensor<0x3xf32>
  %row = stablehlo.constant dense<0.0> : tensor<1x3xf32>
  %r:2 = "stablehlo.while"(%zero, %e) ({{
  ^bb0(%i: tensor<i32>, %a: tensor<?x3xf32>):
    %c = {LESS}
  }}, {{
  ^bb0(%i: tensor<i32>, %a: tensor<?x3xf32>):
    %b = stablehlo.concatenate %a, %row, dim = 0 : (tensor<?x3xf32>, tensor<1x3xf32>) -> tensor<?x3xf32>
    %m = stablehlo.add %i, %one : tensor<i32>
    %q:2 = stablehlo.while(%j = %zero, %w = %b) : tensor<i32>, tensor<?x3xf32> cond {{
      %c = stablehlo.compare LT, %j, %m : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %old = stablehlo.dynamic_slice %w, %j, %zero, sizes = [1, 3] : (tensor<?x3xf32>, tensor<i32>, tensor<i32>) -> tensor<1x3xf32>
      %f = stablehlo.convert %j : (tensor<i32>) -> tensor<f32>
      %g = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<f32>) -> tensor<1x3xf32>
      %new = stablehlo.add %old, %g : tensor<1x3xf32>
      %u = stablehlo.dynamic_update_slice %w, %new, %j, %zero : (tensor<?x3xf32>, tensor<1x3xf32>, tensor<i32>, tensor<i32>) -> tensor<?x3xf32>
      %k = stablehlo.add %j, %one : tensor<i32>
      stablehlo.return %k, %u : tensor<i32>, tensor<?x3xf32>
    }}
    stablehlo.return %m, %q#1 : tensor<i32>, tensor<?x3xf32>
  }}) : (tensor<i32>, tensor<0x3xf32>) -> (tensor<i32>, tensor<?x3xf32>)
  return %r#1 : tensor<?x3xf32>
}}""",
        [(I32(0),), (I32(1),), (I32(6),)],
        triangle,
        "n",
        lambda n: (I32(n),),
    ),
    Case(
        "grow-inside-of-grow",  # and what does not change its size stands beside it: one in place, one between halves
        f"""
func.func @main(%x: tensor<?xf32>, %y: tensor<5xf32>, %n: tensor<i32>) -> (tensor<?xf32>, tensor<5xf32>, tensor<5xf32>) {{{CONSTANTS}
  %r:4 = stablehlo.while(%i = %zero, %a = %x, %p = %y, %q = %y) : tensor<i32>, tensor<?xf32>, tensor<5xf32>, tensor<5xf32> cond {{
    %c = {LESS}
  }} do {{
    %f = stablehlo.convert %i : (tensor<i32>) -> tensor<f32>
    %f1 = stablehlo.reshape %f : (tensor<f32>) -> tensor<1xf32>
    %s:2 = stablehlo.while(%j = %zero, %b = %a) : tensor<i32>, tensor<?xf32> cond {{
      %c = stablehlo.compare LT, %j, %i : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %d = stablehlo.concatenate %f1, %b, dim = 0 : (tensor<1xf32>, tensor<?xf32>) -> tensor<?xf32>
      %k = stablehlo.add %j, %one : tensor<i32>
      stablehlo.return %k, %d : tensor<i32>, tensor<?xf32>
    }}
    %p2 = stablehlo.dynamic_update_slice %p, %f1, %i : (tensor<5xf32>, tensor<1xf32>, tensor<i32>) -> tensor<5xf32>
    %q2 = stablehlo.reverse %q, dims = [0] : tensor<5xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %s#1, %p2, %q2 : tensor<i32>, tensor<?xf32>, tensor<5xf32>, tensor<5xf32>
  }}
  return %r#1, %r#2, %r#3 : tensor<?xf32>, tensor<5xf32>, tensor<5xf32>
}}""",
        [(ramp(2), ramp(5), I32(n)) for n in (0, 1, 2, 5)],
        lambda x, y, n: (
            np.concatenate([*[np.full(i, i, F32) for i in reversed(range(n))], x]),
            np.concatenate([ramp(n), y[n:]]),
            y[::-1] if n % 2 else y,
        ),
        "kn",
        lambda k, n: (numbers(k), numbers(5), I32(n)),
        lambda s: s["n"] <= 5,
    ),
    Case(
        "both-dimensions",
        f"""
func.func @main(%x: tensor<?x?xf32>, %n: tensor<i32>) -> (tensor<?x?xf32>, tensor<?x?xf32>) {{{CONSTANTS}
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<?x?xf32> cond {{
    %c = {LESS}
  }} do {{
    %t = stablehlo.transpose %a, dims = [1, 0] : (tensor<?x?xf32>) -> tensor<?x?xf32>
    %b = stablehlo.concatenate %t, %t, dim = 0 : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?x?xf32>
  }}
  %d = stablehlo.dot_general %r#1, %r#1, contracting_dims = [1] x [1] : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r#1, %d : tensor<?x?xf32>, tensor<?x?xf32>
}}""",
        [(ramp(2, 3), I32(n)) for n in (0, 1, 3)],
        lambda x, n: (y := _transposed(x, n), y @ y.T),
        "abn",
        lambda a, b, n: (numbers(a, b), I32(n)),
        lambda s: s["n"] <= 3,
    ),
    *(
        Case(
            f"branch-{p}",  # sizes that a branch finds in the data
            f"""
func.func @main(%p: tensor<i1>, %x: tensor<6xf32>, %m: tensor<i32>) -> (tensor<?xf32>, tensor<?xf32>) {{{CONSTANTS}
  %r:2 = "stablehlo.if"(%p) ({{
    %y = stablehlo.set_dimension_size %x, %m, dim = 0 : (tensor<6xf32>, tensor<i32>) -> tensor<?xf32>
    %n = stablehlo.negate %y : tensor<?xf32>
    stablehlo.return %n, %y : tensor<?xf32>, tensor<?xf32>
  }}, {{
    %y = stablehlo.concatenate %x, %x, dim = 0 : (tensor<6xf32>, tensor<6xf32>) -> tensor<12xf32>
    stablehlo.return %x, %y : tensor<6xf32>, tensor<12xf32>
  }}) : (tensor<i1>) -> (tensor<?xf32>, tensor<?xf32>)
  return %r#0, %r#1 : tensor<?xf32>, tensor<?xf32>
}}""",
            [(np.array(p), ramp(6), I32(m)) for m in (0, 4)],
            lambda p, x, m: (-x[:m], x[:m]) if p else (x, np.concatenate([x, x])),
            "m",
            lambda m, p=p: (np.array(p), numbers(6), I32(m)),
            lambda s: s["m"] <= 6,  # there are no more
        )
        for p in (True, False)
    ),
    Case(
        "case",  # the same tensor twice, an argument, a constant
        f"""
func.func @main(%k: tensor<i32>, %x: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<f32>) {{{CONSTANTS}
  %w = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %r:2 = "stablehlo.case"(%k) ({{
    stablehlo.return %x, %x : tensor<?xf32>, tensor<?xf32>
  }}, {{
    %y = stablehlo.concatenate %x, %w, dim = 0 : (tensor<?xf32>, tensor<2xf32>) -> tensor<?xf32>
    stablehlo.return %y, %y : tensor<?xf32>, tensor<?xf32>
  }}, {{
    stablehlo.return %w, %x : tensor<2xf32>, tensor<?xf32>
  }}) : (tensor<i32>) -> (tensor<?xf32>, tensor<?xf32>)
  %s = stablehlo.reduce(%r#0 init: %z) applies stablehlo.add across dimensions = [0] : (tensor<?xf32>, tensor<f32>) -> tensor<f32>
  return %r#0, %r#1, %s : tensor<?xf32>, tensor<?xf32>, tensor<f32>
}}""",
        [(I32(k), ramp(n)) for k in (0, 1, 2, 3) for n in (0, 3)],
        lambda k, x: _case(k, x),
        "kn",
        lambda k, n: (I32(k), numbers(n)),
        lambda s: s["k"] <= 3,
    ),
    Case(
        "one-size-of-two-arguments",  # nothing but the addition says that they are equal: no size is handed on
        f"""
func.func @main(%x: tensor<?xf32>, %y: tensor<?xf32>, %n: tensor<i32>) -> tensor<?xf32> {{{CONSTANTS}
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<?xf32> cond {{
    %c = {LESS}
  }} do {{
    %b = stablehlo.add %y, %a : tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?xf32>
  }}
  return %r#1 : tensor<?xf32>
}}""",
        [(ramp(5), ramp(5), I32(3)), (ramp(5), ramp(5), I32(0))],
        lambda x, y, n: (x + F32(n) * y,),
        "kn",
        lambda k, n: (numbers(k), numbers(k)[::-1].copy(), I32(n)),
    ),
    Case(
        "tensor-in-a-loop-by-hand",  # the buffer that is handed on is read again behind the loop that updates it
        f"""
func.func @main(%x: tensor<?xf32>, %n: tensor<i32>) -> (tensor<?xf32>, tensor<?xf32>) {{{CONSTANTS}
  %v = stablehlo.constant dense<9.0> : tensor<1xf32>
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<?xf32> cond {{
    %c = {LESS}
  }} do {{
    %b = stablehlo.concatenate %a, %v, dim = 0 : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
    %k = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %k, %b : tensor<i32>, tensor<?xf32>
  }}
  %u = stablehlo.dynamic_update_slice %r#1, %v, %zero : (tensor<?xf32>, tensor<1xf32>, tensor<i32>) -> tensor<?xf32>
  return %r#1, %u : tensor<?xf32>, tensor<?xf32>
}}""",
        [(ramp(2), I32(0)), (ramp(2), I32(2))],
        lambda x, n: (y := np.concatenate([x, np.full(n, 9, F32)]), np.concatenate([np.array([9], F32), y[1:]])),
        "kn",
        lambda k, n: (numbers(k), I32(n)),
        lambda s: s["k"] + s["n"] > 0,
    ),
]


def _transposed(x: Array, n: Any) -> Array:
    for _ in range(n):
        x = np.concatenate([x.T, x.T])
    return x


def _case(k: Any, x: Array) -> Sequence[Any]:
    w = np.array([1, 2], F32)
    both = np.concatenate([x, w])
    a, b = ((x, x), (both, both), (w, x))[min(int(k), 2)]
    return a, b, a.sum(dtype=F32)
