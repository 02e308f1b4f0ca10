"""Nothing to fold, nothing to move, nothing to do; orders with nan; ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.oracle.ambiguous.ways import FLOATS, INF, NAN, NUMPY, Array, array, by_xla, check, program, tensor


def _body(operation: str, dtype: str) -> str:
    t = f"tensor<{dtype}>"
    return (
        f"({{\n  ^bb0(%x: {t}, %y: {t}):\n    %s = stablehlo.{operation} %x, %y : {t}\n"
        f'    "stablehlo.return"(%s) : ({t}) -> ()\n  }})'
    )


def _predicate(direction: str, dtype: str, kind: str = "") -> str:
    t = f"tensor<{dtype}>"
    return (
        f"({{\n  ^bb0(%x: {t}, %y: {t}):\n"
        f"    %s = stablehlo.compare {direction}, %x, %y{kind} : ({t}, {t}) -> tensor<i1>\n"
        '    "stablehlo.return"(%s) : (tensor<i1>) -> ()\n  })'
    )


# ------------------------------------------------------------------------------------------ reductions


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), (2, 0, 3)])
def test_empty_reductions(shape: tuple[int, ...], cache: Path) -> None:
    """reduce: "an implementation-defined amount of init_values": of no elements, the init value remains."""
    x, init = np.zeros(shape, np.float32), np.array(7, np.float32)
    axis = shape.index(0)
    out = np.full(shape[:axis] + shape[axis + 1 :], 7, np.float32)
    body = "\n".join(
        f'  %r{i} = "stablehlo.reduce"(%a, %b) <{{dimensions = array<i64: {axis}>}}> {_body(name, "f32")}'
        f" : ({tensor(x)}, tensor<f32>) -> {tensor(out)}"
        for i, name in enumerate(("add", "multiply", "maximum"))
    )
    check([x, init], body, [out] * 3, cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_extremes_of_nan(dtype: str, cache: Path) -> None:
    """reduce with maximum and minimum hands nan on from everywhere, also from the init value."""
    x = array(np.arange(12).reshape(3, 4), dtype)
    x[1, 2] = NAN
    init, nan = array(0, dtype), array(NAN, dtype)
    out = f"tensor<3x{dtype}>"
    body = "\n".join(
        f'  %r{i} = "stablehlo.reduce"(%a, {value}) <{{dimensions = array<i64: 1>}}> {_body(name, dtype)}'
        f" : ({tensor(x)}, {tensor(init)}) -> {out}"
        for i, (name, value) in enumerate((("maximum", "%b"), ("minimum", "%b"), ("maximum", "%c")))
    )
    expected = [[3, NAN, 11], [0, NAN, 0], [NAN, NAN, NAN]]
    check([x, init, nan], body, [array(e, dtype) for e in expected], cache)


def test_signed_zeros_in_reductions(cache: Path) -> None:
    """reduce: the maximum of -0 and 0 is 0, the minimum -0, in any order; the sum of -0 from -0 is -0."""
    x = np.array([[-0.0, 0.0], [0.0, -0.0], [-0.0, -0.0]], np.float32)
    init = np.array(-0.0, np.float32)
    body = "\n".join(
        f'  %r{i} = "stablehlo.reduce"(%a, %b) <{{dimensions = array<i64: 1>}}> {_body(name, "f32")}'
        f" : ({tensor(x)}, tensor<f32>) -> tensor<3xf32>"
        for i, name in enumerate(("maximum", "minimum", "add"))
    )
    expected = [[0.0, 0.0, -0.0], [-0.0, -0.0, -0.0], [0.0, 0.0, -0.0]]
    check([x, init], body, [np.array(e, np.float32) for e in expected], cache)


def test_windows_of_padding(cache: Path) -> None:
    """reduce_window: windows that lie in the padding alone have the init value; no room for a window: no result."""
    x, init = np.arange(1, 4, dtype=np.float32), np.array(-1, np.float32)
    types, largest = f"({tensor(x)}, tensor<f32>)", _body("maximum", "f32")
    body = f"""
  %r0 = "stablehlo.reduce_window"(%a, %b) <{{window_dimensions = array<i64: 2>,
    padding = dense<[[3, 2]]> : tensor<1x2xi64>}}> {largest} : {types} -> tensor<7xf32>
  %r1 = "stablehlo.reduce_window"(%a, %b) <{{window_dimensions = array<i64: 5>}}> {largest} : {types} -> tensor<0xf32>
  %r2 = "stablehlo.reduce_window"(%a, %b) <{{window_dimensions = array<i64: 1>,
    padding = dense<[[-1, -1]]> : tensor<1x2xi64>}}> {_body("add", "f32")} : {types} -> tensor<1xf32>"""
    expected = [[-1, -1, 1, 2, 3, 3, -1], [], [1]]
    # XLA's simplifier aborts on a window of one element in negative padding.
    check([x, init], body, [np.array(e, np.float32) for e in expected], cache, xla=False)


# ------------------------------------------------------------------------------------------ choices


def _select_and_scatter(x: Array, source: Array, direction: str) -> str:
    dtype = "f32"
    return f"""
  %r0 = "stablehlo.select_and_scatter"(%a, %b, %c) <{{window_dimensions = array<i64: 3>,
    window_strides = array<i64: 3>}}> ({_predicate(direction, dtype)[1:-1]}, {_body("add", dtype)[1:-1]})
    : ({tensor(x)}, {tensor(source)}, tensor<f32>) -> {tensor(x)}"""


@pytest.mark.parametrize("direction", ["GE", "GT"])
def test_select_and_scatter_ties(direction: str, cache: Path) -> None:
    """select_and_scatter: body = select(arg0, arg1) ? arg0 : arg1, in row-major order.

    GE keeps the first of equal elements, GT takes the last.
    """
    x = np.array([5, 5, 5, 1, 7, 7, 2, 2, 1], np.float32)
    source, init = np.array([10, 20, 30], np.float32), np.array(0, np.float32)
    want = np.zeros(9, np.float32)
    want[[0, 4, 6] if direction == "GE" else [2, 5, 7]] = source
    check([x, source, init], _select_and_scatter(x, source, direction), [want], cache)


def test_select_and_scatter_nan(cache: Path) -> None:
    """select_and_scatter: a comparison with nan is false, so that the later element is taken, as the formula says."""
    x = np.array([NAN, 1, 2, 3, NAN, 1, 1, 2, NAN], np.float32)
    source, init = np.array([10, 20, 30], np.float32), np.array(0, np.float32)
    want = np.zeros(9, np.float32)
    want[[2, 5, 8]] = source
    check([x, source, init], _select_and_scatter(x, source, "GE"), [want], cache)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sort_with_nan(dtype: str, cache: Path) -> None:
    """sort with a total order: -nan first, then -0 before 0, nan last; stable for equal keys."""
    x = array([NAN, 1.0, -0.0, 0.0, -INF, INF, -0.0, 0.0, -1.0], dtype)
    body = f"""
  %r0 = "stablehlo.sort"(%a) <{{dimension = 0 : i64, is_stable = true}}> {_predicate("LT", dtype, ", TOTALORDER")}
    : ({tensor(x)}) -> {tensor(x)}"""
    check([x], body, [array([-INF, -1.0, -0.0, -0.0, 0.0, 0.0, 1.0, INF, NAN], dtype)], cache)


def test_sort_is_stable(cache: Path) -> None:
    """sort: "relative order of elements considered to be equal by the comparator is preserved"; -0 equals 0 here."""
    keys = np.array([0.0, -0.0, 1.0, 0.0, -1.0, -0.0] * 20, np.float32)
    values = np.arange(120, dtype=np.int32)
    t, v = tensor(keys), tensor(values)
    body = f"""
  %s:2 = "stablehlo.sort"(%a, %b) <{{dimension = 0 : i64, is_stable = true}}> ({{
  ^bb0(%x: tensor<f32>, %y: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>):
    %p = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%p) : (tensor<i1>) -> ()
  }}) : ({t}, {v}) -> ({t}, {v})
  %z = stablehlo.constant dense<0> : {v}
  %r0 = stablehlo.add %s#1, %z : {v}"""
    order = np.argsort(keys, kind="stable")
    check([keys, values], body, [values[order]], cache)


def test_sort_of_few(cache: Path) -> None:
    """sort along dimensions of size 0 and 1, and a negative dimension."""
    x, y, z = np.zeros((2, 0), np.float32), np.ones((2, 1), np.float32), np.array([[3, 1], [2, 4]], np.float32)
    less = _predicate("LT", "f32")
    body = "\n".join(
        f'  %r{i} = "stablehlo.sort"(%{n}) <{{dimension = -1 : i64, is_stable = true}}> {less}'
        f" : ({tensor(v)}) -> {tensor(v)}"
        for i, (n, v) in enumerate((("a", x), ("b", y), ("c", z)))
    )
    check([x, y, z], body, [x, y, np.sort(z, axis=1)], cache)


def test_top_k(cache: Path) -> None:
    """chlo.top_k: nan counts as the largest, of equal elements the first comes first."""
    x = np.array([[1, NAN, 3, 3, -INF], [2, 2, 2, 1, 0]], np.float32)
    body = f"  %r0, %r1 = chlo.top_k(%a, k = 3) : {tensor(x)} -> (tensor<2x3xf32>, tensor<2x3xi32>)"
    expected = [np.array([[NAN, 3, 3], [2, 2, 2]], np.float32), np.array([[1, 2, 3], [0, 1, 2]], np.int32)]
    check([x], body, expected, cache)


# ------------------------------------------------------------------------------------------ nothing at all


def test_zero_sized_tensors(cache: Path) -> None:
    """Types: dimension sizes are "non-negative": every structural operation takes tensors without elements."""
    x = np.zeros((0, 3), np.float32)
    t = tensor(x)
    operations = {
        f"stablehlo.transpose %a, dims = [1, 0] : ({t}) -> tensor<3x0xf32>": (3, 0),
        f"stablehlo.reshape %a : ({t}) -> tensor<5x0x7xf32>": (5, 0, 7),
        f"stablehlo.broadcast_in_dim %a, dims = [1, 2] : ({t}) -> tensor<4x0x3xf32>": (4, 0, 3),
        f'"stablehlo.reverse"(%a) <{{dimensions = array<i64: 0>}}> : ({t}) -> {t}': (0, 3),
        f"stablehlo.slice %a [0:0, 1:3] : ({t}) -> tensor<0x2xf32>": (0, 2),
        f"stablehlo.add %a, %a : {t}": (0, 3),
        f"stablehlo.exponential %a : {t}": (0, 3),
        f"stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : ({t}, tensor<3x4xf32>) -> tensor<0x4xf32>": (
            0,
            4,
        ),
        f"stablehlo.concatenate %a, %a, dim = 0 : ({t}, {t}) -> {t}": (0, 3),
        "stablehlo.iota dim = 0 : tensor<0x4xf32>": (0, 4),
        f"stablehlo.convert %a : ({t}) -> tensor<0x3xf32>": (0, 3),
    }
    body = "\n".join(f"  %r{i} = {text}" for i, text in enumerate(operations))
    check([x, np.ones((3, 4), np.float32)], body, [np.zeros(s, np.float32) for s in operations.values()], cache)


def test_nothing_becomes_something(cache: Path) -> None:
    """dot_general over 0 elements gives 0, concatenate skips empty inputs, pad fills, a convolution of nothing is 0."""
    x, y = np.zeros((2, 0), np.float32), np.ones((2, 3), np.float32)
    w = np.zeros((0, 3), np.float32)
    value = np.array(5, np.float32)
    body = f"""
  %r0 = stablehlo.dot_general %a, %c, contracting_dims = [1] x [0] : ({tensor(x)}, {tensor(w)}) -> tensor<2x3xf32>
  %r1 = stablehlo.concatenate %a, %b, %a, dim = 1 : ({tensor(x)}, {tensor(y)}, {tensor(x)}) -> tensor<2x3xf32>
  %r2 = stablehlo.pad %a, %d, low = [0, 1], high = [0, 2], interior = [0, 3]
    : ({tensor(x)}, tensor<f32>) -> tensor<2x3xf32>"""
    expected = [np.zeros((2, 3), np.float32), y, np.full((2, 3), 5, np.float32)]
    check([x, y, w, value], body, expected, cache)


def test_gather_and_scatter_of_nothing(cache: Path) -> None:
    """gather and scatter with no indices, and gather of slices without elements."""
    x, none = np.ones((4, 3), np.float32), np.zeros((0, 1), np.int32)
    updates = np.zeros((0, 3), np.float32)
    two = np.array([[9], [1]], np.int32)
    body = f"""
  %r0 = "stablehlo.gather"(%a, %b) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1],
    collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>}}>
    : ({tensor(x)}, {tensor(none)}) -> tensor<0x3xf32>
  %r1 = "stablehlo.scatter"(%a, %b, %c) <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1],
    inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> {_body("add", "f32")}
    : ({tensor(x)}, {tensor(none)}, {tensor(updates)}) -> {tensor(x)}
  %r2 = "stablehlo.gather"(%a, %d) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1],
    collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 0>}}>
    : ({tensor(x)}, {tensor(two)}) -> tensor<2x0xf32>"""
    expected = [np.zeros((0, 3), np.float32), x, np.zeros((2, 0), np.float32)]
    check([x, none, updates, two], body, expected, cache)


def test_loop_without_rounds(cache: Path) -> None:
    """while: cond false at once gives the operands back; so do zero trips of a counted loop."""
    x, i = np.arange(3, dtype=np.float32), np.array(10, np.int32)
    types = f"tensor<i32>, {tensor(x)}"
    body = f"""
  %limit = stablehlo.constant dense<10> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %s:2 = "stablehlo.while"(%b, %a) ({{
  ^bb0(%k: tensor<i32>, %v: {tensor(x)}):
    %p = stablehlo.compare LT, %k, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%p) : (tensor<i1>) -> ()
  }}, {{
  ^bb0(%k: tensor<i32>, %v: {tensor(x)}):
    %n = stablehlo.add %k, %one : tensor<i32>
    %w = stablehlo.add %v, %v : {tensor(x)}
    "stablehlo.return"(%n, %w) : ({types}) -> ()
  }}) : ({types}) -> ({types})
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r0 = stablehlo.add %s#0, %z : tensor<i32>
  %r1 = stablehlo.abs %s#1 : {tensor(x)}"""
    check([x, i], body, [i, x], cache)


@pytest.mark.parametrize("algorithm", ["THREE_FRY", "PHILOX"])
@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_rng_state(algorithm: str, count: int, cache: Path) -> None:
    """rng_bit_generator: "a deterministic function of initial_state": bits and next state are those of XLA."""
    state = np.array([3, 2**64 - 2], np.uint64)
    out = f"tensor<{count}xui32>"
    body = f"""
  %s, %o = "stablehlo.rng_bit_generator"(%a) <{{rng_algorithm = #stablehlo<rng_algorithm {algorithm}>}}>
    : (tensor<2xui64>) -> (tensor<2xui64>, {out})
  %z = stablehlo.constant dense<0> : tensor<2xui64>
  %y = stablehlo.constant dense<0> : {out}
  %r0 = stablehlo.add %s, %z : tensor<2xui64>
  %r1 = stablehlo.add %o, %y : {out}"""
    shapes = [np.zeros(2, np.uint64), np.zeros(count, np.uint32)]
    expected = by_xla(program([state], body, shapes), [state])
    check([state], body, expected, cache, xla=False)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "i32", "complex<f32>"])
def test_batches_of_nothing(dtype: str, cache: Path) -> None:
    """convolution and reduce_window with no batch have no result."""
    x, w = np.zeros((0, 5, 2), NUMPY[dtype]), np.ones((3, 2, 4), NUMPY[dtype])
    body = f"""
  %r0 = "stablehlo.convolution"(%a, %b) <{{batch_group_count = 1 : i64, feature_group_count = 1 : i64,
    dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>}}>
    : ({tensor(x)}, {tensor(w)}) -> tensor<0x3x4x{dtype}>"""
    check([x, w], body, [np.zeros((0, 3, 4), NUMPY[dtype])], cache)
