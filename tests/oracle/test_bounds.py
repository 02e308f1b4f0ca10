# ruff: noqa: E501  (programs are quoted as people write them)
"""Bounded dimensions, get_dimension_size and set_dimension_size: as jaxlib infers them, and as NumPy has the elements."""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from jax._src.interpreters import mlir
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import func
from jaxlib.mlir.dialects import stablehlo as hlo
from oracle_harness import assert_close
from text_oracle import run_reference

from tesselle.compiler import compile
from tesselle.ir.bounds import infer_largest
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.runtime import load
from tesselle.support.diagnostics import ExecutionError, InvocationError, VerifyError

ARGUMENTS = {
    "a": "tensor<?x3xf32, #stablehlo.bounds<4, ?>>",
    "b": "tensor<?x3xf32, #stablehlo.bounds<5, ?>>",
    "o": "tensor<?x3xf32>",
    "s": "tensor<4x3xf32>",
    "n": "tensor<i32>",
    "z": "tensor<f32>",
    "w": "tensor<3x?xf32, #stablehlo.bounds<?, 7>>",
}

INFERRED: dict[str, Any] = {
    "add": lambda v: hlo.add(v["a"], v["b"]),
    "add-static": lambda v: hlo.add(v["s"], v["a"]),
    "negate": lambda v: hlo.negate(v["a"]),
    "compare": lambda v: hlo.compare(v["a"], v["b"], hlo.ComparisonDirectionAttr.get("LT")),
    "concatenate": lambda v: hlo.concatenate([v["a"], v["b"], v["s"]], 0),
    "concatenate-open": lambda v: hlo.concatenate([v["a"], v["o"]], 0),
    "transpose": lambda v: hlo.transpose(v["a"], [1, 0]),
    "pad": lambda v: hlo.pad(v["a"], v["z"], [1, 0], [2, 0], [1, 0]),
    "reverse": lambda v: hlo.reverse(v["a"], [0]),
    "set-of-static": lambda v: hlo.set_dimension_size(v["s"], v["n"], 0),
    "set-of-bounded": lambda v: hlo.set_dimension_size(v["a"], v["n"], 0),
    "set-of-open": lambda v: hlo.set_dimension_size(v["o"], v["n"], 0),
    "get": lambda v: hlo.get_dimension_size(v["a"], 0),
}


@pytest.mark.parametrize("name", INFERRED)
def test_bounds_are_inferred_as_jaxlib_does(name: str) -> None:
    with mlir.make_ir_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("f", ([ir.Type.parse(t) for t in ARGUMENTS.values()], []))
            function.add_entry_block()
            with ir.InsertionPoint(function.entry_block):
                INFERRED[name](dict(zip(ARGUMENTS, function.arguments, strict=True)))
                func.ReturnOp([])
        text = module.operation.get_asm()
    parsed = parse_module(text)
    verify(parsed)
    op = next(o for o in parsed.walk() if o.dialect == "stablehlo")
    have = op.results[0].type
    (want,) = op.infer() or ()
    (largest,) = infer_largest(op) or ()
    assert isinstance(have, TensorType) and isinstance(want, TensorType) and isinstance(largest, TensorType)
    assert want.shape == have.shape
    known = want.largest_shape if want.encoding is not None else largest.shape
    assert tuple(b for d, b in zip(have.shape, known, strict=True) if d is None) == tuple(
        b for d, b in zip(have.shape, have.bounds, strict=True) if d is None
    )
    assert str(have) in print_op(parsed)


BROKEN = {
    "number": ("%x: tensor<?xf32, #stablehlo.bounds<4, 5>>", "", "there are 2 bounds for 1 dimensions"),
    "known": ("%x: tensor<3xf32, #stablehlo.bounds<4>>", "", "dimension 0 of tensor<3xf32, #stablehlo.bounds<4>> is known and needs no bound"),
    "result": ("%x: tensor<?xf32, #stablehlo.bounds<4>>", '%0 = "stablehlo.abs"(%x) : (tensor<?xf32, #stablehlo.bounds<4>>) -> tensor<5xf32>', "must have type tensor<?xf32, #stablehlo.bounds<4>>, found tensor<5xf32>"),
    "sum": ("%x: tensor<?xf32, #stablehlo.bounds<4>>", '%0 = "stablehlo.concatenate"(%x, %x) <{dimension = 0 : i64}> : (tensor<?xf32, #stablehlo.bounds<4>>, tensor<?xf32, #stablehlo.bounds<4>>) -> tensor<9xf32>', "dimension 0 of result 0 is at most 8"),
    "operation": ("%x: tensor<?xf32>", '%0 = "stablehlo.abs"(%x) : (tensor<?xf32>) -> tensor<?xf32, #stablehlo.bounds<1, 2>>', "there are 2 bounds"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_bounds_that_make_no_sense(name: str) -> None:
    arguments, line, message = BROKEN[name]
    with pytest.raises(VerifyError, match=re.escape(message)):
        verify(parse_module(f"func.func @f({arguments}) {{\n  {line}\n  return\n}}"))


CUT = """func.func @main(%x: tensor<6xf32>, %n: tensor<i32>) -> (tensor<?xf32, #stablehlo.bounds<6>>, tensor<i32>, tensor<f32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<6xf32>, tensor<i32>) -> tensor<?xf32, #stablehlo.bounds<6>>
  %1 = stablehlo.add %0, %0 : tensor<?xf32, #stablehlo.bounds<6>>
  %2 = stablehlo.get_dimension_size %1, dim = 0 : (tensor<?xf32, #stablehlo.bounds<6>>) -> tensor<i32>
  %3 = stablehlo.reduce(%1 init: %z) applies stablehlo.add across dimensions = [0] : (tensor<?xf32, #stablehlo.bounds<6>>, tensor<f32>) -> tensor<f32>
  return %1, %2, %3 : tensor<?xf32, #stablehlo.bounds<6>>, tensor<i32>, tensor<f32>
}"""

RESIZED = """func.func @main(%x: tensor<?x2xf32, #stablehlo.bounds<6, ?>>, %n: tensor<i32>) -> tensor<?x2xf32, #stablehlo.bounds<6, ?>> {
  %0 = stablehlo.negate %x : tensor<?x2xf32, #stablehlo.bounds<6, ?>>
  %1 = stablehlo.set_dimension_size %0, %n, dim = 0 : (tensor<?x2xf32, #stablehlo.bounds<6, ?>>, tensor<i32>) -> tensor<?x2xf32, #stablehlo.bounds<6, ?>>
  return %1 : tensor<?x2xf32, #stablehlo.bounds<6, ?>>
}"""

REMOVED = """func.func @main(%x: tensor<?xf32, #stablehlo.bounds<6>>) -> tensor<6xf32> {
  %n = stablehlo.constant dense<6> : tensor<i32>
  %1 = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<?xf32, #stablehlo.bounds<6>>, tensor<i32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}"""


@cache
def main(text: str) -> Any:
    return load(compile(text))["main"]


def check(text: str, arguments: list[Any], wanted: list[Any]) -> None:
    assert_close(run_reference(text, *arguments), wanted, "the reference", 1e-6)
    found = main(text)(*arguments)
    assert_close(found if isinstance(found, tuple) else [found], wanted, "compiled", 1e-6)


def test_a_size_that_is_set() -> None:
    x = np.arange(6, dtype=np.float32)
    for n in range(7):  # there are no more
        y = 2 * x[:n]
        check(CUT, [x, np.int32(n)], [y, np.int32(n), y.sum(dtype=np.float32)])


def test_a_size_that_is_set_again() -> None:
    """To less: what is cut off is gone. To more, within the bound: zeros."""
    for size, n in itertools.product(range(7), range(7)):  # there are no more
        x = np.arange(1, 2 * size + 1, dtype=np.float32).reshape(size, 2)
        wanted = np.zeros((n, 2), np.float32)
        wanted[: min(size, n)] = -x[:n]
        check(RESIZED, [x, np.int32(n)], [wanted])
    check(REMOVED, [np.ones(2, np.float32)], [np.array([1, 1, 0, 0, 0, 0], np.float32)])


def test_sizes_beyond_a_bound() -> None:
    x = np.ones((7, 2), np.float32)
    with pytest.raises(InvocationError, match="argument 0 'x': dimension 0 is 7, but must be at most 6"):
        load(compile(RESIZED))["main"](x, np.int32(2))
    for n in (7, -1):
        with pytest.raises(ExecutionError, match=f"the size that dimension 0 is set to is {n}, but must be"):
            load(compile(RESIZED))["main"](x[:3], np.int32(n))
        with pytest.raises(ExecutionError, match=f"dimension 0 is set to {n}, but must be from 0 to 6"):
            run_reference(RESIZED, x[:3], np.int32(n))
