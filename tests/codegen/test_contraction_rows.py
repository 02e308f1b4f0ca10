"""Contractions whose number of rows is known at run time only: every number, cut into blocks in every way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from contraction_harness import Compiled, compile_dispatch
from test_contraction import call_for_two_hundred_sizes, compile_contract, fill, generic, random
from test_contraction_packed import packed_form

from tesselle.codegen.common.contraction_rows import IDLE_ROWS, tail_sizes
from tesselle.dialects.core import arith
from tesselle.ir.affine import AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value, constant_elements
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import F32

GUARD = 64


@pytest.mark.parametrize("rows", [4, 6, 14])
@pytest.mark.parametrize("granule", [1, 2, 3, 7, 14, 49, 196])
def test_kernels_for_every_rest(rows: int, granule: int) -> None:
    """Whatever number of rows is left, there is a block for them that wastes nothing that would be computed."""
    sizes = tail_sizes(rows, granule)
    assert all(IDLE_ROWS <= s < rows for s in sizes)
    if rows <= IDLE_ROWS:
        assert not sizes
        return
    lefts = {n * granule % rows for n in range(rows)} - {0}
    for left in lefts:
        if left >= IDLE_ROWS:
            assert left in sizes
        else:
            halves = (-(-(rows + left) // 2), (rows + left) // 2)
            assert all(max(IDLE_ROWS, half) in sizes for half in (*halves, left))
    assert bool(sizes) == bool(lefts)


class Guarded:
    """A contraction with dynamic rows, run for any number of them between guards."""

    def __init__(self, k: int, n: int, target: str) -> None:
        self.k, self.n = k, n
        self.weights = random((k, n), F32, "weights")
        self.run = self.compile(target)

    def compile(self, target: str) -> Compiled:
        """Packed weights, and a bias and a second operand added at the end."""
        lhs, out = TensorType((None, self.k), F32), TensorType((None, self.n), F32)
        form = packed_form("mk,kn->mn", self.weights, lhs, out, 64)
        assert form is not None
        elements = constant_elements(form.rhs)
        assert elements is not None
        self.packed = np.array(elements.array)
        self.bias = random((self.n,), F32, "bias")

        def body(b: Builder, t: Sequence[Value], dims: Sequence[Value]) -> Sequence[Value]:
            rows = dims[-1]
            copy = form.clone()
            copy.set_operands((t[0], t[1], fill(b, out, [rows])))
            product = b.insert(copy).result
            identity, row = AffineMap.identity(2), AffineMap.select(2, (1,))

            def add(c: Builder, args: Sequence[Value]) -> Value:
                total = c.insert(arith.AddFOp(args[0], args[1])).result
                return c.insert(arith.AddFOp(total, args[2])).result

            operands = [(product, identity), (t[2], row), (t[3], identity)]
            return [generic(b, operands, out, [rows], add)]

        packed, bias = TensorType(self.packed.shape, F32), TensorType((self.n,), F32)
        return compile_dispatch([lhs, packed, bias, out], [out], body, target)

    def __call__(self, rows: int) -> None:
        x, residual = random((rows, self.k), F32, f"x{rows}"), random((rows, self.n), F32, f"r{rows}")
        place = np.full((rows + 2 * GUARD, self.n), np.nan, np.float32)
        y = place[GUARD : GUARD + rows]
        self.run(x, self.packed, self.bias, residual, y)
        want = x.astype(np.float64) @ self.weights.astype(np.float64) + self.bias + residual
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-5 * np.sqrt(self.k) * 3)
        assert np.isnan(place[:GUARD]).all() and np.isnan(place[GUARD + rows :]).all()


@pytest.mark.parametrize("target", ["host", "x86-64-v3", "generic"])
@pytest.mark.parametrize(("k", "n"), [(30, 64), (30, 41), (1300, 40)], ids=["whole-columns", "cut-columns", "passes"])
def test_every_number_of_rows(k: int, n: int, target: str) -> None:
    run = Guarded(k, n, target)
    for rows in (*range(200), 365, 500):
        run(rows)


@pytest.mark.parametrize("spec", ["mk,kn->mn", "mk,nk->mn", "km,kn->mn", "bmk,bkn->bmn"])
def test_weights_that_are_not_packed(spec: str) -> None:
    fixed = {ch: size for ch, size in {"b": 2, "n": 37, "k": 20}.items() if ch in spec}
    run, _ = compile_contract(spec, {**fixed, "m": 3}, dynamic="m")
    call_for_two_hundred_sizes(run, spec, "m", fixed=fixed)


def test_there_is_work_for_several_cores() -> None:
    """One kernel, whose columns are cut the finer the more there is to do."""
    run = Guarded(512, 512, "host").run
    x, y, z = run.grid([8] * 3)
    assert x * y * z <= 2
    wide = run.grid([256] * 3)
    assert wide[0] * wide[1] >= 8
    many = run.grid([5000] * 3)
    assert many[1] >= 5000 // 192
