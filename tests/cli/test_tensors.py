"""Tensors spelled on the command line."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from element_values import ELEMENT_TYPES, assert_same_bits

from tesselle.cli.tensors import (
    format_tensor,
    parse_named_tensor,
    parse_tensor,
    read_array,
    reinterpret,
    type_text,
    write_array,
)
from tesselle.support.diagnostics import InvocationError
from tesselle.support.dtypes import BF16, DType


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2x3xf32=1,2,3,4,5,6", np.arange(1, 7, dtype=np.float32).reshape(2, 3)),
        ("2x3xf32=[[1 2 3][4 5 6]]", np.arange(1, 7, dtype=np.float32).reshape(2, 3)),
        ("2x2xi32=0x7f", np.full((2, 2), 127, np.int32)),
        ("f32=-inf", np.float32(-np.inf)),
        ("3xf64=nan,inf,-0.0", np.array([np.nan, np.inf, -0.0])),
        ("2xi1=true,0", np.array([True, False])),
        ("2xui8=0,255", np.array([0, 255], np.uint8)),
        ("2xi4=-8,7", np.array([-8, 7], ml_dtypes.int4)),
        ("2xbf16=1.5,2", np.array([1.5, 2], ml_dtypes.bfloat16)),
        ("2xcomplex<f32>=1+2j,3j", np.array([1 + 2j, 3j], np.complex64)),
        ("0x3xf32=", np.zeros((0, 3), np.float32)),
    ],
)
def test_parse(text: str, expected: np.ndarray) -> None:
    value = parse_tensor(text)
    assert value.dtype == expected.dtype
    assert value.shape == expected.shape
    assert value.tobytes() == np.asarray(expected).tobytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2x3xf32", "has no value"),
        ("2x3xf32=1,2", "has 6 elements, found 2"),
        ("2x3xf33=1", "'2x3xf33' is not a type"),
        ("2xindex=1", "is not a type"),
        ("?xf32=1", "is not a type"),
        ("2xi8=1,128", "128 does not fit i8"),
        ("2xui8=-1,0", "-1 does not fit ui8"),
        ("2xf32=1,x", "'x' is not an element of f32"),
        ("2xi1=2,0", "'2' is not an element of i1"),
    ],
)
def test_wrong_text(text: str, message: str) -> None:
    with pytest.raises(InvocationError, match=message.replace("?", r"\?")):
        parse_tensor(text)


def test_names() -> None:
    assert parse_named_tensor("mask=2xf32=1")[0] == "mask"
    assert parse_named_tensor("f32=1")[0] is None
    assert parse_named_tensor("2xf32=1")[0] is None


def test_files(tmp_path: Path) -> None:
    x = np.arange(4, dtype=np.float32)
    write_array(tmp_path / "x.npy", x)
    assert parse_named_tensor(f"x=@{tmp_path}/x.npy")[0] == "x"
    np.testing.assert_array_equal(parse_tensor(f"@{tmp_path}/x.npy"), x)
    (tmp_path / "not.npy").write_bytes(b"hello")
    with pytest.raises(InvocationError, match=r"not\.npy is not a \.npy file"):
        parse_tensor(f"@{tmp_path}/not.npy")


@pytest.mark.parametrize("dtype", ELEMENT_TYPES, ids=str)
def test_every_element_type_is_read_and_survives_npy(dtype: DType, tmp_path: Path) -> None:
    elements = "true,false,1" if dtype.is_bool else "1,2j,0" if dtype.is_complex else "1,0,1"
    for text in (f"3x{dtype}={elements}", f"{dtype}=1"):
        x = parse_tensor(text)
        assert x.dtype == dtype.numpy
        write_array(tmp_path / "x.npy", x)
        back = reinterpret(read_array(tmp_path / "x.npy"), dtype)
        assert back.shape == x.shape
        assert_same_bits(back.reshape(-1), x.reshape(-1), text)
        assert format_tensor(x).startswith(f"{text.partition('=')[0]}=")


def test_bf16_survives_npy(tmp_path: Path) -> None:
    x = np.array([1.5, -2], ml_dtypes.bfloat16)
    write_array(tmp_path / "x.npy", x)
    y = reinterpret(parse_tensor(f"@{tmp_path}/x.npy"), BF16)
    assert y.dtype == x.dtype
    assert y.tobytes() == x.tobytes()


def test_format() -> None:
    assert format_tensor(np.array([[1, 2]], np.float32)) == "1x2xf32=[[1. 2.]]"
    assert format_tensor(np.array([1.5], ml_dtypes.bfloat16)) == "1xbf16=[1.5]"
    assert format_tensor(np.float32(2)) == "f32=2."
    assert type_text(np.zeros((2, 3), np.uint8)) == "2x3xui8"
