"""Infeed, outfeed, send and recv of a compiled program: queues between it and its host."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tesselle as ts
from tesselle.support.diagnostics import ExecutionError

SOURCE = """
func.func @infeed(%t: !stablehlo.token) -> (tensor<2xf32>, tensor<i32>, !stablehlo.token) {
  %r:3 = "stablehlo.infeed"(%t) : (!stablehlo.token) -> (tensor<2xf32>, tensor<i32>, !stablehlo.token)
  %x = stablehlo.add %r#0, %r#0 : tensor<2xf32>
  func.return %x, %r#1, %r#2 : tensor<2xf32>, tensor<i32>, !stablehlo.token
}
func.func @outfeed(%p: tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> !stablehlo.token {
  %x = stablehlo.get_tuple_element %p[0] : (tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tensor<2xf32>
  %q = stablehlo.get_tuple_element %p[1] : (tuple<tensor<2xf32>, tuple<tensor<i32>, !stablehlo.token>>) -> tuple<tensor<i32>, !stablehlo.token>
  %i = stablehlo.get_tuple_element %q[0] : (tuple<tensor<i32>, !stablehlo.token>) -> tensor<i32>
  %t = stablehlo.get_tuple_element %q[1] : (tuple<tensor<i32>, !stablehlo.token>) -> !stablehlo.token
  %o = "stablehlo.outfeed"(%x, %i, %t) : (tensor<2xf32>, tensor<i32>, !stablehlo.token) -> !stablehlo.token
  func.return %o : !stablehlo.token
}
func.func @echo(%n: tensor<i32>) -> tensor<i32> {
  %t = stablehlo.create_token : !stablehlo.token
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %w:3 = stablehlo.while(%i = %zero, %sum = %zero, %k = %t) : tensor<i32>, tensor<i32>, !stablehlo.token
  cond {
    %p = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %r:2 = "stablehlo.recv"(%k) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>, is_host_transfer = true} : (!stablehlo.token) -> (tensor<i32>, !stablehlo.token)
    %s = stablehlo.add %sum, %r#0 : tensor<i32>
    %k2 = "stablehlo.send"(%s, %r#1) {channel_handle = #stablehlo.channel_handle<handle = 2, type = 2>, is_host_transfer = true} : (tensor<i32>, !stablehlo.token) -> !stablehlo.token
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %s, %k2 : tensor<i32>, tensor<i32>, !stablehlo.token
  }
  func.return %w#1 : tensor<i32>
}
"""  # noqa: E501  # MLIR text


@pytest.fixture(scope="module")
def program() -> ts.Program:
    return ts.load(ts.compile(SOURCE))


def test_infeed_reads_what_was_fed(program: ts.Program) -> None:
    program.transfers.feed(np.array([1, 2], np.float32), np.int32(5))
    program.transfers.feed(np.array([3, 4], np.float32), np.int32(6))
    for doubled, number in (([2, 4], 5), ([6, 8], 6)):
        x, i = program["infeed"]()
        np.testing.assert_array_equal(x, doubled)
        assert i == number


def test_tuples_are_their_leaves(program: ts.Program) -> None:
    """A nested tuple is one argument for each of its tensors; a token is none."""
    assert len(program["outfeed"].signature.arguments) == 2
    program["outfeed"](np.array([1, 2], np.float32), np.int32(3))
    x, i = program.transfers.drain()
    np.testing.assert_array_equal(x, [1, 2])
    assert i == 3


def test_channels_keep_their_order_in_loops(program: ts.Program) -> None:
    values = [4, 5, 6]
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(int(program["echo"](np.int32(3)))))
    thread.start()
    sums = []
    for v in values:
        program.transfers.send(1, np.int32(v))
        sums.append(int(program.transfers.receive(2)[0]))
    thread.join()
    assert sums == [4, 9, 15]
    assert result == [15]


def test_an_empty_infeed_is_an_error_with_a_place(program: ts.Program) -> None:
    before, program.transfers.timeout_s = program.transfers.timeout_s, 0.05
    try:
        with pytest.raises(
            ExecutionError, match=r"infeed is empty: Program.transfers.feed\(…\) fills it.*the call is at <text>:3:3"
        ):
            program["infeed"]()
        with pytest.raises(ExecutionError, match="outfeed is empty"):
            program.transfers.drain()
    finally:
        program.transfers.timeout_s = before


def test_values_of_a_wrong_type_are_refused(program: ts.Program) -> None:
    program.transfers.feed(np.array([1, 2], np.float64), np.int32(5))
    with pytest.raises(ExecutionError, match="result 0 must be tensor<2xf32>"):
        program["infeed"]()
