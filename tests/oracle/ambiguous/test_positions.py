"""Reading and writing outside: slices and gathers move inside ("clamp"), scatters leave out what is not "in bounds"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.oracle.ambiguous.ways import NUMPY, Array, array, bounds, check, tensor

INDEX_TYPES = ("i8", "i16", "i32", "i64", "ui8", "ui16", "ui32", "ui64")
X = np.arange(20, dtype=np.float32).reshape(4, 5)


def _starts(dtype: str) -> list[int]:
    low, high = bounds(dtype)
    return [low, -1 if low else 0, 0, 1, 3, 4, 5, high - 1, high]


@pytest.mark.parametrize("dtype", INDEX_TYPES)
def test_dynamic_slice(dtype: str, cache: Path) -> None:
    """dynamic_slice: adjusted_start_indices = clamp(0, start_indices, shape(operand) - slice_sizes).

    Indices of unsigned types that are negative as signed ones are large.
    """
    for start in (*_starts(dtype)[:2], *_starts(dtype)[-3:]):
        i, j = array(start, dtype), array(1, dtype)
        t = tensor(i)
        body = (
            f"  %r0 = stablehlo.dynamic_slice %a, %b, %c, sizes = [2, 3] : ({tensor(X)}, {t}, {t}) -> tensor<2x3xf32>"
        )
        k = min(max(start, 0), 2)
        check([X, i, j], body, [X[k : k + 2, 1:4]], cache)


@pytest.mark.parametrize("dtype", INDEX_TYPES)
def test_dynamic_update_slice(dtype: str, cache: Path) -> None:
    """dynamic_update_slice: adjusted_start_indices = clamp(0, start_indices, shape(operand) - shape(update))."""
    u = np.full((2, 3), -1, np.float32)
    for start in (*_starts(dtype)[:2], *_starts(dtype)[-3:]):
        i, j = array(start, dtype), array(1, dtype)
        t = tensor(i)
        types = f"({tensor(X)}, {tensor(u)}, {t}, {t}) -> {tensor(X)}"
        body = f"  %r0 = stablehlo.dynamic_update_slice %a, %d, %b, %c : {types}"
        k = min(max(start, 0), 2)
        want = X.copy()
        want[k : k + 2, 1:4] = -1
        # XLA writes outside of its buffer, and aborts, where an index is beyond the signed ones.
        check([X, i, j, u], body, [want], cache, xla=dtype != "ui64")


@pytest.mark.parametrize("dtype", INDEX_TYPES)
def test_gather(dtype: str, cache: Path) -> None:
    """gather: full_start_index = clamp(start_index, 0, dim(operand) - slice_sizes)."""
    starts = _starts(dtype)
    indices = array(starts, dtype).reshape(-1, 1)
    body = f"""
  %r0 = "stablehlo.gather"(%a, %b) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1, 2],
    start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 2, 5>}}>
    : ({tensor(X)}, {tensor(indices)}) -> tensor<{len(starts)}x2x5xf32>
  %r1 = "stablehlo.gather"(%a, %b) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1],
    collapsed_slice_dims = [1], start_index_map = [1], index_vector_dim = 1>, slice_sizes = array<i64: 4, 1>}}>
    : ({tensor(X)}, {tensor(indices)}) -> tensor<{len(starts)}x4xf32>"""
    rows = np.stack([X[(k := min(max(s, 0), 2)) : k + 2] for s in starts])
    columns = np.stack([X[:, min(max(s, 0), 4)] for s in starts])
    check([X, indices], body, [rows, columns], cache)


def _scatter(indices: Array, updates: Array, numbers: str) -> str:
    return f"""
  %r0 = "stablehlo.scatter"(%a, %b, %c) <{{scatter_dimension_numbers = #stablehlo.scatter<{numbers}>}}> ({{
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }}) : ({tensor(X)}, {tensor(indices)}, {tensor(updates)}) -> {tensor(X)}"""


@pytest.mark.parametrize("dtype", INDEX_TYPES)
def test_scatter_of_elements(dtype: str, cache: Path) -> None:
    """scatter: "if result_index is in bounds for shape(results...)", else updated_results = results."""
    starts = _starts(dtype)
    indices = array(starts, dtype).reshape(-1, 1)
    updates = np.repeat(np.arange(1, len(starts) + 1, dtype=np.float32)[:, None] * 100, 5, 1)
    want = X.copy()
    for s, u in zip(starts, updates, strict=True):
        if 0 <= s < 4:
            want[s] += u
    numbers = (
        "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"
    )
    check([X, indices, updates], _scatter(indices, updates, numbers), [want], cache)


@pytest.mark.parametrize("dtype", ["i32", "i64", "ui8"])
def test_scatter_of_windows(dtype: str, cache: Path) -> None:
    """scatter: of windows that stick out, single elements are skipped; XLA skips such windows."""
    starts = [0, 2, 3, 4]
    indices = array(starts, dtype).reshape(-1, 1)
    updates = np.repeat(np.arange(1, 5, dtype=np.float32)[:, None, None] * 100, 2, 1).repeat(5, 2)
    want = X.copy()
    for s, u in zip(starts, updates, strict=True):
        want[s : s + 2] += u[: max(0, 4 - s)]
    numbers = "update_window_dims = [1, 2], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"
    check([X, indices, updates], _scatter(indices, updates, numbers), [want], cache, xla=False)


@pytest.mark.parametrize("dtype", ["i32", "i64", "ui32"])
def test_scatter_twice_into_one_place(dtype: str, cache: Path) -> None:
    """scatter: equal indices are combined one after the other ("schedule is an implementation-defined permutation")."""
    indices = array([1, 1, 3, 1], dtype).reshape(-1, 1)
    updates = np.ones((4, 5), np.float32)
    want = X.copy()
    want[1] += 3
    want[3] += 1
    numbers = (
        "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"
    )
    check([X, indices, updates], _scatter(indices, updates, numbers), [want], cache)


def test_case_index(cache: Path) -> None:
    """case: "selected_branch = branches[-1] otherwise", below 0 as well."""
    for index, chosen in ((0, 10), (1, 20), (2, 30), (3, 30), (-1, 30), (2**31 - 1, 30), (-(2**31), 30)):
        i = array(index, "i32")
        branches = ", ".join(
            f'{{ %{n} = stablehlo.constant dense<{v}> : tensor<i64>\n"stablehlo.return"(%{n}) : (tensor<i64>) -> () }}'
            for n, v in (("x", 10), ("y", 20), ("z", 30))
        )
        body = f'  %r0 = "stablehlo.case"(%a) ({branches}) : (tensor<i32>) -> tensor<i64>'
        check([i], body, [np.array(chosen, np.int64)], cache)


def test_pad_cuts(cache: Path) -> None:
    """pad: "the amount of padding can be negative"; interior padding comes first, so that edges may cut into it."""
    value = np.array(-1, np.float32)
    types = f"({tensor(X)}, tensor<f32>)"
    body = f"""
  %r0 = stablehlo.pad %a, %b, low = [-1, -3], high = [0, 1], interior = [0, 1] : {types} -> tensor<3x7xf32>
  %r1 = stablehlo.pad %a, %b, low = [-5, 0], high = [3, 0], interior = [0, 0] : {types} -> tensor<2x5xf32>
  %r2 = stablehlo.pad %a, %b, low = [0, 0], high = [-4, 0], interior = [0, 0] : {types} -> tensor<0x5xf32>"""
    wide = np.full((4, 9), -1, np.float32)
    wide[:, ::2] = X
    first = np.concatenate([wide[1:, 3:], np.full((3, 1), -1, np.float32)], 1)
    check([X, value], body, [first, np.full((2, 5), -1, np.float32), np.zeros((0, 5), np.float32)], cache)


def test_slice_of_nothing(cache: Path) -> None:
    """slice: start = limit is allowed at every place up to the end."""
    body = f"""
  %r0 = stablehlo.slice %a [4:4, 0:5] : ({tensor(X)}) -> tensor<0x5xf32>
  %r1 = stablehlo.slice %a [1:4:7, 4:5:2] : ({tensor(X)}) -> tensor<1x1xf32>"""
    check([X], body, [np.zeros((0, 5), np.float32), X[1:2, 4:5]], cache)


@pytest.mark.parametrize("dtype", ["f32", "i8", "i1", "complex<f32>"])
def test_torch_index_select(dtype: str, cache: Path) -> None:
    """torch_index_select (deprecated) takes positions as gather does: clamped."""
    x = np.arange(6).reshape(3, 2).astype(NUMPY[dtype])
    i = np.array([-5, 0, 2, 9], np.int32)
    body = (
        f'  %r0 = "stablehlo.torch_index_select"(%a, %b) <{{dim = 0 : i64, batch_dims = 0 : i64}}>'
        f" : ({tensor(x)}, {tensor(i)}) -> tensor<4x2x{dtype}>"
    )
    check([x, i], body, [x[[0, 0, 2, 2]]], cache, xla=False)  # XLA no longer reads it
