# ruff: noqa: E501  (programs are quoted as people write them)
"""Programs that go through the whole compiler and run, each beside what NumPy says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """`text`: StableHLO; `expected` computes the results from `arguments`."""

    name: str
    text: str
    arguments: Sequence[Array]
    expected: Callable[..., Sequence[Array]]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def scan(x: Array) -> Sequence[Array]:
    carried = np.zeros(8, np.float32)
    rows: list[Array] = []
    for row in x:
        carried = carried * np.float32(0.5) + row
        rows.append(carried)
    return carried, np.stack(rows)


def double_until(x: Array) -> Sequence[Array]:
    while x.sum() < 1000:
        x = x * 2
    return (x,)


def swap(x: Array, y: Array) -> Sequence[Array]:
    for _ in range(5):
        x, y = y, x + y
    return x, y


CASES = [
    Case(
        "add",
        """
func.func @main(%a: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<8xf32> {
  %0 = stablehlo.add %a, %b : tensor<8xf32>
  return %0 : tensor<8xf32>
}""",
        (normal(8), normal(8, seed=1)),
        lambda a, b: (a + b,),
    ),
    Case(
        "results",  # an argument, the same value twice, a constant: each result owns its bytes
        """
func.func @main(%a: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<3xf32>) {
  %0 = stablehlo.add %a, %a : tensor<8xf32>
  %c = stablehlo.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  return %a, %0, %0, %c : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<3xf32>
}""",
        (normal(8),),
        lambda a: (a, a + a, a + a, np.array([1, 2, 3], np.float32)),
    ),
    Case(
        "mlp",
        """
func.func @main(%x: tensor<4x16xf32>, %w: tensor<16x32xf32>, %b: tensor<32xf32>) -> tensor<4x32xf32> {
  %z = stablehlo.constant dense<0.0> : tensor<4x32xf32>
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<4x16xf32>, tensor<16x32xf32>) -> tensor<4x32xf32>
  %1 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<32xf32>) -> tensor<4x32xf32>
  %2 = stablehlo.add %0, %1 : tensor<4x32xf32>
  %3 = stablehlo.maximum %2, %z : tensor<4x32xf32>
  return %3 : tensor<4x32xf32>
}""",
        (normal(4, 16), normal(16, 32, seed=1), normal(32, seed=2)),
        lambda x, w, b: (np.maximum(x @ w + b, 0),),
    ),
    Case(
        "dynamic_softmax",
        """
func.func @main(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<?x16xf32>, tensor<f32>) -> tensor<?xf32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x16xf32>) -> tensor<i32>
  %n1 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %c = stablehlo.constant dense<16> : tensor<1xi32>
  %shape = stablehlo.concatenate %n1, %c, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %mb = stablehlo.dynamic_broadcast_in_dim %m, %shape, dims = [0] : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x16xf32>
  %d = stablehlo.subtract %x, %mb : tensor<?x16xf32>
  %e = stablehlo.exponential %d : tensor<?x16xf32>
  %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<?x16xf32>, tensor<f32>) -> tensor<?xf32>
  %sb = stablehlo.dynamic_broadcast_in_dim %s, %shape, dims = [0] : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x16xf32>
  %y = stablehlo.divide %e, %sb : tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}""",
        (normal(7, 16),),
        lambda x: (softmax(x),),
    ),
    Case(
        "scan",  # one carried tensor between two halves, one updated in place
        """
func.func @main(%x: tensor<6x8xf32>) -> (tensor<8xf32>, tensor<6x8xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %six = stablehlo.constant dense<6> : tensor<i32>
  %half = stablehlo.constant dense<0.5> : tensor<8xf32>
  %c = stablehlo.constant dense<0.0> : tensor<8xf32>
  %ys = stablehlo.constant dense<0.0> : tensor<6x8xf32>
  %r:3 = stablehlo.while(%i = %zero, %h = %c, %out = %ys) : tensor<i32>, tensor<8xf32>, tensor<6x8xf32>
  cond {
    %p = stablehlo.compare LT, %i, %six : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %row = stablehlo.dynamic_slice %x, %i, %zero, sizes = [1, 8] : (tensor<6x8xf32>, tensor<i32>, tensor<i32>) -> tensor<1x8xf32>
    %v = stablehlo.reshape %row : (tensor<1x8xf32>) -> tensor<8xf32>
    %0 = stablehlo.multiply %h, %half : tensor<8xf32>
    %1 = stablehlo.add %0, %v : tensor<8xf32>
    %2 = stablehlo.reshape %1 : (tensor<8xf32>) -> tensor<1x8xf32>
    %3 = stablehlo.dynamic_update_slice %out, %2, %i, %zero : (tensor<6x8xf32>, tensor<1x8xf32>, tensor<i32>, tensor<i32>) -> tensor<6x8xf32>
    %4 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %4, %1, %3 : tensor<i32>, tensor<8xf32>, tensor<6x8xf32>
  }
  return %r#1, %r#2 : tensor<8xf32>, tensor<6x8xf32>
}""",
        (normal(6, 8),),
        scan,
    ),
    Case(
        "swap",  # carried tensors change places
        """
func.func @main(%x: tensor<8xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %five = stablehlo.constant dense<5> : tensor<i32>
  %r:3 = stablehlo.while(%i = %zero, %a = %x, %b = %y) : tensor<i32>, tensor<8xf32>, tensor<8xf32>
  cond {
    %p = stablehlo.compare LT, %i, %five : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %0 = stablehlo.add %a, %b : tensor<8xf32>
    %1 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %1, %b, %0 : tensor<i32>, tensor<8xf32>, tensor<8xf32>
  }
  return %r#1, %r#2 : tensor<8xf32>, tensor<8xf32>
}""",
        (normal(8), normal(8, seed=1)),
        swap,
    ),
    Case(
        "double_until",  # the condition is read back in every iteration
        """
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %limit = stablehlo.constant dense<1000.0> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %r = stablehlo.while(%a = %x) : tensor<8xf32>
  cond {
    %s = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %p = stablehlo.compare LT, %s, %limit : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %0 = stablehlo.add %a, %a : tensor<8xf32>
    stablehlo.return %0 : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}""",
        (np.abs(normal(8)),),
        double_until,
    ),
    *(
        Case(
            f"branch_{value}",
            """
func.func @main(%p: tensor<i1>, %x: tensor<8xf32>) -> tensor<8xf32> {
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %x : tensor<8xf32>
  }, {
    %0 = stablehlo.add %x, %x : tensor<8xf32>
    stablehlo.return %0 : tensor<8xf32>
  }) : (tensor<i1>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}""",
            (np.array(value), normal(8)),
            lambda p, x: (x if p else x + x,),
        )
        for value in (True, False)
    ),
    Case(
        "sum_of_halves",  # the initial value is a scalar of a type that the host has no registers for
        """
func.func @main(%a: tensor<4x6xf16>) -> tensor<6xf16> {
  %init = stablehlo.constant dense<3.0> : tensor<f16>
  %0 = stablehlo.reduce(%a init: %init) applies stablehlo.add across dimensions = [0] : (tensor<4x6xf16>, tensor<f16>) -> tensor<6xf16>
  return %0 : tensor<6xf16>
}""",
        (np.arange(24, dtype=np.float16).reshape(4, 6),),
        lambda a: (a.sum(0) + np.float16(3),),
    ),
    Case(
        "one_window",  # it has one place and does not reach the last row
        """
func.func @main(%a: tensor<2x4x6xf32>) -> tensor<2x1x6xf32> {
  %init = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%a, %init) ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) {window_dimensions = array<i64: 1, 3, 1>, window_strides = array<i64: 1, 2, 1>} : (tensor<2x4x6xf32>, tensor<f32>) -> tensor<2x1x6xf32>
  return %0 : tensor<2x1x6xf32>
}""",
        (normal(2, 4, 6),),
        lambda a: (a[:, :3].sum(1, keepdims=True),),
    ),
    Case(
        "cropped_booleans",  # bytes that no vector gathers, in the tail of a row
        """
func.func @main(%a: tensor<2x3xi1>, %p: tensor<i1>) -> tensor<2x7xi1> {
  %0 = stablehlo.pad %a, %p, low = [0, -2], high = [0, -2], interior = [0, 4] : (tensor<2x3xi1>, tensor<i1>) -> tensor<2x7xi1>
  return %0 : tensor<2x7xi1>
}""",
        (np.array([[1, 0, 1], [0, 1, 1]], bool), np.array(True)),
        lambda a, p: (np.array([[1, 1, 1, 0, 1, 1, 1], [1] * 7], bool),),
    ),
    Case(
        "barriers",  # a scalar, a token, two branches and a loop, on tensors of which the shape comes with the call
        """
func.func @main(%x: tensor<?xf32>, %p: tensor<i1>) -> (tensor<?xf32>, tensor<i32>, tensor<2xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %n = stablehlo.constant dense<3> : tensor<i32>
  %w = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %token = stablehlo.create_token : !stablehlo.token
  %0 = stablehlo.add %x, %x : tensor<?xf32>
  %1:4 = stablehlo.optimization_barrier %0, %one, %token, %w : tensor<?xf32>, tensor<i32>, !stablehlo.token, tensor<2xf32>
  %r:2 = stablehlo.while(%i = %zero, %a = %1#0) : tensor<i32>, tensor<?xf32>
   cond {
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %d = stablehlo.optimization_barrier %c : tensor<i1>
    stablehlo.return %d : tensor<i1>
  } do {
    %b = "stablehlo.if"(%p) ({
      %2 = stablehlo.optimization_barrier %a : tensor<?xf32>
      %3 = stablehlo.add %2, %1#0 : tensor<?xf32>
      stablehlo.return %3 : tensor<?xf32>
    }, {
      %2 = stablehlo.negate %a : tensor<?xf32>
      %3 = stablehlo.optimization_barrier %2 : tensor<?xf32>
      stablehlo.return %3 : tensor<?xf32>
    }) : (tensor<i1>) -> tensor<?xf32>
    %4 = stablehlo.add %i, %1#1 : tensor<i32>
    %5:2 = stablehlo.optimization_barrier %4, %b : tensor<i32>, tensor<?xf32>
    stablehlo.return %5#0, %5#1 : tensor<i32>, tensor<?xf32>
  }
  return %r#1, %r#0, %1#3 : tensor<?xf32>, tensor<i32>, tensor<2xf32>
}""",
        (normal(8), np.array(True)),
        lambda x, p: (8 * x, np.int32(3), np.array([1, 2], np.float32)),
    ),
    Case(
        "barriers_around_updates",  # the update in place must not touch what the barrier lets through
        """
func.func @main(%x: tensor<8xf32>, %y: tensor<2xf32>, %i: tensor<i32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = stablehlo.negate %x : tensor<8xf32>
  %1 = stablehlo.optimization_barrier %0 : tensor<8xf32>
  %2 = stablehlo.dynamic_update_slice %1, %y, %i : (tensor<8xf32>, tensor<2xf32>, tensor<i32>) -> tensor<8xf32>
  %3 = stablehlo.add %0, %1 : tensor<8xf32>
  return %2, %3 : tensor<8xf32>, tensor<8xf32>
}""",
        (normal(8), normal(2), np.array(3, np.int32)),
        lambda x, y, i: (np.concatenate([-x[:3], y, -x[5:]]), -2 * x),
    ),
]
