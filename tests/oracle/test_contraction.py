"""Matrix products and convolutions."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from oracle_harness import assert_close, check, lowered, sample

from tesselle.reference import interpret


def values(dtype: str, *shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return sample(dtype, shape, seed, special=False)


DOTS = {
    "matmul": ((4, 5), (5, 3), (((1,), (0,)), ((), ()))),
    "transposed": ((5, 4), (3, 5), (((0,), (1,)), ((), ()))),
    "vector": ((5,), (5,), (((0,), (0,)), ((), ()))),
    "outer": ((4,), (3,), (((), ()), ((), ()))),
    "batch": ((2, 4, 5), (2, 5, 3), (((2,), (1,)), ((0,), (0,)))),
    "batch-inner": ((4, 2, 5), (5, 3, 2), (((2,), (0,)), ((1,), (2,)))),
    "two-contracting": ((2, 3, 4), (4, 3, 6), (((1, 2), (1, 0)), ((), ()))),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int32", "int8", "complex64"])
@pytest.mark.parametrize("name", DOTS)
def test_dot_general(name: str, dtype: str) -> None:
    a, b, numbers = DOTS[name]
    check(lambda x, y: lax.dot_general(x, y, numbers), values(dtype, *a), values(dtype, *b, seed=1), tolerance=2e-5)


def test_mixed_types() -> None:
    numbers = (((1,), (0,)), ((), ()))
    x, y = values("bfloat16", 4, 5), values("bfloat16", 5, 3, seed=1)
    check(lambda a, b: lax.dot_general(a, b, numbers, preferred_element_type=np.float32), x, y, tolerance=1e-5)
    i, j = values("int8", 4, 5), values("int8", 5, 3, seed=1)
    check(lambda a, b: lax.dot_general(a, b, numbers, preferred_element_type=np.int32), i, j)


def test_transposes_melt_into_the_product() -> None:
    def attention(q: Any, k: Any) -> Any:
        q, k = (x.reshape(1, 6, 2, 4).transpose(0, 2, 1, 3) for x in (q, k))
        scores = q @ k.transpose(0, 1, 3, 2)
        return jax.nn.softmax(scores, -1).transpose(0, 2, 1, 3).reshape(1, 6, 12)

    module = check(attention, values("float32", 1, 6, 8), values("float32", 1, 6, 8, seed=1), tolerance=1e-5)
    products = [op for op in module.walk() if op.name == "linalg.contract"]
    assert len(products) == 1


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 8, 9, 3), (3, 3, 3, 4), {}),
    "strided": ((2, 8, 9, 3), (3, 3, 3, 4), {"window_strides": (2, 1)}),
    "padded": ((2, 8, 9, 3), (3, 2, 3, 4), {"padding": [(1, 1), (0, 2)]}),
    "dilated": ((2, 9, 9, 3), (3, 3, 3, 4), {"rhs_dilation": (2, 3)}),
    "transposed": ((2, 4, 5, 3), (3, 3, 3, 4), {"lhs_dilation": (2, 3), "padding": [(2, 2), (1, 2)]}),
    "groups": ((2, 6, 6, 4), (3, 3, 2, 6), {"feature_group_count": 2}),
    "depthwise": ((2, 6, 6, 4), (3, 3, 1, 8), {"feature_group_count": 4}),
    "batch-groups": ((4, 6, 6, 3), (3, 3, 3, 6), {"batch_group_count": 2}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name: str) -> None:
    x, w, extra = CONVOLUTIONS[name]
    arguments: dict[str, Any] = {"window_strides": (1, 1), "padding": "VALID", **extra}
    check(
        lambda a, b: lax.conv_general_dilated(a, b, dimension_numbers=("NHWC", "HWIO", "NHWC"), **arguments),
        values("float32", *x),
        values("float32", *w, seed=1),
        tolerance=2e-5,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("layout", [("NCHW", "OIHW", "NCHW"), ("CNHW", "IHWO", "HWNC")])
def test_convolution_layouts(layout: tuple[str, str, str], dtype: str) -> None:
    sizes = {"N": 2, "C": 3, "H": 6, "W": 7}
    kernel = {"O": 4, "I": 3, "H": 3, "W": 2}
    check(
        lambda a, b: lax.conv_general_dilated(a, b, (1, 2), "SAME", dimension_numbers=layout),
        values(dtype, *(sizes[c] for c in layout[0])),
        values(dtype, *(kernel[c] for c in layout[1]), seed=1),
        tolerance=2e-5,
    )


def test_convolution_of_other_ranks() -> None:
    one = ("NWC", "WIO", "NWC")
    check(
        lambda a, b: lax.conv_general_dilated(a, b, (2,), "SAME", dimension_numbers=one),
        values("float32", 2, 9, 3),
        values("float32", 3, 3, 4),
        tolerance=1e-5,
    )
    three = ("NDHWC", "DHWIO", "NDHWC")
    check(
        lambda a, b: lax.conv_general_dilated(a, b, (1, 1, 2), "SAME", dimension_numbers=three),
        values("float32", 1, 4, 5, 6, 2),
        values("float32", 2, 3, 3, 2, 3),
        tolerance=1e-5,
    )


def test_negative_padding_cuts() -> None:
    """XLA's own result is not compared: on CPUs it reads beyond the cut operand."""
    numbers = ("NHWC", "HWIO", "NHWC")
    x, w = values("float32", 2, 8, 9, 3), values("float32", 3, 2, 3, 4, seed=1)

    def convolve(a: Any, b: Any, padding: Any) -> Any:
        return lax.conv_general_dilated(a, b, (1, 1), padding, dimension_numbers=numbers)

    expected = jax.jit(lambda a, b: convolve(a[:, 1:, :-2], b, [(0, 1), (0, 0)]))(x, w)
    text = jax.jit(lambda a, b: convolve(a, b, [(-1, 1), (0, -2)])).lower(x, w).as_text()
    assert_close(interpret(lowered(text), "main", [x, w]), [expected], "negative padding", 2e-5)


def test_gradient_of_a_convolution() -> None:
    def loss(x: Any, w: Any) -> Any:
        y = lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.sum(y * y)

    x, w = values("float32", 2, 6, 6, 2), values("float32", 3, 3, 2, 3, seed=1)
    check(jax.grad(loss, (0, 1)), x, w, tolerance=1e-4)
