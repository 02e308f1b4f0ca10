"""Quantized types: text, identity, what is refused."""

from __future__ import annotations

import pickle

import pytest

from tesselle.ir.quantized import QuantizedType, quantized
from tesselle.ir.text import Parser, parse_module, print_op
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import ParseError, Unsupported
from tesselle.support.dtypes import F32, I8, UI8

TEXTS = {
    "!quant.uniform<i8:f32, 0.1:3>": "!quant.uniform<i8:f32, 1.000000e-01:3>",
    "!quant.uniform<ui8:f32, 0.12345678901234>": "!quant.uniform<u8:f32, 1.2345678901234000e-01>",
    "!quant.uniform<u4:bf16, 2.0:15>": "!quant.uniform<u4:bf16, 2.000000e+00:15>",
    "!quant.uniform<i8<-128:127>:f32, 1.0>": "!quant.uniform<i8:f32, 1.000000e+00>",
    "!quant.uniform<i8<-127:127>:f32:1, {0.1:3, 0.2}>": (
        "!quant.uniform<i8<-127:127>:f32:1, {1.000000e-01:3,2.000000e-01}>"
    ),
    "!quant.uniform<i8:f32:{0:1, 1:2}, {{2.0:10, 3.0:20}, {4.0, 5.0}}>": (
        "!quant.uniform<i8:f32:{0:1, 1:2}, {{2.000000e+00:10, 3.000000e+00:20}, {4.000000e+00, 5.000000e+00}}>"
    ),
}


def read(text: str) -> object:
    return Parser(text).type()


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_identity(text: str) -> None:
    t = read(text)
    assert isinstance(t, QuantizedType)
    assert str(t) == TEXTS[text]
    assert read(str(t)) is t
    assert pickle.loads(pickle.dumps(t)) is t
    tensor = read(f"tensor<?x2x{text}>")
    assert tensor == TensorType((None, 2), t)
    assert read(str(tensor)) == tensor


def test_parts() -> None:
    t = read("!quant.uniform<u8:f32:2, {0.5:1, 0.25:2}>")
    assert isinstance(t, QuantizedType)
    assert (t.storage, t.expressed, t.scales, t.zero_points, t.axis) == (UI8, F32, (0.5, 0.25), (1, 2), 2)
    assert (t.storage_min, t.storage_max, t.is_storage_signed) == (0, 255, False)
    assert t.is_per_axis and t.is_quantized
    assert quantized(I8, F32, (0.5,)).scale == 0.5
    assert quantized(I8, F32, (0.5,), (-3,)).zero_point == -3


def test_encoding_and_alias() -> None:
    text = """
!q = !quant.uniform<i8:f32, 0.5:-30>
func.func private @f(tensor<?x!q, #stablehlo.bounds<4>>) -> tensor<2x!q>"""
    printed = print_op(parse_module(text))
    assert "tensor<?x!quant.uniform<i8:f32, 5.000000e-01:-30>, #stablehlo.bounds<4>>" in printed
    assert print_op(parse_module(printed)) == printed


def test_constants_hold_what_is_stored() -> None:
    text = """
func.func @f() -> tensor<2x!quant.uniform<i8:f32, 0.5:-30>> {
  %0 = stablehlo.constant() <{value = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 0.5:-30>>
  return %0 : tensor<2x!quant.uniform<i8:f32, 0.5:-30>>
}"""
    module = parse_module(text)
    verify(module)
    for generic in (False, True):
        printed = print_op(module, generic=generic)
        assert "dense<[1, 2]> : tensor<2xi8>" in printed
        again = parse_module(printed)
        verify(again)
        assert print_op(again) == print_op(module)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!quant.uniform<i8:f32, -0.1:3>", "scales must be positive"),
        ("!quant.uniform<i8:f32, 0.1:300>", "zero points must lie in"),
        ("!quant.uniform<i8<-129:3>:f32, 0.1>", "is no range of i8"),
        ("!quant.uniform<i8:i32, 0.1>", "expressed type must be a float"),
        ("!quant.uniform<i64:f32, 0.1>", "integer of at most 32 bits"),
        ("!quant.uniform<i8:f32:0, {0.1:3>", "expected '}'"),
        ("!quant.uniform<i8:f32:0, {{0.1:3}}>", "flat list"),
        ("!quant.uniform<i8:f32:{0:1}, {{0.1}, {0.1, 0.2}}>", "must have one shape"),
        ("!quant.uniform<i8:f32:{}, " + "{" * 50, "nested too deeply"),
        ("!quant.uniform<>", "expected a storage type"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        read(text)


def test_storage_types_without_numpy_equivalent() -> None:
    with pytest.raises(Unsupported, match="no storage type i3"):
        read("!quant.uniform<i3:f32, 0.1>")
