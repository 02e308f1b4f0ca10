"""Operations that move what quantized tensors store, and regions that compute on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from tests.oracle.quantized.programs import Array, Quant, by_reference, check, compiled, function

from tesselle.compiler import compile
from tesselle.support.dtypes import BF16, I8

Q = Quant((0.5,), (3,))
AXIS = Quant((0.5, 0.25, 2.0), (3, -5, 0), 1)
T23, T = Q.tensor(2, 3), Q.tensor()
SCALARS = f"%x: {T}, %y: {T}"


def _region(body: str) -> str:
    return f"({{\n^bb0({SCALARS}):\n{body}\n}})"


ADDER = _region(f'  %s = stablehlo.add %x, %y : {T}\n  "stablehlo.return"(%s) : ({T}) -> ()')
MAXIMUM = _region(f'  %s = stablehlo.maximum %x, %y : {T}\n  "stablehlo.return"(%s) : ({T}) -> ()')
LESS = _region(
    f'  %s = stablehlo.compare LT, %x, %y : ({T}, {T}) -> tensor<i1>\n  "stablehlo.return"(%s) : (tensor<i1>) -> ()'
)
GREATER_EQUAL = LESS.replace(" LT,", " GE,")

X = Q.sample(2, 3)
MOVES: dict[str, tuple[str, str, Callable[[Array], Array]]] = {
    # name: the operation, its result type, the same in NumPy
    "reshape": ("stablehlo.reshape %a", Q.tensor(6), lambda x: x.reshape(6)),
    "transpose": ("stablehlo.transpose %a, dims = [1, 0]", Q.tensor(3, 2), lambda x: x.T),
    "broadcast_in_dim": (
        "stablehlo.broadcast_in_dim %a, dims = [0, 2]",
        Q.tensor(2, 4, 3),
        lambda x: np.broadcast_to(x[:, None], (2, 4, 3)),
    ),
    "reverse": ('"stablehlo.reverse"(%a) <{dimensions = array<i64: 1>}>', T23, lambda x: x[:, ::-1]),
    "slice": ("stablehlo.slice %a [0:2, 1:3]", Q.tensor(2, 2), lambda x: x[:, 1:3]),
    "optimization_barrier": ('"stablehlo.optimization_barrier"(%a)', T23, lambda x: x),
    "bitcast_convert": ("stablehlo.bitcast_convert %a", "tensor<2x3xui8>", lambda x: x.view(np.uint8)),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name: str, cache: Path) -> None:
    operation, result, expected = MOVES[name]
    text = function([T23], [result], f"  %r0 = {operation} : ({T23}) -> {result}")
    check(text, [X], [expected(X)], cache, jaxlib=False)


def test_axis_moves_along(cache: Path) -> None:
    """transpose, reshape and broadcast_in_dim of per-axis tensors: the scales follow, as dequantizing shows."""
    x = AXIS.sample(2, 3)
    first = Quant(AXIS.scales, AXIS.zeros, 0)
    last = Quant(AXIS.scales, AXIS.zeros, 2)
    ta = AXIS.tensor(2, 3)
    body = f"""
  %0 = stablehlo.transpose %a, dims = [1, 0] : ({ta}) -> {first.tensor(3, 2)}
  %1 = stablehlo.reshape %0 : ({first.tensor(3, 2)}) -> {first.tensor(3, 2, 1)}
  %2 = stablehlo.broadcast_in_dim %a, dims = [1, 2] : ({ta}) -> {last.tensor(4, 2, 3)}
  %r0 = stablehlo.uniform_dequantize %1 : ({first.tensor(3, 2, 1)}) -> tensor<3x2x1xf32>
  %r1 = stablehlo.uniform_dequantize %2 : ({last.tensor(4, 2, 3)}) -> tensor<4x2x3xf32>"""
    real = AXIS.to_float(x)
    text = function([ta], ["tensor<3x2x1xf32>", "tensor<4x2x3xf32>"], body)
    check(text, [x], [real.T[..., None], np.broadcast_to(real, (4, 2, 3))], cache, jaxlib=False)


def test_several_operands(cache: Path) -> None:
    """concatenate, pad, dynamic_slice, dynamic_update_slice, gather."""
    y, i = Q.sample(2, 3, seed=1), np.array(1, np.int32)
    types = [Q.tensor(4, 3), Q.tensor(3, 5), Q.tensor(1, 2), T23, Q.tensor(2, 1)]
    body = f"""
  %z = "stablehlo.constant"() <{{value = dense<3> : tensor<i8>}}> : () -> {T}
  %i = stablehlo.constant dense<[[2], [0]]> : tensor<2x1xi32>
  %u = stablehlo.slice %b [0:1, 0:2] : ({T23}) -> {Q.tensor(1, 2)}
  %r0 = stablehlo.concatenate %a, %b, dim = 0 : ({T23}, {T23}) -> {types[0]}
  %r1 = stablehlo.pad %a, %z, low = [0, 1], high = [1, 1], interior = [0, 0] : ({T23}, {T}) -> {types[1]}
  %r2 = stablehlo.dynamic_slice %a, %c, %c, sizes = [1, 2] : ({T23}, tensor<i32>, tensor<i32>) -> {types[2]}
  %r3 = stablehlo.dynamic_update_slice %a, %u, %c, %c : ({T23}, {types[2]}, tensor<i32>, tensor<i32>) -> {T23}
  %r4 = "stablehlo.gather"(%a, %i) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1],
    collapsed_slice_dims = [1], start_index_map = [1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 1>}}>
    : ({T23}, tensor<2x1xi32>) -> {types[4]}"""
    padded = np.full((3, 5), 3, np.int8)
    padded[:2, 1:4] = X
    updated = X.copy()
    updated[1:2, 1:3] = y[:1, :2]
    expected = [np.concatenate([X, y]), padded, X[1:2, 1:3], updated, X[:1, [2, 0]].T]
    check(function([T23, T23, "tensor<i32>"], types, body), [X, y, i], expected, cache, jaxlib=False)


def test_iota(cache: Path) -> None:
    """iota gives quantize(index)."""
    q = Quant((0.5,), (-100,))
    body = f"  %r0 = stablehlo.iota dim = 1 : {q.tensor(2, 200)}"
    want = q.to_stored(np.broadcast_to(np.arange(200, dtype=np.float32), (2, 200)))
    check(function([], [q.tensor(2, 200)], body), [], [want], cache, jaxlib=False)


def test_reduce(cache: Path) -> None:
    """The body quantizes every partial sum; these stay in range, so that the order does not matter."""
    x = np.array([[4, -5, 7, 3], [0, 9, -3, 3]], np.int8)
    init = np.array(3, np.int8)
    ta, tv = Q.tensor(2, 4), Q.tensor(2)
    body = f"""
  %r0 = "stablehlo.reduce"(%a, %b) <{{dimensions = array<i64: 1>}}> {ADDER} : ({ta}, {T}) -> {tv}
  %r1 = "stablehlo.reduce"(%a, %b) <{{dimensions = array<i64: 1>}}> {MAXIMUM} : ({ta}, {T}) -> {tv}"""
    real = Q.to_float(x)
    expected = [Q.to_stored(real.sum(axis=1)), Q.to_stored(np.maximum(real.max(axis=1), 0))]
    check(function([ta, T], [tv, tv], body), [x, init], expected, cache, jaxlib=False)


def test_reduce_promotes(cache: Path) -> None:
    """A body on a wider storage type: inputs are requantized first (to_destination_type)."""
    wide = Quant((0.25,), (10,), None, "i32")
    x, init = np.full((3, 100), 127, np.int8), np.array(3, np.int8)
    ta, tw = Q.tensor(3, 100), wide.tensor()
    adder = ADDER.replace(T, tw)
    body = (
        f'  %r0 = "stablehlo.reduce"(%a, %b) <{{dimensions = array<i64: 1>}}> {adder} : ({ta}, {T}) -> {wide.tensor(3)}'
    )
    want = wide.to_stored(Q.to_float(x).sum(axis=1))
    assert (want > 1000).all()
    check(function([ta, T], [wide.tensor(3)], body), [x, init], [want], cache, jaxlib=False)


def test_windows(cache: Path) -> None:
    """reduce_window with padding, and select_and_scatter."""
    x, source = Q.sample(6, 6), np.arange(-4, 5).reshape(3, 3).astype(np.int8)
    init = np.array(-128, np.int8)
    zero = np.array(3, np.int8)
    ta, tw, ts = Q.tensor(6, 6), Q.tensor(4, 4), Q.tensor(3, 3)
    body = f"""
  %r0 = "stablehlo.reduce_window"(%a, %b) <{{window_dimensions = array<i64: 2, 2>, window_strides = array<i64: 2, 2>,
    padding = dense<1> : tensor<2x2xi64>}}> {MAXIMUM} : ({ta}, {T}) -> {tw}
  %r1 = "stablehlo.select_and_scatter"(%a, %c, %d) <{{window_dimensions = array<i64: 2, 2>,
    window_strides = array<i64: 2, 2>, padding = dense<0> : tensor<2x2xi64>}}>
    ({GREATER_EQUAL[1:-1]}, {ADDER[1:-1]}) : ({ta}, {ts}, {T}) -> {ta}"""
    padded = np.full((8, 8), -128, np.int8)
    padded[1:7, 1:7] = x
    scattered = np.full((6, 6), 3, np.int8)
    for i, j in np.ndindex(3, 3):
        k = int(np.argmax(x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]))
        scattered[2 * i + k // 2, 2 * j + k % 2] = source[i, j]
    expected = [padded.reshape(4, 2, 4, 2).max(axis=(1, 3)), scattered]
    check(function([ta, T, ts, T], [tw, ta], body), [x, init, source, zero], expected, cache, jaxlib=False)


def test_scatter(cache: Path) -> None:
    """Sums of quantized updates, and a skipped one."""
    x = np.array([4, -5, 7, 3], np.int8)
    updates, places = np.array([5, 7, 3, -9], np.int8), np.array([[1], [3], [1], [9]], np.int32)
    ta, tu = Q.tensor(4), Q.tensor(4)
    body = f"""
  %r0 = "stablehlo.scatter"(%a, %b, %c) <{{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0],
    scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> {ADDER} : ({ta}, tensor<4x1xi32>, {tu}) -> {ta}"""
    real = Q.to_float(x)
    for place, value in zip(places[:3, 0], Q.to_float(updates), strict=False):
        real[place] += value
    check(
        function([ta, "tensor<4x1xi32>", tu], [ta], body),
        [x, places, updates],
        [Q.to_stored(real)],
        cache,
        jaxlib=False,
    )


def test_sort_and_map(cache: Path) -> None:
    x = Q.sample(3, 17)
    ta = Q.tensor(3, 17)
    body = f"""
  %r0 = "stablehlo.sort"(%a) <{{dimension = 1 : i64, is_stable = true}}> {LESS} : ({ta}) -> {ta}
  %r1 = "stablehlo.map"(%a, %a) <{{dimensions = array<i64: 0, 1>}}> {ADDER} : ({ta}, {ta}) -> {ta}"""
    expected = [np.sort(x, axis=1), Q.to_stored(2 * Q.to_float(x))]
    check(function([ta], [ta, ta], body), [x], expected, cache, jaxlib=False)


def test_control_flow(cache: Path) -> None:
    """while and if hand quantized values on, per axis too; func.call as well."""
    ta, q = AXIS.tensor(2, 3), Q.tensor()
    x, y = AXIS.sample(2, 3), np.array(5, np.int8)
    text = f"""
func.func private @twice(%x: {ta}) -> {ta} {{
  %0 = stablehlo.add %x, %x : {ta}
  return %0 : {ta}
}}
func.func @main(%a: {ta}, %b: {q}) -> ({ta}, {q}, {ta}) {{
  %one = "stablehlo.constant"() <{{value = dense<5> : tensor<i8>}}> : () -> {q}
  %limit = "stablehlo.constant"() <{{value = dense<43> : tensor<i8>}}> : () -> {q}
  %0:2 = "stablehlo.while"(%b, %a) ({{
  ^bb0(%i: {q}, %v: {ta}):
    %p = stablehlo.compare LT, %i, %limit : ({q}, {q}) -> tensor<i1>
    "stablehlo.return"(%p) : (tensor<i1>) -> ()
  }}, {{
  ^bb0(%i: {q}, %v: {ta}):
    %n = stablehlo.add %i, %one : {q}
    %w = func.call @twice(%v) : ({ta}) -> {ta}
    "stablehlo.return"(%n, %w) : ({q}, {ta}) -> ()
  }}) : ({q}, {ta}) -> ({q}, {ta})
  %p = stablehlo.compare GT, %0#0, %one : ({q}, {q}) -> tensor<i1>
  %1 = "stablehlo.if"(%p) ({{
    "stablehlo.return"(%0#1) : ({ta}) -> ()
  }}, {{
    "stablehlo.return"(%a) : ({ta}) -> ()
  }}) : (tensor<i1>) -> {ta}
  return %1, %0#0, %a : {ta}, {q}, {ta}
}}
"""
    i, v = y, x
    real_one = Q.to_float(np.array(5, np.int8))
    while Q.to_float(i) < Q.to_float(np.array(43, np.int8)):
        i = Q.to_stored(Q.to_float(i) + real_one)
        v = AXIS.to_stored(AXIS.to_float(v) + AXIS.to_float(v))
    check(text, [x, y], [v, i, x], cache, jaxlib=False)


def test_collectives_of_one_process(cache: Path) -> None:
    """What nobody sends is quantize(0): the zero point; a sum over one process in a wider type is requantized."""
    wide = Quant((0.25,), (10,), None, "i16")
    t, tw, x = Q.tensor(4), wide.tensor(4), Q.sample(4)
    adder = ADDER.replace(T, wide.tensor())
    body = f"""
  %r0 = "stablehlo.collective_permute"(%a) <{{source_target_pairs = dense<> : tensor<0x2xi64>}}> : ({t}) -> {t}
  %r1 = "stablehlo.collective_permute"(%a) <{{source_target_pairs = dense<0> : tensor<1x2xi64>}}> : ({t}) -> {t}
  %r2 = "stablehlo.all_reduce"(%a) <{{replica_groups = dense<0> : tensor<1x1xi64>}}> {adder} : ({t}) -> {tw}"""
    expected = [np.full(4, 3, np.int8), x, wide.to_stored(Q.to_float(x))]
    check(function([t], [t, t, tw], body), [x], expected, cache, jaxlib=False)


def test_tuples(cache: Path) -> None:
    ta = AXIS.tensor(2, 3)
    body = f"""
  %0 = "stablehlo.tuple"(%a, %a) : ({ta}, {ta}) -> tuple<{ta}, {ta}>
  %r0 = stablehlo.get_tuple_element %0[1] : (tuple<{ta}, {ta}>) -> {ta}"""
    x = AXIS.sample(2, 3)
    (found,) = compiled(function([ta], [ta], body), [x], cache)
    np.testing.assert_array_equal(found, x)


def test_dynamic_forms(cache: Path) -> None:
    """dynamic_broadcast_in_dim, dynamic_reshape, dynamic_pad, real_dynamic_slice."""
    td = Q.tensor("?", "?")
    shape = np.array([3, 2], np.int32)
    body = f"""
  %z = "stablehlo.constant"() <{{value = dense<3> : tensor<i8>}}> : () -> {T}
  %zero = stablehlo.constant dense<0> : tensor<2xi32>
  %one = stablehlo.constant dense<1> : tensor<2xi32>
  %r0 = stablehlo.dynamic_reshape %a, %b : ({T23}, tensor<2xi32>) -> {td}
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi32>
  %r1 = stablehlo.dynamic_broadcast_in_dim %z, %s, dims = [] : ({T}, tensor<2xi32>) -> {td}
  %r2 = stablehlo.dynamic_pad %a, %z, %one, %zero, %zero
    : ({T23}, {T}, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> {td}
  %r3 = stablehlo.real_dynamic_slice %a, %zero, %one, %one
    : ({T23}, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> {td}"""
    expected = [
        X.reshape(3, 2),
        np.full((3, 2), 3, np.int8),
        np.pad(X, ((1, 0), (1, 0)), constant_values=3),
        X[:1, :1],
    ]
    check(function([T23, "tensor<2xi32>"], [td] * 4, body), [X, shape], expected, cache, jaxlib=False)


def test_dynamic_iota() -> None:
    td = Q.tensor("?", "?")
    text = function(["tensor<2xi32>"], [td], f"  %r0 = stablehlo.dynamic_iota %a, dim = 0 : (tensor<2xi32>) -> {td}")
    want = Q.to_stored(np.repeat(np.arange(3, dtype=np.float32)[:, None], 2, 1))
    (found,) = by_reference(text, [np.array([3, 2], np.int32)])
    np.testing.assert_array_equal(found, want)


def test_sub_byte_storage(cache: Path) -> None:
    """i4 tensors are moved as what they store."""
    q = Quant((0.5,), (-2,), storage="i4")
    x = q.sample(4, 2)
    body = f"  %r0 = stablehlo.transpose %a, dims = [1, 0] : ({q.tensor(4, 2)}) -> {q.tensor(2, 4)}"
    check(function([q.tensor(4, 2)], [q.tensor(2, 4)], body), [x], [x.T], cache, jaxlib=False)


def test_signature_keeps_the_quantization() -> None:
    """Arguments and results are arrays of what is stored; the signature says how it is meant."""
    q = Quant((0.5,), (3,), expressed="bf16")
    text = function(
        [q.tensor(2)],
        ["tensor<2xbf16>"],
        f"  %r0 = stablehlo.uniform_dequantize %a : ({q.tensor(2)}) -> tensor<2xbf16>",
    )
    (record,) = compile(text).manifest.functions
    assert (record.arguments[0].dtype, record.results[0].dtype) == (I8, BF16)
    assert record.arguments[0].quantization == "!quant.uniform<i8:bf16, 5.000000e-01:3>"
    assert record.results[0].quantization == ""
    assert "tensor<2x!quant.uniform<i8:bf16" in str(record.arguments[0])
    (found,) = by_reference(text, [np.array([3, 5], np.int8)])
    np.testing.assert_array_equal(found, np.array([0, 1], ml_dtypes.bfloat16))
