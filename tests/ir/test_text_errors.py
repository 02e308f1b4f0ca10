"""Texts that are wrong: one clear error, at the right place."""

from __future__ import annotations

import pytest

from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import ParseError, TesselleError, Unsupported, VerifyError

HEAD = "func.func @f(%a: tensor<2x3xf32>, %s: tensor<f32>) -> tensor<2x3xf32> {\n"
TAIL = "\n  return %a : tensor<2x3xf32>\n}\n"

# (line inside the function, place, part of the message)
LINES: list[tuple[str, str, str]] = [
    ('  %0 = "foo', "2:8", "unterminated string"),
    ("  %0 = stablehlo.add %a, %b : tensor<2x3xf32>", "2:26", "%b is not defined"),
    ("  %0 = stablehlo.add %a, %s : tensor<2x3xf32>", "2:26", "%s has type tensor<f32>, used here as tensor<2x3xf32>"),
    ("  %a = stablehlo.negate %a : tensor<2x3xf32>", "2:3", "%a is defined twice"),
    ("  %0 = stablehlo.negate %a : tensor<2x3xf33>", "2:30", "there is no element type f33"),
    ("  %0 = stablehlo.negate %a : tensor<2x3>", "2:30", "malformed type"),
    ("  %0 = stablehlo.negate %a : tensr<2x3xf32>", "2:30", "expected a type, found 'tensr'"),
    ("  %0 = stablehlo.negate %a : tensor<*xf32>", "2:30", "tensors without a rank"),
    ("  %0 = stablehlo.negate %a : tensor<99999999999999999999xf32>", "2:30", "too large"),
    ("  %0 = stablehlo.negate %a tensor<2x3xf32>", "2:28", "expected ':', found 'tensor<2x3xf32>'"),
    ("  %0 = stablehlo.negate %a :", "3:3", "expected a type, found 'return'"),
    ("  %0 = stablehlo.negate : tensor<2x3xf32>", "2:25", "expected a value, found ':'"),
    ("  %0 = stablehlo.transpose %a, dims = [1, x] : (tensor<2x3xf32>) -> tensor<3x2xf32>", "2:43", "an integer"),
    ("  %0 = stablehlo.transpose %a, perm = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>", "2:32", "'dims'"),
    ("  %0 = stablehlo.compare XX, %a, %a : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>", "2:26", "EQ or NE"),
    ("  %0:2 = stablehlo.negate %a : tensor<2x3xf32>", "2:3", "stablehlo.negate has 1 results, found names for 2"),
    ("  %0, %1 = stablehlo.negate %a : tensor<2x3xf32>", "2:3", "stablehlo.negate has 1 results"),
    ('  %0 = "stablehlo.negate"(%a) : () -> tensor<2x3xf32>', "2:39", "1 operands have 0 types"),
    ('  "stablehlo.negate"(%a) {x = 1, x = 2} : (tensor<2x3xf32>) -> ()', "2:34", "attribute 'x' is given twice"),
    (
        '  %0 = "stablehlo.iota"() <{iota_dimension = "x"}> : () -> tensor<2x3xf32>',
        "2:8",
        "attribute 'iota_dimension' of stablehlo.iota must be an integer",
    ),
    ("  %0 = stablehlo.constant dense<[1.0, 2.0]> : tensor<3xf32>", "2:33", "elements of shape [2] do not fit"),
    ("  %0 = stablehlo.constant dense<[[1.0], [2.0, 3.0]]> : tensor<2x2xf32>", "2:50", "a list of 1 elements, found 2"),
    ("  %0 = stablehlo.constant dense<[1.0, [2.0]]> : tensor<2xf32>", "2:39", "nested to different depths"),
    ("  %0 = stablehlo.constant dense<[1.0, ]> : tensor<2xf32>", "2:39", "expected an element"),
    ("  %0 = stablehlo.constant dense<1> : tensor<2xf32>", "2:33", "expected a float with a point"),
    ("  %0 = stablehlo.constant dense<1.5> : tensor<2xi32>", "2:33", "expected an integer"),
    ("  %0 = stablehlo.constant dense<300> : tensor<2xi8>", "2:33", "300 does not fit into i8"),
    ("  %0 = stablehlo.constant dense<2> : tensor<2xi1>", "2:33", "expected true or false"),
    ('  %0 = stablehlo.constant dense<"0x0011"> : tensor<2xi32>', "2:33", "needs 8 bytes, found 2"),
    ('  %0 = stablehlo.constant dense<"0x001"> : tensor<2xi32>', "2:33", "malformed hexadecimal data"),
    ('  %0 = stablehlo.constant dense<"abc"> : tensor<2xi32>', "2:33", "a string of hexadecimal data"),
    ("  %0 = stablehlo.constant dense<0.0> : tensor<?xf32>", "2:40", "static shape"),
    ("  %0 = stablehlo.constant dense<(1.0, 2.0)> : tensor<2xf32>", "2:33", "is no element of"),
    ("  %0 = stablehlo.constant dense_resource<w> : tensor<2xf32>", "2:42", "resource w is not in this text"),
    ("  %0 = stablehlo.constant dense_resource<__elided__> : tensor<2xf32>", "2:42", "were left out"),
    ("  %0 = stablehlo.constant 5 : i32", "2:27", "expected the elements of a tensor"),
    (
        "  stablehlo.custom_call @f(%a) {x = #nothing} : (tensor<2x3xf32>) -> ()",
        "2:37",
        "alias #nothing is not defined",
    ),
    ("  %0 = stablehlo.negate %a : !nothing", "2:30", "type alias !nothing is not defined"),
    ("  %0 = stablehlo.negate %a : tensor<2x3xf32> loc(#x)", "2:50", "location #x is not defined"),
    ("  %0 = stablehlo.negate %a : tensor<2x3xf32> loc(bad)", "2:50", "expected a location, found 'bad'"),
    ("  )", "2:3", "expected an operation, found ')'"),
    ("  nonsense", "2:3", "expected an operation, found 'nonsense'"),
    ("  %0 = ", "2:3", "func.return has 0 results, found names for 1"),
    (
        "  %0 = stablehlo.reduce(%a init: %s) applies stablehlo.cosine across dimensions = [0] :"
        " (tensor<2x3xf32>, tensor<f32>) -> tensor<3xf32>",
        "2:46",
        "expected a binary operation",
    ),
    (
        "  %0 = stablehlo.convolution(%a, %a) dim_numbers = [b, f]x[i, i]->[b, f], window = {} :"
        " (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>",
        "2:63",
        "'i', 'o' or the number",
    ),
]


@pytest.mark.parametrize(("line", "place", "message"), LINES, ids=[line.strip()[:48] for line, _, _ in LINES])
def test_wrong_line(line: str, place: str, message: str) -> None:
    with pytest.raises((ParseError, Unsupported)) as caught:
        parse_module(HEAD + line + TAIL, "wrong.mlir")
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"wrong.mlir:{place}: error")
    assert len(caught.value.diagnostics) == 1


TEXTS: list[tuple[str, str]] = [
    ("func.func @f() {", "expected '}', found the end of the text"),
    ("func.func @f(", "expected a type, found the end of the text"),
    ("func.func f() { return }", "expected a symbol, found 'f'"),
    ('func.func @"f', "unterminated string"),
    ("func.func @f(tensor<f32>) { return }", "the arguments of a function with a body need names"),
    ("func.func @f(%a: tensor<f32>, tensor<f32>)", "expected a value"),
    ("func.func @f() {}", "function @f has an empty body"),
    ("module {", "expected '}'"),
    ("module } {", "expected '{', found '}'"),
    ("#a = #b\n#b = #a\nfunc.func private @f() attributes {x = #a}", "alias #a is defined by itself"),
    ("#a = 1 : i64\n#a = 2 : i64", "alias #a is defined twice"),
    ("#loc = loc(#loc)\nfunc.func private @f() loc(#loc)", "is defined by itself"),
    ("{-# dialect_resources: {builtin: {a: 5 #-}", "expected a section of metadata, found '#-}'"),
    ('"test.a"() ({^x: "test.b"()[^y] : () -> ()}) : () -> ()', "block ^y is not defined"),
    ('"test.a"() ({^x: "test.b"() : () -> () ^x: "test.b"() : () -> ()}) : () -> ()', "block ^x is defined twice"),
    ("func.func private @f() attributes {m = affine_map<(d0) -> (d1)>}", "expected a dimension"),
    ("func.func private @f() attributes {m = affine_map<(d0) -> (d0 mod 0)>}", "division by zero"),
    ("func.func private @f() attributes {m = distinct[0]<unit>}", "distinct<…> are not supported"),
    ("func.func private @f() attributes {m = sparse<[[4]], [1]> : tensor<4xi64>}", "lies outside of tensor<4xi64>"),
    ("func.func private @f() attributes {m = sparse<[[0]]> : tensor<4xi64>}", "have indices and values"),
    ("func.func private @f() attributes {m = sparse<0, 1> : tensor<9999x9999xi64>}", "too many to be made dense"),
    ("func.func private @f() attributes {m = #stablehlo.dot<foo = [1]>}", "another field of DotDimensionNumbers"),
    ("func.func private @f() attributes {m = #stablehlo.channel_handle<handle = 1>}", "misses type"),
    ("func.func private @f() attributes {m = #x.y<(}", "unterminated attribute"),
    ("func.func private @f(tensor<2x!quant.uniform<i3:f32, 0.5>>)", "there is no storage type i3"),
    ("func.func private @f(!quux.type)", "there is no type !quux.type"),
    ("func.func private @f(complex<i8>)", "there is no element type complex<i8>"),
    ("func.func private @f(i128)", "there is no type i128"),
    ("\0\1\2", "expected an operation"),
    ("%", "expected a value"),
    ('"', "unterminated string"),
]


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=[t[:40] for t, _ in TEXTS])
def test_wrong_text(text: str, message: str) -> None:
    with pytest.raises((ParseError, Unsupported)) as caught:
        parse_module(text, "wrong.mlir", allow_unregistered=True)
    assert message in str(caught.value)
    assert "wrong.mlir:" in str(caught.value)


def test_all_unknown_operations_are_listed_at_once() -> None:
    text = """\
func.func @f(%a: tensor<f32>) -> tensor<f32> {
  %0 = stablehlo.negate %a : tensor<f32>
  %1 = foo.bar %0, %a {x = "stablehlo.what"} : tensor<f32>
  %2 = "baz.qux"(%1) : (tensor<f32>) -> tensor<f32>
  %3 = stablehlo.no_such_op %2 : tensor<f32>
  %4 = stablehlo.add %3, %3 : tensor<f32>
  return %4 : tensor<f32>
}
"""
    with pytest.raises(Unsupported) as caught:
        parse_module(text, "unknown.mlir")
    found = [(d.message.split()[-1], str(d.location)) for d in caught.value.diagnostics]
    assert found == [
        ("foo.bar", "unknown.mlir:3:8"),
        ("baz.qux", "unknown.mlir:4:8"),
        ("stablehlo.no_such_op", "unknown.mlir:5:8"),
    ]


def test_unknown_operations_in_generic_form() -> None:
    text = '"a.b"() : () -> ()\n"c.d"() : () -> ()\n'
    with pytest.raises(Unsupported) as caught:
        parse_module(text, "unknown.mlir")
    assert [d.message.split()[-1] for d in caught.value.diagnostics] == ["a.b", "c.d"]
    names = [o.name for o in parse_module(text, allow_unregistered=True).regions[0].block]
    assert names == ["a.b", "c.d"]


def test_deep_nesting_is_an_error() -> None:
    for text in (
        '"test.a"() ({' * 5000,
        "func.func private @f() attributes {x = " + "[" * 100_000,
        "func.func private @f(" + "tuple<" * 100_000,
        "func.func private @f(" + "tensor<" * 10_000,
        "func.func private @f() attributes {m = affine_map<(d0) -> (" + "(" * 100_000,
        "#a = loc(" + '"x"(' * 100_000,
    ):
        with pytest.raises(ParseError):
            parse_module(text, allow_unregistered=True)


def test_huge_shapes_take_no_memory() -> None:
    module = parse_module(
        "func.func @f() { %0 = stablehlo.constant dense<1.0> : tensor<99999999999xf32> return }", "huge.mlir"
    )
    verify(module)
    with pytest.raises(ParseError, match="too large"):
        parse_module(
            "func.func @f() { %0 = stablehlo.constant dense<1.0> : tensor<9999999999x9999999999x9xf32> return }"
        )


def test_long_numbers_are_refused() -> None:
    digits = "9" * 5000
    for text in (
        f"func.func private @f() attributes {{x = {digits} : i64}}",
        f"func.func private @f(tensor<{digits}xf32>)",
        f"func.func @f() {{ %0 = stablehlo.constant dense<{digits}> : tensor<i64> return }}",
        f"func.func @f(%a: tensor<f32>) {{ %0:{digits} = stablehlo.negate %a : tensor<f32> return }}",
        f"func.func @f() {{ %0 = stablehlo.iota dim = {digits} : tensor<4xf32> return }}",
    ):
        with pytest.raises(ParseError):
            parse_module(text)


def test_missing_attribute_is_left_to_the_verifier() -> None:
    module = parse_module('func.func @f() { %0 = "stablehlo.iota"() : () -> tensor<2xf32> return }', "m.mlir")
    with pytest.raises(VerifyError) as caught:
        verify(module)
    assert str(caught.value) == "m.mlir:1:18: error[stablehlo.iota.attribute]: attribute 'iota_dimension' is missing"


def test_use_before_definition_across_blocks_is_no_error_of_the_text() -> None:
    text = """\
func.func @f(%a: tensor<f32>) -> tensor<f32> {
  %0 = stablehlo.negate %1 : tensor<f32>
  %1 = stablehlo.negate %a : tensor<f32>
  return %0 : tensor<f32>
}
"""
    module = parse_module(text, "order.mlir")
    with pytest.raises(VerifyError, match="does not dominate") as caught:
        verify(module)
    assert str(caught.value).startswith("order.mlir:2:3")


def test_errors_are_one_family() -> None:
    with pytest.raises(TesselleError):
        parse_module("(")
