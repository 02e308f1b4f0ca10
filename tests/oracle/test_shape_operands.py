"""Operations whose shapes and places are operands: given by arguments, and by constants. Both ways as NumPy has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from random_sizes import CALLS, combinations
from text_oracle import check_text

from tesselle.compiler import compile
from tesselle.runtime import load

Array = np.ndarray[Any, Any]
ROW, GRID = np.arange(6, dtype=np.float32), np.arange(30, dtype=np.float32).reshape(5, 6)


@dataclass(frozen=True)
class Case:
    """`%r = OP` on the tensor %x and the shape operands %a, %b, … (i32); the program returns r + r."""

    name: str
    op: str
    x: str
    shapes: tuple[Array, ...]
    result: str
    argument: Array
    expected: Array

    def types(self) -> list[str]:
        return [f"tensor<{''.join(f'{n}x' for n in a.shape)}i32>" for a in self.shapes]

    def text(self, *, computed: bool) -> str:
        names = [f"%{c}" for c in "abc"[: len(self.shapes)]]
        typed = list(zip(names, self.types(), self.shapes, strict=True))
        parameters = [f"%x: {self.x}", *(f"{n}: {t}" for n, t, _ in typed if computed)]
        lines = [f"{n} = stablehlo.constant dense<{a.tolist()}> : {t}" for n, t, a in typed if not computed]
        lines.append("%v = stablehlo.constant dense<-1.0> : tensor<f32>")
        types = ", ".join([self.x, *self.types()])
        lines.append(f"%r = {self.op.replace('TYPES', types)} -> {self.result}")
        lines += [f"%s = stablehlo.add %r, %r : {self.result}", f"return %s : {self.result}"]
        body = "\n  ".join(lines)
        return f"func.func @main({', '.join(parameters)}) -> {self.result} {{\n  {body}\n}}"


def i32(*values: object) -> Array:
    return np.array(values, np.int32)


def values(*shape: int) -> Array:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def padded(x: Array, low: int, high: int, interior: int) -> Array:
    out = np.full((len(x) - 1) * (interior + 1) + 1, -1, np.float32)
    out[:: interior + 1] = x
    out = out[max(-low, 0) : len(out) - max(-high, 0)]
    return np.pad(out, (max(low, 0), max(high, 0)), constant_values=-1)


def pad_case(name: str, low: int, high: int, interior: int) -> Case:
    op = (
        "stablehlo.dynamic_pad %x, %v, %a, %b, %c :"
        " (tensor<6xf32>, tensor<f32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>)"
    )
    amounts = (i32(low), i32(high), i32(interior))
    return Case(name, op, "tensor<6xf32>", amounts, "tensor<?xf32>", ROW, padded(ROW, low, high, interior))


GATHER = (
    '"stablehlo.dynamic_gather"(%x, %a, %b) <{dimension_numbers = #stablehlo.gather<offset_dims = [1],'
    " collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (TYPES)"
)
CONVOLUTION = (
    '"stablehlo.dynamic_conv"(%x, %x, %a) <{dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>,'
    " batch_group_count = 1 : i64, feature_group_count = 1 : i64}> : (tensor<1x1x6xf32>, tensor<1x1x6xf32>,"
    " tensor<1x2xi32>)"
)
CASES = (
    Case(
        "reshape",
        "stablehlo.dynamic_reshape %x, %a : (TYPES)",
        "tensor<5x6xf32>",
        (i32(3, 10),),
        "tensor<?x?xf32>",
        GRID,
        GRID.reshape(3, 10),
    ),
    Case(
        "reshape-of-dynamic",
        "stablehlo.dynamic_reshape %x, %a : (TYPES)",
        "tensor<?x?xf32>",
        (i32(2, 15),),
        "tensor<2x?xf32>",
        GRID,
        GRID.reshape(2, 15),
    ),
    Case(
        "broadcast",
        "stablehlo.dynamic_broadcast_in_dim %x, %a, dims = [1] : (TYPES)",
        "tensor<?xf32>",
        (i32(2, 6),),
        "tensor<?x?xf32>",
        ROW,
        np.broadcast_to(ROW, (2, 6)),
    ),
    Case(
        "broadcast-of-one",
        "stablehlo.dynamic_broadcast_in_dim %x, %a, dims = [1] : (TYPES)",
        "tensor<?xf32>",
        (i32(2, 4),),
        "tensor<?x?xf32>",
        ROW[3:4],
        np.full((2, 4), 3, np.float32),
    ),
    Case(
        "iota",
        "stablehlo.dynamic_iota %a, dim = 1 : (tensor<2xi32>)",
        "tensor<6xf32>",
        (i32(2, 5),),
        "tensor<?x?xf32>",
        ROW,
        np.broadcast_to(np.arange(5, dtype=np.float32), (2, 5)),
    ),
    pad_case("pad", 2, 1, 0),
    pad_case("pad-interior", 1, 0, 2),
    pad_case("pad-cut", -2, -1, 0),
    pad_case("pad-cut-and-interior", -1, 3, 1),
    Case(
        "real-slice",
        "stablehlo.real_dynamic_slice %x, %a, %b, %c : (TYPES)",
        "tensor<5x6xf32>",
        (i32(1, 0), i32(4, 6), i32(1, 2)),
        "tensor<?x?xf32>",
        GRID,
        GRID[1:4, 0:6:2],
    ),
    Case(
        "gather",
        GATHER,
        "tensor<5x6xf32>",
        (i32(4, 0, 2), i32(1, 4)),
        "tensor<3x?xf32>",
        GRID,
        GRID[[4, 0, 2], :4],
    ),
    Case(
        "set-dimension-size",
        "stablehlo.set_dimension_size %x, %a, dim = 1 : (TYPES)",
        "tensor<5x6xf32>",
        (np.array(4, np.int32),),
        "tensor<5x?xf32>",
        GRID,
        GRID[:, :4],
    ),
    Case(
        "convolution",
        CONVOLUTION,
        "tensor<1x1x6xf32>",
        (i32([2, 1]),),
        "tensor<1x1x?xf32>",
        ROW.reshape(1, 1, 6),
        np.correlate(np.pad(ROW, (2, 1)), ROW, "valid").reshape(1, 1, 4),
    ),
    Case(
        "slice",
        "stablehlo.dynamic_slice %x, %a, %b, sizes = [2, 3] : (TYPES)",
        "tensor<5x6xf32>",
        (np.array(7, np.int32), np.array(-2, np.int32)),
        "tensor<2x3xf32>",
        GRID,
        GRID[3:, :3],
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("computed", [True, False], ids=["argument", "constant"])
def test_shape_operands(case: Case, computed: bool) -> None:
    arguments = (case.argument, *case.shapes) if computed else (case.argument,)
    check_text(case.text(computed=computed), *arguments, wanted=[case.expected * 2])


def random_calls(name: str) -> list[tuple[list[Array], Array]]:
    """For the case of this name with shape operands as arguments: 200 lists of arguments, each with its result."""
    calls: list[tuple[list[Array], Array]] = []

    def add(expected: Array, *arguments: Array) -> None:
        calls.append(([np.asarray(a) for a in arguments], expected))

    match name:
        case "reshape":  # 30 elements in all
            for rows in (1, 2, 3, 5, 6, 10, 15, 30):
                add(GRID.reshape(rows, -1), GRID, i32(rows, 30 // rows))
        case "reshape-of-dynamic":
            for v in combinations("rc", legal=lambda v: v["r"] * v["c"] % 2 == 0):
                x = values(v["r"], v["c"])
                add(x.reshape(2, x.size // 2), x, i32(2, x.size // 2))
        case "broadcast":
            for v in combinations("nm"):
                x = values(v["m"])
                add(np.broadcast_to(x, (v["n"], v["m"])), x, i32(v["n"], v["m"]))
        case "broadcast-of-one":
            for v in combinations("nm"):
                add(np.broadcast_to(ROW[3], (v["n"], v["m"])), ROW[3:4], i32(v["n"], v["m"]))
        case "iota":
            for v in combinations("nm"):
                wanted = np.broadcast_to(np.arange(v["m"], dtype=np.float32), (v["n"], v["m"]))
                add(wanted, ROW, i32(v["n"], v["m"]))
        case "pad" | "pad-interior" | "pad-cut" | "pad-cut-and-interior":
            sign = (-1, -1) if name == "pad-cut" else (-1, 1) if name.startswith("pad-cut") else (1, 1)

            def legal(v: Mapping[str, int]) -> bool:
                """No more is cut off than there is."""
                return sum(max(-k * v[n], 0) for k, n in zip(sign, "lh", strict=True)) <= 6 + 5 * v["i"]

            for v in combinations("lhi", legal=legal):
                low, high, interior = sign[0] * v["l"], sign[1] * v["h"], v["i"]
                add(padded(ROW, low, high, interior), ROW, i32(low), i32(high), i32(interior))
        case "real-slice":
            rng = np.random.default_rng(0)
            for v in combinations("abcd", legal=lambda v: v["a"] <= v["b"] <= 5 and v["c"] <= v["d"] <= 6):
                steps = rng.integers(1, 4, 2)
                wanted = GRID[v["a"] : v["b"] : steps[0], v["c"] : v["d"] : steps[1]]
                add(wanted, GRID, i32(v["a"], v["c"]), i32(v["b"], v["d"]), steps.astype(np.int32))
        case "gather":
            for v in combinations("abcn", legal=lambda v: max(v["a"], v["b"], v["c"]) < 5 and v["n"] <= 6):
                rows = [v["a"], v["b"], v["c"]]
                add(GRID[rows, : v["n"]], GRID, i32(*rows), i32(1, v["n"]))
        case "set-dimension-size":
            for n in range(7):  # there are no more
                add(GRID[:, :n], GRID, np.array(n, np.int32))
        case "convolution":
            for v in combinations("lh"):
                low, high = v["l"], v["h"]
                wanted = np.correlate(np.pad(ROW, (low, high)), ROW, "valid")
                add(wanted.reshape(1, 1, -1), ROW.reshape(1, 1, 6), i32([low, high]))
        case _:  # slice
            for v in combinations("ij"):
                i, j = v["i"] - 7, v["j"] - 7
                a, b = min(max(i, 0), 3), min(max(j, 0), 3)
                add(GRID[a : a + 2, b : b + 3], GRID, np.array(i, np.int32), np.array(j, np.int32))
    return calls


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_two_hundred_sizes(case: Case) -> None:
    function = load(compile(case.text(computed=True)))["main"]
    calls = random_calls(case.name)
    assert len(calls) == {"reshape": 8, "set-dimension-size": 7}.get(case.name, CALLS)
    for arguments, wanted in calls:
        found = function(*arguments)
        said = str([a.shape if a.dtype == np.float32 else a.tolist() for a in arguments])
        assert found.shape == wanted.shape, said
        np.testing.assert_allclose(found, wanted * 2, rtol=1e-6, err_msg=said)


def test_update_of_a_slice_at_clamped_places() -> None:
    text = """
    func.func @main(%x: tensor<5x6xf32>, %u: tensor<2x3xf32>, %i: tensor<i64>, %j: tensor<i64>) -> tensor<5x6xf32> {
      %0 = stablehlo.dynamic_update_slice %x, %u, %i, %j :
        (tensor<5x6xf32>, tensor<2x3xf32>, tensor<i64>, tensor<i64>) -> tensor<5x6xf32>
      return %0 : tensor<5x6xf32>
    }"""
    for i, j in ((0, 0), (9, -3), (2, 5)):
        check_text(text, GRID, -np.ones((2, 3), np.float32), np.int64(i), np.int64(j))
    function = load(compile(text))["main"]
    for v in combinations("ij"):
        i, j = v["i"] - 7, v["j"] - 7
        wanted = GRID.copy()
        wanted[min(max(i, 0), 3) :, min(max(j, 0), 3) :][:2, :3] = -1
        np.testing.assert_array_equal(function(GRID, -np.ones((2, 3), np.float32), np.int64(i), np.int64(j)), wanted)


@pytest.mark.parametrize(
    ("low", "high"), [((1, 0), (-1, 0)), ((-2, 2), (3, -1)), ((3, -1), (-3, 0)), ((-1, -1), (1, 1))]
)
def test_a_cut_that_reaches_into_the_padding_of_the_other_side(low: tuple[int, int], high: tuple[int, int]) -> None:
    """Of a tensor of open sizes: there may be less of it than is cut off."""
    text = f"""
    func.func @main(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {{
      %v = stablehlo.constant dense<-1.0> : tensor<f32>
      %r = stablehlo.pad %x, %v, low = {list(low)}, high = {list(high)}, interior = [0, 0] :
        (tensor<?x?xf32>, tensor<f32>) -> tensor<?x?xf32>
      return %r : tensor<?x?xf32>
    }}"""
    function = load(compile(text))["main"]
    for v in combinations("mn", {"m": 0, "n": 1 if low[1] + high[1] < 0 else 0}):
        x = values(v["m"], v["n"])
        wide = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)], constant_values=-1)
        wanted = wide[tuple(slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, wide.shape, strict=True))]
        np.testing.assert_array_equal(function(x), wanted, err_msg=str(v))


def test_sizes_computed_by_the_device_in_a_loop() -> None:
    """Every iteration makes a tensor whose size depends on what the one before has computed."""
    text = """
    func.func @main(%n: tensor<i32>) -> (tensor<i32>, tensor<f32>) {
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %one = stablehlo.constant dense<1> : tensor<i32>
      %two = stablehlo.constant dense<2> : tensor<i32>
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %r:3 = stablehlo.while(%i = %zero, %size = %one, %sum = %z) : tensor<i32>, tensor<i32>, tensor<f32> cond {
        %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      } do {
        %shape = stablehlo.reshape %size : (tensor<i32>) -> tensor<1xi32>
        %iota = stablehlo.dynamic_iota %shape, dim = 0 : (tensor<1xi32>) -> tensor<?xf32>
        %e = stablehlo.exponential %iota : tensor<?xf32>
        %part = stablehlo.reduce(%e init: %sum) applies stablehlo.maximum across dimensions = [0] :
          (tensor<?xf32>, tensor<f32>) -> tensor<f32>
        %next = stablehlo.multiply %size, %two : tensor<i32>
        %k = stablehlo.add %i, %one : tensor<i32>
        stablehlo.return %k, %next, %part : tensor<i32>, tensor<i32>, tensor<f32>
      }
      return %r#1, %r#2 : tensor<i32>, tensor<f32>
    }"""
    check_text(text, np.int32(4), wanted=[np.int32(16), np.float32(np.exp(7.0))], tolerance=1e-5)
    function = load(compile(text))["main"]
    for n in range(8):  # what comes behind is not finite
        size, largest = function(np.int32(n))
        assert size == 2**n
        np.testing.assert_allclose(largest, np.exp(2.0 ** (n - 1) - 1) if n else 0, rtol=1e-5)


def test_rows_chosen_by_data() -> None:
    """The number of positive elements is the size of the result."""
    text = """
    func.func @main(%x: tensor<8xf32>) -> tensor<?xf32> {
      %z = stablehlo.constant dense<0.0> : tensor<8xf32>
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %c = stablehlo.compare GT, %x, %z : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
      %n = stablehlo.convert %c : (tensor<8xi1>) -> tensor<8xi32>
      %count = stablehlo.reduce(%n init: %zero) applies stablehlo.add across dimensions = [0] :
        (tensor<8xi32>, tensor<i32>) -> tensor<i32>
      %sorted = "stablehlo.sort"(%x) <{dimension = 0 : i64}> ({
      ^bb0(%a: tensor<f32>, %b: tensor<f32>):
        %g = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
        stablehlo.return %g : tensor<i1>
      }) : (tensor<8xf32>) -> tensor<8xf32>
      %r = stablehlo.set_dimension_size %sorted, %count, dim = 0 : (tensor<8xf32>, tensor<i32>) -> tensor<?xf32>
      %s = stablehlo.sqrt %r : tensor<?xf32>
      return %s : tensor<?xf32>
    }"""
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=8).astype(np.float32)
        check_text(text, x, wanted=[np.sqrt(np.sort(x[x > 0])[::-1])], tolerance=1e-6)
    function = load(compile(text))["main"]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=8).astype(np.float32) - np.float32((-2, 0, 2)[seed % 3])  # all, some and none
        np.testing.assert_allclose(function(x), np.sqrt(np.sort(x[x > 0])[::-1]), rtol=1e-6)


def test_a_cut_that_reaches_into_the_padding_beside_an_open_dimension() -> None:
    text = """
    func.func @main(%x: tensor<?x2xf32>) -> tensor<?x1xf32> {
      %v = stablehlo.constant dense<-1.0> : tensor<f32>
      %r = stablehlo.pad %x, %v, low = [0, -3], high = [0, 2], interior = [0, 0] :
        (tensor<?x2xf32>, tensor<f32>) -> tensor<?x1xf32>
      return %r : tensor<?x1xf32>
    }"""
    for rows in (0, 1, 5):
        check_text(text, values(rows, 2), wanted=[np.full((rows, 1), -1, np.float32)])
