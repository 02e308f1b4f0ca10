"""Contractions on packed weights: layouts, panels wider than the target's registers, few rows, dynamic rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from contraction_harness import Array, Compiled, compile_dispatch
from random_sizes import combinations
from test_contraction import check, fill, maps_of, random

from tesselle.dialects.core.arith import ConstantOp
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.dialects.linalg.ops import ContractOp
from tesselle.dialects.linalg.packed import PackedContractOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value, constant_elements
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.passes.global_optimization.pack_constants import PackConstants
from tesselle.support.dtypes import F32, F64, DType


def packed_form(
    spec: str, weights: Array, lhs: TensorType, out: TensorType, panel_bytes: int
) -> PackedContractOp | None:
    """What pack-constants makes of a contraction with constant `weights`."""
    maps, _, _ = maps_of(spec)
    t = TensorType(weights.shape, out.dtype)
    function = FuncOp.with_entry("f", (lhs, out), (out,))
    b = Builder.at_end(function.entry)
    w = b.insert(ConstantOp(DenseElements(weights, t), t)).result
    x, y = function.args
    b.insert(ReturnOp([b.insert(ContractOp(x, w, y, maps)).result]))
    module = ModuleOp.empty()
    module.body.append(function)
    PackConstants(panel_bytes).run(module)
    verify(module)
    assert sum(isinstance(op, ConstantOp) for op in function.entry) == 1
    return next((op for op in function.entry if isinstance(op, PackedContractOp)), None)


@dataclass(frozen=True)
class Packed:
    """A compiled contraction on packed weights; `rhs` is how they were before."""

    spec: str
    dtype: DType
    run: Compiled
    rhs: Array
    weights: Array

    def check(self, sizes: dict[str, int]) -> None:
        """The rows of the operand are of `sizes`; those of the weights are as they were compiled."""
        _, (lhs, rhs, out), _ = maps_of(self.spec)
        sizes = {**sizes, **dict(zip(rhs, self.rhs.shape, strict=True))}
        shape = tuple(sizes[ch] for ch in lhs)
        x = random(shape, self.dtype, f"{self.spec}{shape}")
        result = np.full([sizes[ch] for ch in out], np.nan, self.dtype.numpy)
        self.run(x, self.weights, result)
        depth = math.prod(sizes[ch] for ch in lhs if ch not in out)
        check(self.spec, (x, self.rhs, result), self.dtype, depth)


def compile_packed(
    spec: str, sizes: dict[str, int], dtype: DType = F32, target: str = "host", dynamic: str = "", panel_bytes: int = 64
) -> Packed:
    _, terms, _ = maps_of(spec)
    lhs, out = (
        TensorType(tuple(None if ch in dynamic else sizes[ch] for ch in t), dtype) for t in (terms[0], terms[2])
    )
    rhs = random(tuple(sizes[ch] for ch in terms[1]), dtype, spec)
    form = packed_form(spec, rhs, lhs, out, panel_bytes)
    assert form is not None
    elements = constant_elements(form.rhs)
    assert elements is not None
    weights = np.array(elements.array)

    def body(b: Builder, t: Sequence[Value], dims: Sequence[Value]) -> Sequence[Value]:
        init = fill(b, out, dims[len(dims) - out.shape.count(None) :])
        copy = form.clone()
        copy.set_operands((t[0], t[1], init))
        return [b.insert(copy).result]

    run = compile_dispatch([lhs, TensorType(weights.shape, dtype)], [out], body, target)
    return Packed(spec, dtype, run, rhs, weights)


CASES: list[tuple[str, dict[str, int]]] = [
    ("mk,kn->mn", {"m": 40, "n": 64, "k": 30}),
    ("mk,kn->mn", {"m": 13, "n": 41, "k": 1300}),
    ("mk,nk->mn", {"m": 65, "n": 300, "k": 77}),
    ("km,kn->mn", {"m": 20, "n": 100, "k": 31}),
    ("bmk,bkn->bmn", {"b": 3, "m": 10, "n": 20, "k": 12}),
    ("bsk,khd->bshd", {"b": 2, "s": 5, "k": 24, "h": 3, "d": 8}),
    ("bshd,hdc->bsc", {"b": 2, "s": 5, "c": 24, "h": 3, "d": 8}),
    *(("mk,kn->mn", {"m": m, "n": n, "k": 50}) for m in (1, 2, 3, 4, 6) for n in (8, 24, 130)),
]


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize(("spec", "sizes"), CASES, ids=str)
def test_packed(spec: str, sizes: dict[str, int], target: str) -> None:
    compile_packed(spec, sizes, F32, target).check(sizes)


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize(("spec", "sizes"), CASES, ids=str)
def test_dynamic_rows(spec: str, sizes: dict[str, int], target: str) -> None:
    """One kernel for 200 sizes; a dimension of the weights keeps its own, also where the operand's type has it open."""
    terms = maps_of(spec)[1]
    packed = compile_packed(spec, sizes, F32, target, dynamic="mbs")
    packed.check(sizes)
    for drawn in combinations([ch for ch in terms[0] if ch in "mbs" and ch not in terms[1]]):
        packed.check({**sizes, **drawn})


@pytest.mark.parametrize("panel_bytes", [16, 32, 128])
@pytest.mark.parametrize("m", [1, 9])
def test_panels_of_another_width(panel_bytes: int, m: int) -> None:
    sizes = {"m": m, "n": 70, "k": 40}
    compile_packed("mk,kn->mn", sizes, panel_bytes=panel_bytes).check(sizes)


def test_double_precision() -> None:
    sizes = {"m": 9, "n": 70, "k": 40}
    compile_packed("mk,kn->mn", sizes, F64).check(sizes)


def test_left_as_they_are() -> None:
    """Few columns; columns that are not innermost in the result; splats."""
    for spec, x, w, y in (
        ("mk,kn->mn", (9, 8), np.ones((8, 3), np.float32).cumsum(0), (9, 3)),
        ("mk,kn->nm", (9, 8), np.ones((8, 64), np.float32).cumsum(0), (64, 9)),
        ("mk,kn->mn", (9, 8), np.broadcast_to(np.float32(2), (8, 64)), (9, 64)),
    ):
        assert packed_form(spec, w, TensorType(x, F32), TensorType(y, F32), 64) is None
