"""Operations with regions whose bodies are more than one operation: XLA == reference == compiled."""

from __future__ import annotations

import numpy as np
import pytest
from oracle_harness import sample
from text_oracle import check_text

X = sample("float32", (6, 7), 1, special=False)
N = np.random.default_rng(2).integers(-9, 9, (6, 7)).astype(np.int32)

ARGMAX = """
    ^bb0(%a: tensor<f32>, %i: tensor<i32>, %b: tensor<f32>, %j: tensor<i32>):
      %ge = stablehlo.compare GE, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %m = stablehlo.select %ge, %a, %b : tensor<i1>, tensor<f32>
      %eq = stablehlo.compare EQ, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %low = stablehlo.minimum %i, %j : tensor<i32>
      %k = stablehlo.select %ge, %i, %j : tensor<i1>, tensor<i32>
      %w = stablehlo.select %eq, %low, %k : tensor<i1>, tensor<i32>
      stablehlo.return %m, %w : tensor<f32>, tensor<i32>
"""


def test_reduce_to_two_results_of_two_types() -> None:
    text = f"""
    func.func @main(%x: tensor<6x7xf32>) -> (tensor<6xf32>, tensor<6xi32>) {{
      %n = stablehlo.iota dim = 1 : tensor<6x7xi32>
      %a0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
      %i0 = stablehlo.constant dense<0> : tensor<i32>
      %0:2 = "stablehlo.reduce"(%x, %n, %a0, %i0) <{{dimensions = array<i64: 1>}}> ({{ {ARGMAX} }}) :
        (tensor<6x7xf32>, tensor<6x7xi32>, tensor<f32>, tensor<i32>) -> (tensor<6xf32>, tensor<6xi32>)
      return %0#0, %0#1 : tensor<6xf32>, tensor<6xi32>
    }}"""
    check_text(text, X, wanted=[X.max(1), X.argmax(1).astype(np.int32)])


def test_reduce_with_three_operands_over_all_dimensions() -> None:
    """Three operations on three types at once."""
    text = """
    func.func @main(%x: tensor<6x7xf32>, %n: tensor<6x7xi32>) -> (tensor<i32>, tensor<f32>, tensor<f64>) {
      %d = stablehlo.convert %x : (tensor<6x7xf32>) -> tensor<6x7xf64>
      %i0 = stablehlo.constant dense<0> : tensor<i32>
      %f0 = stablehlo.constant dense<0.0> : tensor<f32>
      %d0 = stablehlo.constant dense<0.0> : tensor<f64>
      %0:3 = "stablehlo.reduce"(%n, %x, %d, %i0, %f0, %d0) <{dimensions = array<i64: 0, 1>}> ({
      ^bb0(%a: tensor<i32>, %b: tensor<f32>, %c: tensor<f64>, %e: tensor<i32>, %f: tensor<f32>, %g: tensor<f64>):
        %1 = stablehlo.add %a, %e : tensor<i32>
        %2 = stablehlo.maximum %b, %f : tensor<f32>
        %3 = stablehlo.minimum %c, %g : tensor<f64>
        stablehlo.return %1, %2, %3 : tensor<i32>, tensor<f32>, tensor<f64>
      }) : (tensor<6x7xi32>, tensor<6x7xf32>, tensor<6x7xf64>, tensor<i32>, tensor<f32>, tensor<f64>)
        -> (tensor<i32>, tensor<f32>, tensor<f64>)
      return %0#0, %0#1, %0#2 : tensor<i32>, tensor<f32>, tensor<f64>
    }"""
    wanted = [N.sum(dtype=np.int32), max(X.max(), 0), min(X.min().astype(np.float64), 0)]
    check_text(text, X, N, wanted=wanted)


def window_text(window: str, attributes: str, result: str) -> str:
    return f"""
    func.func @main(%x: tensor<6x7xf32>, %n: tensor<6x7xi32>) -> (tensor<{result}xf32>, tensor<{result}xi32>) {{
      %a0 = stablehlo.constant dense<-1.0e+30> : tensor<f32>
      %i0 = stablehlo.constant dense<100> : tensor<i32>
      %0:2 = "stablehlo.reduce_window"(%x, %n, %a0, %i0) <{{window_dimensions = array<i64: {window}> {attributes}}}> ({{
        {ARGMAX}
      }}) : (tensor<6x7xf32>, tensor<6x7xi32>, tensor<f32>, tensor<i32>) -> (tensor<{result}xf32>, tensor<{result}xi32>)
      return %0#0, %0#1 : tensor<{result}xf32>, tensor<{result}xi32>
    }}"""


WINDOWS = (
    ("2, 3", "", "5x5"),
    ("2, 3", ", window_strides = array<i64: 2, 1>", "3x5"),
    ("2, 2", ", window_dilations = array<i64: 3, 2>", "3x5"),
    ("3, 2", ", base_dilations = array<i64: 2, 3>", "9x18"),
    ("2, 2", ", padding = dense<[[1, 0], [2, 1]]> : tensor<2x2xi64>", "6x9"),
    ("2, 2", ", padding = dense<[[-1, 0], [1, -2]]> : tensor<2x2xi64>", "4x5"),
    (
        "2, 3",
        ", window_strides = array<i64: 1, 2>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 2, 1>,"
        " padding = dense<[[1, 1], [0, 2]]> : tensor<2x2xi64>",
        "11x4",
    ),
)


@pytest.mark.parametrize(("window", "attributes", "result"), WINDOWS)
def test_reduce_window_of_two_operands(window: str, attributes: str, result: str) -> None:
    check_text(window_text(window, attributes, result), X, N)


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64", "i32", "ui8", "i1"])
def test_reduce_window_of_every_kind(dtype: str) -> None:
    """The body is a sum, and a product with a condition."""
    import ml_dtypes

    kinds = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64, "i32": np.int32}
    kind = {**kinds, "ui8": np.uint8, "i1": np.bool_}[dtype]
    x = (np.abs(N) % 4).astype(kind)
    zero = "false" if dtype == "i1" else "0" if dtype[0] in "iu" else "0.0"
    for body in ("stablehlo.add %a, %b", "stablehlo.maximum %a, %b", "stablehlo.multiply %a, %b"):
        text = f"""
        func.func @main(%x: tensor<6x7x{dtype}>) -> tensor<5x3x{dtype}> {{
          %z = stablehlo.constant dense<{zero}> : tensor<{dtype}>
          %0 = "stablehlo.reduce_window"(%x, %z) <{{window_dimensions = array<i64: 2, 3>,
              window_strides = array<i64: 1, 2>}}> ({{
          ^bb0(%a: tensor<{dtype}>, %b: tensor<{dtype}>):
            %1 = {body} : tensor<{dtype}>
            stablehlo.return %1 : tensor<{dtype}>
          }}) : (tensor<6x7x{dtype}>, tensor<{dtype}>) -> tensor<5x3x{dtype}>
          return %0 : tensor<5x3x{dtype}>
        }}"""
        check_text(text, x)


def scatter_of_windows(select: str, scatter: str, dtype: str = "f32", shape: str = "3x3", attributes: str = "") -> str:
    t = f"tensor<{dtype}>"
    return f"""
    func.func @main(%x: tensor<6x7x{dtype}>, %s: tensor<{shape}x{dtype}>, %i: {t}) -> tensor<6x7x{dtype}> {{
      %0 = "stablehlo.select_and_scatter"(%x, %s, %i) <{{{attributes}}}> ({{
      ^bb0(%a: {t}, %b: {t}):
        {select}
        stablehlo.return %p : tensor<i1>
      }}, {{
      ^bb0(%a: {t}, %b: {t}):
        {scatter}
        stablehlo.return %r : {t}
      }}) : (tensor<6x7x{dtype}>, tensor<{shape}x{dtype}>, {t}) -> tensor<6x7x{dtype}>
      return %0 : tensor<6x7x{dtype}>
    }}"""


SELECT = {
    "largest": "%p = stablehlo.compare GE, %a, %b : ({t}, {t}) -> tensor<i1>",
    "smallest": "%p = stablehlo.compare LT, %a, %b : ({t}, {t}) -> tensor<i1>",
    "by-size": "%c = stablehlo.abs %a : {t}\n %d = stablehlo.abs %b : {t}\n"
    " %p = stablehlo.compare GT, %c, %d : ({t}, {t}) -> tensor<i1>",
}
SCATTER = {
    "add": "%r = stablehlo.add %a, %b : {t}",
    "max": "%r = stablehlo.maximum %a, %b : {t}",
    "of-several": "%c = stablehlo.multiply %b, %b : {t}\n %r = stablehlo.add %a, %c : {t}",
}
STEPS = "window_dimensions = array<i64: 2, 3>, window_strides = array<i64: 2, 2>"
OVERLAPPING = "window_dimensions = array<i64: 3, 3>, window_strides = array<i64: 1, 2>"
PADDED = f"{STEPS}, padding = dense<[[1, 1], [0, 1]]> : tensor<2x2xi64>"


@pytest.mark.parametrize("scatter", SCATTER)
@pytest.mark.parametrize("select", SELECT)
def test_select_and_scatter(select: str, scatter: str) -> None:
    for dtype, x in (("f32", X), ("i32", N), ("f64", X.astype(np.float64))):
        for attributes, shape in ((STEPS, (3, 3)), (OVERLAPPING, (4, 3)), (PADDED, (4, 3))):
            t = f"tensor<{dtype}>"
            source = (np.arange(np.prod(shape)).reshape(shape) - 3).astype(x.dtype)
            text = scatter_of_windows(
                SELECT[select].replace("{t}", t),
                SCATTER[scatter].replace("{t}", t),
                dtype,
                "x".join(map(str, shape)),
                attributes,
            )
            check_text(text, x, source, np.asarray(0, x.dtype), tolerance=1e-5)


def test_sort_of_three_operands_by_two_keys() -> None:
    text = """
    func.func @main(%n: tensor<6x7xi32>, %x: tensor<6x7xf32>) -> (tensor<6x7xi32>, tensor<6x7xf32>, tensor<6x7xi64>) {
      %i = stablehlo.iota dim = 1 : tensor<6x7xi64>
      %two = stablehlo.constant dense<2> : tensor<6x7xi32>
      %m = stablehlo.divide %n, %two : tensor<6x7xi32>
      %0:3 = "stablehlo.sort"(%m, %x, %i) <{dimension = 1 : i64, is_stable = true}> ({
      ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<f32>, %d: tensor<f32>, %e: tensor<i64>, %f: tensor<i64>):
        %lt = stablehlo.compare LT, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %eq = stablehlo.compare EQ, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %p = stablehlo.abs %c : tensor<f32>
        %q = stablehlo.abs %d : tensor<f32>
        %gt = stablehlo.compare GT, %p, %q : (tensor<f32>, tensor<f32>) -> tensor<i1>
        %both = stablehlo.and %eq, %gt : tensor<i1>
        %r = stablehlo.or %lt, %both : tensor<i1>
        stablehlo.return %r : tensor<i1>
      }) : (tensor<6x7xi32>, tensor<6x7xf32>, tensor<6x7xi64>) -> (tensor<6x7xi32>, tensor<6x7xf32>, tensor<6x7xi64>)
      return %0#0, %0#1, %0#2 : tensor<6x7xi32>, tensor<6x7xf32>, tensor<6x7xi64>
    }"""
    check_text(text, N, X)


def test_scatter_of_two_operands_of_two_types() -> None:
    text = """
    func.func @main(%x: tensor<6x7xf32>, %n: tensor<6x7xi32>, %i: tensor<4x1xi32>, %u: tensor<4x7xf32>,
        %v: tensor<4x7xi32>) -> (tensor<6x7xf32>, tensor<6x7xi32>) {
      %0:2 = "stablehlo.scatter"(%x, %n, %i, %u, %v) <{scatter_dimension_numbers = #stablehlo.scatter<
          update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0],
          index_vector_dim = 1>}> ({
      ^bb0(%a: tensor<f32>, %b: tensor<i32>, %c: tensor<f32>, %d: tensor<i32>):
        %ge = stablehlo.compare GE, %a, %c : (tensor<f32>, tensor<f32>) -> tensor<i1>
        %m = stablehlo.maximum %a, %c : tensor<f32>
        %k = stablehlo.select %ge, %b, %d : tensor<i1>, tensor<i32>
        stablehlo.return %m, %k : tensor<f32>, tensor<i32>
      }) : (tensor<6x7xf32>, tensor<6x7xi32>, tensor<4x1xi32>, tensor<4x7xf32>, tensor<4x7xi32>)
        -> (tensor<6x7xf32>, tensor<6x7xi32>)
      return %0#0, %0#1 : tensor<6x7xf32>, tensor<6x7xi32>
    }"""
    u, v = sample("float32", (4, 7), 5, special=False), np.arange(28, dtype=np.int32).reshape(4, 7)
    check_text(text, X, N, np.array([[1], [5], [9], [1]], np.int32), u, v)


def test_nested_control_flow_with_several_results() -> None:
    """A loop around a case around an if, each with results of two types."""
    text = """
    func.func @main(%x: tensor<4xf32>, %n: tensor<i32>) -> (tensor<4xf32>, tensor<i32>, tensor<2xi64>) {
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %one = stablehlo.constant dense<1> : tensor<i32>
      %three = stablehlo.constant dense<3> : tensor<i32>
      %v0 = stablehlo.constant dense<0> : tensor<2xi64>
      %two = stablehlo.constant dense<2.0> : tensor<4xf32>
      %r:4 = stablehlo.while(%i = %zero, %y = %x, %k = %zero, %v = %v0) :
          tensor<i32>, tensor<4xf32>, tensor<i32>, tensor<2xi64> cond {
        %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %small = stablehlo.constant dense<40> : tensor<i32>
        %d = stablehlo.compare LT, %k, %small : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %e = stablehlo.and %c, %d : tensor<i1>
        stablehlo.return %e : tensor<i1>
      } do {
        %which = stablehlo.remainder %i, %three : tensor<i32>
        %s:3 = "stablehlo.case"(%which) ({
          %a = stablehlo.add %y, %two : tensor<4xf32>
          %b = stablehlo.add %k, %one : tensor<i32>
          stablehlo.return %a, %b, %v : tensor<4xf32>, tensor<i32>, tensor<2xi64>
        }, {
          %odd = stablehlo.compare GT, %k, %one : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %t:2 = "stablehlo.if"(%odd) ({
            %a = stablehlo.multiply %y, %two : tensor<4xf32>
            %w = stablehlo.add %v, %v : tensor<2xi64>
            stablehlo.return %a, %w : tensor<4xf32>, tensor<2xi64>
          }, {
            %w = stablehlo.iota dim = 0 : tensor<2xi64>
            stablehlo.return %y, %w : tensor<4xf32>, tensor<2xi64>
          }) : (tensor<i1>) -> (tensor<4xf32>, tensor<2xi64>)
          stablehlo.return %t#0, %k, %t#1 : tensor<4xf32>, tensor<i32>, tensor<2xi64>
        }, {
          %b = stablehlo.multiply %k, %three : tensor<i32>
          stablehlo.return %y, %b, %v : tensor<4xf32>, tensor<i32>, tensor<2xi64>
        }) : (tensor<i32>) -> (tensor<4xf32>, tensor<i32>, tensor<2xi64>)
        %j = stablehlo.add %i, %one : tensor<i32>
        stablehlo.return %j, %s#0, %s#1, %s#2 : tensor<i32>, tensor<4xf32>, tensor<i32>, tensor<2xi64>
      }
      return %r#1, %r#2, %r#3 : tensor<4xf32>, tensor<i32>, tensor<2xi64>
    }"""
    for n in (0, 1, 5, 30):
        check_text(text, np.arange(4, dtype=np.float32), np.int32(n))


def test_a_loop_that_calls_no_counter() -> None:
    """Collatz: the condition and both branches read data."""
    text = """
    func.func @main(%n: tensor<i64>) -> (tensor<i64>, tensor<i64>) {
      %one = stablehlo.constant dense<1> : tensor<i64>
      %two = stablehlo.constant dense<2> : tensor<i64>
      %three = stablehlo.constant dense<3> : tensor<i64>
      %zero = stablehlo.constant dense<0> : tensor<i64>
      %r:2 = stablehlo.while(%k = %n, %steps = %zero) : tensor<i64>, tensor<i64> cond {
        %c = stablehlo.compare NE, %k, %one : (tensor<i64>, tensor<i64>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      } do {
        %m = stablehlo.remainder %k, %two : tensor<i64>
        %even = stablehlo.compare EQ, %m, %zero : (tensor<i64>, tensor<i64>) -> tensor<i1>
        %next = "stablehlo.if"(%even) ({
          %h = stablehlo.divide %k, %two : tensor<i64>
          stablehlo.return %h : tensor<i64>
        }, {
          %a = stablehlo.multiply %k, %three : tensor<i64>
          %b = stablehlo.add %a, %one : tensor<i64>
          stablehlo.return %b : tensor<i64>
        }) : (tensor<i1>) -> tensor<i64>
        %s = stablehlo.add %steps, %one : tensor<i64>
        stablehlo.return %next, %s : tensor<i64>, tensor<i64>
      }
      return %r#0, %r#1 : tensor<i64>, tensor<i64>
    }"""
    check_text(text, np.int64(27), wanted=[np.int64(1), np.int64(111)])


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("feature", [0, 1, 2])
def test_batch_norm(dtype: str, feature: int) -> None:
    import ml_dtypes

    kind = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}[dtype]
    shape = (4, 3, 5)
    rng = np.random.default_rng(7)
    x, dy = rng.normal(size=(2, *shape)).astype(kind)
    scale, offset, mean = rng.normal(size=(3, shape[feature])).astype(kind)
    variance = rng.uniform(0.5, 2, shape[feature]).astype(kind)
    t, f = f"tensor<4x3x5x{dtype}>", f"tensor<{shape[feature]}x{dtype}>"
    common = f"<{{epsilon = 0.001 : f32, feature_index = {feature} : i64}}>"
    text = f"""
    func.func @main(%x: {t}, %d: {t}, %s: {f}, %o: {f}, %m: {f}, %v: {f}) -> ({t}, {t}, {f}, {f}, {t}, {f}, {f}) {{
      %0 = "stablehlo.batch_norm_inference"(%x, %s, %o, %m, %v) {common} : ({t}, {f}, {f}, {f}, {f}) -> {t}
      %1:3 = "stablehlo.batch_norm_training"(%x, %s, %o) {common} : ({t}, {f}, {f}) -> ({t}, {f}, {f})
      %2:3 = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %d) {common} : ({t}, {f}, {f}, {f}, {t}) -> ({t}, {f}, {f})
      return %0, %1#0, %1#1, %1#2, %2#0, %2#1, %2#2 : {t}, {t}, {f}, {f}, {t}, {f}, {f}
    }}"""
    tolerance = {"f16": 1e-2, "bf16": 6e-2, "f32": 1e-4, "f64": 1e-10}[dtype]
    check_text(text, x, dy, scale, offset, mean, variance, tolerance=tolerance)
