"""Elements of constants, between text and arrays, bit for bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tesselle.ir.attributes import DenseElements
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.text.elements import elements_text
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import VerifyError
from tesselle.support.dtypes import DTYPES, from_numpy

Array = np.ndarray[Any, np.dtype[Any]]


def read(literal: str, type_text: str) -> Array:
    """The array of a constant."""
    module = parse_module(f"func.func @f() {{ %0 = stablehlo.constant {literal} : {type_text} return }}")
    value = next(o for o in module.walk() if o.name == "stablehlo.constant").attributes["value"]
    assert isinstance(value, DenseElements)
    return value.array


def bits(array: Array) -> bytes:
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize(
    ("literal", "type_text", "expected"),
    [
        ("dense<0xFF800000>", "tensor<f32>", np.float32(-np.inf)),
        ("dense<0x7F800000>", "tensor<2xf32>", np.full(2, np.inf, np.float32)),
        ("dense<0xFF80>", "tensor<bf16>", np.asarray(-np.inf, ml_dtypes.bfloat16)),
        ("dense<0xFC00>", "tensor<f16>", np.float16(-np.inf)),
        ("dense<0x7FF0000000000000>", "tensor<f64>", np.float64(np.inf)),
        ("dense<[1.0, 0x7F800000]>", "tensor<2xf32>", np.array([1, np.inf], np.float32)),
        ("dense<-1>", "tensor<i32>", np.int32(-1)),
        ("dense<255>", "tensor<i8>", np.int8(-1)),
        ("dense<0xFF>", "tensor<i32>", np.int32(255)),
        ("dense<18446744073709551615>", "tensor<ui64>", np.uint64(2**64 - 1)),
        ("dense<[true, false]>", "tensor<2xi1>", np.array([True, False])),
        ("dense<[[1, 2], [3, 4]]>", "tensor<2x2xi64>", np.array([[1, 2], [3, 4]])),
        ("dense<(1.0, -2.0)>", "tensor<complex<f32>>", np.complex64(1 - 2j)),
        ("dense<[(1.0, -2.0), (0.5, 0.0)]>", "tensor<2xcomplex<f64>>", np.array([1 - 2j, 0.5])),
        ("dense<1.0e-3>", "tensor<f64>", np.float64(1e-3)),
        ("dense<>", "tensor<0x4xf32>", np.zeros((0, 4), np.float32)),
        ("dense<[[], []]>", "tensor<2x0xf32>", np.zeros((2, 0), np.float32)),
        ('dense<"0x0000803F000000C0">', "tensor<2xf32>", np.array([1, -2], np.float32)),
        ('dense<"0x0000803F">', "tensor<3xf32>", np.ones(3, np.float32)),
        ('dense<"0x0D">', "tensor<5xi1>", np.array([True, False, True, True, False])),
        ('dense<"0xFF">', "tensor<9xi1>", np.ones(9, np.bool_)),
        ('dense<"0x0000803F00000040">', "tensor<complex<f32>>", np.complex64(1 + 2j)),
        ("dense<-3>", "tensor<2xi4>", np.full(2, -3, ml_dtypes.int4)),
    ],
)
def test_literal(literal: str, type_text: str, expected: Array) -> None:
    array = read(literal, type_text)
    assert array.dtype == np.asarray(expected).dtype
    assert array.shape == np.asarray(expected).shape
    assert bits(array) == bits(np.asarray(expected))


def test_splats_are_stored_once() -> None:
    array = read("dense<1.5>", "tensor<1024x1024xf32>")
    assert array.strides == (0, 0)


def test_raw_data_is_not_copied_into_python() -> None:
    count = 1_000_000
    expected = np.random.default_rng(0).normal(size=count).astype(np.float32)
    array = read(f'dense<"0x{expected.tobytes().hex()}">', f"tensor<{count}xf32>")
    assert bits(array) == bits(expected)


def test_resources() -> None:
    data = np.arange(4, dtype=np.float32)
    text = f"""\
func.func @f() {{ %0 = stablehlo.constant dense_resource<weights> : tensor<4xf32> return }}
{{-#
  dialect_resources: {{
    builtin: {{
      weights: "0x04000000{data.tobytes().hex()}"
    }}
  }}
#-}}
"""
    module = parse_module(text)
    value = next(o for o in module.walk() if o.name == "stablehlo.constant").attributes["value"]
    assert isinstance(value, DenseElements)
    assert value.array.tolist() == [0, 1, 2, 3]


def test_arrays_for_elided_constants() -> None:
    text = "func.func @f() { %0 = stablehlo.constant dense_resource<__elided__> : tensor<4xf32> return }"
    data = np.arange(4, dtype=np.float32)
    module = parse_module(text, elided=iter([data]))
    value = next(o for o in module.walk() if o.name == "stablehlo.constant").attributes["value"]
    assert isinstance(value, DenseElements)
    assert value.array is data


FLOATS = [d for d in DTYPES.values() if d.is_float and d.bits >= 8]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_every_bit_pattern_of_floats_survives(dtype: Any) -> None:
    width = dtype.numpy.itemsize
    rng = np.random.default_rng(1)
    if width == 1:
        raw = np.arange(256, dtype=np.uint8)
    else:
        raw = rng.integers(0, 2 ** (8 * width), size=300, dtype=np.dtype(f"u{width}"))
    if dtype.bits == 8 and dtype.name == "f8E8M0FNU":
        raw = raw[:255]  # the last pattern is nan, like all of them printed as bits
    for chunk in (raw[:50], raw):  # as a list, and as raw bytes
        array = chunk.view(dtype.numpy)
        t = TensorType(array.shape, dtype)
        text = elements_text(DenseElements(array, t))
        assert bits(read(text, str(t))) == bits(array)


@given(
    st.lists(st.floats(width=32, allow_nan=False) | st.integers(-5, 5).map(float), min_size=1, max_size=6),
    st.sampled_from(["f16", "bf16", "f32", "f64"]),
)
@settings(max_examples=150, deadline=None)
def test_floats_round_trip(values: list[float], name: str) -> None:
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(DTYPES[name].numpy)
    t = TensorType(array.shape, DTYPES[name])
    text = elements_text(DenseElements(array, t))
    assert bits(read(text, str(t))) == bits(array)


@pytest.mark.parametrize(
    "numpy_type", [np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, ml_dtypes.int4, np.complex64]
)
@pytest.mark.parametrize("count", [5, 500])
def test_other_elements_round_trip(numpy_type: Any, count: int) -> None:
    array = np.random.default_rng(2).integers(0, 2, size=(count, 3)).astype(numpy_type)
    t = TensorType(array.shape, from_numpy(numpy_type))
    text = elements_text(DenseElements(array, t))
    assert bits(read(text, str(t))) == bits(array)
    module = parse_module(f"func.func @f() {{ %0 = stablehlo.constant {text} : {t} return }}")
    assert text in print_op(module)


def test_raw_booleans_are_bytes_or_packed_bits() -> None:
    wanted = np.arange(272) % 3 == 0
    for data in (wanted.tobytes(), np.packbits(wanted, bitorder="little").tobytes()):
        text = f'dense<"0x{data.hex()}"> : tensor<272xi1>'
        module = parse_module(f"func.func @f() {{ %0 = stablehlo.constant {text}\n return }}")
        constant = next(op for op in module.walk() if op.name == "stablehlo.constant")
        np.testing.assert_array_equal(constant.attributes["value"].array, wanted)
        assert wanted.tobytes().hex().upper() in print_op(module)


def test_least_integer_is_a_number_where_nothing_is_dynamic() -> None:
    """It stands for a dynamic size only where a declaration has such sizes."""
    text = """
func.func @f(%a: tensor<4xf32>) {
  %0 = "stablehlo.slice"(%a) {start_indices = array<i64: -9223372036854775808>, limit_indices = array<i64: 1>,
    strides = array<i64: 1>} : (tensor<4xf32>) -> tensor<1xf32>
  return
}"""
    with pytest.raises(VerifyError, match=r"stablehlo\.slice"):
        verify(parse_module(text))


@pytest.mark.parametrize("typed", [" : complex<f32>", ""])
def test_complex_numbers(typed: str) -> None:
    """The type behind a complex number says nothing new: MLIR prints it, and reads it or not."""
    module = parse_module(
        f"""func.func @f(%a: tensor<2xcomplex<f32>>) {{
          %0 = "chlo.constant_like"(%a) {{value = #complex.number<:f32 1.0, -2.0>{typed}}}
            : (tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>>
          return
        }}"""
    )
    verify(module)
    assert "#complex.number<:f32 1.000000e+00, -2.000000e+00> : complex<f32>" in print_op(module)
