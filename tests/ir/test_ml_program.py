"""Globals, loads and stores: their text, and every rule broken once."""

from __future__ import annotations

import pytest

from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import VerifyError

VALID = """\
module {
  ml_program.global private mutable @v(dense<0.000000e+00> : tensor<4xf32>) : tensor<4xf32>
  ml_program.global public mutable @rows(dense<1> : tensor<2x3xi32>) : tensor<?x3xi32>
  ml_program.global mutable @zeros : tensor<?x?xbf16>
  ml_program.global private @k(dense<true> : tensor<i1>) : tensor<i1>
  func.func @f(%x: tensor<4xf32>) {
    %0 = ml_program.global_load @v : tensor<4xf32>
    %1 = ml_program.global_load_const @k : tensor<i1>
    %2 = ml_program.global_load @rows : tensor<2x3xi32>
    ml_program.global_store @v = %x : tensor<4xf32>
    ml_program.global_store @rows = %2 : tensor<2x3xi32>
    return
  }
}
"""


def test_text() -> None:
    module = parse_module(VALID, "v.mlir")
    verify(module)
    text = print_op(module)
    again = parse_module(text, "again.mlir")
    verify(again)
    assert print_op(again) == text
    for line in VALID.splitlines()[1:5]:
        assert line in text.splitlines()
    for line in (
        "%1 = ml_program.global_load_const @k : tensor<i1>",
        "ml_program.global_store @v = %x : tensor<4xf32>",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "%0 = ml_program.global_load @none : tensor<4xf32>",
            "global_load.global]: there is no ml_program.global @none",
        ),
        ("%0 = ml_program.global_load @f : tensor<4xf32>", "global_load.global]: there is no ml_program.global @f"),
        (
            "%0 = ml_program.global_load @v : tensor<4xf64>",
            "global_load.type]: @v has type tensor<4xf32>, loaded as tensor<4xf64>",
        ),
        ("%0 = ml_program.global_load @rows : tensor<2x4xi32>", "global_load.type]: @rows has type tensor<?x3xi32>"),
        ("%0 = ml_program.global_load_const @none : tensor<i1>", "global_load_const.global]: there is no"),
        ("%0 = ml_program.global_load_const @k : tensor<i8>", "global_load_const.type]: @k has type tensor<i1>"),
        ("%0 = ml_program.global_load_const @v : tensor<4xf32>", "global_load_const.mutable]: @v is a variable"),
        ("ml_program.global_store @none = %x : tensor<4xf32>", "global_store.global]: there is no"),
        (
            "ml_program.global_store @rows = %x : tensor<4xf32>",
            "global_store.type]: @rows has type tensor<?x3xi32>, stored as tensor<4xf32>",
        ),
        ("ml_program.global_store @k = %p : tensor<i1>", "global_store.mutable]: @k is constant"),
    ],
)
def test_loads_and_stores(line: str, message: str) -> None:
    text = VALID.replace("%x: tensor<4xf32>", "%x: tensor<4xf32>, %p: tensor<i1>").replace(
        "    %0 = ml_program.global_load @v : tensor<4xf32>", f"    {line}"
    )
    with pytest.raises(VerifyError) as caught:
        verify(parse_module(text, "v.mlir"))
    assert f"v.mlir:7:5: error[ml_program.{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ml_program.global private @k : tensor<i1>", "value]: the constant @k has no value"),
        (
            "ml_program.global private mutable @k(dense<1> : tensor<3xi32>) : tensor<4xi32>",
            "value]: @k has type tensor<4xi32>, its value tensor<3xi32>",
        ),
    ],
)
def test_declarations(line: str, message: str) -> None:
    with pytest.raises(VerifyError) as caught:
        verify(parse_module(line, "v.mlir"))
    assert f"v.mlir:1:1: error[ml_program.global.{message}" in str(caught.value)
