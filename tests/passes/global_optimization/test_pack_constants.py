"""pack-constants: the packed program means what the plain one means, and packs each constant once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tesselle.dialects.core.arith import ConstantOp
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.dialects.linalg.ops import ContractOp, ConvOp
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.passes.global_optimization.pack_constants import PackConstants, pack
from tesselle.reference import interpret
from tesselle.support.dtypes import F32, from_numpy

Array = np.ndarray[Any, np.dtype[Any]]


def random(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def program(weights: Array, x: TensorType, y: TensorType, ops: list[Any]) -> ModuleOp:
    """main(x, y) = the results of each `make(x, constant, y)` of `ops`."""
    module = ModuleOp.empty()
    function = FuncOp.with_entry("main", (x, y), (y,) * len(ops))
    module.body.append(function)
    b = Builder.at_end(function.entry)
    t = TensorType(weights.shape, from_numpy(weights.dtype))
    w = b.insert(ConstantOp(DenseElements(weights, t), t)).result
    left, init = function.args
    b.insert(ReturnOp([b.insert(make(left, w, init)).result for make in ops]))
    return module


def contract(spec: str) -> Any:
    inputs, out = spec.split("->")
    terms = [*inputs.split(","), out]
    letters = "".join(dict.fromkeys("".join(terms)))
    maps = tuple(AffineMap.select(len(letters), [letters.index(c) for c in t]) for t in terms)

    def make(x: Value, w: Value, y: Value) -> Op:
        return ContractOp(x, w, y, maps)

    return make


def found(module: ModuleOp, cls: type[Op]) -> list[Op]:
    return [op for op in module.walk() if isinstance(op, cls)]


@pytest.mark.parametrize("panel_bytes", [32, 64, 128])
@pytest.mark.parametrize(
    ("spec", "x", "w", "y"),
    [
        ("mk,kn->mn", (5, 7), (7, 40), (5, 40)),
        ("mk,nk->mn", (5, 7), (33, 7), (5, 33)),
        ("bmk,bkn->bmn", (2, 5, 7), (2, 7, 40), (2, 5, 40)),
        ("sk,hkd->shd", (5, 7), (3, 7, 20), (5, 3, 20)),
        ("shd,hdn->sn", (5, 3, 4), (3, 4, 50), (5, 50)),
    ],
)
def test_contractions_keep_their_meaning(
    spec: str, x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], panel_bytes: int
) -> None:
    module = program(random(*w), TensorType(x, F32), TensorType(y, F32), [contract(spec)])
    arguments = [random(*x), random(*y)]
    before = interpret(module, "main", arguments)
    PackConstants(panel_bytes).run(module)
    verify(module)
    assert len(found(module, PackedContractOp)) == 1
    np.testing.assert_allclose(interpret(module, "main", arguments)[0], before[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_keep_their_meaning(groups: int) -> None:
    def make(x: Value, w: Value, y: Value) -> Op:
        return ConvOp(x, w, y, (2, 1), (1, 2), groups)

    x, w, y = (1, 9, 8, 6), (3, 2, 6 // groups, 40), (1, 4, 6, 40)
    module = program(random(*w), TensorType(x, F32), TensorType(y, F32), [make])
    arguments = [random(*x), random(*y)]
    before = interpret(module, "main", arguments)
    PackConstants().run(module)
    verify(module)
    assert len(found(module, PackedConvOp)) == 1
    np.testing.assert_allclose(interpret(module, "main", arguments)[0], before[0], rtol=1e-5, atol=1e-5)


def test_a_constant_is_packed_once() -> None:
    ops = [contract("mk,kn->mn"), contract("mk,kn->mn")]
    module = program(random(7, 40), TensorType((5, 7), F32), TensorType((5, 40), F32), ops)
    PackConstants().run(module)
    assert len(found(module, PackedContractOp)) == 2
    (constant,) = found(module, ConstantOp)
    assert constant.result_types == (TensorType((3, 7, 16), F32),)


@pytest.mark.parametrize("columns", [1, 16, 17, 300])
@pytest.mark.parametrize("transposed", [False, True])
def test_panels(columns: int, transposed: bool) -> None:
    """Column n of a matrix stands in panel n // 16 at place n % 16; the rest is zero."""
    matrix = random(columns, 70).T if transposed else random(70, columns)
    panels = pack(matrix[np.newaxis], 16, ())
    assert panels.shape == (-(-columns // 16), 70, 16)
    flat = panels.transpose(1, 0, 2).reshape(70, -1)
    np.testing.assert_array_equal(flat[:, :columns], matrix)
    assert not flat[:, columns:].any()
