# ruff: noqa: E501  (operations are quoted as producers write them)
"""The shape dialect: a broken case for every rule, and text that comes back as it was."""

from __future__ import annotations

import inspect
import re

import pytest

from tesselle.dialects.core import cf, shape
from tesselle.ir.core import Op
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify, verify_all
from tesselle.support.diagnostics import ParseError, Unsupported, VerifyError

ARGUMENTS = "%x: tensor<?x4xf32>, %s: tensor<2xindex>, %h: !shape.shape, %z: !shape.size, %w: !shape.witness, %i: index, %p: i1, %f: f32, %v: tensor<2xi32>"

BROKEN = [
    ("shape_of.tensor", '%0 = "shape.shape_of"(%f) : (f32) -> tensor<2xindex>'),
    ("shape_of.shape", '%0 = "shape.shape_of"(%x) : (tensor<?x4xf32>) -> tensor<2xi32>'),
    ("shape_of.extents", '%0 = "shape.shape_of"(%x) : (tensor<?x4xf32>) -> tensor<3xindex>'),
    ("const_shape.shape", "%0 = shape.const_shape [1] : tensor<1xi32>"),
    ("const_shape.extents", "%0 = shape.const_shape [1, 2] : tensor<1xindex>"),
    ("const_shape.negative", "%0 = shape.const_shape [-1] : tensor<1xindex>"),
    ("from_extents.size", '%0 = "shape.from_extents"(%f) : (f32) -> !shape.shape'),
    ("from_extent_tensor.shape", '%0 = "shape.from_extent_tensor"(%v) : (tensor<2xi32>) -> !shape.shape'),
    ("to_extent_tensor.shape", '%0 = "shape.to_extent_tensor"(%v) : (tensor<2xi32>) -> tensor<2xindex>'),
    ("to_extent_tensor.extents", '%0 = "shape.to_extent_tensor"(%h) : (!shape.shape) -> tensor<2xi32>'),
    ("broadcast.shape", '%0 = "shape.broadcast"(%s, %v) : (tensor<2xindex>, tensor<2xi32>) -> tensor<2xindex>'),
    ("concat.shape", '%0 = "shape.concat"(%s, %v) : (tensor<2xindex>, tensor<2xi32>) -> !shape.shape'),
    ("split_at.shape", '%0:2 = "shape.split_at"(%v, %i) : (tensor<2xi32>, index) -> (!shape.shape, !shape.shape)'),
    ("split_at.size", '%0:2 = "shape.split_at"(%s, %f) : (tensor<2xindex>, f32) -> (!shape.shape, !shape.shape)'),
    ("split_at.results", '%0 = "shape.split_at"(%s, %i) : (tensor<2xindex>, index) -> !shape.shape'),
    ("any.operands", '%0 = "shape.any"() : () -> !shape.shape'),
    ("any.shape", '%0 = "shape.any"(%v) : (tensor<2xi32>) -> !shape.shape'),
    ("get_extent.shape", '%0 = "shape.get_extent"(%v, %i) : (tensor<2xi32>, index) -> index'),
    ("get_extent.size", '%0 = "shape.get_extent"(%s, %f) : (tensor<2xindex>, f32) -> index'),
    ("dim.tensor", '%0 = "shape.dim"(%f, %i) : (f32, index) -> index'),
    ("dim.size", '%0 = "shape.dim"(%x, %i) : (tensor<?x4xf32>, index) -> f32'),
    ("rank.shape", '%0 = "shape.rank"(%v) : (tensor<2xi32>) -> index'),
    ("rank.size", '%0 = "shape.rank"(%s) : (tensor<2xindex>) -> i32'),
    ("num_elements.shape", '%0 = "shape.num_elements"(%v) : (tensor<2xi32>) -> index'),
    ("num_elements.size", '%0 = "shape.num_elements"(%s) : (tensor<2xindex>) -> i32'),
    *((f"{name}.size", f'%0 = "shape.{name}"(%z, %f) : (!shape.size, f32) -> !shape.size') for name in ("add", "mul", "div", "max", "min")),
    ("index_to_size.size", '%0 = "shape.index_to_size"(%f) : (f32) -> !shape.size'),
    ("size_to_index.size", '%0 = "shape.size_to_index"(%f) : (f32) -> index'),
    ("reduce.shape", "%0 = shape.reduce(%v, %i) : tensor<2xi32> -> index {\n^bb0(%a: index, %b: index, %c: index):\n  shape.yield %c : index\n}"),
    ("reduce.body", "%0 = shape.reduce(%s, %i) : tensor<2xindex> -> index {\n^bb0(%a: index, %b: index):\n  shape.yield %b : index\n}"),
    *((f"{name}.operands", f'%0 = "shape.{name}"(%s) : (tensor<2xindex>) -> {t}') for name, t in (("shape_eq", "i1"), ("is_broadcastable", "i1"), ("cstr_eq", "!shape.witness"), ("cstr_broadcastable", "!shape.witness"))),
    *((f"{name}.shape", f'%0 = "shape.{name}"(%s, %v) : (tensor<2xindex>, tensor<2xi32>) -> {t}') for name, t in (("shape_eq", "i1"), ("is_broadcastable", "i1"), ("cstr_eq", "!shape.witness"), ("cstr_broadcastable", "!shape.witness"))),
    ("cstr_require.pred", '%0 = "shape.cstr_require"(%i) {msg = "x"} : (index) -> !shape.witness'),
    ("assuming_all.witness", '%0 = "shape.assuming_all"(%p) : (i1) -> !shape.witness'),
    ("assuming.witness", '%0 = "shape.assuming"(%p) ({\n  shape.assuming_yield %i : index\n}) : (i1) -> index'),
    ("assuming.body", '%0 = "shape.assuming"(%w) ({\n  shape.assuming_yield %p : i1\n}) : (!shape.witness) -> index'),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "line"), BROKEN, ids=[rule for rule, _ in BROKEN])
def test_rules(rule: str, line: str) -> None:
    module = parse_module(f"func.func @f({ARGUMENTS}) {{\n  {line}\n  return\n}}")
    with pytest.raises(VerifyError) as error:
        verify(module)
    assert error.value.diagnostics[0].rule == f"shape.{rule}"


def test_every_rule_has_a_broken_case() -> None:
    covered = {rule for rule, _ in BROKEN}
    helpers = {"require_shape": "shape", "require_size": "size", "_check_shapes": ("operands", "shape")}
    for cls in vars(shape).values():
        if not (
            inspect.isclass(cls) and issubclass(cls, Op) and cls.__module__ == shape.__name__ and "NAME" in vars(cls)
        ):
            continue
        sources = "".join(inspect.getsource(c) for c in cls.__mro__ if c.__module__ == shape.__name__)
        labels = set(re.findall(r'self\.require\([^"]*"(\w+)"', sources))
        for helper, given in helpers.items():
            if helper in sources:
                labels |= {given} if isinstance(given, str) else set(given)
        name = cls.NAME.removeprefix("shape.")
        assert {f"{name}.{label}" for label in labels} <= covered, f"{name}: {labels}"


TEXT = """module {
  func.func @f(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %c: i1) -> (tensor<?x4xf32>, index) {
    %0 = shape.shape_of %x : tensor<?x4xf32> -> tensor<2xindex>
    %1 = shape.const_shape [1, 4] : tensor<2xindex>
    %2 = shape.const_size 3
    %3 = arith.constant 1 : index
    %4 = shape.from_extents %3, %2 : index, !shape.size
    %5 = shape.from_extent_tensor %0 : tensor<2xindex>
    %6 = shape.to_extent_tensor %5 : !shape.shape -> tensor<2xindex>
    %7 = shape.broadcast %0, %1, %4 : tensor<2xindex>, tensor<2xindex>, !shape.shape -> !shape.shape
    %8 = shape.concat %0, %7 : tensor<2xindex>, !shape.shape -> !shape.shape
    %9:2 = "shape.split_at"(%8, %3) : (!shape.shape, index) -> (!shape.shape, !shape.shape)
    %10 = shape.any %0, %1 : tensor<2xindex>, tensor<2xindex> -> tensor<2xindex>
    %11 = shape.get_extent %0, %3 : tensor<2xindex>, index -> index
    %12 = shape.dim %x, %3 : tensor<?x4xf32>, index -> index
    %13 = shape.rank %0 : tensor<2xindex> -> index
    %14 = shape.num_elements %0 : tensor<2xindex> -> index
    %15 = shape.add %2, %11 : !shape.size, index -> !shape.size
    %16 = shape.index_to_size %11
    %17 = shape.size_to_index %16 : !shape.size
    %18 = shape.shape_eq %0, %1 : tensor<2xindex>, tensor<2xindex>
    %19 = shape.is_broadcastable %0, %1 : tensor<2xindex>, tensor<2xindex>
    %20 = shape.cstr_eq %0, %1 : tensor<2xindex>, tensor<2xindex>
    %21 = shape.cstr_broadcastable %0, %1 : tensor<2xindex>, tensor<2xindex>
    %22 = shape.cstr_require %c, "a \\22quote\\22"
    %23 = shape.const_witness true
    %24 = shape.assuming_all %20, %21, %22, %23
    %25 = shape.assuming %24 -> (tensor<?x4xf32>) {
      shape.assuming_yield %x : tensor<?x4xf32>
    }
    %26 = shape.reduce(%0, %3) : tensor<2xindex> -> index {
    ^bb0(%arg0: index, %arg1: index, %arg2: index):
      shape.yield %arg1 : index
    }
    cf.assert %c, "no rows"
    %27 = tensor.dim %x, 0 : tensor<?x4xf32>
    return %25, %26 : tensor<?x4xf32>, index
  }
}"""


def test_text_comes_back() -> None:
    module = parse_module(TEXT)
    verify_all(module)
    assert print_op(module).strip() == TEXT.strip()
    generic = print_op(module, generic=True)
    again = parse_module(generic)
    verify_all(again)
    assert print_op(again).strip() == TEXT.strip()


def test_a_region_without_results_has_no_terminator_in_text() -> None:
    text = "func.func @f(%w: !shape.witness) {\n  shape.assuming %w {\n  }\n  return\n}"
    verify_all(parse_module(text))


def test_mlirs_form_of_tensor_dim() -> None:
    for line in (
        "%d = tensor.dim %x, %c : tensor<?x4xf32>",
        '%d = "tensor.dim"(%x, %c) : (tensor<?x4xf32>, index) -> index',
    ):
        text = f"func.func @f(%x: tensor<?x4xf32>) -> index {{\n  %c = arith.constant 1 : index\n  {line}\n  return %d : index\n}}"
        assert "tensor.dim %x, 1 : tensor<?x4xf32>" in print_op(parse_module(text))
    text = "func.func @f(%x: tensor<?x4xf32>, %i: index) -> index {\n  %d = tensor.dim %x, %i : tensor<?x4xf32>\n  return %d : index\n}"
    with pytest.raises(Unsupported, match="a dimension that is computed"):
        parse_module(text)


def test_an_assertion_takes_a_boolean() -> None:
    with pytest.raises(VerifyError) as error:
        verify(parse_module('func.func @f(%i: index) {\n  "cf.assert"(%i) {msg = "x"} : (index) -> ()\n  return\n}'))
    assert error.value.diagnostics[0].rule == f"{cf.AssertOp.NAME}.arg"


def test_text_errors_have_a_place() -> None:
    with pytest.raises(ParseError, match=":2:"):
        parse_module("func.func @f(%w: !shape.witness) {\n  shape.assuming_all %w -> \n  return\n}")
