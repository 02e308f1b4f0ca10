"""Operations that StableHLO's specification deprecates and producers still print: NumPy == reference == compiled."""

from __future__ import annotations

import numpy as np
import pytest
from oracle_harness import sample
from random_sizes import combinations
from text_oracle import check_text

from tesselle.compiler import compile
from tesselle.runtime import load

UNARY = (
    ("ij->ji", (3, 4)),
    ("ij->", (3, 4)),
    ("ij->j", (3, 4)),
    ("ij->i", (3, 4)),
    ("ii->i", (4, 4)),
    ("ii->", (4, 4)),
    ("iij->ji", (3, 3, 2)),
    ("ijk->kij", (2, 3, 4)),
    ("iji->j", (3, 2, 3)),
    ("...ij->...ji", (2, 3, 4)),
    ("...ii->...", (2, 3, 3)),
    ("a->a", (5,)),
)


def shape_of(x: np.ndarray, dtype: str = "f32") -> str:  # type: ignore[type-arg] # of any element type
    return f"tensor<{''.join(f'{n}x' for n in x.shape)}{dtype}>"


@pytest.mark.parametrize(("config", "shape"), UNARY, ids=lambda v: str(v))
def test_unary_einsum(config: str, shape: tuple[int, ...]) -> None:
    for dtype, name in (("float32", "f32"), ("int32", "i32")):
        x = sample(dtype, shape, 1, special=False)
        wanted = np.asarray(np.einsum(config, x))
        a, b = shape_of(x, name), shape_of(wanted, name)
        text = f"""
        func.func @main(%x: {a}) -> {b} {{
          %0 = "stablehlo.unary_einsum"(%x) <{{einsum_config = "{config}"}}> : ({a}) -> {b}
          return %0 : {b}
        }}"""
        check_text(text, x, wanted=[wanted], tolerance=1e-5)


def test_a_diagonal_leaves_nan_beside_it_out() -> None:
    x = np.full((3, 3), np.nan, np.float32)
    np.fill_diagonal(x, [1, 2, 3])
    text = """
    func.func @main(%x: tensor<3x3xf32>) -> tensor<f32> {
      %0 = "stablehlo.unary_einsum"(%x) <{einsum_config = "ii->"}> : (tensor<3x3xf32>) -> tensor<f32>
      return %0 : tensor<f32>
    }"""
    check_text(text, x, wanted=[np.float32(6)])


BINARY = (
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ij,ij->", (3, 4), (3, 4)),
    ("i,j->ij", (3,), (4,)),
    ("ij,ij->ij", (3, 4), (3, 4)),
    ("...ij,...jk->...ik", (2, 2, 3, 4), (2, 2, 4, 5)),
    ("...ij,jk->...ik", (2, 3, 4), (4, 5)),
    ("iij,jk->ik", (3, 3, 2), (2, 4)),
    ("ij,k->ik", (3, 4), (2,)),
    ("ij,k->", (3, 4), (2,)),
    ("abc,cd->bda", (2, 3, 4), (4, 5)),
)


@pytest.mark.parametrize(("config", "left", "right"), BINARY, ids=lambda v: str(v))
def test_einsum(config: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    x, y = sample("float32", left, 1, special=False), sample("float32", right, 2, special=False)
    wanted = np.asarray(np.einsum(config, x, y))
    a, b, c = shape_of(x), shape_of(y), shape_of(wanted)
    text = f"""
    func.func @main(%x: {a}, %y: {b}) -> {c} {{
      %0 = stablehlo.einsum %x, %y, config = "{config}" : ({a}, {b}) -> {c}
      return %0 : {c}
    }}"""
    check_text(text, x, y, wanted=[wanted], tolerance=1e-5)


@pytest.mark.parametrize(("left", "right"), [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4))])
def test_dot(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    for dtype, name in (("float32", "f32"), ("int32", "i32"), ("float64", "f64"), ("complex64", "complex<f32>")):
        x, y = sample(dtype, left, 1, special=False), sample(dtype, right, 2, special=False)
        wanted = np.asarray(x @ y)
        a, b, c = shape_of(x, name), shape_of(y, name), shape_of(wanted, name)
        op = f"%0 = stablehlo.dot %x, %y : ({a}, {b}) -> {c}"
        text = f"func.func @main(%x: {a}, %y: {b}) -> {c} {{ {op}\n return %0 : {c} }}"
        check_text(text, x, y, wanted=[wanted], tolerance=1e-5)


def test_dot_of_dynamic_shapes() -> None:
    text = """
    func.func @main(%x: tensor<?x?xf32>, %y: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>) {
      %0 = stablehlo.dot %x, %y : (tensor<?x?xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      %1 = stablehlo.einsum %x, %0, config = "ij,ik->jk" : (tensor<?x?xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      %2 = "stablehlo.unary_einsum"(%1) <{einsum_config = "ij->ji"}> : (tensor<?x4xf32>) -> tensor<4x?xf32>
      %3 = "stablehlo.unary_einsum"(%2) <{einsum_config = "ij->j"}> : (tensor<4x?xf32>) -> tensor<?xf32>
      return %1, %3 : tensor<?x4xf32>, tensor<?xf32>
    }"""
    x, y = sample("float32", (2, 3), 1, special=False), sample("float32", (3, 4), 2, special=False)
    check_text(text, x, y, wanted=[x.T @ x @ y, (x.T @ x @ y).sum(1)], tolerance=1e-5)
    function = load(compile(text))["main"]
    for v in combinations("mk"):
        x, y = (sample("float32", shape, 1, special=False) for shape in ((v["m"], v["k"]), (v["k"], 4)))
        product = x.T.astype(np.float64) @ (x @ y)
        limit = 1e-5 * max(1.0, float(np.abs(product).max(initial=0)))
        for found, wanted in zip(function(x, y), (product, product.sum(1)), strict=True):
            assert found.shape == wanted.shape
            np.testing.assert_allclose(found, wanted, atol=4 * limit, err_msg=str(v))


def test_broadcast() -> None:
    text = """
    func.func @main(%x: tensor<3xf32>, %y: tensor<?xi32>) -> (tensor<2x4x3xf32>, tensor<2x?xi32>) {
      %0 = stablehlo.broadcast %x, sizes = [2, 4] : (tensor<3xf32>) -> tensor<2x4x3xf32>
      %1 = stablehlo.broadcast %y, sizes = [2] : (tensor<?xi32>) -> tensor<2x?xi32>
      return %0, %1 : tensor<2x4x3xf32>, tensor<2x?xi32>
    }"""
    x, y = sample("float32", (3,), special=False), sample("int32", (5,), special=False)
    check_text(text, x, y, wanted=[np.broadcast_to(x, (2, 4, 3)), np.broadcast_to(y, (2, 5))])
    function = load(compile(text))["main"]
    for v in combinations("n"):
        y = sample("int32", (v["n"],), special=False)
        np.testing.assert_array_equal(function(x, y)[1], np.broadcast_to(y, (2, v["n"])))


@pytest.mark.parametrize(("dim", "batch"), [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (2, 2)])
def test_torch_index_select(dim: int, batch: int) -> None:
    """Along `dim`, by an index that shares its first `batch` dimensions with the operand."""
    x = sample("float32", (2, 3, 4), 1, special=False)
    shape = (*(2, 3, 4)[:batch], 5)
    index = np.random.default_rng(3).integers(0, (2, 3, 4)[dim], shape).astype(np.int32)
    wanted = np.empty((*shape[:batch], *(2, 3, 4)[batch:dim], 5, *(2, 3, 4)[dim + 1 :]), np.float32)
    for place in np.ndindex(*shape[:batch]):
        wanted[place] = np.take(x[place], index[place], dim - batch)
    a, b, c = shape_of(x), shape_of(index, "i32"), shape_of(wanted)
    text = f"""
    func.func @main(%x: {a}, %i: {b}) -> {c} {{
      %0 = "stablehlo.torch_index_select"(%x, %i) <{{dim = {dim} : i64, batch_dims = {batch} : i64}}> :
        ({a}, {b}) -> {c}
      return %0 : {c}
    }}"""
    check_text(text, x, index, wanted=[wanted])


def test_map_of_several_operands() -> None:
    text = """
    func.func @main(%x: tensor<3x4xf32>, %y: tensor<3x4xf32>, %n: tensor<3x4xi32>) -> tensor<3x4xi1> {
      %0 = "stablehlo.map"(%x, %y, %n) <{dimensions = array<i64: 0, 1>}> ({
      ^bb0(%a: tensor<f32>, %b: tensor<f32>, %k: tensor<i32>):
        %1 = stablehlo.convert %k : (tensor<i32>) -> tensor<f32>
        %2 = stablehlo.multiply %a, %1 : tensor<f32>
        %3 = chlo.erf_inv %b : tensor<f32> -> tensor<f32>
        %4 = stablehlo.compare LT, %2, %3 : (tensor<f32>, tensor<f32>) -> tensor<i1>
        stablehlo.return %4 : tensor<i1>
      }) : (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xi32>) -> tensor<3x4xi1>
      return %0 : tensor<3x4xi1>
    }"""
    x, n = sample("float32", (3, 4), 1, special=False), sample("int32", (3, 4), 2, special=False)
    y = np.linspace(-0.9, 0.9, 12, dtype=np.float32).reshape(3, 4)
    check_text(text, x, y, n)
