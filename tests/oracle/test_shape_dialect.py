# ruff: noqa: E501  (programs are quoted as producers write them)
"""Arithmetic on shapes around StableHLO, as TensorFlow and torch-mlir write it: compiled, by the reference, by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from oracle_harness import assert_close
from random_sizes import combinations
from text_oracle import run_reference

from tesselle.compiler import compile
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.runtime import load
from tesselle.support.diagnostics import ExecutionError, InvocationError, Unsupported

Array = np.ndarray[Any, Any]


def f(*shape: int) -> Array:
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)


ADD = """func.func @main(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = shape.shape_of %x : tensor<?x4xf32> -> tensor<2xindex>
  %1 = shape.shape_of %y : tensor<?x4xf32> -> tensor<2xindex>
  %2 = shape.cstr_broadcastable %0, %1 : tensor<2xindex>, tensor<2xindex>
  %3 = shape.assuming %2 -> (tensor<?x4xf32>) {
    %4 = shape.broadcast %0, %1 : tensor<2xindex>, tensor<2xindex> -> tensor<2xindex>
    %5 = stablehlo.dynamic_broadcast_in_dim %x, %4, dims = [0, 1] : (tensor<?x4xf32>, tensor<2xindex>) -> tensor<?x4xf32>
    %6 = stablehlo.dynamic_broadcast_in_dim %y, %4, dims = [0, 1] : (tensor<?x4xf32>, tensor<2xindex>) -> tensor<?x4xf32>
    %7 = stablehlo.add %5, %6 : tensor<?x4xf32>
    shape.assuming_yield %7 : tensor<?x4xf32>
  }
  return %3 : tensor<?x4xf32>
}"""


@pytest.mark.parametrize(("a", "b"), [(3, 3), (1, 3), (3, 1), (0, 1), (1, 1)])
def test_broadcasts_as_tensorflow_writes_them(a: int, b: int) -> None:
    x, y = f(a, 4), f(b, 4) + 1
    function = load(compile(ADD))["main"]
    assert_close(run_reference(ADD, x, y), [x + y], "the reference")
    assert_close([function(x, y)], [x + y], "compiled")


def test_two_hundred_broadcasts() -> None:
    function = load(compile(ADD))["main"]
    for v in combinations("ab", legal=lambda v: v["a"] == v["b"] or 1 in v.values()):
        x, y = f(v["a"], 4), f(v["b"], 4) + 1
        assert_close([function(x, y)], [x + y], str(v))


def test_shapes_that_do_not_broadcast() -> None:
    message = "argument 1 'y': dimension 0 is 2, but must be 1 or equal dimension 0 of argument 0 'x', which is 3"
    with pytest.raises(InvocationError, match=message):
        load(compile(ADD))["main"](f(3, 4), f(2, 4))
    with pytest.raises(ExecutionError, match=re.escape("the shapes [3, 4], [2, 4] do not broadcast to one")):
        run_reference(ADD, f(3, 4), f(2, 4))


@dataclass(frozen=True)
class Case:
    """Lines that make %r : tensor<1xindex> (or tensor<Nxindex>) from %x : tensor<?x?x4xf32> and its %s : extents."""

    lines: str
    expected: list[int]

    @property
    def text(self) -> str:
        count = len(self.expected)
        t = f"tensor<{count}xi32>"
        return f"""func.func @main(%x: tensor<?x?x4xf32>) -> {t} {{
  %s = shape.shape_of %x : tensor<?x?x4xf32> -> tensor<3xindex>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %m1 = arith.constant -1 : index
  {self.lines}
  %v = arith.index_cast %r : tensor<{count}xindex> to {t}
  return %v : {t}
}}"""


ONE = "%r = tensor.from_elements %n : tensor<1xindex>"
EXTENTS = "%r = shape.to_extent_tensor %h : !shape.shape -> tensor<{}xindex>"
X = f(5, 7, 4)
CASES = {
    "shape_of": Case("%r = tensor.cast %s : tensor<3xindex> to tensor<3xindex>", [5, 7, 4]),
    "shape_of-shape": Case(f"%h = shape.shape_of %x : tensor<?x?x4xf32> -> !shape.shape\n{EXTENTS.format(3)}", [5, 7, 4]),
    "const_shape": Case("%r = shape.const_shape [3, 0] : tensor<2xindex>", [3, 0]),
    "const_shape-shape": Case(f"%h = shape.const_shape [] : !shape.shape\n{EXTENTS.format(0)}", []),
    "from_extents": Case(f"%d = tensor.dim %x, %c1 : tensor<?x?x4xf32>\n%h = shape.from_extents %d, %c2 : index, index\n{EXTENTS.format(2)}", [7, 2]),
    "from_extent_tensor": Case(f"%h = shape.from_extent_tensor %s : tensor<3xindex>\n{EXTENTS.format(3)}", [5, 7, 4]),
    "broadcast": Case("%b = shape.const_shape [2, 1, 7, 1] : tensor<4xindex>\n%r = shape.broadcast %s, %b : tensor<3xindex>, tensor<4xindex> -> tensor<4xindex>", [2, 5, 7, 4]),
    "concat": Case(f"%h = shape.concat %s, %s : tensor<3xindex>, tensor<3xindex> -> !shape.shape\n{EXTENTS.format(6)}", [5, 7, 4] * 2),
    "split_at": Case(f'%h, %t = "shape.split_at"(%s, %c1) : (tensor<3xindex>, index) -> (!shape.shape, !shape.shape)\n{EXTENTS.format(1)}', [5]),
    "split_at-end": Case(f'%t, %h = "shape.split_at"(%s, %m1) : (tensor<3xindex>, index) -> (!shape.shape, !shape.shape)\n{EXTENTS.format(1)}', [4]),
    "any": Case("%r = shape.any %s, %s : tensor<3xindex>, tensor<3xindex> -> tensor<3xindex>", [5, 7, 4]),
    "get_extent": Case(f"%n = shape.get_extent %s, %c1 : tensor<3xindex>, index -> index\n{ONE}", [7]),
    "get_extent-size": Case(f"%k = shape.const_size 2\n%z = shape.get_extent %s, %k : tensor<3xindex>, !shape.size -> !shape.size\n%n = shape.size_to_index %z : !shape.size\n{ONE}", [4]),
    "dim": Case(f"%n = shape.dim %x, %c0 : tensor<?x?x4xf32>, index -> index\n{ONE}", [5]),
    "rank": Case(f"%n = shape.rank %s : tensor<3xindex> -> index\n{ONE}", [3]),
    "num_elements": Case(f"%n = shape.num_elements %s : tensor<3xindex> -> index\n{ONE}", [140]),
    "size-arithmetic": Case(f"%a = tensor.dim %x, %c0 : tensor<?x?x4xf32>\n%z = shape.index_to_size %a\n%k = shape.const_size 3\n%p = shape.add %z, %k : !shape.size, !shape.size -> !shape.size\n%q = shape.mul %p, %p : !shape.size, !shape.size -> !shape.size\n%u = shape.div %q, %k : !shape.size, !shape.size -> !shape.size\n%w = shape.max %u, %k : !shape.size, !shape.size -> !shape.size\n%y = shape.min %w, %q : !shape.size, !shape.size -> !shape.size\n%n = shape.size_to_index %y : !shape.size\n{ONE}", [21]),
    "reduce": Case(f"%n = shape.reduce(%s, %c1) : tensor<3xindex> -> index {{\n^bb0(%i: index, %e: index, %a: index):\n  %p = arith.muli %e, %a : index\n  %q = arith.addi %p, %i : index\n  shape.yield %q : index\n}}\n{ONE}", [((5 * 1 + 0) * 7 + 1) * 4 + 2]),
    "shape_eq": Case(f"%b = shape.const_shape [5, 7, 4] : tensor<3xindex>\n%e = shape.shape_eq %s, %b : tensor<3xindex>, tensor<3xindex>\n%n = arith.select %e, %c2, %c1 : index\n{ONE}", [2]),
    "shape_eq-ranks": Case(f"%b = shape.const_shape [5, 7] : tensor<2xindex>\n%e = shape.shape_eq %s, %b : tensor<3xindex>, tensor<2xindex>\n%n = arith.select %e, %c2, %c1 : index\n{ONE}", [1]),
    "is_broadcastable": Case(f"%b = shape.const_shape [7, 1] : tensor<2xindex>\n%e = shape.is_broadcastable %s, %b : tensor<3xindex>, tensor<2xindex>\n%n = arith.select %e, %c2, %c1 : index\n{ONE}", [2]),
    "is_not_broadcastable": Case(f"%b = shape.const_shape [6, 1] : tensor<2xindex>\n%e = shape.is_broadcastable %s, %b : tensor<3xindex>, tensor<2xindex>\n%n = arith.select %e, %c2, %c1 : index\n{ONE}", [1]),
    "witnesses": Case("%b = shape.const_shape [5, 7, 4] : tensor<3xindex>\n%p = shape.cstr_eq %s, %b : tensor<3xindex>, tensor<3xindex>\n%q = shape.const_witness true\n%t = arith.cmpi slt, %c0, %c1 : index\n%u = shape.cstr_require %t, \"never said\"\n%w = shape.assuming_all %p, %q, %u\n%r = shape.assuming %w -> (tensor<3xindex>) {\n  shape.assuming_yield %s : tensor<3xindex>\n}", [5, 7, 4]),
    "extract": Case(f"%n = tensor.extract %s[%c1] : tensor<3xindex>\n{ONE}", [7]),
    "generate": Case("%r = tensor.generate {\n^bb0(%i: index):\n  %d = tensor.extract %s[%c0] : tensor<3xindex>\n  %p = arith.addi %d, %i : index\n  tensor.yield %p : index\n} : tensor<2xindex>", [5, 6]),
    "arith-on-vectors": Case("%b = arith.constant dense<[1, 2, 3]> : tensor<3xindex>\n%p = arith.muli %s, %b : tensor<3xindex>\n%q = arith.cmpi sgt, %p, %b : tensor<3xindex>\n%r = arith.select %q, %p, %b : tensor<3xi1>, tensor<3xindex>", [5, 14, 12]),
    "assert": Case(f"%d = tensor.dim %x, %c0 : tensor<?x?x4xf32>\n%t = arith.cmpi sgt, %d, %c0 : index\ncf.assert %t, \"no rows\"\n%n = arith.addi %d, %c1 : index\n{ONE}", [6]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_arithmetic_on_shapes(name: str) -> None:
    case = CASES[name]
    wanted = [np.array(case.expected, np.int32)]
    assert_close(run_reference(case.text, X), wanted, "the reference")
    function, module = load(compile(case.text))["main"], parse_module(case.text)
    assert_close([function(X)], wanted, "compiled")
    # What does not broadcast has no shape that shape.broadcast says anything about.
    for v in combinations("ab", legal=lambda v: name != "broadcast" or v["b"] in (1, 7)):
        x = np.zeros((v["a"], v["b"], 4), np.float32)
        try:
            wanted = interpret(module, "main", [x])
        except ExecutionError:  # a constraint on x does not hold: then neither does it in what is compiled
            with pytest.raises((ExecutionError, InvocationError)):
                function(x)
        else:
            assert_close([function(x)], wanted, str(v))


FAILS = {
    "cstr_eq": ("%b = shape.const_shape [5, 8, 4] : tensor<3xindex>\n%p = shape.cstr_eq %s, %b : tensor<3xindex>, tensor<3xindex>", "argument 0 'x': dimension 1 is 7, but must be 8"),
    "cstr_eq-ranks": ("%b = shape.const_shape [5, 8] : tensor<2xindex>\n%p = shape.cstr_eq %s, %b : tensor<3xindex>, tensor<2xindex>", "shapes of different ranks"),
    "cstr_broadcastable": ("%b = shape.const_shape [8, 4] : tensor<2xindex>\n%p = shape.cstr_broadcastable %s, %b : tensor<3xindex>, tensor<2xindex>", "argument 0 'x': dimension 1 is 7, but must be 1 or 8"),
    "cstr_require": ('%t = arith.cmpi sgt, %c0, %c1 : index\n%p = shape.cstr_require %t, "not so"', "not so"),
    "const_witness": ("%p = shape.const_witness false", "a constraint that never holds"),
    "assert": ('%t = arith.cmpi sgt, %c0, %c1 : index\ncf.assert %t, "no rows"', "no rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILS)
def test_constraints_that_do_not_hold(name: str) -> None:
    lines, message = FAILS[name]
    text = Case(f"{lines}\n%r = tensor.cast %s : tensor<3xindex> to tensor<3xindex>", [5, 7, 4]).text
    with pytest.raises((ExecutionError, InvocationError), match=re.escape(message)):
        load(compile(text))["main"](X)
    with pytest.raises(ExecutionError):
        run_reference(text, X)


UNSUPPORTED = {
    "rank": ("%h = shape.broadcast %s, %s : tensor<3xindex>, tensor<3xindex> -> !shape.shape\n%r = shape.to_extent_tensor %h : !shape.shape -> tensor<2xindex>", "3 extents become tensor<2xindex>"),
    "extent": (f"%k = arith.constant 3 : index\n%n = shape.get_extent %s, %k : tensor<3xindex>, index -> index\n{ONE.replace('1xindex', '1xindex')}", "there is no dimension 3 among 3"),
    "computed-dim": (f"%k = tensor.dim %x, %c0 : tensor<?x?x4xf32>\n%n = shape.get_extent %s, %k : tensor<3xindex>, index -> index\n{ONE}", "a dimension that is computed"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    lines, message = UNSUPPORTED[name]
    with pytest.raises(Unsupported, match=re.escape(message)):
        compile(Case(lines, [0] * (2 if name == "rank" else 1)).text)


def test_a_generated_tensor_of_any_size() -> None:
    text = """func.func @main(%x: tensor<?xf32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %r = tensor.generate %n {
  ^bb0(%i: index, %j: index):
    %v = tensor.extract %x[%i] : tensor<?xf32>
    %k = arith.index_cast %j : index to i32
    %g = arith.sitofp %k : i32 to f32
    %s = arith.addf %v, %g : f32
    tensor.yield %s : f32
  } : tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}"""
    function = load(compile(text))["main"]
    for n in (0, 1, 5):
        x = f(n) * 2
        wanted = [x[:, None] + np.arange(3, dtype=np.float32)]
        assert_close(run_reference(text, x), wanted, "the reference")
        assert_close([function(x)], wanted, "compiled")
    for v in combinations("n"):
        x = f(v["n"]) * 2
        assert_close([function(x)], [x[:, None] + np.arange(3, dtype=np.float32)], str(v))
