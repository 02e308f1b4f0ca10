"""Affine expressions and maps, against evaluation at points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tesselle.ir.affine import AffineConst, AffineExpr, AffineMap, dim


def expressions(dims: int) -> st.SearchStrategy[AffineExpr]:
    leaves = st.one_of(st.integers(0, dims - 1).map(dim), st.integers(-5, 5).map(AffineConst))

    def grow(inner: st.SearchStrategy[AffineExpr]) -> st.SearchStrategy[AffineExpr]:
        positive = st.integers(1, 5)
        return st.one_of(
            st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
            st.tuples(inner, st.integers(-4, 4)).map(lambda p: p[0] * p[1]),
            st.tuples(inner, positive).map(lambda p: p[0] // p[1]),
            st.tuples(inner, positive).map(lambda p: p[0] % p[1]),
        )

    return st.recursive(leaves, grow, max_leaves=8)


points = st.lists(st.integers(-20, 20), min_size=3, max_size=3)


@given(expressions(3), expressions(3), points)
def test_building_simplifies_without_changing_values(a: AffineExpr, b: AffineExpr, at: list[int]) -> None:
    assert (a + b).evaluate(at) == a.evaluate(at) + b.evaluate(at)
    assert (a - b).evaluate(at) == a.evaluate(at) - b.evaluate(at)
    assert (a * 3).evaluate(at) == a.evaluate(at) * 3


@given(expressions(3), st.lists(expressions(2), min_size=3, max_size=3), points)
def test_composition_is_substitution(outer: AffineExpr, inner: list[AffineExpr], at: list[int]) -> None:
    composed = AffineMap(3, 0, (outer,)).compose(AffineMap(2, 0, tuple(inner)))
    values = [e.evaluate(at[:2]) for e in inner]
    assert composed.evaluate(at[:2]) == (outer.evaluate(values),)


@given(expressions(3), points)
def test_linear_coefficients_reproduce_the_expression(e: AffineExpr, at: list[int]) -> None:
    linear = e.linear_coefficients(3)
    if linear is not None:
        coefficients, constant = linear
        assert sum(c * x for c, x in zip(coefficients, at, strict=True)) + constant == e.evaluate(at)


def test_text() -> None:
    assert str(AffineMap(2, 0, (dim(0) * 4 + dim(1), dim(1) // 2))) == "(d0, d1) -> (d0 * 4 + d1, d1 floordiv 2)"
    assert str((dim(0) + 1) % 3) == "(d0 + 1) mod 3"


def test_permutations() -> None:
    m = AffineMap.select(3, [2, 0, 1])
    assert m.is_permutation
    assert m.compose(m.inverse_permutation()).is_identity
    assert not AffineMap.select(3, [0, 1]).is_permutation
    with pytest.raises(ValueError, match="is not a permutation"):
        AffineMap.select(3, [0, 1]).inverse_permutation()
