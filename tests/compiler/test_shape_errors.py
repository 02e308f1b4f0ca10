# ruff: noqa: E501  (programs are quoted as people write them)
"""Arguments whose sizes do not fit: the error names the argument, the dimension and what it must be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from jax import export
from jax import numpy as jnp

import tesselle
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.support.diagnostics import ExecutionError, InvocationError


def f(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def i(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int32)


@dataclass(frozen=True)
class Case:
    """A body of @main with arguments of these types; `fits` are accepted, `fails` are refused with `message`."""

    name: str
    arguments: str
    body: str
    result: str
    fits: tuple[Any, ...]
    fails: tuple[Any, ...]
    message: str

    @property
    def text(self) -> str:
        return f"func.func @main({self.arguments}) -> {self.result} {{\n{self.body}\n  return %r : {self.result}\n}}"


MASK = "argument 1 'mask': dimension 0 is 7, but must equal dimension 0 of argument 0 'x', which is 5"
CASES = [
    Case("add", "%x: tensor<?xf32>, %mask: tensor<?xf32>", "%r = stablehlo.add %x, %mask : tensor<?xf32>", "tensor<?xf32>", (f(5), f(5)), (f(5), f(7)), MASK),
    Case("add-other-order", "%x: tensor<?xf32>, %mask: tensor<?xf32>", "%r = stablehlo.add %mask, %x : tensor<?xf32>", "tensor<?xf32>", (f(5), f(5)), (f(5), f(7)), MASK),
    Case("select", "%x: tensor<?xf32>, %mask: tensor<?xi1>", "%r = stablehlo.select %mask, %x, %x : tensor<?xi1>, tensor<?xf32>", "tensor<?xf32>", (f(5), f(5) > 0), (f(5), f(7) > 0), MASK),
    Case("product", "%x: tensor<2x?xf32>, %w: tensor<?x3xf32>", "%r = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x?xf32>, tensor<?x3xf32>) -> tensor<2x3xf32>", "tensor<2x3xf32>", (f(2, 4), f(4, 3)), (f(2, 4), f(5, 3)), "argument 1 'w': dimension 0 is 5, but must equal dimension 1 of argument 0 'x', which is 4"),
    Case("concatenate", "%x: tensor<2x?xf32>, %y: tensor<3x?xf32>", "%r = stablehlo.concatenate %x, %y, dim = 0 : (tensor<2x?xf32>, tensor<3x?xf32>) -> tensor<5x?xf32>", "tensor<5x?xf32>", (f(2, 4), f(3, 4)), (f(2, 4), f(3, 6)), "argument 1 'y': dimension 1 is 6, but must equal dimension 1 of argument 0 'x', which is 4"),
    Case("known-result", "%x: tensor<?xf32>", "%n = stablehlo.negate %x : tensor<?xf32>\n%c = stablehlo.constant dense<4> : tensor<1xi32>\n%r = stablehlo.dynamic_reshape %n, %c : (tensor<?xf32>, tensor<1xi32>) -> tensor<4xf32>", "tensor<4xf32>", (f(4),), (f(5),), "argument 0 'x': dimension 0 is 5, but must be 4"),
    Case("reshape", "%x: tensor<?xf32>, %s: tensor<2xi32>", "%r = stablehlo.dynamic_reshape %x, %s : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x?xf32>", "tensor<?x?xf32>", (f(6), i(2, 3)), (f(6), i(2, 4)), "argument 0 'x': dimension 0 is 6, but must be 8"),
    Case("reshape-negative", "%x: tensor<?xf32>, %s: tensor<2xi32>", "%r = stablehlo.dynamic_reshape %x, %s : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x?xf32>", "tensor<?x?xf32>", (f(6), i(2, 3)), (f(6), i(-2, -3)), "is -2, but must be at least 0"),
    Case("indivisible", "%x: tensor<?xf32>", "%r = stablehlo.reshape %x : (tensor<?xf32>) -> tensor<?x4xf32>", "tensor<?x4xf32>", (f(8),), (f(7),), "argument 0 'x': dimension 0 is 7, but must be a multiple of 4"),
    Case("indivisible-product", "%x: tensor<?x6xf32>", "%r = stablehlo.reshape %x : (tensor<?x6xf32>) -> tensor<?x4xf32>", "tensor<?x4xf32>", (f(4, 6),), (f(5, 6),), "argument 0 'x': dimension 0 is 5, but must be a multiple of 2"),
    Case("broadcast", "%x: tensor<?xf32>, %s: tensor<2xi32>", "%r = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [1] : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x?xf32>", "tensor<?x?xf32>", (f(1), i(2, 5)), (f(3), i(2, 5)), "argument 0 'x': dimension 0 is 3, but must be 1 or 5"),
    Case("iota-negative", "%s: tensor<1xi32>", "%r = stablehlo.dynamic_iota %s, dim = 0 : (tensor<1xi32>) -> tensor<?xf32>", "tensor<?xf32>", (i(3),), (i(-1),), "a dimension is -1, but must be at least 0"),
    Case("slice-of-less", "%x: tensor<?xf32>, %k: tensor<i32>", "%r = stablehlo.dynamic_slice %x, %k, sizes = [4] : (tensor<?xf32>, tensor<i32>) -> tensor<4xf32>", "tensor<4xf32>", (f(4), i(1)[0]), (f(3), i(1)[0]), "argument 0 'x': dimension 0 is 3, but must be at least 4"),
    Case("update-of-more", "%x: tensor<?xf32>, %u: tensor<?xf32>, %k: tensor<i32>", "%r = stablehlo.dynamic_update_slice %x, %u, %k : (tensor<?xf32>, tensor<?xf32>, tensor<i32>) -> tensor<?xf32>", "tensor<?xf32>", (f(4), f(4), i(1)[0]), (f(4), f(6), i(1)[0]), "argument 1 'u': dimension 0 is 6, but must be at most dimension 0 of argument 0 'x', which is 4"),
    Case("real-slice-limit", "%x: tensor<?xf32>, %l: tensor<1xi32>", "%o = stablehlo.constant dense<1> : tensor<1xi32>\n%r = stablehlo.real_dynamic_slice %x, %o, %l, %o : (tensor<?xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>", "tensor<?xf32>", (f(4), i(4)), (f(4), i(5)), "argument 0 'x': dimension 0 is 4, but must be at least 5"),
    Case("real-slice-backwards", "%x: tensor<?xf32>, %l: tensor<1xi32>", "%o = stablehlo.constant dense<2> : tensor<1xi32>\n%r = stablehlo.real_dynamic_slice %x, %o, %l, %o : (tensor<?xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>", "tensor<?xf32>", (f(4), i(3)), (f(4), i(1)), "limit index 0 of real_dynamic_slice is 1, but must be at least 2"),
    Case("set-size", "%x: tensor<4xf32>, %n: tensor<i32>", "%r = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<4xf32>, tensor<i32>) -> tensor<?xf32>", "tensor<?xf32>", (f(4), i(4)[0]), (f(4), i(5)[0]), "the size that dimension 0 is set to is 5, but must be at most 4"),
    Case("set-size-negative", "%x: tensor<4xf32>, %n: tensor<i32>", "%r = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<4xf32>, tensor<i32>) -> tensor<?xf32>", "tensor<?xf32>", (f(4), i(0)[0]), (f(4), i(-1)[0]), "the size that dimension 0 is set to is -1, but must be at least 0"),
    Case("crop", "%x: tensor<?xf32>", "%z = stablehlo.constant dense<0.0> : tensor<f32>\n%r = stablehlo.pad %x, %z, low = [-2], high = [-1], interior = [0] : (tensor<?xf32>, tensor<f32>) -> tensor<?xf32>", "tensor<?xf32>", (f(3),), (f(2),), "argument 0 'x': dimension 0 is 2, but must be at least 3"),
    Case("gather-of-less", "%x: tensor<?x3xf32>, %k: tensor<2xi32>", '%r = "stablehlo.gather"(%x, %k) <{dimension_numbers = #stablehlo.gather<offset_dims = [1, 2], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 4, 3>}> : (tensor<?x3xf32>, tensor<2xi32>) -> tensor<2x4x3xf32>', "tensor<2x4x3xf32>", (f(5, 3), i(0, 1)), (f(3, 3), i(0, 1)), "argument 0 'x': dimension 0 is 3, but must be at least 4"),
    Case("gather-of-nothing", "%x: tensor<?x3xf32>, %k: tensor<?xi32>", '%r = "stablehlo.gather"(%x, %k) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>}> : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<?x3xf32>', "tensor<?x3xf32>", (f(0, 3), i()), (f(0, 3), i(0)), "argument 0 'x': dimension 0 is 0, but must be at least 1"),
    Case("scatter", "%x: tensor<?xf32>, %k: tensor<?x1xi32>, %u: tensor<?xf32>", '%r = "stablehlo.scatter"(%x, %k, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({\n^bb0(%a: tensor<f32>, %b: tensor<f32>):\n  stablehlo.return %b : tensor<f32>\n}) : (tensor<?xf32>, tensor<?x1xi32>, tensor<?xf32>) -> tensor<?xf32>', "tensor<?xf32>", (f(5), i(1, 2).reshape(2, 1), f(2)), (f(5), i(1, 2).reshape(2, 1), f(3)), "argument 2 'u': dimension 0 is 3, but must equal dimension 0 of argument 1 'k', which is 2"),
    Case("features", "%x: tensor<1x4x?xf32>, %w: tensor<2x3x5xf32>", "%r = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x4x?xf32>, tensor<2x3x5xf32>) -> tensor<1x3x5xf32>", "tensor<1x3x5xf32>", (f(1, 4, 3), f(2, 3, 5)), (f(1, 4, 2), f(2, 3, 5)), "argument 0 'x': dimension 2 is 2, but must be 3"),
    Case("in-a-loop", "%x: tensor<?xf32>, %mask: tensor<?xf32>", """%zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %n = stablehlo.constant dense<3> : tensor<i32>
  %q:2 = stablehlo.while(%k = %zero, %a = %x) : tensor<i32>, tensor<?xf32> cond {
    %c = stablehlo.compare LT, %k, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %j = stablehlo.add %k, %one : tensor<i32>
    %b = stablehlo.multiply %a, %mask : tensor<?xf32>
    stablehlo.return %j, %b : tensor<i32>, tensor<?xf32>
  }
  %r = stablehlo.negate %q#1 : tensor<?xf32>""", "tensor<?xf32>", (f(5), f(5)), (f(5), f(7)), MASK),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_sizes_that_do_not_fit(case: Case) -> None:
    function = tesselle.load(tesselle.compile(case.text))["main"]
    function(*case.fits)
    with pytest.raises((InvocationError, ExecutionError), match=re.escape(case.message)):
        function(*case.fails)
    function(*case.fits)  # what failed has left nothing behind


def test_errors_about_arguments_are_invocation_errors_with_a_place() -> None:
    case = CASES[0]
    with pytest.raises(InvocationError, match=re.escape(f"function 'main': {MASK} (adder.mlir:2:1)")):
        tesselle.load(tesselle.compile(parse(case.text, "adder.mlir")))["main"](*case.fails)


def parse(text: str, name: str) -> Any:
    return parse_module(text, name)


# ---------------------------------------------------------------------------------------------- JAX's constraints


def program(constraints: tuple[str, ...] = ()) -> Any:
    def attend(x: Any, mask: Any, w: Any) -> Any:
        return jnp.where(mask, x, 0) @ w

    scope = export.SymbolicScope(constraints)
    shapes = [export.symbolic_shape(s, scope=scope) for s in ("b, c", "b, 1", "c, 2*b + 1")]
    dtypes = (np.float32, np.bool_, np.float32)
    specs = [jax.ShapeDtypeStruct(s, d) for s, d in zip(shapes, dtypes, strict=True)]
    return export.export(jax.jit(attend))(*specs)


def arguments(
    b: int, c: int, mask: int | None = None, rows: int | None = None, columns: int | None = None
) -> list[Any]:
    return [
        f(b, c),
        f(b if mask is None else mask, 1) > 0,
        f(c if rows is None else rows, 2 * b + 1 if columns is None else columns),
    ]


JAX_CASES = {
    "same-symbol": ((), arguments(5, 3, mask=7), "argument 1 'mask': dimension 0 is 7, but must equal dimension 0 of argument 0 'x', which is 5"),
    "other-position": ((), arguments(5, 3, rows=4), "argument 2 'w': dimension 0 is 4, but must equal dimension 1 of argument 0 'x', which is 3"),
    "expression": ((), arguments(5, 3, columns=12), "argument 2 'w': dimension 1 is 12, but must equal 2 * n + 1, which is 11, where n is dimension 0 of argument 0 'x', which is 5"),
    "positive": ((), arguments(0, 3), "argument 0 'x': dimension 0 is 0, but must be at least 1"),
    "minimum": (("b >= 3",), arguments(2, 3), "argument 0 'x': dimension 0 is 2, but must be at least 3"),
    "maximum": (("c <= 8",), arguments(2, 9), "argument 0 'x': dimension 1 is 9, but must be at most 8"),
    "multiple": (("mod(c, 4) == 0",), arguments(2, 6), "argument 0 'x': dimension 1 is 6, but must be a multiple of 4"),
    "of-two": (("b <= c",), arguments(5, 3), "Expected 'c - b' to be greater or equal to 0, but found -2"),
}  # fmt: skip


@pytest.mark.parametrize("name", JAX_CASES)
def test_constraints_of_jax(name: str) -> None:
    constraints, wrong, message = JAX_CASES[name]
    exported = program(constraints)
    function = tesselle.load(tesselle.compile(exported))["main"]
    good = arguments(3, 4)
    np.testing.assert_allclose(function(*good), good[0] @ good[2], rtol=1e-6)
    with pytest.raises(InvocationError, match=re.escape(message)) as raised:
        function(*wrong)
    assert "Input shapes do not match" in str(raised.value)
    with pytest.raises(InvocationError, match="Input shapes do not match") as reference:
        interpret(parse_module(exported.mlir_module()), "main", wrong)
    assert str(reference.value).split("Input shapes")[1] in str(raised.value)
