"""CHLO on whole tensors: XLA == reference == compiled."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np
import pytest
from oracle_harness import assert_close, sample
from random_sizes import SMALL as SMALL_SIZES
from random_sizes import combinations
from text_oracle import check_text, run_compiled, run_reference

from tesselle.compiler import compile
from tesselle.ir.text import parse_module, print_op
from tesselle.runtime import load
from tesselle.support.dtypes import DTYPES

NAMES = {
    "float32": "f32",
    "int32": "i32",
    "uint32": "ui32",
    "bool": "i1",
    "float64": "f64",
    "complex64": "complex<f32>",
}

KINDS = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}


def tensor(shape: Sequence[int | str], dtype: str) -> str:
    return f"tensor<{''.join(f'{d}x' for d in shape)}{NAMES.get(dtype, dtype)}>"


BINARY = (
    ("add", "float32"),
    ("add", "complex64"),
    ("add", "bool"),
    ("and", "int32"),
    ("and", "bool"),
    ("atan2", "float32"),
    ("divide", "int32"),
    ("maximum", "float32"),
    ("minimum", "uint32"),
    ("multiply", "int32"),
    ("or", "uint32"),
    ("power", "int32"),
    ("remainder", "float32"),
    ("shift_left", "int32"),
    ("shift_right_arithmetic", "int32"),
    ("shift_right_logical", "uint32"),
    ("subtract", "float64"),
    ("xor", "bool"),
    ("next_after", "float32"),
)
SHAPES = (((3, 1), (4,), (3, 4)), ((), (2, 3), (2, 3)), ((2, 3), (2, 3), (2, 3)), ((5, 1, 1), (1, 4), (5, 1, 4)))


@pytest.mark.parametrize(("name", "dtype"), BINARY)
def test_broadcasting(name: str, dtype: str) -> None:
    for a, b, out in SHAPES:
        text = (
            f"func.func @main(%a: {tensor(a, dtype)}, %b: {tensor(b, dtype)}) -> {tensor(out, dtype)} {{\n"
            f"  %0 = chlo.broadcast_{name} %a, %b : ({tensor(a, dtype)}, {tensor(b, dtype)}) -> {tensor(out, dtype)}\n"
            f"  return %0 : {tensor(out, dtype)}\n}}"
        )
        x, y = sample(dtype, a, 1, special=False), sample(dtype, b, 2, special=False)
        check_text(text, x, y, tolerance=1e-5)


def test_broadcasting_by_given_dimensions() -> None:
    text = """
    func.func @main(%a: tensor<2x3x4xf32>, %b: tensor<2x1xf32>) -> tensor<2x3x4xf32> {
      %0 = chlo.broadcast_add %b, %a {broadcast_dimensions = array<i64: 0, 2>} :
        (tensor<2x1xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
      return %0 : tensor<2x3x4xf32>
    }"""
    a, b = sample("float32", (2, 3, 4), special=False), sample("float32", (2, 1), special=False)
    check_text(text, a, b, wanted=[a + b[:, None, :]])


def test_broadcasting_compare_complex_select() -> None:
    text = """
    func.func @main(%a: tensor<3x1xf32>, %b: tensor<4xf32>, %p: tensor<i1>)
        -> (tensor<3x4xi1>, tensor<3x4xcomplex<f32>>, tensor<3x4xf32>, tensor<3x4xi1>) {
      %0 = chlo.broadcast_compare %a, %b {comparison_direction = #chlo<comparison_direction GE>} :
        (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xi1>
      %1 = chlo.broadcast_complex %a, %b : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xcomplex<f32>>
      %2 = chlo.broadcast_select %0, %a, %b : (tensor<3x4xi1>, tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
      %3 = chlo.broadcast_compare %a, %b {comparison_direction = #chlo<comparison_direction LT>,
        compare_type = #chlo<comparison_type TOTALORDER>} : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xi1>
      return %0, %1, %2, %3 : tensor<3x4xi1>, tensor<3x4xcomplex<f32>>, tensor<3x4xf32>, tensor<3x4xi1>
    }"""
    a, b = sample("float32", (3, 1), 3), np.array([np.nan, -0.0, 0.0, 1.5], np.float32)
    check_text(text, a, b, np.array(True))


DYNAMIC = """
func.func @main(%a: tensor<?x?xf32>, %b: tensor<?xf32>, %c: tensor<f32>) -> tensor<?x?xf32> {
  %0 = chlo.broadcast_subtract %a, %b : (tensor<?x?xf32>, tensor<?xf32>) -> tensor<?x?xf32>
  %1 = chlo.broadcast_compare %0, %c {comparison_direction = #chlo<comparison_direction LT>} :
    (tensor<?x?xf32>, tensor<f32>) -> tensor<?x?xi1>
  %2 = "chlo.constant_like"(%0) <{value = 2.5 : f32}> : (tensor<?x?xf32>) -> tensor<?x?xf32>
  %3 = chlo.broadcast_select %1, %2, %0 : (tensor<?x?xi1>, tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  return %3 : tensor<?x?xf32>
}"""


@pytest.mark.parametrize(("a", "b"), [((3, 4), (4,)), ((3, 1), (4,)), ((1, 4), (1,)), ((0, 4), (4,)), ((2, 1), (1,))])
def test_broadcasting_dynamic_shapes(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = sample("float32", a, 1, special=False), sample("float32", b, 2, special=False)
    difference = x - y
    wanted = np.where(difference < 0.5, np.float32(2.5), difference)
    check_text(DYNAMIC, x, y, np.float32(0.5), wanted=[wanted])


def test_broadcasting_two_hundred_shapes() -> None:
    function = load(compile(DYNAMIC))["main"]

    def legal(v: Mapping[str, int]) -> bool:
        return v["c"] == v["n"] or 1 in (v["c"], v["n"])

    for v in combinations("rcn", legal=legal):
        x, y = sample("float32", (v["r"], v["c"]), 1, special=False), sample("float32", (v["n"],), 2, special=False)
        difference = x - y
        wanted = np.where(difference < 0.5, np.float32(2.5), difference)
        assert_close([function(x, y, np.float32(0.5))], [wanted], str(v))


def test_constant() -> None:
    text = """
    func.func @main() -> (tensor<2x2xi32>, tensor<3xcomplex<f32>>) {
      %0 = chlo.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
      %1 = chlo.constant dense<(1.0, -2.0)> : tensor<3xcomplex<f32>>
      return %0, %1 : tensor<2x2xi32>, tensor<3xcomplex<f32>>
    }"""
    check_text(text, wanted=[np.array([[1, 2], [3, 4]], np.int32), np.full(3, 1 - 2j, np.complex64)])


def scan_text(t: str, piece: str, carry: str, body: str, dimension: int, *, reverse: bool) -> str:
    return f"""
    func.func @main(%x: {t}, %c: {carry}) -> ({t}, {carry}) {{
      %0:2 = "chlo.scan"(%x, %c) <{{dimension = {dimension} : i64, is_reverse = {str(reverse).lower()},
        operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1, 1>}}> ({{
      ^bb0(%v: {piece}, %s: {carry}):
        {body}
        stablehlo.return %r, %n : {piece}, {carry}
      }}) : ({t}, {carry}) -> ({t}, {carry})
      return %0#0, %0#1 : {t}, {carry}
    }}"""


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dimension", [0, 1])
def test_scan(dimension: int, reverse: bool) -> None:
    x = sample("float32", (4, 5), 1, special=False)
    size = 5 if dimension == 0 else 4
    c = sample("float32", (size,), 2, special=False)
    piece = f"tensor<{size}xf32>"
    body = f"%n = stablehlo.add %v, %s : {piece}\n %r = stablehlo.multiply %n, %v : {piece}"
    text = scan_text("tensor<4x5xf32>", piece, piece, body, dimension, reverse=reverse)
    rows, carry, out = np.moveaxis(x, dimension, 0), c, {}
    order = range(len(rows))
    for i in reversed(order) if reverse else order:
        carry = rows[i] + carry
        out[i] = carry * rows[i]
    wanted = np.moveaxis(np.stack([out[i] for i in order]), 0, dimension)
    check_text(text, x, c, wanted=[wanted, carry], tolerance=1e-5)


def test_scan_along_a_dynamic_dimension() -> None:
    text = """
    func.func @main(%x: tensor<?x3xf32>, %c: tensor<3xf32>, %n: tensor<i32>)
        -> (tensor<?x3xf32>, tensor<3xf32>, tensor<i32>) {
      %0:3 = "chlo.scan"(%x, %c, %n) <{dimension = 0 : i64, is_reverse = true,
        operandSegmentSizes = array<i32: 1, 2>, resultSegmentSizes = array<i32: 1, 2>}> ({
      ^bb0(%v: tensor<3xf32>, %s: tensor<3xf32>, %k: tensor<i32>):
        %one = stablehlo.constant dense<1> : tensor<i32>
        %a = stablehlo.add %v, %s : tensor<3xf32>
        %b = stablehlo.add %k, %one : tensor<i32>
        stablehlo.return %s, %a, %b : tensor<3xf32>, tensor<3xf32>, tensor<i32>
      }) : (tensor<?x3xf32>, tensor<3xf32>, tensor<i32>) -> (tensor<?x3xf32>, tensor<3xf32>, tensor<i32>)
      return %0#0, %0#1, %0#2 : tensor<?x3xf32>, tensor<3xf32>, tensor<i32>
    }"""
    for rows in (1, 4):
        x, c = sample("float32", (rows, 3), 1, special=False), np.zeros(3, np.float32)
        totals = np.cumsum(np.concatenate([c[None], x[::-1]]), 0, dtype=np.float32)
        wanted = [totals[:-1][::-1], totals[-1], np.int32(rows + 7)]
        check_text(text, x, c, np.int32(7), wanted=wanted, tolerance=1e-5)
    function = load(compile(text))["main"]
    for v in combinations("n"):
        x, c = sample("float32", (v["n"], 3), 1, special=False), np.ones(3, np.float32)
        totals = np.cumsum(np.concatenate([c[None], x[::-1]]), 0, dtype=np.float32)
        wanted = [totals[:-1][::-1], totals[-1], np.int32(v["n"] + 7)]
        assert_close(function(x, c, np.int32(7)), wanted, str(v), 1e-4)


def test_scan_of_slices_of_open_sizes() -> None:
    """The outputs are twice as long as the slices: only the body says so."""
    text = """
    func.func @main(%x: tensor<?x?xf32>, %c: tensor<?xf32>) -> (tensor<?x?xf32>, tensor<?xf32>) {
      %0:2 = "chlo.scan"(%x, %c) <{dimension = 1 : i64, is_reverse = true,
        operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%v: tensor<?xf32>, %s: tensor<?xf32>):
        %a = stablehlo.add %v, %s : tensor<?xf32>
        %b = stablehlo.concatenate %a, %v, dim = 0 : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
        stablehlo.return %b, %a : tensor<?xf32>, tensor<?xf32>
      }) : (tensor<?x?xf32>, tensor<?xf32>) -> (tensor<?x?xf32>, tensor<?xf32>)
      return %0#0, %0#1 : tensor<?x?xf32>, tensor<?xf32>
    }"""
    for rows, columns in ((1, 1), (3, 5), (4, 0)):
        x, c = sample("float32", (rows, columns), 1, special=False), np.ones(rows, np.float32)
        totals = c[:, None] + np.cumsum(x[:, ::-1], 1, dtype=np.float32)[:, ::-1]
        wanted = [np.concatenate([totals, x]), totals[:, 0] if columns else c]
        check_text(text, x, c, wanted=wanted, tolerance=1e-5)
    function = load(compile(text))["main"]
    for v in combinations("rc"):
        x, c = sample("float32", (v["r"], v["c"]), 1, special=False), np.ones(v["r"], np.float32)
        totals = c[:, None] + np.cumsum(x[:, ::-1], 1, dtype=np.float32)[:, ::-1]
        wanted = [np.concatenate([totals, x]), totals[:, 0] if v["c"] else c]
        assert_close(function(x, c), wanted, str(v), 1e-4)


def ragged_text(lhs: str, rhs: str, sizes: str, out: str, numbers: str) -> str:
    return f"""
    func.func @main(%l: {lhs}, %r: {rhs}, %g: {sizes}) -> {out} {{
      %0 = "chlo.ragged_dot"(%l, %r, %g) <{{ragged_dot_dimension_numbers = #chlo.ragged_dot<{numbers}>}}> :
        ({lhs}, {rhs}, {sizes}) -> {out}
      return %0 : {out}
    }}"""


def groups() -> list[tuple[list[int], int, int]]:
    """200 lists of the sizes of groups, with two sizes that the groups share."""
    rng = np.random.default_rng(0)
    drawn = combinations("gkn", sizes=(*SMALL_SIZES, 16, 17))
    return [([int(s) for s in rng.choice(SMALL_SIZES, v["g"])], v["k"], v["n"]) for v in drawn]


def test_ragged_rows() -> None:
    numbers = (
        "lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1],"
        " rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]"
    )
    text = ragged_text("tensor<11x5xf32>", "tensor<3x5x7xf32>", "tensor<3xi32>", "tensor<11x7xf32>", numbers)
    a, b = sample("float32", (11, 5), 1, special=False), sample("float32", (3, 5, 7), 2, special=False)
    for sizes in ([3, 5, 3], [0, 4, 0], [11, 0, 0]):
        wanted, start = np.zeros((11, 7), np.float32), 0
        for g, size in enumerate(sizes):
            wanted[start : start + size] = a[start : start + size] @ b[g]
            start += size
        check_text(text, a, b, np.array(sizes, np.int32), wanted=[wanted], tolerance=1e-5)


def test_ragged_rows_of_open_sizes() -> None:
    numbers = "lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0],"
    types = ("tensor<?x?xf32>", "tensor<?x?x?xf32>", "tensor<?xi32>", "tensor<?x?xf32>")
    text = ragged_text(*types, f"{numbers} rhs_group_dimensions = [0]")
    function = load(compile(text))["main"]
    first = [([3, 5, 3], 5, 7), ([2], 1, 3), ([0, 4], 2, 1)]
    for i, (sizes, k, n) in enumerate((*first, *groups())):
        rows = sum(sizes)
        a, b = sample("float32", (rows, k), 1, special=False), sample("float32", (len(sizes), k, n), 2, special=False)
        wanted, start = np.zeros((rows, n), np.float32), 0
        for g, size in enumerate(sizes):
            wanted[start : start + size] = a[start : start + size] @ b[g]
            start += size
        arguments = a, b, np.array(sizes, np.int32)
        if i < len(first):
            assert_close(run_reference(text, *arguments), [wanted], "the reference", 1e-5)
        assert_close([function(*arguments)], [wanted], f"{sizes}, {k}, {n}", 1e-4)


def test_ragged_contraction_of_open_sizes() -> None:
    numbers = "lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0], lhs_ragged_dimensions = [1],"
    types = ("tensor<4x?xf32>", "tensor<?x?xf32>", "tensor<?xi32>", "tensor<?x4x?xf32>")
    text = ragged_text(*types, f"{numbers} rhs_group_dimensions = []")
    function = load(compile(text))["main"]
    first = [([3, 4, 2], 5), ([1, 0], 2)]
    for i, (sizes, n) in enumerate((*first, *((sizes, n) for sizes, _, n in groups()))):
        k = sum(sizes)
        a, b = sample("float32", (4, k), 1, special=False), sample("float32", (k, n), 2, special=False)
        ends = np.cumsum([0, *sizes])
        wanted = np.zeros((len(sizes), 4, n), np.float32)
        for g, (low, high) in enumerate(itertools.pairwise(ends)):
            wanted[g] = a[:, low:high] @ b[low:high]
        arguments = a, b, np.array(sizes, np.int32)
        if i < len(first):
            assert_close(run_reference(text, *arguments), [wanted], "the reference", 1e-5)
        assert_close([function(*arguments)], [wanted], f"{sizes}, {n}", 1e-4)


def test_ragged_rows_keep_what_is_not_finite_to_their_group() -> None:
    numbers = "lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0],"
    text = ragged_text(
        "tensor<4x2xf32>",
        "tensor<2x2x2xf32>",
        "tensor<2xi64>",
        "tensor<4x2xf32>",
        f"{numbers} rhs_group_dimensions = [0]",
    )
    b = np.ones((2, 2, 2), np.float32)
    b[1] = np.inf
    wanted = np.full((4, 2), 2, np.float32)
    wanted[2:] = np.inf
    check_text(text, np.ones((4, 2), np.float32), b, np.array([2, 2]), wanted=[wanted])


def test_ragged_batched_rows() -> None:
    numbers = (
        "lhs_batching_dimensions = [0], rhs_batching_dimensions = [1], lhs_contracting_dimensions = [2],"
        " rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [1], rhs_group_dimensions = [0]"
    )
    text = ragged_text("tensor<2x6x3xf32>", "tensor<2x2x3x4xf32>", "tensor<2x2xi32>", "tensor<2x6x4xf32>", numbers)
    a, b = sample("float32", (2, 6, 3), 1, special=False), sample("float32", (2, 2, 3, 4), 2, special=False)
    sizes = np.array([[2, 4], [5, 0]], np.int32)
    wanted = np.zeros((2, 6, 4), np.float32)
    for i in range(2):
        start = 0
        for g in range(2):
            stop = start + sizes[i, g]
            wanted[i, start:stop] = a[i, start:stop] @ b[g, i]
            start = stop
    check_text(text, a, b, sizes, wanted=[wanted], tolerance=1e-5)


def test_ragged_contraction() -> None:
    numbers = (
        "lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1],"
        " rhs_contracting_dimensions = [0], lhs_ragged_dimensions = [1], rhs_group_dimensions = []"
    )
    text = ragged_text("tensor<4x9xf32>", "tensor<9x5xf32>", "tensor<3xi32>", "tensor<3x4x5xf32>", numbers)
    a, b = sample("float32", (4, 9), 1, special=False), sample("float32", (9, 5), 2, special=False)
    for sizes in ([2, 3, 4], [0, 9, 0], [1, 1, 1]):
        ends = np.cumsum(sizes)
        wanted = np.stack([a[:, e - n : e] @ b[e - n : e] for e, n in zip(ends, sizes, strict=True)])
        check_text(text, a, b, np.array(sizes, np.int32), wanted=[wanted], tolerance=1e-5)


def test_ragged_batches() -> None:
    numbers = (
        "lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2],"
        " rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = []"
    )
    text = ragged_text("tensor<4x2x3xf32>", "tensor<4x3x5xf32>", "tensor<2xi32>", "tensor<4x2x5xf32>", numbers)
    a, b = sample("float32", (4, 2, 3), 1, special=False), sample("float32", (4, 3, 5), 2, special=False)
    check_text(text, a, b, np.array([1, 3], np.int32), wanted=[a @ b], tolerance=1e-5)


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64", "i8", "ui16", "i32", "i64"])
def test_top_k(dtype: str) -> None:
    numpy = KINDS.get(dtype)
    text = f"""
    func.func @main(%x: tensor<3x9x{dtype}>) -> (tensor<3x4x{dtype}>, tensor<3x4xi32>) {{
      %0:2 = chlo.top_k(%x, k = 4) : tensor<3x9x{dtype}> -> (tensor<3x4x{dtype}>, tensor<3x4xi32>)
      return %0#0, %0#1 : tensor<3x4x{dtype}>, tensor<3x4xi32>
    }}"""
    rng = np.random.default_rng(3)
    if numpy is None:
        x = rng.integers(0, 4, (3, 9)).astype({"i8": "i1", "ui16": "u2", "i32": "i4", "i64": "i8"}[dtype])
    else:
        x = rng.integers(-2, 3, (3, 9)).astype(numpy)
        x[1, :5] = [np.nan, np.inf, -np.inf, -0.0, 0.0]
    check_text(text, x)


INTEGERS = ("i8", "ui8", "i16", "ui16", "i32", "ui32", "i64", "ui64")


@pytest.mark.parametrize("name", INTEGERS)
def test_mulhi(name: str) -> None:
    """Against Python's exact integers."""
    kind = np.dtype(name.replace("ui", "uint") if name[0] == "u" else name.replace("i", "int"))
    info = np.iinfo(kind)
    rng = np.random.default_rng(5)
    x, y = rng.integers(info.min, info.max, (2, 40), dtype=kind, endpoint=True)
    x[:3], y[:3] = (info.min, info.max, 1), (info.min, info.max, info.min)
    wanted = np.array([(int(p) * int(q)) >> info.bits for p, q in zip(x, y, strict=True)], kind)
    t = f"tensor<40x{name}>"
    text = f"func.func @main(%a: {t}, %b: {t}) -> {t} {{ %0 = chlo.mulhi %a, %b : {t}, {t} -> {t}\n return %0 : {t} }}"
    check_text(text, x, y, wanted=[wanted])


@pytest.mark.parametrize("name", KINDS)
def test_next_after(name: str) -> None:
    """Bit for bit C's nextafter, but for what bits a nan has."""
    values = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 65504.0, 6e-8, -6e-8, 3.0)
    x, y = np.array([(p, q) for p in values for q in values]).astype(KINDS[name]).T.copy()
    t = f"tensor<{len(x)}x{name}>"
    op = f"%0 = chlo.next_after %a, %b : {t}, {t} -> {t}"
    text = f"func.func @main(%a: {t}, %b: {t}) -> {t} {{ {op}\n return %0 : {t} }}"
    with np.errstate(over="ignore"):
        wanted = np.where(x == y, y, np.nextafter(x, y))
    nan = np.isnan(wanted.astype(np.float64))
    for run in (run_reference, run_compiled):
        (found,) = run(text, x, y)
        np.testing.assert_array_equal(np.isnan(found.astype(np.float64)), nan)
        assert found[~nan].tobytes() == wanted[~nan].tobytes()


SMALL = (
    "f4E2M1FN",
    "f6E2M3FN",
    "f6E3M2FN",
    "f8E3M4",
    "f8E4M3",
    "f8E4M3B11FNUZ",
    "f8E4M3FN",
    "f8E4M3FNUZ",
    "f8E5M2",
    "f8E5M2FNUZ",
)


@pytest.mark.parametrize("name", SMALL)
def test_next_after_of_every_small_float(name: str) -> None:
    """Every code, towards numbers above, below and equal."""
    kind = DTYPES[name].numpy
    codes = np.arange(1 << DTYPES[name].bits, dtype=np.uint8).view(kind)
    finite = codes[np.isfinite(codes.astype(np.float32))]
    ends = [finite.max(), finite.min(), kind.type(0), kind.type(1)]
    x, y = np.concatenate([codes] * 5), np.concatenate([*(np.full_like(codes, e) for e in ends), codes])
    t = f"tensor<{len(x)}x{name}>"
    op = f"%0 = chlo.next_after %a, %b : {t}, {t} -> {t}"
    text = f"func.func @main(%a: {t}, %b: {t}) -> {t} {{ {op}\n return %0 : {t} }}"
    (found,), (meaning,) = run_compiled(text, x, y), run_reference(text, x, y)
    np.testing.assert_array_equal(found.astype(np.float32), meaning.astype(np.float32))


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "float16", "bfloat16", "int8", "uint64"])
def test_square_and_conj(dtype: str) -> None:
    name = {"complex128": "complex<f64>", "float16": "f16", "bfloat16": "bf16", "int8": "i8", "uint64": "ui64"}
    t = tensor((9,), name.get(dtype, dtype))
    x = sample(dtype, (9,), special=False)
    text = f"""
    func.func @main(%a: {t}) -> ({t}, {t}) {{
      %0 = chlo.square %a : {t} -> {t}
      %1 = chlo.conj %a : {t} -> {t}
      return %0, %1 : {t}, {t}
    }}"""
    check_text(text, x, wanted=[x * x, np.conj(x)], tolerance=1e-2)


VALUES = (
    ("1.5 : f32", "f32", np.float32(1.5)),
    ("true", "i1", np.True_),
    ("2 : i64", "i64", np.int64(2)),
    ("-3 : i8", "i8", np.int8(-3)),
    ("2.5 : bf16", "bf16", ml_dtypes.bfloat16(2.5)),
    ("#complex.number<:f32 1.0, -2.0> : complex<f32>", "complex<f32>", np.complex64(1 - 2j)),
)


@pytest.mark.parametrize(("value", "dtype", "number"), VALUES, ids=lambda v: str(v))
@pytest.mark.parametrize("size", ["3", "?"])
def test_constant_like_has_the_type_of_its_value(size: str, value: str, dtype: str, number: object) -> None:
    text = f"""
    func.func @main(%x: tensor<{size}xf32>) -> tensor<{size}x{dtype}> {{
      %0 = "chlo.constant_like"(%x) <{{value = {value}}}> : (tensor<{size}xf32>) -> tensor<{size}x{dtype}>
      return %0 : tensor<{size}x{dtype}>
    }}"""
    check_text(text, np.zeros(3, np.float32), wanted=[np.array([number] * 3)])
    module = parse_module(text)
    assert print_op(parse_module(print_op(module))) == print_op(module)


def test_scan_of_nothing() -> None:
    piece = "tensor<2xf32>"
    body = f"%n = stablehlo.add %v, %s : {piece}\n %r = stablehlo.multiply %n, %v : {piece}"
    text = scan_text("tensor<0x2xf32>", piece, piece, body, 0, reverse=False)
    x, c = np.zeros((0, 2), np.float32), np.ones(2, np.float32)
    check_text(text, x, c, wanted=[x, c])
