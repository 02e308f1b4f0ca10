# ruff: noqa: E501  (programs are quoted as people write them)
"""Results whose sizes depend on the elements of arguments: nonzero, a boolean mask, unique; and work on such results.

Each program cuts to the count in two ways: by set_dimension_size, which gives a bounded dimension, and by a slice whose
limit is read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from oracle_harness import assert_close
from random_sizes import combinations
from text_oracle import run_reference

from tesselle.compiler import compile
from tesselle.runtime import load

Array = np.ndarray[Any, Any]

CONSTANTS = """
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %zero1 = stablehlo.constant dense<0> : tensor<1xi32>
  %one1 = stablehlo.constant dense<1> : tensor<1xi32>
  %false = stablehlo.constant dense<false> : tensor<i1>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (XTYPE) -> tensor<i32>
  %n1 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %i = stablehlo.dynamic_iota %n1, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>"""

COUNT = """
  %k = stablehlo.convert %m : (tensor<?xi1>) -> tensor<?xi32>
  %count = stablehlo.reduce(%k init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<?xi32>, tensor<i32>) -> tensor<i32>
  %not = stablehlo.not %m : tensor<?xi1>"""

# Those that are chosen first, in their order.
ORDER = """
  %sorted:2 = "stablehlo.sort"(%not, %i) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<i1>, %b: tensor<i1>, %c: tensor<i32>, %d: tensor<i32>):
    %l = stablehlo.compare LT, %a, %b : (tensor<i1>, tensor<i1>) -> tensor<i1>
    stablehlo.return %l : tensor<i1>
  }) : (tensor<?xi1>, tensor<?xi32>) -> (tensor<?xi1>, tensor<?xi32>)"""

CUTS = {
    "set": "  %cut = stablehlo.set_dimension_size %sorted#1, %count, dim = 0 : (tensor<?xi32>, tensor<i32>) -> tensor<?xi32>",
    "slice": """  %count1 = stablehlo.reshape %count : (tensor<i32>) -> tensor<1xi32>
  %cut = stablehlo.real_dynamic_slice %sorted#1, %zero1, %count1, %one1 : (tensor<?xi32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xi32>""",
}

NONZERO = f"""func.func @main(%x: tensor<?xf32>) -> tensor<?x1xi32> {{{CONSTANTS.replace("XTYPE", "tensor<?xf32>")}
  %zs = stablehlo.dynamic_broadcast_in_dim %z, %n1, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
  %m = stablehlo.compare NE, %x, %zs : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xi1>{COUNT}{ORDER}
CUT
  %r = stablehlo.reshape %cut : (tensor<?xi32>) -> tensor<?x1xi32>
  return %r : tensor<?x1xi32>
}}"""

GATHER = '"stablehlo.gather"(%x, %cut) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>}> : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<?x3xf32>'

# The chosen rows, their products with one another, and the maxima of those: more work on what nobody knows the size of.
MASK = f"""func.func @main(%x: tensor<?x3xf32>, %m: tensor<?xi1>) -> (tensor<?x3xf32>, tensor<?x?xf32>, tensor<?xf32>) {{{CONSTANTS.replace("XTYPE", "tensor<?x3xf32>")}{COUNT}{ORDER}
CUT
  %r = {GATHER}
  %e = stablehlo.exponential %r : tensor<?x3xf32>
  %p = stablehlo.dot_general %e, %e, contracting_dims = [1] x [1] : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x?xf32>
  %q = stablehlo.reduce(%p init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<?x?xf32>, tensor<f32>) -> tensor<?xf32>
  return %r, %p, %q : tensor<?x3xf32>, tensor<?x?xf32>, tensor<?xf32>
}}"""

# Sorted values, where they differ from the one before; behind them how often each stands there.
UNIQUE = f"""func.func @main(%x: tensor<?xi32>) -> (tensor<?xi32>, tensor<?xi32>) {{{CONSTANTS.replace("XTYPE", "tensor<?xi32>")}
  %s = "stablehlo.sort"(%x) <{{dimension = 0 : i64}}> ({{
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %l = stablehlo.compare LT, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %l : tensor<i1>
  }}) : (tensor<?xi32>) -> tensor<?xi32>
  %shifted = stablehlo.pad %s, %zero, low = [1], high = [-1], interior = [0] : (tensor<?xi32>, tensor<i32>) -> tensor<?xi32>
  %differs = stablehlo.compare NE, %s, %shifted : (tensor<?xi32>, tensor<?xi32>) -> tensor<?xi1>
  %zs = stablehlo.dynamic_broadcast_in_dim %zero, %n1, dims = [] : (tensor<i32>, tensor<1xi32>) -> tensor<?xi32>
  %first = stablehlo.compare EQ, %i, %zs : (tensor<?xi32>, tensor<?xi32>) -> tensor<?xi1>
  %m = stablehlo.or %differs, %first : tensor<?xi1>{COUNT}{ORDER}
CUT
  %r = "stablehlo.gather"(%s, %cut) <{{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1>}}> : (tensor<?xi32>, tensor<?xi32>) -> tensor<?xi32>
  %c1 = stablehlo.reshape %count : (tensor<i32>) -> tensor<1xi32>
  %table = stablehlo.concatenate %c1, %n1, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %rows = stablehlo.dynamic_broadcast_in_dim %r, %table, dims = [0] : (tensor<?xi32>, tensor<2xi32>) -> tensor<?x?xi32>
  %columns = stablehlo.dynamic_broadcast_in_dim %s, %table, dims = [1] : (tensor<?xi32>, tensor<2xi32>) -> tensor<?x?xi32>
  %same = stablehlo.compare EQ, %rows, %columns : (tensor<?x?xi32>, tensor<?x?xi32>) -> tensor<?x?xi1>
  %numbers = stablehlo.convert %same : (tensor<?x?xi1>) -> tensor<?x?xi32>
  %counts = stablehlo.reduce(%numbers init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<?x?xi32>, tensor<i32>) -> tensor<?xi32>
  return %r, %counts : tensor<?xi32>, tensor<?xi32>
}}"""


def check(text: str, calls: Sequence[tuple[Sequence[Array], Sequence[Array]]]) -> None:
    for cut in CUTS.values():
        program = text.replace("CUT", cut)
        function = load(compile(program))["main"]
        for i, (arguments, wanted) in enumerate(calls):
            if i % 10 == 0:
                assert_close(run_reference(program, *arguments), wanted, "the reference", 1e-5)
            found = function(*arguments)
            assert_close(found if isinstance(found, tuple) else [found], wanted, "compiled", 1e-5)


def masks() -> list[Array]:
    """Of 200 sizes and counts of those that are true, at random places."""
    rng = np.random.default_rng(0)
    calls = combinations("nk", legal=lambda v: v["k"] <= v["n"])
    return [rng.permutation(np.arange(v["n"]) < v["k"]) for v in calls]


def test_nonzero() -> None:
    arrays = [np.zeros(5, np.float32), np.ones(5, np.float32), *(m.astype(np.float32) for m in masks())]
    check(NONZERO, [((x,), (np.argwhere(x).astype(np.int32),)) for x in arrays])


def masked(x: Array, mask: Array) -> Sequence[Array]:
    rows = x[mask]
    products = np.exp(rows) @ np.exp(rows).T
    return rows, products, products.max(1, initial=-np.inf)


def test_boolean_mask() -> None:
    rng = np.random.default_rng(0)
    calls = []
    for mask in masks():
        x = rng.normal(size=(len(mask), 3)).astype(np.float32)
        calls.append(((x, mask), masked(x, mask)))
    check(MASK, calls)


@pytest.mark.parametrize("high", [1, 4, 1000])
def test_unique(high: int) -> None:
    rng = np.random.default_rng(high)
    arrays = [rng.integers(-high, high, v["n"]).astype(np.int32) for v in combinations("n")]
    calls = []
    for x in arrays:
        values, counts = np.unique(x, return_counts=True)
        calls.append(((x,), (values, counts.astype(np.int32))))
    check(UNIQUE, calls)
